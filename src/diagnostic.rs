//! A message with its place: what every fault in a file the user wrote is reported as.
//!
//! `{}` is one line, `watches.yaml:3:5: message`; `{:#}` adds the excerpt, a caret and the hint:
//!
//! ```text
//! error: unknown field `chrat`
//!   --> watches.yaml:3:3
//!    |
//!  3 |   chrat: helm-charts/minimart
//!    |   ^^^^^
//!    = hint: did you mean `chart`?
//! ```

use std::fmt;
use std::sync::Arc;

/// A text the user wrote, with the name he knows it by.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Path as it was given, for instance `watches.yaml`.
    pub name: String,
    /// Its whole text.
    pub text: String,
}

/// A place in a [`Source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How many characters the caret underlines; at least 1 is shown.
    pub width: usize,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The input is refused.
    Error,
    /// The input is used; the user should know.
    Warning,
}

/// One fault, or one warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What was expected and what was found: lower case, no final full stop, names in backticks.
    pub message: String,
    /// The text it is about.
    pub source: Option<Arc<Source>>,
    /// The place in that text.
    pub place: Option<Place>,
    /// What to do about it, if there is something to do.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A fault without a place.
    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), source: None, place: None, hint: None }
    }

    /// A warning without a place.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, source: &Arc<Source>, place: Place) -> Self {
        self.source = Some(Arc::clone(source));
        self.place = Some(place);
        self
    }

    /// Adds the text it is about, where no place in it is known.
    #[must_use]
    pub fn within(mut self, source: &Arc<Source>) -> Self {
        self.source = Some(Arc::clone(source));
        self
    }

    /// Adds the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn where_(&self) -> Option<String> {
        let name = &self.source.as_ref()?.name;
        Some(match self.place {
            Some(place) => format!("{name}:{}:{}", place.line, place.column),
            None => name.clone(),
        })
    }

    fn excerpt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(source), Some(place)) = (&self.source, self.place) else { return Ok(()) };
        let Some(line) = source.text.lines().nth(place.line.saturating_sub(1)) else { return Ok(()) };
        let number = place.line.to_string();
        let gutter = " ".repeat(number.len());
        // A tab before the caret stays a tab, so that the caret stands below what it means.
        let indent: String =
            line.chars().take(place.column.saturating_sub(1)).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        write!(f, "\n {gutter} |\n {number} | {line}\n {gutter} | {indent}{}", "^".repeat(place.width.max(1)))
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.where_();
        if !f.alternate() {
            return match place {
                Some(place) => write!(f, "{place}: {}", self.message),
                None => f.write_str(&self.message),
            };
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.message)?;
        if let Some(place) = place {
            write!(f, "\n  --> {place}")?;
        }
        self.excerpt(f)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  = hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

/// The error and its causes on one line, a cause that only repeats left out.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}

/// The name in `known` that `found` was most likely meant to be: within two edits, and closer than anything else.
pub fn suggestion<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (edit_distance(found, name), name))
        .filter(|(distance, name)| *distance <= 2 && *distance < name.len())
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein distance, letter case ignored.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.to_lowercase().chars().enumerate() {
        let mut next = vec![i + 1];
        for ((cb, above_left), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or(i);
            next.push((above_left + usize::from(ca != *cb)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_shows_the_line_and_points_at_the_word() {
        let source = Arc::new(Source { name: "watches.yaml".into(), text: "- group: g\n\tchrat: x\n".into() });
        let diagnostic = Diagnostic::error("unknown field `chrat`")
            .at(&source, Place { line: 2, column: 2, width: 5 })
            .hint("did you mean `chart`?");
        assert_eq!(diagnostic.to_string(), "watches.yaml:2:2: unknown field `chrat`");
        insta::assert_snapshot!(format!("{diagnostic:#}"), @"
        error: unknown field `chrat`
          --> watches.yaml:2:2
           |
         2 | 	chrat: x
           | 	^^^^^
          = hint: did you mean `chart`?
        ");
    }

    #[test]
    fn the_nearest_known_name_is_suggested_and_a_far_one_is_not() {
        let known = ["chart", "kind", "group"];
        assert_eq!(suggestion("chrat", known), Some("chart"));
        assert_eq!(suggestion("Kind", known), Some("kind"));
        assert_eq!(suggestion("selector", known), None);
    }
}
