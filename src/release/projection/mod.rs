//! A live object cut down to what our field manager owns of it: equal digests mean that nobody changed what we applied.
//!
//! What is owned is read from the `fieldsV1` of the object's `managedFields` (Kubernetes 1.35, structured-merge-diff
//! v6). The owned set is part of the digest, so that a field taken from us counts even where its value is equal.
//!
//! One thing `fieldsV1` cannot tell: an owned leaf may be an atomic map or list, which is ours whole, or one that was
//! empty when we sent it, into which others may put what they like. What another manager owns below such a leaf is
//! therefore not counted.

mod change;
mod fields;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub use change::{Change, changes};
pub(in crate::release) use fields::{Key, is_leaf};

use crate::release::projection::fields::children;
use crate::release::{Digest, Json};

/// The digest of what `manager` owns of a live object.
///
/// `None` where it has no entry from an apply, or one in another version than the object was read in, which cannot be
/// compared: apply once and start over.
pub fn digest(live: &Json, manager: &str) -> Option<Digest> {
    Some(Digest::of_json(&projection(live, manager)?))
}

/// What `manager` owns of a live object, keyed as in `fieldsV1`; `None` as in [`digest`].
pub fn projection(live: &Json, manager: &str) -> Option<Json> {
    let own = owned(live, manager)?;
    let others: Vec<_> = entries(live).filter_map(|entry| entry.get("fieldsV1")).filter(|set| *set != own).collect();
    Some(project(own, Some(live), &others))
}

/// The set that `manager` owns by apply, in the version of the object.
fn owned<'a>(live: &'a Json, manager: &str) -> Option<&'a Json> {
    let text = |entry: &'a Json, field| entry.get(field).and_then(Json::as_str).unwrap_or_default();
    let entry = entries(live).find(|entry| {
        text(entry, "manager") == manager
            && text(entry, "operation") == "Apply"
            && text(entry, "subresource").is_empty()
            && text(entry, "apiVersion") == text(live, "apiVersion")
    })?;
    entry.get("fieldsV1")
}

fn entries(live: &Json) -> impl Iterator<Item = &Json> {
    live.pointer("/metadata/managedFields").and_then(Json::as_array).into_iter().flatten()
}

/// One node of the owned set with the live value it stands for, and what other managers own at the same place.
fn project(own: &Json, live: Option<&Json>, others: &[&Json]) -> Json {
    if is_leaf(own) {
        return leaf(live, others);
    }
    let mut projected = Map::new();
    for (name, below) in children(own) {
        let key = Key::parse(name);
        let value = match &key {
            // Only that it is there.
            Some(Key::Itself) => Json::Bool(live.is_some()),
            Some(key) => {
                let others: Vec<_> = others.iter().filter_map(|other| other.get(name)).collect();
                project(below, key.of(live), &others)
            }
            None => Json::Null,
        };
        projected.insert(name.clone(), value);
    }
    Json::Object(projected)
}

/// An owned leaf: its value without what others own below it.
fn leaf(live: Option<&Json>, others: &[&Json]) -> Json {
    let Some(live) = live else { return Json::Null };
    let mut value = live.clone();
    for other in others.iter().filter(|other| !is_leaf(other)) {
        subtract(&mut value, other);
    }
    // A wrapper, so that an absent value and a null do not look alike, nor a map and a node of the set.
    Json::Array(vec![value])
}

/// Takes out of a value what a set owns.
fn subtract(value: &mut Json, set: &Value) {
    for (name, below) in children(set) {
        let Some(key) = Key::parse(name) else { continue };
        let whole = is_leaf(below) || below.get(".").is_some();
        if whole {
            key.remove_from(value);
        } else if let Some(inner) = key.of_mut(value) {
            subtract(inner, below);
        }
    }
}
