//! What a chart looks up is followed: a change of it renders again, and nothing else does.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::quiet::{renders, three_passes, web, writes};
use crate::rights::{EVENTS, RESOURCES, grant};
use crate::support::{Namespace, Operator, Setting, definition, install_definition, is_deployed, plane};

const OFTEN: [&str; 1] = ["--reconcile-period=300ms"];

/// The pattern of public charts: the password that is there, or a new one.
const FOUND_OR_RANDOM: &str = r#"{{- $found := lookup "v1" "Secret" .Release.Namespace .Release.Name }}
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
data:
  password: {{ if $found }}{{ $found.data.password }}{{ else }}{{ randAlphaNum 12 | b64enc }}{{ end }}
"#;

const RANDOM_MAP: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {token: {{ randAlphaNum 12 | quote }}}
";

fn of_objects(operator: &Operator) -> Vec<String> {
    let mut written = writes(operator);
    written.retain(|write| !write.contains("webs"));
    written.sort();
    written
}

#[tokio::test]
async fn a_chart_that_looks_for_its_own_secret_is_applied_once_and_keeps_its_password() {
    let namespace = Namespace::create("own-secret").await;
    let project = web(&[("secret.yaml", FOUND_OR_RANDOM)]);
    let operator = Operator::start_with(&project, &namespace, &OFTEN).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    let first = namespace.find("Secret", "shop").await.unwrap();
    three_passes(&operator, "Web").await;
    let record = "secrets sh.helm.release.v1.shop.v1";
    let once = [format!("create {record}"), format!("patch {record}"), "patch secrets shop".into()];
    assert_eq!(of_objects(&operator), once);
    // Once without the Secret, once with it.
    assert_eq!(renders(&operator, "Web").await, 2);
    operator.kill();

    let again = Operator::start_with(&project, &namespace, &OFTEN).await;
    three_passes(&again, "Web").await;
    assert_eq!((writes(&again), renders(&again, "Web").await), (Vec::new(), 0));

    // Somebody adds to it: that is looked at once, and nothing comes of it.
    namespace.patch("Secret", "shop", json!({"data": {"more": "YQ=="}})).await;
    let rendered = || async { (renders(&again, "Web").await > 0).then_some(()) };
    crate::support::eventually("it is rendered again", rendered).await;
    three_passes(&again, "Web").await;
    assert_eq!((writes(&again), renders(&again, "Web").await), (Vec::new(), 1));

    // What is lost comes back with the same password.
    namespace.delete("Secret", "shop").await;
    let back = |secret: &Json| secret["metadata"]["uid"] != first["metadata"]["uid"];
    let second = namespace.until("Secret", "shop", "it is back", back).await;
    assert_eq!(second["data"], first["data"]);
    three_passes(&again, "Web").await;
    assert_eq!(namespace.find("Web", "shop").await.unwrap()["status"]["deployedRelease"]["revision"], 1);
}

#[tokio::test]
async fn looking_for_its_own_secret_does_not_renew_what_else_is_random() {
    let namespace = Namespace::create("own-and-random").await;
    let project = web(&[("secret.yaml", FOUND_OR_RANDOM), ("map.yaml", RANDOM_MAP)]);
    let operator = Operator::start_with(&project, &namespace, &OFTEN).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    three_passes(&operator, "Web").await;
    let record = "secrets sh.helm.release.v1.shop.v1";
    let once = [
        format!("create {record}"),
        "patch configmaps shop".into(),
        format!("patch {record}"),
        "patch secrets shop".into(),
    ];
    assert_eq!(of_objects(&operator), once);
}

const COPY: &str = r#"{{- $found := lookup "v1" "ConfigMap" .Release.Namespace .Values.from }}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-copy}
data:
  text: {{ if $found }}{{ quote $found.data.text }}{{ else }}none{{ end }}
  services: {{ range (lookup "v1" "Service" .Release.Namespace "").items }}{{ .kind }}-{{ .metadata.name }}{{ end }}
"#;

#[tokio::test]
async fn a_change_of_what_was_looked_up_renders_those_who_looked_and_nobody_else() {
    let namespace = Namespace::create("foreign").await;
    let project = web(&[("copy.yaml", COPY)]);
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1h"]).await;
    for name in ["one", "two"] {
        namespace.create_resource("Web", name, json!({"from": name})).await;
        namespace.until("Web", name, "it is deployed", is_deployed).await;
    }
    let copied = |text: &'static str| move |map: &Json| map["data"]["text"] == text;
    assert_eq!(renders(&operator, "Web").await, 2);

    namespace.create_named("ConfigMap", "one", json!({"data": {"text": "first"}})).await;
    namespace.until("ConfigMap", "one-copy", "it has the text", copied("first")).await;
    namespace.patch("ConfigMap", "one", json!({"data": {"text": "second"}})).await;
    namespace.until("ConfigMap", "one-copy", "it has the new text", copied("second")).await;
    namespace.delete("ConfigMap", "one").await;
    namespace.until("ConfigMap", "one-copy", "it has none again", copied("none")).await;
    assert!(copied("none")(&namespace.find("ConfigMap", "two-copy").await.unwrap()));
    assert_eq!(renders(&operator, "Web").await, 5);

    // A list is one look-up, and both have made it.
    let service = json!({"spec": {"ports": [{"port": 80}]}});
    namespace.create_named("Service", "web", service).await;
    for name in ["one-copy", "two-copy"] {
        let listed = |map: &Json| map["data"]["services"] == "Service-web";
        namespace.until("ConfigMap", name, "it has the service", listed).await;
    }
    let second = |web: &Json| web["status"]["deployedRelease"]["revision"] == 2;
    namespace.until("Web", "two", "it is another revision", second).await;
}

const SERVED: &str = r#"apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  served: {{ if .Values.asks }}{{ .Capabilities.APIVersions.Has "tests.samutup.com/v1/Appearing" | quote }}{{ else }}""{{ end }}
  found: {{ if .Values.looks }}{{ len (lookup "tests.samutup.com/v1" "Appearing" .Release.Namespace "") | quote }}{{ end }}
"#;

#[tokio::test]
async fn a_kind_that_appears_renders_those_who_asked_for_it() {
    let namespace = Namespace::create("appearing").await;
    let project = web(&[("map.yaml", SERVED)]);
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1h"]).await;
    for (name, spec) in [("asks", json!({"asks": true})), ("looks", json!({"looks": true})), ("neither", json!({}))] {
        namespace.create_resource("Web", name, spec).await;
        namespace.until("Web", name, "it is deployed", is_deployed).await;
    }
    assert_eq!(renders(&operator, "Web").await, 3);
    let asked = namespace.find("ConfigMap", "asks").await.unwrap();
    assert_eq!(asked["data"]["served"], "false");

    install_definition(&namespace.client, &definition("Appearing")).await;
    let served = |map: &Json| map["data"]["served"] == "true";
    namespace.until("ConfigMap", "asks", "it knows the kind", served).await;
    let found = |map: &Json| map["data"]["found"] == "4";
    namespace.until("ConfigMap", "looks", "it has a list", found).await;
    assert_eq!(renders(&operator, "Web").await, 5);
}

const DOOR: &str = r#"apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {found: {{ (lookup "v1" "Service" .Release.Namespace "door").kind | default "none" }}}
"#;

#[tokio::test]
async fn what_may_be_read_and_not_watched_is_read_again_with_every_period() {
    let namespace = Namespace::create("unwatched").await;
    let setting = Setting::without_rights(plane(), &namespace.name);
    let rules = [RESOURCES, EVENTS, ("", &["configmaps", "secrets"], &["*"]), ("", &["services"], &["get"])];
    grant(&namespace, &setting.user, "operator", &rules).await;
    let project = web(&[("map.yaml", DOOR)]);
    let mut operator = Operator::launch(&project, setting, &OFTEN);
    operator.until_ready().await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    let found = |kind: &'static str| move |map: &Json| map["data"]["found"] == kind;
    assert!(found("none")(&namespace.find("ConfigMap", "shop").await.unwrap()));

    namespace.create_named("Service", "door", json!({"spec": {"ports": [{"port": 80}]}})).await;
    namespace.until("ConfigMap", "shop", "it has seen the Service", found("Service")).await;
    namespace.delete("Service", "door").await;
    namespace.until("ConfigMap", "shop", "it has seen it go", found("none")).await;
    let renders = renders(&operator, "Web").await;
    three_passes(&operator, "Web").await;
    assert_eq!(crate::quiet::renders(&operator, "Web").await, renders, "what is the same renders nothing");
    let told = operator.logged("Watch failed");
    assert!(told.len() <= 1, "once: {told:?}");
}

/// The texts of maps with a label, when they may be told.
const SELECTED: &str = r#"{{- $maps := lookupSelector "v1" "ConfigMap" .Release.Namespace "copy in (yes)" (list "data.text") }}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-copy}
data:
  texts: {{ range $maps }}{{ .metadata.name }}={{ .data.text }} {{ end }}
  told: {{ elapsed "3s" .Values.since | quote }}
  stage: {{ dig "metadata" "labels" "stage" "none" .CR }}
"#;

#[tokio::test]
async fn objects_are_selected_by_labels_and_only_the_fields_that_were_asked_for_are_news() {
    let namespace = Namespace::create("selected").await;
    let project = web(&[("copy.yaml", SELECTED)]);
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1h"]).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    let map = |label: &str| json!({"metadata": {"labels": {"copy": label}}, "data": {"text": "t", "other": "o"}});
    let texts = |texts: &'static str| move |map: &Json| map["data"]["texts"].as_str().unwrap_or_default() == texts;

    namespace.create_named("ConfigMap", "b", map("yes")).await;
    namespace.create_named("ConfigMap", "a", map("yes")).await;
    namespace.create_named("ConfigMap", "c", map("no")).await;
    namespace.until("ConfigMap", "shop-copy", "it has both in order", texts("a=t b=t")).await;
    let before = renders(&operator, "Web").await;
    namespace.patch("ConfigMap", "a", json!({"data": {"other": "changed"}})).await;
    namespace.patch("ConfigMap", "c", json!({"data": {"text": "changed"}})).await;
    namespace.patch("ConfigMap", "b", json!({"metadata": {"labels": {"copy": "no"}}})).await;
    namespace.until("ConfigMap", "shop-copy", "one has left", texts("a=t")).await;
    assert_eq!(renders(&operator, "Web").await, before + 1);
    namespace.delete("ConfigMap", "a").await;
    namespace.until("ConfigMap", "shop-copy", "the other is gone", texts("")).await;
}

#[tokio::test]
async fn a_path_of_the_resource_that_templates_read_and_a_time_that_comes_render_again() {
    let namespace = Namespace::create("read-paths").await;
    let project = web(&[("copy.yaml", SELECTED)]);
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=500ms"]).await;
    let since = Timestamp::now().to_string();
    let labelled = json!({"metadata": {"labels": {"other": "w"}}, "spec": {"since": since}});
    namespace.create_named("Web", "shop", labelled).await;
    let told = |map: &Json| map["data"]["told"] == "true";
    namespace.until("ConfigMap", "shop-copy", "the time has come", told).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    // Once before the time has come and once after, whatever was written to the resource in between.
    assert_eq!(renders(&operator, "Web").await, 2);

    namespace.patch("Web", "shop", json!({"metadata": {"labels": {"other": "x"}}})).await;
    three_passes(&operator, "Web").await;
    assert_eq!(renders(&operator, "Web").await, 2);
    namespace.patch("Web", "shop", json!({"metadata": {"labels": {"stage": "two"}}})).await;
    let stage = |map: &Json| map["data"]["stage"] == "two";
    namespace.until("ConfigMap", "shop-copy", "it has the label", stage).await;
    assert_eq!(renders(&operator, "Web").await, 3);
}
