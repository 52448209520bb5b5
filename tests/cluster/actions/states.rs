//! Every row of an action's states, seen in a cluster.

use std::time::Duration;

use serde_json::json;

use crate::actions::{TEMPLATE, is, is_ready, project, retried, until_history, until_job};
use crate::quiet::{assert_quiet, writes};
use crate::rights::{EVENTS, RESOURCES, grant};
use crate::support::{Namespace, Operator, Setting, condition_message, condition_text, plane};

#[tokio::test]
async fn it_runs_once_when_its_phase_is_entered_and_its_result_is_seen_by_all() {
    let namespace = Namespace::create("action").await;
    let project = project(TEMPLATE);
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let waiting = namespace.until("Web", "shop", "its action runs", is("load", "Running")).await;
    assert_eq!(condition_text(&waiting, "Ready").unwrap(), "False/Progressing");
    let job = until_job(&namespace, "shop-load").await;
    assert_eq!((&job["spec"]["activeDeadlineSeconds"], &job["spec"]["backoffLimit"]), (&json!(600), &json!(0)));
    for place in ["", "/spec/template"] {
        let annotations = &job.pointer(place).unwrap()["metadata"]["annotations"];
        assert_eq!(annotations["chart-operator.dev/attempt"], "1", "{place}");
        assert_eq!(annotations.get("chart-operator.dev/action"), None, "{place}");
    }
    assert_eq!(waiting["status"]["actions"]["load"]["uid"], job["metadata"]["uid"]);
    assert_eq!(namespace.find("ConfigMap", "shop-result").await, None, "the second phase is not entered");

    namespace.end_job_saying("shop-load", 0, "{\"name\": \"my_blob\"}").await;
    let ready = namespace.until("Web", "shop", "it is ready", is_ready).await;
    let load = &ready["status"]["actions"]["load"];
    assert_eq!(
        (&load["state"], &load["attempts"], &load["result"]["name"]),
        (&json!("Succeeded"), &json!(1), &json!("my_blob"))
    );
    assert!(load["completed"].is_string() && load["retryAt"].is_null(), "{load}");
    let result = namespace.find("ConfigMap", "shop-result").await.unwrap();
    assert_eq!(result["data"]["result"], "{\"name\":\"my_blob\"}");
    until_history(&namespace, &["1 deployed: Install complete"]).await;
    assert_quiet(&operator, Duration::from_secs(1)).await;

    // It is final, also when its Job goes.
    namespace.delete("Job", "shop-load").await;
    namespace.until_gone("Job", "shop-load").await;
    assert_quiet(&operator, Duration::from_secs(1)).await;
    operator.kill();
    let again = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    assert_quiet(&again, Duration::from_secs(1)).await;
    assert_eq!(writes(&again), [""; 0]);
    assert_eq!(namespace.find("Job", "shop-load").await, None);
}

#[tokio::test]
async fn a_failure_without_retry_is_final_for_its_job_and_another_name_is_another_try() {
    let namespace = Namespace::create("action-fails").await;
    let project = project(TEMPLATE);
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.end_job_saying("shop-load", 3, "ERROR: no such table\n").await;
    let failed = namespace.until("Web", "shop", "it has failed", is("load", "Failed")).await;
    let message = "phase `one`: Job shop-load: failed: BackoffLimitExceeded: Job has reached the specified backoff limit: \
                   ERROR: no such table";
    assert_eq!(failed["status"]["failed"], json!({"reason": "ActionFailed", "message": message}));
    assert_eq!(condition_text(&failed, "Stalled").unwrap(), "True/ActionFailed");
    assert_eq!(condition_message(&failed, "Ready"), message);
    assert_eq!(namespace.find("ConfigMap", "shop-result").await, None);
    operator.kill();
    let _again = Operator::start(&project, &namespace).await;
    // Only something else is another try: the failed Job is in nobody's way.
    namespace.patch("Web", "shop", json!({"spec": {"text": "new"}})).await;
    let same = |web: &serde_json::Value| web["status"]["observedGeneration"] == 2 && is("load", "Failed")(web);
    namespace.until("Web", "shop", "it has failed as before", same).await;
    namespace.patch("Web", "shop", json!({"spec": {"job": "load-2"}})).await;
    namespace.end_job_saying("shop-load-2", 0, "done").await;
    let ready = namespace.until("Web", "shop", "it is ready", is_ready).await;
    assert_eq!(ready["status"]["actions"]["load"]["job"], "shop-load-2");
    assert_eq!(ready["status"]["failed"], json!(null));
    namespace.until_gone("Job", "shop-load").await;
}

#[tokio::test]
async fn a_failed_job_is_replaced_when_its_time_has_come_and_no_more_often_than_it_may() {
    let namespace = Namespace::create("action-retry").await;
    let _operator = Operator::start(&project(TEMPLATE), &namespace).await;
    namespace.create_resource("Web", "shop", retried("{after: 2s, max: 2}")).await;
    let first = until_job(&namespace, "shop-load").await;
    namespace.end_job_saying("shop-load", 1, "not yet").await;
    let failed = namespace.until("Web", "shop", "it is tried again", is("load", "Retrying")).await;
    assert_eq!(failed["status"]["failed"]["reason"], "ActionFailed");
    assert_eq!(condition_text(&failed, "Reconciling").unwrap(), "True/ActionFailed");
    let told = failed["status"]["says"].as_str().unwrap();
    assert!(told.contains("is tried again at") && told.ends_with("not yet"), "{told}");
    assert!(failed["status"]["actions"]["load"]["retryAt"].is_string());
    let other = |job: &serde_json::Value| job["metadata"]["uid"] != first["metadata"]["uid"];
    let second = namespace.until("Job", "shop-load", "it is another one", other).await;
    assert_eq!(second["spec"]["template"]["metadata"]["annotations"]["chart-operator.dev/attempt"], "2");
    let again = namespace.until("Web", "shop", "it runs again", is("load", "Running")).await;
    assert_eq!(again["status"]["actions"]["load"]["attempts"], 2);
    assert_eq!(again["status"]["failed"], json!(null));
    let (retry_at, created) =
        (&failed["status"]["actions"]["load"]["retryAt"], &second["metadata"]["creationTimestamp"]);
    assert!(created.as_str() >= retry_at.as_str(), "{created} is before {retry_at}");
    namespace.end_job_saying("shop-load", 1, "never").await;
    let failed = namespace.until("Web", "shop", "it has failed for good", is("load", "Failed")).await;
    assert_eq!(failed["status"]["actions"]["load"]["attempts"], 2);
    assert_eq!(condition_text(&failed, "Stalled").unwrap(), "True/ActionFailed");
}

#[tokio::test]
async fn a_job_that_somebody_deletes_while_it_runs_has_failed() {
    let namespace = Namespace::create("action-gone").await;
    let _operator = Operator::start(&project(TEMPLATE), &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "its action runs", is("load", "Running")).await;
    namespace.delete("Job", "shop-load").await;
    let failed = namespace.until("Web", "shop", "it has failed", is("load", "Failed")).await;
    assert!(condition_message(&failed, "Ready").ends_with("its Job was deleted before its end was seen"));
    namespace.patch("Web", "shop", json!({"spec": {"job": "again", "retry": "1s"}})).await;
    let lost = until_job(&namespace, "shop-again").await;
    namespace.until("Web", "shop", "the other runs", is("load", "Running")).await;
    namespace.delete("Job", "shop-again").await;
    let other = |job: &serde_json::Value| job["metadata"]["uid"] != lost["metadata"]["uid"];
    namespace.until("Job", "shop-again", "it is another one", other).await;
    namespace.end_job_saying("shop-again", 0, "").await;
    let ready = namespace.until("Web", "shop", "it is ready", is_ready).await;
    assert_eq!(
        (&ready["status"]["actions"]["load"]["attempts"], &ready["status"]["actions"]["load"]["result"]),
        (&json!(2), &json!(""))
    );
}

#[tokio::test]
async fn what_is_no_longer_rendered_runs_to_its_end_and_then_goes_and_a_result_stays_until_the_next() {
    let namespace = Namespace::create("action-left").await;
    let template = format!("{{{{- if not .Values.less }}}}\n{TEMPLATE}{{{{- end }}}}\n");
    let _operator = Operator::start(&project(&template), &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.end_job_saying("shop-load", 0, "\"first\"").await;
    namespace.until("Web", "shop", "it is ready", is_ready).await;
    namespace.patch("Web", "shop", json!({"spec": {"job": "second"}})).await;
    until_job(&namespace, "shop-second").await;
    // The next one runs, and what the last one gave is seen until it ends.
    let running = |web: &serde_json::Value| web["status"]["actions"]["load"]["job"] == "shop-second";
    let web = namespace.until("Web", "shop", "the next one runs", running).await;
    assert_eq!(web["status"]["actions"]["load"]["result"], "first");
    assert_eq!(namespace.find("ConfigMap", "shop-result").await.unwrap()["data"]["result"], "\"first\"");

    namespace.patch("Web", "shop", json!({"spec": {"less": true}})).await;
    namespace.until_gone("ConfigMap", "shop-result").await;
    let dropped = |web: &serde_json::Value| web["status"]["actions"] == json!({}) && is_ready(web);
    let web = namespace.until("Web", "shop", "its actions are forgotten", dropped).await;
    assert_eq!(web["metadata"]["annotations"].get("chart-operator.dev/actions"), None);
    let left = namespace.find("Job", "shop-second").await.unwrap();
    assert_eq!(left["metadata"].get("deletionTimestamp"), None, "it is not cut off");
    namespace.end_job_saying("shop-second", 0, "").await;
    namespace.until_gone("Job", "shop-second").await;
}

#[tokio::test]
async fn a_job_of_somebody_else_is_a_collision_and_one_of_its_own_is_taken_for_the_one_that_was_lost() {
    let namespace = Namespace::create("action-taken").await;
    let project = project(TEMPLATE);
    let operator = Operator::start(&project, &namespace).await;
    let pod = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]}});
    namespace.create_named("Job", "shop-load", json!({"spec": {"template": pod}})).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let collides =
        |web: &serde_json::Value| condition_text(web, "Stalled").as_deref() == Some("True/CollisionDetected");
    let web = namespace.until("Web", "shop", "it collides", collides).await;
    assert!(condition_message(&web, "Stalled").contains("batch/Job"), "{}", condition_message(&web, "Stalled"));
    namespace.delete("Job", "shop-load").await;
    namespace.until("Web", "shop", "its action runs", is("load", "Running")).await;

    // As if the process had been killed before it could store that.
    operator.kill();
    let job = until_job(&namespace, "shop-load").await;
    namespace.patch("Web", "shop", json!({"metadata": {"annotations": {"chart-operator.dev/actions": null}}})).await;
    namespace.end_job_saying("shop-load", 0, "7").await;
    let _again = Operator::start(&project, &namespace).await;
    let ready = namespace.until("Web", "shop", "it is ready", is_ready).await;
    assert_eq!(ready["status"]["actions"]["load"]["result"], 7);
    assert_eq!(until_job(&namespace, "shop-load").await["metadata"]["uid"], job["metadata"]["uid"]);
}

#[tokio::test]
async fn a_job_that_never_ends_has_a_deadline_and_what_is_no_job_is_no_action() {
    let namespace = Namespace::create("action-bad").await;
    let template = "{{- if .Values.wrong }}
apiVersion: v1
kind: ConfigMap
metadata: {name: odd, annotations: {chart-operator.dev/action: odd}}
{{- else }}
";
    let _operator = Operator::start(&project(&format!("{template}{TEMPLATE}{{{{- end }}}}\n")), &namespace).await;
    namespace.create_resource("Web", "shop", json!({"deadline": 1})).await;
    let failed = namespace.until("Web", "shop", "its time is over", is("load", "Failed")).await;
    let message = failed["status"]["actions"]["load"]["message"].as_str().unwrap();
    assert!(message.starts_with("DeadlineExceeded: "), "{message}");
    namespace.create_resource("Web", "odd", json!({"wrong": true})).await;
    let stalls = |web: &serde_json::Value| condition_text(web, "Stalled").as_deref() == Some("True/RenderFailed");
    let odd = namespace.until("Web", "odd", "it is refused", stalls).await;
    let message = condition_message(&odd, "Stalled");
    assert!(
        message.ends_with(
            "annotation `chart-operator.dev/action`: expected none on `ConfigMap`: an action is a Job, found `odd`"
        ),
        "{message}"
    );
    assert_eq!(namespace.find("ConfigMap", "odd").await, None);
}

#[tokio::test]
async fn without_rights_on_pods_a_result_is_empty_a_message_shorter_and_that_is_told_once() {
    let namespace = Namespace::create("action-rights").await;
    let setting = Setting::without_rights(plane(), &namespace.name);
    let rules = [RESOURCES, EVENTS, ("", &["configmaps", "secrets"][..], &["*"]), ("batch", &["jobs"], &["*"])];
    grant(&namespace, &setting.user, "operator", &rules).await;
    let project = project(TEMPLATE);
    let mut operator = Operator::launch(&project, setting, &[]);
    operator.until_ready().await;
    for name in ["shop", "other"] {
        namespace.create_resource("Web", name, json!({})).await;
        namespace.end_job_saying(&format!("{name}-load"), 0, "secret").await;
        let ready = namespace.until("Web", name, "it is ready", is_ready).await;
        assert_eq!(ready["status"]["actions"]["load"]["result"], "");
    }
    namespace.create_resource("Web", "broken", json!({})).await;
    namespace.end_job_saying("broken-load", 1, "secret").await;
    let failed = namespace.until("Web", "broken", "it has failed", is("load", "Failed")).await;
    let message = failed["status"]["actions"]["load"]["message"].as_str().unwrap();
    assert_eq!(message, "BackoffLimitExceeded: Job has reached the specified backoff limit");
    assert_eq!(operator.logged("Causes below objects stay unknown").len(), 1);
}

/// Templates and status look the same Jobs up: what the one has seen is news for the other.
const LOOKS: &str = "{{- define \"done\" -}}
{{- range lookupSelector \"batch/v1\" \"Job\" .Release.Namespace \"work=yes\" (list \"status.conditions\") }}
{{- if conditionTrue . \"Complete\" }}{{ .metadata.name }} {{ end }}
{{- end }}
{{- end }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-load
  labels: {work: 'yes'}
  annotations: {chart-operator.dev/action: load}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: none}]
{{- with include \"done\" . }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ $.Release.Name }}-done}
data: {jobs: {{ quote . }}}
{{- end }}
";

#[tokio::test]
async fn a_chart_that_looks_for_its_own_jobs_sees_their_end() {
    let namespace = Namespace::create("action-seen").await;
    let project = project(LOOKS);
    project.edit("demo/operator/status.yaml", |_| "done: {{ include \"done\" . | quote }}\n".to_owned());
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1h"]).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    until_job(&namespace, "shop-load").await;
    namespace.end_job_saying("shop-load", 0, "").await;
    let done = |map: &serde_json::Value| map["data"]["jobs"] == "shop-load ";
    namespace.until("ConfigMap", "shop-done", "the end of the Job is seen", done).await;
    let told = |resource: &serde_json::Value| resource["status"]["done"] == "shop-load ";
    namespace.until("Web", "shop", "the status tells of it", told).await;
    assert_quiet(&operator, Duration::from_secs(1)).await;
}
