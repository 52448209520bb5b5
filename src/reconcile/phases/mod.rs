//! A pass over a resource whose chart has a policy: render, check, phase by phase, status, commit.

mod actions;
mod at_hand;
mod course;
mod see;
mod teardown;
mod tell;
mod walk;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::lookup::Lookup;
use crate::reconcile::context::Memo;
use crate::reconcile::pass::{Failure, Pass, ServedKinds};
use crate::reconcile::phases::see::{all_beside, collided, owns};
use crate::reconcile::phases::walk::{Scene, Walk};
use crate::reconcile::queue::Again;
use crate::reconcile::record::Ended;
use crate::reconcile::work::Work;
use crate::release::plan::{self, Plan, Refused};
use crate::release::{Digest, ObjectId};

pub(crate) use at_hand::AtHand;
pub(crate) use course::Course;

/// A revision as it is committed.
struct Revision<'a> {
    at_hand: &'a AtHand,
    work: Work,
    plan: Plan,
}

impl Pass<'_> {
    /// The pass.
    pub(crate) async fn run_phases(&self) -> Result<Again, Failure> {
        let memo = self.with_previous(self.recall().await?).await?;
        match self.latched(&memo).await? {
            Some(latched) => latched.go_through_phases(memo).await,
            None => self.go_through_phases(memo).await,
        }
    }

    async fn go_through_phases(&self, memo: Arc<Memo>) -> Result<Again, Failure> {
        if let Err(refusal) = self.check_annotations() {
            return self.report_halted(&memo, &refusal).await;
        }
        let inputs = self.inputs();
        let brought = match self.at_hand(&memo, inputs).await {
            Ok(at_hand) => Box::pin(self.bring_phases(&memo, at_hand, inputs)).await,
            Err(failure) => Err(failure),
        };
        match brought {
            Err(Failure::Refused(refusal)) => self.report_halted(&memo, &refusal).await,
            end => end,
        }
    }

    /// Brings the cluster as near to the plan at hand as its phases let.
    async fn bring_phases(&self, former_memo: &Memo, at_hand: Arc<AtHand>, inputs: Digest) -> Result<Again, Failure> {
        let mut memo = former_memo.clone();
        memo.unrendered = None;
        if memo.at_hand.as_ref().is_none_or(|known| known.digest != at_hand.digest) {
            self.bring_definitions(&at_hand.desired.rendered.definitions).await?;
        }
        let former = self.former(&memo).await?;
        former.as_ref().map_or(Ok(()), |former| self.check_chart(former))?;
        let mut kinds = at_hand.desired.kinds();
        kinds.extend(self.owned_kinds(&memo).await?);
        let served = self.watch(&kinds).await?;
        let ids = at_hand.items.iter().map(|item| &item.id);
        self.context.objects.judge_by(&self.set, at_hand.policy.probes.as_ref(), ids);
        let blind = self.look_beside(&mut memo, &at_hand, all_beside(at_hand.items.iter())).await?;
        memo.at_hand = Some(Arc::clone(&at_hand));
        let (mut plan, mut work) = self.plan_phases(&mut memo, &at_hand, &served, inputs).await?;
        if owns(&at_hand.items, &plan) || self.entry.has_pre_delete() {
            self.claim(&at_hand.desired, &self.resource).await?;
            self.begin(&mut memo, &mut work, &at_hand.desired).await?;
        }
        let (before, after) = work.hooks(&at_hand.desired.rendered);
        plan.add_hooks(before, after);
        let held = match work.operation {
            Some(operation) => self.run_hooks(&mut memo, &mut work, &plan, operation.before()).await?,
            None => None,
        };
        let scene = Scene { at_hand: &at_hand, plan: &plan, served: &served, blind: &blind, memo: &memo };
        let mut walk = match held {
            Some(held) => {
                let mut walk = self.walk_not_begun(scene);
                walk.hold(&held);
                walk
            }
            None => self.walk(scene).await?,
        };
        self.keep_course(&memo, &mut walk);
        if walk.picture.is_ready()
            && let Some(operation) = work.operation
            && let Some(held) = self.run_hooks(&mut memo, &mut work, &plan, operation.after()).await?
        {
            walk.hold(&held);
        }
        self.prune_former(former.as_ref(), &at_hand.desired, &walk.outcome).await?;
        memo = self.remember_walk(memo, &at_hand, &walk);
        if self.latch.is_some() && walk.acts.runs.have_failed() {
            // Something newer waits, and need not wait any longer.
            walk.within(Duration::ZERO);
        }
        let revision = work.revision(&memo);
        let again = self.report_walk(&mut memo, &walk, revision).await?;
        if walk.picture.is_ready() {
            let revision = Revision { at_hand: &at_hand, work, plan };
            self.commit(memo, former_memo, revision, &walk).await?;
        }
        Ok(again)
    }

    /// What has to be written, and for which revision.
    async fn plan_phases(
        &self,
        memo: &mut Memo,
        at_hand: &AtHand,
        served: &ServedKinds,
        inputs: Digest,
    ) -> Result<(Plan, Work), Failure> {
        let observed = self.observe(&at_hand.desired, served, memo).await?;
        let taken = self.taken_jobs(at_hand).await?;
        let mut plan = match plan::plan(&observed, &at_hand.desired.plan) {
            Ok(plan) if taken.is_empty() => plan,
            other => {
                let others = other.err().into_iter().flat_map(|refused| refused.collisions);
                let refused = Refused { collisions: others.chain(taken).collect() };
                self.look_beside(memo, at_hand, collided(&refused, &at_hand.items)).await?;
                for collision in &refused.collisions {
                    if self.look_at(&collision.id).await?.is_none() {
                        // It went before anybody watched it.
                        return Err(Failure::Overtaken);
                    }
                }
                return Err(self.collision(&refused));
            }
        };
        self.meet_release(memo, &plan).await?;
        memo.drifts = self.tolerate(&mut plan, &observed, served, memo).await;
        let work = self.phased_work(memo, at_hand, inputs).await?;
        Ok((plan, work))
    }

    /// The revision that is made, or kept.
    async fn phased_work(&self, memo: &Memo, at_hand: &AtHand, inputs: Digest) -> Result<Work, Failure> {
        let runs = memo.recorded == Some(inputs) || memo.output == Some(self.output(&at_hand.desired.rendered));
        let operation = (!runs).then(|| memo.operation());
        let begun = if runs { None } else { self.begun(memo, inputs, false).await? };
        Ok(Work { operation, inputs, begun, source: None })
    }

    /// Sees to it that `beside` is watched too; gives what cannot be.
    async fn look_beside(
        &self,
        memo: &mut Memo,
        at_hand: &AtHand,
        beside: BTreeSet<Lookup>,
    ) -> Result<BTreeSet<Lookup>, Failure> {
        memo.beside = Arc::new(beside.into_iter().chain(memo.told_by.lookups().cloned()).collect());
        self.controller.remember(&self.key, memo.clone());
        Ok(self.follow(&at_hand.desired.trace, &memo.beside).await?)
    }

    fn keep_course(&self, memo: &Memo, walk: &mut Walk) {
        let phases = walk.picture.phases.iter().enumerate().filter(|(_, phase)| phase.ready);
        let ready: BTreeSet<_> = phases.map(|(index, _)| index).collect();
        let was_ready = memo.inputs.is_some();
        let new = walk.course.become_ready(ready);
        if !was_ready {
            self.tell_phases(&walk.picture, &new);
        }
        self.controller.keep_course(&self.key, walk.course.clone());
    }

    fn remember_walk(&self, memo: Memo, at_hand: &AtHand, walk: &Walk) -> Memo {
        let kinds = at_hand.desired.kinds();
        let inputs = memo.inputs.filter(|_| walk.picture.is_ready());
        let notes = Some(at_hand.desired.rendered.notes.clone());
        // What is only looked at now may be taken over by another.
        let is_managed = |id: &ObjectId| at_hand.desired.iter().any(|object| object.id == *id);
        let ours = self.context.objects.of(&self.set);
        let mut applied = walk.outcome.applied.clone();
        applied.retain(|id, _| is_managed(id) || ours.contains_key(id));
        let memo = Memo { inputs, applied, kinds, notes, ..memo };
        self.controller.remember(&self.key, memo.clone());
        memo
    }

    /// Makes the revision the one that runs, once its status was written.
    async fn commit(&self, mut memo: Memo, former: &Memo, revision: Revision<'_>, walk: &Walk) -> Result<(), Failure> {
        let Revision { at_hand, work, plan } = revision;
        let same_output = memo.output == Some(self.output(&at_hand.desired.rendered));
        if work.operation.is_none() {
            let same_inputs = memo.inputs == Some(work.inputs) && memo.recorded == Some(work.inputs);
            if same_inputs && same_output && former.applied == walk.outcome.applied {
                return Ok(());
            }
            if !same_output {
                self.rewrite(&mut memo, &at_hand.desired).await?;
            }
        }
        memo.applied.clone_from(&former.applied);
        let (desired, outcome) = (at_hand.desired.clone(), &walk.outcome);
        let ended = Ended { asked: work.inputs, work, desired, plan, outcome, resumed: false };
        let next = self.record(&memo, ended).await?;
        self.tell_revision(&next, former);
        Ok(())
    }
}
