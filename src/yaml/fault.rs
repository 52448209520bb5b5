//! What can be wrong with a text or a value.

use crate::diagnostic::Place;
use crate::yaml::MAX_DEPTH;
use crate::yaml::cursor::Mark;

/// One thing that is wrong, in the words of the original.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The text is not YAML.
    #[error("yaml: {}{problem}", named(*named_line))]
    Syntax {
        /// What was found or missed.
        problem: &'static str,
        /// The line the original names, which is not always the right one; `None` where it names none.
        named_line: Option<usize>,
        /// Where it is.
        place: Place,
    },
    /// Collections are nested too deeply, in the text or by aliases. (The original allows 10,000.)
    #[error("yaml: exceeded max depth of {MAX_DEPTH}")]
    Depth {
        /// Where it is.
        place: Place,
    },
    /// There is a character YAML does not allow in a text.
    #[error("yaml: control characters are not allowed")]
    Control,
    /// An alias to nothing.
    #[error("yaml: unknown anchor '{name}' referenced")]
    UnknownAnchor {
        /// The anchor's name.
        name: String,
        /// Where the alias is.
        place: Place,
    },
    /// An alias inside of what it stands for.
    #[error("yaml: anchor '{name}' value contains itself")]
    Recursive {
        /// The anchor's name.
        name: String,
        /// Where the alias is.
        place: Place,
    },
    /// Aliases would blow the document up.
    #[error("yaml: document contains excessive aliasing")]
    Aliasing {
        /// Where it became too much.
        place: Place,
    },
    /// The value of `<<` is neither a mapping nor a list of mappings.
    #[error("yaml: map merge requires map or sequence of maps as the value")]
    Merge {
        /// Where the value is.
        place: Place,
    },
    /// A mapping or sequence as a key: most often a template action that was left in the text.
    #[error("yaml: invalid map key: {key}")]
    Key {
        /// The key as Go prints it.
        key: String,
        /// Where it is.
        place: Place,
    },
    /// A value that does not fit its tag.
    #[error("yaml: cannot decode {found} `{text}` as a {wanted}")]
    Tag {
        /// The tag it resolves to.
        found: &'static str,
        /// Its text.
        text: String,
        /// The tag it has.
        wanted: String,
        /// Where it is.
        place: Place,
    },
    /// A `!!binary` that is not base64.
    #[error("yaml: !!binary value contains invalid base64 data")]
    Binary {
        /// Where it is.
        place: Place,
    },
    /// A key JSON has no text for.
    #[error("unsupported map key of type: {type_name}, key: {key}, value: {value}")]
    JsonKey {
        /// Go's name of its type.
        type_name: &'static str,
        /// The key as Go prints it.
        key: String,
        /// Its value as Go prints it.
        value: String,
        /// Where the key is.
        place: Place,
    },
    /// There is no memory or time left for it. (The original has no such limit.)
    #[error("yaml: the document is too large")]
    TooLarge,
    /// A number JSON has no text for: `+Inf`, `-Inf` or `NaN`.
    #[error("json: unsupported value: {0}")]
    NotFinite(&'static str),
    /// A value that contains itself, or is nested too deeply to tell.
    #[error("json: unsupported value: encountered a cycle via {type_name}")]
    Cyclic {
        /// Go's name of the type of what contains itself.
        type_name: String,
    },
}

fn named(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!("line {line}: "))
}

impl Fault {
    /// An error of the scanner at `mark`.
    pub(in crate::yaml) fn scanner(problem: &'static str, mark: Mark) -> Self {
        Self::Syntax { problem, named_line: (mark.line > 0).then_some(mark.line + 1), place: place(mark, mark) }
    }

    /// An error of the parser at `mark`; the original counts its lines from 0.
    pub(in crate::yaml) fn parser(problem: &'static str, mark: Mark) -> Self {
        Self::Syntax { problem, named_line: (mark.line > 0).then_some(mark.line), place: place(mark, mark) }
    }

    /// Where it is, if that is known.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Syntax { place, .. }
            | Self::Depth { place }
            | Self::UnknownAnchor { place, .. }
            | Self::Recursive { place, .. }
            | Self::Aliasing { place }
            | Self::Merge { place }
            | Self::Key { place, .. }
            | Self::Tag { place, .. }
            | Self::Binary { place }
            | Self::JsonKey { place, .. } => Some(*place),
            Self::Control | Self::TooLarge | Self::NotFinite(_) | Self::Cyclic { .. } => None,
        }
    }
}

/// The place from `start` to `end`; what spans several lines is underlined at its first character only.
pub(in crate::yaml) fn place(start: Mark, end: Mark) -> Place {
    let width = if start.line == end.line { end.column.saturating_sub(start.column).max(1) } else { 1 };
    Place { line: start.line + 1, column: start.column + 1, width }
}
