//! The demonstration of Package Operator: what its author plays with kubectl, on charts.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use console::style;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams};
use kube::core::ApiResource;
use serde_json::{Value as Json, json};
use testbed::ControlPlane;
use testbed::image::{Image, Runner};
use testbed::progress::{Progress, seconds};

use crate::demo::Arguments;
use crate::demo::show::Show;
use crate::objects::{condition, is_true, merge, pod, resource};
use crate::operator::{Operator, Settings};

/// The two before the first act, and the acts.
pub(crate) const STEPS: usize = 14;

/// The parts that play.
struct Stage {
    show: Show,
    operator: Operator,
    // It runs what the second part's Pods are; nobody asks it anything.
    _runner: Runner,
}

/// Plays both parts.
///
/// # Errors
/// What did not happen in time.
pub(crate) async fn play(progress: &Progress, plane: &ControlPlane, arguments: &Arguments, file: &Path) -> Result<()> {
    let project = &arguments.project;
    let runner = plane.run_images(vec![example_operator(file, project)?]).await?;
    let operator = Operator::start(&Settings::of(file, project, &plane.kubeconfig(), plane.logs()))?;
    let show = Show::new(progress, plane, arguments, STEPS).await?;
    let mut stage = Stage { show, operator, _runner: runner };
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
        self.show.until_ready(&mut self.operator, &plane.logs()).await?;
        self.show.say(&format!("\n{}", style("Part 1 - General Concepts").bold()));
        self.first_package().await?;
        self.lost_pods().await?;
        self.strange_readiness().await?;
        self.edited_map().await?;
        self.broken().await?;
        self.missing_dependency().await?;
        self.alright().await?;
        self.end("PackageDeployment", "nginx").await?;
        self.show.say(&format!("\n{}", style("Part 2 - Handover").bold()));
        self.operator_package().await?;
        self.workload().await?;
        self.handover().await?;
        self.end("ClusterPackageDeployment", "example-operator").await
    }

    async fn first_package(&mut self) -> Result<()> {
        self.show.title("A package goes live").await;
        self.show.apply("package-operator/part1/nginx-v1.yaml").await?;
        self.until_available().await?;
        self.show.table(&package("PackageDeployment")).await?;
        self.show.table(&package("PackageSet")).await
    }

    async fn lost_pods(&mut self) -> Result<()> {
        self.show.title("Its Pods are deleted: the package says so, and then that they are back").await;
        self.show.command("kubectl delete po --all");
        let pods = self.show.api(&pod());
        pods.delete_collection(&DeleteParams::default(), &ListParams::default()).await.context("cannot delete Pods")?;
        let package = package("PackageDeployment");
        self.show.until(&package, "nginx", "is not available", |found| phase(found) == "NotReady").await?;
        self.show.table(&package).await?;
        self.until_available().await?;
        self.show.table(&package).await
    }

    async fn strange_readiness(&mut self) -> Result<()> {
        self.show.title("A second revision waits for something strange; the first one serves").await;
        self.show.apply("package-operator/part1/nginx-v2.yaml").await?;
        self.told_by(2, "NotReady").await?;
        self.show.table(&package("PackageDeployment")).await?;
        self.show.table(&package("PackageSet")).await
    }

    async fn edited_map(&mut self) -> Result<()> {
        self.show.title("An annotation is what it waited for; the first revision is archived").await;
        self.show.command("kubectl annotate cm nginx-v2 test=test123");
        let maps = self.show.api(&resource("", "v1", "ConfigMap", "configmaps"));
        merge(&maps, "nginx-v2", &json!({"metadata": {"annotations": {"test": "test123"}}})).await?;
        self.until_available().await?;
        self.told_by(1, "Archived").await?;
        self.show.table(&package("PackageSet")).await?;
        self.show.table(&resource("apps", "v1", "Deployment", "deployments")).await
    }

    async fn broken(&mut self) -> Result<()> {
        self.show.title("A third revision cannot run; the second one serves").await;
        self.show.apply("package-operator/part1/nginx-v3-broken.yaml").await?;
        self.told_by(3, "NotReady").await?;
        let waiting = |pod: &DynamicObject| pod.data.pointer("/status/containerStatuses/0/state/waiting").is_some();
        let pods = || async {
            let pods = self.show.api(&pod()).list(&ListParams::default()).await?;
            Ok((pods.items.len() == 4 && pods.iter().filter(|pod| waiting(pod)).count() == 2).then_some(()))
        };
        self.show.eventually("two Pods run and two cannot", pods).await?;
        self.show.table(&pod()).await
    }

    async fn missing_dependency(&mut self) -> Result<()> {
        self.show.title("A fourth one misses an API: nothing of it is created, and the third one is archived").await;
        self.show.apply("package-operator/part1/nginx-v4-missing-dependencies.yaml").await?;
        self.told_by(4, "MissingDependency").await?;
        self.told_by(3, "Archived").await?;
        self.show.table(&package("PackageSet")).await
    }

    async fn alright(&mut self) -> Result<()> {
        self.show.title("The fifth one is alright").await;
        self.show.apply("package-operator/part1/nginx-v5.yaml").await?;
        self.until_available().await?;
        for revision in 1..5 {
            self.told_by(revision, "Archived").await?;
        }
        self.show.table(&package("PackageSet")).await?;
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
        self.show.say(&format!("  ✓ revisions {good} have the condition Succeeded, {bad} never were ready"));
        Ok(())
    }

    async fn operator_package(&mut self) -> Result<()> {
        self.show
            .title("An operator as a package: its CRD, its rights, its Deployment, and what shares out its resources")
            .await;
        self.show.apply("package-operator/part2/packagedeployment-v1.yaml").await?;
        self.show.until(&package("ClusterPackageDeployment"), "example-operator", "is available", is_available).await?;
        self.show.table(&package("ClusterPackageDeployment")).await?;
        self.show.table(&package("ClusterPackageSet")).await?;
        self.show.table(&handover()).await
    }

    async fn workload(&mut self) -> Result<()> {
        self.show.title("Its resources are adopted by its version, which says nothing for five seconds").await;
        self.show.apply("package-operator/part2/nginx.yaml").await?;
        for name in ["nginx-1", "nginx-2", "nginx-3"] {
            self.show.until(&nginx(), name, "is ready", |found| phase(found) == "Ready").await?;
        }
        self.show.table(&nginx()).await
    }

    async fn handover(&mut self) -> Result<()> {
        self.show.title("Its second version takes them over, one at a time").await;
        self.show.apply("package-operator/part2/packagedeployment-v2.yaml").await?;
        let mut shown = 0;
        for updated in 1..=3 {
            let moved = |found: &DynamicObject| {
                found.data.pointer("/status/stats/updated").and_then(Json::as_i64).unwrap_or_default() >= updated
            };
            self.show.until(&handover(), "example-operator-v2", "goes on", moved).await?;
            self.show.table(&nginx()).await?;
            shown += 1;
        }
        let completed = |found: &DynamicObject| phase(found) == "Completed";
        self.show.until(&handover(), "example-operator-v2", "is completed", completed).await?;
        self.show.until(&package("ClusterPackageDeployment"), "example-operator", "is available", is_available).await?;
        let deployments = resource("apps", "v1", "Deployment", "deployments");
        let own: Api<DynamicObject> = Api::namespaced_with(self.show.client.clone(), "example-operator", &deployments);
        let gone = || async { Ok(own.get_opt("example-operator-v1").await?.is_none().then_some(())) };
        self.show.eventually("the first version's Deployment is gone", gone).await?;
        self.show.table(&nginx()).await?;
        self.show.table(&handover()).await?;
        self.show.say(&format!("  ✓ {shown} resources, one after the other; the first version is gone"));
        Ok(())
    }

    /// Deletes a package, and waits until nothing is left of it.
    async fn end(&mut self, kind: &str, name: &str) -> Result<()> {
        self.show.title("The package is deleted").await;
        let took = self.show.delete(&package(kind), name).await?;
        let sets = self.show.api(&package(&kind.replace("Deployment", "Set"))).list(&ListParams::default()).await?;
        if !sets.items.is_empty() {
            bail!("expected: no sets are left; found: {}", sets.items.len());
        }
        self.show.say(&format!("  ✓ nothing is left after {}", seconds(took)));
        Ok(())
    }

    async fn sets(&self) -> Result<Vec<DynamicObject>> {
        let mut sets = self.show.api(&package("PackageSet")).list(&ListParams::default()).await?.items;
        sets.sort_by_key(revision);
        Ok(sets)
    }

    /// Waits until a revision is in a phase, and shows what it says of it.
    async fn told_by(&self, wanted: u64, expected: &str) -> Result<()> {
        let found = || async {
            let sets = self.sets().await?;
            Ok(sets.into_iter().find(|set| revision(set) == wanted && phase(set) == expected))
        };
        let set = self.show.eventually(&format!("revision {wanted} is {expected}"), found).await?;
        if let Some((_, reason, message)) = condition(&set, "Available") {
            self.show.say(&format!("  revision {wanted}: {}: {message}", style(reason).yellow()));
        }
        Ok(())
    }

    async fn until_available(&self) -> Result<()> {
        self.show.until(&package("PackageDeployment"), "nginx", "is available", is_available).await
    }
}
