//! Files of a project: those that are there, and those that are to be written.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A project's files, by their paths below its directory, with `/`.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    there: BTreeMap<String, String>,
    created: BTreeMap<String, Arc<[u8]>>,
    edited: BTreeMap<String, String>,
}

impl Tree {
    /// A project with these texts in it; others of its files are nobody's concern.
    pub fn of(there: BTreeMap<String, String>) -> Self {
        Self { there, ..Self::default() }
    }

    /// A file that is to be written and must not be there.
    pub(super) fn create(&mut self, path: impl Into<String>, data: impl Into<Arc<[u8]>>) {
        self.created.insert(path.into(), data.into());
    }

    /// Another text for a file that is there, or is to be.
    pub(super) fn edit(&mut self, path: &str, text: String) {
        if let Some(data) = self.created.get_mut(path) {
            *data = Arc::from(text.into_bytes());
        } else if self.text(path) != Some(&text) {
            self.edited.insert(path.to_owned(), text);
        }
    }

    /// What a file says, or will say.
    pub fn text(&self, path: &str) -> Option<&str> {
        if let Some(data) = self.created.get(path) {
            return str::from_utf8(data).ok();
        }
        self.edited.get(path).or_else(|| self.there.get(path)).map(String::as_str)
    }

    /// The files to be written that must not be there.
    pub fn created(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.created.iter().map(|(path, data)| (path.as_str(), &**data))
    }

    /// The files that are there and get another text.
    pub fn edited(&self) -> impl Iterator<Item = (&str, &str)> {
        self.edited.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }
}
