//! `ignoreFields`: fields that are sent when an object is made, and left to others from then on.
//!
//! Server-side apply removes a field that its only owner no longer sends. So that one can be left out and stay as it is, its
//! ownership is given up first, by a patch of `managedFields`; measured on 1.35.

use std::cmp::Ordering;

use serde_json::Map;

use crate::release::prepare::Prepared;
use crate::release::projection::{Key, is_leaf};
use crate::release::target::Target;
use crate::release::{Digest, Json};

/// One entry of `ignoreFields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignore {
    /// The objects it is for.
    pub target: Target,
    /// What is left to others, as JSON pointers into the rendered object.
    pub paths: Vec<String>,
}

/// What is left to others of a prepared object.
#[derive(Clone, Debug, PartialEq)]
pub struct Ignored {
    /// The JSON pointers.
    pub paths: Vec<String>,
    /// All of the object: what is sent where there is none yet.
    pub whole: Json,
}

/// A path that leads into a list or map that is owned as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`ignoreFields`: `{path}` is part of a value that can only be owned whole: name `{whole}`")]
pub struct Error {
    /// The path that was given.
    pub path: String,
    /// The shortest that would do.
    pub whole: String,
}

/// Whether what makes the object ours stands at, or below, this pointer.
pub fn is_ours(pointer: &str) -> bool {
    let whole = ["", "/apiVersion", "/kind", "/metadata", "/metadata/name", "/metadata/namespace", "/metadata/labels"];
    let below = ["/metadata/ownerReferences", "/metadata/labels/applyset.kubernetes.io~1"];
    whole.contains(&pointer) || below.iter().any(|ours| pointer.starts_with(ours))
}

/// Takes out of an object what its rules leave to others. Its digest is then that of the rest: another value for an ignored
/// field is no change.
pub fn apply(object: &mut Prepared, rules: &[Ignore]) {
    let (gvk, name) = (object.gvk(), &object.id.name);
    let meant = rules.iter().filter(|rule| rule.target.matches(&gvk, name));
    let paths: Vec<String> = meant.flat_map(|rule| rule.paths.iter().cloned()).collect();
    if paths.is_empty() {
        return;
    }
    let rest = without(&object.body, &paths);
    object.digest = Digest::of_json(&rest);
    object.ignored = Some(Ignored { paths, whole: std::mem::replace(&mut object.body, rest) });
}

fn without(body: &Json, paths: &[String]) -> Json {
    let mut rest = body.clone();
    let mut paths: Vec<_> = paths.iter().map(|path| tokens(path)).collect();
    // From the end: what stands before an item of a list keeps its place.
    paths.sort_by(|a, b| order(b, a));
    paths.dedup();
    for path in &paths {
        remove(&mut rest, path);
    }
    rest
}

/// The names in a JSON pointer.
fn tokens(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect()
}

/// Numbers by their size.
fn order(a: &[String], b: &[String]) -> Ordering {
    let keys = |tokens: &[String]| {
        tokens.iter().map(|token| (token.parse().unwrap_or(0_u64), token.clone())).collect::<Vec<_>>()
    };
    keys(a).cmp(&keys(b))
}

/// Removes what is at a path, and a map below the first level that is empty then: sent, it would be owned.
fn remove(value: &mut Json, path: &[String]) {
    let Some((first, rest)) = path.split_first() else { return };
    match value {
        Json::Object(map) if rest.is_empty() => drop(map.remove(first)),
        Json::Object(map) => {
            let Some(inner) = map.get_mut(first) else { return };
            let had = !is_empty(inner);
            remove(inner, rest);
            if had && is_empty(inner) && first != "spec" {
                map.remove(first);
            }
        }
        Json::Array(items) => {
            let Some(index) = first.parse().ok().filter(|index| *index < items.len()) else { return };
            if rest.is_empty() {
                items.remove(index);
            } else if let Some(item) = items.get_mut(index) {
                remove(item, rest);
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Json) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// The `managedFields` of a live object once `manager` has given up what is ignored of it; `None` where it owns nothing of
/// that.
///
/// # Errors
/// A path into a value that is owned whole.
pub fn given_up(live: &Json, ignored: &Ignored, manager: &str) -> Result<Option<Vec<Json>>, Error> {
    let entries = live.pointer("/metadata/managedFields").and_then(Json::as_array);
    let mut entries = entries.cloned().unwrap_or_default();
    let mut changed = false;
    for entry in &mut entries {
        let text = |field| entry.get(field).and_then(Json::as_str).unwrap_or_default();
        if text("manager") != manager || text("operation") != "Apply" || !text("subresource").is_empty() {
            continue;
        }
        let Some(Json::Object(set)) = entry.get_mut("fieldsV1") else { continue };
        for path in &ignored.paths {
            let names = tokens(path);
            changed |= give_up(set, Some(&ignored.whole), &names).map_err(|depth| Error {
                path: path.clone(),
                whole: path.split('/').take(depth + 1).collect::<Vec<_>>().join("/"),
            })?;
        }
    }
    Ok(changed.then_some(entries))
}

/// Takes a path out of an owned set; `body` is what was sent at its place. Gives whether it was there, or after how many
/// names a value begins that is owned whole.
fn give_up(set: &mut Map<String, Json>, body: Option<&Json>, path: &[String]) -> Result<bool, usize> {
    let Some((first, rest)) = path.split_first() else { return Ok(false) };
    let Some((name, below)) = step(set, body, first) else { return Ok(false) };
    if rest.is_empty() {
        set.remove(&name);
        return Ok(true);
    }
    let Some(node) = set.get_mut(&name) else { return Ok(false) };
    if is_leaf(node) {
        let pointer = rest
            .iter()
            .fold(String::new(), |path, name| format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")));
        return if below.is_some_and(|below| below.pointer(&pointer).is_some()) { Err(1) } else { Ok(false) };
    }
    let Json::Object(inner) = node else { return Ok(false) };
    let taken = give_up(inner, below, rest).map_err(|depth| depth + 1)?;
    // What is empty in such a set would mean all of it.
    if inner.is_empty() {
        set.remove(&name);
    }
    Ok(taken)
}

/// The key in an owned set that a name in a path means, and what was sent there.
fn step<'a>(set: &Map<String, Json>, body: Option<&'a Json>, name: &str) -> Option<(String, Option<&'a Json>)> {
    let Some(Json::Array(items)) = body else {
        return Some((format!("f:{name}"), body.and_then(|body| body.get(name))))
            .filter(|(key, _)| set.contains_key(key));
    };
    let item = items.get(name.parse::<usize>().ok()?)?;
    let means = |key: &&String| match Key::parse(key) {
        // A key may have parts that the server filled in.
        Some(Key::Item(fields)) => {
            fields.iter().all(|(field, value)| item.get(field).is_none_or(|found| found == value))
        }
        Some(Key::Member(value)) => value == *item,
        _ => false,
    };
    set.keys().find(means).map(|key| (key.clone(), Some(item)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const US: &str = "chart-operator";

    fn ignored(paths: &[&str]) -> Ignored {
        let container = json!({"name": "web", "image": "web:1", "args": ["a", "b"]});
        let whole = json!({
            "metadata": {"labels": {"a": "b"}, "annotations": {"x/y": "1"}},
            "spec": {
                "replicas": 3,
                "strategy": {"rollingUpdate": {"maxSurge": 1}},
                "template": {"spec": {"containers": [container, {"name": "side"}]}},
            },
        });
        Ignored { paths: paths.iter().map(|path| (*path).to_owned()).collect(), whole }
    }

    #[test]
    fn what_is_ignored_is_left_out_with_the_maps_that_are_empty_then() {
        let containers = "/spec/template/spec/containers";
        for (paths, pointer, rest) in [
            (vec!["/spec/replicas"], "/spec/replicas", None),
            (vec!["/spec/strategy/rollingUpdate/maxSurge"], "/spec/strategy", None),
            (vec!["/metadata/annotations/x~1y"], "/metadata/annotations", None),
            (vec!["/spec/template/spec/containers/0", "/spec/template/spec/containers/1"], containers, None),
            (
                vec!["/spec/template/spec/containers/0/image", "/spec/template/spec/containers/0/args/0"],
                containers,
                Some(json!([{"name": "web", "args": ["b"]}, {"name": "side"}])),
            ),
            (vec!["/spec/none/at/all", "/spec/template/spec/containers/7"], "/spec/replicas", Some(json!(3))),
        ] {
            let Ignored { paths, whole } = ignored(&paths);
            let found = without(&whole, &paths);
            assert_eq!(found.pointer(pointer), rest.as_ref(), "{paths:?}");
        }
    }

    fn live() -> Json {
        let web = json!({".": {}, "f:name": {}, "f:image": {}, "f:args": {}});
        json!({"metadata": {"managedFields": [
            {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": US, "operation": "Apply", "fieldsV1": {
                "f:metadata": {"f:annotations": {"f:x/y": {}}},
                "f:spec": {
                    "f:replicas": {},
                    "f:strategy": {"f:rollingUpdate": {"f:maxSurge": {}}},
                    "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": web, "k:{\"name\":\"side\"}": {".": {}, "f:name": {}}}}},
                },
            }},
        ]}})
    }

    #[test]
    fn ownership_of_what_is_ignored_is_given_up_and_of_nothing_else() {
        let fields = |paths: &[&str]| {
            let entries = given_up(&live(), &ignored(paths), US).unwrap()?;
            assert_eq!(entries[0], live()["metadata"]["managedFields"][0]);
            Some(entries[1]["fieldsV1"].clone())
        };
        let found =
            fields(&["/spec/replicas", "/spec/strategy/rollingUpdate/maxSurge", "/metadata/annotations/x~1y"]).unwrap();
        assert_eq!(found["f:spec"].as_object().unwrap().keys().collect::<Vec<_>>(), ["f:template"]);
        assert_eq!(found.get("f:metadata"), None);
        let found = fields(&["/spec/template/spec/containers/0/image", "/spec/template/spec/containers/1"]).unwrap();
        let containers = &found["f:spec"]["f:template"]["f:spec"]["f:containers"];
        assert_eq!(*containers, json!({"k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:args": {}}}));
        assert_eq!(fields(&["/spec/paused", "/spec/template/spec/containers/2"]), None);
    }

    #[test]
    fn a_part_of_a_value_that_is_owned_whole_cannot_be_given_up() {
        let error = given_up(&live(), &ignored(&["/spec/template/spec/containers/0/args/1"]), US).unwrap_err();
        assert_eq!(error.whole, "/spec/template/spec/containers/0/args");
        assert_eq!(given_up(&live(), &ignored(&["/spec/template/spec/containers/0/args/2"]), US), Ok(None));
    }

    #[test]
    fn what_makes_an_object_ours_cannot_be_ignored() {
        for pointer in [
            "",
            "/metadata",
            "/metadata/labels",
            "/metadata/ownerReferences/0",
            "/metadata/labels/applyset.kubernetes.io~1part-of",
        ] {
            assert!(is_ours(pointer), "{pointer}");
        }
        for pointer in ["/metadata/labels/app", "/metadata/annotations", "/spec", "/data/a"] {
            assert!(!is_ours(pointer), "{pointer}");
        }
    }
}
