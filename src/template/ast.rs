//! The tree of a template. `Display` of every node is Go's `String()`: error texts quote it.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::template::builtins::Builtin;
use crate::template::function::Function;
use crate::template::lexer::offset;
use crate::template::number::Number;
use crate::template::quote::quote;
use crate::value::Str;

/// Which node it is, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    /// Number of the node, unique in its tree.
    pub(crate) id: u32,
    /// Its position in the text, in bytes.
    pub(crate) offset: u32,
}

/// Something with its place.
#[derive(Clone, Debug)]
pub(crate) struct Spanned<T> {
    pub(crate) at: At,
    pub(crate) node: T,
}

/// Text and actions in order.
pub(crate) type List = Spanned<Vec<Node>>;
/// One piece of a template.
pub(crate) type Node = Spanned<NodeKind>;
/// `$x := a | b`
pub(crate) type Pipe = Spanned<Pipeline>;
/// `f a b`: the first is the command, the others its arguments. Never empty.
pub(crate) type Command = Spanned<Vec<Expr>>;
/// An operand.
pub(crate) type Expr = Spanned<ExprKind>;

/// Kinds of [`Node`].
#[derive(Clone, Debug)]
pub(crate) enum NodeKind {
    Text(Text),
    Action(Pipe),
    If(Box<Branch>),
    With(Box<Branch>),
    Range(Box<Branch>),
    Template { name: Str, pipe: Option<Box<Pipe>> },
    Break,
    Continue,
}

/// Fields behind each other, shared by all who name the same.
pub(crate) type Path = Arc<[Str]>;

/// Text between actions: a part of the file's.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) file: Str,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Text {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.file.get(offset(self.start)..offset(self.end)).unwrap_or_default()
    }
}

/// `{{if}}`, `{{with}}` and `{{range}}`.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) body: List,
    pub(crate) otherwise: Option<List>,
}

/// See [`Pipe`].
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub(crate) targets: Box<[Target]>,
    pub(crate) binding: Binding,
    pub(crate) commands: SmallVec<[Command; 1]>,
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
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: Str,
    pub(crate) slot: Option<usize>,
}

/// Kinds of [`Expr`].
#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Box<Number>),
    String {
        text: Str,
        /// As it was written, where that is not the text in double quotes.
        literal: Option<Str>,
    },
    /// `.a.b`
    Field(Path),
    /// `$x.a.b`
    Variable {
        target: Target,
        fields: Path,
    },
    Function {
        name: Str,
        callee: Callee,
    },
    /// `(…).a.b`, `f.a`
    Chain {
        base: Box<Expr>,
        fields: Path,
    },
    /// `(…)`
    Pipe(Box<Pipe>),
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
        matches!(self, Self::Bool(_) | Self::Dot | Self::Nil | Self::Number(_) | Self::String { .. })
    }
}

/// Whether there is nothing but white space: such a definition does not replace another.
pub(crate) fn is_empty(list: &List) -> bool {
    list.node.iter().all(|node| matches!(&node.node, NodeKind::Text(text) if text.bytes().trim_ascii().is_empty()))
}

/// The text of the node `id` somewhere in `list`.
pub(crate) fn find(list: &List, id: u32) -> Option<(At, String)> {
    let mut search = Search { id, found: None };
    search.list(list);
    search.found
}

struct Search {
    id: u32,
    found: Option<(At, String)>,
}

impl Search {
    fn check(&mut self, at: At, node: &dyn fmt::Display) {
        if self.found.is_none() && at.id == self.id {
            self.found = Some((at, node.to_string()));
        }
    }

    fn list(&mut self, list: &List) {
        for node in &list.node {
            if self.found.is_some() {
                return;
            }
            self.node(node);
        }
        self.check(list.at, list);
    }

    fn node(&mut self, node: &Node) {
        self.check(node.at, node);
        match &node.node {
            NodeKind::Action(pipe) => self.pipe(pipe),
            NodeKind::Template { pipe: Some(pipe), .. } => self.pipe(pipe),
            NodeKind::If(branch) | NodeKind::With(branch) | NodeKind::Range(branch) => {
                self.pipe(&branch.pipe);
                self.list(&branch.body);
                branch.otherwise.iter().for_each(|list| self.list(list));
            }
            NodeKind::Text(_) | NodeKind::Template { pipe: None, .. } | NodeKind::Break | NodeKind::Continue => {}
        }
    }

    fn pipe(&mut self, pipe: &Pipe) {
        self.check(pipe.at, pipe);
        for command in &pipe.node.commands {
            self.check(command.at, command);
            command.node.iter().for_each(|expr| self.expr(expr));
        }
    }

    fn expr(&mut self, expr: &Expr) {
        self.check(expr.at, expr);
        match &expr.node {
            ExprKind::Chain { base, .. } => self.expr(base),
            ExprKind::Pipe(pipe) => self.pipe(pipe),
            _ => {}
        }
    }
}

// === impl Display ===

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.iter().try_for_each(|node| node.fmt(f))
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            NodeKind::Text(text) => Str::from(text.bytes()).fmt(f),
            NodeKind::Action(pipe) => write!(f, "{{{{{pipe}}}}}"),
            NodeKind::If(branch) => branch.print("if", f),
            NodeKind::With(branch) => branch.print("with", f),
            NodeKind::Range(branch) => branch.print("range", f),
            NodeKind::Template { name, pipe: Some(pipe) } => write!(f, "{{{{template {} {pipe}}}}}", quote(name)),
            NodeKind::Template { name, pipe: None } => write!(f, "{{{{template {}}}}}", quote(name)),
            NodeKind::Break => f.write_str("{{break}}"),
            NodeKind::Continue => f.write_str("{{continue}}"),
        }
    }
}

impl Branch {
    fn print(&self, word: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{{word} {}}}}}{}", self.pipe, self.body)?;
        if let Some(otherwise) = &self.otherwise {
            write!(f, "{{{{else}}}}{otherwise}")?;
        }
        f.write_str("{{end}}")
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        separated(f, ", ", &self.node.targets, |target, f| target.name.fmt(f))?;
        if !self.node.targets.is_empty() {
            f.write_str(if self.node.binding == Binding::Assign { " = " } else { " := " })?;
        }
        separated(f, " | ", &self.node.commands, fmt::Display::fmt)
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        separated(f, " ", &self.node, Expr::print_grouped)
    }
}

impl Expr {
    /// A pipeline in its parentheses.
    fn print_grouped(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.node, ExprKind::Pipe(_)) { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            ExprKind::Dot => f.write_str("."),
            ExprKind::Nil => f.write_str("nil"),
            ExprKind::Bool(b) => b.fmt(f),
            ExprKind::Number(number) => number.text.fmt(f),
            ExprKind::String { literal: Some(literal), .. } => literal.fmt(f),
            ExprKind::String { text, literal: None } => write!(f, "\"{text}\""),
            ExprKind::Field(fields) => print_fields(f, fields),
            ExprKind::Variable { target, fields } => {
                target.name.fmt(f)?;
                print_fields(f, fields)
            }
            ExprKind::Function { name, .. } => name.fmt(f),
            ExprKind::Chain { base, fields } => {
                base.print_grouped(f)?;
                print_fields(f, fields)
            }
            ExprKind::Pipe(pipe) => pipe.fmt(f),
        }
    }
}

fn print_fields(f: &mut fmt::Formatter<'_>, fields: &[Str]) -> fmt::Result {
    fields.iter().try_for_each(|field| write!(f, ".{field}"))
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
