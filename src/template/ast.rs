//! The tree of a template. What [`Code::show`] prints of a node is Go's `String()`: error texts quote it.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::template::builtins::Builtin;
use crate::template::function::Function;
use crate::template::lexer::{narrow, wide};
use crate::template::number::Number;
use crate::template::quote::quote;
use crate::value::Str;

/// Which node it is, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    /// Number of the node, unique in its file.
    pub(crate) id: u32,
    /// Its position in the text, in bytes.
    pub(crate) offset: u32,
}

/// A part of the file's text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// Nodes of one kind that stand behind each other in a [`Code`].
#[derive(Debug)]
pub(crate) struct Run<T> {
    start: u32,
    end: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Run<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Run<T> {}

impl<T> Default for Run<T> {
    fn default() -> Self {
        Self { start: 0, end: 0, of: PhantomData }
    }
}

impl<T> Run<T> {
    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Adds `items` to `all`.
    pub(crate) fn add(all: &mut Vec<T>, items: impl IntoIterator<Item = T>) -> Self {
        let start = narrow(all.len());
        all.extend(items);
        Self { start, end: narrow(all.len()), of: PhantomData }
    }

    fn of(self, all: &[T]) -> &[T] {
        all.get(wide(self.start)..wide(self.end)).unwrap_or_default()
    }
}

/// The nodes of all templates of a file. Each kind is in one list, so that a tree of thousands is a few pieces of memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Code {
    /// The text of the file.
    pub(crate) text: Str,
    pub(crate) nodes: Vec<Node>,
    pub(crate) commands: Vec<Command>,
    pub(crate) exprs: Vec<Expr>,
    pub(crate) targets: Vec<Target>,
}

/// Text and actions in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    pub(crate) at: At,
    pub(crate) nodes: Run<Node>,
}

/// One piece of a template.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) kind: NodeKind,
}

/// Kinds of [`Node`].
#[derive(Clone, Debug)]
pub(crate) enum NodeKind {
    /// Text between actions.
    Text(Span),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template {
        name: Str,
        pipe: Option<Pipe>,
    },
    Break,
    Continue,
}

/// `{{if}}`, `{{with}}` and `{{range}}`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) body: List,
    pub(crate) otherwise: Option<List>,
}

/// `$x := a | b`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pipe {
    pub(crate) at: At,
    pub(crate) targets: Run<Target>,
    pub(crate) binding: Binding,
    pub(crate) commands: Run<Command>,
}

/// What a pipeline does to its [`Target`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// `:=`
    Declare,
    /// `=`
    Assign,
}

/// A variable that a pipeline sets. Without a slot it is not declared anywhere, which only shows when it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) name: Span,
    pub(crate) slot: Option<u32>,
}

/// `f a b`: the first is the command, the others its arguments. Never empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command {
    pub(crate) at: At,
    pub(crate) words: Run<Expr>,
}

/// An operand.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) at: At,
    pub(crate) kind: ExprKind,
}

/// Kinds of [`Expr`]. Fields are kept as they are written: `.a.b`, or nothing.
#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    Dot,
    Nil,
    Bool(bool),
    Number {
        number: Box<Number>,
        written: Span,
    },
    String {
        text: Str,
        written: Span,
    },
    /// `.a.b`
    Field(Span),
    /// `$x.a.b`
    Variable {
        target: Target,
        fields: Span,
    },
    Function {
        name: Span,
        callee: Callee,
    },
    /// `(…).a.b`, `f.a`
    Chain {
        base: Box<Expr>,
        fields: Span,
    },
    /// `(…)`
    Pipe(Pipe),
}

/// The function behind a name, found when the template was parsed.
#[derive(Clone, Debug)]
pub(crate) enum Callee {
    Builtin(Builtin),
    Function(Arc<Function>),
    /// None: only in a tree that is looked at and never executed.
    Unknown,
}

impl ExprKind {
    /// Whether it is a plain value, which takes no arguments.
    pub(crate) fn is_literal(&self) -> bool {
        matches!(self, Self::Bool(_) | Self::Dot | Self::Nil | Self::Number { .. } | Self::String { .. })
    }
}

impl Code {
    /// What is in it, in no more memory than it takes. Here only the room for it is left.
    pub(crate) fn take(&mut self) -> Self {
        Self {
            text: std::mem::take(&mut self.text),
            nodes: self.nodes.drain(..).collect(),
            commands: self.commands.drain(..).collect(),
            exprs: self.exprs.drain(..).collect(),
            targets: self.targets.drain(..).collect(),
        }
    }

    /// Forgets everything but the room for it.
    pub(crate) fn clear(&mut self) {
        self.text = Str::default();
        self.nodes.clear();
        self.commands.clear();
        self.exprs.clear();
        self.targets.clear();
    }

    pub(crate) fn text(&self, span: Span) -> &[u8] {
        self.text.get(wide(span.start)..wide(span.end)).unwrap_or_default()
    }

    pub(crate) fn nodes(&self, list: List) -> &[Node] {
        list.nodes.of(&self.nodes)
    }

    pub(crate) fn commands(&self, pipe: Pipe) -> &[Command] {
        pipe.commands.of(&self.commands)
    }

    pub(crate) fn targets(&self, pipe: Pipe) -> &[Target] {
        pipe.targets.of(&self.targets)
    }

    pub(crate) fn words(&self, command: Command) -> &[Expr] {
        command.words.of(&self.exprs)
    }

    /// The function that gives the value of a pipeline, if one does.
    pub(crate) fn last_callee(&self, pipe: Pipe) -> Option<&Callee> {
        let command = self.commands(pipe).last()?;
        match &self.words(*command).first()?.kind {
            ExprKind::Function { callee, .. } => Some(callee),
            _ => None,
        }
    }

    /// Whether there is nothing but white space: such a definition does not replace another.
    pub(crate) fn is_empty(&self, list: List) -> bool {
        let is_blank = |text: Span| self.text(text).trim_ascii().is_empty();
        self.nodes(list).iter().all(|node| matches!(node.kind, NodeKind::Text(text) if is_blank(text)))
    }

    /// The text of the node `id` somewhere in `list`.
    pub(crate) fn find(&self, list: List, id: u32) -> Option<(At, String)> {
        let mut search = Search { code: self, id, found: None };
        search.list(list);
        search.found
    }

    /// A node as Go prints it.
    pub(crate) fn show<'a, T>(&'a self, node: &'a T) -> Shown<'a, T> {
        Shown { code: self, node }
    }
}

struct Search<'a> {
    code: &'a Code,
    id: u32,
    found: Option<(At, String)>,
}

impl<'a> Search<'a> {
    fn check<T>(&mut self, at: At, node: &'a T)
    where
        Shown<'a, T>: fmt::Display,
    {
        if self.found.is_none() && at.id == self.id {
            self.found = Some((at, self.code.show(node).to_string()));
        }
    }

    fn list(&mut self, list: List) {
        for node in self.code.nodes(list) {
            if self.found.is_some() {
                return;
            }
            self.node(node);
        }
        if self.found.is_none() && list.at.id == self.id {
            self.found = Some((list.at, self.code.show(&list).to_string()));
        }
    }

    fn node(&mut self, node: &'a Node) {
        self.check(node.at, node);
        match &node.kind {
            NodeKind::Action(pipe) | NodeKind::Template { pipe: Some(pipe), .. } => self.pipe(pipe),
            NodeKind::If(branch) | NodeKind::With(branch) | NodeKind::Range(branch) => {
                self.pipe(&branch.pipe);
                self.list(branch.body);
                branch.otherwise.iter().for_each(|list| self.list(*list));
            }
            NodeKind::Text(_) | NodeKind::Template { pipe: None, .. } | NodeKind::Break | NodeKind::Continue => {}
        }
    }

    fn pipe(&mut self, pipe: &'a Pipe) {
        self.check(pipe.at, pipe);
        for command in self.code.commands(*pipe) {
            self.check(command.at, command);
            self.code.words(*command).iter().for_each(|expr| self.expr(expr));
        }
    }

    fn expr(&mut self, expr: &'a Expr) {
        self.check(expr.at, expr);
        match &expr.kind {
            ExprKind::Chain { base, .. } => self.expr(base),
            ExprKind::Pipe(pipe) => self.pipe(pipe),
            _ => {}
        }
    }
}

/// See [`Code::show`].
pub(crate) struct Shown<'a, T> {
    code: &'a Code,
    node: &'a T,
}

// === impl Display ===

impl<T> Shown<'_, T> {
    fn text(&self, span: Span, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Str::from(self.code.text(span)).to_text())
    }
}

impl fmt::Display for Shown<'_, List> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.nodes(*self.node).iter().try_for_each(|node| self.code.show(node).fmt(f))
    }
}

impl fmt::Display for Shown<'_, Node> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pipe = |pipe| self.code.show(pipe);
        match &self.node.kind {
            NodeKind::Text(text) => self.text(*text, f),
            NodeKind::Action(action) => write!(f, "{{{{{}}}}}", pipe(action)),
            NodeKind::If(branch) => self.branch("if", branch, f),
            NodeKind::With(branch) => self.branch("with", branch, f),
            NodeKind::Range(branch) => self.branch("range", branch, f),
            NodeKind::Template { name, pipe: Some(dot) } => {
                write!(f, "{{{{template {} {}}}}}", quote(name), pipe(dot))
            }
            NodeKind::Template { name, pipe: None } => write!(f, "{{{{template {}}}}}", quote(name)),
            NodeKind::Break => f.write_str("{{break}}"),
            NodeKind::Continue => f.write_str("{{continue}}"),
        }
    }
}

impl Shown<'_, Node> {
    fn branch(&self, word: &str, branch: &Branch, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{{word} {}}}}}{}", self.code.show(&branch.pipe), self.code.show(&branch.body))?;
        if let Some(otherwise) = &branch.otherwise {
            write!(f, "{{{{else}}}}{}", self.code.show(otherwise))?;
        }
        f.write_str("{{end}}")
    }
}

impl fmt::Display for Shown<'_, Pipe> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let targets = self.code.targets(*self.node);
        separated(f, ", ", targets, |target, f| self.text(target.name, f))?;
        if !targets.is_empty() {
            f.write_str(if self.node.binding == Binding::Assign { " = " } else { " := " })?;
        }
        separated(f, " | ", self.code.commands(*self.node), |command, f| self.code.show(command).fmt(f))
    }
}

impl fmt::Display for Shown<'_, Command> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        separated(f, " ", self.code.words(*self.node), |word, f| self.code.show(word).grouped(f))
    }
}

impl Shown<'_, Expr> {
    /// A pipeline in its parentheses.
    fn grouped(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.node.kind, ExprKind::Pipe(_)) { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

impl fmt::Display for Shown<'_, Expr> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node.kind {
            ExprKind::Dot => f.write_str("."),
            ExprKind::Nil => f.write_str("nil"),
            ExprKind::Bool(b) => b.fmt(f),
            ExprKind::Number { written, .. }
            | ExprKind::String { written, .. }
            | ExprKind::Field(written)
            | ExprKind::Function { name: written, .. } => self.text(*written, f),
            ExprKind::Variable { target, fields } => {
                self.text(target.name, f)?;
                self.text(*fields, f)
            }
            ExprKind::Chain { base, fields } => {
                self.code.show(&**base).grouped(f)?;
                self.text(*fields, f)
            }
            ExprKind::Pipe(pipe) => self.code.show(pipe).fmt(f),
        }
    }
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    separator: &str,
    items: &[T],
    print: impl Fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    items.iter().enumerate().try_for_each(|(index, item)| {
        if index > 0 {
            f.write_str(separator)?;
        }
        print(item, f)
    })
}
