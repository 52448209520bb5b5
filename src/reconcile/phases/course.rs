//! What is remembered of a walk through phases: when each was entered, which were ready, and what was seen of objects that are
//! not ours.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;

use crate::reconcile::phases::at_hand::AtHand;
use crate::release::{Digest, ObjectId};

/// Nothing of it must survive a restart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    /// What is gone through: digest of what it was rendered from.
    inputs: Option<Digest>,
    entered: BTreeMap<usize, Timestamp>,
    /// Phases that were ready in the last pass.
    ready: BTreeSet<usize>,
    /// What was seen of objects that are observed or patched, and the digest of all that they said.
    seen: BTreeMap<ObjectId, (Digest, Seen)>,
    /// Which plan that was judged by.
    plan: Option<Digest>,
}

/// What was seen of an object that is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) uid: String,
    /// The messages of its probes that fail.
    pub(crate) messages: Vec<String>,
}

impl Course {
    /// The course through `at_hand`: a new one where something else is asked for.
    pub(crate) fn of(mut self, at_hand: &AtHand) -> Self {
        if self.inputs != Some(at_hand.inputs) {
            self = Self { inputs: Some(at_hand.inputs), ..Self::default() };
        }
        if self.plan != Some(at_hand.digest) {
            self.plan = Some(at_hand.digest);
            self.seen.clear();
        }
        self
    }

    /// A phase is entered; gives when it was entered first.
    pub(crate) fn enter(&mut self, phase: usize, now: Timestamp) -> Timestamp {
        *self.entered.entry(phase).or_insert(now)
    }

    /// What was seen of an object that still says `digest`.
    pub(crate) fn seen(&self, id: &ObjectId, digest: Option<Digest>) -> Option<&Seen> {
        let (known, seen) = self.seen.get(id)?;
        (Some(*known) == digest).then_some(seen)
    }

    pub(crate) fn saw(&mut self, id: &ObjectId, digest: Digest, seen: Seen) {
        self.seen.insert(id.clone(), (digest, seen));
    }

    /// Notes which phases are ready now; gives those that were entered by this process and were not ready before.
    pub(crate) fn become_ready(&mut self, ready: BTreeSet<usize>) -> BTreeSet<usize> {
        let new = ready.difference(&self.ready).copied().collect();
        self.ready = ready;
        new
    }
}
