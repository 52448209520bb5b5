//! What should be: the chart rendered with the resource's values, on a thread of its own.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::cluster::world::{ClusterWorld, Scope as Sight};
use crate::diagnostic::chain;
use crate::reconcile::context::Memo;
use crate::reconcile::pass::{Cause, Failure, Pass, ServedKinds, log};
use crate::reconcile::rendering::{self, Job, Rendered};
use crate::reconcile::rules;
use crate::release::operation::Operation;
use crate::release::prepare::{self, Prepared};
use crate::release::secret::Secrets;
use crate::release::{Digest, Gvk, Scope, plan};
use crate::render;
use crate::template::Limit;
use crate::watches::Crds;

/// What was rendered, as it is sent.
pub(crate) struct Desired {
    pub(crate) rendered: Rendered,
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
        self.iter().map(|object| object.gvk()).collect()
    }
}

impl Pass<'_> {
    /// Digest of everything that what is rendered depends on.
    pub(crate) fn inputs(&self) -> Digest {
        let entry = &self.entry;
        let spec = self.resource.spec().unwrap_or(&Json::Null);
        let mut hash = Sha256::new();
        hash.update(entry.chart.digest);
        hash.update([u8::from(entry.watch.crds == Crds::CreateReplace)]);
        let capabilities = self.context.capabilities.borrow().kube_version().version.clone();
        let (spec, overrides) = (spec.to_string(), entry.overrides.to_string());
        let rules = &entry.watch.rules;
        for part in [&self.release.namespace, &self.release.name, &spec, &overrides, &capabilities, rules] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        Digest::of(hash.finalize())
    }

    /// Renders the chart.
    pub(crate) async fn desire(&self, memo: &Memo) -> Result<Rendered, Failure> {
        let job = Job {
            entry: Arc::clone(&self.entry),
            capabilities: self.context.capabilities.borrow().clone(),
            spec: self.resource.spec().cloned().unwrap_or_else(|| json!({})),
            release: self.release.clone(),
            revision: memo.history.next(),
            operation: match memo.operation() {
                Operation::Install => render::Operation::Install,
                _ => render::Operation::Upgrade,
            },
        };
        let (cluster, discovery) = (self.cluster.clone(), self.context.discovery.clone());
        let runtime = tokio::runtime::Handle::current();
        let sight = match self.resource.namespace() {
            "" => Sight::Cluster,
            namespace => Sight::Namespace(namespace.to_owned()),
        };
        let start = std::time::Instant::now();
        let render = move || {
            let world = ClusterWorld::new(cluster, discovery, runtime, sight);
            job.render(Rc::new(world)).map_err(|error| NotRendered { message: chain(&error), limit: error.limit() })
        };
        let rendered = match tokio::task::spawn_blocking(render).await {
            Ok(rendered) => rendered,
            Err(panic) => match panic.try_into_panic() {
                // A bug of ours: the pass ends as if it had panicked itself.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(cancelled) => Err(NotRendered { message: cancelled.to_string(), limit: None }),
            },
        };
        self.count_render(&rendered, start.elapsed());
        rendered.map_err(|fault| {
            let cause = if fault.limit.is_some() { Cause::Budget } else { Cause::Render };
            // Functions repeat what they were given.
            let secrets = Secrets::of(self.resource.spec().unwrap_or(&Json::Null));
            Failure::refused(cause, secrets.redact(&fault.message))
        })
    }

    /// Makes the objects what is sent: names, namespaces, labels, owner.
    pub(crate) fn prepare(&self, mut rendered: Rendered, served: &ServedKinds) -> Result<Desired, Failure> {
        let context = rendering::context(&self.entry, &self.resource, self.release.clone());
        let scope = |gvk: &Gvk| {
            let served = served.get(gvk)?;
            Some(if served.namespaced { Scope::Namespaced } else { Scope::Cluster })
        };
        let objects = std::mem::take(&mut rendered.objects);
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
            part_of: context.part_of,
            owner_uid: context.owner.uid,
            release: context.release,
            collision: plan::Policy::Prevent,
            adopt_from: BTreeSet::new(),
            before: Vec::new(),
            after: Vec::new(),
        };
        Ok(Desired { rendered, plan })
    }

    fn count_render(&self, rendered: &Result<Rendered, NotRendered>, took: std::time::Duration) {
        use crate::metrics::{Budget, OfController, Outcome, Render};
        let controller = self.controller.name.clone();
        let result = if rendered.is_ok() { Outcome::Success } else { Outcome::Error };
        self.context.metrics.renders.get_or_create(&Render { controller: controller.clone(), result }).inc();
        if let Err(NotRendered { limit: Some(limit), .. }) = rendered {
            let budget = Budget { budget: limit.name(), controller: controller.clone() };
            self.context.metrics.budget_exceeded.get_or_create(&budget).inc();
        }
        self.context.metrics.render_seconds.get_or_create(&OfController { controller }).observe(took.as_secs_f64());
    }
}

pub(crate) fn refused(error: &crate::release::Error) -> Failure {
    Failure::refused(Cause::Render, chain(error))
}

/// Why nothing was rendered.
struct NotRendered {
    /// What the user is told.
    message: String,
    /// The limit that was reached, if that was it.
    limit: Option<Limit>,
}
