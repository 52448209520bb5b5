//! The plan at hand: what a chart with a policy rendered, each object with its place. It is kept until a render would give
//! something else, so that what becomes ready, or drifts, is handled without one.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::policy::{Policy, Reference};
use crate::reconcile::attempt::{Attempt, Terms};
use crate::reconcile::context::Memo;
use crate::reconcile::desire::{Desired, refused};
use crate::reconcile::pass::{Cause, Failure, Pass, ServedKinds, log};
use crate::reconcile::rendering::{context, parent};
use crate::release::action::On;
use crate::release::mode::Mode;
use crate::release::operation::Operation;
use crate::release::staged::{Item, Staged, stage};
use crate::release::{Digest, Gvk, ObjectId, applyset, plan};
use crate::render::POLICY;

/// A chart's objects with their places.
pub(crate) struct AtHand {
    /// Digest of what it was rendered from.
    pub(crate) inputs: Digest,
    /// Digest of all of it.
    pub(crate) digest: Digest,
    /// What is applied of it.
    pub(crate) desired: Desired,
    /// All of it, in install order.
    pub(crate) items: Vec<Item>,
    pub(crate) policy: Policy,
}

impl std::fmt::Debug for AtHand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What was rendered may hold secrets.
        f.debug_struct("AtHand").field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

impl AtHand {
    /// Names of the phases.
    pub(crate) fn phases(&self) -> Vec<&str> {
        self.policy.phases.iter().map(String::as_str).collect()
    }

    /// The Jobs that run then.
    pub(crate) fn actions(&self, on: On) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.runs_on(on))
    }

    /// The objects of a phase.
    pub(crate) fn of(&self, phase: usize) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.phase == phase)
    }
}

impl Pass<'_> {
    /// The plan at hand; a new one where a render would give another.
    pub(crate) async fn at_hand(&self, memo: &Memo, inputs: Digest) -> Result<Arc<AtHand>, Failure> {
        let mut terms = phased_terms(memo, inputs);
        // What is rendered for a deletion is something else.
        let inputs = if self.resource.is_deleting() { inputs.keyed(b"deleting") } else { inputs };
        let known = memo.at_hand.as_ref().filter(|known| known.inputs == inputs);
        if let Some(known) = known.filter(|_| !self.is_requested())
            && self.holds(&known.desired.trace, memo).await?
        {
            return Ok(Arc::clone(known));
        }
        if let Some(refusal) = self.still_unrendered(memo, inputs).await? {
            return Err(Failure::Refused(refusal));
        }
        if let Some(before) = known.and_then(|known| known.desired.terms.as_ref()) {
            // What is made up by chance stays while the same is asked for.
            terms.chance = before.chance.clone();
        }
        let attempt = self.try_render(memo, inputs, terms).await?;
        let trace = attempt.trace.clone();
        let arranged = self.arrange(inputs, attempt).await;
        if let Err(Failure::Refused(refusal)) = &arranged {
            // Another answer to what was asked may be another plan.
            self.remember_unrendered(memo, inputs, trace, refusal.clone()).await?;
        }
        arranged.map(Arc::new)
    }

    /// Gives what was rendered its places.
    async fn arrange(&self, inputs: Digest, attempt: Attempt) -> Result<AtHand, Failure> {
        let Attempt { mut rendered, mut trace, terms } = attempt;
        self.obey_rules(&mut rendered, inputs).await?;
        let text = rendered.policy.as_deref().unwrap_or_default();
        let policy = Policy::read(text, POLICY).map_err(|faults| Failure::refused(Cause::Policy, told(&faults)))?;
        let served = self.resolve(&rendered.kinds()).await?;
        // Where a kind comes to be served, its objects may get another namespace.
        rendered.kinds().iter().filter(|kind| !served.contains_key(kind)).for_each(|kind| trace.lacks(kind));
        let context = context(&self.entry, &self.resource, self.release.clone());
        let scope = |gvk: &Gvk| Some(served.get(gvk)?.scope());
        let objects = std::mem::take(&mut rendered.objects);
        let Staged { items, collisions, warnings } =
            stage(objects, &policy, &context, &scope).map_err(|error| refused(&error))?;
        self.check_observed(&items, &served)?;
        for warning in warnings {
            log!(warn, self, "Rendered object changed", warning = warning.to_string());
        }
        let on = if self.resource.is_deleting() { On::PreDelete } else { On::Apply };
        let plan = plan::Desired {
            objects: Staged::managed(&items).cloned().collect(),
            actions: Staged::actions(&items, on).cloned().collect(),
            part_of: context.part_of,
            owner_uid: context.owner.uid,
            release: context.release,
            collision: policy.collision,
            collisions,
            adopt_from: self.friends(&policy.adopt_from),
            spared: items.iter().map(|item| item.id.clone()).collect(),
            before: Vec::new(),
            after: Vec::new(),
        };
        let digest = Digest::of(format!("{text}\n{}", rendered.manifest));
        Ok(AtHand { inputs, digest, desired: Desired { rendered, trace, terms, plan }, items, policy })
    }

    /// What is observed is looked up, as far as the rules of the watch permit.
    fn check_observed(&self, items: &[Item], served: &ServedKinds) -> Result<(), Failure> {
        for item in items.iter().filter(|item| item.mode() == Mode::Observe) {
            let namespace =
                served.get(&item.gvk()).is_none_or(|served| served.namespaced).then_some(&*item.id.namespace);
            if !self.may_look_up(&item.id.group, &item.id.kind, namespace) {
                let message = format!("`{}` may not be observed: permit it by `lookup` in watches.yaml", item.id);
                return Err(Failure::refused(Cause::Restrict, message));
            }
        }
        Ok(())
    }

    /// The `ApplySets` of the resources whose objects may be taken over.
    fn friends(&self, friends: &[Reference]) -> BTreeSet<String> {
        let set = |friend: &Reference| {
            let own = parent(&self.entry.watch, &self.key).namespace;
            let namespace = friend.namespace.clone().unwrap_or(own);
            let (group, kind, name) = (friend.group.clone(), friend.kind.clone(), friend.name.clone());
            applyset::id(&ObjectId { group, kind, namespace, name })
        };
        friends.iter().map(set).collect()
    }
}

/// On which terms a render comes out as the revision that it is, or will be.
fn phased_terms(memo: &Memo, inputs: Digest) -> Terms {
    let under_way = memo.under_way.as_ref().filter(|under_way| under_way.inputs == inputs);
    let running = memo.history.deployed().filter(|_| memo.recorded == Some(inputs));
    match (under_way, running) {
        (Some(under_way), _) => Terms::new(under_way.revision, memo.operation()),
        (None, Some(1)) => Terms::new(1, Operation::Install),
        (None, Some(revision)) => Terms::new(revision, Operation::Upgrade),
        (None, None) => Terms::new(memo.history.next(), memo.operation()),
    }
}

/// All faults of a policy.
fn told(faults: &[Diagnostic]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
