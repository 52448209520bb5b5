//! Tokens into trees: text, blocks and definitions.

use crate::template::ast::{Branch, List, Node, NodeKind, Pipe};
use crate::template::lexer::{Token, TokenKind};
use crate::template::parser::{Parsed, Parser};
use crate::value::Str;

/// One thing in a block.
enum Item {
    Node(Node),
    /// `{{end}}`
    End,
    /// `{{else}}`, at this place; an `if` or `with` in the same action is still to be read.
    Else(u32),
}

impl Item {
    fn name(&self) -> &'static str {
        if matches!(self, Self::Else(_)) { "{{else}}" } else { "{{end}}" }
    }
}

impl Parser<'_> {
    /// The whole text; only here may templates be defined.
    pub(crate) fn top_level(&mut self) -> Parsed<List> {
        let offset = self.peek().start;
        let at = self.at(offset);
        let start = self.open();
        while self.peek().kind != TokenKind::Eof {
            if self.peek().kind == TokenKind::LeftDelim {
                let mark = self.mark();
                self.next();
                if self.next().kind == TokenKind::Define {
                    self.definition()?;
                    continue;
                }
                self.rewind(mark);
            }
            match self.text_or_action()? {
                Item::Node(node) => self.push(node),
                item => return Err(self.error(format!("unexpected {}", item.name()))),
            }
        }
        Ok(self.close(at, start))
    }

    /// After `{{define`.
    fn definition(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        self.own_tree(|parser| {
            let token = parser.next();
            let name = parser.template_name(token, CONTEXT)?;
            parser.expect(TokenKind::RightDelim, CONTEXT)?;
            let (body, end) = parser.block_body()?;
            if !matches!(end, Item::End) {
                return Err(parser.error(format!("unexpected {} in {CONTEXT}", end.name())));
            }
            parser.add(name, body)
        })
    }

    /// Runs `parse` for a template of its own, with its own variables and tokens.
    fn own_tree<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let outer = self.open_tree();
        let result = parse(self);
        self.tree = outer;
        result
    }

    /// Text and actions up to `{{end}}` or `{{else}}`, which is given too.
    fn block_body(&mut self) -> Parsed<(List, Item)> {
        self.nested(|parser| {
            let offset = parser.peek().start;
            let at = parser.at(offset);
            let start = parser.open();
            while parser.peek().kind != TokenKind::Eof {
                match parser.text_or_action()? {
                    Item::Node(node) => parser.push(node),
                    item => return Ok((parser.close(at, start), item)),
                }
            }
            Err(parser.error("unexpected EOF"))
        })
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        self.check_size()?;
        let token = self.next();
        match token.kind {
            TokenKind::Text => Ok(Item::Node(self.node(token.start, NodeKind::Text(token.span())))),
            TokenKind::LeftDelim => {
                self.tree.action = Some(token.start);
                let item = self.action()?;
                self.tree.action = None;
                Ok(item)
            }
            _ => Err(self.unexpected(token, "input")),
        }
    }

    fn action(&mut self) -> Parsed<Item> {
        let token = self.next();
        let node = match token.kind {
            TokenKind::Block => self.block()?,
            TokenKind::Break => self.leave_range(token, NodeKind::Break)?,
            TokenKind::Continue => self.leave_range(token, NodeKind::Continue)?,
            TokenKind::Else => return self.otherwise(),
            TokenKind::End => return self.expect(TokenKind::RightDelim, "end").map(|_| Item::End),
            TokenKind::If => self.branch(Word::If)?,
            TokenKind::With => self.branch(Word::With)?,
            TokenKind::Range => self.branch(Word::Range)?,
            TokenKind::Template => self.template()?,
            _ => {
                self.put_back();
                self.plain_action()?
            }
        };
        Ok(Item::Node(node))
    }

    fn leave_range(&mut self, token: Token, node: NodeKind) -> Parsed<Node> {
        let word = if matches!(node, NodeKind::Break) { "{{break}}" } else { "{{continue}}" };
        let next = self.next();
        if next.kind != TokenKind::RightDelim {
            return Err(self.unexpected(next, word));
        }
        if self.tree.ranges == 0 {
            return Err(self.error(format!("{word} outside {{{{range}}}}")));
        }
        Ok(self.node(token.start, node))
    }

    fn otherwise(&mut self) -> Parsed<Item> {
        let next = self.peek();
        if matches!(next.kind, TokenKind::If | TokenKind::With) {
            return Ok(Item::Else(next.start));
        }
        self.expect(TokenKind::RightDelim, "else").map(|token| Item::Else(token.start))
    }

    /// After `{{if`, `{{with` or `{{range`. What it declares is gone after its `{{end}}`.
    fn branch(&mut self, word: Word) -> Parsed<Node> {
        let (scope, known) = (self.tree.scope.len(), self.tree.known.len());
        let pipe = self.pipeline(word.text(), TokenKind::RightDelim)?;
        self.tree.ranges += usize::from(word == Word::Range);
        let (body, end) = self.block_body()?;
        self.tree.ranges -= usize::from(word == Word::Range);
        let otherwise = match end {
            Item::Else(offset) => Some(self.else_body(word, offset)?),
            _ => None,
        };
        self.tree.scope.truncate(scope);
        self.tree.known.truncate(known);
        Ok(self.branch_node(word, pipe, body, otherwise))
    }

    fn branch_node(&mut self, word: Word, pipe: Pipe, body: List, otherwise: Option<List>) -> Node {
        let offset = pipe.at.offset;
        let branch = Branch { pipe, body, otherwise };
        let mut node = self.node(0, word.node(branch));
        node.at.offset = offset;
        node
    }

    /// `{{else if}}` is `{{else}}{{if}}` whose `{{end}}` is assumed.
    fn else_body(&mut self, word: Word, offset: u32) -> Parsed<List> {
        let chained = match self.peek().kind {
            TokenKind::If => word == Word::If,
            TokenKind::With => word == Word::With,
            _ => false,
        };
        if chained {
            self.next();
            let at = self.at(offset);
            let node = self.nested(|parser| parser.branch(word))?;
            let start = self.open();
            self.push(node);
            return Ok(self.close(at, start));
        }
        let (body, end) = self.block_body()?;
        match end {
            Item::End => Ok(body),
            item => Err(self.error(format!("expected end; found {}", item.name()))),
        }
    }

    /// After `{{block`: defines a template and calls it.
    fn block(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "block clause";
        let token = self.next();
        let name = self.template_name(token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, TokenKind::RightDelim)?;
        let mut unexpected = None;
        self.own_tree(|parser| {
            let (body, end) = parser.block_body()?;
            match end {
                Item::End => parser.add(name.clone(), body)?,
                item => unexpected = Some(item.name()),
            }
            Ok(())
        })?;
        match unexpected {
            Some(end) => Err(self.error(format!("unexpected {end} in {CONTEXT}"))),
            None => Ok(self.node(token.start, NodeKind::Template { name, pipe: Some(pipe) })),
        }
    }

    /// After `{{template`.
    fn template(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.next();
        let name = self.template_name(token, CONTEXT)?;
        let mut pipe = None;
        if self.next().kind != TokenKind::RightDelim {
            self.put_back();
            pipe = Some(self.pipeline(CONTEXT, TokenKind::RightDelim)?);
        }
        Ok(self.node(token.start, NodeKind::Template { name, pipe }))
    }

    fn template_name(&mut self, token: Token, context: &str) -> Parsed<Str> {
        match token.kind {
            TokenKind::String | TokenKind::RawString => self.unquoted(token),
            _ => Err(self.unexpected(token, context)),
        }
    }
}

/// The words that open a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    If,
    With,
    Range,
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Self::If => "if",
            Self::With => "with",
            Self::Range => "range",
        }
    }

    fn node(self, branch: Branch) -> NodeKind {
        match self {
            Self::If => NodeKind::If(branch),
            Self::With => NodeKind::With(branch),
            Self::Range => NodeKind::Range(branch),
        }
    }
}
