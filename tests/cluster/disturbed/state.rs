//! What is in a namespace, without what differs from one namespace and one run to the next.

use std::collections::{BTreeMap, BTreeSet};

use chart_operator::release::record::Record;
use kube::api::ListParams;
use serde_json::{Value as Json, json};
use testbed::audit::Request;

use crate::support::Namespace;

/// Every object, by kind and name.
pub(crate) type State = BTreeMap<String, Json>;

const KINDS: [&str; 7] = ["Web", "Deployment", "Service", "ConfigMap", "ServiceAccount", "Secret", "Job"];

/// What is there now.
pub(crate) async fn state(namespace: &Namespace) -> State {
    let mut state = State::new();
    for kind in KINDS {
        for object in namespace.api(kind).list(&ListParams::default()).await.unwrap() {
            let object = serde_json::to_value(object).unwrap();
            let name = format!("{kind} {}", object["metadata"]["name"].as_str().unwrap());
            state.insert(name, comparable(&namespace.name, object));
        }
    }
    state
}

fn comparable(namespace: &str, mut object: Json) -> Json {
    if let Ok(record) = Record::decode(&object) {
        object["data"] = serde_json::to_value(record).unwrap();
        for time in ["first_deployed", "last_deployed"] {
            object["data"]["info"][time] = json!(null);
        }
        let metadata = &mut object["metadata"];
        for label in ["createdAt", "modifiedAt"] {
            metadata["labels"][label] = json!(null);
        }
        // Digests, of UIDs too.
        metadata["annotations"]["chart-operator.dev/applied"] = json!(null);
    }
    if let Some(actions) = object.pointer_mut("/metadata/annotations/chart-operator.dev~1actions") {
        *actions = serde_json::from_str(actions.as_str().unwrap()).unwrap();
    }
    strip(&mut object);
    serde_json::from_str(&object.to_string().replace(namespace, "NAMESPACE")).unwrap()
}

/// Takes off what the API server made up, and times.
fn strip(value: &mut Json) {
    match value {
        Json::Object(map) => {
            for made_up in [
                "uid",
                "resourceVersion",
                "creationTimestamp",
                "clusterIP",
                "clusterIPs",
                "lastTransitionTime",
                "lastUpdateTime",
                "time",
                "startTime",
                "completionTime",
                "lastProbeTime",
                "started",
                "completed",
                "started_at",
                "completed_at",
                "controller-uid",
                "batch.kubernetes.io/controller-uid",
                "tests/pass",
                "f:tests/pass",
            ] {
                map.remove(made_up);
            }
            // An owner's entry in managedFields is named by his UID.
            let owner = |name: &String| name.starts_with("k:{\"uid\"");
            if let Some(name) = map.keys().find(|name| owner(name)).cloned()
                && let Some(fields) = map.remove(&name)
            {
                map.insert("k:owner".to_owned(), fields);
            }
            map.values_mut().for_each(strip);
            // A list by type, in the order in which they came up.
            if let Some(conditions) = map.get_mut("conditions").and_then(Json::as_array_mut) {
                conditions.sort_by_key(|condition| condition["type"].to_string());
            }
            // Who only ever asked for passes owns nothing that counts; the others have no order.
            if let Some(managers) = map.get_mut("managedFields").and_then(Json::as_array_mut) {
                managers.retain(|entry| entry["manager"] != "jane");
                managers.sort_by_key(|entry| format!("{} {}", entry["manager"], entry["subresource"]));
            }
        }
        Json::Array(list) => list.iter_mut().for_each(strip),
        Json::String(text) if text.starts_with("applyset-") => "SET".clone_into(text),
        _ => {}
    }
}

/// How two states differ, a line for each place.
pub(crate) fn differences(expected: &State, found: &State) -> Vec<String> {
    let names: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let mut lines = Vec::new();
    for name in names {
        let side = |state: &State| state.get(name).cloned().unwrap_or_default();
        compare(name, &side(expected), &side(found), &mut lines);
    }
    lines
}

fn compare(place: &str, expected: &Json, found: &Json, lines: &mut Vec<String>) {
    match (expected, found) {
        (Json::Object(a), Json::Object(b)) => {
            let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let side = |map: &serde_json::Map<String, Json>| map.get(key).cloned().unwrap_or_default();
                compare(&format!("{place}/{key}"), &side(a), &side(b), lines);
            }
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            for (place_in, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{place}/{place_in}"), a, b, lines);
            }
        }
        _ if expected == found => {}
        _ => lines.push(format!("{place}: expected {expected}, found {found}")),
    }
}

/// How often each object was created and deleted, by resource and name.
pub(crate) type Counts = BTreeMap<String, (usize, usize)>;

/// Counts what `calls` did; objects that they only patched are counted too, with zeros.
pub(crate) fn counts(calls: &[Request]) -> Counts {
    let mut counts = Counts::new();
    for call in calls.iter().filter(|call| call.is_write() && call.resource != "events") {
        let resource = call.resource.trim_end_matches("/status");
        let (created, deleted) = counts.entry(format!("{resource} {}", call.name)).or_default();
        *created += usize::from(call.code == 201);
        *deleted += usize::from(call.verb == "delete" && (200..300).contains(&call.code));
    }
    counts
}

/// What was created or deleted more often than expected, or written without need.
pub(crate) fn excess(expected: &Counts, found: &Counts) -> Vec<String> {
    let mut lines = Vec::new();
    for (object, (created, deleted)) in found {
        match expected.get(object) {
            None => lines.push(format!("{object}: written, and never without the fault")),
            Some((most_created, most_deleted)) => {
                if created > most_created || deleted > most_deleted {
                    lines.push(format!(
                        "{object}: created {created} and deleted {deleted} times, without the fault {most_created} and \
                         {most_deleted}"
                    ));
                }
            }
        }
    }
    lines
}
