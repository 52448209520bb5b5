//! What is wrong with a chart, found without a cluster: every fault at once, with its place, in every branch of its
//! templates and in those of its sub-charts.
//!
//! A warning is about something that works or may be meant. Nothing is read from disk; what a rendering asks of the world
//! it asks of the one it is given.

mod annotations;
mod apis;
mod files;
mod kinds;
mod level;
mod metadata;
mod places;
mod rendering;
mod role;
mod samples;
mod templates;

#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::analysis::level::Level;
use crate::analysis::templates::Unparsed;
use crate::chart::{Chart, File, load};
use crate::diagnostic::{Diagnostic, Severity, Source, chain};
use crate::render::World;
use crate::watches::Gvk;

pub use role::{Rights, plural};
pub use samples::{Sample, samples};

/// A chart, and what it is to be checked with.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Where it lies, as the user knows it.
    pub path: &'a str,
    /// The kind of its resources, where a watch says it.
    pub gvk: Option<&'a Gvk>,
    /// All its files, those of sub-charts included, by their paths below the chart's directory.
    pub files: &'a [File],
    /// What a watch puts over every resource's `spec`; an object.
    pub overrides: &'a Json,
    /// Resources it must render with.
    pub samples: &'a [Sample],
    /// Whether records of releases are kept, from which what came of chance is taken again.
    pub has_records: bool,
}

/// Everything that is wrong with a chart, in no order. With its path nothing else is known by the same name.
pub fn check(subject: &Subject<'_>, world: &Rc<dyn World>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut root = Level::root(subject.path, subject.files, &mut found);
    read_metadata(&mut root, true, &mut found);
    for level in root.all() {
        metadata::dependencies(level, &mut found);
        files::values(level, &mut found);
        files::values_schema(level, &mut found);
        files::definitions(level, &mut found);
    }
    files::operator(&root, &mut found);
    annotations::check(&root, &mut found);
    let unparsed = templates::check(&root, subject.has_records, &mut found);
    let renderable = unparsed.iter().all(|unparsed| unparsed.name.is_some() && !unparsed.defines);
    match load(subject.files, &unparsed) {
        Ok(chart) if renderable => rendering::check(&root, &chart, subject, world, &mut found),
        Ok(_) => {}
        // It was told where it stands, or it has no place.
        Err(_) if found.iter().any(|fault| fault.severity == Severity::Error) => {}
        Err(error) => {
            let source = Arc::new(Source { name: root.path.clone(), text: String::new() });
            found.push(Diagnostic::error(chain(&error)).within(&source));
        }
    }
    found
}

fn read_metadata(level: &mut Level, is_root: bool, found: &mut Vec<Diagnostic>) {
    level.metadata = metadata::check(level, is_root, found);
    level.below.iter_mut().for_each(|below| read_metadata(below, false, found));
}

/// The chart, with nothing in the templates that do not parse.
fn load(files: &[File], unparsed: &[Unparsed]) -> Result<Chart, crate::chart::Error> {
    let blank = |file: &File| {
        let is_unparsed = unparsed.iter().any(|unparsed| unparsed.name.as_deref() == Some(&*file.name));
        if is_unparsed { File::new(Arc::clone(&file.name), &b""[..]) } else { file.clone() }
    };
    load::from_files(files.iter().map(blank).collect())
}

/// Puts what was found in order of file and line, and tells the same only once.
pub fn sort(found: &mut Vec<Diagnostic>) {
    let name = |fault: &Diagnostic| fault.source.as_ref().map(|source| source.name.clone()).unwrap_or_default();
    found.sort_by_cached_key(|fault| (name(fault), fault.place, fault.severity, fault.message.clone()));
    // What two resources render may differ elsewhere.
    let same = |a: &Diagnostic, b: &Diagnostic| (a.place, a.severity, &a.message) == (b.place, b.severity, &b.message);
    found.dedup_by(|a, b| *a == *b || a.place.is_some() && name(a) == name(b) && same(a, b));
    // A warning says nothing new about a place where an error says the same.
    let errors: Vec<(String, Option<crate::diagnostic::Place>, String)> = found
        .iter()
        .filter(|fault| fault.severity == Severity::Error)
        .map(|fault| (name(fault), fault.place, fault.message.clone()))
        .collect();
    found.retain(|fault| {
        fault.severity == Severity::Error || !errors.contains(&(name(fault), fault.place, fault.message.clone()))
    });
}
