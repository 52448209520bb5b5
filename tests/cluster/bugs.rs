//! What is wrong in operator-sdk v1.42.3 or helm-operator-plugins v0.9.1, and must not be here.
//!
//! | bug | shown by |
//! |---|---|
//! | 1: watches on objects without an owner wake nobody | `bug_01_…` |
//! | 2: so do those on objects rendered without a namespace | `bug_02_…` |
//! | 3: a selector has no effect where all namespaces are watched | `bug_03_…` |
//! | 4: nothing is reconciled where only some are | `bug_04_…` |
//! | 5: a change of an object's status reconciles its resource | `bug_05_…` |
//! | 6: hooks are not waited for until they are gone; 7: a hook may hang for ever | the tests of hooks |
//! | 8: `uninstall-wait` looks once a period | `operator_sdk::bug_08_…` |
//! | 9: the operator's own writes reconcile the resource again | `bug_09_…` |
//! | 10: `watchDependentResources` is inverted, and settings of a watch are ignored | `bug_10_…` |
//! | 11: a foreground deletion takes the record first, and what no owner can be named on stays | `bug_11_…` |
//! | 12: what was written a moment ago is not seen | `bug_12_…` |

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value as Json, json};

use crate::support::{Namespace, Operator, Project, Setting, eventually, is_deployed, plane};

/// Without a period only watches can tell.
const NO_PERIOD: [&str; 1] = ["--reconcile-period=0"];

struct Stage {
    namespace: Namespace,
    _project: Project,
    operator: Operator,
}

impl Stage {
    /// An operator without a period and a deployed resource `cache`; `watch` are more lines of its watch.
    async fn set(test: &str, watch: &str) -> Self {
        let namespace = Namespace::create(test).await;
        let project = Project::memcached(&namespace.client).await;
        project.edit("watches.yaml", |text| text.replace("kind: Memcached", &format!("kind: Memcached{watch}")));
        let operator = Operator::start_with(&project, &namespace, &NO_PERIOD).await;
        let stage = Self { namespace, _project: project, operator };
        stage.install().await;
        stage
    }

    async fn install(&self) -> Json {
        self.namespace.create_resource("Memcached", "cache", json!({"priority": 5})).await;
        self.namespace.until("Memcached", "cache", "it is deployed", is_deployed).await
    }

    fn priority(&self) -> String {
        format!("{}-cache", self.namespace.name)
    }

    async fn renders(&self) -> f64 {
        let series = "chart_operator_renders_total{controller=\"memcached-controller\"";
        self.operator.metric(series).await.unwrap_or_default()
    }
}

#[tokio::test]
async fn bug_01_an_object_on_which_no_owner_can_be_named_is_put_back_at_once() {
    let stage = Stage::set("bug-01", "").await;
    stage.namespace.delete("PriorityClass", &stage.priority()).await;
    let back = || async { stage.namespace.find("PriorityClass", &stage.priority()).await };
    eventually("it is back", back).await;
}

#[tokio::test]
async fn bug_02_an_object_rendered_without_a_namespace_is_put_back_at_once() {
    let stage = Stage::set("bug-02", "").await;
    stage.namespace.patch("ConfigMap", "cache", json!({"data": {"memory": "1"}})).await;
    let put_back = |settings: &Json| settings["data"]["memory"] == "64";
    stage.namespace.until("ConfigMap", "cache", "it is as rendered", put_back).await;
    stage.namespace.delete("Service", "cache").await;
    eventually("it is back", || async { stage.namespace.find("Service", "cache").await }).await;
}

#[tokio::test]
async fn bug_03_a_selector_holds_where_all_namespaces_are_watched() {
    let namespace = Namespace::create("bug-03").await;
    let project = Project::memcached(&namespace.client).await;
    let selector = format!("kind: Memcached\n  selector: {{matchLabels: {{test: {}}}}}", namespace.name);
    project.edit("watches.yaml", |text| text.replace("kind: Memcached", &selector));
    let mut operator = Operator::launch(&project, Setting::of(plane(), ""), &NO_PERIOD);
    operator.until_ready().await;
    namespace.create_resource("Memcached", "other", json!({})).await;
    let labelled = json!({"metadata": {"labels": {"test": namespace.name}}, "spec": {}});
    namespace.create_named("Memcached", "mine", labelled).await;
    namespace.until("Memcached", "mine", "it is deployed", is_deployed).await;
    let other = namespace.find("Memcached", "other").await.unwrap();
    assert!(other["status"].is_null() && other["metadata"]["finalizers"].is_null(), "{other}");
}

#[tokio::test]
async fn bug_04_resources_in_the_namespaces_that_are_watched_are_reconciled() {
    let (first, second) = (Namespace::create("bug-04").await, Namespace::create("bug-04").await);
    let project = Project::memcached(&first.client).await;
    let namespaces = format!("{},{}", first.name, second.name);
    let mut operator = Operator::launch(&project, Setting::of(plane(), &namespaces), &NO_PERIOD);
    operator.until_ready().await;
    for namespace in [&first, &second] {
        namespace.create_resource("Memcached", "cache", json!({})).await;
        namespace.until("Memcached", "cache", "it is deployed", is_deployed).await;
    }
}

#[tokio::test]
async fn bug_05_a_change_of_an_objects_status_renders_and_writes_no_object() {
    let stage = Stage::set("bug-05", "").await;
    let renders = stage.renders().await;
    let before = stage.namespace.find("StatefulSet", "cache").await.unwrap();
    // Ready from now on: that is told, and nothing else is done.
    let status = json!({"status": {
        "observedGeneration": before["metadata"]["generation"], "replicas": 1, "readyReplicas": 1, "availableReplicas": 1,
        "updatedReplicas": 1, "currentReplicas": 1, "currentRevision": "a", "updateRevision": "a",
    }});
    let params = PatchParams { field_manager: Some("cast".to_owned()), ..PatchParams::default() };
    stage.namespace.api("StatefulSet").patch_status("cache", &params, &Patch::Merge(status)).await.unwrap();
    stage.namespace.patch("Memcached", "cache", json!({"spec": {"memory": 32}})).await;
    let changed = |set: &Json| set["spec"]["template"]["spec"]["containers"][0]["command"][2] == "32";
    stage.namespace.until("StatefulSet", "cache", "the next edit is carried out", changed).await;
    assert!((stage.renders().await - renders - 1.0).abs() < 0.5, "one render, for the edit");
    let calls = stage.operator.calls();
    let sent = calls.iter().filter(|call| call.verb == "patch" && call.resource == "statefulsets").count();
    assert_eq!(sent, 2, "one at the installation and one for the edit");
}

#[tokio::test]
async fn bug_09_the_operators_own_writes_to_the_resource_render_nothing() {
    let stage = Stage::set("bug-09", "").await;
    assert!((stage.renders().await - 1.0).abs() < 0.5);
    // A second resource is served after everything that the first one could have caused.
    stage.namespace.create_resource("Memcached", "second", json!({})).await;
    stage.namespace.until("Memcached", "second", "it is deployed", is_deployed).await;
    assert!((stage.renders().await - 2.0).abs() < 0.5);
    let calls = stage.operator.calls();
    let written = calls.iter().filter(|call| call.verb != "get" && call.verb != "list" && call.name == "cache");
    let main = written.filter(|call| call.resource == "memcacheds").count();
    assert_eq!(main, 1, "one patch holds finalizer, label and annotations");
}

#[tokio::test]
async fn bug_10_each_watch_has_its_own_period_and_says_whether_objects_are_watched() {
    let stage = Stage::set("bug-10", "\n  watchDependentResources: false\n  reconcilePeriod: 1s").await;
    stage.namespace.delete("Service", "cache").await;
    eventually("its own period brings it back", || async { stage.namespace.find("Service", "cache").await }).await;
    let stage = Stage::set("bug-10", "\n  watchDependentResources: true").await;
    stage.namespace.delete("Service", "cache").await;
    eventually("its watch brings it back", || async { stage.namespace.find("Service", "cache").await }).await;
}

#[tokio::test]
async fn bug_11_a_foreground_deletion_leaves_nothing_behind() {
    let stage = Stage::set("bug-11", "").await;
    stage.namespace.api("Memcached").delete("cache", &DeleteParams::foreground()).await.unwrap();
    stage.namespace.until_gone("Memcached", "cache").await;
    assert!(stage.namespace.find("PriorityClass", &stage.priority()).await.is_none());
    stage.namespace.until_gone("StatefulSet", "cache").await;
    assert!(stage.namespace.names("Secret").await.is_empty());
    assert!(stage.operator.logged("Release not found").is_empty());
}

#[tokio::test]
async fn bug_12_what_was_written_a_moment_ago_is_seen() {
    let stage = Stage::set("bug-12", "").await;
    for _ in 0..5 {
        stage.namespace.delete("Memcached", "cache").await;
        stage.namespace.until_gone("Memcached", "cache").await;
        let resource = stage.install().await;
        assert_eq!(resource["status"]["deployedRelease"]["revision"], 1);
    }
    assert_eq!(stage.operator.logged("Installed release").len(), 6);
    let errors: Vec<_> = stage.operator.log().into_iter().filter(|line| line["level"] == "error").collect();
    assert!(errors.is_empty(), "{errors:?}");
}
