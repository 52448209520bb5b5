//! Runs actions: looks at their Jobs, creates, deletes, and stores how far they are. What is to be done is decided elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::core::params::{ListParams, Preconditions};
use serde_json::{Value as Json, json};

use crate::cluster::Error;
use crate::cluster::objects::{Part, Target};
use crate::reconcile::below::{core, selector};
use crate::reconcile::context::WatchState;
use crate::reconcile::hooks::POLL;
use crate::reconcile::objects::Known;
use crate::reconcile::pass::{Failure, Pass, log};
use crate::reconcile::phases::at_hand::AtHand;
use crate::reconcile::phases::tell::until;
use crate::release::action::{self, Action, Next, On, Run, Runs, Seen, State, Wanted, job};
use crate::release::plan::{Collision, Refused};
use crate::release::prepare::Prepared;
use crate::release::secret::Secrets;
use crate::release::staged::Item;
use crate::release::{ObjectId, labels};

/// How many steps an action may take at once: from one try to the next it takes six.
const STEPS: u32 = 10;

/// Finalizer of a resource whose objects the garbage collector takes away before it.
const FOREGROUND: &str = "foregroundDeletion";

/// An action with its Job.
#[derive(Clone, Copy)]
struct Act<'a> {
    id: &'a ObjectId,
    /// The template that rendered it.
    source: &'a str,
    action: &'a Action,
    job: &'a Prepared,
}

/// The actions of a plan while they are run.
pub(crate) struct Acts {
    pub(crate) runs: Runs,
    /// What is known of the resource's objects.
    ours: BTreeMap<ObjectId, Known>,
}

impl Acts {
    /// How far the action that `item` is has come.
    pub(crate) fn run_of(&self, item: &Item) -> Option<&Run> {
        let (action, _) = item.action()?;
        self.runs.get(&action.name).filter(|run| run.job == item.id.name)
    }
}

impl Pass<'_> {
    /// How far the actions are, as the resource says.
    pub(crate) fn runs(&self) -> Runs {
        Runs::read(self.current().annotation(labels::ACTIONS))
    }

    pub(crate) fn acts(&self) -> Acts {
        Acts { runs: self.runs(), ours: self.context.objects.of(&self.set) }
    }

    /// What has Jobs' names that belong to others: nothing of the plan may be written then.
    pub(crate) async fn taken_jobs(&self, at_hand: &AtHand) -> Result<Vec<Collision>, Error> {
        let (runs, ours) = (self.runs(), self.context.objects.of(&self.set));
        let mut collisions = Vec::new();
        for item in at_hand.actions(On::Apply) {
            let Some((action, _)) = item.action() else { continue };
            let is_known = runs.get(&action.name).is_some_and(|run| run.job == item.id.name);
            if is_known || ours.contains_key(&item.id) {
                continue;
            }
            let Some(found) = self.look_at(&item.id).await? else { continue };
            match at_hand.desired.plan.holder(&self.foreign(&found)) {
                Some(holder) => {
                    collisions.push(Collision { id: item.id.clone(), source: item.source.clone(), holder });
                }
                None => drop(self.context.objects.observe(&item.id, &self.set, &found)),
            }
        }
        Ok(collisions)
    }

    /// Brings an action as far as it can be brought now; gives how long nobody need look at it.
    pub(crate) async fn bring_action(
        &self,
        at_hand: &AtHand,
        item: &Item,
        acts: &mut Acts,
    ) -> Result<Option<Duration>, Failure> {
        let Some((action, job)) = item.action() else { return Ok(None) };
        let act = Act { id: &item.id, source: &item.source, action, job };
        let (now, watched) = (Timestamp::now(), self.is_told_of_job(item).await?);
        let run = acts.run_of(item);
        let mut seen = match (run, acts.ours.get(act.id)) {
            (Some(run), Some(known)) if watched && is_under_way(run, known) => return Ok(None),
            (Some(run), _) if run.is_settled(now) => None,
            // Whoever has that name is met when it is created.
            (None, None) => None,
            _ => self.see_job(at_hand, act).await?,
        };
        for _ in 0..STEPS {
            let wanted = Wanted { job: &act.id.name, retry: action.retry };
            match action::next(acts.runs.get(&action.name), wanted, seen.as_ref(), now) {
                Next::Rest => return Ok(seen.filter(|seen| seen.end.is_none() && !watched).map(|_| POLL)),
                Next::Await(at) => return Ok(Some(until(at))),
                Next::AwaitDeletion => {
                    self.context.objects.want(act.id, &self.set);
                    return Ok(Some(POLL));
                }
                Next::Store(run) => {
                    let run = self.without_spec(run);
                    self.tell_run(act, &run);
                    acts.runs.insert(&action.name, run);
                    self.store_runs(&acts.runs).await?;
                    if !at_hand.desired.trace.sees_the_same(|| self.seen(&self.current())) {
                        // Nothing more is done by a plan that a result makes another one.
                        return Err(Failure::Overtaken);
                    }
                }
                Next::Create(attempt) => seen = Some(self.create_job(at_hand, act, attempt).await?),
                Next::Delete(uid) => {
                    self.remove(act.id, Preconditions { uid: Some(uid), resource_version: None }).await?;
                    seen = self.see_job(at_hand, act).await?;
                }
            }
        }
        Ok(Some(POLL))
    }

    /// Stores how far the actions are, in the resource that the pass is about.
    pub(crate) async fn store_runs(&self, runs: &Runs) -> Result<(), Error> {
        let annotations = json!({labels::ACTIONS: runs.annotation()});
        let metadata = json!({"uid": self.resource.uid(), "annotations": annotations});
        self.patch_resource(Part::Main, &json!({"metadata": metadata})).await.map(drop)
    }

    /// Drops what is known of actions that are no longer rendered.
    pub(crate) async fn forget_actions(&self, at_hand: &AtHand, runs: &mut Runs) -> Result<(), Error> {
        let rendered = at_hand.items.iter().filter_map(|item| Some(item.action()?.0.name.as_str())).collect();
        if runs.retain(&rendered) {
            self.store_runs(runs).await?;
        }
        Ok(())
    }

    /// Creates the Job of an action. One that is there and ours was created by a try whose end was not stored.
    async fn create_job(&self, at_hand: &AtHand, act: Act<'_>, attempt: u32) -> Result<Seen, Failure> {
        let mut body = job::of_attempt(act.job, act.action.on, attempt);
        if self.resource.finalizers().any(|finalizer| finalizer == FOREGROUND)
            && let Some(metadata) = body.get_mut("metadata").and_then(Json::as_object_mut)
        {
            metadata.remove("ownerReferences");
        }
        let served = self.context.discovery.resolve(&act.job.gvk()).await?;
        let target = Target { served: &served, namespace: &act.id.namespace, name: &act.id.name };
        match self.cluster.create(target, &body).await {
            Ok(answer) => {
                self.count("create");
                log!(info, self, "Action started", action = act.action.name, job = act.id.name, attempt = attempt);
                self.wrote(act.id, &act.job.version, &answer);
                // Our own write is seen here; its event will be old news.
                drop(self.context.objects.observe(act.id, &self.set, &answer));
                Ok(job::seen(&answer, &[]))
            }
            Err(error) if error.is_conflict() => self.see_job(at_hand, act).await?.ok_or(Failure::Call(error)),
            Err(error) => Err(error.into()),
        }
    }

    /// The Job of an action, read now, and what its Pods say if it has ended.
    async fn see_job(&self, at_hand: &AtHand, act: Act<'_>) -> Result<Option<Seen>, Failure> {
        let Some(found) = self.look_at(act.id).await? else { return Ok(None) };
        if let Some(holder) = at_hand.desired.plan.holder(&self.foreign(&found)) {
            let (id, source) = (act.id.clone(), act.source.to_owned());
            return Err(self.collision(&Refused { collisions: vec![Collision { id, source, holder }] }));
        }
        drop(self.context.objects.observe(act.id, &self.set, &found));
        self.seen_with_pods(act.id, &found).await.map(Some).map_err(Failure::Call)
    }

    async fn seen_with_pods(&self, id: &ObjectId, found: &Json) -> Result<Seen, Error> {
        let seen = job::seen(found, &[]);
        let Some(selector) = selector(found).filter(|_| seen.end.is_some()) else { return Ok(seen) };
        let params = ListParams::default().labels_from(&selector);
        let pods = self.list(&core::<Pod>(), "pods", &id.namespace, &params).await?;
        Ok(job::seen(found, &pods))
    }

    /// Whether a watch tells how far the Job of an action is.
    async fn is_told_of_job(&self, item: &Item) -> Result<bool, Error> {
        let served = self.context.discovery.resolve(&item.gvk()).await?;
        let states = self.context.watching.ensure(&served);
        let synced = !states.is_empty() && states.iter().all(|state| *state.borrow() == WatchState::Synced);
        Ok(synced && self.entry.watch.watch_dependent_resources)
    }

    /// Why an action failed, without what that repeats of the values that are secret.
    fn without_spec(&self, run: Run) -> Run {
        let secrets = Secrets::of(self.spec().unwrap_or(&Json::Null));
        Run { message: secrets.redact(&run.message), ..run }
    }

    fn tell_run(&self, act: Act<'_>, run: &Run) {
        let (action, job) = (act.action.name.as_str(), act.id.name.as_str());
        match run.state {
            State::Running => {}
            State::Retrying if run.retry_at.is_none() => {}
            State::Succeeded => log!(info, self, "Action succeeded", action = action, job = job),
            State::Retrying | State::Failed => {
                log!(error, self, "Action failed", action = action, job = job, error = run.message.as_str());
            }
        }
    }

    /// Stores how the Jobs ended that were started before the resource was deleted; gives those that have not ended.
    pub(crate) async fn settle_actions(&self) -> Result<Vec<ObjectId>, Failure> {
        let Acts { mut runs, ours } = self.acts();
        let (mut busy, before) = (Vec::new(), runs.results());
        let of_apply = |known: &Known| known.live.action.is_some_and(|action| action.on == On::Apply);
        for (id, _) in ours.into_iter().filter(|(_, known)| of_apply(known) && !known.live.deleting) {
            let Some(found) = self.look_at(&id).await? else { continue };
            drop(self.context.objects.observe(&id, &self.set, &found));
            let seen = self.seen_with_pods(&id, &found).await?;
            let run = runs.iter().find(|(_, run)| run.uid == seen.uid && run.state == State::Running);
            if seen.end.is_none() {
                busy.push(id);
            } else if let Some((name, run)) = run {
                // It is not tried again any more.
                let wanted = Wanted { job: &id.name, retry: None };
                if let Next::Store(run) = action::next(Some(run), wanted, Some(&seen), Timestamp::now()) {
                    runs.insert(&name.clone(), self.without_spec(run));
                    self.store_runs(&runs).await?;
                }
            }
        }
        if runs.results() != before {
            return Err(Failure::Overtaken);
        }
        Ok(busy)
    }
}

/// Whether a Job runs, as far as its watch tells.
fn is_under_way(run: &Run, known: &Known) -> bool {
    let runs = known.live.action.is_some_and(|action| !action.has_ended);
    run.state == State::Running && run.uid == known.live.uid && runs && !known.live.deleting
}
