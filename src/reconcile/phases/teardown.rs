//! Takes down what a chart with a policy has made: phase by phase in reverse, each gone before the next goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::reconcile::context::Memo;
use crate::reconcile::pass::{Failure, Pass, log};
use crate::reconcile::phases::AtHand;
use crate::reconcile::phases::actions::Acts;
use crate::reconcile::queue::Again;
use crate::reconcile::teardown::{Leaver, POLL};
use crate::release::ObjectId;
use crate::release::action::{self, On, State};
use crate::status::picture::{Phase, Picture};
use crate::status::{self, Reason};

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
        if self.controller.resources.is_orphaning(&self.key) {
            for leaver in leavers {
                self.let_go(&leaver.id, &leaver.live.resource_version).await?;
            }
            return Ok(None);
        }
        let busy = self.settle_actions().await?;
        if !busy.is_empty() {
            let names = busy.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
            let message = format!("{names} {} not ended yet", if busy.len() == 1 { "has" } else { "have" });
            return self.report_blocked(memo, None, Blocked::by(message)).await.map(Some);
        }
        // Only tells the order and what runs first: whatever stands in its way, labels tell what is ours.
        let at_hand = match self.at_hand(memo, self.inputs()).await {
            Ok(at_hand) => Some(at_hand),
            Err(Failure::Refused(refusal)) if self.entry.has_pre_delete() => {
                return self.report_halted(memo, &refusal).await.map(Some);
            }
            Err(Failure::Refused(refusal)) => {
                log!(info, self, "Taking down by labels alone", error = refusal.message);
                None
            }
            Err(failure) => return Err(failure),
        };
        memo.at_hand = at_hand.clone().or_else(|| memo.at_hand.take());
        self.controller.remember(&self.key, memo.clone());
        if let Some(at_hand) = &at_hand
            && let Some(again) = self.run_pre_delete(memo, at_hand).await?
        {
            return Ok(Some(again));
        }
        let places = at_hand.as_deref().map(places);
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for leaver in leavers {
            groups.entry(Group::of(leaver, places.as_ref())).or_default().push(leaver.clone());
        }
        for group in groups.values() {
            self.take_down(group).await?;
            let left = self.left_of(group).await?;
            if !left.is_empty() {
                let leaving = left.iter().map(|leaver| (leaver.id.clone(), "is being deleted".to_owned())).collect();
                let blocked = Blocked { leaving, ..Blocked::by(self.tell_left(&left)) };
                return self.report_blocked(memo, at_hand.as_deref(), blocked).await.map(Some);
            }
        }
        Ok(None)
    }

    /// Runs what the chart wants to run first, phase by phase; gives when to look again where it is not through.
    async fn run_pre_delete(&self, memo: &mut Memo, at_hand: &Arc<AtHand>) -> Result<Option<Again>, Failure> {
        if at_hand.actions(On::PreDelete).next().is_none() {
            return Ok(None);
        }
        self.watch(&at_hand.desired.kinds()).await?;
        self.claim(&at_hand.desired, &self.current()).await?;
        let mut acts = self.acts();
        for phase in 0..at_hand.phases().len() {
            if let Some((blocked, again)) = self.run_pre_delete_of(at_hand, phase, &mut acts).await? {
                self.report_blocked(memo, Some(at_hand), blocked).await?;
                return Ok(Some(again));
            }
        }
        Ok(None)
    }

    /// The same for a phase; tells the first that is not through.
    async fn run_pre_delete_of(
        &self,
        at_hand: &AtHand,
        phase: usize,
        acts: &mut Acts,
    ) -> Result<Option<(Blocked, Again)>, Failure> {
        let (mut first, mut again) = (None, self.later());
        for item in at_hand.of(phase).filter(|item| item.runs_on(On::PreDelete)) {
            match self.bring_action(at_hand, item, acts).await {
                Ok(wait) => again = wait.map_or(again, |wait| again.within(wait)),
                Err(Failure::Call(error)) if error.is_of_terminating_namespace() => {
                    log!(warn, self, "Action left out", job = item.id.name.as_str(), error = error.message());
                    continue;
                }
                Err(failure) => return Err(failure),
            }
            let run = acts.run_of(item);
            if let Some(message) = action::not_ready(run) {
                let failed = run.filter(|run| run.has_failed()).map(|run| run.state);
                let message = format!("{} {}: {message}", item.id.kind, item.id.name);
                let name = at_hand.phases().get(phase).map(|name| (*name).to_owned()).unwrap_or_default();
                let reached = Phase { name, message, ..Phase::default() };
                first = first.or_else(|| Some(Blocked { failed, phase, ..Blocked::by(reached.told()) }));
            }
        }
        Ok(first.map(|blocked| (blocked, again)))
    }

    async fn report_blocked(
        &self,
        memo: &mut Memo,
        at_hand: Option<&AtHand>,
        blocked: Blocked,
    ) -> Result<Again, Failure> {
        let Blocked { message, leaving, failed, phase } = blocked;
        let reason = Reason::TeardownBlocked;
        log!(info, self, "Teardown waits", reason = message.as_str());
        let phases = at_hand.map(AtHand::phases).unwrap_or_default().into_iter().enumerate();
        let told = |(index, name): (usize, &str)| {
            let message = if index < phase { String::new() } else { message.clone() };
            Phase { name: name.to_owned(), ready: index < phase, message, ..Phase::default() }
        };
        let picture = Picture {
            failed: failed.map(|_| (Reason::ActionFailed, message.clone())),
            waiting: Some((reason.name().to_owned(), message.clone())),
            phases: phases.map(told).collect(),
            objects: at_hand.map(|at_hand| self.as_known(&at_hand.items)).unwrap_or_default(),
            leaving,
        };
        let outcome = if failed == Some(State::Failed) {
            status::Outcome::Uninstalling { reason, message }
        } else {
            status::Outcome::Progressing { reason, message }
        };
        self.report_picture(memo, &picture, &outcome).await?;
        Ok(self.later().within(POLL))
    }
}

/// What a deletion waits for.
#[derive(Default)]
struct Blocked {
    message: String,
    /// What was deleted and is not gone.
    leaving: Vec<(ObjectId, String)>,
    /// How an action failed.
    failed: Option<State>,
    /// Index of the phase that is not through with its actions.
    phase: usize,
}

impl Blocked {
    fn by(message: String) -> Self {
        Self { message, ..Self::default() }
    }
}

fn places(at_hand: &AtHand) -> BTreeMap<&ObjectId, usize> {
    at_hand.items.iter().map(|item| (&item.id, item.phase)).collect()
}
