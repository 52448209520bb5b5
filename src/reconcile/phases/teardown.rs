//! Takes down what a chart with a policy has made: phase by phase in reverse, each gone before the next goes.

use std::collections::BTreeMap;

use crate::reconcile::context::Memo;
use crate::reconcile::pass::{Failure, Pass, log};
use crate::reconcile::phases::AtHand;
use crate::reconcile::queue::Again;
use crate::reconcile::teardown::{Leaver, POLL};
use crate::release::ObjectId;
use crate::status::picture::{Phase, Picture};
use crate::status::{self, Reason};

/// Finalizer of a resource that is deleted with `kubectl delete --cascade=orphan`.
const ORPHAN: &str = "orphan";

/// What goes together, in the order in which it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    /// What has no place in what is rendered now.
    Unplaced,
    /// Definitions of kinds: their resources are finalized while their operator still runs.
    Definitions,
    /// A phase; those that come last go first.
    Phase(std::cmp::Reverse<usize>),
}

impl Group {
    fn of(leaver: &Leaver, phases: Option<&BTreeMap<&ObjectId, usize>>) -> Self {
        if leaver.id.kind == "CustomResourceDefinition" {
            return Self::Definitions;
        }
        let Some(phases) = phases else { return Self::Phase(std::cmp::Reverse(0)) };
        phases.get(&leaver.id).map_or(Self::Unplaced, |phase| Self::Phase(std::cmp::Reverse(*phase)))
    }
}

impl Pass<'_> {
    /// Deletes what is left, a group after the other; gives when to look again where something is not gone yet.
    pub(crate) async fn take_down_phases(&self, memo: &mut Memo, leavers: &[Leaver]) -> Result<Option<Again>, Failure> {
        if self.resource.finalizers().any(|finalizer| finalizer == ORPHAN) {
            for leaver in leavers {
                self.let_go(&leaver.id, &leaver.live.resource_version).await?;
            }
            return Ok(None);
        }
        // Only tells the order: whatever stands in its way, labels tell what is ours.
        let at_hand = match self.at_hand(memo, self.inputs()).await {
            Ok(at_hand) => Some(at_hand),
            Err(Failure::Refused(refusal)) => {
                log!(info, self, "Taking down by labels alone", error = refusal.message);
                None
            }
            Err(failure) => return Err(failure),
        };
        let places = at_hand.as_deref().map(places);
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for leaver in leavers {
            groups.entry(Group::of(leaver, places.as_ref())).or_default().push(leaver.clone());
        }
        for group in groups.values() {
            self.take_down(group).await?;
            let left = self.left_of(group).await?;
            if !left.is_empty() {
                return self.report_leaving(memo, at_hand.as_deref(), &left).await.map(Some);
            }
        }
        Ok(None)
    }

    async fn report_leaving(
        &self,
        memo: &mut Memo,
        at_hand: Option<&AtHand>,
        left: &[&Leaver],
    ) -> Result<Again, Failure> {
        let message = self.tell_left(left);
        let names = at_hand.map(AtHand::phases).unwrap_or_default();
        let phase = |name: &str| Phase { name: name.to_owned(), message: message.clone(), ..Phase::default() };
        let picture = Picture {
            waiting: Some((Reason::TeardownBlocked.name().to_owned(), message.clone())),
            phases: names.into_iter().map(phase).collect(),
            objects: at_hand.map(|at_hand| self.as_known(&at_hand.items)).unwrap_or_default(),
            leaving: left.iter().map(|leaver| (leaver.id.clone(), "is being deleted".to_owned())).collect(),
            ..Picture::default()
        };
        let outcome = status::Outcome::Progressing { reason: Reason::TeardownBlocked, message };
        self.report_picture(memo, &picture, &outcome).await?;
        Ok(self.later().within(POLL))
    }
}

fn places(at_hand: &AtHand) -> BTreeMap<&ObjectId, usize> {
    at_hand.items.iter().map(|item| (&item.id, item.phase)).collect()
}
