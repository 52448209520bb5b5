//! What runs before a resource is taken down, and what is waited for.

use kube::api::{DeleteParams, PropagationPolicy};
use serde_json::{Value as Json, json};

use crate::actions::{STATUS, WATCHES, is, is_ready, until_job};
use crate::support::{Namespace, Operator, Project, condition_message, condition_text};

/// A Job when it is made, an object, and Jobs in two phases when it goes, which know what the first gave.
const TEMPLATE: &str = "{{- define \"spec\" -}}
template:
  spec:
    restartPolicy: Never
    containers: [{name: main, image: none, args: [{{ toJson .Results.make | quote }}]}]
{{- end }}
{{- if .Values.broken }}{{ fail \"broken\" }}{{ end }}
{{- if not .Deleting }}
apiVersion: batch/v1
kind: Job
metadata: {name: shop-make, annotations: {chart-operator.dev/action: make}}
spec: {{ include \"spec\" . | nindent 2 }}
{{- else }}
{{- range $phase, $name := dict \"one\" \"drop\" \"two\" (printf \"close%s\" ($.Values.suffix | default \"\")) }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: shop-{{ $name }}
  annotations:
    chart-operator.dev/phase: {{ $phase }}
    chart-operator.dev/action: {{ $name }}
    chart-operator.dev/on: pre-delete
    {{- with $.Values.retry }}
    chart-operator.dev/retry: {{ . }}
    {{- end }}
spec: {{ include \"spec\" $ | nindent 2 }}
{{- end }}
{{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: shop-data, annotations: {chart-operator.dev/phase: two}}
";

fn project() -> Project {
    Project::of(&[
        ("watches.yaml", WATCHES),
        ("demo/Chart.yaml", "apiVersion: v2\nname: demo\nversion: 1.0.0\n"),
        ("demo/operator/policy.yaml", "phases: [one, two]\n"),
        ("demo/operator/status.yaml", STATUS),
        ("demo/templates/all.yaml", TEMPLATE),
    ])
}

/// A resource that is ready, with what it gave.
async fn made(namespace: &Namespace, spec: Json) {
    namespace.create_resource("Web", "shop", spec).await;
    namespace.end_job_saying("shop-make", 0, "\"a table\"").await;
    namespace.until("Web", "shop", "it is ready", is_ready).await;
}

fn blocked(by: &'static str) -> impl Fn(&Json) -> bool {
    move |web| {
        let reasons = ["Stalled", "Reconciling"].map(|of| condition_text(web, of).unwrap_or_default());
        reasons.contains(&"True/TeardownBlocked".to_owned()) && condition_message(web, "Ready").contains(by)
    }
}

#[tokio::test]
async fn what_runs_before_the_end_runs_phase_by_phase_with_retry_and_before_anything_goes() {
    let namespace = Namespace::create("pre-delete").await;
    let project = project();
    let operator = Operator::start(&project, &namespace).await;
    made(&namespace, json!({"retry": "4s"})).await;
    namespace.delete("Web", "shop").await;
    let first = until_job(&namespace, "shop-drop").await;
    let annotations = &first["metadata"]["annotations"];
    assert_eq!(annotations["chart-operator.dev/on"], "pre-delete");
    assert_eq!(first["spec"]["template"]["spec"]["containers"][0]["args"], json!(["\"a table\""]));
    let web = namespace.until("Web", "shop", "it waits", blocked("phase `one`: Job shop-drop: is running")).await;
    assert_eq!(web["status"]["actions"]["drop"]["state"], "Running");
    namespace.end_job_saying("shop-drop", 1, "in use").await;
    let web = namespace.until("Web", "shop", "it has failed", is("drop", "Retrying")).await;
    assert_eq!(web["status"]["failed"]["reason"], "ActionFailed");
    assert!(web["status"]["says"].as_str().unwrap().ends_with("in use"));
    let other = |job: &Json| job["metadata"]["uid"] != first["metadata"]["uid"];
    namespace.until("Job", "shop-drop", "it is another one", other).await;
    assert_eq!(namespace.find("Job", "shop-close").await, None, "the second phase waits for the first");

    // The next process goes on.
    operator.kill();
    let _again = Operator::start(&project, &namespace).await;
    namespace.end_job_saying("shop-drop", 0, "").await;
    until_job(&namespace, "shop-close").await;
    let data = namespace.find("ConfigMap", "shop-data").await.unwrap();
    assert_eq!(data["metadata"].get("deletionTimestamp"), None, "nothing goes before they are done");
    namespace.end_job_saying("shop-close", 0, "").await;
    namespace.until_gone("Web", "shop").await;
    assert_eq!(namespace.names("Job").await, [""; 0]);
    assert_eq!(namespace.find("ConfigMap", "shop-data").await, None);
}

#[tokio::test]
async fn one_that_fails_for_good_blocks_until_another_is_asked_for() {
    let namespace = Namespace::create("pre-delete-fails").await;
    let project = project();
    let _operator = Operator::start(&project, &namespace).await;
    made(&namespace, json!({})).await;
    namespace.delete("Web", "shop").await;
    namespace.end_job_saying("shop-drop", 0, "").await;
    namespace.end_job_saying("shop-close", 1, "in use").await;
    let web = namespace.until("Web", "shop", "it is blocked", blocked("in use")).await;
    assert_eq!(condition_text(&web, "Stalled").unwrap(), "True/TeardownBlocked");
    assert_eq!(web["status"]["failed"]["reason"], "ActionFailed");
    assert!(namespace.find("ConfigMap", "shop-data").await.is_some());
    namespace.patch("Web", "shop", json!({"spec": {"suffix": "-again"}})).await;
    namespace.end_job_saying("shop-close-again", 0, "").await;
    namespace.until_gone("Web", "shop").await;
}

#[tokio::test]
async fn what_runs_already_is_waited_for_and_its_result_is_known_to_what_runs_last() {
    let namespace = Namespace::create("pre-delete-waits").await;
    let project = project();
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "its action runs", is("make", "Running")).await;
    namespace.delete("Web", "shop").await;
    namespace.until("Web", "shop", "it waits", blocked("`batch/Job pre-delete-waits")).await;
    assert_eq!(namespace.names("Job").await, ["shop-make"]);
    namespace.end_job_saying("shop-make", 0, "\"late\"").await;
    let drop = until_job(&namespace, "shop-drop").await;
    assert_eq!(drop["spec"]["template"]["spec"]["containers"][0]["args"], json!(["\"late\""]));
    namespace.end_job_saying("shop-drop", 0, "").await;
    namespace.end_job_saying("shop-close", 0, "").await;
    namespace.until_gone("Web", "shop").await;
    assert_eq!(namespace.names("Job").await, [""; 0]);
}

#[tokio::test]
async fn a_chart_that_cannot_tell_what_to_run_is_not_taken_down_until_it_can() {
    let namespace = Namespace::create("pre-delete-broken").await;
    let project = project();
    let _operator = Operator::start(&project, &namespace).await;
    made(&namespace, json!({})).await;
    namespace.patch("Web", "shop", json!({"spec": {"broken": true}})).await;
    let fails = |web: &Json| web["status"]["failed"]["reason"] == "RenderFailed";
    namespace.until("Web", "shop", "it cannot be rendered", fails).await;
    namespace.delete("Web", "shop").await;
    let web = namespace.until("Web", "shop", "it is blocked", blocked("broken")).await;
    assert_eq!(web["status"]["failed"]["reason"], "RenderFailed");
    assert!(namespace.find("ConfigMap", "shop-data").await.is_some());
    namespace.patch("Web", "shop", json!({"spec": {"broken": false}})).await;
    namespace.end_job_saying("shop-drop", 0, "").await;
    namespace.end_job_saying("shop-close", 0, "").await;
    namespace.until_gone("Web", "shop").await;
}

#[tokio::test]
async fn who_lets_its_objects_go_runs_nothing() {
    let namespace = Namespace::create("pre-delete-orphan").await;
    let project = project();
    let _operator = Operator::start(&project, &namespace).await;
    made(&namespace, json!({})).await;
    let params = DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..DeleteParams::default() };
    namespace.api("Web").delete("shop", &params).await.unwrap();
    namespace.until_gone("Web", "shop").await;
    assert_eq!(namespace.names("Job").await, ["shop-make"]);
    let data = namespace.find("ConfigMap", "shop-data").await.unwrap();
    assert_eq!(data["metadata"].get("ownerReferences"), None);
}
