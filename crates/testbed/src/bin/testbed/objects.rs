//! The kinds that demo and benchmark deal with, how they are written to a cluster, and how they are told in a few words.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::ResourceExt as _;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value as Json;

const GROUP: &str = "charts.samutup.com";
/// Who owns the fields that we write.
const FIELD_MANAGER: &str = "chart-operator-testbed";

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// As it should be.
    Good,
    /// On its way.
    Waiting,
    /// Wrong.
    Bad,
}

/// `Web`, the resource of this repository's second chart.
pub(crate) fn web() -> ApiResource {
    resource(GROUP, "v1alpha1", "Web", "webs")
}

/// `Minimart`, the resource of this repository's first chart.
pub(crate) fn minimart() -> ApiResource {
    resource(GROUP, "v1alpha1", "Minimart", "minimarts")
}

/// The kinds that a `Web` is made of.
pub(crate) fn children() -> Vec<ApiResource> {
    vec![
        resource("apps", "v1", "Deployment", "deployments"),
        resource("", "v1", "Service", "services"),
        resource("", "v1", "ServiceAccount", "serviceaccounts"),
        resource("", "v1", "ConfigMap", "configmaps"),
    ]
}

/// `Pod`.
pub(crate) fn pod() -> ApiResource {
    resource("", "v1", "Pod", "pods")
}

/// A kind.
pub(crate) fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// An object from a YAML file.
///
/// # Errors
/// The file cannot be read, or holds no object.
pub(crate) fn load(path: &Path) -> Result<DynamicObject> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let json: Json = serde_saphyr::from_str(&text).with_context(|| format!("{} is no YAML", path.display()))?;
    serde_json::from_value(json).with_context(|| format!("{} is no Kubernetes object", path.display()))
}

/// Applies an object.
///
/// # Errors
/// The API server refuses it.
pub(crate) async fn apply(api: &Api<DynamicObject>, object: &DynamicObject) -> Result<DynamicObject> {
    let name = object.name_any();
    api.patch(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(object))
        .await
        .with_context(|| format!("cannot apply `{name}`"))
}

/// Changes some fields of an object.
///
/// # Errors
/// The API server refuses it.
pub(crate) async fn merge(api: &Api<DynamicObject>, name: &str, patch: &Json) -> Result<DynamicObject> {
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .with_context(|| format!("cannot change `{name}`"))
}

/// Applies every CRD of the project and waits until their resources can be made. The names of those that were not there
/// before are added to `new`, also when a later one fails.
///
/// # Errors
/// A file is broken, or the API server refuses it or does not serve it in time.
pub(crate) async fn apply_crds(client: &Client, project: &Path, new: &mut Vec<String>) -> Result<()> {
    let folder = project.join("config/crd/bases");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let kind = resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions");
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
    for path in paths {
        let object = load(&path)?;
        let name = object.name_any();
        if definitions.get_opt(&name).await?.is_none() {
            new.push(name.clone());
        }
        apply(&api, &object).await?;
        established(&definitions, &name).await?;
    }
    Ok(())
}

async fn established(definitions: &Api<CustomResourceDefinition>, name: &str) -> Result<()> {
    for _ in 0..600 {
        let conditions = definitions.get(name).await?.status.and_then(|status| status.conditions).unwrap_or_default();
        if conditions.iter().any(|condition| condition.type_ == "Established" && condition.status == "True") {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("expected within 30 s: the CRD `{name}` is established")
}

/// Status, reason and message of a condition.
pub(crate) fn condition<'a>(object: &'a DynamicObject, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let conditions = object.data.pointer("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|condition| condition.get("type").and_then(Json::as_str) == Some(kind))?;
    let text = |field: &str| found.get(field).and_then(Json::as_str).unwrap_or_default();
    Some((text("status"), text("reason"), text("message")))
}

/// Whether a condition is `True`.
pub(crate) fn is_true(object: &DynamicObject, kind: &str) -> bool {
    condition(object, kind).is_some_and(|(status, ..)| status == "True")
}

/// A number somewhere in an object.
pub(crate) fn number(object: &DynamicObject, pointer: &str) -> Option<i64> {
    object.data.pointer(pointer).and_then(Json::as_i64)
}

/// How an object is, in a few words.
pub(crate) fn state(kind: &str, object: &DynamicObject) -> (Mark, String) {
    if object.metadata.deletion_timestamp.is_some() {
        return (Mark::Waiting, "going".to_owned());
    }
    match kind {
        "Web" | "Minimart" => resource_state(object),
        "Deployment" => deployment_state(object),
        "Pod" => {
            let phase = object.data.pointer("/status/phase").and_then(Json::as_str).unwrap_or("Pending");
            let ready = is_true(object, "Ready");
            (if ready { Mark::Good } else { Mark::Waiting }, format!("{phase}{}", if ready { ", ready" } else { "" }))
        }
        "Service" => {
            let kind = object.data.pointer("/spec/type").and_then(Json::as_str).unwrap_or_default();
            (Mark::Good, format!("{kind}, port {}", number(object, "/spec/ports/0/port").unwrap_or_default()))
        }
        _ => (Mark::Good, "there".to_owned()),
    }
}

fn deployment_state(object: &DynamicObject) -> (Mark, String) {
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    let available = number(object, "/status/availableReplicas").unwrap_or_default();
    let seen = number(object, "/status/observedGeneration") == object.metadata.generation;
    let mark = if seen && available == wanted { Mark::Good } else { Mark::Waiting };
    (mark, format!("{available}/{wanted} available"))
}

fn resource_state(object: &DynamicObject) -> (Mark, String) {
    for failure in ["ReleaseFailed", "Irreconcilable", "Stalled"] {
        if let Some(("True", reason, message)) = condition(object, failure) {
            return (Mark::Bad, format!("{failure}: {reason}: {}", first_line(message)));
        }
    }
    let release = object.data.pointer("/status/deployedRelease/name").and_then(Json::as_str);
    let release = release.map_or_else(String::new, |name| format!(", release {name}"));
    match condition(object, "Ready") {
        Some(("True", ..)) => (Mark::Good, format!("ready{release}")),
        Some((_, reason, message)) => (Mark::Waiting, format!("{reason}: {}", first_line(message))),
        None if is_true(object, "Deployed") => (Mark::Good, format!("deployed{release}")),
        None if is_true(object, "Initialized") => (Mark::Waiting, "initialized".to_owned()),
        None => (Mark::Waiting, "not looked at yet".to_owned()),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use crate::objects::{Mark, state};

    #[test]
    fn states_are_told_in_a_few_words() {
        let conditions = |list: Json| json!({"status": {"conditions": list, "deployedRelease": {"name": "r"}}});
        let table = [
            ("Web", json!({}), Mark::Waiting, "not looked at yet"),
            ("Web", conditions(json!([{"type": "Initialized", "status": "True"}])), Mark::Waiting, "initialized"),
            ("Web", conditions(json!([{"type": "Deployed", "status": "True"}])), Mark::Good, "deployed, release r"),
            ("Web", conditions(json!([{"type": "Ready", "status": "True"}])), Mark::Good, "ready, release r"),
            (
                "Web",
                conditions(json!([{"type": "Ready", "status": "False", "reason": "Waits", "message": "a\nb"}])),
                Mark::Waiting,
                "Waits: a",
            ),
            (
                "Web",
                conditions(json!([
                    {"type": "Ready", "status": "True"},
                    {"type": "ReleaseFailed", "status": "True", "reason": "UpdateError", "message": "no"},
                ])),
                Mark::Bad,
                "ReleaseFailed: UpdateError: no",
            ),
            ("Deployment", json!({"spec": {"replicas": 2}}), Mark::Waiting, "0/2 available"),
            ("Deployment", json!({"spec": {"replicas": 0}}), Mark::Good, "0/0 available"),
            (
                "Service",
                json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80}]}}),
                Mark::Good,
                "ClusterIP, port 80",
            ),
            ("ConfigMap", json!({}), Mark::Good, "there"),
        ];
        for (kind, mut object, mark, words) in table {
            object["metadata"] = json!({"name": "n"});
            let object = serde_json::from_value(object).unwrap();
            assert_eq!(state(kind, &object), (mark, words.to_owned()), "{kind}");
        }
    }

    #[test]
    fn what_is_being_deleted_is_going() {
        let object = json!({"metadata": {"name": "n", "deletionTimestamp": "2026-01-01T00:00:00Z"}});
        let object = serde_json::from_value(object).unwrap();
        assert_eq!(state("Web", &object).1, "going");
    }
}
