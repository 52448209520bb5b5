//! Packages that are rolled out in revisions, and a handover: this repository's charts of Package Operator.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{Api, DynamicObject, PostParams};
use kube::core::ApiResource;
use kube::{Client, ResourceExt as _};
use serde_json::{Value as Json, json};

use crate::bench::calls::per;
use crate::bench::load::NAMESPACE;
use crate::bench::metric::{at_most, percentile};
use crate::bench::{Bench, settings};
use crate::objects::{apply_crds, condition, is_true, merge, resource};
use crate::observer::{Id, Observer, Seen, version};
use crate::operator::{Operator, Settings};

/// How long anything here may take.
const DEADLINE: Duration = Duration::from_mins(2);
/// How many requests of ours are under way at once.
const CLIENTS: usize = 8;
/// Objects of the package that is upgraded.
const OBJECTS: usize = 50;
/// How often it is upgraded.
const UPGRADES: usize = 5;
/// Packages at rest.
const PACKAGES: usize = 50;
/// Objects that are handed over, and how many of them may be on their way at once.
const HANDED: usize = 100;
const ON_THEIR_WAY: usize = 10;

impl Bench {
    /// What packages and a handover take, by an operator that has only those charts.
    pub(crate) async fn packages(&mut self) -> Result<()> {
        let step = self.progress.step("packages: probes, upgrades, rest, a handover");
        let project = project(&self.arguments.systems, &self.plane.logs())?;
        let client = self.plane.client().await?;
        apply_crds(&client, &self.arguments.systems, &mut Vec::new()).await?;
        self.operator.stop();
        let plain = settings(&self.arguments, &self.binary, &self.kubeconfig, self.plane.logs());
        self.operator = Operator::start(&Settings { project: &project, ..plain })?;
        self.operator.ready().await?;
        let park = Park::new(client);
        self.probes(&park).await?;
        self.upgrades(&park).await?;
        self.rest(&park).await?;
        self.handover(&park).await?;
        self.operator.stop();
        self.operator = self.start_operator(false)?;
        self.operator.ready().await?;
        step.done("");
        Ok(())
    }

    /// How soon a set is Available after an object of it passes its probe.
    async fn probes(&mut self, park: &Park) -> Result<()> {
        let kind = json!({"type": "Kind", "kind": {"group": "", "kind": "ConfigMap"}});
        let probes = json!([{"selector": kind, "probes": fields_equal()}]);
        park.create(&package_set(), "probed", &revision("probed", 1, "1", &probes)).await?;
        let available = |seen: &Seen, wanted: bool| {
            let found = seen.object("PackageSet", "probed").filter(|set| is_true(set, "Available") == wanted)?;
            seen.changes.iter().rev().find(|change| change.version == version(found)).map(|change| change.at)
        };
        let made = |seen: &Seen| seen.object("ConfigMap", "probed-0").map(drop);
        park.observer.until("the set's object is there", DEADLINE, made).await?;
        let (mut times, count) = (Vec::new(), self.arguments.repeat.min(50));
        for _ in 0..count {
            let edited = park.merge("probed-0", &json!({"data": {"have": "1"}})).await?;
            let begun = park.observer.until("the edit is seen", DEADLINE, |seen| at(seen, edited)).await?;
            let end = park.observer.until("the set is Available", DEADLINE, |seen| available(seen, true)).await?;
            times.push(end.saturating_duration_since(begun));
            park.merge("probed-0", &json!({"data": {"have": "0"}})).await?;
            park.observer.until("the set is not Available", DEADLINE, |seen| available(seen, false)).await?;
        }
        let what = "object passes its probe → set Available";
        self.metric(format!("{what}, p50"), percentile(&times, 50), "ms", at_most(50.0, 20.0));
        self.metric(format!("{what}, p99"), percentile(&times, 99), "ms", None);
        Ok(())
    }

    /// How long a package with many objects, all of which change, takes to be rolled out.
    async fn upgrades(&mut self, park: &Park) -> Result<()> {
        let deployment = |value: &str| deployment("large", OBJECTS, value);
        park.create(&package_deployment(), "large", &deployment("0")).await?;
        let done = |seen: &Seen, value: &str| {
            let concluded = condition(seen.object("PackageDeployment", "large")?, "Progressing")?.1 == "Idle";
            let has =
                |name: String| seen.object("ConfigMap", &name).is_some_and(|map| datum(map, "want") == Some(value));
            (concluded && (0..OBJECTS).all(|number| has(format!("large-{number}")))).then(Instant::now)
        };
        park.observer.until("the package is rolled out", DEADLINE, |seen| done(seen, "0")).await?;
        let begin = self.moment()?;
        let mut times = Vec::new();
        for number in 1..=UPGRADES {
            let value = number.to_string();
            let edited = merge(&park.api(&package_deployment()), "large", &json!({"spec": deployment(&value)})).await?;
            let edited = version(&edited);
            let begun = park.observer.until("the edit is seen", DEADLINE, |seen| at(seen, edited)).await?;
            let end = park.observer.until("the package is upgraded", DEADLINE, |seen| done(seen, &value)).await?;
            times.push(end.saturating_duration_since(begun));
        }
        self.phase("upgrade", UPGRADES, begin)?;
        let what = format!("upgrade of a package of {OBJECTS} objects, p50");
        self.metric(what, percentile(&times, 50), "ms", at_most(1000.0, 500.0));
        Ok(())
    }

    /// What packages cost at which nothing changes.
    async fn rest(&mut self, park: &Park) -> Result<()> {
        let names: Vec<_> = (0..PACKAGES).map(|number| format!("package-{number}")).collect();
        let creations = futures::stream::iter(&names)
            .map(|name| async move { park.create(&package_deployment(), name, &deployment(name, 2, "1")).await });
        creations.buffer_unordered(CLIENTS).try_collect::<Vec<_>>().await?;
        let works = |seen: &Seen| {
            let is = |name: &String| seen.object("PackageDeployment", name).is_some_and(|it| is_true(it, "Available"));
            names.iter().all(is).then_some(())
        };
        park.observer.until("all packages are Available", DEADLINE, works).await?;
        self.quiet().await?;
        self.idle("packages", PACKAGES).await
    }

    /// What it takes to hand objects over while somebody else works on each; how many are on their way at once.
    async fn handover(&mut self, park: &Park) -> Result<()> {
        let map = resource("", "v1", "ConfigMap", "configmaps");
        for number in 0..HANDED {
            let data = json!({"data": {"want": "1", "have": "1", "version": "v0"}});
            let mut object = DynamicObject::new(&format!("handed-{number}"), &map).data(data);
            object.labels_mut().insert("operator".to_owned(), "v0".to_owned());
            park.create_object(&map, &object).await?;
        }
        let begin = self.moment()?;
        let spec = json!({
            "strategy": {"type": "Relabel", "relabel": {
                "labelKey": "operator", "fromValue": "v0", "toValue": "v1", "statusPath": ".data.version",
                "maxUnavailable": ON_THEIR_WAY,
            }},
            "targetAPI": {"group": "", "version": "v1", "kind": "ConfigMap"},
            "probes": fields_equal(),
        });
        let begun = Instant::now();
        park.create(&resource("coordination.thetechnick.ninja", "v1alpha1", "Handover", "handovers"), "all", &spec)
            .await?;
        let most = park.play().await?;
        let took = begun.elapsed().as_secs_f64();
        let phase = self.phase("handover", HANDED, begin)?;
        let what = format!("handover of {HANDED} objects:");
        self.metric(format!("{what} takes"), took, "s", None);
        let limit = per(ON_THEIR_WAY, 1);
        self.metric(format!("{what} most at once"), per(most, 1), "", at_most(limit, limit));
        let each = 1000.0 * phase.operator / per(HANDED, 1);
        self.metric(format!("{what} our processor time for each"), each, "ms", at_most(60.0, 30.0));
        Ok(())
    }
}

/// Who makes packages and sees what comes of them.
struct Park {
    client: Client,
    observer: Observer,
}

impl Park {
    fn new(client: Client) -> Self {
        let handover = resource("coordination.thetechnick.ninja", "v1alpha1", "Handover", "handovers");
        let map = resource("", "v1", "ConfigMap", "configmaps");
        let observer = Observer::start(&client, NAMESPACE, &[package_deployment(), package_set(), handover, map]);
        Self { client, observer }
    }

    fn api(&self, kind: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), NAMESPACE, kind)
    }

    async fn create(&self, kind: &ApiResource, name: &str, spec: &Json) -> Result<()> {
        self.create_object(kind, &DynamicObject::new(name, kind).data(json!({"spec": spec}))).await
    }

    async fn create_object(&self, kind: &ApiResource, object: &DynamicObject) -> Result<()> {
        let created = self.api(kind).create(&PostParams::default(), object).await;
        created.map(drop).with_context(|| format!("cannot create `{}`", object.name_any()))
    }

    /// Changes a `ConfigMap`; gives its resource version.
    async fn merge(&self, name: &str, patch: &Json) -> Result<u64> {
        let api = self.api(&resource("", "v1", "ConfigMap", "configmaps"));
        Ok(version(&merge(&api, name, patch).await?))
    }

    /// Plays the new operator: takes on what is handed to it as soon as nothing more may come, until all is. Gives how many
    /// were on their way at most.
    async fn play(&self) -> Result<usize> {
        let (mut most, mut taken) = (0, BTreeSet::new());
        while taken.len() < HANDED {
            let next = |seen: &Seen| {
                let handed = seen.objects.iter().filter(|(id, object)| id.0 == "ConfigMap" && is_handed(object));
                let coming: Vec<&Id> =
                    handed.filter(|(_, object)| datum(object, "version") != Some("v1")).map(|(id, _)| id).collect();
                most = most.max(coming.len());
                let new: Vec<_> = coming.iter().filter(|id| !taken.contains(&id.1)).map(|id| id.1.clone()).collect();
                (new.len() == ON_THEIR_WAY.min(HANDED - taken.len())).then_some(new)
            };
            for name in self.observer.until("the next objects are handed over", DEADLINE, next).await? {
                self.merge(&name, &json!({"data": {"version": "v1"}})).await?;
                taken.insert(name);
            }
        }
        let is = |seen: &Seen| seen.object("Handover", "all").filter(|it| is_true(it, "Completed")).map(drop);
        self.observer.until("the handover is Completed", DEADLINE, is).await?;
        Ok(most)
    }
}

fn datum<'o>(map: &'o DynamicObject, key: &str) -> Option<&'o str> {
    map.data.get("data")?.get(key)?.as_str()
}

fn is_handed(object: &DynamicObject) -> bool {
    object.labels().get("operator").is_some_and(|operator| operator == "v1")
}

/// When the event of this very version was seen.
fn at(seen: &Seen, version: u64) -> Option<Instant> {
    seen.changes.iter().rev().find(|change| change.version == version).map(|change| change.at)
}

fn package_deployment() -> ApiResource {
    resource("packages.thetechnick.ninja", "v1alpha1", "PackageDeployment", "packagedeployments")
}

fn package_set() -> ApiResource {
    resource("packages.thetechnick.ninja", "v1alpha1", "PackageSet", "packagesets")
}

fn deployment(name: &str, objects: usize, value: &str) -> Json {
    let labels = json!({"app": name});
    let spec = revision(name, objects, value, &json!([]));
    json!({"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}})
}

/// A revision of `ConfigMap`s in three phases.
fn revision(package: &str, objects: usize, value: &str, probes: &Json) -> Json {
    let object = |number: usize| {
        let metadata = json!({"name": format!("{package}-{number}")});
        json!({"object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"want": value}}})
    };
    let phase = |place: usize| {
        let objects: Vec<_> = (0..objects).filter(|number| number * 3 / objects == place).map(object).collect();
        json!({"name": format!("phase-{place}"), "objects": objects})
    };
    json!({"phases": (0..3).map(phase).collect::<Vec<_>>(), "readinessProbes": probes})
}

fn fields_equal() -> Json {
    json!([{"type": "FieldsEqual", "fieldsEqual": {"fieldA": ".data.want", "fieldB": ".data.have"}}])
}

/// Writes a project that has only the charts of Package Operator, found where they are.
fn project(systems: &Path, folder: &Path) -> Result<PathBuf> {
    let systems = systems.canonicalize().with_context(|| format!("no folder {}", systems.display()))?;
    let text = std::fs::read_to_string(systems.join("watches.yaml")).context("cannot read watches.yaml")?;
    let mut entries: Vec<Json> = serde_saphyr::from_str(&text).context("watches.yaml is no list")?;
    entries.retain(|entry| {
        entry.get("group").and_then(Json::as_str).is_some_and(|group| group.ends_with(".thetechnick.ninja"))
    });
    for chart in entries.iter_mut().filter_map(|entry| entry.get_mut("chart")) {
        *chart = json!(systems.join(chart.as_str().unwrap_or_default()));
    }
    let project = folder.join("packages");
    std::fs::create_dir_all(&project).with_context(|| format!("cannot make {}", project.display()))?;
    std::fs::write(project.join("watches.yaml"), json!(entries).to_string()).context("cannot write watches.yaml")?;
    Ok(project)
}
