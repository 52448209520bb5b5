//! What is not there yet, or goes and comes back: the API server, and the kinds that are watched.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};
use testbed::program::Program;

use crate::support::{
    Namespace, Operator, Project, Setting, definition, eventually, install_definition, is_deployed, own_plane,
};

/// Calls that nobody has answered.
const UNANSWERED: &str = "rest_client_requests_total{code=\"<error>\"";

const OBJECTS: [&str; 4] = ["ConfigMap", "Deployment", "Service", "ServiceAccount"];

/// The versions of the objects of the Web resource `shop`.
async fn versions(namespace: &Namespace) -> BTreeMap<&'static str, Json> {
    let mut versions = BTreeMap::new();
    for kind in OBJECTS {
        let object = namespace.find(kind, "shop-web").await.unwrap();
        versions.insert(kind, object["metadata"]["resourceVersion"].clone());
    }
    versions
}

#[tokio::test]
async fn an_api_server_that_is_away_at_the_start_is_waited_for_and_told_once() {
    let mut plane = own_plane().await;
    let namespace = Namespace::create_in(plane.client().await.unwrap(), "away").await;
    namespace.create_resource("Web", "shop", json!({})).await;
    plane.kill(Program::ApiServer).unwrap();

    let project = Project::new();
    let mut operator = Operator::launch(&project, Setting::of(&plane, &namespace.name), &[]);
    let tried = || async { operator.metric(UNANSWERED).await.filter(|count| *count >= 3.0) };
    eventually("it has tried three times", tried).await;
    let answer = operator.readyz().await.unwrap();
    assert_eq!(answer.code, 500, "{answer:?}");
    assert!(answer.text.contains("[-]apiserver failed: cannot read the version of the API server"), "{answer:?}");
    let told = operator.logged("API server does not answer, waiting for it");
    assert_eq!(told.len(), 1, "{told:?}");

    plane.restart(Program::ApiServer).await.unwrap();
    operator.until_ready().await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    assert_eq!(operator.logged("API server answers").len(), 1);
    assert_eq!(operator.logged("API server does not answer, waiting for it").len(), 1);
}

#[tokio::test]
async fn while_the_api_server_is_away_little_is_said_and_then_only_what_was_edited_is_written() {
    let mut plane = own_plane().await;
    let namespace = Namespace::create_in(plane.client().await.unwrap(), "between").await;
    let flags = ["--reconcile-period=1s"];
    let project = Project::new();
    let mut operator = Operator::launch(&project, Setting::of(&plane, &namespace.name), &flags);
    operator.until_ready().await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    let before = versions(&namespace).await;

    let earlier = operator.logged("Watch failed").len();
    plane.kill(Program::ApiServer).unwrap();
    let away = || async { operator.readyz().await.filter(|answer| answer.code == 500) };
    let answer = eventually("it is not ready", away).await;
    assert!(answer.text.contains("[-]watch charts.samutup.com/v1alpha1 Web"), "{answer:?}");
    // Several of its periods and tries: what is not to happen needs time not to happen in.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let failed = operator.logged("Watch failed").split_off(earlier);
    let mut sources: Vec<_> = failed.iter().map(|line| line["source"].as_str().unwrap()).collect();
    sources.sort_unstable();
    // The watched kinds and the four that Web's objects are of, once each.
    let own =
        ["charts.samutup.com/v1alpha1 Minimart", "charts.samutup.com/v1alpha1 Page", "charts.samutup.com/v1alpha1 Web"];
    assert_eq!(sources[0], "apps/v1 Deployment", "{failed:?}");
    assert_eq!(sources[1..4], own, "{failed:?}");
    assert_eq!(sources[4..], ["v1 ConfigMap", "v1 Service", "v1 ServiceAccount"], "{failed:?}");
    let errors = operator.log().into_iter().filter(|line| line["level"] == "error").count();
    assert!(errors <= earlier + sources.len() + 2, "{errors} errors: {:?}", operator.log());

    plane.restart(Program::ApiServer).await.unwrap();
    operator.until_ready().await;
    namespace.patch("Web", "shop", json!({"spec": {"replicaCount": 3}})).await;
    let scaled = |deployment: &Json| deployment["spec"]["replicas"] == 3;
    namespace.until("Deployment", "shop-web", "it has three replicas", scaled).await;
    let second = |web: &Json| is_deployed(web) && web["status"]["deployedRelease"]["revision"] == 2;
    namespace.until("Web", "shop", "its status tells of it", second).await;

    let after = versions(&namespace).await;
    let changed: Vec<_> = OBJECTS.into_iter().filter(|kind| before[kind] != after[kind]).collect();
    assert_eq!(changed, ["Deployment"]);
    let calls = operator.calls();
    let applied: Vec<_> = calls.iter().filter(|call| call.verb == "patch" && call.name == "shop-web").collect();
    assert_eq!(applied.len(), OBJECTS.len() + 1, "each once at first, and one of them later: {applied:?}");
}

#[tokio::test]
async fn a_kind_whose_definition_comes_later_is_waited_for_and_then_served() {
    const WAITING: &str = "Kind is not served yet, waiting for its CustomResourceDefinition";
    let namespace = Namespace::create("latecomer").await;
    let project = Project::of_notes("Latecomer");
    let operator = Operator::spawn(&project, &namespace, &[]);
    // The group may be served already, for another kind: then the answer is 200.
    let looked = || async {
        let mut answers = 0.0;
        for code in ["200", "404"] {
            let series = format!("rest_client_requests_total{{code=\"{code}\"");
            answers += operator.metric(&series).await.unwrap_or_default();
        }
        // The version and the two lists of what is served come first.
        (answers >= 6.0).then_some(())
    };
    eventually("it has looked three times", looked).await;
    let told = operator.logged(WAITING);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["apiVersion"], &told[0]["kind"]), (&json!("tests.samutup.com/v1"), &json!("Latecomer")));

    install_definition(&namespace.client, &definition("Latecomer")).await;
    namespace.create_resource("Latecomer", "letter", json!({"text": "hello"})).await;
    namespace.until("Latecomer", "letter", "it is deployed", is_deployed).await;
    assert_eq!(namespace.find("ConfigMap", "letter").await.unwrap()["data"]["text"], "hello");
    assert_eq!(operator.logged(WAITING).len(), 1);
}

#[tokio::test]
async fn a_kind_whose_definition_goes_and_comes_again_is_served_again() {
    let namespace = Namespace::create("returner").await;
    install_definition(&namespace.client, &definition("Returner")).await;
    let operator = Operator::start(&Project::of_notes("Returner"), &namespace).await;
    namespace.create_resource("Returner", "letter", json!({"text": "first"})).await;
    namespace.until("Returner", "letter", "it is deployed", is_deployed).await;

    // With its definition every resource goes, and with each its objects.
    namespace.delete("CustomResourceDefinition", "returners.tests.samutup.com").await;
    namespace.until_gone("CustomResourceDefinition", "returners.tests.samutup.com").await;
    namespace.until_gone("ConfigMap", "letter").await;

    install_definition(&namespace.client, &definition("Returner")).await;
    namespace.create_resource("Returner", "letter", json!({"text": "second"})).await;
    namespace.until("Returner", "letter", "it is deployed again", is_deployed).await;
    assert_eq!(namespace.find("ConfigMap", "letter").await.unwrap()["data"]["text"], "second");
    assert!(operator.is_ready().await);
}
