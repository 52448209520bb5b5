//! Goes through the phases: sends what differs in each, and goes on to the next only when it is ready.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::cluster::Error;
use crate::cluster::lookup::Lookup;
use crate::reconcile::carry_out::Outcome;
use crate::reconcile::context::Memo;
use crate::reconcile::hooks::{Held, POLL};
use crate::reconcile::objects::Known;
use crate::reconcile::pass::{Failure, Pass, ServedKinds};
use crate::reconcile::phases::actions::Acts;
use crate::reconcile::phases::at_hand::AtHand;
use crate::reconcile::phases::course::Course;
use crate::reconcile::queue::Again;
use crate::release::action::{self, On, State};
use crate::release::plan::{Plan, Step};
use crate::release::staged::{Item, Task};
use crate::release::{Gvk, ObjectId, prepare};
use crate::status::Reason;
use crate::status::picture::{Object, Phase, Picture};

/// Between two looks for a kind that the chart itself defines.
const NOT_SERVED_RETRY: Duration = Duration::from_millis(200);

/// What phases are gone through with.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) at_hand: &'a AtHand,
    pub(crate) plan: &'a Plan,
    pub(crate) served: &'a ServedKinds,
    /// What is looked at and cannot be watched.
    pub(crate) blind: &'a BTreeSet<Lookup>,
    pub(crate) memo: &'a Memo,
}

/// How far the phases are.
pub(crate) struct Walk {
    pub(crate) outcome: Outcome,
    pub(crate) picture: Picture,
    /// When to look again.
    pub(crate) again: Again,
    /// Objects that no label shows: what is observed, or patched.
    pub(crate) course: Course,
    pub(crate) acts: Acts,
    /// Whether what has failed is tried again.
    pub(crate) retries: bool,
}

impl Walk {
    fn new(pass: &Pass<'_>, scene: Scene<'_>) -> Self {
        let course = pass.controller.course(&pass.key).of(scene.at_hand);
        let name = |name: &&str| Phase { name: (*name).to_owned(), ..Phase::default() };
        let phases: Vec<_> = scene.at_hand.phases().iter().map(name).collect();
        let outcome = Outcome { applied: scene.memo.applied.clone(), ..Outcome::default() };
        let picture = Picture { phases, ..Picture::default() };
        Self { outcome, picture, again: pass.later(), course, acts: pass.acts(), retries: false }
    }

    fn not_ready(&mut self, phase: usize, message: String) {
        if let Some(phase) = self.picture.phases.get_mut(phase) {
            phase.message = message;
        }
    }

    /// UID of the Job of an action, and why that is not done.
    fn judge_action(&self, item: &Item) -> (String, Option<String>) {
        let run = self.acts.run_of(item);
        let uid = run.map(|run| run.uid.clone()).unwrap_or_default();
        if let Some(error) = self.outcome.failures.get(&item.id) {
            return (uid, Some(error.message()));
        }
        // What runs when the resource is deleted keeps nothing from being ready.
        let message = if item.runs_on(On::Apply) { action::not_ready(run) } else { None };
        (uid, message)
    }

    /// What was not accepted is tried again.
    fn wait_for_failures(&mut self) {
        if self.outcome.may_succeed_later() {
            self.again = Again::after_failure(self.outcome.retry_after());
        }
        if let Some(wait) = self.outcome.contended.values().min() {
            self.within(Duration::from_secs(u64::try_from(*wait).unwrap_or(1)));
        }
    }

    pub(crate) fn within(&mut self, time: Duration) {
        self.again = self.again.within(time);
    }
}

impl Pass<'_> {
    /// Goes through the phases as far as they are ready.
    pub(crate) async fn walk(&self, scene: Scene<'_>) -> Result<Walk, Failure> {
        let mut walk = Walk::new(self, scene);
        let last = walk.picture.phases.len().saturating_sub(1);
        for phase in 0..=last {
            self.enter_phase(scene, phase, &mut walk).await?;
            if phase == last && walk.outcome.failures.is_empty() {
                self.prune_leavers(scene, &mut walk).await?;
            }
            if !self.judge_phase(scene, phase, &mut walk).await? {
                break;
            }
        }
        self.forget_actions(scene.at_hand, &mut walk.acts.runs).await?;
        let mut judged: BTreeMap<_, _> =
            std::mem::take(&mut walk.picture.objects).into_iter().map(|object| (object.id.clone(), object)).collect();
        let known = self.as_known(&scene.at_hand.items);
        walk.picture.objects = known.into_iter().map(|object| judged.remove(&object.id).unwrap_or(object)).collect();
        Ok(walk)
    }

    /// A walk that has not come to the first phase.
    pub(crate) fn walk_not_begun(&self, scene: Scene<'_>) -> Walk {
        let mut walk = Walk::new(self, scene);
        walk.picture.objects = self.as_known(&scene.at_hand.items);
        walk
    }

    /// Sends what of a phase differs.
    async fn enter_phase(&self, scene: Scene<'_>, phase: usize, walk: &mut Walk) -> Result<(), Failure> {
        let entered = walk.course.enter(phase, Timestamp::now());
        if let Some(phase) = walk.picture.phases.get_mut(phase) {
            phase.entered = Some(entered);
        }
        let mut here = BTreeSet::new();
        for item in scene.at_hand.of(phase).filter(|item| matches!(item.task, Task::Manage(_))) {
            if self.is_served(&item.gvk()).await? {
                here.insert(&item.id);
            }
        }
        let left = scene.plan.leaving.iter().filter(|id| here.contains(id));
        for id in left {
            self.context.objects.want(id, &self.set);
            walk.outcome.leaving.push(id.clone());
        }
        for wave in scene.plan.waves_of(|id| here.contains(id)) {
            let defines = wave.iter().any(|(object, _)| object.id.kind == "CustomResourceDefinition");
            self.send_wave(wave, &mut walk.outcome, scene.served, scene.memo).await;
            if defines {
                self.context.discovery.doubt();
            }
        }
        for item in scene.at_hand.of(phase) {
            if let Task::Patch(patch) = &item.task
                && let Err(error) = self.bring_patch(scene, item, patch, walk).await
            {
                walk.outcome.failures.insert(item.id.clone(), error);
            }
        }
        for item in scene.at_hand.of(phase).filter(|item| item.runs_on(On::Apply)) {
            match self.bring_action(scene.at_hand, item, &mut walk.acts).await {
                Ok(None) => {}
                Ok(Some(time)) => walk.within(time),
                Err(Failure::Call(error)) => drop(walk.outcome.failures.insert(item.id.clone(), error)),
                Err(failure) => return Err(failure),
            }
        }
        walk.wait_for_failures();
        Ok(())
    }

    /// Whether all of a phase is ready; what is not, is told.
    async fn judge_phase(&self, scene: Scene<'_>, phase: usize, walk: &mut Walk) -> Result<bool, Failure> {
        let (mut first, mut failed) = (None, None);
        let ours = self.context.objects.of(&self.set);
        for item in scene.at_hand.of(phase) {
            let (uid, message) = match &item.task {
                Task::Manage(_) => self.judge_managed(scene, item, ours.get(&item.id), walk).await?,
                Task::Observe | Task::Patch(_) => self.judge_seen(scene, item, walk).await?,
                Task::Act(..) => walk.judge_action(item),
                Task::Spare => (String::new(), None),
            };
            let object = object(item, uid, message);
            if !object.ready {
                let cause = || (item.id.clone(), object.message.clone());
                if let Some(run) = walk.acts.run_of(item).filter(|run| run.has_failed()) {
                    let retries = run.state == State::Retrying;
                    failed = failed.filter(|(_, known)| !known || retries).or_else(|| Some((cause(), retries)));
                }
                first = first.or_else(|| Some(cause()));
            }
            walk.picture.objects.push(object);
        }
        if let Some(((id, message), retries)) = failed {
            walk.not_ready(phase, format!("{} {}: {message}", id.kind, id.name));
            walk.picture.failed = Some((Reason::ActionFailed, walk.picture.message()));
            walk.retries = retries;
            return Ok(false);
        }
        let Some((id, message)) = first else {
            if let Some(phase) = walk.picture.phases.get_mut(phase) {
                phase.ready = true;
            }
            return Ok(true);
        };
        let cause = self.cause_of(&id, ours.get(&id), walk).await.unwrap_or(message);
        walk.not_ready(phase, format!("{} {}: {cause}", id.kind, id.name));
        Ok(false)
    }

    /// What is below an object that is not ready and says no more than that.
    async fn cause_of(&self, id: &ObjectId, known: Option<&Known>, walk: &mut Walk) -> Option<String> {
        if walk.outcome.failures.contains_key(id) {
            return None;
        }
        let known = known.filter(|known| known.may_have_cause)?;
        let sight = self.look_below(id, &known.readiness).await;
        walk.within(sight.wait);
        sight.cause.map(|cause| cause.to_string())
    }

    /// UID of an object of ours, and why it is not ready.
    async fn judge_managed(
        &self,
        scene: Scene<'_>,
        item: &Item,
        known: Option<&Known>,
        walk: &mut Walk,
    ) -> Result<(String, Option<String>), Error> {
        let gvk = item.gvk();
        if !self.is_served(&gvk).await? {
            if is_defined_here(scene.at_hand, &gvk) {
                walk.within(NOT_SERVED_RETRY);
            }
            return Ok((String::new(), Some(not_served(&gvk))));
        }
        let uid = known.map(|known| known.live.uid.clone()).unwrap_or_default();
        let outcome = &walk.outcome;
        let message = match known {
            _ if outcome.failures.contains_key(&item.id) => outcome.failures.get(&item.id).map(Error::message),
            _ if outcome.contended.contains_key(&item.id) => {
                Some("changed again and again by somebody else".to_owned())
            }
            _ if outcome.leaving.contains(&item.id) => Some("is being deleted".to_owned()),
            None => Some("not found".to_owned()),
            Some(known) if known.live.deleting => Some("is being deleted".to_owned()),
            Some(known) => (!known.readiness.is_current()).then(|| known.readiness.message.clone()),
        };
        Ok((uid, message))
    }

    /// Objects of which nothing is judged.
    pub(crate) fn as_known(&self, items: &[Item]) -> Vec<Object> {
        let ours = self.context.objects.of(&self.set);
        let uid = |item: &Item| ours.get(&item.id).map(|known| known.live.uid.clone()).unwrap_or_default();
        items.iter().map(|item| object(item, uid(item), Some(String::new()))).collect()
    }

    /// Deletes, or lets go, what is no longer rendered; what is not gone at once is told.
    async fn prune_leavers(&self, scene: Scene<'_>, walk: &mut Walk) -> Result<(), Failure> {
        let steps = &scene.plan.steps;
        self.prune(steps).await?;
        for step in steps {
            if let Step::Prune { id, uid, .. } = step {
                walk.outcome.applied.remove(id);
                self.context.objects.want(id, &self.set);
                if self.is_there(id, uid).await? {
                    walk.picture.leaving.push((id.clone(), "is being deleted".to_owned()));
                }
            }
        }
        let ours = self.context.objects.of(&self.set).into_iter().filter(|(_, known)| known.live.deleting);
        for (id, _) in ours {
            if !walk.outcome.applied.contains_key(&id) && !walk.picture.leaving.iter().any(|(known, _)| *known == id) {
                walk.picture.leaving.push((id, "is being deleted".to_owned()));
            }
        }
        if steps.iter().any(|step| matches!(step, Step::Prune { .. } | Step::Release { .. })) {
            // Kinds of which the last one has gone need no longer be looked through.
            self.claim(&scene.at_hand.desired, &self.current()).await?;
        }
        Ok(())
    }

    /// Whether a kind is served.
    pub(crate) async fn is_served(&self, gvk: &Gvk) -> Result<bool, Error> {
        match self.context.discovery.resolve(gvk).await {
            Ok(_) => Ok(true),
            Err(Error::NotServed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Held {
    /// What is waited for, and until when at the latest.
    pub(crate) fn told(&self, later: Again) -> (String, Again) {
        match self {
            Self::Running { message, wake } => (message.clone(), Again::After(*wake)),
            Self::Leaving(message) => (message.clone(), Again::After(POLL)),
            Self::Failed(message) => (message.clone(), later),
        }
    }
}

fn object(item: &Item, uid: String, message: Option<String>) -> Object {
    Object {
        id: item.id.clone(),
        version: item.version.clone(),
        uid,
        mode: item.mode(),
        phase: item.phase,
        ready: message.is_none(),
        message: message.unwrap_or_default(),
    }
}

/// What is told of an object whose kind is not served.
pub(crate) fn not_served(gvk: &Gvk) -> String {
    format!("API {} {} not served", gvk.api_version(), gvk.kind)
}

/// Whether the chart itself defines the kind.
fn is_defined_here(at_hand: &AtHand, gvk: &Gvk) -> bool {
    let definitions = at_hand.desired.iter().filter(|object| object.id.kind == "CustomResourceDefinition");
    let mut defined = definitions.filter_map(|object| prepare::defined_scope(&object.body));
    defined.any(|(kind, _)| kind == (gvk.group.clone(), gvk.kind.clone()))
}
