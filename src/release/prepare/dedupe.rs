//! Lists that the API server merges by key, and what to do with one key twice: the last item wins, as it does for a
//! container's environment when Helm sends it.
//!
//! Mirrors the `x-kubernetes-list-map-keys` of Kubernetes 1.35's built-in types.

use std::collections::BTreeSet;

use serde_json::Map;

use crate::release::Json;

/// A list merged by key, and the lists inside its items.
struct Merged {
    /// The field.
    name: &'static str,
    /// The fields of an item that make its key, with what the server takes an absent one for.
    keys: &'static [(&'static str, Option<&'static str>)],
    /// Fields of an item to go into.
    inside: &'static [Place],
}

/// Where merged lists are found.
enum Place {
    /// In a field that is a map.
    In(&'static str, &'static [Self]),
    /// Here.
    List(Merged),
}

const fn list(name: &'static str, keys: &'static [(&'static str, Option<&'static str>)]) -> Place {
    Place::List(Merged { name, keys, inside: &[] })
}

const NAME: &[(&str, Option<&str>)] = &[("name", None)];

const CONTAINER: &[Place] = &[
    list("env", NAME),
    list("ports", &[("containerPort", None), ("protocol", Some("TCP"))]),
    list("volumeMounts", &[("mountPath", None)]),
    list("volumeDevices", &[("devicePath", None)]),
    Place::In("resources", &[list("claims", NAME)]),
];

const POD: &[Place] = &[
    Place::List(Merged { name: "containers", keys: NAME, inside: CONTAINER }),
    Place::List(Merged { name: "initContainers", keys: NAME, inside: CONTAINER }),
    list("volumes", NAME),
    list("imagePullSecrets", NAME),
    list("hostAliases", &[("ip", None)]),
    list("topologySpreadConstraints", &[("topologyKey", None), ("whenUnsatisfiable", None)]),
    list("resourceClaims", NAME),
    list("schedulingGates", NAME),
];

const WEBHOOKS: &[Place] =
    &[Place::List(Merged { name: "webhooks", keys: NAME, inside: &[list("matchConditions", NAME)] })];

const TEMPLATE: &[Place] = &[Place::In("template", &[Place::In("spec", POD)])];
const WORKLOAD: &[Place] = &[Place::In("spec", TEMPLATE)];
const CRON_JOB: &[Place] = &[Place::In("spec", &[Place::In("jobTemplate", WORKLOAD)])];
const SERVICE_PORTS: &[Place] = &[list("ports", &[("port", None), ("protocol", Some("TCP"))])];
const SERVICE: &[Place] = &[Place::In("spec", SERVICE_PORTS)];
const SERVICE_ACCOUNT: &[Place] = &[list("secrets", NAME)];

/// Where a kind has merged lists.
fn places(group: &str, kind: &str) -> &'static [Place] {
    match (group, kind) {
        ("", "Pod") => &[Place::In("spec", POD)],
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job")
        | ("", "ReplicationController") => WORKLOAD,
        ("batch", "CronJob") => CRON_JOB,
        ("", "Service") => SERVICE,
        ("", "ServiceAccount") => SERVICE_ACCOUNT,
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration") => WEBHOOKS,
        _ => &[],
    }
}

/// Removes all but the last item of each key, and answers list and key of what was removed.
pub(crate) fn dedupe(body: &mut Map<String, Json>) -> Vec<(String, String)> {
    let text = |field| body.get(field).and_then(Json::as_str).unwrap_or_default();
    let gvk = crate::release::Gvk::new(text("apiVersion"), text("kind"));
    let mut removed = Vec::new();
    visit(body, places(&gvk.group, &gvk.kind), "", &mut removed);
    removed
}

fn visit(map: &mut Map<String, Json>, places: &[Place], path: &str, removed: &mut Vec<(String, String)>) {
    for place in places {
        match place {
            Place::In(field, inside) => {
                if let Some(Json::Object(map)) = map.get_mut(*field) {
                    visit(map, inside, &join(path, field), removed);
                }
            }
            Place::List(merged) => {
                if let Some(Json::Array(items)) = map.get_mut(merged.name) {
                    merged.visit(items, &join(path, merged.name), removed);
                }
            }
        }
    }
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

impl Merged {
    fn visit(&self, items: &mut Vec<Json>, path: &str, removed: &mut Vec<(String, String)>) {
        let mut seen = BTreeSet::new();
        let mut kept = Vec::with_capacity(items.len());
        // From the end, so that the first seen is the last written.
        while let Some(mut item) = items.pop() {
            let key = self.key(&item);
            if let Some(key) = key.as_ref().filter(|key| seen.contains(*key)) {
                removed.push((path.to_owned(), key.clone()));
                continue;
            }
            if let Json::Object(map) = &mut item {
                visit(map, self.inside, &format!("{path}[{}]", key.as_deref().unwrap_or_default()), removed);
            }
            seen.extend(key);
            kept.push(item);
        }
        kept.reverse();
        *items = kept;
    }

    /// The key of an item as text; `None` where a field of it is missing, which the server refuses by itself.
    fn key(&self, item: &Json) -> Option<String> {
        let parts = self.keys.iter().map(|(field, default)| match item.get(field) {
            Some(Json::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
            None => default.map(str::to_owned),
        });
        parts.collect::<Option<Vec<_>>>().map(|parts| parts.join("/"))
    }
}
