//! Resources of tenants: what is done for them is done with their rights, and in the namespace that is theirs.

use serde_json::{Value as Json, json};
use testbed::audit::Request;

use crate::support::{
    Namespace, Operator, Project, Setting, condition, condition_message, condition_text, eventually,
    install_definition, is_deployed, plane,
};

/// Gives a user or an account these rights on all of some groups in the namespace.
async fn grant(namespace: &Namespace, role: &str, subject: Json, rules: Json) {
    namespace.create_named("Role", role, json!({"rules": rules})).await;
    let binding = json!({
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        "subjects": [subject],
    });
    namespace.create_named("RoleBinding", role, binding).await;
}

fn account(namespace: &Namespace) -> Json {
    json!({"kind": "ServiceAccount", "name": "tenant", "namespace": namespace.name})
}

fn everything_in(groups: &[&str]) -> Json {
    json!([{"apiGroups": groups, "resources": ["*"], "verbs": ["*"]}])
}

#[tokio::test]
async fn everything_done_for_a_resource_is_done_as_the_account_of_its_watch() {
    let namespace = Namespace::create("tenant").await;
    let project = Project::with_fields_of_web("  serviceAccountName: tenant\n");
    project.edit("helm-charts/web/templates/looked-up.yaml", |_| {
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-seen\ndata:\n  \
         text: {{ lookup \"v1\" \"ConfigMap\" .Release.Namespace \"source\" | dig \"data\" \"text\" \"\" | quote }}\n"
            .to_owned()
    });
    namespace.create_named("ConfigMap", "source", json!({"data": {"text": "seen"}})).await;
    namespace.create_named("ServiceAccount", "tenant", json!({})).await;
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    let tenant = format!("system:serviceaccount:{}:tenant", namespace.name);

    // Without rights, the API server's words are in a condition, and nothing is written as anybody.
    namespace.create_resource("Web", "shop", json!({})).await;
    let refused = |web: &Json| condition_text(web, "Stalled").is_some();
    let web = namespace.until("Web", "shop", "it says what is missing", refused).await;
    let told = condition_message(&web, "Stalled");
    assert!(told.contains(&format!("User \"{tenant}\" cannot")), "{told}");
    assert!(namespace.find("Deployment", "shop-web").await.is_none());

    grant(&namespace, "tenant", account(&namespace), everything_in(&["", "apps"])).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    assert_eq!(namespace.find("ConfigMap", "shop-seen").await.unwrap()["data"]["text"], "seen");
    namespace.patch("Deployment", "shop-web", json!({"spec": {"replicas": 5}})).await;
    let put_back = |found: &Json| found["spec"]["replicas"] == 1;
    namespace.until("Deployment", "shop-web", "1 replica again", put_back).await;
    namespace.patch("Web", "shop", json!({"spec": {"serviceAccount": {"create": false}}})).await;
    namespace.until_gone("ServiceAccount", "shop-web").await;
    namespace.delete("Web", "shop").await;
    namespace.until_gone("Web", "shop").await;
    namespace.until_gone("Deployment", "shop-web").await;

    // The operator itself writes only the resource and its events; the account everything else, records included.
    let own: Vec<_> = operator.calls().into_iter().filter(|call| call.namespace == namespace.name).collect();
    let of_resource = |call: &Request| ["webs", "webs/status", "events"].contains(&call.resource.as_str());
    let written: Vec<_> = own.iter().filter(|call| call.is_write() && !of_resource(call)).collect();
    assert!(written.is_empty(), "{written:?}");
    let read: Vec<_> = own.iter().filter(|call| call.verb == "get" && !of_resource(call)).collect();
    assert!(read.is_empty(), "{read:?}");
    let acted: Vec<_> =
        operator.calls_as(&tenant).iter().map(|call| format!("{} {}", call.verb, call.resource)).collect();
    for call in ["patch deployments", "get configmaps", "create secrets", "delete secrets", "delete serviceaccounts"] {
        assert!(acted.iter().any(|acted| acted == call), "{call}: {acted:?}");
    }
}

#[tokio::test]
async fn an_operator_that_may_not_act_as_the_account_does_not_act_for_itself() {
    let namespace = Namespace::create("noact").await;
    namespace.create_named("ServiceAccount", "tenant", json!({})).await;
    grant(&namespace, "tenant", account(&namespace), everything_in(&["", "apps"])).await;
    let setting = Setting::without_rights(plane(), &namespace.name);
    let user = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": setting.user});
    // All rights but that to impersonate.
    let rules = json!([
        {"apiGroups": ["", "apps", "charts.samutup.com"], "resources": ["*"],
         "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"]},
    ]);
    grant(&namespace, "operator", user, rules).await;
    let project = Project::with_fields_of_web("  serviceAccountName: tenant\n");
    let mut operator = Operator::launch(&project, setting, &["--reconcile-period=1s"]);
    operator.until_ready().await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let refused = |web: &Json| condition_text(web, "Stalled").as_deref() == Some("True/Forbidden");
    let web = namespace.until("Web", "shop", "it says what is missing", refused).await;
    let told = condition_message(&web, "Stalled");
    assert!(told.contains("cannot impersonate resource \"serviceaccounts\"") && told.contains("tenant"), "{told}");
    let of_resource = |call: &Request| ["webs", "webs/status", "events"].contains(&call.resource.as_str());
    let written: Vec<_> = operator.calls().into_iter().filter(|call| call.is_write() && !of_resource(call)).collect();
    assert!(written.iter().all(|call| call.code == 403), "{written:?}");
    assert!(namespace.find("ConfigMap", "shop-web").await.is_none());
}

#[tokio::test]
async fn a_cluster_scoped_resource_has_its_release_and_its_account_in_the_namespace_of_its_watch() {
    let namespace = Namespace::create("regions").await;
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "regions.tests.samutup.com"},
        "spec": {
            "group": "tests.samutup.com", "scope": "Cluster", "names": {"kind": "Region", "plural": "regions"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    });
    install_definition(&namespace.client, &definition).await;
    let watches = format!(
        "- {{group: tests.samutup.com, version: v1, kind: Region, chart: region, releaseNamespace: {}, serviceAccountName: tenant}}\n",
        namespace.name
    );
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n\
                    data: {at: {{ .Release.Namespace }}}\n";
    let project = Project::of(&[
        ("watches.yaml", &watches),
        ("region/Chart.yaml", "apiVersion: v2\nname: region\nversion: 1.0.0\n"),
        ("region/templates/map.yaml", template),
    ]);
    namespace.create_named("ServiceAccount", "tenant", json!({})).await;
    grant(&namespace, "tenant", account(&namespace), everything_in(&[""])).await;
    let operator = Operator::start(&project, &namespace).await;
    let name = format!("north-{}", namespace.name);
    namespace.create_resource("Region", &name, json!({})).await;
    namespace.until("Region", &name, "it is deployed", is_deployed).await;
    let map = namespace.find("ConfigMap", &name).await.unwrap();
    assert_eq!(map["data"]["at"], namespace.name);
    assert_eq!(map["metadata"]["ownerReferences"][0]["kind"], "Region");
    assert!(namespace.find("Secret", &format!("sh.helm.release.v1.{name}.v1")).await.is_some());
    let tenant = format!("system:serviceaccount:{}:tenant", namespace.name);
    assert!(operator.calls_as(&tenant).iter().any(|call| call.verb == "patch" && call.resource == "configmaps"));
    namespace.delete("Region", &name).await;
    namespace.until_gone("Region", &name).await;
    namespace.until_gone("ConfigMap", &name).await;
}

#[tokio::test]
async fn what_may_be_secret_is_in_no_condition_event_metric_or_line_of_the_log() {
    // What the API server repeats when a text was wanted: a number of as many digits as a word has letters.
    const SECRET: &str = "73519284602";
    let namespace = Namespace::create("secretive").await;
    let project = Project::new();
    project.edit("helm-charts/web/templates/extra.yaml", |_| {
        let object = |kind: &str, of: &str, body: &str| {
            format!(
                "{{{{- if .Values.{of} }}}}\napiVersion: v1\nkind: {kind}\nmetadata: {{name: {{{{ .Release.Name }}}}-{of}}}\n\
                 {body}\n{{{{- end }}}}\n---\n"
            )
        };
        let pod = "spec: {containers: [{name: main, image: main, env: [{name: A, value: {{ .Values.inPod | int64 }}}]}]}";
        [
            object("Secret", "inSecret", "data: {password: {{ .Values.inSecret | int64 }}}"),
            object("ConfigMap", "inMap", "data: {password: {{ .Values.inMap | int64 }}}"),
            object("Pod", "inPod", pod),
            "{{ if .Values.adminPassword }}{{ fail (printf \"too weak: %s\" .Values.adminPassword) }}{{ end }}".to_owned(),
        ]
        .concat()
    });
    let flags = ["--zap-log-level=debug", "--reconcile-period=0"];
    let operator = Operator::start_with(&project, &namespace, &flags).await;
    let number: i64 = SECRET.parse().unwrap();
    for (name, spec, words) in [
        ("secret", json!({"inSecret": number}), "data.password: expected string, got"),
        ("map", json!({"inMap": number}), "data.password: expected string, got"),
        ("pod", json!({"inPod": number}), "env[name=\"A\"].value: expected string, got"),
        ("template", json!({"adminPassword": SECRET}), "too weak: ***"),
    ] {
        namespace.create_resource("Web", name, spec).await;
        let refused = |web: &Json| condition(web, "Stalled").is_some();
        let web = namespace.until("Web", name, "it is refused", refused).await;
        let told = condition_message(&web, "Stalled");
        assert!(told.contains(words) && told.contains("***"), "{told}");
        assert!(!web["status"].to_string().contains(SECRET), "{web}");
        let probe = || async {
            let events = namespace.api("Event").list(&kube::api::ListParams::default()).await.unwrap();
            let events = events.items.iter().map(|event| serde_json::to_value(event).unwrap());
            let mut own = events.filter(|event| event["involvedObject"]["name"] == name);
            own.find(|event| event["message"].as_str().is_some_and(|message| message.contains("***")))
        };
        eventually("an event tells it", probe).await;
    }
    let events = namespace.api("Event").list(&kube::api::ListParams::default()).await.unwrap();
    assert!(!serde_json::to_string(&events.items).unwrap().contains(SECRET));
    let log = operator.log();
    let leaks: Vec<_> = log.iter().filter(|line| line.to_string().contains(SECRET)).collect();
    assert!(leaks.is_empty(), "{leaks:?}");
    assert!(!operator.metrics_text().await.contains(SECRET));
}

#[tokio::test]
async fn a_namespace_that_is_deleted_is_not_held_by_an_account_that_lost_its_rights_first() {
    let namespace = Namespace::create("going").await;
    namespace.create_named("ServiceAccount", "tenant", json!({})).await;
    grant(&namespace, "tenant", account(&namespace), everything_in(&["", "apps"])).await;
    let _operator = Operator::start(&Project::with_fields_of_web("  serviceAccountName: tenant\n"), &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    namespace.delete("RoleBinding", "tenant").await;
    // Alone, that is told and holds the resource.
    namespace.delete("Web", "shop").await;
    let refused = |web: &Json| condition_text(web, "Stalled").as_deref() == Some("True/Forbidden");
    namespace.until("Web", "shop", "it says what is missing", refused).await;
    namespace.delete("Namespace", &namespace.name).await;
    namespace.until_gone("Web", "shop").await;
    namespace.until_gone("Namespace", &namespace.name).await;
}
