//! Field ownership that Helm or helm-operator holds on an object, made ours.
//!
//! Server-side apply removes a field that is no longer sent only where nobody else owns it. Helm's entries in
//! `managedFields` would own for ever what it wrote, so they are joined with ours before our first apply, as client-go's
//! `csaupgrade` does for kubectl. Entries that only users made stay: what they added is theirs.

use serde_json::{Map, json};

use crate::release::{FIELD_MANAGER, Json, labels};

/// Names under which Helm and its operators write: their programs' file names (Helm v4.3.1, `pkg/kube/client.go`).
const HELM: [&str; 3] = ["helm-operator", "helm", "Helm"];

/// The `managedFields` of a live object with what Helm owns made ours; `None` where it owns nothing.
pub fn migrated(live: &Json) -> Option<Json> {
    let entries = live.pointer("/metadata/managedFields")?.as_array()?;
    let (former, others): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| is_former(entry));
    let newest = former.iter().max_by_key(|entry| text(entry, "time"))?;
    let (ours, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|entry| is_ours(entry));
    let fields = former.iter().chain(&ours).filter_map(|entry| entry.get("fieldsV1")).cloned().reduce(union);
    let joined = json!({
        "manager": FIELD_MANAGER,
        "operation": "Apply",
        "apiVersion": newest.get("apiVersion"),
        "time": newest.get("time"),
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    });
    Some(others.into_iter().cloned().chain([joined]).collect())
}

fn text<'a>(entry: &'a Json, field: &str) -> &'a str {
    entry.get(field).and_then(Json::as_str).unwrap_or_default()
}

fn is_ours(entry: &Json) -> bool {
    text(entry, "manager") == FIELD_MANAGER
        && text(entry, "operation") == "Apply"
        && text(entry, "subresource").is_empty()
}

/// Whether Helm wrote the entry. Who links its library may be called anything, but writes its marks; kubectl writes them
/// where a user hands an object over to Helm.
fn is_former(entry: &Json) -> bool {
    let manager = text(entry, "manager");
    let by_name = HELM.contains(&manager) || (manager == FIELD_MANAGER && text(entry, "operation") == "Update");
    text(entry, "subresource").is_empty()
        && !is_ours(entry)
        && (by_name || (!manager.starts_with("kubectl") && has_marks(entry)))
}

fn has_marks(entry: &Json) -> bool {
    let owns = |kind: &str, name: &str| {
        let metadata = entry.pointer("/fieldsV1/f:metadata").and_then(|metadata| metadata.get(kind));
        metadata.is_some_and(|fields| fields.get(format!("f:{name}")).is_some())
    };
    owns("f:annotations", labels::RELEASE_NAME) || owns("f:labels", labels::CHART)
}

/// The fields of both sets. What is a leaf in one and has members in the other is owned itself and in its members.
fn union(one: Json, other: Json) -> Json {
    let (Json::Object(mut fields), Json::Object(more)) = (one, other) else { return Json::Object(Map::new()) };
    if fields.is_empty() != more.is_empty() {
        fields.insert(".".to_owned(), json!({}));
    }
    for (key, below) in more {
        let joined = match fields.remove(&key) {
            Some(own) => union(own, below),
            None => below,
        };
        fields.insert(key, joined);
    }
    Json::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, time: &str, fields: Json) -> Json {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "time": time,
            "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    fn object(entries: &[Json]) -> Json {
        json!({"metadata": {"managedFields": entries}})
    }

    fn marks() -> Json {
        json!({"f:metadata": {"f:annotations": {"f:meta.helm.sh/release-name": {}}}})
    }

    #[test]
    fn what_helm_owns_becomes_ours_and_what_users_own_stays_theirs() {
        let data = |key: &str| json!({"f:data": {format!("f:{key}"): {}}});
        for (manager, operation, fields, is_former) in [
            ("helm-operator", "Update", data("a"), true),
            ("Helm", "Update", data("a"), true),
            ("helm", "Apply", data("a"), true),
            ("chart-operator", "Update", data("a"), true),
            ("manager", "Update", marks(), true),
            (
                "manager",
                "Update",
                json!({"f:metadata": {"f:labels": {"f:helm.sdk.operatorframework.io/chart": {}}}}),
                true,
            ),
            ("manager", "Update", data("a"), false),
            ("kubectl-annotate", "Update", marks(), false),
            ("chart-operator", "Apply", marks(), false),
        ] {
            let user = entry("kubectl-edit", "Update", "2024-01-01T00:00:00Z", data("u"));
            let theirs = entry(manager, operation, "2023-01-01T00:00:00Z", fields.clone());
            let migrated = migrated(&object(&[user.clone(), theirs]));
            let ours = entry(FIELD_MANAGER, "Apply", "2023-01-01T00:00:00Z", fields);
            assert_eq!(migrated, is_former.then(|| json!([user, ours])), "{manager} {operation}");
        }
    }

    #[test]
    fn several_entries_are_joined_under_the_newest_version() {
        let old = entry("helm-operator", "Update", "2023-01-01T00:00:00Z", json!({"f:data": {"f:a": {}}, "f:x": {}}));
        let mut new = entry("Helm", "Update", "2024-01-01T00:00:00Z", json!({"f:data": {".": {}, "f:b": {}}}));
        new["apiVersion"] = json!("v2");
        let ours = entry(FIELD_MANAGER, "Apply", "2022-01-01T00:00:00Z", json!({"f:x": {"f:y": {}}}));
        let migrated = migrated(&object(&[old, new, ours])).unwrap();
        let fields = json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}, "f:x": {".": {}, "f:y": {}}});
        let mut expected = entry(FIELD_MANAGER, "Apply", "2024-01-01T00:00:00Z", fields);
        expected["apiVersion"] = json!("v2");
        assert_eq!(migrated, json!([expected]));
    }

    #[test]
    fn the_status_and_objects_without_entries_are_left_alone() {
        let mut status = entry("helm-operator", "Update", "2023-01-01T00:00:00Z", json!({"f:status": {}}));
        status["subresource"] = json!("status");
        assert_eq!(migrated(&object(&[status])), None);
        assert_eq!(migrated(&json!({"metadata": {}})), None);
    }
}
