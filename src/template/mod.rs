//! Go's `text/template`, and nothing of Helm: text is parsed once into a [`Set`], which executes with any data.
//!
//! Variables are resolved to slots and functions to their code when a template is parsed; an execution walks the tree and
//! writes into the caller's buffer. Errors are data whose `Display` is Go's text to the letter.
//!
//! Mirrors Go 1.26: `text/template`, `text/template/parse`, and of `fmt` and `strconv` what templates can reach. The
//! option `missingkey` is always `zero`: a key that a map does not have is nil.

pub mod foreign;
pub mod function;
pub mod outline;
pub mod survey;

mod advice;
mod ast;
mod budget;
mod builtins;
mod call;
mod compare;
mod control;
mod error;
mod escape;
mod eval;
mod field;
mod file;
mod index;
mod lexer;
mod limits;
mod names;
mod number;
mod operand;
mod parser;
mod printf;
mod quote;
mod set;
mod trace;
mod verbs;
mod walk;
mod workspace;

#[cfg(test)]
mod tests;

pub use budget::Budget;
pub use error::{Error, ErrorKind, Spot};
pub use limits::{Limit, Limits};
pub use printf::{sprint, sprintf, sprintln};
pub use quote::{is_print, quote};
pub(crate) use set::Alike;
pub use set::{Run, Set};
