//! The only writes to managed objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _};
use kube::core::params::Preconditions;
use serde_json::{Value as Json, json};

use crate::cluster::discovery::Served;
use crate::cluster::lookup::Lookup;
use crate::cluster::objects::{Part, Target};
use crate::cluster::{Error, Fate};
use crate::metrics::{Drift, OfController, Write};
use crate::reconcile::context::Memo;
use crate::reconcile::desire::Desired;
use crate::reconcile::drift::Drifts;
use crate::reconcile::hooks::Held;
use crate::reconcile::objects::known;
use crate::reconcile::observe::IN_FLIGHT;
use crate::reconcile::pass::{Pass, ServedKinds};
use crate::reconcile::resource::Resource;
use crate::reconcile::unstable::By;
use crate::release::contention::Verdict;
use crate::release::plan::{Applied, Plan, Reason, Step};
use crate::release::prepare::Prepared;
use crate::release::projection::{self, Change};
use crate::release::{FIELD_MANAGER, Gvk, ObjectId, applyset, labels};

/// What came of a plan.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Every object that is as rendered now.
    pub(crate) applied: BTreeMap<ObjectId, Applied>,
    /// Objects that were not accepted, and why.
    pub(crate) failures: BTreeMap<ObjectId, Error>,
    /// Objects whose drift was corrected, with what had been changed, and by whom.
    pub(crate) corrected: Vec<(ObjectId, Vec<Change>)>,
    /// Objects that somebody changes again and again, with the seconds until they are put back once more.
    pub(crate) contended: BTreeMap<ObjectId, i64>,
    /// Objects to be applied when their former selves are gone.
    pub(crate) leaving: Vec<ObjectId>,
    /// Objects that somebody changed or deleted and that stay so.
    pub(crate) drifts: Drifts,
    /// Why the hooks are not through, if they are not.
    pub(crate) hook: Option<Held>,
}

/// What came of sending an object.
pub(crate) enum Sent {
    /// As it is now, and what of it somebody else had changed.
    Now(Json, Vec<Change>),
    /// Its former self is being deleted first.
    WhenGone,
}

impl Outcome {
    /// Whether every object is as rendered now.
    pub(crate) fn is_complete(&self) -> bool {
        self.failures.is_empty() && self.leaving.is_empty() && self.contended.is_empty() && self.hook.is_none()
    }

    /// Whether no later try does better until somebody changes something.
    pub(crate) fn has_failed_for_good(&self) -> bool {
        matches!(self.hook, Some(Held::Failed(_))) || !(self.failures.is_empty() || self.may_succeed_later())
    }

    /// Whether a later try may do better without anybody's help.
    pub(crate) fn may_succeed_later(&self) -> bool {
        self.failures.values().any(|error| error.fate() == Fate::Retry)
    }

    /// What the user is told of failures of which `error` is the first.
    pub(crate) fn message_of(&self, error: &Error) -> String {
        match self.failures.len() {
            0 | 1 => error.message(),
            all => format!("{} (and {} more)", error.message(), all - 1),
        }
    }

    /// How long the API server asks to be left alone, if it does.
    pub(crate) fn retry_after(&self) -> Option<std::time::Duration> {
        self.failures.values().filter_map(Error::retry_after).max()
    }
}

impl Pass<'_> {
    /// Carries out what the plan says of objects: wave by wave, then what is no longer rendered.
    /// A refused object does not keep the others from being sent; nothing is pruned then.
    pub(crate) async fn carry_out(
        &self,
        desired: &Desired,
        plan: &Plan,
        served: &ServedKinds,
        memo: &Memo,
    ) -> Result<Outcome, Error> {
        let mut outcome = Outcome { leaving: plan.leaving.clone(), ..Outcome::default() };
        plan.leaving.iter().for_each(|id| self.context.objects.want(id, &self.set));
        outcome.applied = in_sync(desired, plan, memo);
        let controller = OfController { controller: self.controller.name.clone() };
        let avoided = u64::try_from(outcome.applied.len()).unwrap_or(u64::MAX);
        self.context.metrics.writes_avoided.get_or_create(&controller).inc_by(avoided);
        for wave in plan.waves() {
            self.send_wave(wave, &mut outcome, served, memo).await;
        }
        if outcome.failures.is_empty() {
            self.prune(&plan.steps).await?;
            // Kinds of which the last one has gone need no longer be looked through.
            self.claim(desired, &self.current()).await?;
        }
        Ok(outcome)
    }

    /// Puts our finalizer and the ApplySet annotations onto the resource, in one patch, before anything is written that
    /// they are needed to find again. The patch fails if `resource`, from which the plan was made, is not the newest.
    pub(crate) async fn claim(&self, desired: &Desired, resource: &Resource) -> Result<(), Error> {
        let ids = || desired.ids();
        let ours = self.context.objects.of(&self.set);
        // What is about to be pruned is still ours: its kinds stay listed until it is gone.
        let kinds = applyset::contains_group_kinds(ids().chain(ours.keys()));
        let namespaces = applyset::additional_namespaces(ids().chain(ours.keys()), self.resource.namespace());
        let wanted = [
            (labels::TOOLING, labels::TOOLING_VALUE.to_owned()),
            (labels::CONTAINS_GROUP_KINDS, kinds),
            (labels::ADDITIONAL_NAMESPACES, namespaces),
        ];
        let has = |(name, value): &(&str, String)| resource.annotation(name).unwrap_or_default() == value;
        let finalized = resource.finalizers().any(|finalizer| finalizer == labels::FINALIZER);
        let labelled = resource.label(labels::APPLYSET_ID) == Some(&*self.set);
        if finalized && labelled && wanted.iter().all(has) {
            return self.confirm(resource).await;
        }
        let annotations: serde_json::Map<_, _> =
            wanted.into_iter().map(|(name, value)| (name.to_owned(), Json::from(value))).collect();
        let others = resource.finalizers().filter(|finalizer| *finalizer != labels::FINALIZER);
        let finalizers: Vec<_> = others.chain([labels::FINALIZER]).collect();
        let metadata = json!({
            "resourceVersion": resource.resource_version(),
            "finalizers": finalizers,
            "labels": {labels::APPLYSET_ID: &*self.set},
            "annotations": annotations,
        });
        self.patch_resource(Part::Main, &json!({"metadata": metadata})).await?;
        // The API server took the version for the newest.
        self.controller.confirm(&self.key, self.resource.uid());
        Ok(())
    }

    /// Patches the resource itself, and takes the answer for what the resource is now.
    pub(crate) async fn patch_resource(&self, part: Part, patch: &Json) -> Result<Arc<Resource>, Error> {
        let target = Target {
            served: &self.controller.served,
            namespace: self.resource.namespace(),
            name: self.resource.name(),
        };
        let answer = Resource::new(self.context.operator.merge_patch(target, part, patch).await?);
        self.count("patch");
        let is_news = self.controller.resources.written(&self.resource, &answer);
        if is_news || self.context.is_read_anew(self.controller, &answer) {
            self.controller.caused(&self.key, if is_news { By::Others } else { By::Us });
            self.controller.queue.add(self.key.clone());
        }
        Ok(Arc::new(answer))
    }

    /// How many seconds to leave an object alone because somebody else keeps changing it; nothing for all others.
    fn contention(&self, id: &ObjectId, reason: &Reason) -> Option<i64> {
        let drifted = (*reason == Reason::Drifted).then(|| self.context.objects.of(&self.set).remove(id)).flatten()?;
        match self.context.contended(id, drifted.live.projection?) {
            Verdict::Correct => None,
            Verdict::Contended { wait } => Some(wait),
        }
    }

    async fn send(&self, object: &Prepared, reason: &Reason, served: Option<&Arc<Served>>) -> Result<Sent, Error> {
        let served = if let Some(served) = served {
            Arc::clone(served)
        } else {
            // Its definition may have been applied a moment ago.
            self.context.discovery.resolve(&object.gvk()).await?
        };
        let target = Target { served: &served, namespace: &object.id.namespace, name: &object.id.name };
        let adopted = self.migrate_adopted(reason, target).await?;
        let released = self.release_from(adopted.as_ref().unwrap_or(reason), target).await?;
        let reason = released.as_ref().or(adopted.as_ref()).unwrap_or(reason);
        if let Some(ignored) = &object.ignored {
            let (answer, changes) = self.send_leaving(object, ignored, reason, target).await?;
            return Ok(Sent::Now(answer, changes));
        }
        let cluster = &self.cluster;
        match reason {
            Reason::Adopt(adoption) => {
                // Only the object that was looked at is taken over.
                let mut body = object.body.clone();
                if let Some(metadata) = body.get_mut("metadata").and_then(Json::as_object_mut) {
                    metadata.insert("uid".to_owned(), json!(adoption.uid));
                    metadata.insert("resourceVersion".to_owned(), json!(adoption.resource_version));
                }
                self.apply(target, object, &body).await
            }
            Reason::Drifted => {
                // What was changed, and by whom, is only to be seen before it is put back.
                let drifted = cluster.get(target).await?;
                let answer = match cluster.apply(target, &object.body).await {
                    Err(error) if error.immutable().is_some() => return self.recreate(target, object, error).await,
                    Err(error) if error.is_invalid() => cluster.replace_lists(target, &object.body).await?,
                    answer => answer?,
                };
                let changes = drifted.map(|drifted| projection::changes(&drifted, &answer, FIELD_MANAGER));
                Ok(Sent::Now(answer, changes.unwrap_or_default()))
            }
            Reason::Unknown => {
                self.migrate_labelled(target).await?;
                self.apply(target, object, &object.body).await
            }
            Reason::Absent | Reason::Changed => self.apply(target, object, &object.body).await,
        }
    }

    /// Sends objects at the same time.
    pub(crate) async fn send_wave(
        &self,
        wave: Vec<(&Arc<Prepared>, &Reason)>,
        outcome: &mut Outcome,
        served: &ServedKinds,
        memo: &Memo,
    ) {
        let mut sends = Vec::new();
        for (object, reason) in wave {
            if let Some(wait) = self.contention(&object.id, reason) {
                outcome.contended.insert(object.id.clone(), wait);
                // What was sent stays known: what is unknown would be sent at once, however often it has been.
                let applied = memo.applied.get(&object.id).cloned();
                outcome.applied.extend(applied.map(|applied| (object.id.clone(), applied)));
                continue;
            }
            let served = served.get(&object.gvk());
            let send = async move { (object, reason, self.send(object, reason, served).await) };
            sends.push(send.boxed());
        }
        let answers: Vec<_> = futures::stream::iter(sends).buffer_unordered(IN_FLIGHT).collect().await;
        for (object, reason, answer) in answers {
            self.take(outcome, object, reason, answer);
        }
    }

    fn take(&self, outcome: &mut Outcome, object: &Prepared, reason: &Reason, answer: Result<Sent, Error>) {
        self.count("apply");
        let (answer, changes) = match answer {
            Ok(Sent::Now(answer, changes)) => (answer, changes),
            Ok(Sent::WhenGone) => return outcome.leaving.push(object.id.clone()),
            Err(error) => {
                outcome.failures.insert(object.id.clone(), error);
                return;
            }
        };
        if *reason == Reason::Drifted {
            let manager = changes.iter().find_map(|change| change.by.clone()).unwrap_or_default();
            self.context.metrics.drift_corrections.get_or_create(&Drift { manager }).inc();
            outcome.corrected.push((object.id.clone(), changes));
        }
        let known = known(&answer);
        if let Some(projection) = known.live.projection {
            let applied = Applied { uid: known.live.uid, desired: object.digest, projection };
            outcome.applied.insert(object.id.clone(), applied);
        }
        self.wrote(&object.id, &object.version, &answer);
        // Our own write is seen here; its event will be old news. Whoever had the object is told.
        let woken = self.context.objects.observe(&object.id, &self.set, &answer);
        self.context.wake(woken.into_iter().filter(|set| *set != self.set));
    }

    /// Deletes what is ours and no longer rendered; what must be kept is let go.
    pub(crate) async fn prune(&self, steps: &[Step]) -> Result<(), Error> {
        for step in steps {
            match step {
                Step::Hook(_) | Step::Apply { .. } => {}
                Step::Prune { id, uid, resource_version } => {
                    let only =
                        Preconditions { uid: Some(uid.clone()), resource_version: Some(resource_version.clone()) };
                    self.remove(id, only).await?;
                }
                Step::Release { id, resource_version, .. } => self.let_go(id, resource_version).await?,
            }
        }
        Ok(())
    }

    /// Deletes one object of ours. A kind that is no longer served has no objects.
    pub(crate) async fn remove(&self, id: &ObjectId, only: Preconditions) -> Result<(), Error> {
        let served = match self.context.discovery.resolve_preferred(&id.group, &id.kind).await {
            Err(Error::NotServed { .. }) => return Ok(()),
            served => served?,
        };
        let target = Target { served: &served, namespace: &id.namespace, name: &id.name };
        let resource = &served.resource;
        self.context.wrote(Lookup::new(&resource.api_version, &id.kind, &id.namespace, &id.name), "");
        let answer = self.cluster.delete(target, only).await;
        if self.unless_going(answer, &id.namespace).await?.is_some() {
            self.count("delete");
        }
        self.lose(id);
        Ok(())
    }

    /// Takes our label and ownerReference off an object that stays; the references of others stay too.
    pub(crate) async fn let_go(&self, id: &ObjectId, resource_version: &str) -> Result<(), Error> {
        let served = self.context.discovery.resolve_preferred(&id.group, &id.kind).await?;
        let target = Target { served: &served, namespace: &id.namespace, name: &id.name };
        let Some(live) = self.cluster.get(target).await? else {
            self.lose(id);
            return Ok(());
        };
        let owners = live.pointer("/metadata/ownerReferences").and_then(Json::as_array).into_iter().flatten();
        let others: Vec<_> = owners.filter(|owner| owner["uid"] != self.resource.uid()).collect();
        let metadata = json!({
            "resourceVersion": resource_version,
            "labels": {labels::PART_OF: null},
            "ownerReferences": others,
        });
        match self.cluster.merge_patch(target, Part::Main, &json!({"metadata": metadata})).await {
            Err(error) if error.is_not_found() => {}
            answer => drop(answer?),
        }
        self.count("patch");
        self.lose(id);
        Ok(())
    }

    /// An object is no longer ours; another resource may have waited for it.
    fn lose(&self, id: &ObjectId) {
        let woken = self.context.objects.lose(id, None).into_iter();
        self.context.wake(woken.filter(|set| *set != self.set));
    }

    /// Notes our own write, to know it when a watch shows it.
    pub(crate) fn wrote(&self, id: &ObjectId, version: &str, answer: &Json) {
        let gvk = Gvk { group: id.group.clone(), version: version.to_owned(), kind: id.kind.clone() };
        let lookup = Lookup::new(&gvk.api_version(), &id.kind, &id.namespace, &id.name);
        let version = answer.pointer("/metadata/resourceVersion").and_then(Json::as_str);
        self.context.wrote(lookup, version.unwrap_or_default());
    }

    /// Counts a write.
    pub(crate) fn count(&self, verb: &'static str) {
        let labels = Write { controller: self.controller.name.clone(), verb };
        self.context.metrics.writes.get_or_create(&labels).inc();
    }
}

/// What need not be sent.
fn in_sync(desired: &Desired, plan: &Plan, memo: &Memo) -> BTreeMap<ObjectId, Applied> {
    let sent = |id: &ObjectId| {
        plan.leaving.contains(id)
            || plan.steps.iter().any(|step| matches!(step, Step::Apply { object, .. } if object.id == *id))
    };
    let ids = desired.iter().map(|object| &object.id).filter(|id| !sent(id));
    ids.filter_map(|id| Some((id.clone(), memo.applied.get(id)?.clone()))).collect()
}
