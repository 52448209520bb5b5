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
    /// The way there, nearest first: for a fault in what other places make use of.
    pub trace: Vec<Step>,
    /// What to do about it, if there is something to do.
    pub hint: Option<String>,
}

/// A place on the way to a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The text it is in.
    pub source: Arc<Source>,
    /// The place in that text.
    pub place: Place,
    /// What is written there, such as `include "web.labels" .`.
    pub text: String,
}

impl Place {
    /// The place of the `length` bytes at `offset` of `text`; at least one character and only in its first line.
    pub fn of(text: &str, offset: usize, length: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let marked = text.get(offset..offset.saturating_add(length)).unwrap_or_default();
        let width = marked.lines().next().unwrap_or_default().chars().count().max(1);
        Self { line: before.matches('\n').count() + 1, column, width }
    }
}

impl Diagnostic {
    /// A fault without a place.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            source: None,
            place: None,
            trace: Vec::new(),
            hint: None,
        }
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
        for Step { source, place, text } in &self.trace {
            write!(f, "\n  = reached by {}:{}:{}: {text}", source.name, place.line, place.column)?;
        }
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
    let nearness = |name: &'a str| (edit_distance(found, name), name.len().abs_diff(found.len()), name);
    let near = known.into_iter().map(nearness).filter(|(distance, _, name)| *distance <= 2 && *distance < name.len());
    near.min().map(|(.., name)| name)
}

/// As [`suggestion`] for dotted names such as `web.labels`; where none is as near, one whose last part is the same.
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    let last = |name: &'a str| name.rsplit_once('.').map(|(_, last)| last);
    suggestion(found, known.iter().copied()).or_else(|| {
        let (_, wanted) = found.rsplit_once('.')?;
        let alike = known.iter().copied().filter(|name| last(name) == Some(wanted));
        alike.min_by_key(|name| edit_distance(found, name))
    })
}

/// Levenshtein distance, letter case ignored; two letters swapped are one edit.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let (mut row_before, mut letter_before) = (Vec::<usize>::new(), None);
    for (i, ca) in a.to_lowercase().chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, ((cb, above_left), above)) in b.iter().zip(&row).zip(row.iter().skip(1)).enumerate() {
            let left = next.last().copied().unwrap_or(i);
            let mut distance = (above_left + usize::from(ca != *cb)).min(above + 1).min(left + 1);
            let swapped = letter_before == Some(*cb) && j > 0 && b.get(j - 1) == Some(&ca);
            if let Some(before) = swapped.then(|| row_before.get(j - 1)).flatten() {
                distance = distance.min(before + 1);
            }
            next.push(distance);
        }
        row_before = std::mem::replace(&mut row, next);
        letter_before = Some(ca);
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
    fn a_place_counts_characters_and_stays_in_its_line() {
        let text = "a: ü\nö: word\nnext";
        let at = |found: &str| text.find(found).unwrap();
        assert_eq!(Place::of(text, at("word"), 4), Place { line: 2, column: 4, width: 4 });
        assert_eq!(Place::of(text, at("word"), 8), Place { line: 2, column: 4, width: 4 });
        assert_eq!(Place::of(text, text.len(), 3), Place { line: 3, column: 5, width: 1 });
        assert_eq!(Place::of("", 7, 1), Place { line: 1, column: 1, width: 1 });
    }

    #[test]
    fn a_name_with_the_same_last_part_is_nearest_where_none_is_near() {
        let known = ["web.labels", "web.fullname", "common.names.fullname"];
        assert_eq!(nearest("web.label", known), Some("web.labels"));
        assert_eq!(nearest("shop.fullname", known), Some("web.fullname"));
        assert_eq!(nearest("shop.port", known), None);
        assert_eq!(nearest("fullname", known), None);
    }

    #[test]
    fn the_nearest_known_name_is_suggested_and_a_far_one_is_not() {
        let known = ["chart", "kind", "group"];
        assert_eq!(suggestion("chrat", known), Some("chart"));
        assert_eq!(suggestion("Kind", known), Some("kind"));
        assert_eq!(suggestion("selector", known), None);
        assert_eq!(suggestion("prinft", ["print", "printf"]), Some("printf"));
    }
}
