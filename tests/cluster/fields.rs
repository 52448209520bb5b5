//! The fields of `watches.yaml` that bend what a chart rendered.

use serde_json::{Value as Json, json};

use crate::support::{Namespace, Operator, Project, condition, condition_text, is_deployed};

/// This repository's project, whose watch of the kind Web has these fields too.
fn project(fields: &str) -> Project {
    let project = Project::new();
    project.edit("watches.yaml", |text| text.replace("  kind: Web\n", &format!("  kind: Web\n{fields}")));
    project
}

fn message(resource: &Json, kind: &str) -> String {
    condition(resource, kind).and_then(|found| found["message"].as_str()).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn patches_change_what_is_applied_and_an_idle_one_is_told_once() {
    let namespace = Namespace::create("patches").await;
    let project = project(
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
    let project =
        project("  patches: [{target: {kind: Service}, patch: [{op: replace, path: /spec/nothing, value: 1}]}]\n");
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let refused = |web: &Json| condition(web, "Stalled").is_some();
    let web = namespace.until("Web", "shop", "it is refused", refused).await;
    assert_eq!(condition_text(&web, "Stalled").unwrap(), "True/RenderFailed");
    let message = message(&web, "Stalled");
    let named = "`patches[0]`: cannot carry out `patch[0]`, `replace`, at `/spec/nothing` of `Service shop-web`";
    assert!(message.starts_with(named) && message.ends_with("there is nothing at this path"), "{message}");
    assert!(namespace.find("ConfigMap", "shop-web").await.is_none());
    let written: Vec<_> = operator.calls().into_iter().filter(testbed::audit::Request::is_write).collect();
    assert!(written.iter().all(|call| ["webs/status", "events"].contains(&call.resource.as_str())), "{written:?}");
}

#[tokio::test]
async fn what_a_watch_does_not_allow_refuses_the_revision_before_any_write() {
    let namespace = Namespace::create("restrict").await;
    let project =
        project("  restrict: {namespaces: own, kinds: [ConfigMap, Deployment.apps, Service, ServiceAccount]}\n");
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
        let message = message(&web, "Stalled");
        assert!(message.contains(rule), "{message}");
        assert_eq!(condition_text(&web, "ReleaseFailed").unwrap(), "True/InstallError");
    }
    let written: Vec<_> = operator.calls().into_iter().filter(testbed::audit::Request::is_write).collect();
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
    let project = project("  restrict: {clusterScoped: false}\n");
    project.edit("helm-charts/web/crds/thing.yaml", |_| {
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.forbidden.example.com}\nspec:\n  group: forbidden.example.com\n  scope: Namespaced\n  names: {kind: Thing, plural: things}\n  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]\n".to_owned()
    });
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let refused = |web: &Json| condition_text(web, "Stalled").as_deref() == Some("True/Restricted");
    let web = namespace.until("Web", "shop", "it is refused", refused).await;
    let message = message(&web, "Stalled");
    assert!(message.contains("CustomResourceDefinition things.forbidden.example.com` (crds/)"), "{message}");
    assert!(namespace.find("CustomResourceDefinition", "things.forbidden.example.com").await.is_none());
}
