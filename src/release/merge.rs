//! JSON merge patches (RFC 7386).

use crate::release::Json;

/// Whether `patch` would change `live`. A map that is not there and a map in which nothing would be set are the same: the
/// API server keeps no empty labels.
pub fn differs(live: &Json, patch: &Json) -> bool {
    let Json::Object(fields) = patch else { return live != patch };
    fields.iter().any(|(name, value)| match (live.get(name), value) {
        (found, Json::Null) => found.is_some_and(|found| !found.is_null()),
        (None, Json::Object(_)) => differs(&Json::Null, value),
        (None, _) => true,
        (Some(found), value) => differs(found, value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_differs_where_a_field_it_names_would_change() {
        let live = json!({"metadata": {"name": "a", "labels": {"x": "1"}}, "spec": {"list": [1, 2], "n": 3}});
        for (patch, expected) in [
            (json!({}), false),
            (json!({"metadata": {"labels": {"x": "1"}}}), false),
            (json!({"metadata": {"labels": {"x": "2"}}}), true),
            (json!({"metadata": {"labels": {"y": "1"}}}), true),
            (json!({"metadata": {"labels": {"x": null}}}), true),
            (json!({"metadata": {"labels": {"y": null}}}), false),
            (json!({"metadata": {"annotations": {"y": null}}}), false),
            (json!({"metadata": {"annotations": {}}}), false),
            (json!({"metadata": {"annotations": {"y": "1"}}}), true),
            (json!({"spec": {"list": [1, 2]}}), false),
            (json!({"spec": {"list": [2, 1]}}), true),
            (json!({"spec": {"n": {"m": 1}}}), true),
            (json!({"spec": null}), true),
            (json!({"status": null}), false),
        ] {
            assert_eq!(differs(&live, &patch), expected, "{patch}");
        }
    }
}
