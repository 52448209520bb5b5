//! What the user reads: the whole new status from the old one and the outcome of a pass, and what is worth an event.
//!
//! An outcome that says the same as the old status gives an equal status, so that nothing is written.

pub mod conditions;
pub mod given;
pub mod message;
pub mod picture;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::readiness::{Readiness, Status};
use crate::release::ObjectId;
pub use crate::status::conditions::{Condition, Conditions, Reason, Severity, Transition, Truth};

/// What a pass came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The objects of a revision were applied, or were in sync; some may not be ready yet.
    Applied {
        /// The revision that runs.
        deployed: Deployed,
        /// The rendered `NOTES.txt`.
        notes: String,
        /// The first object that is not ready, in the order of the plan.
        blocker: Option<Blocker>,
    },
    /// A pass is under way or waits for the cluster, before a revision is applied.
    Progressing {
        /// [`Reason::Progressing`], [`Reason::Waiting`], …
        reason: Reason,
        /// What is waited for.
        message: String,
    },
    /// It failed.
    Failed {
        /// At what.
        step: FailedStep,
        /// Why.
        reason: Reason,
        /// The cause, for users.
        message: String,
        /// Who must act.
        fate: Fate,
    },
    /// It is left alone, as the user has asked.
    Paused {
        /// For how long.
        message: String,
    },
    /// What was asked for failed and waits for the user; a revision from before runs.
    Kept {
        /// The revision that runs.
        deployed: Deployed,
        /// Why.
        reason: Reason,
        /// The cause, for users.
        message: String,
    },
    /// It is being removed.
    Uninstalling {
        /// [`Reason::Uninstalling`] or [`Reason::TeardownBlocked`].
        reason: Reason,
        /// What is waited for, or what stands in the way.
        message: String,
    },
    /// Everything was deleted, and something is not gone yet.
    Leaving {
        /// What.
        message: String,
    },
    /// Everything was removed.
    Uninstalled,
}

/// What failed: it decides which of operator-sdk's conditions tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailedStep {
    /// Bringing up the first revision.
    Install,
    /// Bringing up a later one.
    Upgrade,
    /// Removing it.
    Uninstall,
    /// Finding out what is to be done, or repairing.
    Reconcile,
}

/// Who must act after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Nobody: it is tried again.
    Retry,
    /// The user: it is tried again when something changes.
    WaitForUser,
}

/// The revision that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// Name of the release.
    pub name: String,
    /// Its revision, from 1.
    pub revision: u32,
}

impl Deployed {
    fn to_json(&self) -> Json {
        json!({"name": self.name, "revision": self.revision})
    }
}

/// An object that is not ready, with the cause below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// The object.
    pub id: ObjectId,
    /// How far it is.
    pub readiness: Readiness,
    /// The cause below it, if known: `Pod web-x: ImagePullBackOff: not found`.
    pub cause: Option<String>,
}

impl std::fmt::Display for Blocker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cause = self.cause.as_deref().unwrap_or(&self.readiness.message);
        write!(f, "{} {}: {cause}", self.id.kind, self.id.name)
    }
}

/// What is reported.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The whole new status.
    pub status: Json,
    /// Conditions whose status or reason changed.
    pub transitions: Vec<Transition>,
}

/// When and for what a report is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// The time of a change.
    pub at: Timestamp,
    /// The generation that the pass used; none for a kind without a status subresource.
    pub generation: Option<i64>,
    /// What has drifted and stays so, where that is known; empty for nothing.
    pub drift: Option<String>,
    /// The user's request that was handled.
    pub handled: Option<String>,
}

/// The whole new status. Fields and conditions that are not ours are kept.
pub fn report(old: Option<&Json>, outcome: &Outcome, occasion: &Occasion) -> Report {
    let Report { status, transitions } = separate(old, outcome, occasion);
    Report { status, transitions: merged(transitions) }
}

/// As [`report`], with an event for each condition.
fn separate(old: Option<&Json>, outcome: &Outcome, occasion: &Occasion) -> Report {
    let mut status = old.and_then(Json::as_object).cloned().unwrap_or_default();
    let mut conditions = Conditions::of(old, occasion.at, occasion.generation);
    if !matches!(outcome, Outcome::Uninstalling { .. } | Outcome::Leaving { .. } | Outcome::Uninstalled) {
        conditions.set(Condition::Initialized, Truth::True, None, "");
    }
    if !matches!(outcome, Outcome::Paused { .. }) {
        conditions.remove(Condition::Paused);
    }
    match outcome {
        Outcome::Applied { deployed, notes, blocker } => {
            applied(&mut conditions, deployed, notes, blocker.as_ref());
            status.insert("deployedRelease".into(), deployed.to_json());
        }
        Outcome::Kept { deployed, reason, message } => {
            failed(&mut conditions, FailedStep::Upgrade, message);
            stuck(&mut conditions, *reason, message);
            status.insert("deployedRelease".into(), deployed.to_json());
        }
        Outcome::Failed { step, reason, message, fate } => {
            failed(&mut conditions, *step, message);
            match fate {
                Fate::Retry => at_work(&mut conditions, *reason, message),
                Fate::WaitForUser => stuck(&mut conditions, *reason, message),
            }
        }
        Outcome::Uninstalling { reason, message } if *reason == Reason::TeardownBlocked => {
            stuck(&mut conditions, *reason, message);
        }
        Outcome::Progressing { reason, message } | Outcome::Uninstalling { reason, message } => {
            at_work(&mut conditions, *reason, message);
        }
        Outcome::Paused { message } => paused(&mut conditions, message),
        Outcome::Leaving { message } => {
            let reason = Some(Reason::UninstallSuccessful);
            // operator-sdk's words.
            conditions.set(Condition::Deployed, Truth::False, reason, "Waiting until all resources are deleted.");
            conditions.remove(Condition::ReleaseFailed);
            at_work(&mut conditions, Reason::Uninstalling, message);
        }
        Outcome::Uninstalled => uninstalled(&mut conditions, &mut status),
    }
    match occasion.drift.as_deref() {
        None => {}
        Some("") => conditions.remove(Condition::Drifted),
        Some(drift) => conditions.set(Condition::Drifted, Truth::True, Some(Reason::DriftDetected), drift),
    }
    let (list, mut transitions) = conditions.finish();
    // Each drift has been told when it was found.
    transitions.retain(|transition| transition.condition != Condition::Drifted.name());
    status.insert("conditions".into(), list);
    if let Some(generation) = occasion.generation {
        status.insert("observedGeneration".into(), generation.into());
    }
    if let Some(handled) = &occasion.handled {
        status.insert("lastHandledReconcileAt".into(), handled.as_str().into());
    }
    Report { status: Json::Object(status), transitions }
}

/// One event where several conditions say the same, as loud as the loudest of them.
fn merged(transitions: Vec<Transition>) -> Vec<Transition> {
    let mut merged: Vec<Transition> = Vec::new();
    for transition in transitions {
        let same = |known: &&mut Transition| known.reason == transition.reason && known.message == transition.message;
        match merged.iter_mut().find(same) {
            Some(known) if known.severity < transition.severity => *known = transition,
            Some(_) => {}
            None => merged.push(transition),
        }
    }
    merged
}

fn applied(conditions: &mut Conditions, deployed: &Deployed, notes: &str, blocker: Option<&Blocker>) {
    let reason = if deployed.revision == 1 { Reason::InstallSuccessful } else { Reason::UpgradeSuccessful };
    conditions.set(Condition::Deployed, Truth::True, Some(reason), notes);
    conditions.remove(Condition::ReleaseFailed);
    conditions.remove(Condition::Irreconcilable);
    match blocker {
        None => {
            conditions.set(Condition::Ready, Truth::True, Some(Reason::Succeeded), "all objects are ready");
            conditions.remove(Condition::Reconciling);
            conditions.remove(Condition::Stalled);
        }
        Some(blocker) if blocker.readiness.status == Status::Failed => {
            stuck(conditions, Reason::ObjectFailed, &blocker.to_string());
        }
        Some(blocker) => at_work(conditions, Reason::Progressing, &blocker.to_string()),
    }
}

/// Not ready, and the operator will go on by itself.
fn at_work(conditions: &mut Conditions, reason: Reason, message: &str) {
    conditions.set(Condition::Ready, Truth::False, Some(reason), message);
    conditions.set(Condition::Reconciling, Truth::True, Some(reason), message);
    conditions.remove(Condition::Stalled);
}

/// Not ready, and the operator will not go on by itself.
fn stuck(conditions: &mut Conditions, reason: Reason, message: &str) {
    conditions.set(Condition::Ready, Truth::False, Some(reason), message);
    conditions.set(Condition::Stalled, Truth::True, Some(reason), message);
    conditions.remove(Condition::Reconciling);
}

/// How ready it is, is what was seen last: nobody looks any more. That the operator was at work is no longer true.
fn paused(conditions: &mut Conditions, message: &str) {
    conditions.set(Condition::Paused, Truth::True, Some(Reason::Paused), message);
    conditions.remove(Condition::Reconciling);
}

/// What operator-sdk says of a failure. `Deployed` stays: the last good revision still runs.
fn failed(conditions: &mut Conditions, step: FailedStep, message: &str) {
    let (condition, reason) = match step {
        FailedStep::Install => (Condition::ReleaseFailed, Reason::InstallError),
        FailedStep::Upgrade => (Condition::ReleaseFailed, Reason::UpgradeError),
        FailedStep::Uninstall => (Condition::ReleaseFailed, Reason::UninstallError),
        FailedStep::Reconcile => (Condition::Irreconcilable, Reason::ReconcileError),
    };
    conditions.set(condition, Truth::True, Some(reason), message);
}

fn uninstalled(conditions: &mut Conditions, status: &mut Map<String, Json>) {
    let reason = Some(Reason::UninstallSuccessful);
    conditions.set(Condition::Deployed, Truth::False, reason, "");
    conditions.set(Condition::Ready, Truth::False, reason, "");
    for condition in [Condition::ReleaseFailed, Condition::Irreconcilable, Condition::Reconciling, Condition::Stalled] {
        conditions.remove(condition);
    }
    status.remove("deployedRelease");
}
