//! The Job of an action: as it is created, and what it, or its Pods, say at its end.

use jiff::Timestamp;
use serde_json::{Map, json};

use crate::release::action::{End, On, Seen};
use crate::release::hook::run::{self, State};
use crate::release::prepare::Prepared;
use crate::release::{Json, labels};

/// How long the Job of an action may take where it does not say, in seconds.
const DEADLINE: i64 = 600;

/// The longest message that is kept of a failure, in bytes.
const LONGEST: usize = 1024;

/// How far the Job of an action is, for those who may not delete it before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// When it runs.
    pub on: On,
    /// Whether it has ended.
    pub has_ended: bool,
}

/// How far `object` is, if it is the Job of an action.
pub fn progress(object: &Json) -> Option<Progress> {
    let annotations = object.pointer("/metadata/annotations")?;
    annotations.get(labels::ATTEMPT)?;
    let on = annotations.get(labels::ON).and_then(Json::as_str).and_then(On::named);
    Some(Progress { on: on.unwrap_or_default(), has_ended: run::job(object).is_final() })
}

/// The Job with the deadline and the number of tries that it gets where it sets none.
pub fn with_defaults(mut job: Prepared) -> Prepared {
    if let Some(spec) = job.body.get_mut("spec").and_then(Json::as_object_mut) {
        spec.entry("activeDeadlineSeconds").or_insert(json!(DEADLINE));
        // Who tries again is the operator.
        spec.entry("backoffLimit").or_insert(json!(0));
    }
    job
}

/// What is sent to create the Job as this try.
pub fn of_attempt(job: &Prepared, on: On, attempt: u32) -> Json {
    let mut body = job.body.clone();
    for place in ["", "/spec/template"] {
        if let Some(annotations) = body.pointer_mut(place).and_then(annotations) {
            annotations.insert(labels::ATTEMPT.to_owned(), json!(attempt.to_string()));
        }
    }
    if let Some(annotations) = annotations(&mut body).filter(|_| on != On::default()) {
        annotations.insert(labels::ON.to_owned(), json!(on.name()));
    }
    body
}

/// The annotations of an object; the API server is to refuse what leaves no room for any.
fn annotations(object: &mut Json) -> Option<&mut Map<String, Json>> {
    let metadata = object.as_object_mut()?.entry("metadata").or_insert_with(|| json!({}));
    metadata.as_object_mut()?.entry("annotations").or_insert_with(|| json!({})).as_object_mut()
}

/// What is seen of a Job; of its end what its `pods` say too.
pub fn seen(job: &Json, pods: &[Json]) -> Seen {
    let text = |pointer: &str| job.pointer(pointer).and_then(Json::as_str);
    let attempt = job.pointer("/metadata/annotations").and_then(|all| all.get(labels::ATTEMPT)?.as_str()?.parse().ok());
    Seen {
        uid: text("/metadata/uid").unwrap_or_default().to_owned(),
        attempt: attempt.unwrap_or(1),
        created: text("/metadata/creationTimestamp").and_then(time).unwrap_or(Timestamp::UNIX_EPOCH),
        deleting: text("/metadata/deletionTimestamp").is_some(),
        end: end(job, pods),
    }
}

fn end(job: &Json, pods: &[Json]) -> Option<End> {
    let mut conditions = job.pointer("/status/conditions").and_then(Json::as_array).into_iter().flatten();
    let is_last = |condition: &&Json| {
        condition["status"] == "True" && matches!(condition["type"].as_str(), Some("Complete" | "Failed"))
    };
    let condition = conditions.find(is_last)?;
    let times = [condition.get("lastTransitionTime"), job.pointer("/status/completionTime")];
    let at = times.into_iter().flatten().find_map(|at| time(at.as_str()?)).unwrap_or(Timestamp::UNIX_EPOCH);
    let outcome = match run::job(job) {
        State::Failed(_) => Err(failure(condition, pods)),
        State::Running(_) | State::Succeeded => Ok(result(pods)),
    };
    Some(End { at, outcome })
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// The termination message of the first container of the Pod that succeeded: JSON, or else the text.
fn result(pods: &[Json]) -> Json {
    let succeeded = pods.iter().find(|pod| pod.pointer("/status/phase").and_then(Json::as_str) == Some("Succeeded"));
    let message = succeeded.and_then(|pod| {
        let first = pod.pointer("/spec/containers/0/name")?;
        let mut statuses = pod.pointer("/status/containerStatuses")?.as_array()?.iter();
        statuses.find(|status| status.get("name") == Some(first))?.pointer("/state/terminated/message")?.as_str()
    });
    let text = message.unwrap_or_default().trim();
    serde_json::from_str(text).unwrap_or_else(|_no_json| json!(text))
}

/// What the Job says of its failure, and what the container said that ended last with one.
fn failure(condition: &Json, pods: &[Json]) -> String {
    let mut ends: Vec<_> = pods.iter().flat_map(terminated).filter(|end| end["exitCode"] != 0).collect();
    ends.sort_by_key(|end| end["finishedAt"].as_str().and_then(time));
    let said = ends.iter().rev().find_map(|end| Some(end.get("message")?.as_str()?.trim())).unwrap_or_default();
    let parts = [condition["reason"].as_str(), condition["message"].as_str(), Some(said)];
    let parts: Vec<_> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    let text = if parts.is_empty() { "the Job failed".to_owned() } else { parts.join(": ") };
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default().to_owned()
}

/// How the containers of a Pod ended that have.
fn terminated(pod: &Json) -> impl Iterator<Item = &Json> {
    let lists = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let statuses = lists.into_iter().filter_map(|list| pod.pointer(list)?.as_array()).flatten();
    statuses.filter_map(|status| status.pointer("/state/terminated"))
}
