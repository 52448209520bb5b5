//! Go's own functions.

use crate::template::compare;
use crate::template::escape::{escape_html, escape_js, escape_query};
use crate::template::index::{index, len, slice};
use crate::template::operand::Operand;
use crate::template::printf::{sprint, sprintf, sprintln};
use crate::value::{Kind, Str, Type, Value};

/// A function of Go's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    And,
    Call,
    Eq,
    Ge,
    Gt,
    Html,
    Index,
    Js,
    Le,
    Len,
    Lt,
    Ne,
    Not,
    Or,
    Print,
    Printf,
    Println,
    Slice,
    UrlQuery,
}

impl Builtin {
    /// The names of all.
    pub(crate) const NAMES: [&'static str; 19] = [
        "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print",
        "printf", "println", "slice", "urlquery",
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "and" => Self::And,
            "call" => Self::Call,
            "eq" => Self::Eq,
            "ge" => Self::Ge,
            "gt" => Self::Gt,
            "html" => Self::Html,
            "index" => Self::Index,
            "js" => Self::Js,
            "le" => Self::Le,
            "len" => Self::Len,
            "lt" => Self::Lt,
            "ne" => Self::Ne,
            "not" => Self::Not,
            "or" => Self::Or,
            "print" => Self::Print,
            "printf" => Self::Printf,
            "println" => Self::Println,
            "slice" => Self::Slice,
            "urlquery" => Self::UrlQuery,
            _ => return None,
        })
    }

    /// How many arguments it takes at least.
    pub(crate) fn params(self) -> usize {
        match self {
            Self::Print | Self::Println | Self::Html | Self::Js | Self::UrlQuery => 0,
            Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge => 2,
            _ => 1,
        }
    }

    pub(crate) fn is_variadic(self) -> bool {
        !matches!(self, Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge | Self::Not | Self::Len)
    }

    /// The type of its parameter `index`; nothing where it takes the operand as it is.
    pub(crate) fn param(self, index: usize) -> Option<Type> {
        match self {
            Self::Printf if index == 0 => Some(Type::String),
            Self::Print | Self::Println | Self::Html | Self::Js | Self::UrlQuery | Self::Printf => Some(Type::Any),
            _ => None,
        }
    }

    /// The truth of an argument after which no other is evaluated.
    pub(crate) fn short_circuit(self) -> Option<bool> {
        match self {
            Self::And => Some(false),
            Self::Or => Some(true),
            _ => None,
        }
    }

    /// Calls it. `callee` is what `call` names in its errors.
    pub(crate) fn call(self, callee: &Str, args: &[Operand]) -> Result<Operand, String> {
        let values = || args.iter().map(|arg| arg.value.clone()).collect::<Vec<_>>();
        let Some((first, rest)) = args.split_first() else { return Ok(Operand::plain(self.of_nothing())) };
        let value = match self {
            Self::And | Self::Or => return Ok(args.last().cloned().unwrap_or_default()),
            Self::Call => return Err(refuse_call(callee, first)),
            Self::Index => return index(first, rest),
            Self::Slice => slice(first, rest)?,
            Self::Len => len(first)?,
            Self::Not => Value::Bool(!first.value.truth()),
            Self::Eq => Value::Bool(compare::eq(first, rest)?),
            Self::Ne => Value::Bool(!compare::eq(first, rest)?),
            Self::Lt => Value::Bool(compare::lt(first, rest)?),
            Self::Le => Value::Bool(compare::le(first, rest)?),
            Self::Gt => Value::Bool(!compare::le(first, rest)?),
            Self::Ge => Value::Bool(!compare::lt(first, rest)?),
            Self::Print => Value::String(sprint(&values())),
            Self::Println => Value::String(sprintln(&values())),
            Self::Printf => {
                let format = first.value.as_str().cloned().unwrap_or_default();
                Value::String(sprintf(&format, values().get(1..).unwrap_or_default()))
            }
            Self::Html => Value::String(escape_html(&joined(values()))),
            Self::Js => Value::String(escape_js(&joined(values()))),
            Self::UrlQuery => Value::String(escape_query(&joined(values()))),
        };
        Ok(Operand::plain(value))
    }

    fn of_nothing(self) -> Value {
        if self == Self::Println { Value::from("\n") } else { Value::from("") }
    }
}

/// The arguments of the escapers as one text; nil is what a template prints for it.
fn joined(args: Vec<Value>) -> Str {
    let mut out = Vec::new();
    let mut after_text = true;
    for arg in args {
        let is_text = matches!(arg, Value::Nil | Value::String(_));
        if !is_text && !after_text {
            out.push(b' ');
        }
        after_text = is_text;
        match &arg {
            Value::Nil => out.extend_from_slice(b"<no value>"),
            // A pointer is followed.
            Value::Object(pointer) if pointer.kind() == Kind::Ptr => out.extend_from_slice(&pointer.print_in_place()),
            other => out.extend_from_slice(&other.print()),
        }
    }
    out.into()
}

/// No value a chart can reach is a function.
fn refuse_call(name: &Str, callee: &Operand) -> String {
    match &callee.value {
        Value::Nil => "call of nil".to_owned(),
        value => format!("non-function {name} of type {}", value.type_name()),
    }
}
