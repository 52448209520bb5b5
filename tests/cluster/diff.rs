//! `diff` against a cluster: it tells what would change, and changes nothing.

use std::process::{Command, Output};

use serde_json::{Value as Json, json};
use testbed::guard::Folder;

use crate::support::{Namespace, Operator, Project, is_deployed, plane};

async fn diff(project: &Project, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chart-operator"));
    command.arg("diff").arg("--watches-file").arg(project.watches()).args(arguments);
    command.env("KUBECONFIG", plane().kubeconfig());
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    (status.code().unwrap(), text)
}

async fn installed(namespace: &Namespace) -> Json {
    let _operator = Operator::start(&Project::new(), namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    namespace.find("Deployment", "shop-web").await.unwrap()
}

#[tokio::test]
async fn a_changed_chart_is_told_object_by_object_and_nothing_is_written() {
    let namespace = Namespace::create("diff").await;
    let before = installed(&namespace).await;
    let project = Project::new();
    let same = diff(&project, &["--namespace", &namespace.name]).await;
    assert_eq!(same, (0, "0 objects of 1 resource would change\n".to_owned()));

    project.edit("helm-charts/web/values.yaml", |text| text.replace("replicaCount: 1", "replicaCount: 3"));
    project.edit("helm-charts/web/templates/service.yaml", |_| String::new());
    let (code, text) = diff(&project, &["--namespace", &namespace.name]).await;
    let ns = &namespace.name;
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains(&format!("~ apps/Deployment {ns}/shop-web is rendered differently (Web {ns}/shop)")),
        "{text}"
    );
    assert!(text.contains("-  replicas: 1\n+  replicas: 3\n"), "{text}");
    assert!(text.contains(&format!("- Service {ns}/shop-web is not rendered any more (Web {ns}/shop)")), "{text}");
    assert!(text.ends_with("2 objects of 1 resource would change\n"), "{text}");
    let after = namespace.find("Deployment", "shop-web").await.unwrap();
    assert_eq!(before["metadata"]["generation"], after["metadata"]["generation"]);
    assert!(namespace.find("Service", "shop-web").await.is_some());
}

#[tokio::test]
async fn a_resource_that_is_not_there_yet_is_told_as_if_it_were() {
    let namespace = Namespace::create("diff-new").await;
    let (folder, project) = (Folder::new("chart-operator-diff-").unwrap(), Project::new());
    let file = folder.path().join("web.yaml");
    let web = json!({
        "apiVersion": "charts.samutup.com/v1alpha1", "kind": "Web", "spec": {"replicaCount": 2},
        "metadata": {"name": "shop", "namespace": namespace.name},
    });
    std::fs::write(&file, web.to_string()).unwrap();
    let (code, text) = diff(&project, &["--cr", file.to_str().unwrap()]).await;
    assert_eq!(code, 2, "{text}");
    assert_eq!(
        text.lines().filter(|line| line.starts_with("+ ") && line.contains("does not exist")).count(),
        4,
        "{text}"
    );
    assert!(text.contains("+  replicas: 2\n"), "{text}");
    assert!(namespace.find("Web", "shop").await.is_none());
    assert!(namespace.names("Deployment").await.is_empty());

    std::fs::write(&file, json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}).to_string()).unwrap();
    let (code, text) = diff(&project, &["--cr", file.to_str().unwrap()]).await;
    assert_eq!((code, text.contains("no watch is for `v1 Pod`")), (1, true), "{text}");
}

#[tokio::test]
async fn the_patches_of_a_watch_are_told_and_drift_that_it_lets_be_is_not() {
    let namespace = Namespace::create("diff-rules").await;
    installed(&namespace).await;
    namespace.patch("Deployment", "shop-web", json!({"spec": {"replicas": 5}})).await;
    let project = Project::new();
    let (_, text) = diff(&project, &["--namespace", &namespace.name]).await;
    assert!(text.contains("+  replicas: 1\n") && text.ends_with("1 object of 1 resource would change\n"), "{text}");
    let rules =
        "  drift: ignore\n  patches: [{target: {kind: ConfigMap}, patch: [{op: add, path: /data/added, value: x}]}]\n";
    project.add_fields_of_web(rules);
    let (_, text) = diff(&project, &["--namespace", &namespace.name]).await;
    assert!(text.contains("+  added: x\n") && text.ends_with("1 object of 1 resource would change\n"), "{text}");
}
