//! What should be: the chart rendered with the resource's values, on a thread of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::diagnostic::chain;
use crate::policy::Collision;
use crate::reconcile::attempt::{Attempt, Terms, tells_revision};
use crate::reconcile::context::Memo;
use crate::reconcile::pass::{Cause, Failure, Pass, Refusal, ServedKinds, log};
use crate::reconcile::rendering::{self, Rendered};
use crate::reconcile::rules;
use crate::reconcile::trace::Trace;
use crate::release::operation::Operation;
use crate::release::prepare::{self, Prepared};
use crate::release::{Digest, Gvk, ObjectId, plan, staged};
use crate::watches::Crds;

/// What was rendered, as it is sent.
#[derive(Clone)]
pub(crate) struct Desired {
    pub(crate) rendered: Rendered,
    /// What was asked to render it.
    pub(crate) trace: Trace,
    /// On which terms it was rendered, if it was in this pass.
    pub(crate) terms: Option<Terms>,
    pub(crate) plan: plan::Desired,
}

impl Deref for Desired {
    type Target = [Arc<Prepared>];
    fn deref(&self) -> &[Arc<Prepared>] {
        &self.plan.objects
    }
}

impl Desired {
    pub(crate) fn kinds(&self) -> BTreeSet<Gvk> {
        self.iter().chain(&self.plan.actions).map(|object| object.gvk()).collect()
    }

    /// Everything that is, or comes to be, the resource's.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &ObjectId> {
        self.iter().chain(&self.plan.actions).map(|object| &object.id)
    }
}

/// What was rendered from `inputs`, where no record holds it.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) inputs: Digest,
    pub(crate) attempt: Attempt,
}

/// Why nothing was rendered from `inputs`.
#[derive(Debug)]
pub(crate) struct Unrendered {
    pub(crate) inputs: Digest,
    pub(crate) trace: Trace,
    pub(crate) refusal: Refusal,
    /// Whether the resource had no finalizer then: what records there are was not asked.
    pub(crate) unclaimed: bool,
}

impl Pass<'_> {
    /// Digest of what the chart is rendered from, but for what it asks while it is rendered.
    pub(crate) fn inputs(&self) -> Digest {
        match &self.latch {
            Some(latch) => latch.inputs,
            None => self.inputs_of(self.resource.spec().unwrap_or(&Json::Null)),
        }
    }

    /// As [`Pass::inputs`], for this `spec`.
    pub(crate) fn inputs_of(&self, spec: &Json) -> Digest {
        let entry = &self.entry;
        let mut hash = Sha256::new();
        hash.update(entry.chart.digest);
        hash.update([u8::from(entry.watch.crds == Crds::CreateReplace)]);
        let (spec, overrides) = (spec.to_string(), entry.overrides.to_string());
        let rules = &entry.watch.rules;
        for part in [&self.release.namespace, &self.release.name, &spec, &overrides, rules] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        Digest::of(hash.finalize())
    }

    /// Digest of what a record of it would hold.
    pub(crate) fn output(&self, rendered: &Rendered) -> Digest {
        let mut hash = Sha256::new();
        hash.update(self.entry.chart.content_digest);
        hash.update(Digest::of_json(&rendered.config).0);
        hash.update(&rendered.manifest);
        for hook in &rendered.hooks {
            for part in [&hook.path, &hook.manifest] {
                hash.update(part.len().to_le_bytes());
                hash.update(part);
            }
        }
        Digest::of(hash.finalize())
    }

    /// What the chart renders now. From the same inputs comes the same: where chance, or objects of ours, had a part in it,
    /// it is not rendered again.
    pub(crate) async fn desire(&self, memo: &Memo, inputs: Digest, same: bool) -> Result<Attempt, Failure> {
        if same && let Some(kept) = memo.kept.as_ref().filter(|kept| kept.inputs == inputs) {
            return Ok(kept.attempt.clone());
        }
        let next = Terms::new(memo.history.next(), memo.operation());
        let running = memo.history.deployed().filter(|_| memo.recorded == Some(inputs));
        let Some(running) = running.filter(|_| tells_revision(&self.entry.chart)) else {
            return self.try_render(memo, inputs, next).await;
        };
        // Only what would come out different as that very revision is another one.
        let operation = if running == 1 { Operation::Install } else { Operation::Upgrade };
        let again = Terms { chance: next.chance.clone(), ..Terms::new(running, operation) };
        let attempt = self.try_render(memo, inputs, again).await?;
        if memo.output == Some(self.output(&attempt.rendered)) {
            return Ok(attempt);
        }
        self.try_render(memo, inputs, next).await
    }

    /// Renders; a failure that only the user can mend is remembered, and what was asked is followed.
    pub(crate) async fn try_render(&self, memo: &Memo, inputs: Digest, terms: Terms) -> Result<Attempt, Failure> {
        let fault = match self.render(terms).await {
            Ok(attempt) => {
                self.tell_denied(&attempt.trace, &memo.trace);
                return Ok(attempt);
            }
            Err(fault) => fault,
        };
        self.tell_denied(&fault.trace, memo.unrendered.as_ref().map_or(&memo.trace, |former| &former.trace));
        // Reaching a limit may be a matter of how busy the machine is.
        if let Some(refusal) = fault.refusal().filter(|refusal| refusal.cause == Cause::Render) {
            self.remember_unrendered(memo, inputs, fault.trace.clone(), refusal).await?;
        }
        Err(fault.failure())
    }

    /// Remembers why nothing came of a render, and follows what it asked.
    pub(crate) async fn remember_unrendered(
        &self,
        memo: &Memo,
        inputs: Digest,
        trace: Trace,
        refusal: Refusal,
    ) -> Result<(), Failure> {
        self.follow(&trace, &memo.beside).await?;
        let unrendered = Unrendered { inputs, trace, refusal, unclaimed: !self.has_finalizer() };
        self.controller.remember(&self.key, Memo { unrendered: Some(Arc::new(unrendered)), ..memo.clone() });
        Ok(())
    }

    /// Makes the objects what is sent: names, namespaces, labels, owner.
    pub(crate) fn prepare(&self, attempt: Attempt, served: &ServedKinds) -> Result<Desired, Failure> {
        let Attempt { mut rendered, trace, terms } = attempt;
        let context = rendering::context(&self.entry, &self.resource, self.release.clone());
        let scope = |gvk: &Gvk| Some(served.get(gvk)?.scope());
        let objects = std::mem::take(&mut rendered.objects);
        objects.iter().try_for_each(staged::without_policy).map_err(|error| refused(&error))?;
        let mut preparation = prepare::objects(objects, &context, &scope).map_err(|error| refused(&error))?;
        rules::ignore(&self.entry.watch, &mut preparation.objects);
        for warning in &preparation.warnings {
            log!(warn, self, "Rendered object changed", warning = warning.to_string());
        }
        if let Some(object) = preparation.objects.iter().find(|object| object.scope.is_none()) {
            // Helm's words; nothing of the revision is written, as in Helm.
            let (kind, name) = (&object.id.kind, &object.id.name);
            let message = format!(
                "unable to build kubernetes objects from release manifest: resource mapping not found for name: \"{name}\" \
                 namespace: \"{}\" from \"\": no matches for kind \"{kind}\" in version \"{}\"\nensure CRDs are installed first",
                object.id.namespace,
                object.gvk().api_version(),
            );
            return Err(Failure::refused(Cause::Apply, message));
        }
        let plan = plan::Desired {
            objects: preparation.objects.into_iter().map(Arc::new).collect(),
            actions: Vec::new(),
            part_of: context.part_of,
            owner_uid: context.owner.uid,
            release: context.release,
            collision: Collision::Prevent,
            collisions: BTreeMap::new(),
            adopt_from: BTreeSet::new(),
            spared: BTreeSet::new(),
            before: Vec::new(),
            after: Vec::new(),
        };
        Ok(Desired { rendered, trace, terms, plan })
    }
}

pub(crate) fn refused(error: &crate::release::Error) -> Failure {
    Failure::refused(Cause::Render, chain(error))
}
