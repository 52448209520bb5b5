//! From a resource to its objects and back.

use serde_json::{Value as Json, json};

use crate::support::{Namespace, Operator, Project, condition, condition_text, eventually};

const FINALIZER: &str = "helm.sdk.operatorframework.io/uninstall-release";

fn is_deployed(resource: &Json) -> bool {
    condition_text(resource, "Deployed").is_some_and(|text| text.starts_with("True/"))
}

async fn installed(namespace: &Namespace, kind: &str, name: &str, spec: Json) -> Json {
    namespace.create_resource(kind, name, spec).await;
    namespace.until(kind, name, "it is deployed", is_deployed).await
}

#[tokio::test]
async fn a_resource_becomes_the_objects_of_its_chart_and_says_so() {
    let namespace = Namespace::create("install").await;
    let operator = Operator::start(&Project::new(), &namespace).await;
    let web = installed(&namespace, "Web", "shop", json!({"replicaCount": 2})).await;

    assert_eq!(condition_text(&web, "Initialized").unwrap(), "True/");
    assert_eq!(condition_text(&web, "Deployed").unwrap(), "True/InstallSuccessful");
    let notes = condition(&web, "Deployed").unwrap()["message"].as_str().unwrap();
    assert!(notes.contains("shop"), "{notes}");
    assert_eq!(web["status"]["deployedRelease"]["name"], "shop");
    assert_eq!(web["metadata"]["finalizers"], json!([FINALIZER]));
    let annotations = &web["metadata"]["annotations"];
    assert_eq!(annotations["applyset.kubernetes.io/tooling"], "chart-operator/v1");
    assert_eq!(
        annotations["applyset.kubernetes.io/contains-group-kinds"],
        "ConfigMap,Deployment.apps,Service,ServiceAccount"
    );

    let deployment = namespace.find("Deployment", "shop-web").await.unwrap();
    assert_eq!(deployment["spec"]["replicas"], 2);
    let metadata = &deployment["metadata"];
    assert_eq!(metadata["labels"]["helm.sdk.operatorframework.io/chart"], "web");
    assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], "Helm");
    assert_eq!(
        metadata["labels"]["applyset.kubernetes.io/part-of"],
        web["metadata"]["labels"]["applyset.kubernetes.io/id"]
    );
    assert_eq!(metadata["annotations"]["meta.helm.sh/release-name"], "shop");
    let owner = &metadata["ownerReferences"][0];
    assert_eq!(
        (&owner["kind"], &owner["uid"], &owner["controller"]),
        (&json!("Web"), &web["metadata"]["uid"], &json!(true))
    );

    let record = namespace.find("Secret", "sh.helm.release.v1.shop.v1").await.unwrap();
    assert_eq!(record["type"], "helm.sh/release.v1");
    assert_eq!(record["metadata"]["labels"]["status"], "deployed");
    assert_eq!(operator.logged("Installed release").len(), 1);
    // Without a node no Pod runs: the resource is not ready, and says what it waits for.
    let ready = condition(&web, "Ready");
    assert!(ready.is_none_or(|ready| ready["status"] == "False"), "{ready:?}");
}

#[tokio::test]
async fn pages_of_a_handlebars_template_are_served_and_follow_an_edit() {
    let namespace = Namespace::create("page").await;
    let _operator = Operator::start(&Project::new(), &namespace).await;
    installed(&namespace, "Page", "docs", json!({"title": "A & B", "port": 8080})).await;
    let page = namespace.find("ConfigMap", "docs-page").await.unwrap();
    let html = page["data"]["index.html"].as_str().unwrap();
    assert!(html.contains("<title>Welcome – A &amp; B</title>"), "{html}");
    let service = namespace.find("Service", "docs-page").await.unwrap();
    assert_eq!(service["spec"]["ports"][0]["port"], 8080);
    let hash = |deployment: &Json| deployment["spec"]["template"]["metadata"]["annotations"]["checksum/pages"].clone();
    let before = hash(&namespace.find("Deployment", "docs-page").await.unwrap());
    assert!(before.is_string(), "{before}");

    namespace.patch("Page", "docs", json!({"spec": {"title": "C"}})).await;
    let changed = |page: &Json| page["data"]["index.html"].as_str().is_some_and(|html| html.contains("Welcome – C<"));
    namespace.until("ConfigMap", "docs-page", "it has the new title", changed).await;
    let rolled = |deployment: &Json| hash(deployment) != before;
    namespace.until("Deployment", "docs-page", "its Pods are new ones", rolled).await;

    namespace.patch("Page", "docs", json!({"spec": {"pages": []}})).await;
    let refused = |page: &Json| condition(page, "Irreconcilable").is_some();
    let refused = namespace.until("Page", "docs", "it says what is missing", refused).await;
    let message = condition(&refused, "Irreconcilable").unwrap()["message"].as_str().unwrap();
    assert!(message.contains("pages must hold at least one page"), "{message}");
}

#[tokio::test]
async fn the_seeds_sample_becomes_its_four_objects() {
    let namespace = Namespace::create("minimart").await;
    let _operator = Operator::start(&Project::new(), &namespace).await;
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/charts_v1alpha1_minimart.yaml")).unwrap();
    let sample = chart_operator::yaml::to_json(&text, chart_operator::yaml::Numbers::Exact).unwrap();
    installed(&namespace, "Minimart", "minimart-sample", sample["spec"].clone()).await;

    let page = namespace.find("ConfigMap", "minimart").await.unwrap();
    let data = page["data"]["minimart.yaml"].as_str().unwrap();
    assert!(data.contains("/minimart-stat") && data.contains("httpport: 8002"), "{data}");
    let service = namespace.find("Service", "minimart-sample").await.unwrap();
    assert_eq!((&service["spec"]["type"], &service["spec"]["ports"][0]["port"]), (&json!("NodePort"), &json!(80)));
    assert!(namespace.find("Deployment", "minimart-sample").await.is_some());
    assert!(namespace.find("ServiceAccount", "minimart-sample").await.is_some());
    assert!(namespace.names("Pod").await.iter().all(|pod| !pod.contains("test-connection")));
}

#[tokio::test]
async fn an_edit_of_the_spec_is_an_upgrade_with_a_revision_of_its_own() {
    let namespace = Namespace::create("upgrade").await;
    let operator = Operator::start(&Project::new(), &namespace).await;
    installed(&namespace, "Web", "shop", json!({})).await;
    namespace.patch("Web", "shop", json!({"spec": {"replicaCount": 3}})).await;
    namespace.until("Deployment", "shop-web", "it has 3 replicas", |found| found["spec"]["replicas"] == 3).await;
    let upgraded = |web: &Json| condition_text(web, "Deployed").as_deref() == Some("True/UpgradeSuccessful");
    let web = namespace.until("Web", "shop", "it is upgraded", upgraded).await;
    assert_eq!(web["status"]["deployedRelease"]["revision"], 2);
    let superseded = |record: &Json| record["metadata"]["labels"]["status"] == "superseded";
    namespace.until("Secret", "sh.helm.release.v1.shop.v1", "it is superseded", superseded).await;
    let record = namespace.find("Secret", "sh.helm.release.v1.shop.v2").await.unwrap();
    assert_eq!(record["metadata"]["labels"]["status"], "deployed");
    assert_eq!(operator.logged("Upgraded release").len(), 1);
}

#[tokio::test]
async fn what_is_no_longer_rendered_is_deleted_and_what_was_never_ours_is_not() {
    let namespace = Namespace::create("prune").await;
    let _operator = Operator::start(&Project::new(), &namespace).await;
    installed(&namespace, "Web", "shop", json!({})).await;
    assert!(namespace.names("ServiceAccount").await.contains(&"shop-web".to_owned()));
    let edit = json!({"spec": {"serviceAccount": {"create": false, "name": "default"}}});
    namespace.patch("Web", "shop", edit).await;
    namespace.until_gone("ServiceAccount", "shop-web").await;
    assert!(namespace.names("ServiceAccount").await.contains(&"default".to_owned()));
}

#[tokio::test]
async fn what_somebody_changes_or_deletes_is_put_back_and_what_he_adds_stays() {
    let namespace = Namespace::create("drift").await;
    let operator = Operator::start(&Project::new(), &namespace).await;
    installed(&namespace, "Web", "shop", json!({})).await;
    let before = namespace.find("Deployment", "shop-web").await.unwrap();

    namespace
        .patch("Deployment", "shop-web", json!({"spec": {"replicas": 5}, "metadata": {"labels": {"mine": "x"}}}))
        .await;
    let put_back = |found: &Json| found["spec"]["replicas"] == 1;
    let after = namespace.until("Deployment", "shop-web", "1 replica again", put_back).await;
    assert_eq!(after["metadata"]["labels"]["mine"], "x");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);

    // The key of a list's element: the old one beside the new one would be refused.
    let port = json!([{"op": "replace", "path": "/spec/ports/0/port", "value": 81}]);
    namespace.json_patch("Service", "shop-web", port).await;
    let put_back = |found: &Json| {
        let (ports, managers) = (&found["spec"]["ports"], found["metadata"]["managedFields"].as_array().unwrap());
        ports.as_array().unwrap().len() == 1
            && ports[0]["port"] == 80
            && managers.iter().all(|entry| entry["manager"] != "chart-operator-repair")
    };
    namespace.until("Service", "shop-web", "port 80 again, owned by us alone", put_back).await;

    namespace.delete("Service", "shop-web").await;
    let probe = || async { namespace.find("Service", "shop-web").await };
    eventually("the Service is back", probe).await;

    let part_of = "applyset.kubernetes.io/part-of";
    namespace.patch("ConfigMap", "shop-web", json!({"metadata": {"labels": {part_of: null}}})).await;
    let labelled = |found: &Json| found["metadata"]["labels"][part_of].is_string();
    namespace.until("ConfigMap", "shop-web", "it is labelled again", labelled).await;
    assert_eq!(operator.logged("Upgraded release").len(), 0);
    assert_eq!(namespace.names("Secret").await, ["sh.helm.release.v1.shop.v1"]);
}

#[tokio::test]
async fn a_deleted_resource_takes_its_objects_and_records_with_it() {
    let namespace = Namespace::create("delete").await;
    let operator = Operator::start(&Project::new(), &namespace).await;
    installed(&namespace, "Web", "shop", json!({})).await;
    namespace.delete("Web", "shop").await;
    namespace.until_gone("Web", "shop").await;
    for (kind, name) in [
        ("Deployment", "shop-web"),
        ("Service", "shop-web"),
        ("ConfigMap", "shop-web"),
        ("ServiceAccount", "shop-web"),
        ("Secret", "sh.helm.release.v1.shop.v1"),
    ] {
        namespace.until_gone(kind, name).await;
    }
    assert_eq!(operator.logged("Uninstalled release").len(), 1);
}

#[tokio::test]
async fn override_values_win_over_the_spec_and_are_announced() {
    let namespace = Namespace::create("override").await;
    let project = Project::new();
    project.edit("watches.yaml", |text| {
        text.replace(
            "kind: Web",
            "kind: Web\n  overrideValues:\n    image.tag: pinned\n  overrides:\n    replicaCount: 4",
        )
    });
    let _operator = Operator::start(&project, &namespace).await;
    installed(&namespace, "Web", "shop", json!({"image": {"tag": "wished"}, "replicaCount": 1})).await;
    let deployment = namespace.find("Deployment", "shop-web").await.unwrap();
    assert_eq!(deployment["spec"]["replicas"], 4);
    assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["image"], "nginx:pinned");
    let announced = || async {
        let events = namespace.api("Event").list(&kube::api::ListParams::default()).await.unwrap();
        let event = events.items.into_iter().find(|event| event.data["reason"] == "OverrideValuesInUse")?;
        event.data["message"].as_str().map(str::to_owned)
    };
    let message = eventually("an event names the override", announced).await;
    assert_eq!(message, "Chart value \"image.tag\" overridden to \"pinned\" by operator's watches.yaml");
}

#[tokio::test]
async fn only_resources_that_the_selector_matches_are_looked_at() {
    let namespace = Namespace::create("selector").await;
    let project = Project::new();
    project.edit("watches.yaml", |text| {
        text.replace("kind: Web", "kind: Web\n  selector:\n    matchLabels: {tier: gold}")
    });
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "plain", json!({})).await;
    installed(&namespace, "Minimart", "mart", json!({})).await;
    namespace.create_resource("Web", "chosen", json!({})).await;
    namespace.patch("Web", "chosen", json!({"metadata": {"labels": {"tier": "gold"}}})).await;
    namespace.until("Web", "chosen", "it is deployed", is_deployed).await;
    assert!(namespace.find("Deployment", "plain-web").await.is_none());

    // One that leaves is let be, not torn down.
    namespace.patch("Web", "chosen", json!({"metadata": {"labels": {"tier": null}}})).await;
    namespace.patch("Minimart", "mart", json!({"spec": {"replicaCount": 2}})).await;
    namespace
        .until("Deployment", "mart-minimart", "it was upgraded later", |found| found["spec"]["replicas"] == 2)
        .await;
    assert!(namespace.find("Deployment", "chosen-web").await.is_some());
}

const WIDGETS: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.test.example.com}
spec:
  group: test.example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

#[tokio::test]
async fn what_a_chart_defines_is_created_first_and_stays_when_the_resource_goes() {
    let namespace = Namespace::create("crds").await;
    let project = Project::new();
    project.edit("helm-charts/web/crds/widgets.yaml", |_| WIDGETS.to_owned());
    project.edit("helm-charts/web/templates/widget.yaml", |_| {
        "apiVersion: test.example.com/v1\nkind: Widget\nmetadata: {name: {{ .Release.Name }}}\nsize: 3\n".to_owned()
    });
    let _operator = Operator::start(&project, &namespace).await;
    installed(&namespace, "Web", "shop", json!({})).await;
    assert_eq!(namespace.find("Widget", "shop").await.unwrap()["size"], 3);
    namespace.delete("Web", "shop").await;
    namespace.until_gone("Web", "shop").await;
    namespace.until_gone("Widget", "shop").await;
    assert!(namespace.find("CustomResourceDefinition", "widgets.test.example.com").await.is_some());
}

#[tokio::test]
async fn a_release_that_was_there_before_goes_on_with_its_next_revision() {
    let namespace = Namespace::create("before").await;
    let project = Project::new();
    let operator = Operator::start(&project, &namespace).await;
    installed(&namespace, "Web", "shop", json!({})).await;
    let record = namespace.find("Secret", "sh.helm.release.v1.shop.v1").await.unwrap();
    namespace.delete("Web", "shop").await;
    namespace.until_gone("Web", "shop").await;
    operator.kill();

    let mut copy = json!({"apiVersion": "v1", "kind": "Secret", "type": record["type"], "data": record["data"]});
    copy["metadata"] = json!({"name": record["metadata"]["name"], "labels": record["metadata"]["labels"]});
    namespace.create_object("Secret", copy).await;
    let _operator = Operator::start(&project, &namespace).await;
    let web = installed(&namespace, "Web", "shop", json!({})).await;
    assert_eq!(web["status"]["deployedRelease"]["revision"], 2);
    let superseded = |record: &Json| record["metadata"]["labels"]["status"] == "superseded";
    namespace.until("Secret", "sh.helm.release.v1.shop.v1", "it is superseded", superseded).await;
}

#[tokio::test]
async fn without_dependent_watches_drift_is_seen_when_the_period_is_over() {
    let namespace = Namespace::create("unwatched").await;
    let project = Project::new();
    project.edit("watches.yaml", |text| text.replace("kind: Web", "kind: Web\n  watchDependentResources: false"));
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=3s"]).await;
    installed(&namespace, "Web", "shop", json!({})).await;
    namespace.delete("Service", "shop-web").await;
    eventually("the Service is back", || async { namespace.find("Service", "shop-web").await }).await;
    assert!(operator.logged("Upgraded release").is_empty());
}

#[tokio::test]
async fn a_finalizer_that_somebody_took_off_is_put_back() {
    let namespace = Namespace::create("finalizer").await;
    let _operator = Operator::start(&Project::new(), &namespace).await;
    installed(&namespace, "Web", "shop", json!({})).await;
    namespace.patch("Web", "shop", json!({"metadata": {"finalizers": null}})).await;
    let finalized = |web: &Json| web["metadata"]["finalizers"] == json!([FINALIZER]);
    namespace.until("Web", "shop", "its finalizer is back", finalized).await;
}
