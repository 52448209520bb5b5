//! Package Operator's demonstration, part 1, where containers matter: Pods that start, are deleted, and cannot be had.
//! The operator has the rights that its bases give it.

use std::sync::OnceLock;

use serde_json::Value as Json;

use crate::deployment;
use crate::support::{Namespace, Told, condition, deployed, every_line_has_its_test, has, line, tell, until};

const LINES: [(usize, &str); 6] = [
    (1, "the operator is ready, and there are no packages"),
    (2, "a package becomes available, with two Pods that run"),
    (3, "when its Pods are deleted the package says so, and then that they are back; it has succeeded all the time"),
    (7, "a third revision whose image cannot be had takes nothing from the second"),
    (13, "an operator that is killed on the way reaches the same end"),
    (15, "a deleted package leaves nothing"),
];
const SAMPLES: &str = "samples/package-operator/part1";

struct Scene(Namespace);

impl Default for Scene {
    fn default() -> Self {
        Self(Namespace("packages".to_owned()))
    }
}

impl Scene {
    fn apply(&self, file: &str) {
        self.0.apply(&format!("{SAMPLES}/{file}.yaml"));
    }

    fn until_package(&self, what: &str, test: impl Fn(&Json) -> bool) -> Json {
        self.0.until("packagedeployment", "nginx", what, test)
    }

    fn until_available(&self) -> Json {
        self.until_package("it is available", |package| {
            package["status"]["phase"] == "Available"
                && package["status"]["observedGeneration"] == package["metadata"]["generation"]
                && has(package, "Progressing", "False")
        })
    }

    /// The set of that revision.
    fn set(&self, revision: &str) -> Option<Json> {
        let sets = self.0.list("packageset", "app=nginx");
        sets.into_iter().find(|set| set["metadata"]["annotations"]["packages.thetechnick.ninja/revision"] == revision)
    }

    /// UIDs and names of the Pods that run.
    fn running(&self) -> Vec<(String, String)> {
        let pods = self.0.list("pod", "app=nginx").into_iter();
        let running = pods.filter(|pod| has(pod, "Ready", "True") && pod["metadata"]["deletionTimestamp"].is_null());
        let text = |pod: &Json, field: &str| pod["metadata"][field].as_str().unwrap().to_owned();
        running.map(|pod| (text(&pod, "uid"), text(&pod, "name"))).collect()
    }
}

fn told() -> &'static Told {
    static TOLD: OnceLock<Told> = OnceLock::new();
    TOLD.get_or_init(|| {
        deployed(|| tell(&[(1, nothing), (2, first), (3, deleted_pods), (7, broken), (13, killed), (15, end)]))
    })
}

fn nothing(scene: &mut Scene) {
    Namespace::create(&scene.0.0);
    assert!(scene.0.names("packagedeployment").is_empty());
}

fn first(scene: &mut Scene) {
    scene.apply("nginx-v1");
    let package = scene.until_available();
    assert!(has(&package, "Available", "True"));
    assert_eq!(scene.running().len(), 2);
    assert_eq!(scene.0.list("packageset", "app=nginx").len(), 1);
    assert!(has(&scene.set("1").unwrap(), "Succeeded", "True"));
}

fn deleted_pods(scene: &mut Scene) {
    let succeeded =
        |scene: &Scene| condition(&scene.set("1").unwrap(), "Succeeded").unwrap()["lastTransitionTime"].clone();
    let (before, since) = (scene.running(), succeeded(scene));
    scene.0.kubectl(&["delete", "pod", "--all", "--wait=false"]);
    scene.until_package("it says that it is not ready", |package| {
        package["status"]["phase"] == "NotReady" && has(package, "Available", "False")
    });
    scene.until_available();
    let now = scene.running();
    assert_eq!(now.len(), 2);
    assert!(now.iter().all(|pod| !before.contains(pod)), "{now:?}");
    assert_eq!(succeeded(scene), since);
    assert_eq!(scene.0.list("packageset", "app=nginx").len(), 1);
}

fn broken(scene: &mut Scene) {
    scene.apply("nginx-v2");
    until("the second revision waits for its annotation", || scene.0.get("configmap", "nginx-v2"));
    scene.0.kubectl(&["annotate", "configmap", "nginx-v2", "test=test123"]);
    scene.until_available();
    until("only the second revision's Pods are left", || {
        (scene.running().len() == 2 && scene.0.get("deployment", "nginx-deployment-v1").is_none()).then_some(())
    });
    let before = scene.running();
    scene.apply("nginx-v3-broken");
    let waiting = |pod: &Json| {
        let reason = pod.pointer("/status/containerStatuses/0/state/waiting/reason").and_then(Json::as_str);
        reason.is_some_and(|reason| reason == "ImagePullBackOff" || reason == "ErrImagePull")
    };
    until("two Pods have no image", || {
        (scene.0.list("pod", "app=nginx").iter().filter(|pod| waiting(pod)).count() == 2).then_some(())
    });
    assert_eq!(scene.running(), before);
    let package = scene.until_package("it goes on", |package| has(package, "Progressing", "True"));
    assert!(has(&package, "Available", "True"), "{package}");
    let set = scene.set("3").unwrap();
    assert!(has(&set, "Available", "False"), "{set}");
}

fn killed(scene: &mut Scene) {
    scene.apply("nginx-v5");
    deployment::kill();
    scene.until_available();
    until("only the fifth's Deployment is left", || {
        (scene.0.names("deployment") == ["nginx-deployment-v5"]).then_some(())
    });
    let revisions = scene.0.list("packageset", "app=nginx").len();
    assert_eq!(revisions, 4, "no set was made twice");
}

fn end(scene: &mut Scene) {
    scene.0.kubectl(&["delete", "packagedeployment", "nginx"]);
    for kind in ["packageset", "deployment", "pod"] {
        until(&format!("no {kind} is left"), || scene.0.names(kind).is_empty().then_some(()));
    }
    assert_eq!(scene.0.names("configmap"), ["kube-root-ca.crt"]);
}

#[test]
fn a1_01_there_are_no_packages() {
    line(told(), 1);
}

#[test]
fn a1_02_a_package_becomes_available() {
    line(told(), 2);
}

#[test]
fn a1_03_deleted_pods_are_told_and_come_back() {
    line(told(), 3);
}

#[test]
fn a1_07_an_image_that_cannot_be_had_takes_nothing_away() {
    line(told(), 7);
}

#[test]
fn a1_13_an_operator_that_is_killed_reaches_the_same_end() {
    line(told(), 13);
}

#[test]
fn a1_15_a_deleted_package_leaves_nothing() {
    line(told(), 15);
}

#[test]
fn every_line_of_packages_has_its_test() {
    every_line_has_its_test("a1", &LINES, include_str!("packages.rs"));
}
