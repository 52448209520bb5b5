//! `watches.yaml` and charts are edited while the operator runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::support::{Namespace, Operator, Project, definition, eventually, install_definition, is_deployed};

const BROKEN: &str = "Watches and charts are faulty, the last good ones stay in force";
const RELOADS: &str = "chart_operator_catalog_reloads_total";

async fn until_metric(operator: &Operator, series: &str, value: f64) {
    let reached = || async { operator.metric(series).await.filter(|now| *now >= value) };
    eventually(&format!("{series} is {value}"), reached).await;
}

/// Waits until the ConfigMap has that text.
async fn until_text(namespace: &Namespace, name: &str, text: &str) -> Json {
    namespace.until("ConfigMap", name, text, |note| note["data"]["text"] == text).await
}

#[tokio::test]
async fn an_edit_of_a_chart_changes_its_resources_and_no_others() {
    let namespace = Namespace::create("edited").await;
    let project = Project::new();
    let operator = Operator::start(&project, &namespace).await;
    for (kind, name) in [("Web", "shop"), ("Web", "blog"), ("Page", "about")] {
        namespace.create_resource(kind, name, json!({})).await;
        namespace.until(kind, name, "it is deployed", is_deployed).await;
    }
    let renders = async |kind: &str| {
        operator.metric(&format!("chart_operator_renders_total{{controller=\"{kind}-controller\"")).await.unwrap()
    };
    let (pages, webs) = (renders("page").await, renders("web").await);
    let labelled = |text: String| text.replacen("metadata:\n", "metadata:\n  annotations: {edited: \"yes\"}\n", 1);
    project.edit("helm-charts/web/templates/service.yaml", labelled);
    let edited = |service: &Json| service["metadata"]["annotations"]["edited"] == "yes";
    for name in ["shop-web", "blog-web"] {
        namespace.until("Service", name, "it is as the chart has it now", edited).await;
    }
    let second = |web: &Json| web["status"]["deployedRelease"]["revision"] == 2;
    for name in ["shop", "blog"] {
        namespace.until("Web", name, "it has a second revision", second).await;
    }
    assert!((renders("page").await - pages).abs() < f64::EPSILON, "no page was rendered again");
    assert!((renders("web").await - webs - 2.0).abs() < f64::EPSILON, "each web was rendered once more");
    let page = namespace.find("Page", "about").await.unwrap();
    assert_eq!(page["status"]["deployedRelease"]["revision"], 1);
    assert!(operator.is_ready().await);
}

#[tokio::test]
async fn while_a_chart_is_broken_the_last_good_one_is_used_and_then_the_mended_one() {
    let namespace = Namespace::create("broken").await;
    let project = Project::new();
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Page", "about", json!({})).await;
    namespace.until("Page", "about", "it is deployed", is_deployed).await;
    let good = fs::read_to_string(project.path("helm-charts/web/templates/service.yaml")).unwrap();

    project.edit("helm-charts/web/templates/service.yaml", |text| format!("{text}{{{{ if }}}}\n"));
    until_metric(&operator, &format!("{RELOADS}{{result=\"error\"}}"), 1.0).await;
    assert_eq!(operator.metric("chart_operator_catalog_last_reload_successful").await, Some(0.0));
    assert!(operator.is_ready().await);
    // Also where it is not edited itself, and for resources that come now.
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed by the chart as it was", is_deployed).await;
    let told = operator.logged(BROKEN);
    assert_eq!(told.len(), 1, "{told:?}");
    let error = told[0]["error"].as_str().unwrap();
    assert!(error.contains("helm-charts/web") && error.contains("service.yaml"), "{error}");

    project.edit("helm-charts/web/templates/service.yaml", |_| good.replace("spec:", "spec:\n  externalName: \"\""));
    until_metric(&operator, &format!("{RELOADS}{{result=\"success\"}}"), 1.0).await;
    let second = |web: &Json| web["status"]["deployedRelease"]["revision"] == 2;
    namespace.until("Web", "shop", "it is deployed by the mended chart", second).await;
    assert_eq!(operator.metric("chart_operator_catalog_last_reload_successful").await, Some(1.0));
    assert!(operator.metric("chart_operator_catalog_last_reload_success_timestamp_seconds").await.unwrap() > 1e9);

    project.edit("watches.yaml", |text| format!("{text}\n- kind: Nothing\n"));
    until_metric(&operator, &format!("{RELOADS}{{result=\"error\"}}"), 2.0).await;
    namespace.patch("Web", "shop", json!({"spec": {"replicaCount": 3}})).await;
    let scaled = |deployment: &Json| deployment["spec"]["replicas"] == 3;
    namespace.until("Deployment", "shop-web", "it is still worked on", scaled).await;
    assert_eq!(operator.logged(BROKEN).len(), 2);
}

#[tokio::test]
async fn a_kind_that_is_added_is_served_and_one_that_is_removed_is_left_as_it_is() {
    let namespace = Namespace::create("added").await;
    install_definition(&namespace.client, &definition("Newcomer")).await;
    let project = Project::of_notes("Newcomer");
    let full = fs::read_to_string(project.watches()).unwrap();
    project.edit("watches.yaml", |_| "[]\n".to_owned());
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Newcomer", "letter", json!({"text": "first"})).await;

    project.edit("watches.yaml", |_| full.clone());
    until_text(&namespace, "letter", "first").await;
    namespace.until("Newcomer", "letter", "it is deployed", is_deployed).await;

    project.edit("watches.yaml", |_| "[]\n".to_owned());
    let left = || async { operator.logged("Watch is gone, its resources are left as they are").into_iter().next() };
    eventually("the watch is gone", left).await;
    let letter = namespace.patch("Newcomer", "letter", json!({"spec": {"text": "second"}})).await;
    assert_eq!(letter["metadata"]["finalizers"].as_array().unwrap().len(), 1);
    assert_eq!(namespace.find("ConfigMap", "letter").await.unwrap()["data"]["text"], "first");
    assert!(operator.is_ready().await, "{:?}", operator.readyz().await);
    let series = "resource_created_at_seconds{group=\"tests.samutup.com\",kind=\"Newcomer\"";
    eventually("it is forgotten", || async { operator.metric(series).await.is_none().then_some(()) }).await;

    project.edit("watches.yaml", |_| full.clone());
    until_text(&namespace, "letter", "second").await;
    let second = |letter: &Json| letter["status"]["deployedRelease"]["revision"] == 2;
    namespace.until("Newcomer", "letter", "it goes on where it was", second).await;
    namespace.delete("Newcomer", "letter").await;
    namespace.until_gone("Newcomer", "letter").await;
    namespace.until_gone("ConfigMap", "letter").await;
}

#[tokio::test]
async fn what_an_entry_says_anew_holds_for_the_resources_that_are_there() {
    let namespace = Namespace::create("chosen").await;
    install_definition(&namespace.client, &definition("Chosen")).await;
    let project = Project::of_notes("Chosen");
    let entry = fs::read_to_string(project.watches()).unwrap();
    let with = |more: &str| entry.replace('}', &format!(", {more}}}"));
    let _operator = Operator::start(&project, &namespace).await;
    let body = |text: &str, of: &str| json!({"metadata": {"labels": {"of": of}}, "spec": {"text": text}});
    namespace.create_named("Chosen", "mine", body("mine", "us")).await;
    namespace.create_named("Chosen", "theirs", body("theirs", "them")).await;
    until_text(&namespace, "mine", "mine").await;
    until_text(&namespace, "theirs", "theirs").await;
    namespace.until("Chosen", "theirs", "it is deployed", is_deployed).await;

    project.edit("watches.yaml", |_| with("overrideValues: {text: everybody's}"));
    until_text(&namespace, "mine", "everybody's").await;
    until_text(&namespace, "theirs", "everybody's").await;

    project.edit("watches.yaml", |_| with("selector: {matchLabels: {of: us}}"));
    until_text(&namespace, "mine", "mine").await;
    namespace.patch("Chosen", "mine", json!({"spec": {"text": "still mine"}})).await;
    until_text(&namespace, "mine", "still mine").await;
    let theirs = namespace.find("ConfigMap", "theirs").await.unwrap();
    assert_eq!(theirs["data"]["text"], "everybody's", "nobody looks after it any more");
}

/// Points the link `at` to `target`, in one step.
fn exchange(target: &str, at: &Path) {
    let new = at.with_file_name("..new");
    symlink(target, &new).unwrap();
    fs::rename(&new, at).unwrap();
}

#[tokio::test]
async fn a_config_map_that_is_mounted_as_the_chart_is_followed() {
    let namespace = Namespace::create("mounted").await;
    install_definition(&namespace.client, &definition("Mounted")).await;
    let project = Project::of_notes("Mounted");
    // As the kubelet mounts one: files are links through `..data`, which is exchanged as a whole.
    let template = fs::read_to_string(project.path("note/templates/note.yaml")).unwrap();
    project.edit("note/..1/note.yaml", |_| template.clone());
    project.edit("note/..2/note.yaml", |_| template.replace(".Values.text", "(upper .Values.text)"));
    fs::remove_file(project.path("note/templates/note.yaml")).unwrap();
    exchange("..1", &project.path("note/..data"));
    symlink("../..data/note.yaml", project.path("note/templates/note.yaml")).unwrap();
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Mounted", "letter", json!({"text": "hello"})).await;
    until_text(&namespace, "letter", "hello").await;

    exchange("..2", &project.path("note/..data"));
    until_text(&namespace, "letter", "HELLO").await;
    fs::remove_dir_all(project.path("note/..1")).unwrap();
    project.edit("note/..3/note.yaml", |_| template.replace(".Values.text", "(title .Values.text)"));
    exchange("..3", &project.path("note/..data"));
    until_text(&namespace, "letter", "Hello").await;
    assert_eq!(operator.logged(BROKEN).len(), 0);
}
