//! `samples/package-operator/part2`: an operator that is this binary with another project, `example-operator`.
//!
//! Lines 1 to 5 and 7 are one story, told once; a test for each looks at what came of its line.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value as Json, json};
use testbed::image::{Image, Runner};
use tokio::sync::{Mutex, OnceCell};

use crate::support::{
    History, Namespace, Operator, Project, Setting, condition, condition_text, eventually, noded_plane, sample,
};

/// The operator's package is cluster-scoped: there is one at a time.
static CLUSTER: Mutex<()> = Mutex::const_new(());

const OPERATOR: &str = "example-operator";
/// `reconcileDelay` of the samples.
const DELAY: Duration = Duration::from_secs(5);
const RESOURCES: [&str; 3] = ["nginx-1", "nginx-2", "nginx-3"];

/// A cluster with the operator of packages, and what runs the other one's Pods.
struct Scene {
    /// Of the resources.
    namespace: Namespace,
    /// Of their operator.
    operators: Namespace,
    nginxes: Option<History>,
    handovers: History,
    runner: Runner,
    /// When the resources were created, and the second version applied.
    begun: Instant,
    /// Moments of the history of the resources at that time.
    since: usize,
    uids: Vec<String>,
    operator: Operator,
}

impl Scene {
    async fn start(test: &str) -> Self {
        let plane = noded_plane();
        let client = plane.client().await.unwrap();
        let namespace = Namespace::create_in(client.clone(), test).await;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/package-operator/example-operator");
        let entrypoint = [
            "run",
            "--watches-file=./watches.yaml",
            "--metrics-bind-address=0",
            "--health-probe-bind-address=0",
            "--leader-election-namespace=$(POD_NAMESPACE)",
        ];
        let image = Image {
            name: "example-operator-manager:0.1.0".to_owned(),
            file: env!("CARGO_BIN_EXE_chart-operator").into(),
            folder,
            entrypoint: entrypoint.map(str::to_owned).to_vec(),
        };
        let runner = plane.run_images(vec![image]).await.unwrap();
        let kinds = ["ClusterPackageDeployment", "ClusterPackageSet", "ClusterHandover", "ClusterAdoption"];
        let project = Project::watching(&kinds);
        let mut operator = Operator::launch(&project, Setting::of(plane, ""), &["--reconcile-period=1h"]);
        operator.until_ready().await;
        let operators = Namespace { client, name: OPERATOR.to_owned() };
        let handovers = History::of(namespace.api("ClusterHandover")).await;
        let (begun, nginxes) = (Instant::now(), None);
        Self { namespace, operators, nginxes, handovers, runner, begun, since: 0, uids: Vec::new(), operator }
    }

    async fn apply(&self, version: &str) {
        let package = sample(&format!("package-operator/part2/packagedeployment-{version}.yaml"));
        let params = PatchParams::apply("kubectl").force();
        self.namespace.api("ClusterPackageDeployment").patch(OPERATOR, &params, &Patch::Apply(package)).await.unwrap();
    }

    async fn until_available(&self) {
        let available = |package: &Json| {
            package["status"]["phase"] == "Available"
                && package["status"]["observedGeneration"] == package["metadata"]["generation"]
        };
        self.namespace.until("ClusterPackageDeployment", OPERATOR, "it is available", available).await;
    }

    async fn create_nginx(&self, name: &str, version: &str) {
        let spec = json!({"version": version, "reconcileDelay": "5s"});
        self.namespace.create_resource("Nginx", name, spec).await;
    }

    async fn nginx_until(&self, name: &str, version: &str) -> Json {
        let served = |nginx: &Json| says(nginx) == version && nginx["status"]["phase"] == "Ready";
        self.namespace.until("Nginx", name, &format!("{version} has it, and it is ready"), served).await
    }

    /// What the columns of a handover show.
    async fn handover(&self, version: &str) -> Option<String> {
        let handover = self.namespace.find("ClusterHandover", &format!("{OPERATOR}-{version}")).await?;
        Some(columns(&handover))
    }

    async fn handover_until(&self, version: &str, expected: &str) {
        let shown = || async { self.handover(version).await.filter(|shown| shown == expected) };
        eventually(&format!("handover {version} is {expected}"), shown).await;
    }

    async fn uids_of_deployments(&self) -> Vec<String> {
        let mut uids = Vec::new();
        for name in RESOURCES {
            let deployment = self.namespace.find("Deployment", &format!("nginx-{name}")).await.unwrap();
            uids.push(deployment["metadata"]["uid"].as_str().unwrap().to_owned());
        }
        uids
    }

    /// Everything is taken down, and nothing is left.
    async fn end(&self) {
        self.namespace.delete("ClusterPackageDeployment", OPERATOR).await;
        self.namespace.until_gone("ClusterPackageDeployment", OPERATOR).await;
        for (kind, name) in [
            ("CustomResourceDefinition", "nginxes.example.thetechnick.ninja"),
            ("ClusterRole", OPERATOR),
            ("ClusterRoleBinding", OPERATOR),
            ("Namespace", OPERATOR),
        ] {
            self.namespace.until_gone(kind, name).await;
        }
        for kind in ["ClusterPackageSet", "ClusterHandover", "ClusterAdoption"] {
            assert_eq!(self.namespace.names(kind).await, Vec::<String>::new(), "{kind}");
        }
    }
}

/// The label by which versions share the resources.
fn label(nginx: &Json) -> &str {
    nginx["metadata"]["labels"]["operator-version"].as_str().unwrap_or_default()
}

/// The version that cares for it, as the status says.
fn says(nginx: &Json) -> &str {
    nginx["status"]["operatorVersion"].as_str().unwrap_or_default()
}

fn columns(handover: &Json) -> String {
    let stats = ["found", "available", "updated"].map(|name| handover["status"]["stats"][name].to_string());
    format!("{} {}", handover["status"]["phase"].as_str().unwrap_or_default(), stats.join(" "))
}

fn created(object: &Json) -> jiff::Timestamp {
    object["metadata"]["creationTimestamp"].as_str().unwrap().parse().unwrap()
}

/// When a condition became what it is.
fn since(object: &Json, condition_type: &str) -> jiff::Timestamp {
    condition(object, condition_type).unwrap()["lastTransitionTime"].as_str().unwrap().parse().unwrap()
}

/// What came of each line; none of those that were not reached.
type Told = [Option<Result<(), String>>; 7];

/// The story, told once.
async fn told() -> &'static Told {
    static TOLD: OnceCell<Told> = OnceCell::const_new();
    TOLD.get_or_init(|| async {
        let _cluster = CLUSTER.lock().await;
        let mut scene = Scene::start("a2").await;
        let mut told = Told::default();
        for line in [1, 2, 3, 4, 5, 7] {
            let result = AssertUnwindSafe(play(&mut scene, line)).catch_unwind().await;
            let failed = result.as_ref().err().map(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
            });
            told[line - 1] = Some(failed.clone().map_or(Ok(()), Err));
            if failed.is_some() {
                break;
            }
        }
        told
    })
    .await
}

async fn play(scene: &mut Scene, line: usize) {
    match line {
        1 => first_version(scene).await,
        2 => resources(scene).await,
        3 => second_version(scene).await,
        4 => newcomer(scene).await,
        5 => afterwards(scene).await,
        _ => deleted(scene).await,
    }
}

/// Fails if its line did.
async fn line(number: usize) {
    let told = told().await[number - 1].clone();
    assert_eq!(told, Some(Ok(())), "nothing is told where an earlier line failed");
}

async fn first_version(scene: &Scene) {
    scene.apply("v1").await;
    scene.until_available().await;
    let found = |kind: &'static str, name: &'static str| async move { scene.operators.find(kind, name).await.unwrap() };
    let namespace = found("Namespace", OPERATOR).await;
    let crd = found("CustomResourceDefinition", "nginxes.example.thetechnick.ninja").await;
    let deployment = found("Deployment", "example-operator-v1").await;
    let handover = found("ClusterHandover", "example-operator-v1").await;
    assert!(created(&namespace) <= created(&crd), "{namespace} {crd}");
    assert!(since(&crd, "Established") <= created(&deployment), "{crd} {deployment}");
    assert!(since(&deployment, "Available") <= created(&handover), "{deployment} {handover}");
    assert_eq!(columns(&handover), "Completed 0 0 0");
}

async fn resources(scene: &mut Scene) {
    let kind = kube::core::GroupVersionKind::gvk("example.thetechnick.ninja", "v1alpha1", "Nginx");
    let api: Api<DynamicObject> = Api::namespaced_with(
        scene.namespace.client.clone(),
        &scene.namespace.name,
        &kube::core::ApiResource::from_gvk(&kind),
    );
    let history = History::of(api).await;
    for name in RESOURCES {
        scene.create_nginx(name, "stable-alpine").await;
    }
    for name in RESOURCES {
        let nginx = scene.nginx_until(name, "v1").await;
        assert_eq!(label(&nginx), "v1");
        let served = since(&nginx, "Available").duration_since(created(&nginx));
        assert!(served.as_secs() >= 4, "{nginx}");
        // Its label came first, and alone.
        let steps = history.of_object(0, name, |nginx| (label(nginx).to_owned(), says(nginx).to_owned()));
        let steps: Vec<_> = steps.iter().map(|(label, says)| (label.as_str(), says.as_str())).collect();
        assert_eq!(steps, [("", ""), ("v1", ""), ("v1", "v1")]);
    }
    scene.handover_until("v1", "Completed 3 3 3").await;
    scene.uids = scene.uids_of_deployments().await;
    scene.since = history.len();
    scene.nginxes = Some(history);
}

async fn second_version(scene: &mut Scene) {
    scene.begun = Instant::now();
    scene.apply("v2").await;
    // The next line's resource comes when the first one has been handed over.
    let one = || async { scene.handover("v2").await.filter(|shown| shown == "Progressing 3 3 1") };
    eventually("one resource is on its way", one).await;
    scene.create_nginx("nginx-4", "stable-alpine").await;
    for name in RESOURCES {
        scene.nginx_until(name, "v2").await;
    }
    assert!(scene.begun.elapsed() >= 3 * DELAY, "{:?}", scene.begun.elapsed());
    let faults = scene.nginxes.as_ref().unwrap().faults(scene.since, |moment| {
        let on_their_way = RESOURCES.iter().filter_map(|name| moment.get(*name));
        let count = on_their_way.filter(|nginx| label(nginx) == "v2" && says(nginx) != "v2").count();
        (count > 1).then(|| format!("{count} at a time"))
    });
    assert_eq!(faults, Vec::<String>::new());
    scene.handover_until("v2", "Completed 4 4 4").await;
    let number = |handover: &Json, name: &str| handover["status"]["stats"][name].as_u64();
    let updated = scene.handovers.of_object(0, "example-operator-v2", |handover| number(handover, "updated"));
    let updated: Vec<_> = updated.into_iter().flatten().collect();
    assert!(updated.is_sorted() && updated.last() == Some(&4), "{updated:?}");
    // Of the three: the fourth is not available before it is.
    let available = scene.handovers.of_object(0, "example-operator-v2", |handover| number(handover, "available"));
    assert!(available.iter().flatten().all(|available| *available >= 3), "{available:?}");
}

async fn newcomer(scene: &mut Scene) {
    scene.nginx_until("nginx-4", "v2").await;
    let labels = scene.nginxes.as_ref().unwrap().of_object(0, "nginx-4", |nginx| label(nginx).to_owned());
    assert_eq!(labels, ["", "v2"]);
}

async fn afterwards(scene: &mut Scene) {
    scene.until_available().await;
    scene.operators.until_gone("Deployment", "example-operator-v1").await;
    scene.namespace.until_gone("ClusterHandover", "example-operator-v1").await;
    assert_eq!(scene.operators.names("Deployment").await, ["example-operator-v2"]);
    assert_eq!(scene.uids_of_deployments().await, scene.uids);
    for name in RESOURCES {
        let nginx = scene.namespace.find("Nginx", name).await.unwrap();
        assert_eq!((label(&nginx), says(&nginx)), ("v2", "v2"));
    }
    let log = scene.runner.log("example-operator-v1").unwrap();
    assert!(log.contains("\"Version\""), "it has no log: {log}");
    assert!(!log.contains("Uninstalled release"), "{log}");
}

async fn deleted(scene: &mut Scene) {
    let operators = History::of(scene.operators.api("Deployment")).await;
    let resources = scene.nginxes.as_ref().unwrap();
    assert_eq!(
        condition_text(&scene.namespace.find("Nginx", "nginx-1").await.unwrap(), "Available").as_deref(),
        Some("True/Setup")
    );
    let now = operators.len() - 1;
    // Whether there were resources when the operator's Deployment was seen to go.
    let order = async {
        eventually("the operator's Deployment is being deleted", || async {
            let going = operators.faults(now, |moment| {
                let deployment = moment.get("example-operator-v2");
                let goes = deployment.is_none_or(|found| found["metadata"]["deletionTimestamp"].is_string());
                goes.then(String::new)
            });
            (!going.is_empty()).then_some(())
        })
        .await;
        resources.faults(resources.len() - 1, |moment| Some(format!("{:?}", moment.keys().collect::<Vec<_>>())))
    };
    let (left, ()) = tokio::join!(order, scene.end());
    assert_eq!(left.last().map(String::as_str), Some("[]"));
    for name in RESOURCES {
        scene.namespace.until_gone("Deployment", &format!("nginx-{name}")).await;
    }
    assert!(scene.operator.is_ready().await);
}

#[tokio::test]
async fn a2_01_the_package_goes_live_phase_by_phase() {
    line(1).await;
}

#[tokio::test]
async fn a2_02_new_resources_are_adopted_and_ready_after_their_delay() {
    line(2).await;
}

#[tokio::test]
async fn a2_03_the_second_version_takes_them_over_one_at_a_time() {
    line(3).await;
}

#[tokio::test]
async fn a2_04_a_resource_created_meanwhile_is_the_second_versions_at_once() {
    line(4).await;
}

#[tokio::test]
async fn a2_05_the_first_version_is_gone_and_no_object_was_touched() {
    line(5).await;
}

#[tokio::test]
async fn a2_06_a_broken_resource_stops_the_handover_until_it_is_mended() {
    let _cluster = CLUSTER.lock().await;
    let scene = Scene::start("a2-06").await;
    scene.apply("v1").await;
    scene.until_available().await;
    for name in RESOURCES {
        scene.create_nginx(name, "stable-alpine").await;
    }
    scene.create_nginx("nginx-bad", "nope").await;
    for name in RESOURCES {
        scene.nginx_until(name, "v1").await;
    }
    let told = |nginx: &Json| says(nginx) == "v1" && nginx["status"]["phase"] == "NotReady";
    scene.namespace.until("Nginx", "nginx-bad", "it is known to be broken", told).await;
    scene.apply("v2").await;
    scene.handover_until("v2", "Progressing 4 3 0").await;
    // It has been looked at again by then, with the same result.
    scene.create_nginx("nginx-4", "stable-alpine").await;
    scene.nginx_until("nginx-4", "v2").await;
    scene.handover_until("v2", "Progressing 5 4 1").await;
    for name in RESOURCES {
        assert_eq!(label(&scene.namespace.find("Nginx", name).await.unwrap()), "v1");
    }
    scene.namespace.patch("Nginx", "nginx-bad", json!({"spec": {"version": "stable-alpine"}})).await;
    for name in RESOURCES.into_iter().chain(["nginx-bad"]) {
        scene.nginx_until(name, "v2").await;
    }
    scene.handover_until("v2", "Completed 5 5 5").await;
    scene.until_available().await;
    scene.end().await;
}

#[tokio::test]
async fn a2_07_a_deleted_package_takes_the_resources_down_before_their_operator() {
    line(7).await;
}
