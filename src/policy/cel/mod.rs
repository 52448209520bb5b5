//! The Common Expression Language, as far as probes need it, evaluated within bounds.
//!
//! The language is that of the CEL specification (`doc/langdef.md`) as Kubernetes sets it up: numbers of different types
//! compare as numbers, `self` is the object. There are no times and bytes: a probe has no clock. Rules may come from whoever
//! writes a resource. So an expression is never high, a rule is charged for each value that it looks at and each byte that
//! it makes, and nothing of the object is copied.

mod arithmetic;
mod eval;
mod functions;
mod parse;
mod pattern;
#[cfg(test)]
mod tests;
mod token;
mod tree;
mod value;

use std::cell::Cell;

use serde_json::Value as Json;

use crate::diagnostic::Place;
use crate::policy::cel::tree::{Expr, Kind};
use crate::policy::cel::value::Value;

/// A rule that compiled. Two are equal if their texts are.
#[derive(Debug)]
pub(super) struct Rule {
    text: String,
    expr: Expr,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Why a rule cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub(super) struct Fault {
    line: usize,
    column: usize,
    message: String,
}

impl Fault {
    fn at(text: &str, offset: usize, message: impl Into<String>) -> Self {
        let Place { line, column, .. } = Place::of(text, offset, 0);
        Self { line, column, message: message.into() }
    }
}

/// Why a rule gives no answer. What an object holds is never named: it may be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error("no such key{}", .0.as_ref().map(|key| format!(": {key}")).unwrap_or_default())]
    Key(Option<String>),
    #[error("index out of bounds: {0}")]
    Index(i64),
    #[error("no such overload: `{call}` of {}", .kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" and "))]
    Overload { call: &'static str, kinds: Vec<Kind> },
    #[error("division by zero")]
    Division,
    #[error("integer overflow")]
    Overflow,
    #[error("`{0}` of a text that is no {0}")]
    Conversion(&'static str),
    #[error("a map has a key twice")]
    Twice,
    #[error("the rule gives a value of type {}, expected bool", .0.name())]
    NoBool(Kind),
    #[error("the rules take too long")]
    Spent,
}

/// What the rules may still cost.
pub(super) struct Purse(Cell<u64>);

impl Default for Purse {
    /// Enough for any rule that is meant, and some ten milliseconds: that much the API server allows a rule too
    /// (k8s.io/apiserver v0.33, `pkg/apis/cel/config.go`).
    fn default() -> Self {
        Self(Cell::new(1_000_000))
    }
}

impl Purse {
    /// Pays for so many values that are looked at or made.
    fn pay(&self, values: usize) -> Result<(), Error> {
        let left = self.0.get().checked_sub(values.try_into().unwrap_or(u64::MAX));
        self.0.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or(Error::Spent)
    }

    /// Pays for so many bytes that are looked at or made.
    fn pay_bytes(&self, bytes: usize) -> Result<(), Error> {
        self.pay(bytes / 8 + 1)
    }
}

impl Rule {
    /// Compiles a rule. `patterns` counts the regular expressions of all rules that are kept together.
    pub(super) fn compile(text: &str, patterns: &mut usize) -> Result<Self, Fault> {
        Ok(Self { text: text.to_owned(), expr: parse::parse(text, patterns)? })
    }

    /// What it says of an object.
    pub(super) fn judge(&self, object: &Json, purse: &Purse) -> Result<bool, Error> {
        match eval::Evaluation::new(object, purse).value(&self.expr)? {
            Value::Bool(answer) => Ok(answer),
            other => Err(Error::NoBool(other.kind())),
        }
    }
}
