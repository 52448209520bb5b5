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

use crate::objects::{children, is_true, merge, number, web};
use crate::observer::{Id, Observer, Seen, version};

/// The namespace of all resources.
pub(crate) const NAMESPACE: &str = "bench";
/// How long one resource may take to be carried out.
const DEADLINE: Duration = Duration::from_mins(1);
/// How long all resources of a burst may take.
const BURST_DEADLINE: Duration = Duration::from_mins(3);
/// How many requests of ours are under way at once in a burst.
const CLIENTS: usize = 16;

/// Who makes the load and sees what comes of it.
pub(crate) struct Load {
    client: Client,
    observer: Observer,
}

/// How long one resource took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Created {
    /// From the resource's event to that of its last object.
    pub(crate) applied: Duration,
    /// From the resource's event to the one that reports it deployed.
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
    pub(crate) fn new(client: Client) -> Self {
        let mut kinds = children();
        kinds.push(web());
        let observer = Observer::start(&client, NAMESPACE, &kinds);
        Self { client, observer }
    }

    /// Makes one resource after the other, each when the one before is reported deployed.
    ///
    /// # Errors
    /// One is not carried out in time.
    pub(crate) async fn serial(&self, names: &[String], step: &Step) -> Result<Vec<Created>> {
        let mut created = Vec::new();
        for (done, name) in names.iter().enumerate() {
            step.update(&format!("{done}/{}", names.len()));
            self.create(name).await?;
            let what = format!("Web `{name}` is deployed, and its {} objects are there", children().len());
            created.push(self.observer.until(&what, DEADLINE, |seen| carried_out(seen, name)).await?);
        }
        Ok(created)
    }

    /// Makes many resources at once, and tells how long it took from the first request until the last object was seen.
    ///
    /// # Errors
    /// They are not all carried out in time.
    pub(crate) async fn burst(&self, names: &[String], step: &Step) -> Result<Duration> {
        let begun = Instant::now();
        let creations = futures::stream::iter(names).map(|name| self.create(name)).buffer_unordered(CLIENTS);
        let kinds = children();
        let mut missing: BTreeSet<Id> =
            names.iter().flat_map(|name| kinds.iter().map(|kind| (kind.kind.clone(), name.clone()))).collect();
        let all = missing.len();
        let mut looked_at = self.observer.now().changes.len();
        let (creations, ()) = tokio::try_join!(creations.try_collect::<Vec<()>>(), async {
            let complete = |seen: &Seen| {
                for change in seen.changes.iter().skip(looked_at) {
                    missing.remove(&change.id);
                }
                looked_at = seen.changes.len();
                step.update(&format!("{}/{all} objects", all - missing.len()));
                missing.is_empty().then_some(())
            };
            self.observer.until("all objects of the burst are there", BURST_DEADLINE, complete).await
        })?;
        drop(creations);
        let took = begun.elapsed();
        // What comes next must not be disturbed by status writes of the burst.
        let reported = |seen: &Seen| {
            let deployed = |name: &String| seen.object("Web", name).is_some_and(|web| is_true(web, "Deployed"));
            names.iter().all(deployed).then_some(())
        };
        self.observer.until("all resources of the burst are reported deployed", BURST_DEADLINE, reported).await?;
        Ok(took)
    }

    /// Changes one value of each resource, one after the other; the times from the resource's event to the Deployment's.
    ///
    /// # Errors
    /// One is not carried out in time.
    pub(crate) async fn update(&self, names: &[String], step: &Step) -> Result<Vec<Duration>> {
        let webs = self.api(&web());
        let mut times = Vec::new();
        for (done, name) in names.iter().enumerate() {
            step.update(&format!("{done}/{}", names.len()));
            let changed = merge(&webs, name, &json!({"spec": {"replicaCount": 2}})).await?;
            let changed = version(&changed);
            let updated = |seen: &Seen| {
                let begun = event(seen, "Web", name, changed)?;
                let deployment = seen.object("Deployment", name)?;
                (number(deployment, "/spec/replicas") == Some(2)).then(|| begun.elapsed())
            };
            let what = format!("Deployment `{name}` has 2 replicas");
            times.push(self.observer.until(&what, DEADLINE, updated).await?);
        }
        Ok(times)
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

    /// Deletes resources, and waits until they and their objects are gone.
    ///
    /// # Errors
    /// They are not gone in time.
    pub(crate) async fn delete(&self, names: &[String]) -> Result<Duration> {
        let begun = Instant::now();
        let webs = &self.api(&web());
        let now = &DeleteParams::default();
        let deletions =
            futures::stream::iter(names).map(|name| async move { webs.delete(name, now).await.map(|_| ()) });
        deletions.buffer_unordered(CLIENTS).try_collect::<Vec<()>>().await.context("cannot delete a resource")?;
        let gone = |seen: &Seen| {
            let left = |name: &String| {
                let kinds = ["Web", "Deployment", "Service", "ServiceAccount", "ConfigMap"];
                kinds.iter().any(|kind| seen.object(kind, name).is_some())
            };
            (!names.iter().any(left)).then(|| begun.elapsed())
        };
        self.observer.until("all resources and their objects are gone", BURST_DEADLINE, gone).await
    }

    async fn create(&self, name: &str) -> Result<()> {
        let object = json!({
            "apiVersion": "charts.samutup.com/v1alpha1",
            "kind": "Web",
            "metadata": {"name": name},
            "spec": {"replicaCount": 1, "page": format!("<h1>{name}</h1>")},
        });
        let object: DynamicObject = serde_json::from_value(object)?;
        let created = self.api(&web()).create(&PostParams::default(), &object).await;
        created.map(|_| ()).with_context(|| format!("cannot create Web `{name}`"))
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
fn carried_out(seen: &Seen, name: &str) -> Option<Created> {
    let since = |kind: &str| seen.since.get(&(kind.to_owned(), name.to_owned())).copied();
    let begun = since("Web")?;
    let last = children().iter().map(|kind| since(&kind.kind)).collect::<Option<Vec<_>>>()?.into_iter().max()?;
    let reported = is_true(seen.object("Web", name)?, "Deployed");
    reported.then(|| Created { applied: last.saturating_duration_since(begun), reported: begun.elapsed() })
}
