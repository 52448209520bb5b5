//! Errors of the crate in the form of the Go ones: file, line and column, and the tag that failed.

use std::fmt;
use std::io;
use std::sync::Arc;

use handlebars::{RenderError, RenderErrorReason};

use crate::diagnostic::Source;
use crate::render::handlebars::Library;
use crate::template::{Error, ErrorKind, Spot, quote};

/// A place in a file: line and column in characters, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Position {
    /// Of the byte `offset`.
    pub(crate) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Self { line: before.matches('\n').count() + 1, column }
    }
}

/// What a call of ours failed with, on its way through the crate.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) ErrorKind);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for RenderError {
    fn from(failure: Failure) -> Self {
        RenderErrorReason::NestedError(Box::new(failure)).into()
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        Self::other(failure)
    }
}

/// The text is no template.
pub(crate) fn parse(source: &Arc<Source>, position: Position, message: String) -> Error {
    let kind = ErrorKind::Parse { source: Arc::clone(source), line: position.line, message };
    Error::at(kind, spot(source, position))
}

/// Something failed before the first tag of a file was reached.
pub(crate) fn at_start(library: &Library, path: &str, kind: ErrorKind) -> Error {
    match library.source(path) {
        Some(source) => Error::at(kind, spot(source, Position { line: 1, column: 1 })),
        None => Error::new(kind),
    }
}

/// The crate's error, which happened in `path` or a partial that it knows the name of.
pub(crate) fn located(library: &Library, path: &str, error: &RenderError) -> Error {
    let kind = kind(error.reason());
    let source = error.template_name.as_deref().and_then(|name| library.source(name)).or_else(|| library.source(path));
    let position = Position { line: error.line_no.unwrap_or(1), column: error.column_no.unwrap_or(1) };
    match source {
        Some(source) => Error::at(kind, spot(source, position)),
        None => Error::new(kind),
    }
}

fn kind(reason: &RenderErrorReason) -> ErrorKind {
    let ours = match reason {
        RenderErrorReason::NestedError(error) => error.downcast_ref::<Failure>(),
        RenderErrorReason::IOError(error) => error.get_ref().and_then(|error| error.downcast_ref()),
        _ => None,
    };
    if let Some(Failure(kind)) = ours {
        return kind.clone();
    }
    ErrorKind::Message(match reason {
        RenderErrorReason::PartialNotFound(name) => format!("template {} not defined", quote(name.as_bytes())),
        RenderErrorReason::PartialBlockNotFound => "there is no partial block here".to_owned(),
        RenderErrorReason::CannotIncludeSelf => "a template cannot include itself without a block around".to_owned(),
        RenderErrorReason::ParamNotFoundForIndex(name, index) => {
            format!("wrong number of args for {name}: want {} got {index}", index + 1)
        }
        RenderErrorReason::InvalidJsonIndex(key) => format!("a list has no element {}", quote(key.as_bytes())),
        other => other.to_string(),
    })
}

/// The tag at a position.
fn spot(source: &Arc<Source>, position: Position) -> Spot {
    let line = source.text.lines().nth(position.line - 1).unwrap_or_default();
    let column: usize = line.chars().take(position.column - 1).map(char::len_utf8).sum();
    let rest = line.get(column..).unwrap_or_default();
    let tag = rest.find("}}").and_then(|end| rest.get(..end + 2)).unwrap_or(rest);
    Spot {
        source: Arc::clone(source),
        template: source.name.as_str().into(),
        line: position.line,
        column,
        node: tag.to_owned(),
    }
}
