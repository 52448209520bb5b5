//! Some fields of an object, by dotted paths in which `[]` steps into a list: `status.conditions[].type`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

/// What is there in any case.
const ALWAYS: [&str; 4] = ["metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels"];

/// Which fields, by name; one with nothing below is meant as a whole.
#[derive(Debug, Default)]
struct Tree<'a>(BTreeMap<&'a str, Step<'a>>);

/// What is meant of a field.
#[derive(Debug, Default)]
struct Step<'a> {
    whole: bool,
    /// Of the map there.
    fields: Tree<'a>,
    /// Of each map in the list there.
    items: Tree<'a>,
}

impl<'a> Tree<'a> {
    fn add(&mut self, path: &'a str) {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let (name, is_list) = first.strip_suffix("[]").map_or((first, false), |name| (name, true));
        let step = self.0.entry(name).or_default();
        match rest {
            None => step.whole = true,
            Some(rest) if is_list => step.items.add(rest),
            Some(rest) => step.fields.add(rest),
        }
    }

    fn of(&self, object: &Json) -> Option<Json> {
        let object = object.as_object()?;
        let fields = self.0.iter().filter_map(|(name, step)| Some(((*name).to_owned(), step.of(object.get(*name)?)?)));
        Some(Json::Object(fields.collect::<Map<_, _>>()))
    }
}

impl Step<'_> {
    fn of(&self, value: &Json) -> Option<Json> {
        match value {
            _ if self.whole => Some(value.clone()),
            Json::Array(items) if !self.items.0.is_empty() => {
                Some(Json::Array(items.iter().filter_map(|item| self.items.of(item)).collect()))
            }
            Json::Object(_) if !self.fields.0.is_empty() => self.fields.of(value),
            _ => None,
        }
    }
}

/// Of `object` what `paths` lead to, and its name, namespace, uid and labels; all of it if there are none.
pub(crate) fn only<'a>(object: &'a Json, paths: &[String]) -> Cow<'a, Json> {
    if paths.is_empty() {
        return Cow::Borrowed(object);
    }
    let mut tree = Tree::default();
    ALWAYS.into_iter().chain(paths.iter().map(String::as_str)).for_each(|path| tree.add(path));
    tree.of(object).map_or(Cow::Borrowed(object), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_fields_that_paths_lead_to_are_kept_in_their_places() {
        let object = json!({
            "kind": "Node",
            "metadata": {"name": "a", "labels": {"x": "1"}, "annotations": {"y": "2"}, "resourceVersion": "7"},
            "spec": {"a": {"b": 1, "c": 2}, "l": [1, 2]},
            "status": {"conditions": [{"type": "Ready", "status": "True", "at": 1}, {"type": "Old"}, 3]},
        });
        let meta = json!({"name": "a", "labels": {"x": "1"}});
        for (paths, want) in [
            (vec!["metadata.uid"], json!({})),
            (vec!["spec.a.b"], json!({"spec": {"a": {"b": 1}}})),
            (vec!["spec.a.b", "spec.a"], json!({"spec": {"a": {"b": 1, "c": 2}}})),
            (vec!["spec.l"], json!({"spec": {"l": [1, 2]}})),
            (vec!["spec.l[]"], json!({"spec": {"l": [1, 2]}})),
            (vec!["spec.l.x", "spec.none.x"], json!({"spec": {}})),
            (
                vec!["status.conditions[].type", "status.conditions[].status"],
                json!({"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Old"}]}}),
            ),
        ] {
            let paths: Vec<String> = paths.into_iter().map(str::to_owned).collect();
            let mut want = want;
            want["metadata"] = meta.clone();
            assert_eq!(*only(&object, &paths), want, "{paths:?}");
        }
        let mut annotated = json!({"metadata": meta});
        annotated["metadata"]["annotations"] = json!({"y": "2"});
        assert_eq!(*only(&object, &["metadata.annotations".to_owned()]), annotated);
        assert_eq!(*only(&object, &[]), object);
    }
}
