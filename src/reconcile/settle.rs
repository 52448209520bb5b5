//! After the objects are sent: whether the chart, which may have looked some of them up, still renders the same.

use std::sync::Arc;

use std::collections::BTreeSet;

use crate::reconcile::attempt::Attempt;
use crate::reconcile::carry_out::Outcome;
use crate::reconcile::context::Memo;
use crate::reconcile::desire::{Desired, Kept};
use crate::reconcile::history::Failed;
use crate::reconcile::pass::{Failure, Pass, Refusal};
use crate::reconcile::trace::{Trace, id};
use crate::reconcile::unstable::By;
use crate::reconcile::work::Work;
use crate::release::plan::{Applied, Plan, Step};
use crate::release::{Digest, ObjectId};

impl Pass<'_> {
    /// Why the last render failed, if it would fail again.
    pub(crate) async fn still_unrendered(&self, memo: &Memo, inputs: Digest) -> Result<Option<Refusal>, Failure> {
        let Some(unrendered) = memo.unrendered.as_ref().filter(|unrendered| unrendered.inputs == inputs) else {
            return Ok(None);
        };
        let holds = self.holds(&unrendered.trace, &Memo::default()).await?;
        Ok(holds.then(|| unrendered.refusal.clone()))
    }

    /// What was asked to render it, but for our own objects, which going back changes.
    pub(crate) fn foreign_trace(&self, desired: &Desired) -> Trace {
        let own = desired.iter().map(|object| object.id.clone());
        desired.trace.clone().without(&own.chain(self.context.objects.of(&self.set).into_keys()).collect())
    }

    /// Whether what a failed revision had looked up is still the same, so that it would fail again.
    pub(crate) async fn would_fail_again(&self, failed: &Failed) -> Result<bool, Failure> {
        let trace = Trace::from(failed.trace.clone());
        Ok(trace.is_empty() || self.holds(&trace, &Memo::default()).await?)
    }

    /// Whether watches have shown something else of what was looked up since.
    pub(crate) fn has_moved(&self, trace: &Trace) -> bool {
        let is_another = |(lookup, found)| self.context.lookups.digest(lookup).is_some_and(|known| known != found);
        trace.digests().any(is_another)
    }

    /// Whether the last render was made of the same as one would be now.
    pub(crate) async fn is_same(&self, memo: &Memo, inputs: Digest) -> Result<bool, Failure> {
        let kept = memo.kept.as_ref().filter(|kept| kept.inputs == inputs);
        if let Some(kept) = kept {
            return Ok(self.holds(&kept.attempt.trace, memo).await?);
        }
        if memo.inputs != Some(inputs) && memo.recorded != Some(inputs) {
            return Ok(false);
        }
        // What is ours is watched as such, which shows it to whoever has looked it up too.
        self.watch(&memo.kinds).await?;
        Ok(self.holds(&memo.trace, memo).await?)
    }

    /// Whether the object is as it was sent and answered.
    pub(crate) fn is_as_applied(&self, id: &ObjectId, applied: &Applied) -> bool {
        self.context.objects.of(&self.set).get(id).is_some_and(|known| known.is(applied))
    }

    /// Brings what is known to have been looked up to what it is after our own writes. A chart that looks for its own
    /// Secret, and makes up a password where there is none, finds it the next time: that must not be taken for a change.
    pub(crate) async fn settle(&self, desired: &mut Desired, plan: &Plan, outcome: &Outcome) -> Result<(), Failure> {
        self.follow(&desired.trace, &BTreeSet::new()).await?;
        if plan.steps.iter().filter_map(Step::id).any(|id| id.kind == "CustomResourceDefinition") {
            self.context.discovery.doubt();
        }
        if !outcome.is_complete() {
            return Ok(());
        }
        let mut moved = Trace::default();
        for (lookup, before) in desired.trace.digests() {
            // Some of what was rendered by an earlier pass was sent by one.
            let sent = desired.iter().filter(|_| desired.terms.is_none()).map(|object| &object.id);
            let touched = plan.steps.iter().filter_map(Step::id).chain(sent).any(|object| {
                (&object.group, &object.kind) == (&id(lookup).group, &lookup.kind)
                    && lookup.covers(&object.namespace, &object.name)
            });
            if touched
                && let now = self.read_again(lookup).await?
                && now != before
            {
                moved.set(lookup, now);
            }
        }
        if moved.is_empty() {
            return Ok(());
        }
        let Some(terms) = desired.terms.clone() else {
            // It was put back as it had been rendered before.
            moved.digests().for_each(|(lookup, now)| desired.trace.set(lookup, now));
            return Ok(());
        };
        match self.render(terms).await {
            Ok(again) if self.output(&again.rendered) == self.output(&desired.rendered) => {
                desired.rendered.changes_by_itself = again.rendered.changes_by_itself;
                desired.trace = again.trace;
                self.follow(&desired.trace, &BTreeSet::new()).await?;
            }
            // The next pass renders it as a new revision, or tells why it cannot.
            _ => self.context.wake_readers([Arc::clone(&self.set)], By::Others),
        }
        Ok(())
    }

    /// What nobody can render again, where no record will hold it.
    pub(crate) fn kept(&self, work: &Work, attempt: &Attempt) -> Option<Arc<Kept>> {
        let is_lost = self.entry.watch.history == 0 && attempt.rendered.changes_by_itself;
        is_lost.then(|| Arc::new(Kept { inputs: work.inputs, attempt: attempt.clone() }))
    }
}
