//! Nothing changed: nothing is read and nothing is written.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::support::{Namespace, Operator, Project, condition_text, eventually, is_deployed};

fn is_ready(resource: &Json) -> bool {
    condition_text(resource, "Ready").is_some_and(|text| text.starts_with("True/"))
}

/// Waits until the operator has looked at resources of the kind three more times, each because a period was over.
pub(crate) async fn three_passes(operator: &Operator, kind: &str) {
    let series = format!(
        "controller_runtime_reconcile_total{{controller=\"{}-controller\",result=\"requeue_after\"",
        kind.to_lowercase()
    );
    let passes = || async { operator.metric(&series).await };
    let before = eventually("a first pass", passes).await;
    eventually("three passes", || async { passes().await.filter(|count| *count >= before + 3.0) }).await;
}

/// How often the operator has rendered the kind's chart.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a count")]
pub(crate) async fn renders(operator: &Operator, kind: &str) -> u64 {
    let series = format!("chart_operator_renders_total{{controller=\"{}-controller\"", kind.to_lowercase());
    operator.metric(&series).await.unwrap_or_default() as u64
}

/// What the operator has written so far: `patch secrets shop`, and for a record `create secrets`.
pub(crate) fn writes(operator: &Operator) -> Vec<String> {
    let calls = operator.calls().into_iter().filter(testbed::audit::Request::is_write);
    let calls = calls.filter(|call| call.resource != "events");
    calls.map(|call| format!("{} {} {}", call.verb, call.resource, call.name).trim_end().to_owned()).collect()
}

/// Waits until the operator has made no call for as long as a reconcile period takes, then watches three more.
pub(crate) async fn assert_quiet(operator: &Operator, period: Duration) {
    let settle = async {
        let mut last = operator.calls().len();
        loop {
            tokio::time::sleep(period).await;
            let now = operator.calls().len();
            if now == last {
                return;
            }
            last = now;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), settle).await.unwrap();
    let before = operator.calls().len();
    tokio::time::sleep(period * 3).await;
    let calls = operator.calls();
    assert_eq!(calls.len(), before, "calls while nothing changed: {:?}", &calls[before..]);
}

#[tokio::test]
async fn with_everything_in_place_no_call_is_made_and_a_restart_writes_nothing() {
    let namespace = Namespace::create("quiet").await;
    let project = Project::new();
    let flags = ["--reconcile-period=1s"];
    let operator = Operator::start_with(&project, &namespace, &flags).await;
    for name in ["one", "two", "three"] {
        // No node runs Pods here: without any it is ready.
        namespace.create_resource("Web", name, json!({"replicaCount": 0})).await;
        namespace.until("Web", name, "it is ready", is_ready).await;
    }
    assert_quiet(&operator, Duration::from_secs(1)).await;
    operator.kill();

    let again = Operator::start_with(&project, &namespace, &flags).await;
    assert_quiet(&again, Duration::from_secs(1)).await;
    let writes: Vec<_> = again.calls().into_iter().filter(testbed::audit::Request::is_write).collect();
    assert!(writes.is_empty(), "{writes:?}");
}

#[tokio::test]
async fn a_restart_lists_the_records_of_many_resources_once() {
    const MANY: usize = 50;
    let namespace = Namespace::create("crowd").await;
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n";
    let project = web(&[("thing.yaml", template)]);
    let operator = Operator::start(&project, &namespace).await;
    let names: Vec<_> = (0..MANY).map(|number| format!("one-{number}")).collect();
    for name in &names {
        namespace.create_resource("Web", name, json!({})).await;
    }
    for name in &names {
        namespace.until("Web", name, "it is deployed", is_deployed).await;
    }
    operator.kill();

    let again = Operator::start(&project, &namespace).await;
    let series = "controller_runtime_reconcile_total{controller=\"web-controller\"";
    eventually("it has looked at all", || async { (again.sum(series).await >= 50.0).then_some(()) }).await;
    assert_eq!(writes(&again), Vec::<String>::new());
    let lists = again.calls().into_iter().filter(|call| call.verb == "list" && call.resource == "secrets").count();
    // The first few are read one by one: nobody knows yet how many there are.
    assert!((1..MANY / 2).contains(&lists), "{lists} lists");
}

/// A project in which the kind Web has this chart.
pub(crate) fn web(templates: &[(&str, &str)]) -> Project {
    let watch = "- {group: charts.samutup.com, version: v1alpha1, kind: Web, chart: demo}\n";
    let mut files = vec![
        ("watches.yaml".to_owned(), watch),
        ("demo/Chart.yaml".to_owned(), "{apiVersion: v2, name: demo, version: 1.0.0}"),
    ];
    files.extend(templates.iter().map(|(name, text)| (format!("demo/templates/{name}"), *text)));
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    Project::of(&files)
}

const OFTEN: [&str; 1] = ["--reconcile-period=300ms"];

const RANDOM: &str = "apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData:
  password: {{ randAlphaNum 12 | quote }}
  id: {{ uuidv4 | quote }}
  time: {{ now | quote }}
  ca: {{ (genSelfSignedCert \"a\" (list) (list) 1).Cert | b64enc | quote }}
";

const REVISION: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  revision: \"{{ .Release.Revision }} {{ .Release.IsInstall }} {{ .Release.IsUpgrade }}\"
";

#[tokio::test]
async fn what_chance_clock_and_revision_print_is_applied_once_and_kept() {
    let namespace = Namespace::create("chance").await;
    let project = web(&[("secret.yaml", RANDOM), ("map.yaml", REVISION)]);
    let operator = Operator::start_with(&project, &namespace, &OFTEN).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    three_passes(&operator, "Web").await;
    let first = namespace.find("Secret", "shop").await.unwrap();
    // What chance made is recorded before it is sent.
    let record = "secrets sh.helm.release.v1.shop.v1";
    let once = [
        format!("create {record}"),
        "patch configmaps shop".into(),
        format!("patch {record}"),
        "patch secrets shop".into(),
    ];
    let mut written = writes(&operator);
    written.retain(|write| !write.contains("webs"));
    written.sort();
    assert_eq!(written, once);
    assert_eq!(renders(&operator, "Web").await, 1);

    // What somebody takes away comes back as it was.
    namespace.delete("Secret", "shop").await;
    let back = |secret: &Json| secret["metadata"]["uid"] != first["metadata"]["uid"];
    let second = namespace.until("Secret", "shop", "it is back", back).await;
    assert_eq!(second["data"], first["data"]);
    namespace.patch("ConfigMap", "shop", json!({"data": {"revision": "mine"}})).await;
    let put_back = |map: &Json| map["data"]["revision"] == "1 true false";
    namespace.until("ConfigMap", "shop", "it is put back", put_back).await;
    three_passes(&operator, "Web").await;
    operator.kill();

    let again = Operator::start_with(&project, &namespace, &OFTEN).await;
    three_passes(&again, "Web").await;
    assert_eq!(writes(&again), [""; 0]);
    assert_eq!(renders(&again, "Web").await, 0);

    namespace.patch("Web", "shop", json!({"spec": {"other": true}})).await;
    let upgraded = |map: &Json| map["data"]["revision"] == "2 false true";
    namespace.until("ConfigMap", "shop", "it tells of the second revision", upgraded).await;
    three_passes(&again, "Web").await;
    assert_eq!(renders(&again, "Web").await, 1);
    assert_ne!(namespace.find("Secret", "shop").await.unwrap()["data"], first["data"]);
    let applied = writes(&again).into_iter().filter(|write| write == "patch secrets shop").count();
    assert_eq!(applied, 1);
}

#[tokio::test]
async fn a_chart_that_fails_is_rendered_once_and_told_once() {
    let namespace = Namespace::create("failing").await;
    let map = "{{ required \"name it\" .Values.name }}";
    let operator = Operator::start_with(&web(&[("map.yaml", map)]), &namespace, &OFTEN).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let told = |web: &Json| condition_text(web, "Stalled").is_some_and(|text| text == "True/RenderFailed");
    namespace.until("Web", "shop", "it tells why", told).await;
    three_passes(&operator, "Web").await;
    assert_eq!(renders(&operator, "Web").await, 1);
    assert_eq!(writes(&operator), ["patch webs/status shop"]);
}
