//! Tokens into trees: actions and their pipelines. Control structures are in `control`.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::diagnostic::{Place, suggestion};
use crate::template::ast::{
    At, Binding, Callee, Command, Expr, ExprKind, List, Node, NodeKind, Path, Pipe, Pipeline, Spanned, Target, Text,
    is_empty,
};
use crate::template::builtins::Builtin;
use crate::template::file::File;
use crate::template::function::{Function, Functions};
use crate::template::lexer::{Lexer, Token, TokenKind, offset};
use crate::template::names::Names;
use crate::template::number::Number;
use crate::template::quote::{plainly_quoted, quote, unquote};
use crate::template::set::{Template, Templates};
use crate::template::{Error, ErrorKind};
use crate::value::{Str, decode_utf8, meter};

/// How deep parentheses and blocks may be nested. Go allows 10,000 parentheses and any number of blocks; its stack grows.
const MAX_NESTING: usize = 1_000;

/// What a node of the tree takes, with its share of what it holds and of what is read for it.
const NODE: usize = 160;

const TOO_LARGE: &str = "the text is too large";

/// The result of a step of the parser.
pub(crate) type Parsed<T> = Result<T, Error>;

/// What parsed templates take, roughly.
pub(crate) fn size_of(templates: &Templates) -> usize {
    let nodes = templates.values().map(|template| usize::try_from(template.nodes).unwrap_or(usize::MAX)).max();
    nodes.unwrap_or(0).saturating_mul(NODE)
}

/// Parses one text into its templates.
pub(crate) struct Parser<'t> {
    lexer: Lexer<'t>,
    functions: &'t Functions,
    names: &'t mut Names,
    file: &'t Arc<File>,
    /// What was read of the commands and blocks that are open, innermost last.
    words: Vec<Expr>,
    pub(crate) nodes: Vec<Node>,
    next_id: u32,
    nesting: usize,
    templates: BTreeMap<Str, Arc<Template>>,
    /// Where unknown functions are only collected: those found.
    unknown: Option<Vec<Error>>,
    /// What belongs to the template being parsed; a `define` inside has its own.
    pub(crate) tree: Tree,
    /// The tokens read last, each at its number's remainder.
    tokens: [Token; LOOKAHEAD],
    /// How many tokens were read.
    read: usize,
    /// How many of them were taken and not put back.
    taken: usize,
}

/// How many tokens are remembered: one more than are ever put back.
const LOOKAHEAD: usize = 4;

/// The state of one template's parsing.
pub(crate) struct Tree {
    /// The token read last, whatever was put back.
    last: Token,
    /// Declared variables by name with their slots; later ones hide earlier.
    pub(crate) scope: Vec<(Str, usize)>,
    /// Names that Go's parser takes for declared: those in scope, assigned ones, and those being declared.
    pub(crate) known: Vec<Str>,
    slots: usize,
    /// Where the action that is being read starts.
    pub(crate) action: Option<u32>,
    pub(crate) ranges: usize,
}

impl Tree {
    /// A template that starts behind the token `last`.
    fn new(last: Token, dollar: &Str) -> Self {
        Self { last, scope: vec![(dollar.clone(), 0)], known: vec![dollar.clone()], slots: 1, action: None, ranges: 0 }
    }

    /// Declares `name` and gives its slot.
    fn declare(&mut self, name: Str) -> usize {
        let slot = self.scope.len();
        self.scope.push((name, slot));
        self.slots = self.slots.max(self.scope.len());
        slot
    }

    fn slot(&self, name: &[u8]) -> Option<usize> {
        self.scope.iter().rev().find(|(known, _)| &**known == name).map(|(_, slot)| *slot)
    }
}

/// Parses `file` into its main template and those it defines.
pub(crate) fn parse<'t>(
    file: &'t Arc<File>,
    functions: &'t Functions,
    names: &'t mut Names,
) -> Parsed<BTreeMap<Str, Arc<Template>>> {
    let mut parser = Parser::new(file, functions, names);
    parser.file()?;
    Ok(parser.templates)
}

/// As far as `file` can be parsed, with everything that is wrong: functions nobody knows do not end it.
pub(crate) fn parse_all(file: &Arc<File>, functions: &Functions) -> (BTreeMap<Str, Arc<Template>>, Vec<Error>) {
    let mut names = Names::default();
    let mut parser = Parser::new(file, functions, &mut names);
    parser.unknown = Some(Vec::new());
    let end = parser.file();
    let faults = parser.unknown.take().into_iter().flatten().chain(end.err());
    let faults = faults.collect();
    (parser.templates, faults)
}

impl<'t> Parser<'t> {
    fn new(file: &'t Arc<File>, functions: &'t Functions, names: &'t mut Names) -> Self {
        let tree = Tree::new(Token::NONE, &names.get(b"$"));
        Self {
            lexer: Lexer::new(&file.text),
            functions,
            names,
            file,
            words: Vec::new(),
            nodes: Vec::new(),
            next_id: 0,
            nesting: 0,
            templates: BTreeMap::new(),
            unknown: None,
            tree,
            tokens: [Token::NONE; LOOKAHEAD],
            read: 0,
            taken: 0,
        }
    }

    fn file(&mut self) -> Parsed<()> {
        if u32::try_from(self.file.text.len()).is_err() {
            return Err(self.error(TOO_LARGE));
        }
        let name = self.file.name.clone();
        let root = self.top_level()?;
        self.add(name, root)
    }

    // Tokens

    pub(crate) fn next(&mut self) -> Token {
        let token = self.peek();
        self.taken += 1;
        token
    }

    pub(crate) fn peek(&mut self) -> Token {
        if self.taken == self.read {
            let token = self.lexer.token();
            self.tree.last = token;
            if let Some(place) = self.tokens.get_mut(self.read % LOOKAHEAD) {
                *place = token;
            }
            self.read += 1;
            return token;
        }
        self.tokens.get(self.taken % LOOKAHEAD).copied().unwrap_or(Token::NONE)
    }

    pub(crate) fn put_back(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }

    /// Where the parser is, for [`Parser::rewind`].
    pub(crate) fn mark(&self) -> usize {
        self.taken
    }

    /// Puts back what was taken since `mark`: less than [`LOOKAHEAD`] tokens.
    pub(crate) fn rewind(&mut self, mark: usize) {
        self.taken = mark;
    }

    pub(crate) fn text_of(&self, token: Token) -> &'t [u8] {
        self.lexer.text_of(token)
    }

    pub(crate) fn next_non_space(&mut self) -> Token {
        let token = self.peek_non_space();
        self.taken += 1;
        token
    }

    pub(crate) fn peek_non_space(&mut self) -> Token {
        while self.peek().kind == TokenKind::Space {
            self.taken += 1;
        }
        self.peek()
    }

    pub(crate) fn expect(&mut self, kind: TokenKind, context: &str) -> Parsed<Token> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { Err(self.unexpected(token, context)) }
    }

    /// Begins a template of its own, and gives the state of the one around it.
    pub(crate) fn open_tree(&mut self) -> Tree {
        let tree = Tree::new(self.tree.last, &self.names.get(b"$"));
        std::mem::replace(&mut self.tree, tree)
    }

    // Errors

    pub(crate) fn error(&self, message: impl Into<String>) -> Error {
        let Tree { last, .. } = self.tree;
        let line = self.lexer.line(last.start);
        let source = Arc::clone(self.file.source());
        let place = Place::of(&source.text, offset(last.start), self.text_of(last).len());
        Error::new(ErrorKind::Parse { source, line, message: message.into() }).token(Place { line, ..place })
    }

    pub(crate) fn unexpected(&self, token: Token, context: &str) -> Error {
        if token.kind != TokenKind::Error {
            let found = describe(token.kind, self.text_of(token));
            return self.error(format!("unexpected {found} in {context}"));
        }
        let message = self.lexer.error();
        let started = self.tree.action.map(|start| self.lexer.line(start));
        let Some(started) = started.filter(|line| *line != self.lexer.line(token.start)) else {
            return self.error(message);
        };
        let action = if message.ends_with(" action") { "" } else { " in action" };
        self.error(format!("{message}{action} started at {}:{started}", self.file.name))
    }

    // Nodes

    pub(crate) fn at(&mut self, offset: u32) -> At {
        self.next_id += 1;
        At { id: self.next_id, offset }
    }

    pub(crate) fn spanned<T>(&mut self, offset: u32, node: T) -> Spanned<T> {
        Spanned { at: self.at(offset), node }
    }

    /// Refuses a tree that would take more memory than there is.
    pub(crate) fn check_size(&self) -> Parsed<()> {
        let nodes = usize::try_from(self.next_id).unwrap_or(usize::MAX);
        if meter::claim(nodes.saturating_mul(NODE)) { Ok(()) } else { Err(self.error(TOO_LARGE)) }
    }

    /// Runs `inner` one level deeper.
    pub(crate) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nesting >= MAX_NESTING {
            return Err(self.error("max expression depth exceeded"));
        }
        self.nesting += 1;
        let result = inner(self);
        self.nesting -= 1;
        result
    }

    /// Adds the template `name`, whose tree is `root`, to what the text defines.
    pub(crate) fn add(&mut self, name: Str, root: List) -> Parsed<()> {
        let template = Template {
            name: name.clone(),
            file: Arc::clone(self.file),
            root,
            slots: self.tree.slots,
            nodes: self.next_id,
        };
        match self.templates.get(&name) {
            Some(old) if !is_empty(&old.root) => {
                if !is_empty(&template.root) {
                    return Err(self.error(format!("template: multiple definition of template {}", quote(&name))));
                }
            }
            _ => {
                self.templates.insert(name, Arc::new(template));
            }
        }
        Ok(())
    }

    /// An action that is no control structure; its first token is put back.
    pub(crate) fn plain_action(&mut self) -> Parsed<Spanned<NodeKind>> {
        let offset = self.peek().start;
        let pipe = self.pipeline("command", TokenKind::RightDelim)?;
        Ok(self.spanned(offset, NodeKind::Action(pipe)))
    }

    /// Declarations, and commands with `|` between them, up to `end`.
    pub(crate) fn pipeline(&mut self, context: &str, end: TokenKind) -> Parsed<Pipe> {
        let at = {
            let offset = self.peek_non_space().start;
            self.at(offset)
        };
        let (names, binding) = self.targets(context)?;
        let mut commands = SmallVec::new();
        loop {
            let token = self.next_non_space();
            if token.kind == end {
                break;
            }
            if !starts_command(token.kind) {
                return Err(self.unexpected(token, context));
            }
            self.put_back();
            commands.push(self.command()?);
        }
        self.check_commands(&commands, context)?;
        let targets = names.into_iter().map(|name| self.target(name, binding)).collect();
        Ok(Spanned { at, node: Pipeline { targets, binding, commands } })
    }

    /// A variable is in scope only after its pipeline: `$x := $x` reads the outer one.
    fn target(&mut self, name: Str, binding: Binding) -> Target {
        let slot = match binding {
            Binding::Declare => Some(self.tree.declare(name.clone())),
            Binding::Assign => self.tree.slot(&name),
        };
        Target { name, slot }
    }

    fn targets(&mut self, context: &str) -> Parsed<(Vec<Str>, Binding)> {
        let mut names = Vec::new();
        loop {
            let variable = self.peek_non_space();
            if variable.kind != TokenKind::Variable {
                return Ok((names, Binding::Declare));
            }
            let mark = self.mark();
            self.next();
            let next = self.peek_non_space();
            if matches!(next.kind, TokenKind::Assign | TokenKind::Declare) {
                self.next_non_space();
                names.push(self.know(variable));
                let assigns = next.kind == TokenKind::Assign;
                return Ok((names, if assigns { Binding::Assign } else { Binding::Declare }));
            }
            if next.kind != TokenKind::Char || self.text_of(next) != b"," {
                // It was an argument, or the value itself.
                self.rewind(mark);
                return Ok((names, Binding::Declare));
            }
            self.next_non_space();
            names.push(self.know(variable));
            if context != "range" || names.len() > 1 {
                return Err(self.error(format!("too many declarations in {context}")));
            }
            let follows = self.peek_non_space().kind;
            if !matches!(follows, TokenKind::Variable | TokenKind::RightDelim | TokenKind::RightParen) {
                return Err(self.error("range can only initialize variables"));
            }
        }
    }

    fn know(&mut self, variable: Token) -> Str {
        let name = self.names.get(self.text_of(variable));
        self.tree.known.push(name.clone());
        name
    }

    fn check_commands(&self, commands: &[Command], context: &str) -> Parsed<()> {
        if commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        // Only the first command may be a plain value.
        let literal = |command: &Command| command.node.first().is_some_and(|word| word.node.is_literal());
        match commands.iter().skip(1).position(literal) {
            Some(index) => Err(self.error(format!("non executable command in pipeline stage {}", index + 2))),
            None => Ok(()),
        }
    }

    /// Operands up to `|` or the end of the pipeline; a `|` is consumed.
    fn command(&mut self) -> Parsed<Command> {
        let at = {
            let offset = self.peek_non_space().start;
            self.at(offset)
        };
        let start = self.words.len();
        loop {
            self.check_size()?;
            self.peek_non_space();
            let operand = self.operand()?;
            self.words.extend(operand);
            let token = self.next();
            match token.kind {
                TokenKind::Space => continue,
                TokenKind::RightDelim | TokenKind::RightParen => self.put_back(),
                TokenKind::Pipe => {}
                _ => return Err(self.unexpected(token, "operand")),
            }
            break;
        }
        let words = self.words.split_off(start);
        if words.is_empty() {
            return Err(self.error("empty command"));
        }
        Ok(Spanned { at, node: words })
    }

    /// A term and the fields behind it; nothing if none comes next.
    fn operand(&mut self) -> Parsed<Option<Expr>> {
        let Some(term) = self.term()? else { return Ok(None) };
        let first = self.peek();
        if first.kind != TokenKind::Field {
            return Ok(Some(term));
        }
        let fields = self.fields();
        if term.node.is_literal() {
            return Err(self.error(format!("unexpected . after term {}", quote(term.to_string().as_bytes()))));
        }
        let node = match term.node {
            ExprKind::Variable { target, .. } => ExprKind::Variable { target, fields },
            _ => ExprKind::Chain { base: Box::new(term), fields },
        };
        Ok(Some(self.spanned(first.start, node)))
    }

    fn term(&mut self) -> Parsed<Option<Expr>> {
        let token = self.next_non_space();
        let node = match token.kind {
            TokenKind::Identifier => self.function(token)?,
            TokenKind::Dot => ExprKind::Dot,
            TokenKind::Nil => ExprKind::Nil,
            TokenKind::Variable => self.variable(token)?,
            TokenKind::Field => return Ok(Some(self.field(token))),
            TokenKind::Bool => ExprKind::Bool(self.text_of(token) == b"true"),
            TokenKind::CharConstant => self.number(Number::from_char(self.text_of(token)))?,
            TokenKind::Complex => self.number(Number::from_complex(self.text_of(token)))?,
            TokenKind::Number => self.number(Number::from_text(self.text_of(token)))?,
            TokenKind::LeftParen => {
                let pipe = self.nested(|parser| parser.pipeline("parenthesized pipeline", TokenKind::RightParen))?;
                return Ok(Some(Spanned { at: pipe.at, node: ExprKind::Pipe(Box::new(pipe)) }));
            }
            TokenKind::String | TokenKind::RawString => {
                let written = self.text_of(token);
                let literal = plainly_quoted(written).is_none().then(|| written.into());
                ExprKind::String { text: self.unquoted(token)?, literal }
            }
            _ => {
                self.put_back();
                return Ok(None);
            }
        };
        Ok(Some(self.spanned(token.start, node)))
    }

    pub(crate) fn unquoted(&mut self, token: Token) -> Parsed<Str> {
        let written = self.text_of(token);
        if let Some(text) = plainly_quoted(written) {
            return Ok(self.names.get(text));
        }
        unquote(written).ok_or_else(|| self.error("invalid syntax"))
    }

    /// `.a.b`; as in Go, where there are more fields it stands at the second.
    fn field(&mut self, first: Token) -> Expr {
        let second = self.peek();
        let at = if second.kind == TokenKind::Field { second } else { first };
        self.put_back();
        let fields = self.fields();
        self.spanned(at.start, ExprKind::Field(fields))
    }

    /// The fields that come next, without spaces between them.
    fn fields(&mut self) -> Path {
        let start = self.peek().start;
        let mut end = start;
        while self.peek().kind == TokenKind::Field {
            end = self.next().end;
        }
        self.names.path(self.lexer.between(start, end))
    }

    /// A part of the file's text.
    pub(crate) fn text(&self, token: Token) -> Text {
        Text { file: self.file.text.clone(), start: token.start, end: token.end }
    }

    fn number(&self, number: Result<Number, String>) -> Parsed<ExprKind> {
        number.map(|number| ExprKind::Number(Box::new(number))).map_err(|message| self.error(message))
    }

    fn function(&mut self, token: Token) -> Parsed<ExprKind> {
        let word = self.text_of(token);
        if let Some((name, callee)) = self.names.callee(word, self.functions) {
            return Ok(ExprKind::Function { name, callee });
        }
        let name = Str::from(word);
        let known = self.functions.iter().map(Function::name).chain(Builtin::NAMES);
        let near = suggestion(&name.to_text(), known).map(str::to_owned);
        let error = self.error(format!("function {} not defined", quote(word))).near(near);
        let Some(unknown) = &mut self.unknown else { return Err(error) };
        unknown.push(error);
        Ok(ExprKind::Function { name, callee: Callee::Unknown })
    }

    fn variable(&mut self, token: Token) -> Parsed<ExprKind> {
        let name = self.names.get(self.text_of(token));
        if !self.tree.known.contains(&name) {
            return Err(self.error(format!("undefined variable {}", quote(&name))));
        }
        let slot = self.tree.slot(&name);
        Ok(ExprKind::Variable { target: Target { name, slot }, fields: self.names.path(b"") })
    }
}

fn starts_command(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Bool
            | TokenKind::CharConstant
            | TokenKind::Complex
            | TokenKind::Dot
            | TokenKind::Field
            | TokenKind::Identifier
            | TokenKind::Number
            | TokenKind::Nil
            | TokenKind::RawString
            | TokenKind::String
            | TokenKind::Variable
            | TokenKind::LeftParen
    )
}

/// A token as an error names it.
fn describe(kind: TokenKind, text: &[u8]) -> String {
    if kind == TokenKind::Eof {
        return "EOF".to_owned();
    }
    if kind.is_keyword() {
        return format!("<{}>", Str::from(text));
    }
    if text.len() <= 10 {
        return quote(text);
    }
    let mut end = 0;
    for _ in 0..10 {
        end += decode_utf8(text.get(end..).unwrap_or_default()).map_or(0, |(_, width)| width);
    }
    format!("{}...", quote(text.get(..end).unwrap_or_default()))
}
