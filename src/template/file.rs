//! A file that templates stand in.

use std::sync::{Arc, OnceLock};

use crate::diagnostic::Source;
use crate::value::Str;

/// A file: its name, and its text, shared with whoever gave it.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: Str,
    pub(crate) text: Str,
    source: OnceLock<Arc<Source>>,
}

impl File {
    pub(crate) fn new(name: &str, text: Str) -> Self {
        Self { name: name.into(), text, source: OnceLock::new() }
    }

    /// The file as errors show it: a copy, made when the first one does.
    pub(crate) fn source(&self) -> &Arc<Source> {
        let source = || Source { name: self.name.to_text().into_owned(), text: self.text.to_text().into_owned() };
        self.source.get_or_init(|| Arc::new(source()))
    }
}
