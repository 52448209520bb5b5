//! Tokens into trees: actions and their pipelines. Control structures are in `control`.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::diagnostic::{Place, Source, suggestion};
use crate::template::ast::{
    At, Binding, Callee, Command, Expr, ExprKind, List, Node, NodeKind, Pipe, Pipeline, Spanned, Target, Text, is_empty,
};
use crate::template::builtins::Builtin;
use crate::template::function::{Function, Functions};
use crate::template::lexer::{Lexer, Token, TokenKind};
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
    text: &'t Str,
    source: Arc<Source>,
    /// What was read of the commands and blocks that are open, innermost last.
    words: Vec<Expr>,
    pub(crate) nodes: Vec<Node>,
    next_id: u32,
    nesting: usize,
    templates: BTreeMap<Str, Arc<Template>>,
    /// Where unknown functions are only collected: those found.
    unknown: Option<Vec<Error>>,
    /// What belongs to the template being parsed; a `define` inside has its own.
    pub(crate) tree: Tree<'t>,
}

/// The state of one template's parsing.
pub(crate) struct Tree<'t> {
    /// `lookahead[0]` is the token read last, whatever was put back.
    lookahead: [Token<'t>; 3],
    held: usize,
    /// Declared variables by name with their slots; later ones hide earlier.
    pub(crate) scope: Vec<(Str, usize)>,
    /// Names that Go's parser takes for declared: those in scope, assigned ones, and those being declared.
    pub(crate) known: Vec<Str>,
    slots: usize,
    pub(crate) action_line: usize,
    pub(crate) ranges: usize,
}

impl Tree<'_> {
    pub(crate) fn new() -> Self {
        let dollar = Str::from("$");
        Self {
            lookahead: [Token::NONE; 3],
            held: 0,
            scope: vec![(dollar.clone(), 0)],
            known: vec![dollar],
            slots: 1,
            action_line: 0,
            ranges: 0,
        }
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

/// Parses `text`, a file called `source.name`, into its main template and those it defines.
pub(crate) fn parse<'t>(
    source: Source,
    text: &'t Str,
    functions: &'t Functions,
    names: &'t mut Names,
) -> Parsed<BTreeMap<Str, Arc<Template>>> {
    let mut parser = Parser::new(source, text, functions, names);
    parser.file()?;
    Ok(parser.templates)
}

/// As far as `text` can be parsed, with everything that is wrong: functions nobody knows do not end it.
pub(crate) fn parse_all(
    source: Source,
    text: &Str,
    functions: &Functions,
) -> (BTreeMap<Str, Arc<Template>>, Vec<Error>) {
    let mut names = Names::default();
    let mut parser = Parser::new(source, text, functions, &mut names);
    parser.unknown = Some(Vec::new());
    let end = parser.file();
    let faults = parser.unknown.take().into_iter().flatten().chain(end.err());
    let faults = faults.collect();
    (parser.templates, faults)
}

impl<'t> Parser<'t> {
    fn new(source: Source, text: &'t Str, functions: &'t Functions, names: &'t mut Names) -> Self {
        Self {
            lexer: Lexer::new(text),
            functions,
            names,
            text,
            source: Arc::new(source),
            words: Vec::new(),
            nodes: Vec::new(),
            next_id: 0,
            nesting: 0,
            templates: BTreeMap::new(),
            unknown: None,
            tree: Tree::new(),
        }
    }

    fn file(&mut self) -> Parsed<()> {
        let name = Str::from(self.source.name.as_str());
        let root = self.top_level()?;
        self.add(name, root)
    }

    // Tokens

    pub(crate) fn next(&mut self) -> Token<'t> {
        match self.tree.held.checked_sub(1) {
            Some(held) => self.tree.held = held,
            None => self.tree.lookahead[0] = self.lexer.token(),
        }
        self.held_token()
    }

    fn held_token(&self) -> Token<'t> {
        let [last, before, earliest] = self.tree.lookahead;
        match self.tree.held {
            0 => last,
            1 => before,
            _ => earliest,
        }
    }

    pub(crate) fn put_back(&mut self) {
        self.tree.held += 1;
    }

    /// Puts back `before` and the token read last.
    pub(crate) fn put_back_two(&mut self, before: Token<'t>) {
        self.tree.lookahead[1] = before;
        self.tree.held = 2;
    }

    /// Puts back `earliest`, `before` and the token read last.
    fn put_back_three(&mut self, earliest: Token<'t>, before: Token<'t>) {
        self.tree.lookahead[1] = before;
        self.tree.lookahead[2] = earliest;
        self.tree.held = 3;
    }

    pub(crate) fn peek(&mut self) -> Token<'t> {
        let token = self.next();
        self.put_back();
        token
    }

    pub(crate) fn next_non_space(&mut self) -> Token<'t> {
        loop {
            let token = self.next();
            if token.kind != TokenKind::Space {
                return token;
            }
        }
    }

    pub(crate) fn peek_non_space(&mut self) -> Token<'t> {
        let token = self.next_non_space();
        self.put_back();
        token
    }

    pub(crate) fn expect(&mut self, kind: TokenKind, context: &str) -> Parsed<Token<'t>> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { Err(self.unexpected(token, context)) }
    }

    // Errors

    pub(crate) fn error(&self, message: impl Into<String>) -> Error {
        let [last, ..] = self.tree.lookahead;
        let place = Place { line: last.line, ..Place::of(&self.source.text, last.offset, last.text.len()) };
        let source = Arc::clone(&self.source);
        Error::new(ErrorKind::Parse { source, line: last.line, message: message.into() }).token(place)
    }

    pub(crate) fn unexpected(&self, token: Token<'t>, context: &str) -> Error {
        if token.kind != TokenKind::Error {
            return self.error(format!("unexpected {} in {context}", describe(token)));
        }
        let message = self.lexer.error();
        let started = self.tree.action_line;
        if started == 0 || started == token.line {
            return self.error(message);
        }
        let action = if message.ends_with(" action") { "" } else { " in action" };
        self.error(format!("{message}{action} started at {}:{started}", self.source.name))
    }

    // Nodes

    pub(crate) fn at(&mut self, offset: usize) -> At {
        self.next_id += 1;
        At { id: self.next_id, offset: u32::try_from(offset).unwrap_or(u32::MAX) }
    }

    pub(crate) fn spanned<T>(&mut self, offset: usize, node: T) -> Spanned<T> {
        Spanned { at: self.at(offset), node }
    }

    /// Refuses a tree that would take more memory than there is.
    pub(crate) fn check_size(&self) -> Parsed<()> {
        let nodes = usize::try_from(self.next_id).unwrap_or(usize::MAX);
        if meter::claim(nodes.saturating_mul(NODE)) { Ok(()) } else { Err(self.error("the text is too large")) }
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
            source: Arc::clone(&self.source),
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
        let offset = self.peek().offset;
        let pipe = self.pipeline("command", TokenKind::RightDelim)?;
        Ok(self.spanned(offset, NodeKind::Action(pipe)))
    }

    /// Declarations, and commands with `|` between them, up to `end`.
    pub(crate) fn pipeline(&mut self, context: &str, end: TokenKind) -> Parsed<Pipe> {
        let at = {
            let offset = self.peek_non_space().offset;
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
            self.next();
            let after = self.peek();
            let next = self.peek_non_space();
            if matches!(next.kind, TokenKind::Assign | TokenKind::Declare) {
                self.next_non_space();
                names.push(self.know(variable));
                let assigns = next.kind == TokenKind::Assign;
                return Ok((names, if assigns { Binding::Assign } else { Binding::Declare }));
            }
            if next.kind != TokenKind::Char || next.text != b"," {
                // It was an argument, or the value itself.
                match after.kind {
                    TokenKind::Space => self.put_back_three(variable, after),
                    _ => self.put_back_two(variable),
                }
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

    fn know(&mut self, variable: Token<'t>) -> Str {
        let name = self.names.get(variable.text);
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
            let offset = self.peek_non_space().offset;
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
        let mut fields = SmallVec::<[Str; 4]>::new();
        while self.peek().kind == TokenKind::Field {
            let field = self.next();
            fields.push(self.field_name(field));
        }
        if term.node.is_literal() {
            return Err(self.error(format!("unexpected . after term {}", quote(term.to_string().as_bytes()))));
        }
        let node = match term.node {
            ExprKind::Field(mut path) => {
                path.append(&mut fields);
                ExprKind::Field(path)
            }
            ExprKind::Variable { target, .. } => ExprKind::Variable { target, fields: fields.into_boxed_slice() },
            _ => ExprKind::Chain { base: Box::new(term), fields: fields.into_boxed_slice() },
        };
        Ok(Some(self.spanned(first.offset, node)))
    }

    fn term(&mut self) -> Parsed<Option<Expr>> {
        let token = self.next_non_space();
        let node = match token.kind {
            TokenKind::Identifier => self.function(token)?,
            TokenKind::Dot => ExprKind::Dot,
            TokenKind::Nil => ExprKind::Nil,
            TokenKind::Variable => self.variable(token)?,
            TokenKind::Field => ExprKind::Field(smallvec![self.field_name(token)]),
            TokenKind::Bool => ExprKind::Bool(token.text == b"true"),
            TokenKind::CharConstant => self.number(Number::from_char(token.text))?,
            TokenKind::Complex => self.number(Number::from_complex(token.text))?,
            TokenKind::Number => self.number(Number::from_text(token.text))?,
            TokenKind::LeftParen => {
                let pipe = self.nested(|parser| parser.pipeline("parenthesized pipeline", TokenKind::RightParen))?;
                return Ok(Some(Spanned { at: pipe.at, node: ExprKind::Pipe(Box::new(pipe)) }));
            }
            TokenKind::String | TokenKind::RawString => {
                let literal = plainly_quoted(token.text).is_none().then(|| token.text.into());
                ExprKind::String { text: self.unquoted(token)?, literal }
            }
            _ => {
                self.put_back();
                return Ok(None);
            }
        };
        Ok(Some(self.spanned(token.offset, node)))
    }

    pub(crate) fn unquoted(&mut self, token: Token<'t>) -> Parsed<Str> {
        if let Some(text) = plainly_quoted(token.text) {
            return Ok(self.names.get(text));
        }
        unquote(token.text).ok_or_else(|| self.error("invalid syntax"))
    }

    fn field_name(&mut self, token: Token<'t>) -> Str {
        self.names.get(token.text.get(1..).unwrap_or_default())
    }

    /// A part of the file's text.
    pub(crate) fn text(&self, token: Token<'t>) -> Text {
        Text { file: self.text.clone(), start: token.offset, end: token.offset + token.text.len() }
    }

    fn number(&self, number: Result<Number, String>) -> Parsed<ExprKind> {
        number.map(|number| ExprKind::Number(Box::new(number))).map_err(|message| self.error(message))
    }

    fn function(&mut self, token: Token<'t>) -> Parsed<ExprKind> {
        if let Some((name, callee)) = self.names.callee(token.text, self.functions) {
            return Ok(ExprKind::Function { name, callee });
        }
        let name = Str::from(token.text);
        let known = self.functions.iter().map(Function::name).chain(Builtin::NAMES);
        let near = suggestion(&name.to_text(), known).map(str::to_owned);
        let error = self.error(format!("function {} not defined", quote(token.text))).near(near);
        let Some(unknown) = &mut self.unknown else { return Err(error) };
        unknown.push(error);
        Ok(ExprKind::Function { name, callee: Callee::Unknown })
    }

    fn variable(&mut self, token: Token<'t>) -> Parsed<ExprKind> {
        let name = self.names.get(token.text);
        if !self.tree.known.contains(&name) {
            return Err(self.error(format!("undefined variable {}", quote(token.text))));
        }
        let slot = self.tree.slot(&name);
        Ok(ExprKind::Variable { target: Target { name, slot }, fields: Box::default() })
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
fn describe(token: Token<'_>) -> String {
    if token.kind == TokenKind::Eof {
        return "EOF".to_owned();
    }
    if token.kind.is_keyword() {
        return format!("<{}>", Str::from(token.text));
    }
    if token.text.len() <= 10 {
        return quote(token.text);
    }
    let mut end = 0;
    for _ in 0..10 {
        end += decode_utf8(token.text.get(end..).unwrap_or_default()).map_or(0, |(_, width)| width);
    }
    format!("{}...", quote(token.text.get(..end).unwrap_or_default()))
}
