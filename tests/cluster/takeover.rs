//! Releases that Helm or helm-operator made before us, from `tests/golden/release`, and the way back to them.

use std::collections::BTreeMap;

use chart_operator::release::manifest;
use chart_operator::release::record::{Record, Stamps};
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value as Json, json};

use crate::support::{Namespace, Operator, Project, condition, condition_text, plane};

const CLIENT_SIDE: &str = include_str!("../golden/release/helm-4-client-side.json");
const SERVER_SIDE: &str = include_str!("../golden/release/helm-4-server-side.json");

const FINALIZER: &str = "helm.sdk.operatorframework.io/uninstall-release";
const OBJECTS: [&str; 5] = ["ConfigMap", "PriorityClass", "Service", "ServiceAccount", "StatefulSet"];

/// Who made a release, and how it wrote.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Maker {
    /// By POST, with owners on the objects.
    HelmOperator,
    /// By server-side apply, of nobody.
    Helm,
}

/// A release as its maker left it, with the resource that it becomes.
struct Scene {
    namespace: Namespace,
    project: Project,
    maker: Maker,
    record: Record,
}

/// The values that the release was made with.
fn spec() -> Json {
    json!({"account": true, "priority": 10, "settings": {"extra": "dropped later"}, "environment": {"EXTRA": "dropped later"}})
}

impl Scene {
    /// The namespace must be new in this control plane.
    async fn set(name: &str, maker: Maker, spec: Json, finalizers: &[&str]) -> Self {
        let client = plane().client().await.unwrap();
        let namespace = Namespace::named(client, name).await;
        let project = Project::scaffolded(&namespace.client).await;
        let golden: Json =
            serde_json::from_str(if maker == Maker::HelmOperator { CLIENT_SIDE } else { SERVER_SIDE }).unwrap();
        let mut record = Record::decode(&golden["secret"]).unwrap();
        // The recorded release lived in a namespace of another name.
        record.manifest = record.manifest.replace(&record.namespace, name);
        name.clone_into(&mut record.namespace);
        let resource = json!({"metadata": {"finalizers": finalizers}, "spec": spec});
        let resource = namespace.create_named("Memcached", "cache", resource).await;
        let scene = Self { namespace, project, maker, record };
        scene.write_objects(&resource).await;
        let secret = scene.record.secret(Stamps { created: Some(1_700_000_000), modified: None }).unwrap();
        scene.namespace.create_object("Secret", secret).await;
        scene
    }

    async fn write_objects(&self, resource: &Json) {
        for document in manifest::stored(&self.record.manifest).unwrap() {
            let (mut object, kind) = (document.json.clone(), document.kind.clone());
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            object["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
            object["metadata"]["annotations"]["meta.helm.sh/release-name"] = json!("cache");
            object["metadata"]["annotations"]["meta.helm.sh/release-namespace"] = json!(self.namespace.name);
            let api = self.namespace.api(&kind);
            if self.maker == Maker::Helm {
                let params = PatchParams::apply("helm").force();
                api.patch(&name, &params, &Patch::Apply(object)).await.unwrap();
                continue;
            }
            object["metadata"]["labels"]["helm.sdk.operatorframework.io/chart"] = json!("memcached");
            if kind == "PriorityClass" {
                let primary = format!("{}/cache", self.namespace.name);
                object["metadata"]["annotations"]["operator-sdk/primary-resource"] = json!(primary);
                object["metadata"]["annotations"]["operator-sdk/primary-resource-type"] =
                    json!("Memcached.cache.example.com");
            } else {
                object["metadata"]["ownerReferences"] = json!([{
                    "apiVersion": "cache.example.com/v1alpha1", "kind": "Memcached", "name": "cache",
                    "uid": resource["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
                }]);
            }
            let params = PostParams { field_manager: Some("helm-operator".to_owned()), ..PostParams::default() };
            api.create(&params, &serde_json::from_value(object).unwrap()).await.unwrap();
        }
    }

    fn name_of(&self, kind: &str) -> String {
        if kind == "PriorityClass" { format!("{}-cache", self.namespace.name) } else { "cache".to_owned() }
    }

    async fn find(&self, kind: &str) -> Option<Json> {
        self.namespace.find(kind, &self.name_of(kind)).await
    }

    async fn objects(&self) -> BTreeMap<&'static str, Json> {
        let mut objects = BTreeMap::new();
        for kind in OBJECTS {
            objects.insert(kind, self.find(kind).await.unwrap());
        }
        objects
    }

    async fn start(&self) -> Operator {
        let mut operator = Operator::launch_scaffolded(&self.project, &self.namespace);
        operator.until_ready().await;
        operator
    }

    async fn until_revision(&self, revision: i64) -> Json {
        let deployed = |web: &Json| {
            web["status"]["deployedRelease"]["revision"] == revision && condition(web, "ReleaseFailed").is_none()
        };
        self.namespace.until("Memcached", "cache", &format!("revision {revision} runs"), deployed).await
    }
}

/// Everything of an object that its owner wrote: no bookkeeping of the server and no marks.
fn content(object: &Json) -> Json {
    let mut object = object.clone();
    object["metadata"] = json!({"uid": object["metadata"]["uid"], "generation": object["metadata"]["generation"]});
    object.as_object_mut().unwrap().remove("status");
    object
}

fn managers(object: &Json) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap().iter();
    let main = entries.filter(|entry| entry["subresource"].is_null());
    main.map(|entry| format!("{} {}", entry["manager"].as_str().unwrap(), entry["operation"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_release_of_helm_operator_goes_on_with_nothing_changed_and_later_changes_are_whole() {
    let scene = Scene::set("takeover-operator", Maker::HelmOperator, spec(), &[FINALIZER]).await;
    let before = scene.objects().await;
    let operator = scene.start().await;
    let resource = scene.until_revision(2).await;
    assert_eq!(condition_text(&resource, "Deployed").as_deref(), Some("True/UpgradeSuccessful"));
    assert_eq!(resource["metadata"]["finalizers"], json!([FINALIZER]));

    for (kind, before) in &before {
        let after = scene.find(kind).await.unwrap();
        assert_eq!(content(&after), content(before), "{kind} is another one, or was restarted");
        assert_eq!(managers(&after), ["chart-operator Apply"], "{kind}");
        assert_eq!(after["metadata"]["ownerReferences"], before["metadata"]["ownerReferences"], "{kind}");
        let annotations = |object: &Json| object["metadata"]["annotations"].clone();
        assert_eq!(annotations(&after), annotations(before), "{kind}");
    }
    let former = scene.namespace.find("Secret", "sh.helm.release.v1.cache.v1").await.unwrap();
    assert_eq!(former["metadata"]["labels"]["status"], "superseded");
    assert_eq!(Record::decode(&former).unwrap().chart, scene.record.chart);
    let record = scene.namespace.find("Secret", "sh.helm.release.v1.cache.v2").await.unwrap();
    assert_eq!(Record::decode(&record).unwrap().manifest, scene.record.manifest, "Helm rendered the same");
    assert_eq!(operator.logged("Took over release").len(), 1);

    // What the chart leaves out from now on goes, down to single fields.
    let spec = json!({"account": null, "priority": null, "settings": null, "environment": null, "replicaCount": 2});
    scene.namespace.patch("Memcached", "cache", json!({"spec": spec})).await;
    let scaled = |set: &Json| set["spec"]["replicas"] == 2;
    let set = scene.namespace.until("StatefulSet", "cache", "it has two replicas", scaled).await;
    let environment = &set["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(environment, &json!([{"name": "CACHE", "value": "cache"}]));
    scene.until_revision(3).await;
    assert_eq!(scene.find("ConfigMap").await.unwrap()["data"], json!({"memory": "64"}));
    scene.namespace.until_gone("ServiceAccount", "cache").await;
    scene.namespace.until_gone("PriorityClass", "takeover-operator-cache").await;
}

#[tokio::test]
async fn what_helm_installed_and_the_resource_no_longer_asks_for_goes_when_it_is_taken_over() {
    // Nobody has put a finalizer on the resource: that there is a release is only seen by its objects.
    let scene = Scene::set("takeover-helm", Maker::Helm, json!({"memory": 32}), &[]).await;
    let before = scene.objects().await;
    let operator = scene.start().await;
    let resource = scene.until_revision(2).await;
    assert_eq!(resource["metadata"]["finalizers"], json!([FINALIZER]));

    let set = scene.find("StatefulSet").await.unwrap();
    assert_eq!(set["metadata"]["uid"], before["StatefulSet"]["metadata"]["uid"]);
    assert_eq!(managers(&set), ["chart-operator Apply"]);
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["env"], json!([{"name": "CACHE", "value": "cache"}]));
    assert_eq!(scene.find("ConfigMap").await.unwrap()["data"], json!({"memory": "32"}));
    scene.namespace.until_gone("ServiceAccount", "cache").await;
    assert!(scene.find("PriorityClass").await.is_none());
    assert_eq!(operator.logged("Deleted what the former release leaves behind").len(), 2);
    assert_eq!(operator.logged("Upgraded release").len(), 1);
    assert!(operator.logged("Installed release").is_empty());
}

#[tokio::test]
async fn after_the_way_back_to_helm_operator_and_here_again_fields_are_still_whole() {
    let scene = Scene::set("takeover-back", Maker::HelmOperator, spec(), &[FINALIZER]).await;
    let operator = scene.start().await;
    scene.until_revision(2).await;
    operator.terminate().await;
    // What helm-operator does: a patch of what differs, and its own record after ours.
    let record = scene.namespace.find("Secret", "sh.helm.release.v1.cache.v2").await.unwrap();
    assert_eq!(record["metadata"]["labels"]["status"], "deployed");
    let mut record = Record::decode(&record).unwrap();
    assert_eq!(record.chart.name(), "memcached");
    let params = PatchParams { field_manager: Some("helm-operator".to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"data": {"more": "of helm-operator"}}));
    scene.namespace.api("ConfigMap").patch("cache", &params, &patch).await.unwrap();
    scene.namespace.delete("Secret", "sh.helm.release.v1.cache.v1").await;
    scene.namespace.delete("Secret", "sh.helm.release.v1.cache.v2").await;
    record.revision = 3;
    scene.namespace.create_object("Secret", record.secret(Stamps::default()).unwrap()).await;

    let _operator = scene.start().await;
    scene.until_revision(4).await;
    let settings = scene.find("ConfigMap").await.unwrap();
    assert_eq!(settings["data"], json!({"memory": "64", "extra": "dropped later"}));
    assert_eq!(managers(&settings), ["chart-operator Apply"]);
}

#[tokio::test]
async fn a_resource_of_helm_operator_that_is_being_deleted_takes_its_release_with_it() {
    let finalizers = [FINALIZER, "uninstall-helm-release"];
    let scene = Scene::set("takeover-deleted", Maker::HelmOperator, spec(), &finalizers).await;
    scene.namespace.delete("Memcached", "cache").await;
    let _operator = scene.start().await;
    scene.namespace.until_gone("Memcached", "cache").await;
    for kind in OBJECTS {
        scene.namespace.until_gone(kind, &scene.name_of(kind)).await;
    }
    assert!(scene.namespace.names("Secret").await.is_empty());
}

#[tokio::test]
async fn the_steps_of_the_guide_are_those_of_these_tests() {
    let guide = include_str!("../../docs/migrating-from-operator-sdk.md");
    let namespace = Namespace::create("guide").await;
    let project = Project::scaffolded(&namespace.client).await;
    let command = guide.lines().find_map(|line| line.trim().strip_prefix("$ ")).unwrap();
    assert_eq!(command, "chart-operator check");
    let check = std::process::Command::new(env!("CARGO_BIN_EXE_chart-operator"))
        .arg(command.rsplit(' ').next().unwrap())
        .current_dir(project.folder())
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    let from = guide.split("```dockerfile\n").nth(1).unwrap().split("```").next().unwrap().trim();
    project.edit("Dockerfile", |text| text.replacen(text.lines().next().unwrap(), from, 1));
    assert!(project.text("Dockerfile").starts_with("FROM registry.example.com/chart-operator"));
    // What the image then runs is what all tests of this file start; its log says what the guide says.
    assert!(guide.contains("\"msg\":\"Took over release\""));
}

#[tokio::test]
async fn a_release_of_another_chart_is_left_alone() {
    let scene = Scene::set("takeover-other", Maker::HelmOperator, spec(), &[FINALIZER]).await;
    scene.project.edit("helm-charts/memcached/Chart.yaml", |text| text.replace("name: memcached", "name: other"));
    let before = scene.objects().await;
    let operator = scene.start().await;
    let refused = |resource: &Json| condition(resource, "ReleaseFailed").is_some();
    let resource = scene.namespace.until("Memcached", "cache", "it says why", refused).await;
    let message = condition(&resource, "ReleaseFailed").unwrap()["message"].as_str().unwrap();
    assert_eq!(message, "duplicate release name: found existing release with name \"cache\" for chart \"memcached\"");
    scene.namespace.delete("Memcached", "cache").await;
    scene.namespace.until_gone("Memcached", "cache").await;
    assert_eq!(operator.logged("Uninstalled release").len(), 1);
    assert_eq!(scene.find("PriorityClass").await.unwrap(), before["PriorityClass"]);
    assert_eq!(scene.namespace.names("Secret").await, ["sh.helm.release.v1.cache.v1"]);
}
