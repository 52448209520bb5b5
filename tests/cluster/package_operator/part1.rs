//! `samples/package-operator/part1`.

use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value as Json, json};

use crate::support::{
    History, Namespace, Operator, Project, Setting, condition, condition_message, condition_text, definition,
    eventually, install_definition, noded_plane, sample,
};

const HASH_LABEL: &str = "app=nginx";
const REVISION: &str = "/metadata/annotations/packages.thetechnick.ninja~1revision";

/// A namespace, and an operator that cares for the packages in it. It does nothing without a cause.
struct Scene {
    namespace: Namespace,
    project: Project,
    operator: Operator,
    history: History,
}

/// A spec of this repository's samples.
fn package(file: &str) -> Json {
    sample(&format!("package-operator/part1/{file}.yaml"))
}

impl Scene {
    async fn start(test: &str) -> Self {
        let namespace = Namespace::create_in(noded_plane().client().await.unwrap(), test).await;
        let project = Project::watching(&["PackageDeployment", "PackageSet"]);
        let operator = Self::operator(&project, &namespace).await;
        let history = History::of(namespace.api("PackageDeployment")).await;
        Self { namespace, project, operator, history }
    }

    async fn operator(project: &Project, namespace: &Namespace) -> Operator {
        let setting = Setting::of(noded_plane(), &namespace.name);
        let mut operator = Operator::launch(project, setting, &["--reconcile-period=1h"]);
        operator.until_ready().await;
        operator
    }

    /// Kills the operator and starts another one.
    async fn restart(&mut self) {
        let next = Self::operator(&self.project, &self.namespace);
        self.operator.signal("KILL");
        self.operator = next.await;
    }

    /// As `kubectl apply -f` does.
    async fn apply(&self, package: &Json) {
        let params = PatchParams::apply("kubectl").force();
        self.namespace.api("PackageDeployment").patch("nginx", &params, &Patch::Apply(package)).await.unwrap();
    }

    /// The package up to that revision of the samples, each of them as far as it gets.
    async fn with_revisions(test: &str, upto: usize) -> Self {
        let scene = Self::start(test).await;
        for (file, step) in [
            ("nginx-v1", 1),
            ("nginx-v2", 2),
            ("nginx-v3-broken", 3),
            ("nginx-v4-missing-dependencies", 4),
            ("nginx-v5", 5),
        ] {
            if step > upto {
                break;
            }
            scene.apply(&package(file)).await;
            match step {
                2 => scene.annotate().await,
                3 => drop(scene.set_until(3, "it runs beside the second", |set| phase(set) == "NotReady").await),
                4 => {
                    scene.set_until(4, "it misses its API", |set| phase(set) == "MissingDependency").await;
                    scene.set_until(3, "it is archived", is_archived).await;
                    continue;
                }
                _ => {}
            }
            if step != 3 {
                scene.until_available().await;
            }
        }
        scene
    }

    /// Makes the second revision ready.
    async fn annotate(&self) {
        self.set_until(2, "it is not ready", |set| phase(set) == "NotReady").await;
        eventually("the second ConfigMap", || self.namespace.find("ConfigMap", "nginx-v2")).await;
        self.namespace.patch("ConfigMap", "nginx-v2", json!({"metadata": {"annotations": {"test": "test123"}}})).await;
    }

    /// Waits until what is wanted of the package is available.
    async fn until_available(&self) -> Json {
        let available = |package: &Json| {
            phase(package) == "Available"
                && package["status"]["observedGeneration"] == package["metadata"]["generation"]
                && condition_text(package, "Progressing").as_deref() == Some("False/Idle")
        };
        self.namespace.until("PackageDeployment", "nginx", "it is available", available).await
    }

    async fn sets(&self) -> Vec<Json> {
        let list = self.namespace.api("PackageSet").list(&ListParams::default().labels(HASH_LABEL)).await.unwrap();
        let mut sets: Vec<_> = list.items.into_iter().map(|set| serde_json::to_value(set).unwrap()).collect();
        sets.sort_by_key(revision);
        sets
    }

    async fn set_until(&self, wanted: i64, what: &str, test: impl Fn(&Json) -> bool) -> Json {
        let probe = || async { self.sets().await.into_iter().find(|set| revision(set) == wanted && test(set)) };
        eventually(&format!("revision {wanted} in {}: {what}", self.namespace.name), probe).await
    }

    /// Waits until there are these Deployments and `ConfigMaps` of the package, and no others.
    async fn until_only(&self, deployments: &[&str], maps: &[&str]) {
        let probe = || async {
            let mut found = self.namespace.names("ConfigMap").await;
            found.retain(|name| name != "kube-root-ca.crt");
            (self.namespace.names("Deployment").await == deployments && found == maps).then_some(())
        };
        eventually(&format!("{deployments:?} and {maps:?} in {}", self.namespace.name), probe).await;
    }

    async fn pods(&self) -> Vec<Json> {
        let list = self.namespace.api("Pod").list(&ListParams::default()).await.unwrap();
        list.items.into_iter().map(|pod| serde_json::to_value(pod).unwrap()).collect()
    }

    /// Whether the package has not been available since then: moments, and what they said.
    fn outages(&self, since: usize) -> Vec<String> {
        self.history.faults(since, |moment| {
            let available = condition(moment.get("nginx")?, "Available")?;
            (available["status"] != "True").then(|| available.to_string())
        })
    }
}

fn phase(object: &Json) -> &str {
    object["status"]["phase"].as_str().unwrap_or_default()
}

fn revision(set: &Json) -> i64 {
    set.pointer(REVISION).and_then(|revision| revision.as_str()?.parse().ok()).unwrap_or_default()
}

fn is_archived(set: &Json) -> bool {
    condition_text(set, "Archived").as_deref() == Some("True/Archived")
}

fn is_controlled_by(object: &Json, set: &Json) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
    owners.iter().any(|owner| owner["controller"] == true && owner["uid"] == set["metadata"]["uid"])
}

fn uid(object: &Json) -> String {
    object["metadata"]["uid"].as_str().unwrap().to_owned()
}

fn references(set: &Json, place: &str) -> Vec<String> {
    let list = set[place]["pausedFor"].as_array().cloned().unwrap_or_default();
    let text = |of: &Json, field: &str| of[field].as_str().unwrap_or_default().to_owned();
    let mut names: Vec<_> =
        list.iter().map(|of| format!("{} {} {}", text(of, "group"), text(of, "kind"), text(of, "name"))).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a1_01_the_kinds_are_served_and_the_operator_becomes_ready() {
    let scene = Scene::start("a1-01").await;
    assert_eq!(scene.namespace.names("PackageDeployment").await, Vec::<String>::new());
    assert!(scene.operator.is_ready().await);
    let definition =
        scene.namespace.find("CustomResourceDefinition", "packagedeployments.packages.thetechnick.ninja").await;
    let columns = definition.unwrap()["spec"]["versions"][0]["additionalPrinterColumns"].clone();
    let columns: Vec<_> = columns.as_array().unwrap().iter().map(|column| column["name"].clone()).collect();
    assert_eq!(columns, ["Status", "Age"]);
}

#[tokio::test]
async fn a1_02_a_package_becomes_available() {
    let scene = Scene::start("a1-02").await;
    scene.apply(&package("nginx-v1")).await;
    let deployment = scene.until_available().await;
    assert_eq!(condition_text(&deployment, "Available").as_deref(), Some("True/Available"));
    let seen = || async {
        let phases = scene.history.of_object(0, "nginx", |package| phase(package).to_owned());
        phases.contains(&"Available".to_owned()).then_some(phases)
    };
    assert_eq!(eventually("its history", seen).await, ["Pending", "NotReady", "Available"]);

    let sets = scene.sets().await;
    assert_eq!(sets.iter().map(revision).collect::<Vec<_>>(), [1]);
    assert_eq!(condition_text(&sets[0], "Succeeded").as_deref(), Some("True/AvailableOnce"));
    assert!(is_controlled_by(&sets[0], &deployment));
    for (kind, name) in [("ConfigMap", "nginx-v1"), ("Deployment", "nginx-deployment-v1")] {
        let object = scene.namespace.find(kind, name).await.unwrap();
        assert!(is_controlled_by(&object, &sets[0]), "{object}");
        let label = format!("{}-{}", scene.namespace.name, sets[0]["metadata"]["name"].as_str().unwrap());
        assert_eq!(object["metadata"]["labels"]["packages.thetechnick.ninja/package-set"], label);
    }
}

#[tokio::test]
async fn a1_03_deleted_pods_are_told_and_it_has_succeeded_all_the_time() {
    let scene = Scene::with_revisions("a1-03", 1).await;
    let succeeded = condition(&scene.sets().await[0], "Succeeded").unwrap().clone();
    let before = scene.history.len();
    let pods = scene.namespace.api("Pod");
    pods.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    let told = || async { (!scene.outages(before).is_empty()).then_some(()) };
    eventually("the package says that it is not available", told).await;
    scene.until_available().await;
    let told = scene.history.of_object(before, "nginx", |package| {
        (phase(package).to_owned(), condition_text(package, "Available").unwrap_or_default())
    });
    assert!(told.contains(&("NotReady".to_owned(), "False/PackageSetUnready".to_owned())), "{told:?}");
    let sets = scene.sets().await;
    assert_eq!(sets.len(), 1);
    assert_eq!(condition(&sets[0], "Succeeded").unwrap()["lastTransitionTime"], succeeded["lastTransitionTime"]);
}

#[tokio::test]
async fn a1_04_who_scales_is_undone_and_who_annotates_is_not() {
    let scene = Scene::with_revisions("a1-04", 1).await;
    let name = "nginx-deployment-v1";
    scene.namespace.patch("Deployment", name, json!({"metadata": {"annotations": {"x": "y"}}})).await;
    for replicas in [5, 4] {
        scene.namespace.patch("Deployment", name, json!({"spec": {"replicas": replicas}})).await;
        scene.namespace.until("Deployment", name, "it has 2 replicas", |found| found["spec"]["replicas"] == 2).await;
    }
    assert_eq!(scene.namespace.find("Deployment", name).await.unwrap()["metadata"]["annotations"]["x"], "y");
}

#[tokio::test]
async fn a1_05_a_second_revision_that_is_not_ready_runs_beside_the_first() {
    let scene = Scene::with_revisions("a1-05", 1).await;
    let before = scene.history.len();
    scene.apply(&package("nginx-v2")).await;
    let named = format!("ConfigMap {}/nginx-v2", scene.namespace.name);
    let unready = |set: &Json| {
        let message = condition_message(set, "Available");
        phase(set) == "NotReady" && message.contains(&named) && message.contains(".metadata.annotations.test")
    };
    scene.set_until(2, "it is not ready", unready).await;
    let objects = [" ConfigMap nginx-v2", "apps Deployment nginx-deployment-v2"].map(str::to_owned).to_vec();
    let first = scene.sets().await.remove(0);
    assert_eq!((references(&first, "spec"), references(&first, "status")), (objects.clone(), objects));
    assert_eq!(phase(&first), "Available");
    scene.until_only(&["nginx-deployment-v1", "nginx-deployment-v2"], &["nginx-v1", "nginx-v2"]).await;
    let run = || async { (scene.pods().await.len() == 4).then_some(()) };
    eventually("four Pods", run).await;
    let progressing = |package: &Json| phase(package) == "Progressing";
    scene.namespace.until("PackageDeployment", "nginx", "it progresses", progressing).await;
    assert_eq!(scene.outages(before), Vec::<String>::new());
}

#[tokio::test]
async fn a1_06_an_annotation_makes_it_ready_and_the_first_is_archived() {
    let scene = Scene::with_revisions("a1-06", 1).await;
    let before = scene.history.len();
    scene.apply(&package("nginx-v2")).await;
    scene.annotate().await;
    scene.until_available().await;
    scene.set_until(1, "it is archived", |set| phase(set) == "Archived" && is_archived(set)).await;
    scene.until_only(&["nginx-deployment-v2"], &["nginx-v2"]).await;
    // A change of ours is applied, and theirs stays.
    scene.namespace.patch("ConfigMap", "nginx-v2", json!({"data": {"key1": "other"}})).await;
    let restored = |map: &Json| map["data"]["key1"] == "test123";
    let map = scene.namespace.until("ConfigMap", "nginx-v2", "its data are restored", restored).await;
    assert_eq!(map["metadata"]["annotations"]["test"], "test123");
    assert_eq!(scene.outages(before), Vec::<String>::new());
}

#[tokio::test]
async fn a1_07_a_revision_that_cannot_run_takes_nothing_from_the_one_before() {
    let scene = Scene::with_revisions("a1-07", 2).await;
    scene.until_only(&["nginx-deployment-v2"], &["nginx-v2"]).await;
    let of_second = |pods: &[Json]| {
        let mine =
            pods.iter().filter(|pod| pod["metadata"]["name"].as_str().unwrap().starts_with("nginx-deployment-v2"));
        mine.map(uid).collect::<Vec<_>>()
    };
    let (before, uids) = (scene.history.len(), of_second(&scene.pods().await));
    scene.apply(&package("nginx-v3-broken")).await;
    let states = || async {
        let mut states: Vec<_> = scene.pods().await.iter().map(state).collect();
        states.sort();
        (states == ["ImagePullBackOff", "ImagePullBackOff", "Running", "Running"]).then_some(())
    };
    eventually("two Pods run and two cannot", states).await;
    scene.set_until(3, "it is not ready", |set| phase(set) == "NotReady").await;
    let progressing = |package: &Json| phase(package) == "Progressing";
    scene.namespace.until("PackageDeployment", "nginx", "it progresses", progressing).await;
    assert_eq!((scene.outages(before), of_second(&scene.pods().await)), (Vec::new(), uids));
}

/// What `kubectl get pods` shows.
fn state(pod: &Json) -> String {
    let waiting = pod.pointer("/status/containerStatuses/0/state/waiting/reason").and_then(Json::as_str);
    waiting.or_else(|| pod["status"]["phase"].as_str()).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a1_08_a_revision_whose_api_is_missing_creates_nothing() {
    let scene = Scene::with_revisions("a1-08", 3).await;
    let before = scene.history.len();
    scene.apply(&package("nginx-v4-missing-dependencies")).await;
    let missing = |set: &Json| phase(set) == "MissingDependency";
    let fourth = scene.set_until(4, "it misses its API", missing).await;
    let message = "Missing objects in kubernetes API: superimportant.openshift.io/v1alpha1, Kind=CoolDB";
    assert_eq!(condition_message(&fourth, "Available"), message);
    scene.set_until(3, "it is archived", is_archived).await;
    scene.until_only(&["nginx-deployment-v2"], &["nginx-v2"]).await;
    let run = || async {
        let pods = scene.pods().await;
        (pods.len() == 2 && pods.iter().all(|pod| state(pod) == "Running")).then_some(())
    };
    eventually("the Pods of the second run, and no others", run).await;
    assert_eq!(scene.outages(before), Vec::<String>::new());
}

#[tokio::test]
async fn a1_09_when_the_missing_api_appears_the_revision_goes_on() {
    let scene = Scene::with_revisions("a1-09", 3).await;
    let mut fourth = package("nginx-v4-missing-dependencies");
    // A kind of its own: others ask for the sample's, which must not appear.
    let api = json!({"group": "tests.samutup.com", "version": "v1", "kind": "CoolTable"});
    fourth["spec"]["template"]["spec"]["dependencies"][0]["kubernetesAPI"] = api;
    scene.apply(&fourth).await;
    scene.set_until(4, "it misses its API", |set| phase(set) == "MissingDependency").await;
    install_definition(&scene.namespace.client, &definition("CoolTable")).await;
    scene.until_available().await;
    scene.until_only(&["nginx-deployment-v4"], &["nginx-v2"]).await;
}

#[tokio::test]
async fn a1_10_a_revision_takes_an_object_over_as_it_is() {
    let scene = Scene::with_revisions("a1-10", 4).await;
    let map = scene.namespace.find("ConfigMap", "nginx-v2").await.unwrap();
    let before = scene.history.len();
    scene.apply(&package("nginx-v5")).await;
    scene.until_available().await;
    let after = scene.namespace.find("ConfigMap", "nginx-v2").await.unwrap();
    assert_eq!(uid(&after), uid(&map));
    assert_eq!(after["data"], json!({"key1": "test123", "key2": "test123", "key3": "test123"}));
    assert_eq!(after["metadata"]["annotations"]["test"], "test123");
    for revision in 1..=4 {
        scene.set_until(revision, "it is archived", is_archived).await;
    }
    scene.until_only(&["nginx-deployment-v5"], &["nginx-v2"]).await;
    let last = scene.sets().await.pop().unwrap();
    let after = scene.namespace.find("ConfigMap", "nginx-v2").await.unwrap();
    assert!(revision(&last) == 5 && is_controlled_by(&after, &last) && uid(&after) == uid(&map), "{after}");
    assert_eq!(scene.outages(before), Vec::<String>::new());
}

#[tokio::test]
async fn a1_11_revisions_that_were_ready_once_can_be_told_from_the_others() {
    let scene = Scene::with_revisions("a1-11", 5).await;
    let sets = scene.sets().await;
    let succeeded: Vec<_> =
        sets.iter().map(|set| (revision(set), condition_text(set, "Succeeded").is_some())).collect();
    assert_eq!(succeeded, [(1, true), (2, true), (3, false), (4, false), (5, true)]);
}

#[tokio::test]
async fn a1_12_an_older_spec_is_a_new_revision_and_old_ones_are_deleted() {
    let scene = Scene::with_revisions("a1-12", 5).await;
    let before = scene.history.len();
    let sets = History::of(scene.namespace.api("PackageSet")).await;
    scene.apply(&package("nginx-v1")).await;
    let rolled_back = scene.until_available().await;
    assert!(rolled_back["status"]["collisionCount"].as_i64().unwrap() > 0, "{rolled_back}");
    let newest = scene.sets().await.pop().unwrap();
    assert_eq!((revision(&newest), phase(&newest)), (6, "Available"));
    scene.set_until(5, "it is archived", is_archived).await;
    for text in ["seven", "eight"] {
        let mut next = package("nginx-v1");
        let objects = &mut next["spec"]["template"]["spec"]["phases"][0]["objects"];
        objects[0]["object"]["data"]["key1"] = json!(text);
        objects[1]["object"]["metadata"]["name"] = json!(format!("nginx-deployment-{text}"));
        scene.apply(&next).await;
        scene.until_available().await;
    }
    let kept = || async {
        let left: Vec<_> = scene.sets().await.iter().map(revision).collect();
        (left == [3, 4, 5, 6, 7, 8]).then_some(())
    };
    eventually("the newest set, and five archived ones", kept).await;
    let most = sets.faults(0, |moment| {
        let kept = moment.values().filter(|set| set["metadata"]["deletionTimestamp"].is_null()).count();
        (kept > 7).then(|| format!("{kept} sets"))
    });
    let unready = sets.faults(0, |moment| {
        let serves = |set: &&Json| condition(set, "Succeeded").is_some() && set["spec"]["archived"] != true;
        let unready = |set: &&Json| condition_text(set, "Available").is_some_and(|text| text.starts_with("False"));
        let found = moment.values().filter(serves).find(unready)?;
        Some(format!("revision {}: {}", revision(found), found["status"]))
    });
    assert_eq!((most, unready, scene.outages(before)), (Vec::new(), Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a1_13_killed_on_the_way_it_reaches_the_same_end() {
    let mut scene = Scene::with_revisions("a1-13", 1).await;
    scene.apply(&package("nginx-v2")).await;
    scene.set_until(2, "it is not ready", |set| phase(set) == "NotReady").await;
    scene.restart().await;
    scene.annotate().await;
    scene.until_available().await;
    scene.set_until(1, "it is archived", is_archived).await;
    scene.until_only(&["nginx-deployment-v2"], &["nginx-v2"]).await;

    let map = scene.namespace.find("ConfigMap", "nginx-v2").await.unwrap();
    scene.apply(&package("nginx-v5")).await;
    scene.restart().await;
    scene.until_available().await;
    scene.set_until(2, "it is archived", is_archived).await;
    scene.until_only(&["nginx-deployment-v5"], &["nginx-v2"]).await;
    assert_eq!(uid(&scene.namespace.find("ConfigMap", "nginx-v2").await.unwrap()), uid(&map));
    assert_eq!(scene.sets().await.iter().map(revision).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test]
async fn a1_14_an_object_of_nobody_is_left_alone() {
    let scene = Scene::with_revisions("a1-14", 1).await;
    let created = scene.namespace.create_named("ConfigMap", "nginx-v9", json!({"data": {"of": "jane"}})).await;
    let mut next = package("nginx-v1");
    next["spec"]["template"]["spec"]["phases"][0]["objects"][0]["object"]["metadata"]["name"] = json!("nginx-v9");
    let before = scene.history.len();
    scene.apply(&next).await;
    let collides = |set: &Json| {
        condition_text(set, "Available").as_deref() == Some("False/CollisionDetected")
            && condition_message(set, "Available").contains("nginx-v9")
    };
    scene.set_until(2, "it collides", collides).await;
    let after = scene.namespace.find("ConfigMap", "nginx-v9").await.unwrap();
    assert_eq!(after["metadata"]["resourceVersion"], created["metadata"]["resourceVersion"]);
    assert_eq!(scene.outages(before), Vec::<String>::new());
}

#[tokio::test]
async fn a1_15_a_deleted_package_leaves_nothing() {
    let scene = Scene::with_revisions("a1-15", 4).await;
    let other = json!({"metadata": {"name": "bystander"}, "data": {}});
    let other = serde_json::from_value(other).unwrap();
    scene.namespace.api("ConfigMap").create(&PostParams::default(), &other).await.unwrap();
    scene.namespace.delete("PackageDeployment", "nginx").await;
    scene.namespace.until_gone("PackageDeployment", "nginx").await;
    assert_eq!(scene.namespace.names("PackageSet").await, Vec::<String>::new());
    scene.until_only(&[], &["bystander"]).await;
    eventually("no Pods", || async { scene.pods().await.is_empty().then_some(()) }).await;
}

#[tokio::test]
async fn a_deployment_that_two_revisions_share_is_available_all_the_time() {
    let scene = Scene::with_revisions("shared", 1).await;
    let deployment = || async { scene.namespace.find("Deployment", "nginx-deployment-v1").await.unwrap() };
    let (before, since) = (deployment().await, scene.history.len());
    let mut next = package("nginx-v1");
    let objects = next.pointer_mut("/spec/template/spec/phases/0/objects").and_then(Json::as_array_mut).unwrap();
    objects.push(json!({"object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "nginx-more"}}}));
    scene.apply(&next).await;
    scene.set_until(2, "it is available", |set| phase(set) == "Available").await;
    scene.until_available().await;
    let after = deployment().await;
    assert_eq!(uid(&after), uid(&before));
    assert!(is_controlled_by(&after, &scene.sets().await[1]), "{after}");
    // Its controller has nothing to look at again.
    assert_eq!(after["metadata"]["generation"], before["metadata"]["generation"]);
    assert_eq!(scene.outages(since), [""; 0]);
}
