//! What can go wrong in a template, as data; `Display` is Go's one line, to the letter.

use std::fmt;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Place, Source, Step};
use crate::template::advice;
use crate::template::function::{FunctionError, Wait};
use crate::template::limits::Limit;
use crate::template::quote::quote;
use crate::value::Str;

/// Why a template does not parse or did not execute.
#[derive(Clone, Debug)]
pub struct Error(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    kind: ErrorKind,
    spot: Option<Spot>,
    /// What the function that executed the template put before the error, such as `tpl`.
    context: Option<String>,
    /// Of text that does not parse: the token read last.
    token: Option<Place>,
    /// What may have been meant instead of a name that nothing has.
    near: Option<String>,
    /// Bytes of text in this error and its causes.
    size: usize,
}

/// How long the texts of an error and its causes may be before what is added is cut: a recursion may carry the same long
/// text through each of its levels.
const MAX_SIZE: usize = 1 << 20;

/// What is left of a text that is cut.
const CUT: usize = 100;

/// Where an execution failed.
#[derive(Clone, Debug)]
pub struct Spot {
    /// The file: its name as it was given to [`crate::template::Set::parse`], and its text.
    pub source: Arc<Source>,
    /// The template that was executing: the file's name or that of a `define`.
    pub template: Str,
    /// Line in the file, from 1.
    pub line: usize,
    /// Bytes before it in its line, as Go counts.
    pub column: usize,
    /// The node that failed, as Go prints it.
    pub node: String,
}

/// What went wrong.
#[derive(Clone, Debug)]
pub enum ErrorKind {
    /// The text is no template.
    Parse {
        /// The file.
        source: Arc<Source>,
        /// Line of the token last read, from 1.
        line: usize,
        /// Go's text without the place.
        message: String,
    },
    /// There is no template of that name.
    NoTemplate {
        /// What was asked for.
        name: Str,
        /// Name of the set.
        set: Str,
    },
    /// The evaluator refused something; Go's text without the place.
    Message(String),
    /// A function failed.
    Call {
        /// Its name.
        function: Str,
        /// What it reported.
        cause: FunctionError,
    },
    /// A limit of the execution was reached.
    Limit(Limit),
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        let size = size_of(&kind);
        Self(Box::new(Details { kind, spot: None, context: None, token: None, near: None, size }))
    }

    pub(crate) fn at(kind: ErrorKind, mut spot: Spot) -> Self {
        let mut size = size_of(&kind);
        cut(&mut spot.node, size);
        size = size.saturating_add(spot.node.len());
        Self(Box::new(Details { kind, spot: Some(spot), context: None, token: None, near: None, size }))
    }

    /// Says before the error's own text in what it happened: `error during tpl function execution for "…"`.
    #[must_use]
    pub fn within(mut self, mut context: String) -> Self {
        cut(&mut context, self.0.size);
        self.0.size = self.0.size.saturating_add(context.len());
        self.0.context = Some(context);
        self
    }

    /// Says which token was read last.
    #[must_use]
    pub(crate) fn token(mut self, place: Place) -> Self {
        self.0.token = Some(place);
        self
    }

    /// Says what may have been meant.
    #[must_use]
    pub(crate) fn near(mut self, name: Option<String>) -> Self {
        self.0.near = name;
        self
    }

    /// What may have been meant instead of a function or template that does not exist.
    pub fn nearest(&self) -> Option<&str> {
        self.0.near.as_deref()
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Where; nothing if there is no such template, or a Go template does not parse.
    pub fn spot(&self) -> Option<&Spot> {
        self.0.spot.as_ref()
    }

    /// The failed execution that made this one fail: of an `include` or a `tpl`.
    pub fn cause(&self) -> Option<&Self> {
        match &self.0.kind {
            ErrorKind::Call { cause: FunctionError::Template(error), .. } => Some(error),
            _ => None,
        }
    }

    /// This error and its causes, outermost first.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |error| error.cause())
    }

    /// The limit that was reached, here or in a template that was included.
    pub fn limit(&self) -> Option<&Limit> {
        self.chain().find_map(|error| if let ErrorKind::Limit(limit) = &error.0.kind { Some(limit) } else { None })
    }

    /// The message of `fail` or `required`, if one of them ended the execution.
    pub fn failure(&self) -> Option<&str> {
        self.chain().find_map(|error| match &error.0.kind {
            ErrorKind::Call { cause: FunctionError::Fail(message), .. } => Some(message.as_str()),
            _ => None,
        })
    }

    /// What the execution has to wait for, if that is what ended it.
    pub fn waiting(&self) -> Option<&Wait> {
        self.chain().find_map(|error| match &error.0.kind {
            ErrorKind::Call { cause: FunctionError::Wait(wait), .. } => Some(wait),
            _ => None,
        })
    }

    /// The place as `file:line:column`, or `file:line` of text that does not parse.
    pub fn location(&self) -> Option<String> {
        if let ErrorKind::Parse { source, line, .. } = &self.0.kind {
            return Some(format!("{}:{line}", source.name));
        }
        self.0.spot.as_ref().map(|spot| format!("{}:{}:{}", spot.source.name, spot.line, spot.column))
    }

    /// The innermost message: without places and without the functions on the way.
    pub fn message(&self) -> String {
        let innermost = self.chain().last().unwrap_or(self);
        match &innermost.0.kind {
            ErrorKind::Call { cause: FunctionError::Fail(message), .. } => message.clone(),
            kind => kind.to_string(),
        }
    }

    /// Whether Go would call it an error of an execution, which has a place.
    pub(crate) fn is_execution(&self) -> bool {
        !matches!(self.0.kind, ErrorKind::Parse { .. } | ErrorKind::NoTemplate { .. })
    }

    pub(crate) fn context(&self) -> Option<&str> {
        self.0.context.as_deref()
    }

    /// Go's text, where Helm's would leave out the way to a `fail`.
    pub fn plain(&self) -> String {
        self.bare().to_string()
    }

    /// Go's text without the [`Error::context`].
    pub(crate) fn bare(&self) -> impl fmt::Display + '_ {
        Bare(self)
    }

    /// For the user: the innermost message at its place, the way there, and what to do where that is known.
    pub fn to_diagnostic(&self) -> Diagnostic {
        let innermost = self.chain().last().unwrap_or(self);
        let mut diagnostic = Diagnostic::error(self.message());
        match (&innermost.0.kind, &innermost.0.spot) {
            (ErrorKind::Parse { source, line, .. }, None) => {
                let start = Place { line: *line, column: 1, width: 1 };
                diagnostic = diagnostic.at(source, innermost.0.token.unwrap_or(start));
            }
            (_, Some(spot)) => diagnostic = diagnostic.at(&spot.source, spot.place()),
            _ => {}
        }
        let way = self.chain().filter(|error| error.cause().is_some()).filter_map(|error| error.0.spot.as_ref());
        diagnostic.trace = way.map(Spot::step).collect();
        diagnostic.trace.reverse();
        if innermost.0.spot.is_none() && diagnostic.place.is_none() && !diagnostic.trace.is_empty() {
            // A template that is not there has no place; who asked for it has.
            let Step { source, place, .. } = diagnostic.trace.remove(0);
            diagnostic = diagnostic.at(&source, place);
        }
        diagnostic.hint = advice::of(innermost);
        diagnostic
    }
}

fn size_of(kind: &ErrorKind) -> usize {
    match kind {
        ErrorKind::Call { cause: FunctionError::Template(error), .. } => error.0.size,
        ErrorKind::Parse { message, .. }
        | ErrorKind::Message(message)
        | ErrorKind::Call { cause: FunctionError::Message(message) | FunctionError::Fail(message), .. } => {
            message.len()
        }
        ErrorKind::Call { cause: FunctionError::Wait(wait), .. } => wait.reason.len() + wait.message.len(),
        ErrorKind::NoTemplate { .. } | ErrorKind::Limit(_) => 0,
    }
}

/// Cuts a text for which there is no room beside `size` bytes.
fn cut(text: &mut String, size: usize) {
    if size.saturating_add(text.len()) <= MAX_SIZE {
        return;
    }
    let end = (0..=CUT.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    if end < text.len() {
        text.truncate(end);
        text.push_str("...");
        text.shrink_to_fit();
    }
}

impl Spot {
    fn step(&self) -> Step {
        Step { source: Arc::clone(&self.source), place: self.place(), text: self.node.clone() }
    }

    /// The place in characters from 1, with the width of the node where it stands in one line. Go names the place of the
    /// second field of `.a.b`; here it is where the node starts.
    fn place(&self) -> Place {
        let line = self.source.text.lines().nth(self.line.saturating_sub(1)).unwrap_or_default();
        let around = |at: &usize| (*at..=at + self.node.len()).contains(&self.column);
        let start = line.match_indices(&self.node).map(|(at, _)| at).filter(around).last().unwrap_or(self.column);
        let column = line.get(..start).map_or(start, |before| before.chars().count()) + 1;
        let rest = line.chars().count().saturating_sub(column - 1);
        Place { line: self.line, column, width: self.node.chars().count().clamp(1, rest.max(1)) }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parse { message, .. } | Self::Message(message) => f.write_str(message),
            Self::NoTemplate { name, set } => {
                write!(f, "no template {} associated with template {}", quote(name), quote(set))
            }
            Self::Call { function, cause } => write!(f, "error calling {function}: {cause}"),
            Self::Limit(limit) => limit.fmt(f),
        }
    }
}

struct Bare<'a>(&'a Error);

impl fmt::Display for Bare<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { kind, spot, .. } = &*self.0.0;
        match (kind, spot) {
            (ErrorKind::Parse { source, line, message }, _) => write!(f, "template: {}:{line}: {message}", source.name),
            (_, None) => write!(f, "template: {kind}"),
            (_, Some(Spot { source, template, line, column, node })) => {
                let executing = quote(template);
                write!(f, "template: {}:{line}:{column}: executing {executing} at <{node}>: {kind}", source.name)
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return write!(f, "{:#}", self.to_diagnostic());
        }
        if let Some(message) = self.failure() {
            return write!(f, "execution error at ({}): {message}", self.location().unwrap_or_default());
        }
        self.write_line(f)
    }
}

impl Error {
    /// The context and the error in one line, as Go nests them.
    pub(crate) fn write_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(context) = &self.0.context {
            write!(f, "{context}: ")?;
        }
        write!(f, "{}", self.bare())
    }
}

impl std::error::Error for Error {}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) | Self::Fail(message) => f.write_str(message),
            Self::Wait(wait) => wait.fmt(f),
            Self::Template(error) => error.write_line(f),
        }
    }
}
