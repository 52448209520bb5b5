//! What a drift was: which of our fields another changed, and who it was.

use std::fmt;

use crate::release::Json;
use crate::release::projection::fields::{Key, children, is_leaf};
use crate::release::projection::{entries, projection};

/// A field of ours that was changed or taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The field: `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// The manager that holds it now; none where it was removed.
    pub by: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            Some(by) => write!(f, "{} by {by}", self.path),
            None => f.write_str(&self.path),
        }
    }
}

/// What differs between a drifted object (`before`) and the answer to the apply that repaired it (`after`): the fields
/// that `manager` owns after, but not with this value before. An item that was removed is one change.
pub fn changes(before: &Json, after: &Json, manager: &str) -> Vec<Change> {
    let Some(after) = projection(after, manager) else { return Vec::new() };
    let kept = projection(before, manager);
    let mut found = Vec::new();
    differences(&after, kept.as_ref(), &mut Vec::new(), &mut found);
    found.into_iter().map(|path| Change { by: holder(before, &path, manager), path: shown(&path) }).collect()
}

/// Paths, as keys of `fieldsV1`, at which `after` has another leaf than `before`.
fn differences(after: &Json, before: Option<&Json>, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let Json::Object(nodes) = after else {
        if before != Some(after) {
            found.push(path.clone());
        }
        return;
    };
    // An item that is no longer ours at all.
    if nodes.contains_key(".") && before.is_none_or(|before| before.get(".") != nodes.get(".")) {
        found.push(path.clone());
        return;
    }
    for (key, node) in nodes {
        path.push(key.clone());
        differences(node, before.and_then(|before| before.get(key)), path, found);
        path.pop();
    }
}

/// The other manager whose entry holds a path, by the newest time.
fn holder(live: &Json, path: &[String], manager: &str) -> Option<String> {
    let text = |entry: &Json, field| entry.get(field).and_then(Json::as_str).unwrap_or_default().to_owned();
    let holders = entries(live).filter(|entry| {
        text(entry, "manager") != manager && entry.get("fieldsV1").is_some_and(|fields| holds(fields, path))
    });
    holders.max_by_key(|entry| text(entry, "time")).map(|entry| text(entry, "manager"))
}

/// Whether a set holds a path, or a leaf above it.
fn holds(set: &Json, path: &[String]) -> bool {
    let Some((key, rest)) = path.split_first() else { return true };
    match children(set).find(|(name, _)| *name == key) {
        Some((_, below)) => (is_leaf(below) && !rest.is_empty()) || holds(below, rest),
        None => false,
    }
}

fn shown(path: &[String]) -> String {
    let keys = path.iter().map(|key| Key::parse(key).map_or_else(|| format!("[{key}]"), |key| key.to_string()));
    let text: String = keys.collect();
    text.trim_start_matches('.').to_owned()
}
