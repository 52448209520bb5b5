//! How a hook runs: what its object says of itself, and what is to be done next.
//!
//! Mirrors Helm v4.3.1, `pkg/action/hooks.go`, `pkg/kube/statuswait.go` and `internal/statusreaders`: Jobs and Pods are
//! waited for, everything else is done when it is created.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::release::Json;
use crate::release::hook::{DeletePolicy, Event, Hook};

/// How long a hook is waited for, in seconds, where its object sets no deadline of its own: Helm's `--timeout`.
const TIMEOUT: i64 = 300;

/// How long after its own deadline an object may take to say that it is over, in seconds.
const GRACE: i64 = 30;

/// How far the object of a hook is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not ended; in Helm's words.
    Running(&'static str),
    /// It ended well.
    Succeeded,
    /// It did not: Helm's words, and what it says of the cause.
    Failed(String),
}

impl State {
    /// Of a live object.
    pub fn of(object: &Json) -> Self {
        match (text(object, "/apiVersion").rsplit_once('/').map_or("", |(group, _)| group), text(object, "/kind")) {
            ("batch", "Job") => job(object),
            ("", "Pod") => pod(object),
            _ => Self::Succeeded,
        }
    }

    /// Whether it will not change any more.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Running(_))
    }
}

/// Whether objects of a kind take time to end, and so are watched.
pub fn takes_time(group: &str, kind: &str) -> bool {
    matches!((group, kind), ("batch", "Job") | ("", "Pod"))
}

fn text<'a>(object: &'a Json, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

pub(crate) fn job(object: &Json) -> State {
    let conditions = object.pointer("/status/conditions").and_then(Json::as_array).into_iter().flatten();
    let number = |pointer, default| object.pointer(pointer).and_then(Json::as_i64).unwrap_or(default);
    for condition in conditions.filter(|condition| condition["status"] == "True") {
        match condition["type"].as_str() {
            Some("Complete") => return State::Succeeded,
            Some("Failed") => {
                let completions = number("/spec/completions", number("/spec/parallelism", 1));
                let told = format!("Job Failed. failed: {}/{completions}", number("/status/failed", 0));
                return State::Failed(with_cause(told, text(condition, "/reason"), text(condition, "/message")));
            }
            _ => {}
        }
    }
    State::Running("Job in progress")
}

fn pod(object: &Json) -> State {
    match text(object, "/status/phase") {
        "Succeeded" => State::Succeeded,
        "Failed" => {
            let told = format!("pod {} failed", text(object, "/metadata/name"));
            State::Failed(with_cause(told, text(object, "/status/reason"), text(object, "/status/message")))
        }
        _ => State::Running("Pod in progress"),
    }
}

fn with_cause(mut told: String, reason: &str, message: &str) -> String {
    for part in [reason, message].into_iter().filter(|part| !part.is_empty()) {
        told.push_str(": ");
        told.push_str(part);
    }
    told
}

/// How long the object of a hook is waited for, in seconds: as long as it gives itself, else [`TIMEOUT`].
pub fn timeout(object: &Json) -> i64 {
    let own = object.pointer("/spec/activeDeadlineSeconds").and_then(Json::as_i64);
    own.map_or(TIMEOUT, |seconds| seconds.saturating_add(GRACE))
}

/// What a hook's object that is not ready makes Helm say.
pub struct NotReady<'a> {
    /// Kind of the object.
    pub kind: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// `Failed`, `InProgress`
    pub status: &'static str,
    /// What it says.
    pub message: &'a str,
}

impl fmt::Display for NotReady<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name, status, message } = self;
        write!(f, "resource {kind}/{namespace}/{name} not ready. status: {status}, message: {message}")
    }
}

/// What the cluster has under the name of a hook's object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// What this run made.
    Own(State),
    /// What an earlier run left, or nobody known.
    Former {
        /// Whether it is on its way out.
        deleting: bool,
        /// Whether it was made by a hook of this resource.
        ours: bool,
    },
    /// What belongs to another.
    Taken(String),
}

/// What is to be done for an object of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Create it.
    Create,
    /// Delete what stands in its place.
    Delete,
    /// Wait until that is gone.
    AwaitDeletion,
    /// Look how far it is.
    Look(State),
}

/// What is to be done for an object of `hook`, which may be of a kind that takes time to end. Once the run is recorded as
/// begun, nothing is created any more: an object that is gone may have done its work. What an earlier run left is never
/// taken for this one's: Helm 4 would apply over a Job that has ended, and so not run it.
pub fn next(hook: &Hook, takes_time: bool, begun: bool, found: Found) -> Next {
    let failed = |why: String| Next::Look(State::Failed(why));
    match found {
        Found::Own(state) => Next::Look(state),
        _ if begun => failed("it was deleted before its end was seen".to_owned()),
        Found::Former { deleting: true, .. } => Next::AwaitDeletion,
        Found::Former { .. } if hook.deletes(DeletePolicy::BeforeHookCreation) => Next::Delete,
        Found::Former { ours: true, .. } if takes_time => Next::Delete,
        Found::Former { .. } if takes_time => failed("it already exists".to_owned()),
        Found::Taken(by) => failed(format!("it exists and {by}")),
        Found::Absent | Found::Former { .. } => Next::Create,
    }
}

/// How far a release is between two revisions: which event's hooks run, or ran last.
///
/// It is kept beside the record, whose `last_run` of a hook does not say for which event that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The event.
    #[serde(with = "by_name")]
    pub event: Event,
    /// How often the event's hooks were begun; only those of a deletion are tried again.
    pub tries: u32,
}

impl Stage {
    /// The first try.
    pub const fn first(event: Event) -> Self {
        Self { event, tries: 1 }
    }

    /// The mark of the objects that its hooks make.
    pub fn mark(&self, revision: u32) -> String {
        format!("v{revision}.{}.{}", self.event.name(), self.tries)
    }
}

mod by_name {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::release::hook::Event;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(super) fn serialize<S: Serializer>(event: &Event, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(event.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Event, D::Error> {
        let name = String::deserialize(deserializer)?;
        Event::named(&name).ok_or_else(|| D::Error::custom(format!("`{name}` is no event of a hook")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::release::hook::Head;
    use crate::release::labels;

    #[test]
    fn jobs_and_pods_end_by_themselves_and_everything_else_is_done_at_once() {
        let job = |status: &Json| json!({"apiVersion": "batch/v1", "kind": "Job", "spec": {}, "status": status});
        let pod =
            |status: &Json| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": status});
        let condition = |of: &str, status: &str| json!({"conditions": [{"type": of, "status": status}]});
        let mut broken = condition("Failed", "True");
        broken["failed"] = json!(2);
        broken["conditions"][0]["reason"] = json!("BackoffLimitExceeded");
        broken["conditions"][0]["message"] = json!("Job has reached the specified backoff limit");
        let cases = [
            (json!({"apiVersion": "v1", "kind": "ConfigMap"}), State::Succeeded),
            (json!({"apiVersion": "x.io/v1", "kind": "Job"}), State::Succeeded),
            (job(&json!({"active": 1})), State::Running("Job in progress")),
            (job(&condition("Complete", "False")), State::Running("Job in progress")),
            (job(&condition("Complete", "True")), State::Succeeded),
            (
                job(&broken),
                State::Failed(
                    "Job Failed. failed: 2/1: BackoffLimitExceeded: Job has reached the specified backoff limit".into(),
                ),
            ),
            (pod(&json!({})), State::Running("Pod in progress")),
            (pod(&json!({"phase": "Running"})), State::Running("Pod in progress")),
            (pod(&json!({"phase": "Succeeded"})), State::Succeeded),
            (pod(&json!({"phase": "Failed", "reason": "Evicted"})), State::Failed("pod p failed: Evicted".into())),
        ];
        for (object, expected) in cases {
            assert_eq!(State::of(&object), expected, "{object}");
        }
    }

    #[test]
    fn an_object_that_sets_its_own_deadline_is_waited_for_that_long() {
        assert_eq!(timeout(&json!({"spec": {}})), 300);
        assert_eq!(timeout(&json!({"spec": {"activeDeadlineSeconds": 3600}})), 3630);
    }

    #[test]
    fn what_is_done_for_an_object_follows_from_what_is_there() {
        let hook = |policy: &str| {
            let mut annotations = BTreeMap::from([(labels::HOOK.to_owned(), "pre-install".to_owned())]);
            if !policy.is_empty() {
                annotations.insert(labels::HOOK_DELETE_POLICY.to_owned(), policy.to_owned());
            }
            Hook::parse(Head { path: "p", kind: "Job", name: "j", annotations: &annotations }, "").unwrap()
        };
        let lost = || Next::Look(State::Failed("it was deleted before its end was seen".into()));
        let own = || Found::Own(State::Succeeded);
        let former = |deleting, ours| Found::Former { deleting, ours };
        let failed = |why: &str| Next::Look(State::Failed(why.into()));
        let cases = [
            ("", true, false, Found::Absent, Next::Create),
            ("", true, false, former(false, false), Next::Delete),
            ("hook-succeeded", false, false, former(false, false), Next::Create),
            ("hook-succeeded", false, false, former(true, true), Next::AwaitDeletion),
            ("hook-succeeded", true, false, former(false, true), Next::Delete),
            ("hook-succeeded", true, false, former(false, false), failed("it already exists")),
            ("", true, false, own(), Next::Look(State::Succeeded)),
            ("", true, true, own(), Next::Look(State::Succeeded)),
            ("", true, false, Found::Taken("belongs to x".into()), failed("it exists and belongs to x")),
            ("", true, true, Found::Absent, lost()),
            ("", true, true, former(false, true), lost()),
        ];
        for (policy, takes_time, begun, found, expected) in cases {
            let name = format!("{policy} {takes_time} {begun} {found:?}");
            assert_eq!(next(&hook(policy), takes_time, begun, found), expected, "{name}");
        }
    }

    #[test]
    fn a_stage_is_read_back_and_its_mark_is_a_label() {
        let stage = Stage { event: Event::PreDelete, tries: 2 };
        let text = serde_json::to_string(&stage).unwrap();
        assert_eq!(text, r#"{"event":"pre-delete","tries":2}"#);
        assert_eq!(serde_json::from_str::<Stage>(&text).unwrap(), stage);
        assert!(serde_json::from_str::<Stage>(r#"{"event":"odd","tries":2}"#).is_err());
        assert_eq!(stage.mark(7), "v7.pre-delete.2");
    }
}
