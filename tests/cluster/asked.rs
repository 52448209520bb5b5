//! What users ask for by annotations and labels of a resource.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use testbed::audit::Request;

use crate::support::{
    Namespace, Operator, Project, Setting, condition, condition_text, eventually, is_deployed, plane,
};

const PAUSED: &str = "chart-operator.dev/paused";
const REQUESTED_AT: &str = "chart-operator.dev/requestedAt";
const PERIOD: &str = "helm.sdk.operatorframework.io/reconcile-period";

async fn annotate(namespace: &Namespace, name: &str, annotation: &str, value: Json) {
    namespace.patch("Web", name, json!({"metadata": {"annotations": {annotation: value}}})).await;
}

fn is_paused(web: &Json) -> bool {
    condition_text(web, "Paused").as_deref() == Some("True/Paused")
}

fn writes(operator: &Operator) -> Vec<Request> {
    operator.calls().into_iter().filter(Request::is_write).collect()
}

/// Asks for a pass, and waits until it is over.
async fn request(namespace: &Namespace, name: &str, text: &str) -> Json {
    annotate(namespace, name, REQUESTED_AT, json!(text)).await;
    let handled = |web: &Json| web["status"]["lastHandledReconcileAt"] == text;
    namespace.until("Web", name, "the request is handled", handled).await
}

#[tokio::test]
async fn a_paused_resource_is_left_alone_until_it_is_paused_no_more() {
    let namespace = Namespace::create("paused").await;
    let _operator = Operator::start_with(&Project::new(), &namespace, &["--reconcile-period=0"]).await;
    let body = json!({"metadata": {"annotations": {PAUSED: "true"}}, "spec": {}});
    namespace.create_named("Web", "shop", body).await;
    let web = namespace.until("Web", "shop", "it says that it is paused", is_paused).await;
    assert!(web["metadata"].get("finalizers").is_none(), "{web}");
    annotate(&namespace, "shop", PAUSED, Json::Null).await;
    let web = namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    assert!(condition(&web, "Paused").is_none(), "{web}");

    annotate(&namespace, "shop", PAUSED, json!("true")).await;
    let ready = condition_text(&web, "Ready");
    let web = namespace.until("Web", "shop", "it says that it is paused", is_paused).await;
    assert_eq!(condition_text(&web, "Ready"), ready, "how ready it was last stays");
    namespace.patch("Web", "shop", json!({"spec": {"replicaCount": 3}})).await;
    namespace.delete("Service", "shop-web").await;
    // The end of a pause that is only a moment away is waited for, and both are caught up with.
    let end = Timestamp::now().saturating_add(SignedDuration::from_secs(3)).unwrap();
    annotate(&namespace, "shop", PAUSED, json!(end.to_string())).await;
    let until =
        |web: &Json| condition(web, "Paused").is_some_and(|found| found["message"] == format!("paused until {end}"));
    namespace.until("Web", "shop", "it says until when", until).await;
    assert_eq!(namespace.find("Deployment", "shop-web").await.unwrap()["spec"]["replicas"], 1);
    assert!(namespace.find("Service", "shop-web").await.is_none());
    namespace.until("Deployment", "shop-web", "it has 3 replicas", |found| found["spec"]["replicas"] == 3).await;
    assert!(Timestamp::now() >= end);
    eventually("the Service is back", || async { namespace.find("Service", "shop-web").await }).await;

    // Who deletes a paused resource means it.
    annotate(&namespace, "shop", PAUSED, json!("true")).await;
    namespace.delete("Web", "shop").await;
    namespace.until_gone("Web", "shop").await;
    namespace.until_gone("Deployment", "shop-web").await;
}

#[tokio::test]
async fn a_request_is_handled_once_and_writes_nothing_where_nothing_changed() {
    let namespace = Namespace::create("request").await;
    let operator = Operator::start_with(&Project::new(), &namespace, &["--reconcile-period=0"]).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    request(&namespace, "shop", "first").await;
    let renders = operator.metric("chart_operator_renders_total").await;
    let before = writes(&operator).len();
    request(&namespace, "shop", "second").await;
    assert!(operator.metric("chart_operator_renders_total").await > renders, "{renders:?}");
    let new = writes(&operator).split_off(before);
    assert!(new.iter().all(|call| call.resource == "webs/status"), "{new:?}");
}

#[tokio::test]
async fn the_period_of_a_resource_goes_before_that_of_its_watch_and_a_wrong_one_is_told() {
    let namespace = Namespace::create("period").await;
    let project = Project::new();
    // Nothing but the period shows what happens to objects.
    project.edit("watches.yaml", |text| {
        text.replace("  kind: Web\n", "  kind: Web\n  watchDependentResources: false\n  reconcilePeriod: 1h\n")
    });
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=0"]).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;

    annotate(&namespace, "shop", PERIOD, json!("soon")).await;
    let refused = |web: &Json| condition_text(web, "Stalled").as_deref() == Some("True/InvalidAnnotation");
    let web = namespace.until("Web", "shop", "it is told", refused).await;
    let message = condition(&web, "Stalled").unwrap()["message"].as_str().unwrap();
    assert!(message.contains(PERIOD) && message.ends_with("time: invalid duration \"soon\""), "{message}");
    assert!(is_deployed(&web), "what runs goes on: {web}");

    annotate(&namespace, "shop", PERIOD, json!("1s")).await;
    let mended = |web: &Json| condition(web, "Stalled").is_none();
    namespace.until("Web", "shop", "it is mended", mended).await;
    namespace.delete("Service", "shop-web").await;
    eventually("the Service is back", || async { namespace.find("Service", "shop-web").await }).await;
    let told = |line: &&Json| line["error"].as_str().is_some_and(|error| error.contains("invalid duration"));
    assert_eq!(operator.log().iter().filter(told).count(), 1, "it was tried once");
}

#[tokio::test]
async fn a_resource_that_leaves_the_selector_stays_as_it_is_and_is_taken_up_again_without_a_write() {
    let namespace = Namespace::create("leaves").await;
    let project = Project::new();
    project.edit("watches.yaml", |text| {
        text.replace("  kind: Web\n", "  kind: Web\n  selector: {matchLabels: {team: a}}\n")
    });
    let flags = ["--reconcile-period=0", "--label-selector=stage!=old"];
    let operator = Operator::start_with(&project, &namespace, &flags).await;
    let label = |team: &str, stage: &str| json!({"metadata": {"labels": {"team": team, "stage": stage}}});
    let mut body = label("a", "new");
    body["spec"] = json!({});
    // Patches the labels, and waits until the operator knows the resource, or no more.
    let relabel = async |name: &str, labels: Json, is_known: bool| {
        let labelled = namespace.patch("Web", name, labels).await;
        let place = format!("name=\"{name}\",namespace=\"{}\"", namespace.name);
        let series = format!("resource_created_at_seconds{{group=\"charts.samutup.com\",kind=\"Web\",{place}");
        let probe = || async { (operator.metric(&series).await.is_some() == is_known).then_some(()) };
        eventually("it has seen the labels", probe).await;
        labelled
    };
    // By the selector of the watch, and by that of the flag.
    for (name, labels) in [("shop", label("b", "new")), ("other", label("a", "old"))] {
        namespace.create_named("Web", name, body.clone()).await;
        namespace.until("Web", name, "it is deployed", is_deployed).await;
        let before = writes(&operator).len();
        relabel(name, labels.clone(), false).await;
        relabel(name, label("a", "new"), true).await;
        let left = relabel(name, labels, false).await;
        let service = format!("{name}-web");
        namespace.delete("Service", &service).await;
        // Another resource shows that time has passed.
        let witness = format!("{name}-witness");
        namespace.create_named("Web", &witness, body.clone()).await;
        namespace.until("Web", &witness, "it is deployed", is_deployed).await;
        // Its Deployment may have come a step further meanwhile.
        let told = |call: &Request| ["events", "webs/status"].contains(&call.resource.as_str());
        let others = |call: &Request| !told(call) && !call.name.contains("witness") && call.verb != "create";
        let new: Vec<_> = writes(&operator).split_off(before).into_iter().filter(others).collect();
        assert!(new.is_empty(), "{new:?}");
        assert!(namespace.find("Service", &service).await.is_none(), "its drift is nobody's any more");
        assert!(namespace.find("Deployment", &service).await.is_some(), "its objects stay");
        let web = namespace.find("Web", name).await.unwrap();
        assert_eq!(web["metadata"]["resourceVersion"], left["metadata"]["resourceVersion"], "{web}");
        assert!(web["metadata"]["finalizers"].is_array(), "{web}");
        relabel(name, label("a", "new"), true).await;
        eventually("the Service is back", || async { namespace.find("Service", &service).await }).await;
    }

    // Deleted while nobody selects it, it waits for somebody who does.
    namespace.patch("Web", "shop", label("b", "new")).await;
    namespace.delete("Web", "shop").await;
    let web = namespace.find("Web", "shop").await.unwrap();
    assert!(web["metadata"]["deletionTimestamp"].is_string(), "{web}");
    namespace.patch("Web", "shop", label("a", "new")).await;
    namespace.until_gone("Web", "shop").await;
    namespace.until_gone("Deployment", "shop-web").await;
}

/// A definition of the kind, with a chart that renders one `ConfigMap`.
fn definition(group: &str, versions: &[&str], scope: &str) -> Json {
    let versions: Vec<_> = versions
        .iter()
        .enumerate()
        .map(|(place, version)| {
            let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
            json!({"name": version, "served": true, "storage": place == 0, "schema": schema, "subresources": {"status": {}}})
        })
        .collect();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("twins.{group}")},
        "spec": {"group": group, "scope": scope, "names": {"kind": "Twin", "plural": "twins"}, "versions": versions},
    })
}

#[tokio::test]
async fn one_kind_in_two_groups_has_two_charts() {
    let namespace = Namespace::create("twins").await;
    let chart = |name: &str| {
        [
            (format!("{name}/Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n")),
            (
                format!("{name}/templates/map.yaml"),
                format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {{{{ .Release.Name }}}}-{name}}}\n"),
            ),
        ]
    };
    let mut files: Vec<(String, String)> = [chart("left"), chart("right")].concat();
    files.push((
        "watches.yaml".to_owned(),
        "- {group: left.example.com, version: v1, kind: Twin, chart: left}\n- {group: right.example.com, version: v1, kind: Twin, chart: right}\n".to_owned(),
    ));
    let files: Vec<_> = files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let project = Project::of(&files);
    let mut operator = Operator::launch(&project, Setting::of(plane(), &namespace.name), &[]);
    for group in ["left.example.com", "right.example.com"] {
        crate::support::install_definition(&namespace.client, &definition(group, &["v1"], "Namespaced")).await;
    }
    operator.until_ready().await;
    for (kind, name) in [("LeftTwin", "one"), ("RightTwin", "two")] {
        namespace.create_resource(kind, name, json!({})).await;
        namespace.until(kind, name, "it is deployed", is_deployed).await;
    }
    let maps = namespace.names("ConfigMap").await;
    assert!(maps.contains(&"one-left".to_owned()) && maps.contains(&"two-right".to_owned()), "{maps:?}");
    assert!(!maps.iter().any(|name| name == "one-right" || name == "two-left"), "{maps:?}");
}
