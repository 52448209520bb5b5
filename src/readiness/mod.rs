//! Whether an object has become what its spec says, by the rules of kstatus: pure functions of the object.
//!
//! Mirrors `pkg/kstatus/status` of fluxcd/cli-utils (a maintained copy of sigs.k8s.io/cli-utils) by behaviour. Where
//! kstatus asks the clock, the time is an argument; where it fails on an ill-shaped object, the status is
//! [`Status::Unknown`] and the message says why.

pub mod cause;
mod crd;
mod generic;
mod jobs;
mod storage;
mod workloads;

#[cfg(test)]
mod tests;

use std::fmt;

type Json = serde_json::Value;

/// How far an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It is what its spec says: ready.
    Current,
    /// Its controller is at work, or has not looked at it yet.
    InProgress,
    /// Its controller has given up, or needs help.
    Failed,
    /// It is being deleted.
    Terminating,
    /// It does not exist.
    NotFound,
    /// It says something that nobody understands.
    Unknown,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Current => "Current",
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Terminating => "Terminating",
            Self::NotFound => "NotFound",
            Self::Unknown => "Unknown",
        })
    }
}

/// How far an object is, and why, in one sentence for users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// How far it is.
    pub status: Status,
    /// Why: `Available: 1/3`.
    pub message: String,
}

impl Readiness {
    /// Of an object that does not exist.
    pub fn not_found() -> Self {
        Self::new(Status::NotFound, "not found")
    }

    /// Whether it is ready.
    pub fn is_current(&self) -> bool {
        self.status == Status::Current
    }

    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn current(message: impl Into<String>) -> Self {
        Self::new(Status::Current, message)
    }

    pub(crate) fn in_progress(message: impl Into<String>) -> Self {
        Self::new(Status::InProgress, message)
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Status::Failed, message)
    }
}

/// How far an object is. `None` is an object that does not exist.
///
/// A Pod that cannot be scheduled stays in progress, since there is no clock here; see [`readiness_at`].
pub fn readiness(object: Option<&Json>) -> Readiness {
    readiness_at(object, None)
}

/// As [`readiness`], at a time in seconds since 1970: a Pod has 15 seconds to be scheduled before it counts as failed.
pub fn readiness_at(object: Option<&Json>, now: Option<i64>) -> Readiness {
    let Some(object) = object else { return Readiness::not_found() };
    if let Some(decided) = generic::standard(object) {
        return decided;
    }
    let text = |field| object.get(field).and_then(Json::as_str).unwrap_or_default();
    let group = text("apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
    match (group, text("kind")) {
        ("", "Service") => workloads::service(object),
        ("", "Pod") => workloads::pod(object, now),
        ("", "Secret" | "ConfigMap") | ("batch", "CronJob") => Readiness::current("Resource is always ready"),
        ("", "PersistentVolumeClaim") => storage::claim(object),
        ("apps", "StatefulSet") => workloads::stateful_set(object),
        ("apps" | "extensions", "DaemonSet") => workloads::daemon_set(object),
        ("apps" | "extensions", "Deployment") => workloads::deployment(object),
        ("apps" | "extensions", "ReplicaSet") => workloads::replica_set(object),
        ("policy", "PodDisruptionBudget") => Readiness::current("AllowedDisruptions has been computed."),
        ("batch", "Job") => jobs::job(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => crd::definition(object),
        _ => generic::by_ready_condition(object),
    }
}
