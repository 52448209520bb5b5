//! Package Operator's demonstration, part 2: an operator that is this program with another project, in an image of its own,
//! rolled out and upgraded as a package.

use std::collections::BTreeMap;
use std::fs;
use std::sync::OnceLock;

use serde_json::Value as Json;
use testbed::guard::Folder;

use crate::support::{
    Namespace, Told, deployed, every_line_has_its_test, has, kubectl, line, release, repository, tell, until,
};

const LINES: [(usize, &str); 7] = [
    (1, "the operator's package goes live phase by phase, and its handover has nothing to do"),
    (2, "new resources are adopted by its version, and their Pods run"),
    (3, "its second version takes the resources over one at a time"),
    (4, "a resource created meanwhile belongs to the second version"),
    (5, "in the end the first version is gone, and no Pod of a resource was touched"),
    (6, "a resource whose image cannot be had stops the handover until it is mended"),
    (7, "a deleted package takes the resources down before their operator"),
];
const SAMPLES: &str = "samples/package-operator/part2";
const OPERATOR: &str = "example-operator";
const RESOURCES: [&str; 4] = ["nginx-1", "nginx-2", "nginx-3", "nginx-bad"];

struct Scene {
    /// Of the resources.
    shop: Namespace,
    operators: Namespace,
    uids: Vec<Json>,
}

impl Default for Scene {
    fn default() -> Self {
        Self { shop: Namespace("handover".to_owned()), operators: Namespace(OPERATOR.to_owned()), uids: Vec::new() }
    }
}

impl Scene {
    /// The package of that version, as the sample has it. The program of tests is larger than what users run.
    fn apply(&self, version: &str) {
        let mut text =
            fs::read_to_string(repository().join(format!("{SAMPLES}/packagedeployment-{version}.yaml"))).unwrap();
        if release().is_none() {
            text = text.replace("memory: 30Mi", "memory: 128Mi");
        }
        let folder = Folder::new("chart-operator-e2e-").unwrap();
        let file = folder.path().join("package.yaml");
        fs::write(&file, text).unwrap();
        self.shop.apply(&file.display().to_string());
    }

    fn create(&self, name: &str, version: &str) {
        let folder = Folder::new("chart-operator-e2e-").unwrap();
        let file = folder.path().join("nginx.yaml");
        let text = format!(
            "apiVersion: example.thetechnick.ninja/v1alpha1\nkind: Nginx\nmetadata: {{name: {name}}}\n\
             spec: {{version: {version}, reconcileDelay: 5s}}\n"
        );
        fs::write(&file, text).unwrap();
        self.shop.apply(&file.display().to_string());
    }

    fn until_available(&self) {
        self.shop.until("clusterpackagedeployment", OPERATOR, "it is available", |package| {
            package["status"]["phase"] == "Available"
                && package["status"]["observedGeneration"] == package["metadata"]["generation"]
        });
    }

    fn until_served(&self, name: &str, version: &str) {
        self.shop.until("nginx.example.thetechnick.ninja", name, &format!("{version} serves it"), |nginx| {
            says(nginx) == version && nginx["status"]["phase"] == "Ready"
        });
    }

    fn until_handover(&self, version: &str, shown: &str) {
        let name = format!("{OPERATOR}-{version}");
        self.shop.until("clusterhandover", &name, shown, |handover| columns(handover) == shown);
    }

    /// What the Deployments and Pods of the resources that work are.
    fn uids(&self) -> Vec<Json> {
        let objects = ["deployment", "pod"].map(|kind| self.shop.list(kind, ""));
        let ours = objects.into_iter().flatten().filter(|object| {
            RESOURCES[..3]
                .iter()
                .any(|name| object["metadata"]["name"].as_str().unwrap().starts_with(&format!("nginx-{name}")))
        });
        ours.map(|object| object["metadata"]["uid"].clone()).collect()
    }

    fn resources(&self) -> BTreeMap<String, Json> {
        let list = self.shop.list("nginx.example.thetechnick.ninja", "");
        list.into_iter().map(|nginx| (nginx["metadata"]["name"].as_str().unwrap().to_owned(), nginx)).collect()
    }
}

fn label(nginx: &Json) -> &str {
    nginx["metadata"]["labels"]["operator-version"].as_str().unwrap_or_default()
}

fn says(nginx: &Json) -> &str {
    nginx["status"]["operatorVersion"].as_str().unwrap_or_default()
}

/// What the columns of a handover show: phase, found, available, updated.
fn columns(handover: &Json) -> String {
    let stats = ["found", "available", "updated"].map(|name| handover["status"]["stats"][name].to_string());
    format!("{} {}", handover["status"]["phase"].as_str().unwrap_or_default(), stats.join(" "))
}

fn told() -> &'static Told {
    static TOLD: OnceLock<Told> = OnceLock::new();
    let lines =
        [(1, first as fn(&mut Scene)), (2, resources), (6, broken), (3, second), (4, newcomer), (5, after), (7, end)];
    TOLD.get_or_init(|| deployed(|| tell(&lines)))
}

fn first(scene: &mut Scene) {
    Namespace::create(&scene.shop.0);
    // What this package's objects need beyond the role of the charts.
    scene.shop.apply(&format!("{SAMPLES}/role.yaml"));
    scene.apply("v1");
    scene.until_available();
    scene.until_handover("v1", "Completed 0 0 0");
    let deployment = scene.operators.get("deployment", "example-operator-v1").unwrap();
    assert_eq!(deployment["status"]["availableReplicas"], 1);
    let log = scene.operators.kubectl(&["logs", "deployment/example-operator-v1"]);
    assert!(log.contains("Nginx"), "{log}");
}

fn resources(scene: &mut Scene) {
    for name in &RESOURCES[..3] {
        scene.create(name, "stable-alpine");
    }
    scene.create(RESOURCES[3], "nope");
    for name in &RESOURCES[..3] {
        scene.until_served(name, "v1");
    }
    assert!(scene.resources().values().all(|nginx| label(nginx) == "v1"));
    let running = scene.shop.list("pod", "").iter().filter(|pod| has(pod, "Ready", "True")).count();
    assert_eq!(running, 3);
    scene.uids = scene.uids();
}

fn broken(scene: &mut Scene) {
    scene.shop.until("nginx.example.thetechnick.ninja", RESOURCES[3], "it is known to be broken", |nginx| {
        says(nginx) == "v1" && nginx["status"]["phase"] == "NotReady"
    });
    scene.apply("v2");
    scene.until_handover("v2", "Progressing 4 3 0");
    assert!(scene.resources().values().all(|nginx| label(nginx) == "v1"));
    scene.shop.patch("nginx.example.thetechnick.ninja", RESOURCES[3], r#"{"spec":{"version":"stable-alpine"}}"#);
}

/// Sampled from outside: what happens between two looks, the tests against the API server alone see.
fn second(scene: &mut Scene) {
    let (mut updated, mut created) = (0, false);
    until("the handover is complete", || {
        let on_their_way = scene.resources();
        let moving = RESOURCES.iter().filter_map(|name| on_their_way.get(*name));
        let moving = moving.filter(|nginx| label(nginx) == "v2" && says(nginx) != "v2").count();
        assert!(moving <= 1, "{moving} at a time");
        let handover = scene.shop.get("clusterhandover", "example-operator-v2")?;
        let now = handover["status"]["stats"]["updated"].as_u64().unwrap_or_default();
        assert!(now >= updated, "{now} after {updated}");
        updated = now;
        if updated >= 1 && !created {
            scene.create("nginx-new", "stable-alpine");
            created = true;
        }
        (columns(&handover) == "Completed 5 5 5").then_some(())
    });
    assert!(created);
}

fn newcomer(scene: &mut Scene) {
    scene.until_served("nginx-new", "v2");
}

fn after(scene: &mut Scene) {
    scene.until_available();
    scene.operators.until_gone("deployment", "example-operator-v1");
    scene.shop.until_gone("clusterhandover", "example-operator-v1");
    assert!(scene.resources().values().all(|nginx| label(nginx) == "v2" && says(nginx) == "v2"));
    assert_eq!(scene.uids(), scene.uids);
}

fn end(scene: &mut Scene) {
    scene.shop.kubectl(&["delete", "clusterpackagedeployment", OPERATOR, "--wait=false"]);
    let mut left = true;
    until("the package is gone", || {
        let operator = scene.operators.get("deployment", "example-operator-v2");
        // While there are resources, somebody has to take them down.
        let resources = scene.shop.get("nginx.example.thetechnick.ninja", RESOURCES[0]);
        left = resources.is_some();
        assert!(operator.is_some() || !left, "the operator went before its resources");
        let gone = scene.shop.get("clusterpackagedeployment", OPERATOR).is_none();
        (gone && scene.shop.get("namespace", OPERATOR).is_none()).then_some(())
    });
    scene.shop.kubectl(&["delete", "--filename", &repository().join(SAMPLES).join("role.yaml").display().to_string()]);
    let left = kubectl(&["get", "customresourcedefinitions,clusterroles,clusterrolebindings", "--output=name"]);
    assert!(!left.contains("/example-operator") && !left.contains("nginxes."), "{left}");
    until("no Pod of a resource is left", || scene.shop.names("pod").is_empty().then_some(()));
}

#[test]
fn a2_01_the_package_goes_live_phase_by_phase() {
    line(told(), 1);
}

#[test]
fn a2_02_new_resources_are_adopted_and_their_pods_run() {
    line(told(), 2);
}

#[test]
fn a2_03_the_second_version_takes_them_over_one_at_a_time() {
    line(told(), 3);
}

#[test]
fn a2_04_a_resource_created_meanwhile_is_the_second_versions() {
    line(told(), 4);
}

#[test]
fn a2_05_the_first_version_is_gone_and_no_pod_was_touched() {
    line(told(), 5);
}

#[test]
fn a2_06_an_image_that_cannot_be_had_stops_the_handover() {
    line(told(), 6);
}

#[test]
fn a2_07_a_deleted_package_takes_the_resources_down_before_their_operator() {
    line(told(), 7);
}

#[test]
fn every_line_of_the_handover_has_its_test() {
    every_line_has_its_test("a2", &LINES, include_str!("handover.rs"));
}
