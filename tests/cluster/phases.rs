//! Charts with a policy: objects go live phase by phase, and the chart says what ready means and what its status is.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::quiet::{assert_quiet, writes};
use crate::support::{Namespace, Operator, Project, condition_message, condition_text, is_deployed};

const WATCHES: &str = "- {group: charts.samutup.com, version: v1alpha1, kind: Web, chart: demo}\n";

/// Two phases: the second is entered when somebody has annotated the object of the first.
const POLICY: &str = "phases: [one, two]
probes:
- selector: {kind: {group: '', kind: ConfigMap}, matchLabels: {probed: 'yes'}}
  probes: [{fieldsEqual: {fieldA: .data.key, fieldB: .metadata.annotations.test}}]
";

const TEMPLATE: &str = "apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-one
  labels: {probed: 'yes'}
  annotations: {chart-operator.dev/phase: one}
data: {key: {{ .Values.key | default \"a\" | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-two
  annotations: {chart-operator.dev/phase: two}
data: {key: {{ .Values.key | default \"a\" | quote }}}
";

const STATUS: &str = "phase: {{ .Outcome.phase | default \"Done\" }}
says: {{ .Outcome.message | quote }}
objects:
{{- range .Outcome.objects }}
- {{ .name }}: {{ .ready }}
{{- end }}
conditions:
- {type: Available, status: {{ .Outcome.ready | toString | title | quote }}, reason: {{ .Outcome.ready | ternary \"Up\" \"Down\" }}}
";

/// A project whose kind Web has this chart.
fn project(files: &[(&str, &str)]) -> Project {
    let chart = [("watches.yaml", WATCHES), ("demo/Chart.yaml", "apiVersion: v2\nname: demo\nversion: 1.0.0\n")];
    let files: Vec<_> = files.iter().map(|(file, text)| (format!("demo/{file}"), *text)).collect();
    let files = files.iter().map(|(file, text)| (file.as_str(), *text));
    Project::of(&chart.into_iter().chain(files).collect::<Vec<_>>())
}

fn phased() -> Project {
    project(&[("operator/policy.yaml", POLICY), ("operator/status.yaml", STATUS), ("templates/all.yaml", TEMPLATE)])
}

fn is_ready(resource: &Json) -> bool {
    condition_text(resource, "Ready").is_some_and(|text| text.starts_with("True/"))
}

fn is_waiting(resource: &Json) -> bool {
    resource["status"]["phase"] == "one"
}

#[tokio::test]
async fn phases_are_entered_one_after_the_other_and_the_chart_says_what_the_status_is() {
    let namespace = Namespace::create("phases").await;
    let project = phased();
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let waiting = namespace.until("Web", "shop", "its first phase is not ready", is_waiting).await;
    let message = "phase `one`: ConfigMap shop-one: \".data.key\" == \".metadata.annotations.test\": \
                   \".metadata.annotations.test\" missing";
    assert_eq!(waiting["status"]["says"], message);
    assert_eq!(waiting["status"]["objects"], json!([{"shop-one": false}, {"shop-two": false}]));
    assert_eq!(condition_text(&waiting, "Available").unwrap(), "False/Down");
    assert_eq!(condition_text(&waiting, "Ready").unwrap(), "False/Progressing");
    assert_eq!(namespace.find("ConfigMap", "shop-two").await, None);
    assert_eq!(namespace.history("shop").await, ["1 pending-install: Initial install underway"]);

    namespace.patch("ConfigMap", "shop-one", json!({"metadata": {"annotations": {"test": "a"}}})).await;
    let ready = namespace.until("Web", "shop", "it is ready", is_ready).await;
    assert_eq!(ready["status"]["objects"], json!([{"shop-one": true}, {"shop-two": true}]));
    assert_eq!(ready["status"]["phase"], "Done");
    let committed = async || (namespace.history("shop").await == ["1 deployed: Install complete"]).then_some(());
    crate::support::eventually("the revision is committed", committed).await;
    let one = namespace.find("ConfigMap", "shop-one").await.unwrap();
    let annotations = one["metadata"]["annotations"].as_object().unwrap();
    assert!(!annotations.keys().any(|name| name.starts_with("chart-operator.dev/")), "{annotations:?}");

    assert_quiet(&operator, std::time::Duration::from_secs(1)).await;
    operator.kill();
    let again = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    assert_quiet(&again, std::time::Duration::from_secs(1)).await;
    assert_eq!(writes(&again), [""; 0]);
}

#[tokio::test]
async fn what_is_no_longer_rendered_goes_when_the_last_phase_is_entered() {
    let namespace = Namespace::create("phase-prune").await;
    let template = format!(
        "{TEMPLATE}---\n{{{{- if not .Values.less }}}}\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {{{{ .Release.Name }}}}-more}}\n{{{{- end }}}}\n"
    );
    let project = project(&[("operator/policy.yaml", POLICY), ("templates/all.yaml", &template)]);
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let waits = |resource: &Json| condition_message(resource, "Ready").starts_with("phase `one`");
    namespace.until("Web", "shop", "it waits", waits).await;
    namespace.patch("ConfigMap", "shop-one", json!({"metadata": {"annotations": {"test": "a"}}})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;

    namespace.patch("Web", "shop", json!({"spec": {"less": true, "key": "b"}})).await;
    namespace.until("Web", "shop", "it waits again", waits).await;
    assert!(namespace.find("ConfigMap", "shop-more").await.is_some());
    assert_eq!(namespace.find("ConfigMap", "shop-two").await.unwrap()["data"]["key"], "a");
    namespace.patch("ConfigMap", "shop-one", json!({"metadata": {"annotations": {"test": "b"}}})).await;
    namespace.until_gone("ConfigMap", "shop-more").await;
    namespace.until("ConfigMap", "shop-two", "it has changed", |object| object["data"]["key"] == "b").await;
}

#[tokio::test]
async fn what_is_observed_is_waited_for_and_what_is_patched_is_left_to_its_owner() {
    let namespace = Namespace::create("modes").await;
    let template = "apiVersion: v1
kind: ConfigMap
metadata:
  name: friend
  labels: {probed: 'yes'}
  annotations: {chart-operator.dev/mode: observe}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: neighbour
  annotations: {chart-operator.dev/mode: patch, chart-operator.dev/phase: two}
data: {ours: {{ .Values.ours | default \"1\" | quote }}, old: null}
";
    let project = project(&[("operator/policy.yaml", POLICY), ("templates/all.yaml", template)]);
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    let config_map = |name: &str, data: Json| json!({"metadata": {"name": name}, "data": data});
    namespace.create_object("ConfigMap", config_map("neighbour", json!({"theirs": "x", "old": "y"}))).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let says = |text: &'static str| move |resource: &Json| condition_message(resource, "Ready").ends_with(text);
    namespace.until("Web", "shop", "it waits", says("ConfigMap friend: not found")).await;
    let friend = json!({"metadata": {"name": "friend", "labels": {"probed": "yes"}}, "data": {"key": "a"}});
    namespace.create_object("ConfigMap", friend).await;
    namespace.until("Web", "shop", "its probe fails", says("\".metadata.annotations.test\" missing")).await;
    let before = namespace.find("ConfigMap", "neighbour").await.unwrap();
    assert_eq!(before["data"], json!({"theirs": "x", "old": "y"}));
    namespace.patch("ConfigMap", "friend", json!({"metadata": {"annotations": {"test": "a"}}})).await;
    let resource = namespace.until("Web", "shop", "it is ready", is_ready).await;
    let patched = namespace.find("ConfigMap", "neighbour").await.unwrap();
    assert_eq!(patched["data"], json!({"theirs": "x", "ours": "1"}));
    assert_eq!((patched["metadata"].get("labels"), patched["metadata"].get("ownerReferences")), (None, None));
    assert_eq!(resource["metadata"].get("finalizers"), None, "nothing is owned");

    // A field is put back; what is no longer rendered stays.
    namespace.patch("ConfigMap", "neighbour", json!({"data": {"ours": "2"}})).await;
    namespace.until("ConfigMap", "neighbour", "it is patched", |object| object["data"]["ours"] == "1").await;
    assert_quiet(&operator, std::time::Duration::from_secs(1)).await;
    namespace.delete("ConfigMap", "neighbour").await;
    namespace.delete("Web", "shop").await;
    namespace.until_gone("Web", "shop").await;
    assert!(namespace.find("ConfigMap", "friend").await.is_some());
    assert_eq!(namespace.find("ConfigMap", "neighbour").await, None, "a patch creates nothing");
}

#[tokio::test]
async fn a_chart_that_waits_or_fails_changes_nothing_and_goes_on_by_itself() {
    let namespace = Namespace::create("wait").await;
    let gate = "{{- $gate := lookup \"v1\" \"ConfigMap\" .Release.Namespace \"gate\" }}
{{- if not $gate }}{{ wait \"NoGate\" \"the gate is not there\" }}{{ end }}
{{- if eq $gate.data.is \"broken\" }}{{ fail \"the gate is broken\" }}{{ end }}
";
    let template = format!("{gate}{TEMPLATE}");
    let status = "why: {{ .Outcome.waiting | toJson }}\nfault: {{ .Outcome.failed | toJson }}\nknown: {{ len .Outcome.objects }}\n";
    let policy = "phases: [one, two]\n";
    let files = [("operator/policy.yaml", policy), ("operator/status.yaml", status), ("templates/all.yaml", &template)];
    let operator = Operator::start(&project(&files), &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let waits = |resource: &Json| resource["status"]["why"]["reason"] == "NoGate";
    let resource = namespace.until("Web", "shop", "it waits", waits).await;
    assert_eq!(condition_text(&resource, "Reconciling").unwrap(), "True/Waiting");
    assert_eq!(condition_message(&resource, "Ready"), "the gate is not there");
    namespace.create_object("ConfigMap", json!({"metadata": {"name": "gate"}, "data": {"is": "open"}})).await;
    namespace.until("Web", "shop", "it is ready", is_ready).await;
    let before = writes(&operator).len();
    namespace.patch("ConfigMap", "gate", json!({"data": {"is": "broken"}})).await;
    let fails = |resource: &Json| resource["status"]["fault"]["reason"] == "RenderFailed";
    let resource = namespace.until("Web", "shop", "it fails", fails).await;
    assert!(condition_message(&resource, "Stalled").contains("the gate is broken"));
    assert_eq!(resource["status"]["known"], 2, "the objects of the last good plan are told");
    namespace.delete("ConfigMap", "shop-one").await;
    namespace.patch("ConfigMap", "gate", json!({"data": {"is": "open"}})).await;
    namespace.until("Web", "shop", "it is ready again", is_ready).await;
    namespace.until("ConfigMap", "shop-one", "it is back", |_| true).await;
    let writes = writes(&operator);
    let applies = writes[before..].iter().filter(|write| write.contains("configmaps")).count();
    assert_eq!(applies, 1, "{writes:?}");
}

#[tokio::test]
async fn a_collision_writes_nothing_and_ends_when_the_object_goes() {
    let namespace = Namespace::create("collided").await;
    let operator = Operator::start(&phased(), &namespace).await;
    namespace.create_object("ConfigMap", json!({"metadata": {"name": "shop-two"}, "data": {"key": "theirs"}})).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let collides = |resource: &Json| condition_text(resource, "Stalled").as_deref() == Some("True/CollisionDetected");
    namespace.until("Web", "shop", "it collides", collides).await;
    assert_eq!(namespace.find("ConfigMap", "shop-one").await, None, "nothing of the plan is carried out");
    assert_eq!(namespace.find("ConfigMap", "shop-two").await.unwrap()["data"]["key"], "theirs");
    namespace.delete("ConfigMap", "shop-two").await;
    namespace.until("Web", "shop", "it goes on", is_waiting).await;
    operator.kill();
}

#[tokio::test]
async fn a_deletion_goes_backwards_through_the_phases_and_waits_for_each() {
    let namespace = Namespace::create("backwards").await;
    let project = project(&[("operator/policy.yaml", "phases: [one, two]\n"), ("templates/all.yaml", TEMPLATE)]);
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is ready", is_ready).await;
    let hold = |finalizers: Json| json!({"metadata": {"finalizers": finalizers}});
    namespace.patch("ConfigMap", "shop-two", hold(json!(["tests/hold"]))).await;
    namespace.delete("Web", "shop").await;
    let waits = |resource: &Json| condition_text(resource, "Reconciling").as_deref() == Some("True/TeardownBlocked");
    let resource = namespace.until("Web", "shop", "it is being taken down", waits).await;
    assert!(condition_message(&resource, "Ready").contains("shop-two` is not gone yet"));
    assert!(namespace.find("ConfigMap", "shop-one").await.unwrap()["metadata"].get("deletionTimestamp").is_none());
    namespace.patch("ConfigMap", "shop-two", hold(json!(null))).await;
    namespace.until_gone("ConfigMap", "shop-one").await;
    namespace.until_gone("Web", "shop").await;
}

#[tokio::test]
async fn a_wrong_policy_is_told_before_anything_is_written() {
    let namespace = Namespace::create("wrong-policy").await;
    let project =
        project(&[("operator/policy.yaml", "phases: [one, one]\ncolision: Force\n"), ("templates/all.yaml", TEMPLATE)]);
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let stalls = |resource: &Json| condition_text(resource, "Stalled").as_deref() == Some("True/PolicyInvalid");
    let resource = namespace.until("Web", "shop", "it is stalled", stalls).await;
    let message = condition_message(&resource, "Stalled");
    assert!(message.contains("operator/policy.yaml:") && message.contains("colision"), "{message}");
    assert_eq!(namespace.find("ConfigMap", "shop-one").await, None);
    assert_eq!(namespace.find("Web", "shop").await.unwrap()["metadata"].get("finalizers"), None);
}

#[tokio::test]
async fn a_chart_without_phases_says_what_its_status_is_too() {
    let namespace = Namespace::create("status").await;
    let status =
        "up: {{ .Outcome.ready }}\nobjects: {{ len .Outcome.objects }}\nlast: {{ .CR.status.up | default \"none\" }}\n";
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n";
    let project = project(&[("operator/status.yaml", status), ("templates/all.yaml", template)]);
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let is_up = |resource: &Json| resource["status"]["up"] == true && resource["status"]["last"] == true;
    let resource = namespace.until("Web", "shop", "it is up, and has seen that it was", is_up).await;
    assert_eq!(resource["status"]["objects"], 1);
    assert_eq!(condition_text(&resource, "Ready").unwrap(), "True/Succeeded");
    assert_eq!(condition_text(&resource, "Deployed"), None, "the file does not say so");
    assert_quiet(&operator, std::time::Duration::from_secs(1)).await;
}

#[tokio::test]
async fn an_object_is_taken_over_from_a_friend_and_stays_the_one_it_is() {
    let namespace = Namespace::create("friends").await;
    let policy = "adoptFrom:
{{- range .Values.friends }}
- {group: charts.samutup.com, kind: Web, name: {{ . }}}
{{- end }}
";
    let template = "apiVersion: v1
kind: ConfigMap
metadata:
  name: shared
  annotations: {chart-operator.dev/mode: {{ .Values.mode | default \"manage\" }}}
data: {by: {{ .Release.Name }}}
";
    let project = project(&[("operator/policy.yaml", policy), ("templates/all.yaml", template)]);
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    namespace.create_resource("Web", "old", json!({})).await;
    namespace.until("Web", "old", "it is ready", is_ready).await;
    let before = namespace.find("ConfigMap", "shared").await.unwrap();

    namespace.create_resource("Web", "stranger", json!({})).await;
    let collides = |resource: &Json| condition_text(resource, "Stalled").as_deref() == Some("True/CollisionDetected");
    let stranger = namespace.until("Web", "stranger", "it collides", collides).await;
    assert!(condition_message(&stranger, "Stalled").contains("belongs to Web"), "{stranger}");

    // The one it is taken from only looks at it from then on.
    namespace.patch("Web", "old", json!({"spec": {"mode": "observe"}})).await;
    namespace.create_resource("Web", "new", json!({"friends": ["old"]})).await;
    namespace.until("Web", "new", "it is ready", is_ready).await;
    let after = namespace.find("ConfigMap", "shared").await.unwrap();
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["data"]["by"], "new");
    let owners = after["metadata"]["ownerReferences"].as_array().unwrap();
    assert_eq!((owners.len(), &owners[0]["name"]), (1, &json!("new")));
    for former in ["old", "stranger"] {
        namespace.delete("Web", former).await;
        namespace.until_gone("Web", former).await;
    }
    assert_eq!(namespace.find("ConfigMap", "shared").await.unwrap()["metadata"]["uid"], before["metadata"]["uid"]);
    assert_quiet(&operator, std::time::Duration::from_secs(1)).await;
}

#[tokio::test]
async fn another_policy_is_another_plan_and_no_revision() {
    let namespace = Namespace::create("policy-only").await;
    let project = project(&[("operator/policy.yaml", "phases: [one, two]\n"), ("templates/all.yaml", TEMPLATE)]);
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is ready", is_ready).await;
    project.edit("demo/operator/policy.yaml", |_| POLICY.to_owned());
    let waits = |resource: &Json| condition_message(resource, "Ready").starts_with("phase `one`");
    namespace.until("Web", "shop", "its first phase is not ready", waits).await;
    namespace.patch("ConfigMap", "shop-one", json!({"metadata": {"annotations": {"test": "a"}}})).await;
    namespace.until("Web", "shop", "it is ready", is_ready).await;
    assert_quiet(&operator, std::time::Duration::from_secs(1)).await;
    assert_eq!(namespace.history("shop").await, ["1 deployed: Install complete"]);
    operator.kill();
    let again = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    assert_quiet(&again, std::time::Duration::from_secs(1)).await;
    assert_eq!(writes(&again), [""; 0]);
}

#[tokio::test]
async fn a_chart_sees_the_values_of_the_last_revision_that_became_ready() {
    let namespace = Namespace::create("previous").await;
    let template = TEMPLATE.replace("data: {key:", "data: {was: {{ .Previous.key | default \"none\" | quote }}, key:");
    let project =
        project(&[("operator/policy.yaml", POLICY), ("templates/all.yaml", &template), ("values.yaml", "key: a\n")]);
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let was = |key: &'static str| move |object: &Json| object["data"]["was"] == key;
    namespace.until("ConfigMap", "shop-one", "there was none", was("none")).await;
    let test = |key: &str| json!({"metadata": {"annotations": {"test": key}}});
    namespace.patch("ConfigMap", "shop-one", test("a")).await;
    namespace.until("ConfigMap", "shop-one", "it was committed", was("a")).await;
    namespace.patch("Web", "shop", json!({"spec": {"key": "b"}})).await;
    let changed = |object: &Json| object["data"]["key"] == "b" && object["data"]["was"] == "a";
    namespace.until("ConfigMap", "shop-one", "it changes, and the former is not forgotten", changed).await;
    namespace.patch("ConfigMap", "shop-one", test("b")).await;
    namespace.until("ConfigMap", "shop-one", "the next one was committed", was("b")).await;
    assert_quiet(&operator, std::time::Duration::from_secs(1)).await;
    let expected = ["1 superseded: Install complete", "2 deployed: Upgrade complete"];
    assert_eq!(namespace.history("shop").await, expected);
}

#[tokio::test]
async fn a_status_that_never_comes_to_rest_is_written_ever_less_often() {
    let namespace = Namespace::create("restless").await;
    let status = "count: {{ add1 (.CR.status.count | default 0) }}\n";
    let project = project(&[("operator/status.yaml", status), ("templates/all.yaml", TEMPLATE)]);
    project.edit("demo/operator/policy.yaml", |_| "phases: [one, two]\n".to_owned());
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let rests = |resource: &Json| condition_text(resource, "Reconciling").as_deref() == Some("True/Unstable");
    let resource = namespace.until("Web", "shop", "it is left alone", rests).await;
    let count = resource["status"]["count"].as_i64().unwrap();
    assert!(count < 20, "{count}");
    assert!(condition_message(&resource, "Ready").contains("again and again"));
    let later = |resource: &Json| resource["status"]["count"].as_i64().unwrap() > count;
    let resource = namespace.until("Web", "shop", "it is tried again", later).await;
    assert!(resource["status"]["count"].as_i64().unwrap() < count + 5);
    // What a user asks for is done at once.
    namespace.patch("Web", "shop", json!({"spec": {"key": "b"}})).await;
    namespace.until("ConfigMap", "shop-one", "it follows", |object| object["data"]["key"] == "b").await;
    operator.kill();
}

#[tokio::test]
async fn what_is_kept_of_an_earlier_render_does_not_stop_the_clock() {
    let namespace = Namespace::create("phased-clock").await;
    let template = "apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  drawn: {{ randAlphaNum 8 | quote }}
  told: {{ elapsed \"3s\" .Values.since | quote }}
";
    let project = project(&[("operator/policy.yaml", "phases: []\n"), ("templates/all.yaml", template)]);
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1h"]).await;
    let since = Timestamp::now().to_string();
    namespace.create_resource("Web", "shop", json!({"since": since})).await;
    let told = |word: &'static str| move |map: &Json| map["data"]["told"] == word;
    let before = namespace.until("ConfigMap", "shop", "the time has not come", told("false")).await;
    let after = namespace.until("ConfigMap", "shop", "the time has come", told("true")).await;
    assert_eq!(before["data"]["drawn"], after["data"]["drawn"]);
    assert_quiet(&operator, std::time::Duration::from_secs(1)).await;
}
