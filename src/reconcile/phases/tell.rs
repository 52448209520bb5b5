//! What users read of such a pass: the status that the chart's file gives, or else the operator's own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use crate::cluster::events::EventType;
use crate::cluster::lookup::Lookup;
use crate::cluster::world::Chance;
use crate::cluster::{Error, Fate};
use crate::reconcile::attempt::Terms;
use crate::reconcile::context::Memo;
use crate::reconcile::hooks::Held;
use crate::reconcile::pass::{Failure, Pass, Refusal, log};
use crate::reconcile::phases::walk::Walk;
use crate::reconcile::queue::Again;
use crate::reconcile::report::{reason_of, step};
use crate::reconcile::trace::Trace;
use crate::release::mode::Mode;
use crate::release::{Digest, ObjectId};
use crate::status::picture::{Object, Phase, Picture};
use crate::status::{self, Condition, Deployed, FailedStep, Reason, given};

impl Walk {
    /// Hooks are not through: no phase goes on.
    pub(crate) fn hold(&mut self, held: &Held) {
        let (message, again) = held.told(self.again);
        self.again = again;
        if let Held::Failed(message) = held {
            self.picture.failed = Some((Reason::HookFailed, message.clone()));
        }
        // Those before the first phase keep it from being entered, those after the last from being the end.
        let open = self.picture.phases.iter_mut().filter(|phase| !phase.ready);
        open.take(1).for_each(|phase| phase.message.clone_from(&message));
        if self.picture.phases.iter().all(|phase| phase.ready) && self.picture.failed.is_none() {
            self.picture.waiting = Some((Reason::Progressing.name().to_owned(), message));
        }
    }
}

impl Pass<'_> {
    /// Tells of phases that have become ready.
    pub(crate) fn tell_phases(&self, picture: &Picture, ready: &BTreeSet<usize>) {
        for phase in ready.iter().filter_map(|index| picture.phases.get(*index)).filter(|phase| !phase.name.is_empty())
        {
            log!(info, self, "Phase is ready", phase = phase.name.as_str());
            self.publish(EventType::Normal, "PhaseReady", format!("phase `{}` is ready", phase.name));
        }
    }

    /// What was done, and when to look again.
    pub(crate) async fn report_walk(&self, memo: &mut Memo, walk: &Walk, revision: u32) -> Result<Again, Failure> {
        for error in walk.outcome.failures.values() {
            self.tell_failure(self.failed_step(memo), &error.message());
        }
        for (id, changes) in &walk.outcome.corrected {
            self.tell_drift(id, changes);
        }
        let outcome = self.walk_outcome(memo, walk, revision);
        self.report_picture(memo, &walk.picture, &outcome).await?;
        Ok(walk.again)
    }

    fn walk_outcome(&self, memo: &Memo, walk: &Walk, revision: u32) -> status::Outcome {
        let picture = &walk.picture;
        let step = self.failed_step(memo);
        if let Some((reason, message)) = &picture.failed {
            let (reason, message) = (*reason, message.clone());
            let fate = if walk.retries { status::Fate::Retry } else { status::Fate::WaitForUser };
            return status::Outcome::Failed { step, reason, message, fate };
        }
        if let Some((_, error)) = walk.outcome.failures.first_key_value() {
            let message = walk.outcome.message_of(error);
            let retried = walk.outcome.may_succeed_later();
            let reason = match error.fate() {
                Fate::Retry => Reason::Retrying,
                _ if error.is_forbidden() => Reason::Forbidden,
                Fate::User => Reason::Refused,
            };
            let fate = if retried { status::Fate::Retry } else { status::Fate::WaitForUser };
            return status::Outcome::Failed { step, reason, message, fate };
        }
        if !picture.is_ready() {
            return status::Outcome::Progressing { reason: Reason::Progressing, message: picture.message() };
        }
        let deployed = Deployed { name: self.release.name.clone(), revision };
        status::Outcome::Applied { deployed, notes: memo.notes.clone().unwrap_or_default(), blocker: None }
    }

    /// What is told where nothing was done: `objects` are those of the last good plan.
    pub(crate) async fn report_halted(&self, memo: &Memo, refusal: &Refusal) -> Result<Again, Failure> {
        let message = refusal.message.clone();
        let mut picture = self.last_picture(memo);
        let outcome = if let Some(reason) = &refusal.wait {
            log!(debug, self, "Chart waits", reason = reason.as_str(), message = message.as_str());
            picture.waiting = Some((reason.clone(), message.clone()));
            let deleting = self.resource.is_deleting();
            let reason = if deleting { Reason::TeardownBlocked } else { Reason::Waiting };
            status::Outcome::Progressing { reason, message }
        } else {
            let (step, reason) = (step(memo, refusal.cause), reason_of(refusal.cause));
            self.tell_failure(step, &message);
            picture.failed = Some((reason, message.clone()));
            if self.resource.is_deleting() {
                status::Outcome::Uninstalling { reason: Reason::TeardownBlocked, message }
            } else {
                status::Outcome::Failed { step, reason, message, fate: status::Fate::WaitForUser }
            }
        };
        let mut memo = self.controller.memo(&self.key).map_or_else(|| memo.clone(), |memo| Memo::clone(&memo));
        self.report_picture(&mut memo, &picture, &outcome).await?;
        let asked = memo.unrendered.as_ref().and_then(|unrendered| unrendered.trace.due());
        let again = asked.map_or_else(|| self.later(), |at| self.later().within(until(at)));
        Ok(again)
    }

    /// Writes the status of a chart that says what it is, where no phases were gone through.
    pub(crate) async fn write_given_status(&self, outcome: &status::Outcome) -> Result<(), Error> {
        let memo = self.controller.memo(&self.key).filter(|memo| memo.uid == self.resource.uid());
        let mut memo = memo.map(|memo| Memo::clone(&memo)).unwrap_or_default();
        let mut picture = if memo.at_hand.is_some() { self.last_picture(&memo) } else { self.one_phase(&memo) };
        let (ready, message) = match outcome {
            status::Outcome::Applied { blocker, .. } => (blocker.is_none(), blocker.as_ref().map(ToString::to_string)),
            status::Outcome::Failed { reason, message, .. } | status::Outcome::Kept { reason, message, .. } => {
                picture.failed = Some((*reason, message.clone()));
                (false, Some(message.clone()))
            }
            status::Outcome::Progressing { reason, message } | status::Outcome::Uninstalling { reason, message } => {
                picture.waiting = (*reason != Reason::Progressing).then(|| (reason.name().to_owned(), message.clone()));
                (false, Some(message.clone()))
            }
            status::Outcome::Paused { message } | status::Outcome::Leaving { message } => {
                (false, Some(message.clone()))
            }
            status::Outcome::Uninstalled => (false, None),
        };
        if let Some(phase) = picture.phases.first_mut() {
            (phase.ready, phase.message) = (ready, message.unwrap_or_default());
        }
        self.report_picture(&mut memo, &picture, outcome).await
    }

    /// The objects of a chart without a policy.
    fn one_phase(&self, memo: &Memo) -> Picture {
        let version = |id: &ObjectId| {
            let kind = memo.kinds.iter().find(|kind| kind.group == id.group && kind.kind == id.kind);
            kind.map(|kind| kind.version.clone()).unwrap_or_default()
        };
        let ours = self.context.objects.of(&self.set).into_iter();
        let objects = ours.map(|(id, known)| Object {
            version: version(&id),
            uid: known.live.uid,
            mode: Mode::Manage,
            phase: 0,
            ready: known.readiness.is_current(),
            message: if known.readiness.is_current() { String::new() } else { known.readiness.message },
            id,
        });
        Picture { phases: vec![Phase::default()], objects: objects.collect(), ..Picture::default() }
    }

    /// The objects of the last plan as they are known.
    fn last_picture(&self, memo: &Memo) -> Picture {
        let Some(at_hand) = &memo.at_hand else { return Picture::default() };
        let phase = |name: &&str| Phase { name: (*name).to_owned(), ..Phase::default() };
        let phases = at_hand.phases().iter().map(phase).collect();
        let objects = self.as_known(&at_hand.items);
        Picture { phases, objects, ..Picture::default() }
    }

    /// Writes the status, if it would be another one.
    pub(crate) async fn report_picture(
        &self,
        memo: &mut Memo,
        picture: &Picture,
        outcome: &status::Outcome,
    ) -> Result<(), Error> {
        if !self.entry.has_status() {
            return self.write_status(outcome).await;
        }
        let picture = picture.to_json(&self.runs().to_json());
        let told = self.told(memo, &picture, outcome);
        if memo.told == Some(told) && self.tells_the_same(memo).await? {
            return Ok(());
        }
        let terms = memo.at_hand.as_ref().and_then(|at_hand| at_hand.desired.terms.clone());
        let terms = terms.unwrap_or_else(|| Terms::new(memo.revision().max(1), memo.operation()));
        // Here the clock is that of the moment.
        let terms = Terms { chance: Chance::draw(), ..terms };
        let (rendered, trace) = self.render_status(&terms, picture.clone()).await;
        self.follow_status(memo, trace).await?;
        let old = self.current().status().clone();
        let (given, complete) = match rendered {
            Ok(given) => (given, outcome.clone()),
            Err(message) => (own_words(&old), status_failed(outcome, message)),
        };
        self.put_status(|old, occasion| given::complete(old, &given, &complete, occasion)).await?;
        memo.told = Some(self.told(memo, &picture, outcome));
        self.controller.remember(&self.key, memo.clone());
        Ok(())
    }

    /// Digest of what a status is made of, beside what its file asks for.
    fn told(&self, memo: &Memo, picture: &Json, outcome: &status::Outcome) -> Digest {
        let occasion = (self.generation(), self.drift(), self.requested());
        let terms = (self.inputs(), memo.revision(), memo.operation());
        Digest::of_json(&json!([picture, self.current().status(), format!("{outcome:?} {occasion:?} {terms:?}")]))
    }

    /// Whether the status would come out as it did: what its file asked has the same answers.
    async fn tells_the_same(&self, memo: &Memo) -> Result<bool, Error> {
        self.come_back_for(&memo.told_by);
        let blind = self.follow_plan(memo).await?;
        self.stands(&memo.told_by, memo, &blind).await
    }

    fn come_back_for(&self, trace: &Trace) {
        if let Some(due) = trace.due() {
            self.controller.queue.add_at(self.key.clone(), Instant::now() + until(due));
        }
    }

    /// Follows what the plan was made of, and what is looked at beside it. Gives what cannot be.
    async fn follow_plan(&self, memo: &Memo) -> Result<BTreeSet<Lookup>, Error> {
        let of_plan = memo.at_hand.as_ref().map(|at_hand| at_hand.desired.trace.clone()).unwrap_or_default();
        self.follow(&of_plan, &memo.beside).await
    }

    /// What the status was made of is followed from now on.
    async fn follow_status(&self, memo: &mut Memo, trace: Trace) -> Result<(), Error> {
        self.come_back_for(&trace);
        let same = memo.told_by.lookups().eq(trace.lookups());
        memo.told_by = trace;
        if !same {
            let beside = memo.beside.iter().chain(memo.told_by.lookups()).cloned().collect();
            memo.beside = Arc::new(beside);
            self.follow_plan(memo).await?;
        }
        self.controller.remember(&self.key, memo.clone());
        Ok(())
    }
}

fn status_failed(outcome: &status::Outcome, message: String) -> status::Outcome {
    let step = match outcome {
        status::Outcome::Failed { step, .. } => *step,
        _ => FailedStep::Reconcile,
    };
    status::Outcome::Failed { step, reason: Reason::StatusFailed, message, fate: status::Fate::WaitForUser }
}

/// What the last status said, without the operator's own conditions.
fn own_words(status: &Json) -> Json {
    let mut status = status.as_object().cloned().unwrap_or_else(Map::new);
    if let Some(conditions) = status.get_mut("conditions").and_then(Json::as_array_mut) {
        let ours = [Condition::Ready, Condition::Reconciling, Condition::Stalled].map(Condition::name);
        conditions.retain(|condition| !ours.contains(&condition["type"].as_str().unwrap_or_default()));
    }
    Json::Object(status)
}

/// How long it is until a time.
pub(crate) fn until(time: Timestamp) -> Duration {
    Duration::try_from(time.duration_since(Timestamp::now())).unwrap_or_default()
}
