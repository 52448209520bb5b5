//! What cannot be changed: told, or made anew where that is allowed; and custom resource definitions, which are kept.

use serde_json::{Value as Json, json};

use crate::support::{Namespace, Operator, Project, condition, condition_text, is_deployed};

/// The project with a field in it that the API server never changes.
async fn project(namespace: &Namespace, annotation: &str) -> Project {
    let project = Project::memcached(&namespace.client).await;
    let own = format!("  annotations: {{{annotation}}}\nspec:\n  podManagementPolicy: {{{{ .Values.management }}}}\n");
    project.edit("helm-charts/memcached/templates/statefulset.yaml", |text| text.replacen("spec:\n", &own, 1));
    project
}

async fn install(namespace: &Namespace) -> Json {
    namespace.create_resource("Memcached", "cache", json!({"management": "OrderedReady"})).await;
    namespace.until("Memcached", "cache", "it is deployed", is_deployed).await;
    namespace.find("StatefulSet", "cache").await.unwrap()
}

#[tokio::test]
async fn a_field_that_cannot_be_changed_is_named_tried_once_and_made_anew_when_the_resource_forces_it() {
    let namespace = Namespace::create("immutable").await;
    let project = project(&namespace, "").await;
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=0"]).await;
    let before = install(&namespace).await;
    let tries = || {
        let calls = operator.calls().into_iter();
        calls.filter(|call| call.verb == "patch" && call.resource == "statefulsets").count()
    };
    let installed = tries();

    namespace.patch("Memcached", "cache", json!({"spec": {"management": "Parallel"}})).await;
    let refused = |resource: &Json| condition(resource, "ReleaseFailed").is_some();
    let resource = namespace.until("Memcached", "cache", "it says why", refused).await;
    let message = condition(&resource, "ReleaseFailed").unwrap()["message"].as_str().unwrap();
    let start = "cannot change `spec` (updates to statefulset spec for fields other than";
    assert!(message.starts_with(start), "{message}");
    assert!(message.contains(&format!("of `apps/StatefulSet {}/cache`", namespace.name)), "{message}");
    assert_eq!(condition_text(&resource, "Stalled").as_deref(), Some("True/Refused"));
    // What is not to happen needs time not to happen in.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(tries(), installed + 1);
    assert_eq!(namespace.find("StatefulSet", "cache").await.unwrap()["metadata"]["uid"], before["metadata"]["uid"]);

    let force = json!({"metadata": {"annotations": {"helm.sdk.operatorframework.io/upgrade-force": "true"}}});
    namespace.patch("Memcached", "cache", force).await;
    let anew = |set: &Json| {
        set["spec"]["podManagementPolicy"] == "Parallel" && set["metadata"]["uid"] != before["metadata"]["uid"]
    };
    namespace.until("StatefulSet", "cache", "it is a new one", anew).await;
    let upgraded = |resource: &Json| condition_text(resource, "Deployed").as_deref() == Some("True/UpgradeSuccessful");
    let resource = namespace.until("Memcached", "cache", "it is upgraded", upgraded).await;
    assert!(condition(&resource, "ReleaseFailed").is_none());
    assert_eq!(operator.logged("Deleted object to make it anew").len(), 1);
}

#[tokio::test]
async fn an_object_that_allows_it_is_made_anew_when_its_former_self_is_gone() {
    let namespace = Namespace::create("anew").await;
    let project = project(&namespace, "chart-operator.dev/recreate: \"true\"").await;
    let _operator = Operator::start_with(&project, &namespace, &["--reconcile-period=0"]).await;
    let before = install(&namespace).await;
    assert!(before["metadata"]["annotations"]["chart-operator.dev/recreate"].is_null());
    let held = json!({"metadata": {"finalizers": ["example.com/held"]}});
    namespace.patch("StatefulSet", "cache", held).await;
    namespace.patch("Memcached", "cache", json!({"spec": {"management": "Parallel"}})).await;
    let leaving = |set: &Json| set["metadata"]["deletionTimestamp"].is_string();
    namespace.until("StatefulSet", "cache", "it is being deleted", leaving).await;
    let waits = |resource: &Json| {
        let message = condition(resource, "Ready").and_then(|ready| ready["message"].as_str());
        message.is_some_and(|message| message.contains("is being deleted"))
    };
    namespace.until("Memcached", "cache", "it says what it waits for", waits).await;
    namespace.patch("StatefulSet", "cache", json!({"metadata": {"finalizers": null}})).await;
    let anew = |set: &Json| {
        set["spec"]["podManagementPolicy"] == "Parallel" && set["metadata"]["uid"] != before["metadata"]["uid"]
    };
    namespace.until("StatefulSet", "cache", "it is a new one", anew).await;
}

/// A definition of `kind` whose schema has a field `field`.
fn definition(kind: &str, field: &str) -> String {
    let (singular, field) = (kind.to_lowercase(), field.to_owned());
    format!(
        "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {singular}s.tests.samutup.com, creationTimestamp: null}}
spec:
  group: tests.samutup.com
  scope: Namespaced
  names: {{kind: {kind}, plural: {singular}s}}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {{openAPIV3Schema: {{type: object, properties: {{{field}: {{type: string}}}}}}}}
"
    )
}

#[tokio::test]
async fn definitions_follow_the_chart_only_where_the_watch_says_so() {
    for (word, kind, expected) in [("Create", "Onceling", "old"), ("CreateReplace", "Changeling", "new")] {
        let namespace = Namespace::create("definitions").await;
        let project = Project::memcached(&namespace.client).await;
        let file = "helm-charts/memcached/crds/thing.yaml";
        project.edit(file, |_| definition(kind, "old"));
        project
            .edit("watches.yaml", |text| text.replace("kind: Memcached", &format!("kind: Memcached\n  crds: {word}")));
        let operator = Operator::start(&project, &namespace).await;
        install_plain(&namespace, "first").await;
        let name = format!("{}s.tests.samutup.com", kind.to_lowercase());
        let fields = |definition: &Json| {
            let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            schema["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        let before = namespace.find("CustomResourceDefinition", &name).await.unwrap();
        assert_eq!(fields(&before), ["old"], "{word}");
        operator.terminate().await;

        project.edit(file, |_| definition(kind, "new"));
        let operator = Operator::start(&project, &namespace).await;
        install_plain(&namespace, "second").await;
        let wanted = |definition: &Json| fields(definition) == [expected];
        let after = namespace.until("CustomResourceDefinition", &name, "it is as the watch says", wanted).await;
        // Another resource of the same chart finds it as it should be.
        install_plain(&namespace, "third").await;
        let unchanged = namespace.find("CustomResourceDefinition", &name).await.unwrap();
        assert_eq!(unchanged["metadata"]["generation"], after["metadata"]["generation"], "{word}");
        assert_eq!(operator.logged("Applied definition").is_empty(), word == "Create");
    }
}

#[tokio::test]
async fn definitions_that_somebody_else_brings_are_not_created() {
    let namespace = Namespace::create("skipped").await;
    let project = Project::memcached(&namespace.client).await;
    project.edit("helm-charts/memcached/crds/thing.yaml", |_| definition("Skipling", "old"));
    project.edit("watches.yaml", |text| text.replace("kind: Memcached", "kind: Memcached\n  crds: Skip"));
    let _operator = Operator::start(&project, &namespace).await;
    install_plain(&namespace, "first").await;
    assert!(namespace.find("CustomResourceDefinition", "skiplings.tests.samutup.com").await.is_none());
}

async fn install_plain(namespace: &Namespace, name: &str) {
    namespace.create_resource("Memcached", name, json!({})).await;
    namespace.until("Memcached", name, "it is deployed", is_deployed).await;
}
