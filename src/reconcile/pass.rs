//! What a pass is about, and the order of its five steps.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::Entry;
use crate::cluster::discovery::Served;
use crate::cluster::{self, Cluster};
use crate::reconcile::carry_out::Outcome;
use crate::reconcile::context::{Context, Controller, Memo};
use crate::reconcile::history::{Failed, Goal};
use crate::reconcile::latch::Latch;
use crate::reconcile::objects::SetId;
use crate::reconcile::queue::Again;
use crate::reconcile::record::Ended;
use crate::reconcile::rendering::{parent, release_of};
use crate::reconcile::resource::{Key, Resource};
use crate::reconcile::work::Task;
use crate::release::{Digest, Gvk, ReleaseId, applyset, check_release_name, labels, plan};

/// A line of the log about the resource of a pass, with operator-sdk's fields.
macro_rules! log {
    ($level:ident, $pass:expr, $message:literal $(, $field:ident = $value:expr)* $(,)?) => {{
        let resource = &$pass.resource;
        tracing::$level!(
            target: "helm.controller",
            namespace = resource.namespace(),
            name = resource.name(),
            apiVersion = resource.api_version(),
            kind = resource.kind(),
            release = resource.name(),
            $($field = $value,)*
            $message
        );
    }};
}
pub(crate) use log;

/// One look at one resource.
#[derive(Clone)]
pub(crate) struct Pass<'a> {
    pub(crate) context: &'a Arc<Context>,
    pub(crate) controller: &'a Arc<Controller>,
    /// The cluster, as whoever the watch wants calls for the resource to be made.
    pub(crate) cluster: Cluster,
    /// The watch and its chart as they were when the pass began.
    pub(crate) entry: Arc<Entry>,
    pub(crate) key: Key,
    /// As it was when the pass began.
    pub(crate) resource: Arc<Resource>,
    pub(crate) release: ReleaseId,
    /// Id of the resource's ApplySet.
    pub(crate) set: SetId,
    /// The revision that is brought to its end first, where something newer is asked for.
    pub(crate) latch: Option<Latch>,
}

/// Why a pass could not go on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The API server did not answer, or not as hoped.
    Call(cluster::Error),
    /// What is asked for cannot be carried out; the user has to change something. Nothing was written.
    Refused(Refusal),
    /// A kind that was defined a moment ago is not served yet.
    NotServedYet,
    /// There is a release that nobody knew of when the pass began; now it is remembered.
    ReleaseMet,
    /// What the pass goes by is no longer so: an action gave a result, or what stood in the way has gone.
    Overtaken,
}

/// What the user reads in a condition.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// At which step.
    pub(crate) cause: Cause,
    /// The chart's word for what it waits for, if that is why.
    pub(crate) wait: Option<String>,
    /// In Helm's or the API server's words.
    pub(crate) message: String,
}

/// Which step refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// An annotation of the resource.
    Annotation,
    /// The values, the templates, or what they rendered.
    Render,
    /// Rendering took more than it may.
    Budget,
    /// The chart's policy.
    Policy,
    /// An object is not among those that the watch allows.
    Restrict,
    /// An object belongs to somebody else.
    Collision,
    /// The release does.
    Release,
    /// The API server refuses an object, or does not serve its kind.
    Apply,
}

impl From<cluster::Error> for Failure {
    fn from(error: cluster::Error) -> Self {
        Self::Call(error)
    }
}

impl Failure {
    pub(crate) fn refused(cause: Cause, message: impl Into<String>) -> Self {
        Self::Refused(Refusal { cause, wait: None, message: message.into() })
    }

    /// Whether somebody else was faster.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Call(error) if error.is_conflict())
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Self::Call(error) => error.message(),
            Self::Refused(refusal) => refusal.message.clone(),
            Self::NotServedYet => "a kind is not served yet".to_owned(),
            Self::ReleaseMet => "there is a release of that name".to_owned(),
            Self::Overtaken => "what it goes by is no longer so".to_owned(),
        }
    }
}

/// How far the objects are what the chart renders.
pub(crate) enum Progress {
    /// Nothing had to be done.
    InSync,
    /// A plan was carried out.
    CarriedOut(Outcome),
    /// The revision was refused as a whole.
    Refused(Refusal),
    /// It failed, and nothing more is done for it.
    Failed(Failed),
}

impl<'a> Pass<'a> {
    pub(crate) fn new(
        context: &'a Arc<Context>,
        controller: &'a Arc<Controller>,
        key: &Key,
        resource: Arc<Resource>,
    ) -> Self {
        let entry = controller.entry();
        let set: SetId = applyset::id(&parent(&entry.watch, key)).into();
        context.register(&set, controller, key);
        let release = release_of(&entry.watch, key, &context.namespace);
        let cluster = match &entry.watch.service_account_name {
            Some(account) => context.operator.acting_as(&release.namespace, account),
            None => context.operator.clone(),
        };
        Self { context, controller, cluster, entry, key: key.clone(), resource, release, set, latch: None }
    }

    /// Forgets a resource that is gone, or no longer selected.
    pub(crate) async fn forget(context: &Context, controller: &Controller, key: &Key) {
        controller.forget(key);
        context.unregister(&applyset::id(&parent(&controller.entry().watch, key))).await;
    }

    /// The pass itself.
    pub(crate) async fn run(&self) -> Result<Again, Failure> {
        if self.resource.is_deleting() {
            if self.has_finalizer() {
                self.confirm(&self.resource).await?;
            }
            return self.delete().await;
        }
        if let Some(pause) = self.pause() {
            return self.report_pause(pause).await;
        }
        if let Some(again) = self.rest().await? {
            return Ok(again);
        }
        if self.entry.has_policy() {
            return Box::pin(self.run_phases()).await;
        }
        let memo = self.with_previous(self.recall().await?).await?;
        if let Err(refusal) = self.check_annotations() {
            return self.report(&memo, &memo, Progress::Refused(refusal)).await;
        }
        let inputs = self.inputs();
        let asked = self.asked(inputs);
        let (memo, goal) = self.goal(memo, asked).await?;
        let failed = memo.failed.clone().filter(|_| matches!(goal, Goal::Keep | Goal::Rest));
        if let (Goal::Rest, Some(failed)) = (goal, &failed) {
            return self.report(&memo, &memo, Progress::Failed(failed.clone())).await;
        }
        if goal == Goal::Asked
            && let Some(refusal) = self.still_unrendered(&memo, inputs).await?
        {
            return self.report(&memo, &memo, Progress::Refused(refusal)).await;
        }
        // What is kept or put back is not rendered.
        let same = goal != Goal::Asked || self.is_same(&memo, inputs).await?;
        let wanted = if goal == Goal::Asked { Some(inputs) } else { memo.recorded };
        // Without the finalizer, which somebody may have taken off, nothing of it would be torn down.
        let known = same && goal != Goal::RollBack && memo.inputs.is_some() && memo.inputs == wanted;
        if known && !memo.doubted && self.has_finalizer() && !self.is_requested() {
            let served = self.watch(&memo.kinds).await?;
            if served.len() == memo.kinds.len() && self.is_in_sync(&memo) {
                return self.report(&memo, &memo, failed.map_or(Progress::InSync, Progress::Failed)).await;
            }
        }
        match self.bring_about(&memo, goal, Demand { inputs, asked, same }).await {
            Ok((next, outcome)) => self.report_carried_out(&next, &memo, asked, outcome).await,
            Err(Failure::Refused(refusal)) => self.report(&memo, &memo, Progress::Refused(refusal)).await,
            Err(failure) => Err(failure),
        }
    }

    /// What to work towards, and what is known of it. What failed is tried again where what it had looked up is another.
    async fn goal(&self, memo: Arc<Memo>, asked: Digest) -> Result<(Arc<Memo>, Goal), Failure> {
        let goal = memo.goal(asked);
        if let (Goal::Keep | Goal::Rest, Some(failed)) = (goal, &memo.failed)
            && !self.would_fail_again(failed).await?
        {
            return Ok((Arc::new(Memo { failed: None, ..Memo::clone(&memo) }), Goal::Asked));
        }
        Ok((memo, goal))
    }

    /// Digest of what the user asks for: asking again, or for it by force, is asking for something else.
    fn asked(&self, inputs: Digest) -> Digest {
        let said = [labels::REQUESTED_AT, labels::UPGRADE_FORCE].map(|name| self.resource.annotation(name));
        said.into_iter().flatten().fold(inputs, |asked, text| asked.keyed(text.as_bytes()))
    }

    /// Renders, compares, writes. What was written is remembered, also where not everything could be.
    async fn bring_about(&self, memo: &Memo, goal: Goal, demand: Demand) -> Result<(Arc<Memo>, Outcome), Failure> {
        let Demand { inputs, asked, same } = demand;
        check_release_name(&self.release.name).map_err(|error| Failure::refused(Cause::Render, error.to_string()))?;
        let former = self.former(memo).await?;
        former.as_ref().map_or(Ok(()), |former| self.check_chart(former))?;
        let mut memo = memo.clone();
        // What failed before is forgotten as soon as something else is tried.
        memo.failed = memo.failed.filter(|failed| failed.asked == asked);
        let (mut work, mut attempt) = self.work(&memo, goal, inputs, same).await?;
        let kept = self.kept(&work, &attempt);
        self.obey_rules(&mut attempt.rendered, inputs).await?;
        if memo.recorded != Some(inputs) {
            self.bring_definitions(&attempt.rendered.definitions).await?;
        }
        let mut kinds = attempt.rendered.kinds();
        // What is no longer rendered must be seen to be pruned: a process that was cut off may not have come to that.
        kinds.extend(self.owned_kinds(&memo).await?);
        let served = self.watch(&kinds).await?;
        let hooks = work.hooks(&attempt.rendered);
        let mut desired = self.prepare(attempt, &served)?;
        (desired.plan.before, desired.plan.after) = hooks;
        let observed = self.observe(&desired, &served, &memo).await?;
        let mut plan = plan::plan(&observed, &desired.plan).map_err(|refused| self.collision(&refused))?;
        self.meet_release(&memo, &plan).await?;
        let drifts = self.tolerate(&mut plan, &observed, &served, &memo).await;
        if goal == Goal::Asked && work.operation.is_some() && work.begun.is_none() {
            self.tell_overrides();
        }
        self.claim(&desired, &self.resource).await?;
        (memo.kept, memo.unrendered) = (kept, None);
        if memo.kept.is_some() {
            self.controller.remember(&self.key, memo.clone());
        }
        self.begin(&mut memo, &mut work, &desired).await?;
        let task = Task { desired: &desired, plan: &plan, served: &served };
        let outcome = Outcome { drifts, ..self.carry_out_plan(&mut memo, &mut work, task).await? };
        self.prune_former(former.as_ref(), &desired, &outcome).await?;
        self.settle(&mut desired, &plan, &outcome).await?;
        let resumed = memo.inputs.is_none() && memo.recorded.is_some();
        let ended = Ended { work, desired, plan, outcome: &outcome, asked, resumed };
        Ok((self.record(&memo, ended).await?, outcome))
    }

    /// The collision in the user's words, and a wish to be woken when the other lets go.
    pub(crate) fn collision(&self, refused: &plan::Refused) -> Failure {
        let mut messages = Vec::new();
        for collision in &refused.collisions {
            self.context.objects.want(&collision.id, &self.set);
            let message = match &collision.holder {
                plan::Holder::ApplySet(set) => match self.context.describe_owner(set) {
                    Some(owner) => format!("`{}` belongs to {owner}", collision.id),
                    None => collision.to_string(),
                },
                _ => collision.to_string(),
            };
            messages.push(message);
        }
        Failure::refused(Cause::Collision, messages.join("; "))
    }

    /// The resource as our own writes have left it since the pass began.
    pub(crate) fn current(&self) -> Arc<Resource> {
        let current = self.controller.resources.find(&self.key);
        current.filter(|resource| resource.uid() == self.resource.uid()).unwrap_or_else(|| Arc::clone(&self.resource))
    }
}

/// What the user asks for, in digests.
#[derive(Clone, Copy)]
struct Demand {
    /// What the chart is rendered from.
    inputs: Digest,
    /// That, and how often and how it is asked for.
    asked: Digest,
    /// Whether a render would find what the last one found.
    same: bool,
}

/// How each kind that is served is served.
pub(crate) type ServedKinds = BTreeMap<Gvk, Arc<Served>>;
