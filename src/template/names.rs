//! The words of templates, each kept once: the same few dozen stand in all templates of a chart.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::template::ast::{Callee, Path};
use crate::template::builtins::Builtin;
use crate::template::function::Functions;
use crate::value::Str;

/// Names, fields and short texts that were met.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    words: HashSet<Str, RandomState>,
    callees: HashMap<Str, Callee, RandomState>,
    /// Fields behind each other, by how they are written.
    paths: HashMap<Str, Path, RandomState>,
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

    /// The fields of `.a.b`, shared like a word.
    pub(crate) fn path(&mut self, written: &[u8]) -> Path {
        if let Some(known) = self.paths.get(written) {
            return Arc::clone(known);
        }
        let path: Path = written.split(|byte| *byte == b'.').skip(1).map(|name| self.get(name)).collect();
        self.paths.insert(written.into(), Arc::clone(&path));
        path
    }

    /// The function `name`: one of `functions`, which hides a built-in one.
    pub(crate) fn callee(&mut self, name: &[u8], functions: &Functions) -> Option<(Str, Callee)> {
        if let Some((name, callee)) = self.callees.get_key_value(name) {
            return Some((name.clone(), callee.clone()));
        }
        let text = std::str::from_utf8(name).ok()?;
        let callee = match functions.get(text) {
            Some(function) => Callee::Function(Arc::clone(function)),
            None => Callee::Builtin(Builtin::named(text)?),
        };
        let name = self.get(name);
        self.callees.insert(name.clone(), callee.clone());
        Some((name, callee))
    }
}
