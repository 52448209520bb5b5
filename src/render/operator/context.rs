//! What templates see of the resource they are rendered for, and which part of it they read.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{Map, Value as Json, json};

use crate::release::Digest;
use crate::value::Value;
use crate::value::reads::{Path, Read, Reads};

/// Annotations and labels that the operator writes, or reads, itself: of no concern to charts.
const OWN: [&str; 2] = ["chart-operator.dev/", "applyset.kubernetes.io/"];

/// The operator's own version.
const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// What templates see beside Helm's objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// `.CR`: the resource.
    pub cr: Json,
    /// `.Previous`: the values of the last revision that became ready; an empty object if there is none.
    pub previous: Json,
    /// `.Results`: the last successful result of each action by its name.
    pub results: Json,
    /// `.Operator`: `Version` and `Namespace`.
    pub operator: Json,
    /// `.Deleting`: whether the resource is being deleted.
    pub deleting: bool,
}

/// How a place names what was read there.
mod sign {
    /// The value; of an object only that it is one.
    pub(super) const VALUE: char = '=';
    /// The keys of the object.
    pub(super) const KEYS: char = '#';
    /// All there is.
    pub(super) const WHOLE: char = '*';
}

impl Context {
    /// What templates see of `resource` before anything is known of it, no revision and no result, where the operator runs in
    /// `namespace`.
    pub fn new(resource: &Json, namespace: &str) -> Self {
        let mut cr = resource.clone();
        if let Some(metadata) = cr.get_mut("metadata").and_then(Json::as_object_mut) {
            metadata.remove("managedFields");
            metadata.remove("resourceVersion");
            take_own(metadata, "annotations");
            take_own(metadata, "labels");
        }
        let deleting = resource.pointer("/metadata/deletionTimestamp").is_some();
        let nothing = || Json::Object(Map::new());
        let operator = json!({"Version": VERSION, "Namespace": namespace});
        Self { cr, previous: nothing(), results: nothing(), operator, deleting }
    }

    /// As an operator of another version than this build's would show it.
    #[must_use]
    pub fn of_version(mut self, version: Option<&str>) -> Self {
        if let (Some(version), Some(operator)) = (version, self.operator.as_object_mut()) {
            operator.insert("Version".into(), version.into());
        }
        self
    }

    /// By the name under which templates see it, but for `.Deleting`.
    fn parts(&self) -> [(&'static str, &Json); 4] {
        [("CR", &self.cr), ("Previous", &self.previous), ("Results", &self.results), ("Operator", &self.operator)]
    }

    /// What templates see; what they read of it is noted in `reads`.
    pub(crate) fn values(&self, reads: &Rc<Reads>) -> Vec<(&'static str, Value)> {
        let value = |(name, part): (&'static str, &Json)| (name, Value::traced(part, &vec![name.into()], reads));
        let mut values: Vec<_> = self.parts().into_iter().map(value).collect();
        values.push(("Deleting", Value::Bool(self.deleting)));
        values
    }

    /// Digests of what was read, by its place. Where all of something was read that is one place.
    pub(crate) fn digests(&self, reads: &BTreeSet<Read>) -> BTreeMap<String, Digest> {
        let mut whole = BTreeSet::new();
        for (name, part) in self.parts() {
            find_whole(part, &mut vec![name.into()], reads, &mut whole);
        }
        let place = |read: &Read| {
            let (sign, path) = match read {
                Read::Value(path) => (sign::VALUE, path),
                Read::Keys(path) => (sign::KEYS, path),
            };
            let within = (1..=path.len()).filter_map(|end| path.get(..end)).find(|start| whole.contains(*start));
            within.map_or_else(|| pointer(sign, path), |start| pointer(sign::WHOLE, start))
        };
        let places: BTreeSet<String> = reads.iter().map(place).collect();
        places.into_iter().map(|place| (place.clone(), self.digest(&place))).collect()
    }

    /// Whether the same would be read at all of these places.
    pub fn holds(&self, read: &BTreeMap<String, Digest>) -> bool {
        read.iter().all(|(place, digest)| self.digest(place) == *digest)
    }

    fn digest(&self, place: &str) -> Digest {
        let mut characters = place.chars();
        let sign = characters.next();
        let pointer = characters.as_str().strip_prefix('/').unwrap_or_default();
        let (name, rest) = pointer.find('/').map_or((pointer, ""), |at| pointer.split_at(at));
        let part = self.parts().into_iter().find(|(part, _)| *part == name);
        match (sign, part.and_then(|(_, part)| part.pointer(rest))) {
            (_, None) => Digest::of("absent"),
            (Some(sign::VALUE), Some(Json::Object(_))) => Digest::of("object"),
            (Some(sign::KEYS), Some(Json::Object(fields))) => Digest::of_json(&fields.keys().cloned().collect()),
            (_, Some(found)) => Digest::of_json(found),
        }
    }
}

/// Takes the operator's own out of a map of `metadata`; what is then empty was made by it.
fn take_own(metadata: &mut Map<String, Json>, field: &str) {
    let Some(entries) = metadata.get_mut(field).and_then(Json::as_object_mut) else { return };
    let before = entries.len();
    entries.retain(|name, _| !OWN.iter().any(|own| name.starts_with(own)));
    if entries.is_empty() && before > 0 {
        metadata.remove(field);
    }
}

/// Adds to `whole` every object of which all was read, and says whether all of `json` was.
fn find_whole(json: &Json, path: &mut Path, reads: &BTreeSet<Read>, whole: &mut BTreeSet<Path>) -> bool {
    let Json::Object(fields) = json else { return true };
    let mut all = reads.contains(&Read::Keys(path.clone()));
    for (key, value) in fields {
        path.push(key.as_str().into());
        let is_read = reads.contains(&Read::Value(path.clone()));
        all &= find_whole(value, path, reads, whole) && is_read;
        path.pop();
    }
    if all {
        whole.insert(path.clone());
    }
    all
}

/// A JSON pointer behind a sign.
fn pointer(sign: char, path: &[crate::value::Str]) -> String {
    let mut place = String::from(sign);
    for key in path {
        place.push('/');
        place.push_str(&key.to_text().replace('~', "~0").replace('/', "~1"));
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(status: &Json) -> Context {
        let resource = json!({
            "metadata": {
                "name": "a", "resourceVersion": "7", "managedFields": [1], "labels": {"applyset.kubernetes.io/id": "x"},
                "annotations": {"chart-operator.dev/paused": "no", "applyset.kubernetes.io/tooling": "x", "a/b": "c"},
            },
            "status": status,
        });
        Context::new(&resource, "ops")
    }

    #[test]
    fn a_template_sees_the_resource_as_its_user_does() {
        let seen = context(&json!({}));
        assert_eq!(seen.cr, json!({"metadata": {"name": "a", "annotations": {"a/b": "c"}}, "status": {}}));
        assert!(!seen.deleting);
        assert_eq!(context(&json!({})).of_version(Some("v2")).operator, json!({"Version": "v2", "Namespace": "ops"}));
        assert_eq!(seen.operator["Namespace"], "ops");
        assert!(Context::new(&json!({"metadata": {"deletionTimestamp": "now"}}), "").deleting);
    }

    /// The places that `template` reads; by the digests, whether it would read the same of another status.
    fn read(path: &[&str], status: &Json) -> (Vec<String>, bool) {
        let seen = context(&json!({"phase": "Ready", "deep": {"x": 1, "y": [1]}}));
        let reads = Rc::new(Reads::default());
        let mut values = seen.values(&reads);
        let cr = values.swap_remove(0).1;
        let found = path.iter().try_fold(cr, |value, key| value.as_map()?.get(key));
        _ = found.and_then(|found| found.to_json());
        let digests = seen.digests(&reads.all());
        let holds = context(status).holds(&digests);
        (digests.into_keys().collect(), holds)
    }

    #[test]
    fn only_what_was_read_counts_as_changed() {
        let same = json!({"phase": "Ready", "deep": {"x": 1, "y": [1]}});
        for (path, status, places, holds) in [
            (vec!["status", "phase"], &same, "=/CR/status =/CR/status/phase", true),
            (vec!["status", "phase"], &json!({"phase": "Ready"}), "=/CR/status =/CR/status/phase", true),
            (vec!["status", "phase"], &json!({"phase": "Gone"}), "=/CR/status =/CR/status/phase", false),
            (vec!["status", "phase"], &json!({}), "=/CR/status =/CR/status/phase", false),
            (vec!["status", "none"], &json!({}), "=/CR/status =/CR/status/none", true),
            (vec!["status", "none"], &json!({"none": null}), "=/CR/status =/CR/status/none", false),
            (vec!["status", "deep"], &json!({"deep": {"x": 1, "y": [1]}}), "*/CR/status/deep =/CR/status", true),
            (vec!["status", "deep"], &json!({"deep": {"x": 1, "y": [2]}}), "*/CR/status/deep =/CR/status", false),
            (
                vec!["status", "deep"],
                &json!({"deep": {"x": 1, "y": [1], "z": 0}}),
                "*/CR/status/deep =/CR/status",
                false,
            ),
            (
                vec!["metadata", "annotations", "a/b"],
                &json!({}),
                "=/CR/metadata =/CR/metadata/annotations =/CR/metadata/annotations/a~1b",
                true,
            ),
            (vec![], &same, "*/CR", true),
            (vec![], &json!({}), "*/CR", false),
        ] {
            let (read, held) = read(&path, status);
            assert_eq!((read.join(" ").as_str(), held), (places, holds), "{path:?} of {status}");
        }
    }
}
