//! Charts that ask for `.Previous`: a revision whose actions have begun is brought to its end before a newer one is looked at.

use serde_json::{Value as Json, json};

use crate::actions::{STATUS, WATCHES, is, is_ready, until_history, until_job};
use crate::support::{Namespace, Operator, Project, condition_message, eventually};

/// A Job for each step from one text to the next; what was never changed back may not be named `never`.
const STEPS: &str = "{{- if eq (.Values.text | default \"\") \"never\" }}{{ fail \"never\" }}{{ end }}
{{- $from := .Previous.text | default \"none\" }}
{{- if ne $from .Values.text }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-{{ $from }}-{{ .Values.text }}
  annotations: {chart-operator.dev/action: step, chart-operator.dev/retry: 1h}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: none}]
{{- end }}
";

fn project() -> Project {
    let status = format!("{STATUS}newest: {{{{ .CR.spec.text }}}}\nvalues: {{{{ .Values.text }}}}\n");
    Project::of(&[
        ("watches.yaml", WATCHES),
        ("demo/Chart.yaml", "apiVersion: v2\nname: demo\nversion: 1.0.0\n"),
        ("demo/operator/policy.yaml", ""),
        ("demo/operator/status.yaml", &status),
        ("demo/templates/all.yaml", STEPS),
    ])
}

async fn say(namespace: &Namespace, text: &str) {
    namespace.patch("Web", "shop", json!({"spec": {"text": text}})).await;
}

/// What the status is of, and what the resource asks for.
fn told(resource: &Json) -> [&Json; 3] {
    let status = &resource["status"];
    [&status["observedGeneration"], &status["values"], &status["newest"]]
}

#[tokio::test]
async fn edits_wait_until_the_revision_is_committed_and_then_the_newest_is_taken_up() {
    let namespace = Namespace::create("serial").await;
    let project = project();
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({"text": "a"})).await;
    namespace.until("Web", "shop", "its action runs", is("step", "Running")).await;
    for text in ["b", "never", "c"] {
        say(&namespace, text).await;
    }
    let sees = |web: &Json| told(web) == [&json!(1), &json!("a"), &json!("c")];
    let web = namespace.until("Web", "shop", "it sees the newest and goes on with the first", sees).await;
    assert!(is("step", "Running")(&web));
    assert_eq!(namespace.names("Job").await, ["shop-none-a"]);
    assert_eq!(namespace.history("shop").await, ["1 pending-install: Initial install underway"]);

    // It is still so for the next process.
    operator.kill();
    say(&namespace, "d").await;
    let _again = Operator::start(&project, &namespace).await;
    let sees = |web: &Json| told(web) == [&json!(1), &json!("a"), &json!("d")];
    namespace.until("Web", "shop", "it goes on with the first", sees).await;
    assert_eq!(namespace.names("Job").await, ["shop-none-a"]);
    namespace.end_job_saying("shop-none-a", 0, "").await;
    until_job(&namespace, "shop-a-d").await;
    namespace.end_job_saying("shop-a-d", 0, "").await;
    let done = |web: &Json| is_ready(web) && told(web)[1] == "d" && web["status"]["actions"] == json!({});
    namespace.until("Web", "shop", "it is ready", done).await;
    until_history(&namespace, &["1 superseded: Install complete", "2 deployed: Upgrade complete"]).await;
}

#[tokio::test]
async fn a_job_that_was_created_without_that_being_stored_holds_the_revision_too() {
    let namespace = Namespace::create("serial-lost").await;
    let project = project();
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({"text": "a"})).await;
    namespace.until("Web", "shop", "its action runs", is("step", "Running")).await;
    operator.kill();
    let forget = json!({"metadata": {"annotations": {"chart-operator.dev/actions": null}}, "spec": {"text": "b"}});
    namespace.patch("Web", "shop", forget).await;
    let _again = Operator::start(&project, &namespace).await;
    let found = |web: &Json| web["metadata"]["annotations"].get("chart-operator.dev/actions").is_some();
    let web = namespace.until("Web", "shop", "its action is found", found).await;
    assert_eq!(namespace.names("Job").await, ["shop-none-a"], "{web}");
    namespace.end_job_saying("shop-none-a", 0, "").await;
    until_job(&namespace, "shop-a-b").await;
}

#[tokio::test]
async fn a_failed_action_lets_the_newest_be_taken_up_from_what_was_committed_last() {
    let namespace = Namespace::create("serial-failed").await;
    let project = project();
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({"text": "a"})).await;
    namespace.end_job_saying("shop-none-a", 0, "").await;
    namespace.until("Web", "shop", "it is ready", is_ready).await;
    until_history(&namespace, &["1 deployed: Install complete"]).await;
    say(&namespace, "b").await;
    until_job(&namespace, "shop-a-b").await;
    say(&namespace, "c").await;
    let waits = |web: &Json| told(web) == [&json!(2), &json!("b"), &json!("c")];
    namespace.until("Web", "shop", "the newest waits", waits).await;
    namespace.end_job_saying("shop-a-b", 1, "no").await;
    until_job(&namespace, "shop-a-c").await;
    namespace.until_gone("Job", "shop-a-b").await;
    // While it is waited for another try, an edit is taken up at once.
    namespace.end_job_saying("shop-a-c", 1, "no").await;
    namespace.until("Web", "shop", "it is to be tried again", is("step", "Retrying")).await;
    say(&namespace, "d").await;
    until_job(&namespace, "shop-a-d").await;
    namespace.end_job_saying("shop-a-d", 0, "").await;
    namespace.until("Web", "shop", "it is ready", is_ready).await;
    let deployed = async || namespace.history("shop").await.into_iter().find(|line| line.contains(" deployed"));
    let line =
        eventually("a revision is committed", async || deployed().await.filter(|line| !line.starts_with('1'))).await;
    assert!(line.starts_with("4 deployed"), "{line}");
}

#[tokio::test]
async fn what_cannot_be_rendered_changes_nothing_and_leaves_what_was_committed() {
    let namespace = Namespace::create("serial-fail").await;
    let project = project();
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({"text": "a"})).await;
    namespace.end_job_saying("shop-none-a", 0, "").await;
    namespace.until("Web", "shop", "it is ready", is_ready).await;
    until_history(&namespace, &["1 deployed: Install complete"]).await;
    say(&namespace, "never").await;
    let fails = |web: &Json| web["status"]["failed"]["reason"] == "RenderFailed";
    let web = namespace.until("Web", "shop", "it fails", fails).await;
    assert!(condition_message(&web, "Stalled").contains("never"));
    say(&namespace, "b").await;
    until_job(&namespace, "shop-a-b").await;
}
