//! The demonstration of Package Operator: what its author plays with kubectl, on charts.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use console::style;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams};
use kube::core::ApiResource;
use kube::{Client, Resource as _, ResourceExt as _};
use serde::Deserialize as _;
use serde_json::{Value as Json, json};
use testbed::ControlPlane;
use testbed::image::{Image, Runner};
use testbed::progress::{Progress, seconds};

use crate::demo::cluster::{Cluster, NAMESPACE};
use crate::demo::title;
use crate::objects::{apply, condition, is_true, merge, pod, resource};
use crate::operator::{Operator, Settings};

/// How often something is looked at that is waited for.
const PAUSE: Duration = Duration::from_millis(20);
/// The two before the first act, and the acts.
pub(crate) const STEPS: usize = 14;

/// The parts that play.
struct Stage {
    progress: Progress,
    client: Client,
    samples: PathBuf,
    operator: Operator,
    pause: Duration,
    deadline: Duration,
    step: usize,
    // It runs what the second part's Pods are; nobody asks it anything.
    _runner: Runner,
}

/// Plays both parts.
///
/// # Errors
/// What did not happen in time, or what cannot be played on this cluster.
pub(crate) async fn play(
    progress: &Progress,
    cluster: &Cluster,
    file: &Path,
    project: &Path,
    pause: Option<u64>,
) -> Result<()> {
    let Cluster::Own(plane) = cluster else {
        bail!("expected a cluster of its own: in yours nothing runs the Pods of `example-operator`");
    };
    let runner = plane.run_images(vec![example_operator(file, project)?]).await?;
    let settings =
        Settings { file, project, kubeconfig: &plane.kubeconfig(), logs: plane.logs(), namespace: None, lease: None };
    let operator = Operator::start(&settings)?;
    let pause = Duration::from_secs(pause.unwrap_or_else(|| u64::from(progress.bars().is_some())));
    let mut stage = Stage {
        progress: progress.clone(),
        client: plane.client().await?,
        samples: project.join("samples/package-operator"),
        operator,
        pause,
        deadline: cluster.deadline(),
        step: 2,
        _runner: runner,
    };
    let played = stage.acts(plane).await;
    played.map_err(|error| stage.operator.blame(&error))
}

/// The operator of the second part: this one with another project.
fn example_operator(file: &Path, project: &Path) -> Result<Image> {
    let folder = project.join("samples/package-operator/example-operator");
    let entrypoint = [
        "run",
        "--watches-file=./watches.yaml",
        "--metrics-bind-address=0",
        "--health-probe-bind-address=0",
        "--leader-election-namespace=$(POD_NAMESPACE)",
    ];
    Ok(Image {
        name: "example-operator-manager:0.1.0".to_owned(),
        file: file.to_path_buf(),
        folder: folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?,
        entrypoint: entrypoint.map(str::to_owned).to_vec(),
    })
}

fn package(kind: &str) -> ApiResource {
    resource("packages.thetechnick.ninja", "v1alpha1", kind, &format!("{}s", kind.to_lowercase()))
}

fn handover() -> ApiResource {
    resource("coordination.thetechnick.ninja", "v1alpha1", "ClusterHandover", "clusterhandovers")
}

fn nginx() -> ApiResource {
    resource("example.thetechnick.ninja", "v1alpha1", "Nginx", "nginxes")
}

fn phase(object: &DynamicObject) -> &str {
    object.data.pointer("/status/phase").and_then(Json::as_str).unwrap_or_default()
}

/// Whether what is wanted now is available, and nothing is left to be done.
fn is_available(object: &DynamicObject) -> bool {
    phase(object) == "Available"
        && object.data.pointer("/status/observedGeneration").and_then(Json::as_i64) == object.metadata.generation
}

fn revision(set: &DynamicObject) -> u64 {
    let text = set.annotations().get("packages.thetechnick.ninja/revision");
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

impl Stage {
    async fn acts(&mut self, plane: &ControlPlane) -> Result<()> {
        let ready = self.operator.ready().await?;
        self.progress.say(&format!("  ✓ ready after {}; its log is in {}", seconds(ready), plane.logs().display()));
        self.progress.say(&format!("\n{}", style("Part 1 - General Concepts").bold()));
        self.first_package().await?;
        self.lost_pods().await?;
        self.strange_readiness().await?;
        self.edited_map().await?;
        self.broken().await?;
        self.missing_dependency().await?;
        self.alright().await?;
        self.end("PackageDeployment", "nginx").await?;
        self.progress.say(&format!("\n{}", style("Part 2 - Handover").bold()));
        self.operator_package().await?;
        self.workload().await?;
        self.handover().await?;
        self.end("ClusterPackageDeployment", "example-operator").await
    }

    async fn first_package(&mut self) -> Result<()> {
        self.title("A package goes live").await;
        self.apply("part1/nginx-v1.yaml").await?;
        self.until_available().await?;
        self.table(&package("PackageDeployment")).await?;
        self.table(&package("PackageSet")).await
    }

    async fn lost_pods(&mut self) -> Result<()> {
        self.title("Its Pods are deleted: the package says so, and then that they are back").await;
        self.command("kubectl delete po --all");
        let pods = self.api(&pod());
        pods.delete_collection(&DeleteParams::default(), &ListParams::default()).await.context("cannot delete Pods")?;
        let package = package("PackageDeployment");
        self.until(&package, "nginx", "is not available", |found| phase(found) == "NotReady").await?;
        self.table(&package).await?;
        self.until_available().await?;
        self.table(&package).await
    }

    async fn strange_readiness(&mut self) -> Result<()> {
        self.title("A second revision waits for something strange; the first one serves").await;
        self.apply("part1/nginx-v2.yaml").await?;
        self.told_by(2, "NotReady").await?;
        self.table(&package("PackageDeployment")).await?;
        self.table(&package("PackageSet")).await
    }

    async fn edited_map(&mut self) -> Result<()> {
        self.title("An annotation is what it waited for; the first revision is archived").await;
        self.command("kubectl annotate cm nginx-v2 test=test123");
        let maps = self.api(&resource("", "v1", "ConfigMap", "configmaps"));
        merge(&maps, "nginx-v2", &json!({"metadata": {"annotations": {"test": "test123"}}})).await?;
        self.until_available().await?;
        self.told_by(1, "Archived").await?;
        self.table(&package("PackageSet")).await?;
        self.table(&resource("apps", "v1", "Deployment", "deployments")).await
    }

    async fn broken(&mut self) -> Result<()> {
        self.title("A third revision cannot run; the second one serves").await;
        self.apply("part1/nginx-v3-broken.yaml").await?;
        self.told_by(3, "NotReady").await?;
        let waiting = |pod: &DynamicObject| pod.data.pointer("/status/containerStatuses/0/state/waiting").is_some();
        let pods = || async {
            let pods = self.api(&pod()).list(&ListParams::default()).await?;
            Ok((pods.items.len() == 4 && pods.iter().filter(|pod| waiting(pod)).count() == 2).then_some(()))
        };
        self.eventually("two Pods run and two cannot", pods).await?;
        self.table(&pod()).await
    }

    async fn missing_dependency(&mut self) -> Result<()> {
        self.title("A fourth one misses an API: nothing of it is created, and the third one is archived").await;
        self.apply("part1/nginx-v4-missing-dependencies.yaml").await?;
        self.told_by(4, "MissingDependency").await?;
        self.told_by(3, "Archived").await?;
        self.table(&package("PackageSet")).await
    }

    async fn alright(&mut self) -> Result<()> {
        self.title("The fifth one is alright").await;
        self.apply("part1/nginx-v5.yaml").await?;
        self.until_available().await?;
        for revision in 1..5 {
            self.told_by(revision, "Archived").await?;
        }
        self.table(&package("PackageSet")).await?;
        let sets = self.sets().await?;
        let (good, bad): (Vec<_>, Vec<_>) = sets.iter().partition(|set| is_true(set, "Succeeded"));
        let names = |sets: Vec<&DynamicObject>| {
            let names: Vec<_> = sets.into_iter().map(|set| revision(set).to_string()).collect();
            names.join(", ")
        };
        let (good, bad) = (names(good), names(bad));
        if (good.as_str(), bad.as_str()) != ("1, 2, 5", "3, 4") {
            bail!("expected: revisions 1, 2 and 5 have succeeded; found: {good}");
        }
        self.progress.say(&format!("  ✓ revisions {good} have the condition Succeeded, {bad} never were ready"));
        Ok(())
    }

    async fn operator_package(&mut self) -> Result<()> {
        self.title("An operator as a package: its CRD, its rights, its Deployment, and what shares out its resources")
            .await;
        self.apply("part2/packagedeployment-v1.yaml").await?;
        self.until(&package("ClusterPackageDeployment"), "example-operator", "is available", is_available).await?;
        self.table(&package("ClusterPackageDeployment")).await?;
        self.table(&package("ClusterPackageSet")).await?;
        self.table(&handover()).await
    }

    async fn workload(&mut self) -> Result<()> {
        self.title("Its resources are adopted by its version, which says nothing for five seconds").await;
        self.apply("part2/nginx.yaml").await?;
        for name in ["nginx-1", "nginx-2", "nginx-3"] {
            self.until(&nginx(), name, "is ready", |found| phase(found) == "Ready").await?;
        }
        self.table(&nginx()).await
    }

    async fn handover(&mut self) -> Result<()> {
        self.title("Its second version takes them over, one at a time").await;
        self.apply("part2/packagedeployment-v2.yaml").await?;
        let mut shown = 0;
        for updated in 1..=3 {
            let moved = |found: &DynamicObject| {
                found.data.pointer("/status/stats/updated").and_then(Json::as_i64).unwrap_or_default() >= updated
            };
            self.until(&handover(), "example-operator-v2", "goes on", moved).await?;
            self.table(&nginx()).await?;
            shown += 1;
        }
        let completed = |found: &DynamicObject| phase(found) == "Completed";
        self.until(&handover(), "example-operator-v2", "is completed", completed).await?;
        self.until(&package("ClusterPackageDeployment"), "example-operator", "is available", is_available).await?;
        let deployments = resource("apps", "v1", "Deployment", "deployments");
        let own: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), "example-operator", &deployments);
        let gone = || async { Ok(own.get_opt("example-operator-v1").await?.is_none().then_some(())) };
        self.eventually("the first version's Deployment is gone", gone).await?;
        self.table(&nginx()).await?;
        self.table(&handover()).await?;
        self.progress.say(&format!("  ✓ {shown} resources, one after the other; the first version is gone"));
        Ok(())
    }

    /// Deletes a package, and waits until nothing is left of it.
    async fn end(&mut self, kind: &str, name: &str) -> Result<()> {
        self.title("The package is deleted").await;
        let kind = package(kind);
        self.command(&format!("kubectl delete {} {name}", kind.kind.to_lowercase()));
        let api = self.api(&kind);
        let begun = Instant::now();
        api.delete(name, &DeleteParams::default()).await.with_context(|| format!("cannot delete `{name}`"))?;
        self.eventually("it is gone", || async { Ok(api.get_opt(name).await?.is_none().then_some(())) }).await?;
        let sets = self.api(&package(&kind.kind.replace("Deployment", "Set"))).list(&ListParams::default()).await?;
        if !sets.items.is_empty() {
            bail!("expected: no sets are left; found: {}", sets.items.len());
        }
        self.progress.say(&format!("  ✓ nothing is left after {}", seconds(begun.elapsed())));
        Ok(())
    }

    async fn title(&mut self, text: &str) {
        tokio::time::sleep(self.pause).await;
        self.step += 1;
        title(&self.progress, (self.step, STEPS), text);
    }

    fn command(&self, line: &str) {
        self.progress.say(&format!("  $ {}", style(line).bold()));
    }

    /// Applies every object of a sample.
    async fn apply(&self, file: &str) -> Result<()> {
        self.command(&format!("kubectl apply -f samples/package-operator/{file}"));
        let path = self.samples.join(file);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for document in text.split("\n---\n") {
            let json: Json = serde_saphyr::from_str(document).with_context(|| format!("{file} is no YAML"))?;
            let object = DynamicObject::deserialize(json).with_context(|| format!("{file} holds no object"))?;
            let kind = object.types.as_ref().map(|types| types.kind.as_str()).unwrap_or_default();
            let kind = if kind == "Nginx" { nginx() } else { package(kind) };
            apply(&self.api(&kind), &object).await?;
        }
        Ok(())
    }

    /// In the namespace of the demo, where the kind is namespaced.
    fn api(&self, kind: &ApiResource) -> Api<DynamicObject> {
        if kind.kind.starts_with("Cluster") {
            return Api::all_with(self.client.clone(), kind);
        }
        Api::namespaced_with(self.client.clone(), NAMESPACE, kind)
    }

    /// Shows what `kubectl get` shows: the API server makes the table. Of revisions the oldest comes first.
    async fn table(&self, kind: &ApiResource) -> Result<()> {
        let order = if kind.kind.ends_with("Set") { " --sort-by=.metadata.creationTimestamp" } else { "" };
        self.command(&format!("kubectl get {}{order}", kind.plural));
        let namespace = (!kind.kind.starts_with("Cluster")).then_some(NAMESPACE);
        let request = http::Request::get(DynamicObject::url_path(kind, namespace))
            .header(http::header::ACCEPT, "application/json;as=Table;v=v1;g=meta.k8s.io")
            .body(Vec::new())?;
        let mut table: Json =
            self.client.request(request).await.with_context(|| format!("cannot list {}", kind.plural))?;
        if let Some(rows) = table.get_mut("rows").and_then(Json::as_array_mut).filter(|_| !order.is_empty()) {
            let created = |row: &Json| row.pointer("/object/metadata/creationTimestamp").map(Json::to_string);
            rows.sort_by_cached_key(created);
        }
        for line in lines(&table) {
            self.progress.say(&format!("    {line}"));
        }
        Ok(())
    }

    async fn sets(&self) -> Result<Vec<DynamicObject>> {
        let mut sets = self.api(&package("PackageSet")).list(&ListParams::default()).await?.items;
        sets.sort_by_key(revision);
        Ok(sets)
    }

    /// Waits until a revision is in a phase, and shows what it says of it.
    async fn told_by(&self, wanted: u64, expected: &str) -> Result<()> {
        let found = || async {
            let sets = self.sets().await?;
            Ok(sets.into_iter().find(|set| revision(set) == wanted && phase(set) == expected))
        };
        let set = self.eventually(&format!("revision {wanted} is {expected}"), found).await?;
        if let Some((_, reason, message)) = condition(&set, "Available") {
            self.progress.say(&format!("  revision {wanted}: {}: {message}", style(reason).yellow()));
        }
        Ok(())
    }

    async fn until_available(&self) -> Result<()> {
        self.until(&package("PackageDeployment"), "nginx", "is available", is_available).await
    }

    async fn until(
        &self,
        kind: &ApiResource,
        name: &str,
        what: &str,
        test: impl Fn(&DynamicObject) -> bool,
    ) -> Result<()> {
        let api = self.api(kind);
        let found = || async { Ok(api.get_opt(name).await?.filter(|object| test(object)).map(drop)) };
        self.eventually(&format!("{} `{name}` {what}", kind.kind), found).await
    }

    /// Looks until there is something, and gives it.
    async fn eventually<T, F>(&self, what: &str, probe: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<Option<T>>>,
    {
        let begun = Instant::now();
        while begun.elapsed() < self.deadline {
            if let Some(found) = probe().await? {
                return Ok(found);
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("expected within {} s: {what}", self.deadline.as_secs())
    }
}

/// A table of the API server, in columns; those are left out that kubectl shows only when it is asked for more.
fn lines(table: &Json) -> Vec<String> {
    let list = |value: &Json, name: &str| value.get(name).and_then(Json::as_array).cloned().unwrap_or_default();
    let columns = list(table, "columnDefinitions");
    let shown: Vec<usize> = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.get("priority").and_then(Json::as_i64) == Some(0))
        .map(|(place, _)| place)
        .collect();
    let text = |value: Option<&Json>| match value {
        None | Some(Json::Null) => "<none>".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let head = shown.iter().filter_map(|place| columns.get(*place)?.get("name")?.as_str().map(str::to_uppercase));
    let mut rows = vec![head.collect::<Vec<_>>()];
    for row in list(table, "rows") {
        let cells = list(&row, "cells");
        rows.push(shown.iter().map(|place| text(cells.get(*place))).collect());
    }
    let width = |place: usize| rows.iter().filter_map(|row| row.get(place)).map(String::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..shown.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a string cannot fail.
            _ = write!(line, "{cell:<width$}   ");
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::demo::packages::lines;

    #[test]
    fn a_table_is_shown_as_kubectl_shows_it() {
        let column = |name: &str, priority: i64| json!({"name": name, "priority": priority});
        let table = json!({
            "columnDefinitions": [column("Name", 0), column("Node", 1), column("Found", 0)],
            "rows": [{"cells": ["nginx-1", "kwok-0", 3]}, {"cells": ["n", "kwok-0", null]}],
        });
        assert_eq!(lines(&table), ["NAME      FOUND", "nginx-1   3", "n         <none>"]);
    }
}
