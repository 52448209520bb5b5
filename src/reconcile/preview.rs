//! What a pass would write, without writing it: the same steps up to the plan, then each of its writes as a dry run.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::cluster::objects::Target;
use crate::reconcile::context::{Context, Controller};
use crate::reconcile::history::Goal;
use crate::reconcile::pass::{Failure, Pass};
use crate::reconcile::resource::Resource;
use crate::release::ObjectId;
use crate::release::plan::{self, Step};
use crate::release::prepare::Prepared;

/// What would happen to one object.
#[derive(Debug)]
pub struct Difference {
    /// The object.
    pub id: ObjectId,
    /// Why; a predicate to its name.
    pub reason: String,
    /// As it is; nothing if it does not exist.
    pub before: Option<Json>,
    /// As it would be; nothing if it would be deleted. The error where the API server would refuse it.
    pub after: Result<Option<Json>, String>,
}

/// What a pass over `resource` would do: every object that would change, in the order of the writes.
///
/// # Errors
/// Why nothing of it could be carried out, as the resource's conditions would tell it.
pub async fn preview(
    context: &Arc<Context>,
    controller: &Arc<Controller>,
    resource: Resource,
) -> Result<Vec<Difference>, String> {
    let key = resource.key();
    let pass = Pass::new(context, controller, &key, Arc::new(resource));
    pass.preview().await.map_err(|failure| failure.message())
}

/// What is sent of an object that is there, or not.
fn to_send(object: &Prepared, exists: bool) -> &Json {
    object.ignored.as_ref().filter(|_| !exists).map_or(&object.body, |ignored| &ignored.whole)
}

impl Pass<'_> {
    async fn preview(&self) -> Result<Vec<Difference>, Failure> {
        let memo = self.recall().await?;
        let inputs = self.inputs();
        let same = self.is_same(&memo, inputs).await?;
        let (_, mut attempt) = self.work(&memo, Goal::Asked, inputs, same).await?;
        self.obey_rules(&mut attempt.rendered, inputs).await?;
        let mut kinds = self.owned_kinds(&memo).await?;
        kinds.extend(attempt.rendered.kinds());
        let served = self.watch(&kinds).await?;
        let desired = self.prepare(attempt, &served)?;
        let observed = self.observe(&desired, &served, &memo).await?;
        let plan = plan::plan(&observed, &desired.plan).map_err(|refused| self.collision(&refused))?;
        let mut differences = Vec::new();
        for step in plan.steps.iter().filter(|step| !self.is_tolerated(step, &observed, &memo)) {
            if let Some(id) = step.id() {
                differences.push(self.difference(step, id.clone()).await?);
            }
        }
        // A write that changes nothing, which only trying shows, is no difference.
        differences.retain(|difference| difference.after.as_ref().ok() != Some(&difference.before));
        Ok(differences)
    }

    async fn difference(&self, step: &Step, id: ObjectId) -> Result<Difference, Failure> {
        let gvk = match step {
            Step::Apply { object, .. } => Some(object.gvk()),
            Step::Hook(_) | Step::Prune { .. } | Step::Release { .. } => None,
        };
        let served = match gvk {
            Some(gvk) => self.context.discovery.resolve(&gvk).await?,
            None => self.context.discovery.resolve_preferred(&id.group, &id.kind).await?,
        };
        let target = Target { served: &served, namespace: &id.namespace, name: &id.name };
        let before = self.cluster.get(target).await?;
        let (reason, after) = match step {
            Step::Apply { object, reason, .. } => {
                (reason.to_string(), self.tried(target, to_send(object, before.is_some())).await)
            }
            Step::Hook(step) => (format!("is run as {}", step.event.name()), Ok(before.clone())),
            Step::Prune { .. } => ("is not rendered any more".to_owned(), Ok(None)),
            Step::Release { .. } => {
                ("is not rendered any more, and kept because it says so".to_owned(), Ok(before.clone()))
            }
        };
        Ok(Difference { id, reason, before, after })
    }

    async fn tried(&self, target: Target<'_>, body: &Json) -> Result<Option<Json>, String> {
        match self.cluster.try_apply(target, body).await {
            Ok(object) => Ok(Some(object)),
            // Its namespace would be made a moment earlier.
            Err(error) if error.is_not_found() => Ok(Some(body.clone())),
            Err(error) => Err(error.message()),
        }
    }
}
