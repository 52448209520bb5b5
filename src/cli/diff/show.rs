//! What would change, as text: a line for each object and what differs in it, values of Secrets masked.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};
use similar::TextDiff;

use crate::operator::preview::Previewed;
use crate::reconcile::preview::Difference;
use crate::yaml;

/// Lines around a change.
const CONTEXT: usize = 3;

/// What the API server keeps about an object, and nobody asks for.
const KEPT: [&str; 6] = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];

/// Where kubectl keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What is to be printed.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) text: String,
    /// Whether something would change.
    pub(super) changed: bool,
    /// Whether something could not be carried out.
    pub(super) failed: bool,
}

/// What would become of each resource, and a last line that counts.
pub(super) fn text(found: &[Previewed]) -> Shown {
    let mut shown = Shown::default();
    let mut objects = 0;
    for Previewed { resource, differences } in found {
        match differences {
            Ok(differences) => {
                objects += differences.len();
                for difference in differences {
                    shown.object(resource, difference);
                }
            }
            Err(message) => {
                shown.failed = true;
                shown.line(format_args!("! {resource}: {message}"));
            }
        }
    }
    shown.changed = objects > 0;
    let resources = found.len();
    shown.line(format_args!("{} of {} would change", counted(objects, "object"), counted(resources, "resource")));
    shown
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

impl Shown {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string never fails.
        let _written = writeln!(self.text, "{line}");
    }

    fn object(&mut self, resource: &str, difference: &Difference) {
        let Difference { id, reason, before, after } = difference;
        let sign = match (before, after) {
            (_, Err(_)) => '!',
            (None, Ok(_)) => '+',
            (Some(_), Ok(None)) => '-',
            (Some(_), Ok(Some(_))) => '~',
        };
        self.line(format_args!("{sign} {id} {reason} ({resource})"));
        match after {
            Err(message) => {
                self.failed = true;
                self.line(format_args!("  it would be refused: {message}"));
            }
            Ok(after) => {
                let (before, after) = masked(before.as_ref(), after.as_ref());
                let diff = TextDiff::from_lines(&before, &after);
                let unified = diff.unified_diff().context_radius(CONTEXT).to_string();
                self.text.push_str(&unified);
            }
        }
    }
}

/// Both sides as YAML, without what nobody asks for; values of Secrets say only whether they are the same.
fn masked(before: Option<&Json>, after: Option<&Json>) -> (String, String) {
    let (mut before, mut after) = (before.map(cleaned), after.map(cleaned));
    let is_secret = |object: &Option<Json>| {
        object.as_ref().is_some_and(|object| object["kind"] == "Secret" && object["apiVersion"] == "v1")
    };
    if is_secret(&before) || is_secret(&after) {
        for field in ["data", "stringData"] {
            mask(field, &mut before, &mut after);
        }
    }
    let text = |object: Option<Json>| object.and_then(|object| yaml::emit_json(&object).ok()).unwrap_or_default();
    (text(before), text(after))
}

fn cleaned(object: &Json) -> Json {
    let mut object = object.clone();
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = object.pointer_mut("/metadata").and_then(Json::as_object_mut) {
        metadata.retain(|field, _| !KEPT.contains(&field.as_str()));
    }
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Json::as_object_mut) {
        annotations.remove(LAST_APPLIED);
    }
    object
}

/// Replaces the values below `field`: the same ones by one text, others by two.
fn mask(field: &str, before: &mut Option<Json>, after: &mut Option<Json>) {
    let old = before.as_ref().and_then(|object| object.get(field)).cloned().unwrap_or(Json::Null);
    let new = after.as_ref().and_then(|object| object.get(field)).cloned().unwrap_or(Json::Null);
    let masked = |values: &Json, others: &Json, word: &str| {
        let Json::Object(values) = values else { return Json::Null };
        let value = |(key, value): (&String, &Json)| {
            let same = others.get(key).is_none_or(|other| other == value);
            (key.clone(), json!(if same { "***".to_owned() } else { format!("*** ({word})") }))
        };
        Json::Object(values.iter().map(value).collect())
    };
    let (before_values, after_values) = (masked(&old, &new, "before"), masked(&new, &old, "after"));
    for (object, values) in [(before, before_values), (after, after_values)] {
        if let Some(object) = object.as_mut().and_then(Json::as_object_mut).filter(|object| object.contains_key(field))
        {
            object.insert(field.to_owned(), values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(id: &str, before: Option<Json>, after: Result<Option<Json>, String>) -> Previewed {
        let reason = "is rendered differently".to_owned();
        let differences = Ok(vec![Difference { id: id.parse().unwrap(), reason, before, after }]);
        Previewed { resource: "Web shop/a".to_owned(), differences }
    }

    fn object(kind: &str, field: &str, value: Json) -> Json {
        json!({"apiVersion": "v1", "kind": kind, field: value, "status": {"x": 1},
            "metadata": {"name": "a", "uid": "u", "resourceVersion": "7", "managedFields": []}})
    }

    #[test]
    fn a_change_is_shown_by_its_lines() {
        let (before, after) =
            (object("ConfigMap", "data", json!({"a": "1"})), object("ConfigMap", "data", json!({"a": "2"})));
        let shown = text(&[difference("ConfigMap shop/a", Some(before), Ok(Some(after)))]);
        let want = "~ ConfigMap shop/a is rendered differently (Web shop/a)\n@@ -1,6 +1,6 @@\n apiVersion: v1\n data:\n\
                    -  a: \"1\"\n+  a: \"2\"\n kind: ConfigMap\n metadata:\n   name: a\n1 object of 1 resource would change\n";
        assert_eq!(shown.text, want);
        assert!(shown.changed && !shown.failed);
    }

    #[test]
    fn values_of_secrets_are_masked_and_tell_only_whether_they_change() {
        let before = object("Secret", "data", json!({"same": "c2VjcmV0", "other": "b2xk", "gone": "Z29uZQ=="}));
        let after = object("Secret", "data", json!({"same": "c2VjcmV0", "other": "bmV3", "more": "bW9yZQ=="}));
        let shown = text(&[difference("Secret shop/a", Some(before), Ok(Some(after)))]).text;
        for secret in ["c2VjcmV0", "b2xk", "bmV3", "Z29uZQ", "bW9yZQ"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        for line in ["-  gone: '***'", "+  more: '***'", "-  other: '*** (before)'", "+  other: '*** (after)'"] {
            assert!(shown.contains(line), "{shown}");
        }
    }

    #[test]
    fn what_is_made_removed_or_refused_is_told_by_its_sign() {
        let config = || object("ConfigMap", "data", json!({"a": "1"}));
        let shown = text(&[
            difference("ConfigMap shop/new", None, Ok(Some(config()))),
            difference("ConfigMap shop/old", Some(config()), Ok(None)),
            difference("ConfigMap shop/bad", Some(config()), Err("no".to_owned())),
            Previewed { resource: "Web shop/b".to_owned(), differences: Err("the chart fails".to_owned()) },
        ]);
        let signs: Vec<&str> =
            shown.text.lines().filter(|line| line.starts_with(['+', '-', '!']) && line.contains('(')).collect();
        assert_eq!(
            signs,
            [
                "+ ConfigMap shop/new is rendered differently (Web shop/a)",
                "- ConfigMap shop/old is rendered differently (Web shop/a)",
                "! ConfigMap shop/bad is rendered differently (Web shop/a)",
            ]
        );
        assert!(shown.text.ends_with("! Web shop/b: the chart fails\n3 objects of 4 resources would change\n"));
        assert!(shown.failed);
    }

    #[test]
    fn nothing_to_do_is_said() {
        let shown = text(&[Previewed { resource: "Web shop/a".to_owned(), differences: Ok(Vec::new()) }]);
        assert_eq!((shown.text.as_str(), shown.changed), ("0 objects of 1 resource would change\n", false));
    }
}
