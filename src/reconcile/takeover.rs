//! Going on from a release that somebody else made: helm-operator, Helm, or this operator for another resource of the name.
//!
//! Its latest record tells what it consisted of. What is still rendered is adopted where it is applied; what is no longer
//! rendered is deleted here, since it bears no label of ours. Then our own record is the latest, and all of this is over.

use std::collections::BTreeSet;

use futures::{FutureExt as _, StreamExt as _};
use kube::core::params::Preconditions;
use serde_json::{Value as Json, json};

use crate::cluster::Error;
use crate::cluster::objects::{Part, Target};
use crate::reconcile::carry_out::Outcome;
use crate::reconcile::context::Memo;
use crate::reconcile::desire::Desired;
use crate::reconcile::objects::known;
use crate::reconcile::observe::IN_FLIGHT;
use crate::reconcile::pass::{Cause, Failure, Pass, log};
use crate::reconcile::recall;
use crate::release::manifest::{self, Document, Object};
use crate::release::plan::{Adoption, Live, Plan, Reason};
use crate::release::{ObjectId, migrate, order};

/// A release as its record tells it.
#[derive(Debug)]
pub(crate) struct Former {
    /// Name of its chart.
    chart: String,
    /// The resource whose release it is, where that is not ours: `Web shop/first`.
    holder: Option<String>,
    /// Its objects.
    objects: Vec<Object>,
}

/// An object of a former release that is still there.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) id: ObjectId,
    pub(crate) live: Live,
}

impl Pass<'_> {
    /// The release that is taken over, if there is one. A record that cannot be read tells of none.
    pub(crate) async fn former(&self, memo: &Memo) -> Result<Option<Former>, Error> {
        let Some(revision) = memo.former else { return Ok(None) };
        let record = self.cluster.record(&self.release, revision).await;
        let Some(record) = self.unless_going(record, &self.release.namespace).await?.flatten() else {
            return Ok(None);
        };
        let documents = manifest::stored(&record.manifest);
        let objects =
            documents.and_then(|documents| documents.iter().map(Document::objects).collect::<Result<Vec<_>, _>>());
        let former = objects.map(|objects| {
            let objects = objects.into_iter().flatten().collect();
            let holder = memo.former_uid.as_deref().and_then(|uid| self.context.describe_resource(uid));
            Former { chart: record.chart.name().to_owned(), holder, objects }
        });
        if let Err(error) = &former {
            log!(warn, self, "Former release cannot be read, what it leaves behind stays", error = error.to_string());
        }
        Ok(former.ok())
    }

    /// Refuses to go on from the release of another chart, in helm-operator's words, or of another resource that is there.
    pub(crate) fn check_chart(&self, former: &Former) -> Result<(), Failure> {
        if self.is_of_our_chart(former) {
            return Ok(());
        }
        if former.holder.is_some() {
            // What is remembered of it is not ours, and may be gone by the next pass.
            let uid = self.resource.uid().to_owned();
            self.controller.remember(&self.key, Memo { uid, ..Memo::default() });
        }
        let (release, chart) = (&self.release.name, &former.chart);
        let mut message =
            format!("duplicate release name: found existing release with name {release:?} for chart {chart:?}");
        message.extend(former.holder.iter().map(|holder| format!(", of {holder}")));
        Err(Failure::refused(Cause::Release, message))
    }

    pub(crate) fn is_of_our_chart(&self, former: &Former) -> bool {
        former.holder.is_none() && former.chart == self.entry.chart.name()
    }

    /// Where objects turn out to be those of a release nobody knew of, or another kind has a resource of the name, the
    /// records are read, and if there are any, the pass begins anew.
    pub(crate) async fn meet_release(&self, memo: &Memo, plan: &Plan) -> Result<(), Failure> {
        let may_be_there = || plan.takes_over_from_helm() || self.context.has_namesake(self.controller, &self.key);
        if !memo.history.revisions.is_empty() || !may_be_there() {
            return Ok(());
        }
        let records = self.cluster.records(&self.release).await?;
        if records.records.is_empty() {
            return Ok(());
        }
        Err(self.met(recall::recalled(&records, self.resource.uid()), memo))
    }

    /// Remembers a release that nobody knew of: the next pass goes on from it.
    pub(crate) fn met(&self, found: Memo, memo: &Memo) -> Failure {
        let applied = if found.applied.is_empty() { memo.applied.clone() } else { found.applied };
        let kinds = if found.kinds.is_empty() { memo.kinds.clone() } else { found.kinds };
        self.controller.remember(&self.key, Memo { applied, kinds, ..found });
        Failure::ReleaseMet
    }

    /// Deletes what the former release had and the chart no longer renders, once everything that it does render is there.
    pub(crate) async fn prune_former(
        &self,
        former: Option<&Former>,
        desired: &Desired,
        outcome: &Outcome,
    ) -> Result<(), Error> {
        let Some(former) = former.filter(|_| outcome.is_complete()) else { return Ok(()) };
        let wanted: BTreeSet<_> = desired.iter().map(|object| object.id.clone()).collect();
        let ours = self.context.objects.of(&self.set);
        let found = self.find(former, &wanted).await?;
        // Where one object is served under two groups, it is the one that has just been applied.
        let is_ours = |found: &Found| ours.values().any(|known| known.live.uid == found.live.uid);
        for Found { id, live } in found.into_iter().filter(|found| !found.live.keep && !is_ours(found)) {
            log!(info, self, "Deleted what the former release leaves behind", object = id.to_string());
            let only = Preconditions { uid: Some(live.uid), resource_version: Some(live.resource_version) };
            self.remove(&id, only).await?;
        }
        log!(info, self, "Took over release", objects = desired.len());
        Ok(())
    }

    /// Which objects of the former release, beside those given, are there and belong to nobody else, in uninstall order.
    pub(crate) async fn find(&self, former: &Former, beside: &BTreeSet<ObjectId>) -> Result<Vec<Found>, Error> {
        let reads: Vec<_> = former.objects.iter().map(|object| self.find_one(object, beside).boxed()).collect();
        let answers: Vec<_> = futures::stream::iter(reads).buffer_unordered(IN_FLIGHT).collect().await;
        let mut found = answers.into_iter().filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
        found.sort_by(|a, b| order::uninstall(&a.id.kind, &b.id.kind).then_with(|| a.id.cmp(&b.id)));
        Ok(found)
    }

    async fn find_one(&self, object: &Object, beside: &BTreeSet<ObjectId>) -> Result<Option<Found>, Error> {
        let gvk = &object.gvk;
        let served = self.context.discovery.resolve(gvk).await;
        let served = match served {
            // The version it was written in may be gone, and the kind still be there.
            Err(Error::NotServed { .. }) => self.context.discovery.resolve_preferred(&gvk.group, &gvk.kind).await,
            served => served,
        };
        let served = match served {
            Err(Error::NotServed { .. }) => return Ok(None),
            served => served?,
        };
        let namespace = match (served.namespaced, object.namespace.as_str()) {
            (false, _) => "",
            (true, "") => &self.release.namespace,
            (true, namespace) => namespace,
        };
        let (group, kind, name) = (gvk.group.clone(), gvk.kind.clone(), object.name.clone());
        let id = ObjectId { group, kind, namespace: namespace.to_owned(), name };
        if beside.contains(&id) {
            return Ok(None);
        }
        let target = Target { served: &served, namespace, name: &object.name };
        let found = self.unless_going(self.cluster.get(target).await, namespace).await?.flatten();
        let Some(found) = found else { return Ok(None) };
        let holder = self.foreign(&found);
        let is_of_another = holder.part_of.is_some_and(|set| *set != *self.set)
            || holder.controller.is_some_and(|controller| controller.uid != self.resource.uid())
            || holder.helm_release.is_some_and(|release| release != self.release);
        Ok((!is_of_another).then(|| Found { id, live: known(&found).live }))
    }

    /// Makes what Helm owns of an object ours. The version of the object that this gives is the one to apply to.
    pub(crate) async fn migrate(&self, target: Target<'_>, version: &str, fields: &Json) -> Result<String, Error> {
        let patch = json!({"metadata": {"resourceVersion": version, "managedFields": fields}});
        let answer = self.cluster.merge_patch(target, Part::Main, &patch).await?;
        self.count("patch");
        let version = answer.pointer("/metadata/resourceVersion").and_then(Json::as_str);
        Ok(version.unwrap_or_default().to_owned())
    }

    /// Makes what Helm owns of an object that is adopted ours; gives the reason to apply it as it is then.
    pub(crate) async fn migrate_adopted(&self, reason: &Reason, target: Target<'_>) -> Result<Option<Reason>, Error> {
        let Reason::Adopt(adoption) = reason else { return Ok(None) };
        let Some(fields) = &adoption.managed_fields else { return Ok(None) };
        let resource_version = self.migrate(target, &adoption.resource_version, fields).await?;
        Ok(Some(Reason::Adopt(Adoption { resource_version, managed_fields: None, ..adoption.clone() })))
    }

    /// Takes the controller off an object that is adopted from it: the API server takes only one. Gives the reason to apply it
    /// as it is then. What another of our resources controls needs none of this: one apply replaces the one by the other.
    pub(crate) async fn release_from(&self, reason: &Reason, target: Target<'_>) -> Result<Option<Reason>, Error> {
        let Reason::Adopt(adoption) = reason else { return Ok(None) };
        if !adoption.clear_controller {
            return Ok(None);
        }
        let Some(live) = self.cluster.get(target).await? else { return Ok(None) };
        let owners = live.pointer("/metadata/ownerReferences").and_then(Json::as_array).into_iter().flatten();
        let others: Vec<_> = owners.filter(|owner| owner["controller"] != true).collect();
        let version = &adoption.resource_version;
        let patch = json!({"metadata": {"resourceVersion": version, "ownerReferences": others}});
        let answer = self.cluster.merge_patch(target, Part::Main, &patch).await?;
        self.count("patch");
        let resource_version = answer.pointer("/metadata/resourceVersion").and_then(Json::as_str).unwrap_or_default();
        let resource_version = resource_version.to_owned();
        Ok(Some(Reason::Adopt(Adoption { resource_version, clear_controller: false, ..adoption.clone() })))
    }

    /// As [`Pass::migrate`], for an object with our label that helm-operator has written since.
    pub(crate) async fn migrate_labelled(&self, target: Target<'_>) -> Result<(), Error> {
        let takes_over = self.controller.memo(&self.key).is_some_and(|memo| memo.former.is_some());
        if !takes_over {
            return Ok(());
        }
        let Some(live) = self.cluster.get(target).await? else { return Ok(()) };
        let version = live.pointer("/metadata/resourceVersion").and_then(Json::as_str).unwrap_or_default();
        match migrate::migrated(&live) {
            Some(fields) => self.migrate(target, version, &fields).await.map(drop),
            None => Ok(()),
        }
    }
}
