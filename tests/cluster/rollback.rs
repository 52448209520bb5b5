//! Going back after an upgrade that failed: once, and then waiting for the user.

use serde_json::{Value as Json, json};

use crate::hooks::{job, project};
use crate::support::{
    Namespace, Operator, Project, condition, condition_message, condition_text, eventually, is_deployed,
};

const SERVICE: &str = "apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}-door}
spec:
  ports: [{port: {{ .Values.port | default 80 }}}]
";

fn with_service() -> Project {
    project(&[("service", SERVICE.to_owned())])
}

/// Waits until the operator has looked `passes` more times.
async fn until_looked(operator: &Operator, passes: f64) {
    let series = "controller_runtime_reconcile_total{controller=\"web-controller\",result=\"requeue_after\"}";
    let before = operator.metric(series).await.unwrap_or_default();
    eventually("more passes", || async {
        (operator.metric(series).await.unwrap_or_default() >= before + passes).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_upgrade_that_is_refused_is_taken_back_once_and_the_user_is_waited_for() {
    let namespace = Namespace::create("rollback").await;
    let project = with_service();
    let flags = ["--reconcile-period=1s"];
    let operator = Operator::start_with(&project, &namespace, &flags).await;
    namespace.create_resource("Web", "shop", json!({"hooks": false})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    namespace.patch("Web", "shop", json!({"spec": {"text": "new", "port": 70000}})).await;

    let back =
        |web: &Json| condition(web, "ReleaseFailed").is_some() && web["status"]["deployedRelease"]["revision"] == 3;
    let web = namespace.until("Web", "shop", "it went back", back).await;
    assert_eq!(condition_text(&web, "ReleaseFailed").unwrap(), "True/UpgradeError");
    assert_eq!(condition_text(&web, "Stalled").unwrap(), "True/Refused");
    assert_eq!(condition_text(&web, "Deployed").unwrap(), "True/InstallSuccessful");
    let told = condition_message(&web, "ReleaseFailed");
    assert!(told.contains("shop-door") && told.contains("70000"), "{told}");
    assert_eq!(namespace.find("ConfigMap", "shop-page").await.unwrap()["data"]["text"], "hello");
    let history = namespace.history("shop").await;
    assert_eq!(history[0], "1 superseded: Install complete");
    assert!(history[1].starts_with("2 failed: Upgrade \"shop\" failed: cannot apply"), "{history:?}");
    assert_eq!(history[2], "3 deployed: Rollback to 1");
    let record = namespace.record("shop", 3).await.unwrap();
    assert_eq!((record.info.rollback_revision, &record.config["hooks"]), (1, &json!(false)));

    // No more revisions, whatever happens: periods, drift, a restart.
    until_looked(&operator, 3.0).await;
    namespace.patch("ConfigMap", "shop-page", json!({"data": {"text": "drifted"}})).await;
    namespace.until("ConfigMap", "shop-page", "it is put back", |page| page["data"]["text"] == "hello").await;
    operator.kill();
    let operator = Operator::start_with(&project, &namespace, &flags).await;
    until_looked(&operator, 3.0).await;
    assert_eq!(namespace.history("shop").await, history);
    let web = namespace.find("Web", "shop").await.unwrap();
    assert_eq!(condition_message(&web, "ReleaseFailed"), told);
    let writes: Vec<_> = operator.calls().into_iter().filter(testbed::audit::Request::is_write).collect();
    assert!(writes.is_empty(), "{writes:?}");

    namespace.patch("Web", "shop", json!({"spec": {"port": 81}})).await;
    let mended = |web: &Json| condition(web, "ReleaseFailed").is_none();
    let web = namespace.until("Web", "shop", "it is upgraded", mended).await;
    assert_eq!(condition_text(&web, "Deployed").unwrap(), "True/UpgradeSuccessful");
    assert_eq!(namespace.history("shop").await[3], "4 deployed: Upgrade complete");
    assert_eq!(namespace.find("ConfigMap", "shop-page").await.unwrap()["data"]["text"], "new");
}

#[tokio::test]
async fn without_rollback_what_was_accepted_stays() {
    let namespace = Namespace::create("no-rollback").await;
    let project = with_service();
    project.edit("watches.yaml", |text| format!("{text}  rollback: false\n"));
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    namespace.create_resource("Web", "shop", json!({"hooks": false})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    namespace.patch("Web", "shop", json!({"spec": {"text": "new", "port": 70000}})).await;
    let failed = |web: &Json| condition(web, "ReleaseFailed").is_some();
    namespace.until("Web", "shop", "it has failed", failed).await;
    until_looked(&operator, 3.0).await;
    assert_eq!(namespace.find("ConfigMap", "shop-page").await.unwrap()["data"]["text"], "new");
    let history = namespace.history("shop").await;
    assert!(history.len() == 2 && history[1].starts_with("2 failed: "), "{history:?}");
    namespace.patch("Web", "shop", json!({"spec": {"port": 81}})).await;
    namespace.until("Web", "shop", "it is upgraded", |web| !failed(web)).await;
    assert_eq!(namespace.history("shop").await[2], "3 deployed: Upgrade complete");
}

#[tokio::test]
async fn a_hook_that_fails_an_upgrade_leads_back_with_the_hooks_of_a_rollback() {
    let namespace = Namespace::create("hook-rollback").await;
    let project =
        project(&[("a", job("up", &[("hook", "post-upgrade")])), ("b", job("back", &[("hook", "pre-rollback")]))]);
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    namespace.patch("Web", "shop", json!({"spec": {"text": "new"}})).await;
    namespace.until("ConfigMap", "shop-page", "it is upgraded", |page| page["data"]["text"] == "new").await;
    namespace.end_job("shop-up", "Failed").await;
    // The hook of the rollback stands before the old objects; a kill in between changes nothing.
    namespace.until("Job", "shop-back", "it runs", |_| true).await;
    assert_eq!(namespace.find("ConfigMap", "shop-page").await.unwrap()["data"]["text"], "new");
    operator.kill();
    let _operator = Operator::start(&project, &namespace).await;
    namespace.end_job("shop-back", "Succeeded").await;
    namespace.until("ConfigMap", "shop-page", "it is as before", |page| page["data"]["text"] == "hello").await;
    let failed = |web: &Json| condition_text(web, "Stalled").as_deref() == Some("True/HookFailed");
    let web = namespace.until("Web", "shop", "it tells why", failed).await;
    let told = condition_message(&web, "ReleaseFailed");
    assert!(told.starts_with("post-upgrade hooks failed: resource Job/"), "{told}");
    let through = || async {
        Some(namespace.history("shop").await).filter(|lines| lines.len() == 3 && !lines[2].contains("pending"))
    };
    let history = eventually("it is through", through).await;
    assert!(history[1].starts_with("2 failed: Upgrade \"shop\" failed: post-upgrade hooks failed: "), "{history:?}");
    assert_eq!(history[2], "3 deployed: Rollback to 1");
}

const LOOKED_UP: &str = "{{- $door := lookup \"v1\" \"ConfigMap\" .Release.Namespace \"door\" }}
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}-door}
spec:
  ports: [{port: {{ $door.data.port }}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-number}
data: {port: {{ $door.data.port | quote }}}
";

#[tokio::test]
async fn a_look_up_that_failed_an_upgrade_is_followed_through_the_rollback_and_tried_when_it_changes() {
    let namespace = Namespace::create("lookup-rollback").await;
    let project = project(&[("service", LOOKED_UP.to_owned())]);
    let flags = ["--reconcile-period=1s"];
    let port = |port: &str| json!({"data": {"port": port}});
    namespace.create_named("ConfigMap", "door", port("80")).await;
    let operator = Operator::start_with(&project, &namespace, &flags).await;
    namespace.create_resource("Web", "shop", json!({"hooks": false})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    namespace.patch("ConfigMap", "door", port("70000")).await;
    let back =
        |web: &Json| condition(web, "ReleaseFailed").is_some() && web["status"]["deployedRelease"]["revision"] == 3;
    namespace.until("Web", "shop", "it went back", back).await;
    assert_eq!(namespace.find("Service", "shop-door").await.unwrap()["spec"]["ports"][0]["port"], 80);
    assert_eq!(namespace.find("ConfigMap", "shop-number").await.unwrap()["data"]["port"], "80");
    let history = namespace.history("shop").await;
    assert!(history[1].starts_with("2 failed: ") && history[2] == "3 deployed: Rollback to 1", "{history:?}");

    // As long as it is the same, nothing is tried, also by another process.
    until_looked(&operator, 2.0).await;
    operator.kill();
    let operator = Operator::start_with(&project, &namespace, &flags).await;
    until_looked(&operator, 2.0).await;
    let writes: Vec<_> = operator.calls().into_iter().filter(testbed::audit::Request::is_write).collect();
    assert!(writes.is_empty(), "{writes:?}");
    assert_eq!(namespace.history("shop").await, history);

    operator.kill();
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1h"]).await;
    namespace.patch("ConfigMap", "door", port("81")).await;
    let mended = |web: &Json| condition(web, "ReleaseFailed").is_none();
    let web = namespace.until("Web", "shop", "it is upgraded", mended).await;
    assert_eq!(web["status"]["deployedRelease"]["revision"], 4);
    assert_eq!(namespace.find("Service", "shop-door").await.unwrap()["spec"]["ports"][0]["port"], 81);
    namespace.patch("ConfigMap", "door", port("82")).await;
    let followed = |service: &Json| service["spec"]["ports"][0]["port"] == 82;
    namespace.until("Service", "shop-door", "it goes on", followed).await;
    drop(operator);
}
