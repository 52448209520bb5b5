//! Tokens into trees: actions and their pipelines. Control structures are in `control`.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::diagnostic::{Place, suggestion};
use crate::template::ast::{
    At, Binding, Callee, Command, Expr, ExprKind, List, Node, NodeKind, Pipe, Run, Span, Target,
};
use crate::template::builtins::Builtin;
use crate::template::file::File;
use crate::template::function::{Function, Functions};
use crate::template::lexer::{Lexer, Token, TokenKind, narrow, wide};
use crate::template::number::Number;
use crate::template::quote::{plainly_quoted, quote, unquote};
use crate::template::set::{Template, Templates};
use crate::template::workspace::Workspace;
use crate::template::{Error, ErrorKind};
use crate::value::{Str, decode_utf8, meter};

/// How deep parentheses and blocks may be nested. Go allows 10,000 parentheses and any number of blocks; its stack grows.
const MAX_NESTING: usize = 1_000;

/// What a node of the tree takes, with its share of what it holds and of what is read for it.
const NODE: usize = 160;

/// The number of the first node of a file: the list of its own template.
pub(crate) const FIRST_NODE: u32 = 1;

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
    file: &'t Arc<File>,
    workspace: &'t mut Workspace,
    next_id: u32,
    /// At which number of nodes their size is looked at again.
    check_at: u32,
    nesting: usize,
    templates: BTreeMap<Str, Draft>,
    /// Where unknown functions are only collected: those found.
    unknown: Option<Vec<Error>>,
    /// What belongs to the template being parsed; a `define` inside has its own.
    pub(crate) tree: Tree<'t>,
    /// The tokens read last, each at its number's remainder.
    tokens: [Token; LOOKAHEAD],
    /// How many tokens were read.
    read: usize,
    /// How many of them were taken and not put back.
    taken: usize,
}

/// A template whose file is still being read.
struct Draft {
    root: List,
    slots: usize,
    nodes: u32,
}

/// How many tokens are remembered: one more than are ever put back.
const LOOKAHEAD: usize = 4;

/// The state of one template's parsing.
pub(crate) struct Tree<'t> {
    /// The token read last, whatever was put back.
    last: Token,
    /// Declared variables, each in the slot of its number; later ones hide earlier.
    pub(crate) scope: SmallVec<[&'t [u8]; 8]>,
    /// Names that Go's parser takes for declared: those in scope, assigned ones, and those being declared.
    pub(crate) known: SmallVec<[&'t [u8]; 8]>,
    slots: usize,
    /// Where the action that is being read starts.
    pub(crate) action: Option<u32>,
    pub(crate) ranges: usize,
}

impl<'t> Tree<'t> {
    /// A template that starts behind the token `last`.
    fn new(last: Token) -> Self {
        let dollar: SmallVec<[&[u8]; 8]> = smallvec![&b"$"[..]];
        Self { last, scope: dollar.clone(), known: dollar, slots: 1, action: None, ranges: 0 }
    }

    /// Declares `name` and gives its slot.
    fn declare(&mut self, name: &'t [u8]) -> u32 {
        let slot = narrow(self.scope.len());
        self.scope.push(name);
        self.slots = self.slots.max(self.scope.len());
        slot
    }

    fn slot(&self, name: &[u8]) -> Option<u32> {
        self.scope.iter().rposition(|known| *known == name).map(narrow)
    }
}

/// Parses `file` into its main template and those it defines.
pub(crate) fn parse(file: &Arc<File>, functions: &Functions, workspace: &mut Workspace) -> Parsed<Templates> {
    let mut parser = Parser::new(file, functions, workspace);
    parser.file()?;
    Ok(parser.finish())
}

/// As far as `file` can be parsed, with everything that is wrong: functions nobody knows do not end it.
pub(crate) fn parse_all(file: &Arc<File>, functions: &Functions) -> (Templates, Vec<Error>) {
    let mut workspace = Workspace::default();
    let mut parser = Parser::new(file, functions, &mut workspace);
    parser.unknown = Some(Vec::new());
    let end = parser.file();
    let faults = parser.unknown.take().into_iter().flatten().chain(end.err()).collect();
    (parser.finish(), faults)
}

impl<'t> Parser<'t> {
    fn new(file: &'t Arc<File>, functions: &'t Functions, workspace: &'t mut Workspace) -> Self {
        workspace.begin(file.text.clone());
        Self {
            lexer: Lexer::new(&file.text),
            functions,
            file,
            workspace,
            next_id: 0,
            check_at: 0,
            nesting: 0,
            templates: BTreeMap::new(),
            unknown: None,
            tree: Tree::new(Token::NONE),
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

    fn finish(self) -> Templates {
        let code = Arc::new(self.workspace.code.take());
        let finished = |(name, draft): (Str, Draft)| {
            let Draft { root, slots, nodes } = draft;
            let (file, code) = (Arc::clone(self.file), Arc::clone(&code));
            (name.clone(), Arc::new(Template { name, file, code, root, slots, nodes }))
        };
        self.templates.into_iter().map(finished).collect()
    }

    // Tokens

    pub(crate) fn next(&mut self) -> Token {
        let token = self.peek();
        self.taken += 1;
        token
    }

    pub(crate) fn peek(&mut self) -> Token {
        if self.taken == self.read {
            return self.read();
        }
        self.tokens.get(self.taken % LOOKAHEAD).copied().unwrap_or(Token::NONE)
    }

    /// Kept apart: a token is looked at five times, and read once.
    #[inline(never)]
    fn read(&mut self) -> Token {
        let token = self.lexer.token();
        self.tree.last = token;
        if let Some(place) = self.tokens.get_mut(self.read % LOOKAHEAD) {
            *place = token;
        }
        self.read += 1;
        token
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

    pub(crate) fn expect(&mut self, kind: TokenKind, context: &str) -> Parsed<Token> {
        let token = self.next();
        if token.kind == kind { Ok(token) } else { Err(self.unexpected(token, context)) }
    }

    /// Begins a template of its own, and gives the state of the one around it.
    pub(crate) fn open_tree(&mut self) -> Tree<'t> {
        let tree = Tree::new(self.tree.last);
        std::mem::replace(&mut self.tree, tree)
    }

    // Errors

    pub(crate) fn error(&self, message: impl Into<String>) -> Error {
        let Tree { last, .. } = self.tree;
        let line = self.lexer.line(last.start);
        let source = Arc::clone(self.file.source());
        let place = Place::of(&source.text, wide(last.start), self.text_of(last).len());
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

    pub(crate) fn node(&mut self, offset: u32, kind: NodeKind) -> Node {
        Node { at: self.at(offset), kind }
    }

    fn expr(&mut self, offset: u32, kind: ExprKind) -> Expr {
        Expr { at: self.at(offset), kind }
    }

    /// Where the nodes of a block begin, for [`Parser::close`].
    pub(crate) fn open(&self) -> usize {
        self.workspace.nodes.len()
    }

    pub(crate) fn push(&mut self, node: Node) {
        self.workspace.nodes.push(node);
    }

    /// The block of the nodes that were pushed since `start`.
    pub(crate) fn close(&mut self, at: At, start: usize) -> List {
        List { at, nodes: self.workspace.close_nodes(start) }
    }

    /// Refuses a tree that would take more memory than there is. It looks only now and then.
    pub(crate) fn check_size(&mut self) -> Parsed<()> {
        const NOW_AND_THEN: u32 = 64;
        if self.next_id < self.check_at {
            return Ok(());
        }
        self.check_at = self.next_id.saturating_add(NOW_AND_THEN);
        if meter::claim(wide(self.next_id).saturating_mul(NODE)) { Ok(()) } else { Err(self.error(TOO_LARGE)) }
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
        let draft = Draft { root, slots: self.tree.slots, nodes: self.next_id };
        let code = &self.workspace.code;
        match self.templates.get(&name) {
            Some(old) if !code.is_empty(old.root) => {
                if !code.is_empty(root) {
                    return Err(self.error(format!("template: multiple definition of template {}", quote(&name))));
                }
            }
            _ => {
                self.templates.insert(name, draft);
            }
        }
        Ok(())
    }

    /// An action that is no control structure; its first token is put back.
    pub(crate) fn plain_action(&mut self) -> Parsed<Node> {
        let offset = self.peek().start;
        let pipe = self.pipeline("command", TokenKind::RightDelim)?;
        Ok(self.node(offset, NodeKind::Action(pipe)))
    }

    /// Declarations, and commands with `|` between them, up to `end`.
    pub(crate) fn pipeline(&mut self, context: &str, end: TokenKind) -> Parsed<Pipe> {
        let at = {
            let offset = self.peek().start;
            self.at(offset)
        };
        let (names, binding) = self.targets(context)?;
        let start = self.workspace.commands.len();
        loop {
            let token = self.next();
            if token.kind == end {
                break;
            }
            if !starts_command(token.kind) {
                return Err(self.unexpected(token, context));
            }
            self.put_back();
            let command = self.command()?;
            self.workspace.commands.push(command);
        }
        self.check_commands(start, context)?;
        let targets = if names.is_empty() { Run::default() } else { self.set_targets(&names, binding) };
        Ok(Pipe { at, targets, binding, commands: self.workspace.close_commands(start) })
    }

    fn set_targets(&mut self, names: &[Token], binding: Binding) -> Run<Target> {
        let targets: SmallVec<[Target; 2]> = names.iter().map(|name| self.target(*name, binding)).collect();
        Run::add(&mut self.workspace.code.targets, targets)
    }

    /// A variable is in scope only after its pipeline: `$x := $x` reads the outer one.
    fn target(&mut self, name: Token, binding: Binding) -> Target {
        let text = self.text_of(name);
        let slot = match binding {
            Binding::Declare => Some(self.tree.declare(text)),
            Binding::Assign => self.tree.slot(text),
        };
        Target { name: name.span(), slot }
    }

    fn targets(&mut self, context: &str) -> Parsed<(SmallVec<[Token; 2]>, Binding)> {
        let mut names = SmallVec::new();
        loop {
            let variable = self.peek();
            if variable.kind != TokenKind::Variable {
                return Ok((names, Binding::Declare));
            }
            let mark = self.mark();
            self.next();
            let next = self.peek();
            if matches!(next.kind, TokenKind::Assign | TokenKind::Declare) {
                self.next();
                self.tree.known.push(self.text_of(variable));
                names.push(variable);
                let assigns = next.kind == TokenKind::Assign;
                return Ok((names, if assigns { Binding::Assign } else { Binding::Declare }));
            }
            if next.kind != TokenKind::Char || self.text_of(next) != b"," {
                // It was an argument, or the value itself.
                self.rewind(mark);
                return Ok((names, Binding::Declare));
            }
            self.next();
            self.tree.known.push(self.text_of(variable));
            names.push(variable);
            if context != "range" || names.len() > 1 {
                return Err(self.error(format!("too many declarations in {context}")));
            }
            let follows = self.peek().kind;
            if !matches!(follows, TokenKind::Variable | TokenKind::RightDelim | TokenKind::RightParen) {
                return Err(self.error("range can only initialize variables"));
            }
        }
    }

    /// Checks the commands of a pipeline, which begin at `start`.
    fn check_commands(&self, start: usize, context: &str) -> Parsed<()> {
        let Workspace { commands, code, .. } = &*self.workspace;
        let commands = commands.get(start..).unwrap_or_default();
        if commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        // Only the first command may be a plain value.
        let literal = |command: &Command| code.words(*command).first().is_some_and(|word| word.kind.is_literal());
        match commands.iter().skip(1).position(literal) {
            Some(index) => Err(self.error(format!("non executable command in pipeline stage {}", index + 2))),
            None => Ok(()),
        }
    }

    /// Operands up to `|` or the end of the pipeline; a `|` is consumed.
    fn command(&mut self) -> Parsed<Command> {
        let at = {
            let offset = self.peek().start;
            self.at(offset)
        };
        let start = self.workspace.words.len();
        loop {
            self.check_size()?;
            let operand = self.operand()?;
            let found = operand.is_some();
            self.workspace.words.extend(operand);
            let token = self.peek();
            match token.kind {
                TokenKind::RightDelim | TokenKind::RightParen => {}
                TokenKind::Pipe => {
                    self.next();
                }
                _ if found && token.spaced => continue,
                _ => return Err(self.unexpected(token, "operand")),
            }
            break;
        }
        let words = self.workspace.close_words(start);
        if words.is_empty() {
            return Err(self.error("empty command"));
        }
        Ok(Command { at, words })
    }

    /// A term and the fields behind it; nothing if none comes next.
    fn operand(&mut self) -> Parsed<Option<Expr>> {
        let Some(term) = self.term()? else { return Ok(None) };
        let first = self.peek();
        if first.kind != TokenKind::Field || first.spaced {
            return Ok(Some(term));
        }
        let fields = self.fields();
        if term.kind.is_literal() {
            let next = self.peek();
            if next.spaced {
                // For Go the space is a token too, and it would be the one read last.
                self.tree.last = Token { start: fields.end, end: next.start, ..next };
            }
            let term = self.workspace.code.show(&term).to_string();
            return Err(self.error(format!("unexpected . after term {}", quote(term.as_bytes()))));
        }
        let kind = match term.kind {
            ExprKind::Variable { target, .. } => ExprKind::Variable { target, fields },
            _ => ExprKind::Chain { base: Box::new(term), fields },
        };
        Ok(Some(self.expr(first.start, kind)))
    }

    fn term(&mut self) -> Parsed<Option<Expr>> {
        let token = self.next();
        let kind = match token.kind {
            TokenKind::Identifier => self.function(token)?,
            TokenKind::Dot => ExprKind::Dot,
            TokenKind::Nil => ExprKind::Nil,
            TokenKind::Variable => self.variable(token)?,
            TokenKind::Field => return Ok(Some(self.field(token))),
            TokenKind::Bool => ExprKind::Bool(self.text_of(token) == b"true"),
            TokenKind::CharConstant => self.number(token, Number::from_char)?,
            TokenKind::Complex => self.number(token, Number::from_complex)?,
            TokenKind::Number => self.number(token, Number::from_text)?,
            TokenKind::LeftParen => {
                let pipe = self.nested(|parser| parser.pipeline("parenthesized pipeline", TokenKind::RightParen))?;
                return Ok(Some(Expr { at: pipe.at, kind: ExprKind::Pipe(pipe) }));
            }
            TokenKind::String | TokenKind::RawString => {
                ExprKind::String { text: self.unquoted(token)?, written: token.span() }
            }
            _ => {
                self.put_back();
                return Ok(None);
            }
        };
        Ok(Some(self.expr(token.start, kind)))
    }

    pub(crate) fn unquoted(&mut self, token: Token) -> Parsed<Str> {
        let written = self.text_of(token);
        if let Some(text) = plainly_quoted(written) {
            return Ok(self.workspace.names.get(text));
        }
        unquote(written).ok_or_else(|| self.error("invalid syntax"))
    }

    /// `.a.b`; as in Go, where there are more fields it stands at the second.
    fn field(&mut self, first: Token) -> Expr {
        let second = self.peek();
        let at = if second.kind == TokenKind::Field && !second.spaced { second } else { first };
        self.put_back();
        let fields = self.fields();
        self.expr(at.start, ExprKind::Field(fields))
    }

    /// The field that comes next, and those behind it without spaces between them.
    fn fields(&mut self) -> Span {
        let Token { start, mut end, .. } = self.next();
        while self.peek().kind == TokenKind::Field && !self.peek().spaced {
            end = self.next().end;
        }
        Span { start, end }
    }

    fn number(&self, token: Token, read: fn(&[u8]) -> Result<Number, String>) -> Parsed<ExprKind> {
        match read(self.text_of(token)) {
            Ok(number) => Ok(ExprKind::Number { number: Box::new(number), written: token.span() }),
            Err(message) => Err(self.error(message)),
        }
    }

    fn function(&mut self, token: Token) -> Parsed<ExprKind> {
        let (word, name) = (self.text_of(token), token.span());
        if let Some(callee) = self.workspace.names.callee(word, self.functions) {
            return Ok(ExprKind::Function { name, callee });
        }
        let known = self.functions.iter().map(Function::name).chain(Builtin::NAMES);
        let near = suggestion(&Str::from(word).to_text(), known).map(str::to_owned);
        let error = self.error(format!("function {} not defined", quote(word))).near(near);
        let Some(unknown) = &mut self.unknown else { return Err(error) };
        unknown.push(error);
        Ok(ExprKind::Function { name, callee: Callee::Unknown })
    }

    fn variable(&mut self, token: Token) -> Parsed<ExprKind> {
        let name = self.text_of(token);
        if !self.tree.known.contains(&name) {
            return Err(self.error(format!("undefined variable {}", quote(name))));
        }
        let target = Target { name: token.span(), slot: self.tree.slot(name) };
        Ok(ExprKind::Variable { target, fields: Span { start: token.end, end: token.end } })
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
