//! What users, and the world, do wrong.

use serde_json::{Value as Json, json};

use crate::support::{Namespace, Operator, Project, condition, condition_text, eventually};

fn is_deployed(resource: &Json) -> bool {
    condition_text(resource, "Deployed").is_some_and(|text| text.starts_with("True/"))
}

#[tokio::test]
async fn values_that_break_the_chart_are_told_in_helms_words_and_the_objects_stay() {
    let namespace = Namespace::create("broken").await;
    let operator = Operator::start(&Project::new(), &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    let before = namespace.find("Deployment", "shop-web").await.unwrap();

    namespace.patch("Web", "shop", json!({"spec": {"replicaCount": -1}})).await;
    let failed = |web: &Json| condition(web, "Irreconcilable").is_some();
    let web = namespace.until("Web", "shop", "it says what is wrong", failed).await;
    let message = condition(&web, "Irreconcilable").unwrap()["message"].as_str().unwrap();
    assert!(message.contains("execution error at (web/templates/"), "{message}");
    assert_eq!(condition_text(&web, "Ready").unwrap().split('/').next(), Some("False"));
    let after = namespace.find("Deployment", "shop-web").await.unwrap();
    assert_eq!(after["metadata"]["generation"], before["metadata"]["generation"]);
    // Tried once, not again and again.
    assert!(operator.logged("Release failed").len() <= 2, "{:?}", operator.logged("Release failed"));

    namespace.patch("Web", "shop", json!({"spec": {"replicaCount": 2}})).await;
    let mended = |web: &Json| condition(web, "Irreconcilable").is_none() && is_deployed(web);
    namespace.until("Web", "shop", "it is mended", mended).await;
}

#[tokio::test]
async fn a_resource_that_never_worked_says_install_error() {
    let namespace = Namespace::create("never").await;
    let _operator = Operator::start(&Project::new(), &namespace).await;
    namespace.create_resource("Web", "shop", json!({"replicaCount": -1})).await;
    let failed = |web: &Json| condition_text(web, "ReleaseFailed").as_deref() == Some("True/InstallError");
    namespace.until("Web", "shop", "it says that the install failed", failed).await;
    assert!(namespace.names("Deployment").await.is_empty());
}

#[tokio::test]
async fn an_object_that_the_api_server_refuses_is_named_and_the_others_stay() {
    let namespace = Namespace::create("refused").await;
    let _operator = Operator::start(&Project::new(), &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    namespace.patch("Web", "shop", json!({"spec": {"service": {"port": 99999}}})).await;
    let failed = |web: &Json| condition_text(web, "ReleaseFailed").as_deref() == Some("True/UpgradeError");
    let web = namespace.until("Web", "shop", "it says what was refused", failed).await;
    let message = condition(&web, "ReleaseFailed").unwrap()["message"].as_str().unwrap();
    assert!(message.contains("Service") && message.contains("shop-web"), "{message}");
    let service = namespace.find("Service", "shop-web").await.unwrap();
    assert_eq!(service["spec"]["ports"][0]["port"], 80);
}

#[tokio::test]
async fn the_second_of_two_resources_with_one_object_names_the_first_and_takes_over_when_it_goes() {
    let namespace = Namespace::create("collision").await;
    let _operator = Operator::start(&Project::new(), &namespace).await;
    namespace.create_resource("Minimart", "first", json!({})).await;
    namespace.until("Minimart", "first", "it is deployed", is_deployed).await;
    let before = namespace.find("ConfigMap", "minimart").await.unwrap();

    namespace.create_resource("Minimart", "second", json!({})).await;
    let failed = |mart: &Json| condition(mart, "ReleaseFailed").is_some();
    let second = namespace.until("Minimart", "second", "it names the first", failed).await;
    let message = condition(&second, "ReleaseFailed").unwrap()["message"].as_str().unwrap();
    assert!(
        message.contains("ConfigMap") && message.contains(&format!("Minimart {}/first", namespace.name)),
        "{message}"
    );
    assert!(namespace.find("Deployment", "second-minimart").await.is_none());
    assert_eq!(namespace.find("ConfigMap", "minimart").await.unwrap(), before);

    namespace.delete("Minimart", "first").await;
    namespace.until("Minimart", "second", "it takes over", is_deployed).await;
}

#[tokio::test]
async fn a_fight_for_an_object_is_told_and_not_fought_hot() {
    let namespace = Namespace::create("fight").await;
    let operator = Operator::start(&Project::new(), &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    let contended = || async {
        let deployment = namespace.find("Deployment", "shop-web").await?;
        if deployment["spec"]["replicas"] == 1 {
            namespace.patch("Deployment", "shop-web", json!({"spec": {"replicas": 7}})).await;
        }
        let web = namespace.find("Web", "shop").await?;
        (condition_text(&web, "Ready")? == "False/Contended").then_some(())
    };
    eventually("it says that somebody else fights for the Deployment", contended).await;
    // Once to create it, and three times in a minute to put it back; not once more, however often it is looked at.
    let put_back = || {
        let calls = operator.calls().into_iter();
        calls.filter(|call| call.resource == "deployments" && call.verb == "patch").count()
    };
    assert_eq!(put_back(), 4);
    for pass in 0..3 {
        let passes = operator.sum("controller_runtime_reconcile_total{controller=\"web-controller\"").await;
        namespace.patch("Web", "shop", json!({"metadata": {"annotations": {"tests/pass": pass.to_string()}}})).await;
        let passed = || async {
            let now = operator.sum("controller_runtime_reconcile_total{controller=\"web-controller\"").await;
            (now > passes).then_some(())
        };
        eventually("it has looked again", passed).await;
    }
    assert_eq!(put_back(), 4);
}
