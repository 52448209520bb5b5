//! What is remembered of a release's revisions, and what a pass works towards in view of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::records::Records;
use crate::reconcile::context::Memo;
use crate::reconcile::trace::{self, Trace};
use crate::release::Digest;
use crate::release::hook::run::Stage;
use crate::release::operation::Operation;
use crate::release::record::{Record, Status};
use crate::status::Reason;

/// The records of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// Revisions that have a record.
    pub(crate) revisions: BTreeSet<u32>,
    /// Those that say of themselves that they run: more than one only after a crash between two writes.
    pub(crate) deployed: BTreeSet<u32>,
    /// Whether any revision ever ran.
    pub(crate) has_run: bool,
    /// Names of the Secrets that hold what did not fit into that of a record.
    pub(crate) parts: BTreeMap<u32, Vec<String>>,
}

impl History {
    /// As the cluster has them.
    pub(crate) fn of(records: &Records) -> Self {
        let deployed = records.records.iter().filter(|record| record.status == Status::Deployed);
        Self {
            revisions: records.records.iter().map(|record| record.version).collect(),
            deployed: deployed.map(|record| record.version).collect(),
            has_run: records
                .records
                .iter()
                .any(|record| matches!(record.status, Status::Deployed | Status::Superseded)),
            parts: records.parts.clone(),
        }
    }

    /// The revision that runs.
    pub(crate) fn deployed(&self) -> Option<u32> {
        self.deployed.last().copied()
    }

    /// The number of the next revision: numbers are never used again.
    pub(crate) fn next(&self) -> u32 {
        self.revisions.last().copied().unwrap_or(0) + 1
    }

    /// The revisions to be forgotten so that `limit` are left, oldest first; never the latest and the one that runs.
    pub(crate) fn superfluous(&self, limit: u32) -> Vec<u32> {
        let excess = self.revisions.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        let needed = [self.deployed(), self.revisions.last().copied()];
        let others = self.revisions.iter().copied().filter(|revision| !needed.contains(&Some(*revision)));
        others.take(excess).collect()
    }

    /// Every revision of which something is stored.
    pub(crate) fn all(&self) -> BTreeSet<u32> {
        self.revisions.iter().chain(self.parts.keys()).copied().collect()
    }

    /// Notes the Secrets that hold what did not fit into that of a record: mostly none.
    pub(crate) fn note_parts(&mut self, revision: u32, names: Vec<String>) {
        if names.is_empty() {
            self.parts.remove(&revision);
        } else {
            self.parts.insert(revision, names);
        }
    }

    /// Forgets a revision; gives the Secrets that held its parts.
    pub(crate) fn forget(&mut self, revision: u32) -> Vec<String> {
        self.revisions.remove(&revision);
        self.deployed.remove(&revision);
        self.parts.remove(&revision).unwrap_or_default()
    }
}

/// What failed for good. It is kept with the latest record, so that a restart does not try it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failed {
    /// What was asked for.
    pub(crate) asked: Digest,
    /// What the user is told.
    pub(crate) message: String,
    /// In one word.
    #[serde(with = "by_name")]
    pub(crate) reason: Reason,
    /// What follows.
    pub(crate) then: Then,
    /// What its render had asked, but for our own objects: another answer is another thing to try.
    #[serde(default, skip_serializing_if = "trace::Stored::is_empty")]
    pub(crate) trace: trace::Stored,
}

/// What follows from a failure until the user asks for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Then {
    /// It is tried again now and then: no hook would run twice.
    Retry,
    /// The last good revision is put back.
    RollBack,
    /// The revision that runs is kept as it is.
    Keep,
    /// Nothing is touched.
    Rest,
}

/// What a revision was asked for by, beside what its record holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The generation of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) generation: Option<i64>,
    /// Digest of what it was rendered from, but for the resource.
    pub(crate) frame: Option<Digest>,
}

/// A revision that is on its way.
#[derive(Clone, Debug)]
pub(crate) struct UnderWay {
    /// Its number.
    pub(crate) revision: u32,
    /// What it is made from.
    pub(crate) inputs: Digest,
    /// Which hooks run, or ran last.
    pub(crate) stage: Stage,
    /// What was asked to render it.
    pub(crate) trace: Trace,
    /// What it was asked for by.
    pub(crate) origin: Origin,
    /// Its record as it is in the cluster; none if this process has not read it yet.
    pub(crate) record: Option<Arc<Record>>,
}

/// What a pass works towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// What the resource asks for.
    Asked,
    /// The last good revision.
    RollBack,
    /// The revision that runs, although something else is asked for.
    Keep,
    /// Nothing: it failed, and the user has to act.
    Rest,
}

impl Memo {
    /// What a pass works towards if the user asks for `asked`.
    pub(crate) fn goal(&self, asked: Digest) -> Goal {
        match self.failed.as_ref().filter(|failed| failed.asked == asked).map(|failed| failed.then) {
            None | Some(Then::Retry) => Goal::Asked,
            Some(Then::RollBack) if self.history.deployed().is_some() => Goal::RollBack,
            Some(Then::Keep) if self.history.deployed().is_some() => Goal::Keep,
            Some(_) => Goal::Rest,
        }
    }

    /// How the next revision is come to.
    pub(crate) fn operation(&self) -> Operation {
        if self.history.has_run { Operation::Upgrade } else { Operation::Install }
    }
}

/// What follows when `operation` has failed for good.
pub(crate) fn then(operation: Operation, failure: Failure) -> Then {
    match operation {
        Operation::Rollback { .. } => Then::Rest,
        Operation::Upgrade if failure.rollback && failure.changed => Then::RollBack,
        Operation::Upgrade if failure.rollback => Then::Keep,
        _ if failure.hooks => Then::Rest,
        _ => Then::Retry,
    }
}

/// What is known of a failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    /// Whether the watch wants to go back then.
    pub(crate) rollback: bool,
    /// Whether anything was written or run before it.
    pub(crate) changed: bool,
    /// Whether the chart has hooks for the operation, which another try would run again.
    pub(crate) hooks: bool,
}

mod by_name {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::status::Reason;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(super) fn serialize<S: Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(reason.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Reason, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = Reason::ALL.iter().find(|reason| reason.name() == name);
        known.copied().ok_or_else(|| D::Error::custom(format!("`{name}` is no reason")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_failure_depends_on_what_was_done_and_on_what_is_wished() {
        let failure = |rollback, changed, hooks| Failure { rollback, changed, hooks };
        let (upgrade, back) = (Operation::Upgrade, Operation::Rollback { to: 1 });
        for (operation, failure, expected) in [
            (upgrade, failure(true, true, true), Then::RollBack),
            (upgrade, failure(true, false, true), Then::Keep),
            (upgrade, failure(false, true, true), Then::Rest),
            (upgrade, failure(false, true, false), Then::Retry),
            (Operation::Install, failure(true, true, false), Then::Retry),
            (Operation::Install, failure(true, true, true), Then::Rest),
            (back, failure(true, true, false), Then::Rest),
        ] {
            assert_eq!(then(operation, failure), expected, "{operation:?} {failure:?}");
        }
    }

    #[test]
    fn a_failure_stands_until_something_else_is_asked_for() {
        let (bad, good) = (Digest::of("bad"), Digest::of("good"));
        for (then, deployed, expected) in [
            (Then::Retry, Some(1), Goal::Asked),
            (Then::RollBack, Some(1), Goal::RollBack),
            (Then::RollBack, None, Goal::Rest),
            (Then::Keep, Some(1), Goal::Keep),
            (Then::Keep, None, Goal::Rest),
            (Then::Rest, Some(1), Goal::Rest),
        ] {
            let failed = Failed {
                asked: bad,
                message: String::new(),
                reason: Reason::Refused,
                then,
                trace: trace::Stored::default(),
            };
            let deployed = Option::<u32>::into_iter(deployed).collect();
            let history = History { deployed, ..History::default() };
            let memo = Memo { failed: Some(failed), history, ..Memo::default() };
            assert_eq!(memo.goal(bad), expected, "{then:?}");
            assert_eq!(memo.goal(good), Goal::Asked, "{then:?}");
        }
    }

    #[test]
    fn the_oldest_records_go_but_never_the_latest_or_the_one_that_runs() {
        let history = |revisions: &[u32], deployed| History {
            revisions: revisions.iter().copied().collect(),
            deployed: Option::<u32>::into_iter(deployed).collect(),
            ..History::default()
        };
        for (revisions, deployed, limit, expected) in [
            (&[1, 2, 3][..], Some(3), 10, &[][..]),
            (&[1, 2, 3], Some(3), 2, &[1]),
            (&[1, 2, 3], Some(3), 1, &[1, 2]),
            (&[1, 2, 3], Some(1), 1, &[2]),
            (&[1, 2], Some(1), 1, &[]),
            (&[4], None, 0, &[]),
        ] {
            assert_eq!(history(revisions, deployed).superfluous(limit), expected, "{revisions:?} {limit}");
        }
        assert_eq!(history(&[3, 7], Some(3)).next(), 8);
        assert_eq!(History::default().next(), 1);
    }
}
