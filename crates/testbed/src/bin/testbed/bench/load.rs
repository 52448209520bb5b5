//! The load: resources made, changed, damaged, and how long each took, as an independent client sees it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{Api, DeleteParams, DynamicObject, PostParams};
use kube::core::ApiResource;
use kube::{Client, ResourceExt as _};
use serde_json::{Value as Json, json};
use testbed::progress::Step;

use crate::bench::subject::Subject;
use crate::objects::{children, is_true, merge, number};
use crate::observer::{Id, Observer, Seen, version};

/// The namespace of all resources.
pub(crate) const NAMESPACE: &str = "bench";
/// How long one resource may take to be carried out.
const DEADLINE: Duration = Duration::from_mins(1);
/// How long all resources of a burst may take.
const BURST_DEADLINE: Duration = Duration::from_mins(15);
/// How many requests of ours are under way at once in a burst.
const CLIENTS: usize = 16;

/// Who makes the load and sees what comes of it.
pub(crate) struct Load {
    client: Client,
    observer: Observer,
}

/// How long one resource took, or all resources of a burst.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Created {
    /// From the resource's event (of a burst, the first request) to that of its last object.
    pub(crate) applied: Duration,
    /// From there to the event that reports it deployed.
    pub(crate) reported: Duration,
}

/// What somebody does to an object.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Delete,
    Edit,
}

impl Load {
    /// Begins to watch.
    pub(crate) fn new(client: Client, subjects: &[&Subject]) -> Self {
        let mut kinds: Vec<ApiResource> = Vec::new();
        for kind in subjects.iter().flat_map(|subject| subject.kinds()) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let observer = Observer::start(&client, NAMESPACE, &kinds);
        Self { client, observer }
    }

    /// Makes one resource after the other, each when the one before is reported deployed.
    ///
    /// # Errors
    /// One is not carried out in time.
    pub(crate) async fn serial(&self, subject: &Subject, names: &[String], step: &Step) -> Result<Vec<Created>> {
        let mut created = Vec::new();
        for (done, name) in names.iter().enumerate() {
            step.update(&format!("{done}/{}", names.len()));
            self.create(subject, name, &spec(name)).await?;
            let what = format!("`{name}` is deployed, and its {} objects are there", subject.count());
            created.push(self.observer.until(&what, DEADLINE, |seen| carried_out(subject, seen, name)).await?);
        }
        Ok(created)
    }

    /// Makes many resources at once, and tells how long it took from the first request until the last object was seen, and
    /// until the last resource was reported deployed.
    ///
    /// # Errors
    /// They are not all carried out in time.
    pub(crate) async fn burst(&self, subject: &Subject, names: &[String], step: &Step) -> Result<Created> {
        let begun = Instant::now();
        let create = |name: &String| {
            let name = name.clone();
            async move { self.create(subject, &name, &spec(&name)).await }
        };
        let creations = futures::stream::iter(names).map(create).buffer_unordered(CLIENTS);
        let mut missing: BTreeSet<Id> = names.iter().flat_map(|name| subject.objects(name)).collect();
        let mut unreported: BTreeSet<String> = names.iter().cloned().collect();
        let (all, mut applied) = (missing.len(), None);
        let mut looked_at = self.observer.now().changes.len();
        let complete = |seen: &Seen| {
            for change in seen.changes.iter().skip(looked_at) {
                missing.remove(&change.id);
                let is_reported = || subject.found(seen, &change.id.1).is_some_and(|found| is_true(found, "Deployed"));
                if change.id.0 == subject.kind.kind && unreported.contains(&change.id.1) && is_reported() {
                    unreported.remove(&change.id.1);
                }
            }
            looked_at = seen.changes.len();
            step.update(&format!("{}/{all} objects", all - missing.len()));
            if missing.is_empty() {
                applied.get_or_insert_with(|| begun.elapsed());
            }
            let applied = applied.filter(|_| unreported.is_empty())?;
            Some(Created { applied, reported: begun.elapsed() })
        };
        let what = "all objects of the burst are there, and all its resources reported deployed";
        let (_, created) =
            tokio::try_join!(creations.try_collect::<Vec<()>>(), self.observer.until(what, BURST_DEADLINE, complete))?;
        Ok(created)
    }

    /// Sets a value of each resource, one after the other; the times from the resource's event to the Deployment's.
    ///
    /// # Errors
    /// One is not carried out in time.
    pub(crate) async fn update(
        &self,
        subject: &Subject,
        names: &[String],
        replicas: i64,
        step: &Step,
    ) -> Result<Vec<Duration>> {
        let resources = self.api(&subject.kind);
        let mut times = Vec::new();
        for (done, name) in names.iter().enumerate() {
            step.update(&format!("{done}/{}", names.len()));
            let changed = merge(&resources, name, &json!({"spec": {"replicaCount": replicas}})).await?;
            let changed = version(&changed);
            let updated = |seen: &Seen| {
                let begun = event(seen, &subject.kind.kind, name, changed)?;
                let deployment = subject.deployment(seen, name)?;
                (number(deployment, "/spec/replicas") == Some(replicas)).then(|| begun.elapsed())
            };
            let what = format!("the Deployment of `{name}` has {replicas} replicas");
            times.push(self.observer.until(&what, DEADLINE, updated).await?);
        }
        Ok(times)
    }

    /// Deletes resources one after the other; the times from the request until the resource is gone.
    ///
    /// # Errors
    /// One is not gone in time.
    pub(crate) async fn delete_serially(&self, subject: &Subject, names: &[String]) -> Result<Vec<Duration>> {
        let resources = self.api(&subject.kind);
        let mut times = Vec::new();
        for name in names {
            let begun = Instant::now();
            let deleted = resources.delete(name, &DeleteParams::default()).await;
            deleted.with_context(|| format!("cannot delete `{name}`"))?;
            let gone = |seen: &Seen| subject.found(seen, name).is_none().then(|| begun.elapsed());
            times.push(self.observer.until(&format!("`{name}` is gone"), DEADLINE, gone).await?);
        }
        Ok(times)
    }

    /// Deletes an object of each resource at once; how long it takes until all are back.
    ///
    /// # Errors
    /// They are not back in time.
    pub(crate) async fn storm(&self, names: &[String]) -> Result<Duration> {
        let api = &self.child("ConfigMap")?;
        let mut missing: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let mut looked_at = self.observer.now().changes.len();
        let begun = Instant::now();
        let now = &DeleteParams::default();
        let deletions = futures::stream::iter(names).map(|name| async move { api.delete(name, now).await.map(drop) });
        let back = |seen: &Seen| {
            for change in
                seen.changes.iter().skip(looked_at).filter(|change| change.id.0 == "ConfigMap" && !change.gone)
            {
                missing.remove(change.id.1.as_str());
            }
            looked_at = seen.changes.len();
            missing.is_empty().then(|| begun.elapsed())
        };
        let what = "every ConfigMap that was deleted is back";
        let deletions = async {
            let deleted: Vec<()> = deletions.buffer_unordered(CLIENTS).try_collect().await?;
            anyhow::Ok(deleted)
        };
        let (_, took) = tokio::try_join!(deletions, self.observer.until(what, BURST_DEADLINE, back))?;
        Ok(took)
    }

    /// Damages one object of each resource, one after the other; the times from the damage's event to the repair's.
    ///
    /// # Errors
    /// One is not repaired in time.
    pub(crate) async fn drift(&self, names: &[String], step: &Step) -> Result<Vec<Duration>> {
        let kinds = [
            ("ConfigMap", Damage::Delete),
            ("Service", Damage::Edit),
            ("ServiceAccount", Damage::Delete),
            ("ConfigMap", Damage::Edit),
        ];
        let mut times = Vec::new();
        for (done, (name, (kind, damage))) in names.iter().zip(kinds.into_iter().cycle()).enumerate() {
            step.update(&format!("{done}/{}", names.len()));
            times.push(match damage {
                Damage::Delete => self.deleted(kind, name).await?,
                Damage::Edit => self.edited(kind, name).await?,
            });
        }
        Ok(times)
    }

    /// Deletes resources at once, and waits until they and their objects are gone.
    ///
    /// # Errors
    /// They are not gone in time.
    pub(crate) async fn delete(&self, subject: &Subject, names: &[String]) -> Result<Duration> {
        let begun = Instant::now();
        let resources = &self.api(&subject.kind);
        let now = &DeleteParams::default();
        let deletions =
            futures::stream::iter(names).map(|name| async move { resources.delete(name, now).await.map(|_| ()) });
        deletions.buffer_unordered(CLIENTS).try_collect::<Vec<()>>().await.context("cannot delete a resource")?;
        let mut left: BTreeSet<Id> = names.iter().flat_map(|name| subject.objects(name)).collect();
        left.extend(names.iter().map(|name| (subject.kind.kind.clone(), name.clone())));
        let gone = |seen: &Seen| {
            left.retain(|id| seen.objects.contains_key(id));
            left.is_empty().then(|| begun.elapsed())
        };
        self.observer.until("all resources and their objects are gone", BURST_DEADLINE, gone).await
    }

    /// Makes a resource.
    ///
    /// # Errors
    /// The API server refuses it.
    pub(crate) async fn create(&self, subject: &Subject, name: &str, spec: &Json) -> Result<()> {
        let object: DynamicObject = serde_json::from_value(subject.resource(name, spec))?;
        let created = self.api(&subject.kind).create(&PostParams::default(), &object).await;
        created.map(|_| ()).with_context(|| format!("cannot create `{name}`"))
    }

    /// Sets a value of a resource.
    ///
    /// # Errors
    /// The API server refuses it.
    pub(crate) async fn set(&self, subject: &Subject, name: &str, spec: &Json) -> Result<()> {
        merge(&self.api(&subject.kind), name, &json!({"spec": spec})).await.map(drop)
    }

    /// The resource `name` as it is now.
    pub(crate) fn resource(&self, subject: &Subject, name: &str) -> Option<DynamicObject> {
        subject.found(&self.observer.now(), name).cloned()
    }

    /// Waits for a condition of a resource to become true.
    ///
    /// # Errors
    /// It does not in time.
    pub(crate) async fn until_true(&self, subject: &Subject, name: &str, condition: &str) -> Result<()> {
        let is = |seen: &Seen| subject.found(seen, name).is_some_and(|found| is_true(found, condition)).then_some(());
        self.observer.until(&format!("`{name}` is `{condition}`"), DEADLINE, is).await
    }

    async fn deleted(&self, kind: &'static str, name: &str) -> Result<Duration> {
        let api = self.child(kind)?;
        let uid = self.observer.now().object(kind, name).and_then(DynamicObject::uid);
        let uid = uid.with_context(|| format!("{kind} `{name}` is not there"))?;
        api.delete(name, &DeleteParams::default()).await.with_context(|| format!("cannot delete {kind} `{name}`"))?;
        let back = |seen: &Seen| {
            let mut mine = seen.changes.iter().rev().filter(|change| change.id.0 == kind && change.id.1 == name);
            let end = mine.clone().find(|change| change.gone && change.uid == uid)?.at;
            let again = mine.find(|change| !change.gone && change.uid != uid)?.at;
            Some(again.saturating_duration_since(end))
        };
        self.observer.until(&format!("{kind} `{name}` is back"), DEADLINE, back).await
    }

    async fn edited(&self, kind: &'static str, name: &str) -> Result<Duration> {
        let (patch, pointer) = match kind {
            "Service" => {
                let selector = json!({"app.kubernetes.io/name": "nobody"});
                (json!({"spec": {"selector": selector}}), "/spec/selector/app.kubernetes.io~1name")
            }
            _ => (json!({"data": {"index.html": "somebody else's"}}), "/data/index.html"),
        };
        let value = |seen: &Seen| seen.object(kind, name).and_then(|object| object.data.pointer(pointer).cloned());
        let right: Option<Json> = value(&self.observer.now());
        let edited = version(&merge(&self.child(kind)?, name, &patch).await?);
        let repaired = |seen: &Seen| {
            let begun = event(seen, kind, name, edited)?;
            let later = version(seen.object(kind, name)?) > edited;
            (later && value(seen) == right).then(|| begun.elapsed())
        };
        self.observer.until(&format!("{kind} `{name}` is as it was"), DEADLINE, repaired).await
    }

    fn child(&self, kind: &str) -> Result<Api<DynamicObject>> {
        let found = children().into_iter().find(|child| child.kind == kind);
        Ok(self.api(&found.with_context(|| format!("no kind `{kind}`"))?))
    }

    fn api(&self, kind: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), NAMESPACE, kind)
    }
}

/// When the event of this very version of an object was seen.
fn event(seen: &Seen, kind: &str, name: &str, version: u64) -> Option<Instant> {
    let mut changes = seen.changes.iter().rev();
    let found = changes.find(|change| change.version == version && change.id.0 == kind && change.id.1 == name);
    found.map(|change| change.at)
}

/// How long a resource took, nothing as long as it is not carried out and reported.
fn carried_out(subject: &Subject, seen: &Seen, name: &str) -> Option<Created> {
    let begun = seen.since.get(&(subject.kind.kind.clone(), name.to_owned())).copied()?;
    let last = subject.objects(name).map(|id| seen.since.get(&id).copied()).collect::<Option<Vec<_>>>()?;
    let last = last.into_iter().max()?;
    let reported = is_true(subject.found(seen, name)?, "Deployed");
    reported.then(|| Created { applied: last.saturating_duration_since(begun), reported: begun.elapsed() })
}

/// What every resource asks for.
fn spec(name: &str) -> Json {
    json!({"replicaCount": 1, "page": format!("<h1>{name}</h1>")})
}
