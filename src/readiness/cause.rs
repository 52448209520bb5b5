//! Why something is not ready: found in its Pods, in their containers, and in what events tell of them.
//!
//! A cause is worded so that it stays the same while nothing new happens: without ages, counts of restarts and pauses, and
//! alike whether a container is about to be started again or has just failed. What a container itself has said (its
//! termination message, the output of a probe) may hold secrets, and is left out.

use crate::readiness::Json;
use crate::readiness::generic::{conditions, number, text};

/// The longest message that is passed on, in bytes.
const LONGEST: usize = 300;

/// Events whose message is Kubernetes' own, with nothing in it that a container said.
const TRUSTED_EVENTS: [&str; 11] = [
    "FailedAttachVolume",
    "FailedBinding",
    "FailedCreate",
    "FailedCreatePodSandBox",
    "FailedMapVolume",
    "FailedMount",
    "FailedScheduling",
    "NetworkNotReady",
    "ProvisioningFailed",
    "SyncLoadBalancerFailed",
    "WaitForFirstConsumer",
];

/// What stands in the way. Shown as `Pod web-x: container proxy: ImagePullBackOff: …`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// What is below the object that was asked about, such as `Pod web-x`; empty where it is that object itself.
    pub subject: String,
    /// `ImagePullBackOff`, `Unschedulable`; empty where only events can tell.
    pub reason: String,
    /// More words; may be empty.
    pub message: String,
    /// UID of the object whose events may tell more.
    pub ask: Option<String>,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [&self.subject, &self.reason, &self.message].into_iter().filter(|part| !part.is_empty());
        f.write_str(&parts.map(String::as_str).collect::<Vec<_>>().join(": "))
    }
}

/// Whether there may be more to tell of `object` than it says itself: it is of a kind that has something below it, and its
/// controller has looked at it.
pub fn may_have_cause(object: &Json) -> bool {
    let api_version = text(object, "/apiVersion", "");
    match (api_version.rsplit_once('/').map_or("", |(group, _)| group), text(object, "/kind", "")) {
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet") => {
            object.pointer("/status/observedGeneration").is_some()
        }
        ("batch", "Job") => object.pointer("/status/startTime").is_some(),
        ("", "Pod" | "PersistentVolumeClaim") => object.pointer("/status/phase").is_some(),
        ("", "Service") => text(object, "/spec/type", "") == "LoadBalancer",
        _ => false,
    }
}

/// Why `object` is not ready. `pods` are those that its selector selects.
pub fn cause(object: &Json, pods: &[Json]) -> Cause {
    let uid = || Some(text(object, "/metadata/uid", "").to_owned());
    if text(object, "/kind", "") == "Pod" {
        let trouble = trouble(object);
        return trouble.map_or_else(Cause::default, |trouble| trouble.cause(String::new()));
    }
    let troubles = pods.iter().filter(|pod| text(pod, "/metadata/deletionTimestamp", "").is_empty());
    let troubles = troubles.filter_map(|pod| Some((pod, trouble(pod)?)));
    // The oldest of the worst, so that it stays the same one.
    let age = |pod: &Json| {
        (text(pod, "/metadata/creationTimestamp", "").to_owned(), text(pod, "/metadata/name", "").to_owned())
    };
    let worst = troubles.min_by_key(|(pod, trouble)| (trouble.rank, age(pod)));
    let own = own(object);
    match (worst, own) {
        (Some((pod, trouble)), own) => {
            let subject = format!("Pod {}", text(pod, "/metadata/name", ""));
            match own {
                Some(own) if own.ends => trouble.cause(format!("{}: {subject}", own.reason)),
                _ => trouble.cause(subject),
            }
        }
        (None, Some(own)) => Cause { reason: own.reason, message: own.message, ..Cause::default() },
        (None, None) => Cause { ask: uid(), ..Cause::default() },
    }
}

/// `cause`, made clearer by the events of the object that it asks about. `None` if nothing is known at all.
pub fn told(cause: Cause, events: &[Json]) -> Option<Cause> {
    let warns =
        |event: &&Json| text(event, "/type", "") == "Warning" || text(event, "/reason", "") == "WaitForFirstConsumer";
    let newest = events.iter().filter(warns).max_by_key(|event| time(event).to_owned());
    let told = newest.map(|event| {
        let reason = text(event, "/reason", "").to_owned();
        let message = event_message(&reason, text(event, "/message", ""));
        Cause { subject: cause.subject.clone(), reason, message, ask: None }
    });
    told.or_else(|| (!cause.reason.is_empty()).then_some(cause))
}

fn time(event: &Json) -> &str {
    let fields = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/firstTimestamp"];
    fields.into_iter().map(|field| text(event, field, "")).find(|time| !time.is_empty()).unwrap_or_default()
}

fn event_message(reason: &str, message: &str) -> String {
    if TRUSTED_EVENTS.contains(&reason) {
        return short(message);
    }
    // `Readiness probe failed: ` and then what the container answered.
    match message.split_once(": ") {
        Some((what, said)) if reason == "Unhealthy" && said.starts_with("HTTP probe failed with statuscode:") => {
            short(&format!("{what}: {said}"))
        }
        Some((what, _)) if reason == "Unhealthy" => short(what),
        _ => String::new(),
    }
}

/// What the object's own conditions say of its Pods.
struct Own {
    reason: String,
    message: String,
    /// It will not go on.
    ends: bool,
}

fn own(object: &Json) -> Option<Own> {
    let is_job = text(object, "/kind", "") == "Job";
    let telling = conditions(object).find(|condition| match condition.kind {
        "ReplicaFailure" => condition.status == "True",
        "Failed" | "FailureTarget" => is_job && condition.status == "True",
        _ => false,
    })?;
    Some(Own { reason: telling.reason.to_owned(), message: short(telling.message), ends: is_job })
}

/// What is wrong with a Pod.
struct Trouble {
    /// The smaller the worse.
    rank: u8,
    /// `container proxy`; empty where the Pod has one container, or where it is the Pod itself.
    container: String,
    reason: String,
    message: String,
    /// UID of the Pod, where its events may tell more.
    ask: Option<String>,
}

impl Trouble {
    fn of_pod(rank: u8, reason: &str, message: &str) -> Self {
        Self { rank, container: String::new(), reason: reason.to_owned(), message: short(message), ask: None }
    }

    fn cause(self, subject: String) -> Cause {
        let subject = [subject, self.container].into_iter().filter(|part| !part.is_empty());
        let subject = subject.collect::<Vec<_>>().join(": ");
        Cause { subject, reason: self.reason, message: self.message, ask: self.ask }
    }
}

fn trouble(pod: &Json) -> Option<Trouble> {
    let is_true = |kind: &str| conditions(pod).any(|condition| condition.kind == kind && condition.status == "True");
    match text(pod, "/status/phase", "") {
        "Succeeded" => return None,
        _ if is_true("Ready") => return None,
        _ => {}
    }
    let found = containers(pod).chain(by_conditions(pod)).min_by_key(|trouble| trouble.rank);
    let uid = || Some(text(pod, "/metadata/uid", "").to_owned());
    let found = found.unwrap_or_else(|| {
        let (rank, reason) = if is_true("PodScheduled") { (4, "not ready") } else { (5, "Pending") };
        Trouble { ask: uid(), ..Trouble::of_pod(rank, reason, "") }
    });
    // What only waits may be waiting for something that events name.
    Some(Trouble { ask: if found.rank > 1 { uid() } else { None }, ..found })
}

/// What the Pod says of itself as a whole.
fn by_conditions(pod: &Json) -> impl Iterator<Item = Trouble> {
    let failed = (text(pod, "/status/phase", "") == "Failed").then(|| {
        let reason = text(pod, "/status/reason", "Failed");
        Trouble::of_pod(1, reason, text(pod, "/status/message", ""))
    });
    let scheduled = conditions(pod).find(|condition| condition.kind == "PodScheduled" && condition.status == "False");
    let unscheduled = scheduled.map(|condition| Trouble::of_pod(1, condition.reason, condition.message));
    let gated = conditions(pod).find(|condition| {
        condition.kind == "Ready" && condition.status == "False" && condition.reason == "ReadinessGatesNotReady"
    });
    let gated = gated.map(|condition| Trouble::of_pod(2, condition.reason, condition.message));
    [failed, unscheduled, gated].into_iter().flatten()
}

/// What is wrong with its containers, those that start first first.
fn containers(pod: &Json) -> impl Iterator<Item = Trouble> {
    let list = |field: &str| pod.pointer(&format!("/{field}")).and_then(Json::as_array).into_iter().flatten();
    let alone = list("spec/containers").count() + list("spec/initContainers").count() < 2;
    let groups = [("status/initContainerStatuses", "init container"), ("status/containerStatuses", "container")];
    groups.into_iter().flat_map(move |(field, word)| {
        list(field).filter_map(move |status| {
            let (rank, reason, message) = container(status, word)?;
            let name = if alone { String::new() } else { format!("{word} {}", text(status, "/name", "")) };
            Some(Trouble { rank, container: name, reason, message, ask: None })
        })
    })
}

/// Rank, reason and message of what is wrong with a container.
fn container(status: &Json, word: &str) -> Option<(u8, String, String)> {
    let waiting = text(status, "/state/waiting/reason", "");
    let message = text(status, "/state/waiting/message", "");
    match waiting {
        "" => {}
        "CrashLoopBackOff" => return Some(crash(status)),
        "ContainerCreating" | "PodInitializing" => return Some((4, waiting.to_owned(), String::new())),
        // The kubelet goes back and forth between the two.
        "ErrImagePull" | "ImagePullBackOff" => return Some((0, "ImagePullBackOff".to_owned(), pulling(message))),
        _ => return Some((0, waiting.to_owned(), short(message))),
    }
    let fails = |state: &str| number(status, &format!("/{state}/terminated/exitCode"), 0) != 0;
    if fails("state") && number(status, "/restartCount", 0) == 0 {
        return Some((0, String::new(), ending(status, "state")));
    }
    let is_ready = status.get("ready").and_then(Json::as_bool).unwrap_or(false);
    if fails("state") || (fails("lastState") && !is_ready) {
        return Some(crash(status));
    }
    let runs = status.pointer("/state/running").is_some();
    // Init containers are ready when they have ended.
    (runs && !is_ready && word == "container").then(|| (3, "not ready".to_owned(), String::new()))
}

/// A container that fails again and again, in whichever part of that it is.
fn crash(status: &Json) -> (u8, String, String) {
    let state = if status.pointer("/state/terminated").is_some() { "state" } else { "lastState" };
    (0, "CrashLoopBackOff".to_owned(), ending(status, state))
}

/// How a container ended: `OOMKilled`, `exit code 3`.
fn ending(status: &Json, state: &str) -> String {
    let reason = text(status, &format!("/{state}/terminated/reason"), "");
    let code = number(status, &format!("/{state}/terminated/exitCode"), 0);
    match reason {
        "" | "Error" if code == 0 => String::new(),
        "" | "Error" => format!("exit code {code}"),
        // 137 says no more than that it was killed.
        "OOMKilled" => reason.to_owned(),
        reason => format!("{reason}, exit code {code}"),
    }
}

/// Why an image cannot be pulled, whichever of its two messages the kubelet shows.
fn pulling(message: &str) -> String {
    let message = message.split_once("ErrImagePull: ").map_or(message, |(_, cause)| cause);
    short(message.strip_prefix("Back-off pulling ").unwrap_or(message))
}

/// A message on one line, without gRPC's preamble, and not too long.
fn short(message: &str) -> String {
    let message = message.rsplit_once(" desc = ").map_or(message, |(_, message)| message);
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.get(..line.floor_char_boundary(LONGEST)) {
        Some(start) if start.len() < line.len() => format!("{start}…"),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A Pod of one container in that state.
    fn pod(name: &str, status: &Json) -> Json {
        json!({
            "kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": name, "uid": format!("uid-{name}"), "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"containers": [{"name": "main"}]},
            "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}],
                "containerStatuses": [status]},
        })
    }

    fn deployment() -> Json {
        json!({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"uid": "uid-d"},
            "status": {"observedGeneration": 1}})
    }

    #[test]
    fn a_container_tells_why_it_does_not_run() {
        let waiting =
            |reason: &str, message: &str| json!({"state": {"waiting": {"reason": reason, "message": message}}});
        let ended = |reason: &str, code: i64| json!({"terminated": {"reason": reason, "exitCode": code}});
        for (status, cause) in [
            (
                waiting("ErrImagePull", "rpc error: code = NotFound desc = \"shop:9\": not found"),
                "Pod a: ImagePullBackOff: \"shop:9\": not found",
            ),
            (
                waiting("ImagePullBackOff", "Back-off pulling image \"shop:9\": ErrImagePull: \"shop:9\": not found"),
                "Pod a: ImagePullBackOff: \"shop:9\": not found",
            ),
            (
                waiting("ImagePullBackOff", "Back-off pulling image \"shop:9\""),
                "Pod a: ImagePullBackOff: image \"shop:9\"",
            ),
            (
                waiting("CreateContainerConfigError", "secret \"db\" not found"),
                "Pod a: CreateContainerConfigError: secret \"db\" not found",
            ),
            (
                json!({"restartCount": 4, "lastState": ended("Error", 3),
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 1m20s restarting"}}}),
                "Pod a: CrashLoopBackOff: exit code 3",
            ),
            (json!({"restartCount": 4, "state": ended("Error", 3)}), "Pod a: CrashLoopBackOff: exit code 3"),
            (
                json!({"restartCount": 5, "lastState": ended("Error", 3), "state": {"running": {}}, "ready": false}),
                "Pod a: CrashLoopBackOff: exit code 3",
            ),
            (json!({"restartCount": 0, "state": ended("Error", 3)}), "Pod a: exit code 3"),
            (
                json!({"restartCount": 1, "lastState": ended("OOMKilled", 137), "state": {"running": {}}}),
                "Pod a: CrashLoopBackOff: OOMKilled",
            ),
            (json!({"restartCount": 0, "state": ended("StartError", 128)}), "Pod a: StartError, exit code 128"),
            (
                json!({"restartCount": 4, "lastState": ended("Error", 0), "state": {"waiting": {"reason": "CrashLoopBackOff"}}}),
                "Pod a: CrashLoopBackOff",
            ),
            (
                json!({"restartCount": 4, "lastState": ended("Completed", 0), "state": {"waiting": {"reason": "CrashLoopBackOff"}}}),
                "Pod a: CrashLoopBackOff: Completed, exit code 0",
            ),
            (
                json!({"restartCount": 2, "lastState": ended("Error", 3), "state": {"running": {}}, "ready": true}),
                "Pod a: not ready",
            ),
            (json!({"state": ended("Completed", 0)}), "Pod a: not ready"),
            (waiting("ContainerCreating", ""), "Pod a: ContainerCreating"),
            (waiting("PodInitializing", "later"), "Pod a: PodInitializing"),
            (json!({"state": {"running": {}}, "ready": false}), "Pod a: not ready"),
        ] {
            assert_eq!(super::cause(&deployment(), &[pod("a", &status)]).to_string(), cause, "{status}");
        }
    }

    #[test]
    fn the_worst_pod_is_named_and_its_container_where_it_has_several() {
        let creating = json!({"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}});
        let mut sidecar = pod("b", &creating);
        sidecar["spec"]["initContainers"] = json!([{"name": "migrate"}]);
        sidecar["status"]["initContainerStatuses"] =
            json!([{"name": "migrate", "restartCount": 0, "state": {"terminated": {"exitCode": 2}}}]);
        let mut ready = pod("c", &creating);
        ready["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
        let mut leaving = pod("0", &json!({"state": {"waiting": {"reason": "InvalidImageName"}}}));
        leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let pods = [pod("a", &creating), sidecar, ready.clone(), leaving];
        assert_eq!(cause(&deployment(), &pods).to_string(), "Pod b: init container migrate: exit code 2");
        assert_eq!(cause(&deployment(), &[ready]), Cause { ask: Some("uid-d".to_owned()), ..Cause::default() });

        let mut unscheduled = pod("d", &creating);
        unscheduled["status"] = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/3 nodes are available: 3 Insufficient cpu."}]});
        let text = "Pod d: Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.";
        assert_eq!(cause(&deployment(), std::slice::from_ref(&unscheduled)).to_string(), text);
        assert_eq!(cause(&unscheduled, &[]).to_string(), text.trim_start_matches("Pod d: "));
        let evicted = json!({"metadata": {"name": "e"},
            "status": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}});
        let text = "Pod e: Evicted: The node was low on resource: memory.";
        assert_eq!(cause(&deployment(), &[evicted]).to_string(), text);
    }

    #[test]
    fn a_pod_tells_what_its_containers_do_not_and_whether_events_may_tell_more() {
        let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "message": "m"});
        let running = || json!([{"name": "main", "state": {"running": {}}, "ready": true}]);
        let scheduled = || condition("PodScheduled", "True", "");
        for (status, text, asks) in [
            (json!({"phase": "Pending"}), "Pod a: Pending", true),
            (
                json!({"phase": "Pending", "conditions": [condition("PodScheduled", "Unknown", "r")]}),
                "Pod a: Pending",
                true,
            ),
            (
                json!({"phase": "Pending", "conditions": [condition("Initialized", "False", "r")]}),
                "Pod a: Pending",
                true,
            ),
            (
                json!({"phase": "Pending", "conditions": [condition("PodScheduled", "False", "r")]}),
                "Pod a: r: m",
                false,
            ),
            (json!({"phase": "Running", "conditions": [scheduled()]}), "Pod a: not ready", true),
            (json!({"phase": "Failed"}), "Pod a: Failed", false),
            (
                json!({"phase": "Running", "containerStatuses": running(),
                    "conditions": [scheduled(), condition("Ready", "False", "ReadinessGatesNotReady")]}),
                "Pod a: ReadinessGatesNotReady: m",
                true,
            ),
            (
                json!({"phase": "Running", "containerStatuses": running(),
                    "conditions": [scheduled(), condition("Ready", "False", "ContainersNotReady")]}),
                "Pod a: not ready",
                true,
            ),
            (
                json!({"phase": "Running", "containerStatuses": running(),
                    "conditions": [scheduled(), condition("Ready", "Unknown", "ReadinessGatesNotReady")]}),
                "Pod a: not ready",
                true,
            ),
            (
                json!({"phase": "Pending", "conditions": [scheduled()],
                    "initContainerStatuses": [{"name": "first", "state": {"running": {}}, "ready": false}]}),
                "Pod a: not ready",
                true,
            ),
        ] {
            let mut pod = pod("a", &json!({}));
            pod["status"] = status;
            let found = cause(&deployment(), std::slice::from_ref(&pod));
            assert_eq!((found.to_string(), found.ask.is_some()), (text.to_owned(), asks), "{pod}");
        }
        let mut done = pod("a", &json!({}));
        done["status"]["phase"] = json!("Succeeded");
        assert_eq!(cause(&deployment(), &[done]).to_string(), "");
        // The oldest of those that are as bad.
        let mut older = pod("z", &json!({"state": {"running": {}}}));
        older["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
        assert_eq!(
            cause(&deployment(), &[pod("a", &json!({"state": {"running": {}}})), older]).to_string(),
            "Pod z: not ready"
        );
    }

    #[test]
    fn only_conditions_that_are_true_and_of_the_kind_count() {
        let with = |kind: &str, condition: &str, status: &str| {
            let conditions = json!([{"type": condition, "status": status, "reason": "R", "message": "m"}]);
            cause(&json!({"kind": kind, "status": {"conditions": conditions}}), &[]).to_string()
        };
        for (kind, condition, status, text) in [
            ("ReplicaSet", "ReplicaFailure", "True", "R: m"),
            ("ReplicaSet", "ReplicaFailure", "False", ""),
            ("ReplicaSet", "Failed", "True", ""),
            ("Job", "Failed", "True", "R: m"),
            ("Job", "FailureTarget", "True", "R: m"),
            ("Job", "Failed", "False", ""),
            ("Job", "Suspended", "True", ""),
        ] {
            assert_eq!(with(kind, condition, status), text, "{kind} {condition} {status}");
        }
    }

    #[test]
    fn what_the_workload_says_itself_counts_where_no_pod_tells_more() {
        let mut refused = deployment();
        refused["status"]["conditions"] = json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "message": "pods \"web-1\" is forbidden: exceeded quota: small"}]);
        let text = "FailedCreate: pods \"web-1\" is forbidden: exceeded quota: small";
        assert_eq!(cause(&refused, &[]).to_string(), text);
        let job = json!({"kind": "Job", "apiVersion": "batch/v1", "status": {"startTime": "x", "conditions": [
            {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached it"}]}});
        assert_eq!(cause(&job, &[]).to_string(), "BackoffLimitExceeded: Job has reached it");
        let mut failed = pod("migrate-x", &json!({"restartCount": 0, "state": {"terminated": {"exitCode": 1}}}));
        failed["status"]["phase"] = json!("Failed");
        assert_eq!(cause(&job, &[failed]).to_string(), "BackoffLimitExceeded: Pod migrate-x: exit code 1");
    }

    #[test]
    fn events_tell_what_a_waiting_pod_waits_for_but_not_what_its_containers_say() {
        let event = |reason: &str, time: &str, message: &str| json!({"type": "Warning", "reason": reason, "lastTimestamp": time, "message": message});
        let creating = pod("a", &json!({"state": {"waiting": {"reason": "ContainerCreating"}}}));
        let vague = cause(&deployment(), &[creating]);
        assert_eq!(vague.ask.as_deref(), Some("uid-a"));
        let mount = event("FailedMount", "2026-01-01T00:00:02Z", "MountVolume.SetUp failed:\n secret \"x\" not found");
        for (events, text) in [
            (vec![], "Pod a: ContainerCreating"),
            (
                vec![event("FailedScheduling", "2026-01-01T00:00:01Z", "no nodes"), mount],
                "Pod a: FailedMount: MountVolume.SetUp failed: secret \"x\" not found",
            ),
            (
                vec![event("Unhealthy", "1", "Readiness probe failed: password=hunter2")],
                "Pod a: Unhealthy: Readiness probe failed",
            ),
            (
                vec![event("Unhealthy", "1", "Readiness probe failed: HTTP probe failed with statuscode: 503")],
                "Pod a: Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503",
            ),
            (vec![event("FailedPostStartHook", "1", "hunter2")], "Pod a: FailedPostStartHook"),
            (
                vec![json!({"type": "Normal", "reason": "Pulled", "lastTimestamp": "9", "message": "hunter2"})],
                "Pod a: ContainerCreating",
            ),
            (
                vec![
                    event("FailedMount", "5", "old"),
                    json!({"type": "Warning", "reason": "FailedScheduling", "eventTime": "6", "message": "new"}),
                ],
                "Pod a: FailedScheduling: new",
            ),
            (
                vec![
                    json!({"type": "Warning", "reason": "FailedMount", "lastTimestamp": "1", "message": "series",
                        "series": {"lastObservedTime": "8"}}),
                    event("FailedScheduling", "7", "once"),
                ],
                "Pod a: FailedMount: series",
            ),
            (vec![event("Other", "1", "HTTP probe failed: HTTP probe failed with statuscode: 5")], "Pod a: Other"),
        ] {
            assert_eq!(told(vague.clone(), &events).unwrap().to_string(), text);
        }
        let claim = json!({"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"uid": "uid-c"}});
        let vague = cause(&claim, &[]);
        assert_eq!(told(vague.clone(), &[]), None);
        let waits =
            json!({"type": "Normal", "reason": "WaitForFirstConsumer", "message": "waiting for first consumer"});
        assert_eq!(told(vague, &[waits]).unwrap().to_string(), "WaitForFirstConsumer: waiting for first consumer");
    }

    #[test]
    fn only_what_its_controller_has_seen_may_have_more_to_tell() {
        let has = |api_version: &str, kind: &str, status: Json| {
            may_have_cause(&json!({"apiVersion": api_version, "kind": kind, "status": status}))
        };
        assert!(has("apps/v1", "Deployment", json!({"observedGeneration": 1})));
        assert!(!has("apps/v1", "Deployment", json!({})));
        for kind in ["ReplicaSet", "StatefulSet", "DaemonSet"] {
            assert!(
                has("apps/v1", kind, json!({"observedGeneration": 1})) && !has("apps/v1", kind, json!({})),
                "{kind}"
            );
            assert!(!has("example.com/v1", kind, json!({"observedGeneration": 1})), "{kind}");
        }
        assert!(has("batch/v1", "Job", json!({"startTime": "x"})) && !has("batch/v1", "Job", json!({})));
        assert!(has("v1", "Pod", json!({"phase": "Pending"})) && !has("v1", "Pod", json!({})));
        for (kind, has) in [("LoadBalancer", true), ("ClusterIP", false)] {
            let service = json!({"apiVersion": "v1", "kind": "Service", "spec": {"type": kind}});
            assert_eq!(may_have_cause(&service), has, "{kind}");
        }
        assert!(has("v1", "PersistentVolumeClaim", json!({"phase": "Pending"})));
        assert!(!has("v1", "ConfigMap", json!({"phase": "Pending"})));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let cut = short(&"é".repeat(200));
        assert_eq!((cut.chars().count(), cut.ends_with('…')), (151, true));
        let fits = "x".repeat(LONGEST);
        assert_eq!((short(&fits), LONGEST), (fits, 300));
    }
}
