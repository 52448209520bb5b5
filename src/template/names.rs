//! The words of templates, each kept once: the same few dozen stand in all templates of a chart.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::template::ast::Callee;
use crate::template::builtins::Builtin;
use crate::template::function::Functions;
use crate::value::Str;

/// Texts and functions that were met.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    words: HashSet<Str, RandomState>,
    callees: HashMap<Str, Callee, RandomState>,
}

impl Names {
    /// `word`, shared with everyone who asked for the same.
    pub(crate) fn get(&mut self, word: &[u8]) -> Str {
        if let Some(known) = self.words.get(word) {
            return known.clone();
        }
        let word = Str::from(word);
        self.words.insert(word.clone());
        word
    }

    /// The function `name`: one of `functions`, which hides a built-in one.
    pub(crate) fn callee(&mut self, name: &[u8], functions: &Functions) -> Option<Callee> {
        if let Some(callee) = self.callees.get(name) {
            return Some(callee.clone());
        }
        let text = std::str::from_utf8(name).ok()?;
        let callee = match functions.get(text) {
            Some(function) => Callee::Function(Arc::clone(function)),
            None => Callee::Builtin(Builtin::named(text)?),
        };
        self.callees.insert(name.into(), callee.clone());
        Some(callee)
    }
}
