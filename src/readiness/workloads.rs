//! Rules for what runs Pods, for Pods, and for Services.

use crate::readiness::generic::{conditions, number, text};
use crate::readiness::{Json, Readiness, Status};

/// What a Deployment without `progressDeadlineSeconds` has: its controller never sets the condition `Progressing`.
const NO_DEADLINE: i64 = i32::MAX as i64;

/// How long a Pod may be unscheduled before it counts as failed, in seconds.
const SCHEDULE_WINDOW: i64 = 15;

/// The first of some comparisons that does not hold, as `Label: have/want`.
fn fewer(comparisons: &[(&str, i64, i64)]) -> Option<Readiness> {
    let (label, have, want) = comparisons.iter().find(|(_, have, want)| want > have)?;
    Some(Readiness::in_progress(format!("{label}: {have}/{want}")))
}

fn surplus(have: i64, want: i64) -> Option<Readiness> {
    (have > want).then(|| Readiness::in_progress(format!("Pending termination: {}", have - want)))
}

pub(crate) fn deployment(object: &Json) -> Readiness {
    let mut progressed = number(object, "/spec/progressDeadlineSeconds", NO_DEADLINE) == NO_DEADLINE;
    let mut available = false;
    for condition in conditions(object) {
        match (condition.kind, condition.status, condition.reason) {
            ("Progressing", _, "ProgressDeadlineExceeded") => return Readiness::failed("Progress deadline exceeded"),
            ("Progressing", "True", "NewReplicaSetAvailable") => progressed = true,
            ("Available", "True", _) => available = true,
            _ => {}
        }
    }
    let wanted = number(object, "/spec/replicas", 1);
    let of = |field: &str| number(object, &format!("/status/{field}"), 0);
    let (replicas, updated) = (of("replicas"), of("updatedReplicas"));
    fewer(&[("Replicas", replicas, wanted), ("Updated", updated, wanted)])
        .or_else(|| surplus(replicas, wanted))
        .or_else(|| fewer(&[("Available", of("availableReplicas"), updated), ("Ready", of("readyReplicas"), wanted)]))
        .or_else(|| (!progressed).then(|| Readiness::in_progress("ReplicaSet not Available")))
        .or_else(|| (!available).then(|| Readiness::in_progress("Deployment not Available")))
        .unwrap_or_else(|| Readiness::current(format!("Deployment is available. Replicas: {replicas}")))
}

pub(crate) fn replica_set(object: &Json) -> Readiness {
    if conditions(object).any(|condition| condition.kind == "ReplicaFailure" && condition.status == "True") {
        return Readiness::in_progress("Replica Failure condition. Check Pods");
    }
    let wanted = number(object, "/spec/replicas", 1);
    let of = |field: &str| number(object, &format!("/status/{field}"), 0);
    let replicas = of("replicas");
    fewer(&[
        ("Labelled", of("fullyLabeledReplicas"), wanted),
        ("Available", of("availableReplicas"), wanted),
        ("Ready", of("readyReplicas"), wanted),
    ])
    .or_else(|| surplus(replicas, wanted))
    .unwrap_or_else(|| Readiness::current(format!("ReplicaSet is available. Replicas: {replicas}")))
}

pub(crate) fn stateful_set(object: &Json) -> Readiness {
    if text(object, "/spec/updateStrategy/type", "") == "OnDelete" {
        return Readiness::current("StatefulSet is using the ondelete update strategy");
    }
    let wanted = number(object, "/spec/replicas", 1);
    let of = |field: &str| number(object, &format!("/status/{field}"), 0);
    let (replicas, updated) = (of("replicas"), of("updatedReplicas"));
    let unfinished = fewer(&[("Replicas", replicas, wanted), ("Ready", of("readyReplicas"), wanted)])
        .or_else(|| surplus(replicas, wanted));
    if let Some(unfinished) = unfinished {
        return unfinished;
    }
    // A partition keeps the Pods below it at the old revision on purpose.
    let partition = number(object, "/spec/updateStrategy/rollingUpdate/partition", -1);
    if partition != -1 {
        return fewer(&[("updated", updated, wanted - partition)])
            .unwrap_or_else(|| Readiness::current(format!("Partition rollout complete. updated: {updated}")));
    }
    let revision = |field: &str| text(object, field, "");
    fewer(&[("current", of("currentReplicas"), wanted)])
        .or_else(|| {
            let mismatch = revision("/status/currentRevision") != revision("/status/updateRevision");
            mismatch.then(|| Readiness::in_progress("Waiting for updated revision to match current"))
        })
        .unwrap_or_else(|| Readiness::current(format!("All replicas scheduled as expected. Replicas: {replicas}")))
}

pub(crate) fn daemon_set(object: &Json) -> Readiness {
    // A DaemonSet that its controller has seen has both; without them the numbers below would all be zero.
    for (pointer, field) in
        [("/metadata/generation", "metadata.generation"), ("/status/observedGeneration", "status.observedGeneration")]
    {
        if object.pointer(pointer).and_then(Json::as_i64).is_none() {
            return Readiness::in_progress(format!("{} {field} not found", text(object, "/kind", "")));
        }
    }
    let of = |field: &str, default| number(object, &format!("/status/{field}"), default);
    let wanted = of("desiredNumberScheduled", -1);
    if wanted == -1 {
        return Readiness::in_progress("Missing .status.desiredNumberScheduled");
    }
    fewer(&[
        ("Current", of("currentNumberScheduled", 0), wanted),
        ("Updated", of("updatedNumberScheduled", 0), wanted),
        ("Available", of("numberAvailable", 0), wanted),
        ("Ready", of("numberReady", 0), wanted),
    ])
    .unwrap_or_else(|| Readiness::current(format!("All replicas scheduled as expected. Replicas: {wanted}")))
}

pub(crate) fn pod(object: &Json, now: Option<i64>) -> Readiness {
    match text(object, "/status/phase", "") {
        "Succeeded" => Readiness::current("Pod has completed successfully"),
        "Failed" => Readiness::current("Pod has completed, but not successfully"),
        "Running" => running_pod(object),
        "Pending" => pending_pod(object, now),
        "" => Readiness::in_progress("Pod phase not available"),
        phase => Readiness::new(Status::Unknown, format!("unknown phase {phase}")),
    }
}

fn running_pod(object: &Json) -> Readiness {
    if conditions(object).any(|condition| condition.kind == "Ready" && condition.status == "True") {
        return Readiness::current("Pod is Ready");
    }
    let statuses = object.pointer("/status/containerStatuses").and_then(Json::as_array).into_iter().flatten();
    let looping: Vec<_> = statuses
        .filter(|status| text(status, "/state/waiting/reason", "") == "CrashLoopBackOff")
        .map(|status| text(status, "/name", ""))
        .collect();
    if looping.is_empty() {
        return Readiness::in_progress("Pod is running but is not Ready");
    }
    Readiness::failed(format!("Containers in CrashLoop state: {}", looping.join(",")))
}

fn pending_pod(object: &Json, now: Option<i64>) -> Readiness {
    let unschedulable = conditions(object).any(|condition| {
        condition.kind == "PodScheduled" && condition.status == "False" && condition.reason == "Unschedulable"
    });
    if !unschedulable {
        return Readiness::in_progress("Pod is in the Pending phase");
    }
    let created = text(object, "/metadata/creationTimestamp", "").parse::<jiff::Timestamp>().ok();
    let young = created.zip(now).is_none_or(|(created, now)| now - SCHEDULE_WINDOW < created.as_second());
    if young {
        Readiness::in_progress("Pod has not been scheduled")
    } else {
        Readiness::failed("Pod could not be scheduled")
    }
}

pub(crate) fn service(object: &Json) -> Readiness {
    if text(object, "/spec/type", "ClusterIP") == "LoadBalancer" && text(object, "/spec/clusterIP", "").is_empty() {
        return Readiness::in_progress("ClusterIP not set. Service type: LoadBalancer");
    }
    Readiness::current("Service is ready")
}
