//! The life that operator-sdk's own end-to-end test leads (v1.42, `test/e2e/helm/cluster_test.go`), and a project of its
//! scaffold under its role.

use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value as Json, json};

use crate::metrics::{answer, token};
use crate::support::{Namespace, Operator, Project, Setting, condition, eventually, is_deployed, plane};

const NAME: &str = "memcached-sample";

/// Waits until the log has that message `count` times.
async fn until_logged(operator: &Operator, message: &str, count: usize) {
    let logged = || async { (operator.logged(message).len() >= count).then_some(()) };
    eventually(&format!("`{message}` is logged"), logged).await;
}

/// Gives `account` the rules of a role in one of the project's files, in the namespace or in the whole cluster.
pub(crate) async fn bind(namespace: &Namespace, project: &Project, file: &str, account: &str) {
    let role = project.yaml(file);
    let kind = role["kind"].as_str().unwrap();
    let name = format!("{}-{account}-{}", namespace.name, role["metadata"]["name"].as_str().unwrap());
    let rules: Json = role["rules"].clone();
    namespace.create_named(kind, &name, json!({"rules": rules})).await;
    let binding = json!({
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace.name}],
    });
    namespace.create_named(&format!("{kind}Binding"), &name, binding).await;
}

/// Whoever the scaffold's reader role is bound to may read the metrics, and finds the resource in them.
async fn metrics_are_read(operator: &Operator, namespace: &Namespace, project: &Project) {
    let reader = token(namespace, "reader").await;
    bind(namespace, project, "config/rbac/metrics_reader_role.yaml", "reader").await;
    let metrics = || async { Some(answer(operator, Some(&reader)).await).filter(|(code, _)| *code == 200) };
    let (_, text) = eventually("the reader may read", metrics).await;
    let series = format!(
        "resource_created_at_seconds{{group=\"cache.example.com\",kind=\"Memcached\",name=\"{NAME}\",namespace=\"{}\",version=\"v1alpha1\"}} ",
        namespace.name
    );
    assert!(text.lines().any(|line| line.starts_with(&series)), "{text}");
}

#[tokio::test]
async fn bug_08_the_life_of_operator_sdks_test_runs_as_it_does_there_but_needs_no_period() {
    let namespace = Namespace::create("life").await;
    let project = Project::memcached(&namespace.client).await;
    let elected = format!("--leader-election-namespace={}", namespace.name);
    let flags = [
        "--metrics-require-rbac",
        "--metrics-secure",
        "--leader-elect",
        "--leader-election-id=memcached-operator",
        &elected,
        // `uninstall-wait` never ended without one.
        "--reconcile-period=0",
    ];
    let operator = Operator::start_with(&project, &namespace, &flags).await;

    let sample = project.yaml("config/samples/cache_v1alpha1_memcached.yaml");
    namespace.create_resource("Memcached", NAME, sample["spec"].clone()).await;
    until_logged(&operator, "Installed release", 1).await;
    let resource = namespace.until("Memcached", NAME, "it is deployed", is_deployed).await;
    let release = resource["status"]["deployedRelease"]["name"].as_str().unwrap();
    assert!(namespace.find("StatefulSet", release).await.is_some());
    let selected = ListParams::default().labels(&format!("app.kubernetes.io/instance={release}"));
    assert_eq!(namespace.api("Service").list(&selected).await.unwrap().items.len(), 1);

    let scale = Patch::Merge(json!({"spec": {"replicas": 2}}));
    namespace.api("StatefulSet").patch_scale(release, &PatchParams::default(), &scale).await.unwrap();
    let replicas = |count: i64| move |set: &Json| set["spec"]["replicas"] == count;
    namespace.until("StatefulSet", release, "it has one replica again", replicas(1)).await;
    namespace.patch("Memcached", NAME, json!({"spec": {"replicaCount": 2}})).await;
    until_logged(&operator, "Upgraded release", 1).await;
    namespace.until("StatefulSet", release, "it has two replicas", replicas(2)).await;

    metrics_are_read(&operator, &namespace, &project).await;

    let wait = json!({"metadata": {"annotations": {"helm.sdk.operatorframework.io/uninstall-wait": "true"}}});
    namespace.patch("Memcached", NAME, wait).await;
    let held = json!({"metadata": {"finalizers": ["helm.sdk.operatorframework.io/fake-finalizer"]}});
    namespace.patch("StatefulSet", release, held).await;
    namespace.delete("Memcached", NAME).await;
    until_logged(&operator, "Uninstall wait", 1).await;
    until_logged(&operator, "Waiting until all resources are deleted", 1).await;
    let waits = |resource: &Json| {
        condition(resource, "Deployed").is_some_and(|deployed| {
            deployed["status"] == "False"
                && deployed["reason"] == "UninstallSuccessful"
                && deployed["message"] == "Waiting until all resources are deleted."
        })
    };
    let resource = namespace.until("Memcached", NAME, "it says what it waits for", waits).await;
    let ready = condition(&resource, "Ready").unwrap()["message"].as_str().unwrap().to_owned();
    assert_eq!(ready, format!("`apps/StatefulSet {}/{NAME}` is not gone yet", namespace.name));
    assert!(operator.logged("Removing finalizer").is_empty());
    namespace.patch("StatefulSet", release, json!({"metadata": {"finalizers": null}})).await;
    until_logged(&operator, "Removing finalizer", 1).await;
    namespace.until_gone("Memcached", NAME).await;

    namespace.create_resource("Memcached", NAME, sample["spec"].clone()).await;
    until_logged(&operator, "Installed release", 2).await;
    namespace.until("Memcached", NAME, "it is deployed", is_deployed).await;
    namespace.delete("Memcached", NAME).await;
    until_logged(&operator, "Uninstalled release", 2).await;
    namespace.until_gone("Memcached", NAME).await;
}

#[tokio::test]
async fn the_role_that_operator_sdk_scaffolds_is_enough_for_a_whole_life() {
    let namespace = Namespace::create("scaffold").await;
    let project = Project::memcached(&namespace.client).await;
    // The role gives no rights on definitions; the kind is served already.
    let definition = project.text("config/crd/bases/cache.example.com_memcacheds.yaml");
    project.edit("helm-charts/memcached/crds/memcacheds.yaml", |_| definition);
    let account = "controller-manager";
    namespace.create_named("ServiceAccount", account, json!({})).await;
    for file in ["role", "leader_election_role", "metrics_auth_role"] {
        bind(&namespace, &project, &format!("config/rbac/{file}.yaml"), account).await;
    }
    let elected = format!("--leader-election-namespace={}", namespace.name);
    let flags =
        ["--leader-elect", "--leader-election-id=memcached-operator", &elected, "--label-selector=test=scaffold"];
    // All namespaces, as it is deployed; the selector keeps it off other tests.
    let setting = Setting::of_account(plane(), &namespace.name, account).await;
    let mut operator = Operator::launch(&project, setting, &flags);
    operator.until_ready().await;

    let resource = json!({"metadata": {"labels": {"test": "scaffold"}}, "spec": {"priority": 5, "account": true}});
    namespace.create_named("Memcached", NAME, resource).await;
    namespace.until("Memcached", NAME, "it is deployed", is_deployed).await;
    let priority = format!("{}-{NAME}", namespace.name);
    assert_eq!(namespace.find("PriorityClass", &priority).await.unwrap()["value"], 5);
    namespace.patch("Service", NAME, json!({"spec": {"selector": {"app.kubernetes.io/instance": "other"}}})).await;
    let put_back = |service: &Json| service["spec"]["selector"]["app.kubernetes.io/instance"] == NAME;
    namespace.until("Service", NAME, "it is put back", put_back).await;
    // Of an object that no owner can be named on, too.
    namespace
        .patch(
            "PriorityClass",
            &priority,
            json!({"metadata": {"labels": {"helm.sdk.operatorframework.io/chart": "x"}}}),
        )
        .await;
    let put_back = |class: &Json| class["metadata"]["labels"]["helm.sdk.operatorframework.io/chart"] == "memcached";
    namespace.until("PriorityClass", &priority, "it is put back", put_back).await;
    namespace.patch("Memcached", NAME, json!({"spec": {"account": false, "replicaCount": 3}})).await;
    namespace.until("StatefulSet", NAME, "it is upgraded", |set| set["spec"]["replicas"] == 3).await;
    namespace.until_gone("ServiceAccount", NAME).await;

    let events = namespace.api("Event").list(&ListParams::default()).await.unwrap();
    assert!(events.items.iter().any(|event| event.data["reason"] == "InstallSuccessful"));
    let told = operator.logged("Definition stays as it is");
    assert_eq!(told.len(), 2, "once for each revision: {told:?}");
    let forbidden =
        "chart_operator_forbidden_total{group=\"apiextensions.k8s.io\",resource=\"customresourcedefinitions\"";
    assert!(operator.metric(forbidden).await.is_some_and(|count| count >= 1.0));
    let errors: Vec<_> = operator.log().into_iter().filter(|line| line["level"] == "error").collect();
    assert!(errors.is_empty(), "{errors:?}");

    namespace.delete("Memcached", NAME).await;
    namespace.until_gone("Memcached", NAME).await;
    for (kind, name) in [("StatefulSet", NAME), ("Service", NAME), ("PriorityClass", &priority)] {
        namespace.until_gone(kind, name).await;
    }
}
