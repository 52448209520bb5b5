//! What comments in `values.yaml` say about its keys.
//!
//! A comment belongs to the key it stands above, without a gap and in the same column; or, if there is none, to the key in
//! whose line it stands. The marks of helm-docs (`# -- text`) and of Bitnami's generator (`## @param a.b [type] text`) are
//! understood.

use std::collections::BTreeMap;

use crate::diagnostic::Place;

/// Longest description, in characters.
const LONGEST: usize = 500;

/// The comments of a text.
pub(super) struct Comments<'a> {
    lines: Vec<&'a str>,
    /// Of `@param`, by path.
    params: BTreeMap<&'a str, &'a str>,
}

impl<'a> Comments<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let params = lines.iter().filter_map(|line| {
            let (path, text) = words(line.trim_start()).strip_prefix("@param ")?.trim_start().split_once(' ')?;
            Some((
                path,
                text.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(text, |it| it.1),
            ))
        });
        let params = params.map(|(path, text)| (path, text.trim())).collect();
        Self { lines, params }
    }

    /// What is said about the key at that place.
    pub(super) fn about(&self, path: &str, key: Place) -> Option<String> {
        let said = match self.params.get(path) {
            Some(text) => (*text).to_owned(),
            None => self.above(key).or_else(|| self.beside(key))?,
        };
        (!said.is_empty()).then(|| shortened(&said))
    }

    fn above(&self, key: Place) -> Option<String> {
        let above = self.lines.get(..key.line.checked_sub(1)?)?.iter().rev();
        let is_comment = |line: &&&str| line.trim_start().starts_with('#') && column(line) == key.column;
        let mut block: Vec<&str> = above.take_while(is_comment).map(|line| words(line.trim_start())).collect();
        block.reverse();
        // What helm-docs would print begins at its mark.
        let from = block.iter().rposition(|line| line.starts_with("-- ")).unwrap_or(0);
        let block = block.get(from..)?.iter().map(|line| line.trim_start_matches("-- "));
        let told: Vec<&str> = block.filter(|line| !line.starts_with('@') && !line.is_empty()).collect();
        (!told.is_empty()).then(|| told.join(" "))
    }

    fn beside(&self, key: Place) -> Option<String> {
        let line = self.lines.get(key.line.checked_sub(1)?)?;
        let (before, comment) = line.rsplit_once(" #")?;
        // A `#` within quotes or a text is no comment; whoever has both in a line gets no description.
        let is_plain = !before.contains(['"', '\'', '#', '|', '>']);
        let text = words(comment).trim_start_matches("-- ").to_owned();
        (is_plain && !text.is_empty()).then_some(text)
    }
}

/// What stands behind the `#`s of a comment.
fn words(comment: &str) -> &str {
    comment.trim_start_matches('#').trim()
}

/// The column of a line's first character, from 1.
fn column(line: &str) -> usize {
    line.chars().take_while(|c| *c == ' ').count() + 1
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
