//! Why a chart cannot be rendered, in Helm's words.

use std::fmt;

use crate::diagnostic::Diagnostic;
use crate::template;

/// Why a chart cannot be rendered; `Display` is Helm's text.
#[derive(Clone, Debug)]
pub enum Error {
    /// A template does not parse.
    Parse(template::Error),
    /// A template failed.
    Execute(template::Error),
}

impl Error {
    /// The template engine's error.
    pub fn template(&self) -> &template::Error {
        match self {
            Self::Parse(error) | Self::Execute(error) => error,
        }
    }

    /// For the user: the message with its place and the way there.
    pub fn to_diagnostic(&self) -> Diagnostic {
        self.template().to_diagnostic()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parse(error) => write_parse_error(error, f),
            Self::Execute(error) => f.write_str(&error.traced()),
        }
    }
}

impl std::error::Error for Error {}

/// Helm keeps the place and, of the message, what follows the last colon.
fn write_parse_error(error: &template::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = error.to_string();
    let mut parts = text.split(": ");
    match (parts.nth(1), text.rsplit(": ").next()) {
        (Some(place), Some(message)) => write!(f, "parse error at ({place}): {message}"),
        _ => f.write_str(&text),
    }
}
