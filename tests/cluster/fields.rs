//! The fields of `watches.yaml` that bend what a chart rendered.

use serde_json::{Value as Json, json};
use testbed::audit::Request;

use crate::support::{
    Namespace, Operator, Project, condition, condition_message, condition_text, eventually, is_deployed,
};

#[tokio::test]
async fn patches_change_what_is_applied_and_an_idle_one_is_told_once() {
    let namespace = Namespace::create("patches").await;
    let project = Project::with_fields_of_web(
        "  patches:
  - target: {group: apps, kind: Deployment}
    patch:
    - {op: add, path: /spec/template/spec/priorityClassName, value: system-cluster-critical}
  - target: {kind: ConfigMap, name: .*-web}
    patch: '[{op: add, path: /data/added, value: here}]'
  - target: {kind: Secret}
    patch: [{op: remove, path: /data}]
",
    );
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    let deployment = namespace.find("Deployment", "shop-web").await.unwrap();
    assert_eq!(deployment["spec"]["template"]["spec"]["priorityClassName"], "system-cluster-critical");
    // What was patched is kept so.
    namespace.patch("ConfigMap", "shop-web", json!({"data": {"added": "there"}})).await;
    let as_patched = |page: &Json| page["data"]["added"] == "here";
    namespace.until("ConfigMap", "shop-web", "it is as patched", as_patched).await;
    let told = operator.logged("Patch not used");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["warning"], "`patches[2]` is for no object of this release");
}

#[tokio::test]
async fn a_patch_that_does_not_fit_refuses_the_revision_and_names_itself() {
    let namespace = Namespace::create("misfit").await;
    let project = Project::with_fields_of_web(
        "  patches: [{target: {kind: Service}, patch: [{op: replace, path: /spec/nothing, value: 1}]}]\n",
    );
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let refused = |web: &Json| condition(web, "Stalled").is_some();
    let web = namespace.until("Web", "shop", "it is refused", refused).await;
    assert_eq!(condition_text(&web, "Stalled").unwrap(), "True/RenderFailed");
    let message = condition_message(&web, "Stalled");
    let named = "`patches[0]`: cannot carry out `patch[0]`, `replace`, at `/spec/nothing` of `Service shop-web`";
    assert!(message.starts_with(named) && message.ends_with("there is nothing at this path"), "{message}");
    assert!(namespace.find("ConfigMap", "shop-web").await.is_none());
    let written: Vec<_> = operator.calls().into_iter().filter(Request::is_write).collect();
    assert!(written.iter().all(|call| ["webs/status", "events"].contains(&call.resource.as_str())), "{written:?}");
}

#[tokio::test]
async fn what_a_watch_does_not_allow_refuses_the_revision_before_any_write() {
    let namespace = Namespace::create("restrict").await;
    let project = Project::with_fields_of_web(
        "  restrict: {namespaces: own, kinds: [ConfigMap, Deployment.apps, Service, ServiceAccount]}\n",
    );
    let place = |kind: &str, api: &str, of: &str| {
        format!(
            "{{{{- if .Values.{of} }}}}\napiVersion: {api}\nkind: {kind}\nmetadata:\n  name: {{{{ .Release.Name }}}}-{of}\n{{{{- with .Values.namespace }}}}\n  namespace: {{{{ . }}}}\n{{{{- end }}}}\n{{{{- end }}}}\n---\n"
        )
    };
    let extra = [
        place("ConfigMap", "v1", "map"),
        place("Secret", "v1", "secret"),
        place("ClusterRole", "rbac.authorization.k8s.io/v1", "role"),
    ];
    project.edit("helm-charts/web/templates/extra.yaml", |_| extra.concat());
    let operator = Operator::start(&project, &namespace).await;
    for (name, spec, rule) in [
        (
            "elsewhere",
            json!({"map": true, "namespace": "kube-system"}),
            "`ConfigMap kube-system/elsewhere-map` (web/templates/extra.yaml) violates `restrict.namespaces: own`",
        ),
        ("kind", json!({"secret": true}), "violates `restrict.kinds`, which does not list `Secret`"),
        (
            "cluster",
            json!({"role": true}),
            "`rbac.authorization.k8s.io/ClusterRole cluster-role` (web/templates/extra.yaml) violates `restrict.kinds`",
        ),
    ] {
        namespace.create_resource("Web", name, spec).await;
        let refused = |web: &Json| condition_text(web, "Stalled").as_deref() == Some("True/Restricted");
        let web = namespace.until("Web", name, "it is refused", refused).await;
        let message = condition_message(&web, "Stalled");
        assert!(message.contains(rule), "{message}");
        assert_eq!(condition_text(&web, "ReleaseFailed").unwrap(), "True/InstallError");
    }
    let written: Vec<_> = operator.calls().into_iter().filter(Request::is_write).collect();
    assert!(written.iter().all(|call| ["webs/status", "events"].contains(&call.resource.as_str())), "{written:?}");

    // What runs stays as it is when a later revision is refused.
    namespace.create_resource("Web", "shop", json!({"map": true})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    namespace.patch("Web", "shop", json!({"spec": {"namespace": "default", "replicaCount": 3}})).await;
    let refused = |web: &Json| condition_text(web, "ReleaseFailed").as_deref() == Some("True/UpgradeError");
    namespace.until("Web", "shop", "the edit is refused", refused).await;
    assert!(namespace.find("ConfigMap", "shop-map").await.is_some());
    assert_eq!(namespace.find("Deployment", "shop-web").await.unwrap()["spec"]["replicas"], 1);
}

#[tokio::test]
async fn definitions_of_a_chart_are_objects_that_a_watch_may_not_allow() {
    let namespace = Namespace::create("crdless").await;
    let project = Project::with_fields_of_web("  restrict: {clusterScoped: false}\n");
    project.edit("helm-charts/web/crds/thing.yaml", |_| {
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.forbidden.example.com}\nspec:\n  group: forbidden.example.com\n  scope: Namespaced\n  names: {kind: Thing, plural: things}\n  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]\n".to_owned()
    });
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let refused = |web: &Json| condition_text(web, "Stalled").as_deref() == Some("True/Restricted");
    let web = namespace.until("Web", "shop", "it is refused", refused).await;
    let message = condition_message(&web, "Stalled");
    assert!(message.contains("CustomResourceDefinition things.forbidden.example.com` (crds/)"), "{message}");
    assert!(namespace.find("CustomResourceDefinition", "things.forbidden.example.com").await.is_none());
}

/// Whoever holds the field of the Deployment, by his name.
fn holders(object: &Json, field: &str) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let holds = |entry: &&Json| entry.pointer(&format!("/fieldsV1/f:spec/f:{field}")).is_some();
    entries.iter().filter(holds).map(|entry| entry["manager"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_ignored_field_is_sent_once_and_then_left_to_whoever_wants_it() {
    let namespace = Namespace::create("ignored").await;
    let project =
        Project::with_fields_of_web("  ignoreFields: [{group: apps, kind: Deployment, paths: [/spec/replicas]}]\n");
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    namespace.create_resource("Web", "shop", json!({"replicaCount": 3})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    let made = namespace.find("Deployment", "shop-web").await.unwrap();
    assert_eq!(made["spec"]["replicas"], 3, "it is made with it");
    assert_eq!(holders(&made, "replicas"), [] as [String; 0]);

    // Something else of it changes: the field is not sent, and not removed either.
    namespace.patch("Web", "shop", json!({"spec": {"replicaCount": 4, "image": {"tag": "other"}}})).await;
    let second = |web: &Json| web["status"]["deployedRelease"]["revision"] == 2;
    namespace.until("Web", "shop", "it is upgraded", second).await;
    let upgraded = namespace.find("Deployment", "shop-web").await.unwrap();
    let image = upgraded.pointer("/spec/template/spec/containers/0/image").unwrap().as_str().unwrap();
    assert!(image.ends_with(":other"), "{image}");
    assert_eq!(upgraded["spec"]["replicas"], 3);

    // An autoscaler changes it, and keeps it while other drift is put right.
    let scale = json!({"spec": {"replicas": 7}});
    namespace.patch("Deployment", "shop-web", scale).await;
    namespace.patch("Deployment", "shop-web", json!({"spec": {"minReadySeconds": 9, "paused": true}})).await;
    namespace
        .json_patch(
            "Deployment",
            "shop-web",
            json!([{"op": "remove", "path": "/metadata/labels/app.kubernetes.io~1name"}]),
        )
        .await;
    let labelled = |found: &Json| found["metadata"]["labels"]["app.kubernetes.io/name"].is_string();
    let corrected = namespace.until("Deployment", "shop-web", "its label is back", labelled).await;
    assert_eq!(corrected["spec"]["replicas"], 7);
    assert_eq!(holders(&corrected, "replicas"), ["jane"]);
    let told = || async { (operator.logged("Corrected drift").len() == 1).then_some(()) };
    eventually("the correction is told", told).await;

    // Made anew, it is what the chart says.
    namespace.delete("Deployment", "shop-web").await;
    let anew = |found: &Json| found["metadata"]["uid"] != corrected["metadata"]["uid"];
    let anew = namespace.until("Deployment", "shop-web", "it is back", anew).await;
    assert_eq!(anew["spec"]["replicas"], 4);
}

#[tokio::test]
async fn a_field_of_a_release_that_runs_can_be_ignored_from_now_on() {
    let namespace = Namespace::create("from-now-on").await;
    let project = Project::with_fields_of_web("");
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({"replicaCount": 3})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    operator.kill();
    project.add_fields_of_web("  ignoreFields: [{kind: Deployment, paths: [/spec/replicas]}]\n");
    let _operator = Operator::start(&project, &namespace).await;
    let free = |found: &Json| holders(found, "replicas").is_empty();
    let found = namespace.until("Deployment", "shop-web", "the field is nobody's", free).await;
    assert_eq!(found["spec"]["replicas"], 3);
}

#[tokio::test]
async fn drift_that_is_only_told_is_told_once_with_field_and_manager_and_ends_with_another_value() {
    let namespace = Namespace::create("drift-warn").await;
    let project = Project::with_fields_of_web("  drift: warn\n");
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;

    let drifted = namespace.patch("Deployment", "shop-web", json!({"spec": {"replicas": 5}})).await;
    let deployment = format!("`apps/Deployment {}/shop-web` was changed: spec.replicas by jane", namespace.name);
    let told = |web: &Json| condition_message(web, "Drifted") == deployment;
    let web = namespace.until("Web", "shop", "the change is told", told).await;
    assert_eq!(condition_text(&web, "Drifted").unwrap(), "True/DriftDetected");
    assert!(is_deployed(&web));
    namespace.delete("Service", "shop-web").await;
    let service = format!("`Service {}/shop-web` was deleted", namespace.name);
    let both = |web: &Json| {
        condition_message(web, "Drifted").contains(&service) && condition_message(web, "Drifted").contains(&deployment)
    };
    namespace.until("Web", "shop", "the deletion is told", both).await;
    let renders = operator.metric("chart_operator_renders_total").await;
    // Several periods: it is told once, nothing is rendered for it, and nothing written.
    let before = operator.calls().len();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let later = operator.calls().split_off(before);
    let told = |call: &Request| ["events", "webs/status"].contains(&call.resource.as_str());
    assert!(later.iter().all(|call| !call.is_write() || told(call)), "{later:?}");
    assert_eq!(operator.metric("chart_operator_renders_total").await, renders);
    assert_eq!(operator.logged("Drift found").len(), 2);
    let untouched = namespace.find("Deployment", "shop-web").await.unwrap();
    assert_eq!(untouched["spec"], drifted["spec"]);
    assert!(namespace.find("Service", "shop-web").await.is_none());
    let events = namespace.api("Event").list(&kube::api::ListParams::default()).await.unwrap();
    let events = events.items.iter().filter(|event| event.data["reason"] == "DriftDetected").count();
    assert_eq!(events, 2);

    // A process that takes over finds it told.
    operator.kill();
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    // Another value is another wish: what it changes is applied, and only that.
    namespace.patch("Web", "shop", json!({"spec": {"replicaCount": 2}})).await;
    namespace.until("Deployment", "shop-web", "it has 2 replicas", |found| found["spec"]["replicas"] == 2).await;
    namespace
        .until("Web", "shop", "only the Service has drifted", |web| condition_message(web, "Drifted") == service)
        .await;
    assert!(namespace.find("Service", "shop-web").await.is_none());
    assert_eq!(operator.logged("Drift found").len(), 0);
}

#[tokio::test]
async fn drift_that_is_ignored_is_silent_and_another_value_is_applied() {
    let namespace = Namespace::create("drift-ignore").await;
    let project = Project::with_fields_of_web("  drift: ignore\n");
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    namespace.patch("Deployment", "shop-web", json!({"spec": {"replicas": 5}})).await;
    namespace.patch("Web", "shop", json!({"spec": {"service": {"port": 81}}})).await;
    let changed = |service: &Json| service["spec"]["ports"][0]["port"] == 81;
    namespace.until("Service", "shop-web", "it has the new port", changed).await;
    assert_eq!(namespace.find("Deployment", "shop-web").await.unwrap()["spec"]["replicas"], 5);
    namespace.patch("Web", "shop", json!({"spec": {"replicaCount": 2}})).await;
    namespace.until("Deployment", "shop-web", "it has 2 replicas", |found| found["spec"]["replicas"] == 2).await;
    let web = namespace.find("Web", "shop").await.unwrap();
    assert!(condition(&web, "Drifted").is_none() && operator.logged("Drift found").is_empty(), "{web}");
}
