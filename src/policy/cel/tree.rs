//! A rule that has been read.

use crate::policy::cel::functions::Function;
use crate::policy::cel::pattern::Pattern;

/// An expression. It is never higher than [`MAX_HEIGHT`](crate::policy::cel::parse::MAX_HEIGHT), so that recursion over it ends.
#[derive(Debug)]
pub(super) enum Expr {
    /// A value that is written there.
    Literal(Literal),
    /// A variable by its place: 0 is `self`, the others are those of the comprehensions around it, outermost first.
    Variable(usize),
    /// `of.field`, or `of.?field`
    Select { of: Box<Self>, field: String, optional: bool },
    /// `has(of.field)`
    Has { of: Box<Self>, field: String },
    /// `of[at]`, or `of[?at]`
    Index { of: Box<Self>, at: Box<Self>, optional: bool },
    /// `[a, b]`
    List(Vec<Self>),
    /// `{a: b}`
    Map(Vec<(Self, Self)>),
    /// `!a`
    Not(Box<Self>),
    /// `-a`
    Negate(Box<Self>),
    /// `a || b`, `a && b`: the value of the operand that decides alone.
    Decide { decisive: bool, operands: Vec<Self> },
    /// `a ? b : c`
    If(Box<[Self; 3]>),
    /// `a + b` and so on.
    Binary(Operator, Box<[Self; 2]>),
    /// A function; of a method the first argument is what it is called on.
    Call(Function, Vec<Self>),
    /// `of.matches("pattern")`
    Matches { of: Box<Self>, pattern: Pattern },
    /// `over.all(x, body)` and the like; `filter` is the condition of a `map` with three arguments.
    Each { what: Macro, over: Box<Self>, filter: Option<Box<Self>>, body: Box<Self> },
}

/// A value that is written in a rule.
#[derive(Clone, Debug)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(String),
    Type(Kind),
}

/// The type of a value; named as CEL names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Kind {
    Null,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    List,
    Map,
    Type,
    Optional,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Null,
        Self::Bool,
        Self::Int,
        Self::Uint,
        Self::Double,
        Self::Text,
        Self::List,
        Self::Map,
        Self::Type,
        Self::Optional,
    ];

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::Text => "string",
            Self::List => "list",
            Self::Map => "map",
            Self::Type => "type",
            Self::Optional => "optional_type",
        }
    }

    /// The type of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An operator with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
}

impl Operator {
    /// As it is written.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::In => "in",
        }
    }
}

/// What is done with the elements of a list, or the keys of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Macro {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl Macro {
    /// The macro of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "all" => Self::All,
            "exists" => Self::Exists,
            "exists_one" | "existsOne" => Self::ExistsOne,
            "filter" => Self::Filter,
            "map" => Self::Map,
            _ => return None,
        })
    }
}
