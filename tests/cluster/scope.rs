//! Where the operator looks, and objects that are not simply the resource's own: in no namespace, or to be kept.

use serde_json::{Value as Json, json};

use crate::support::{Namespace, Operator, Project, Setting, eventually, is_deployed, plane};

#[tokio::test]
async fn the_namespaces_of_watch_namespace_are_served_and_no_others() {
    let [first, second, third] =
        [Namespace::create("first").await, Namespace::create("second").await, Namespace::create("third").await];
    let setting = Setting::of(plane(), &format!("{},{}", first.name, second.name));
    let project = Project::new();
    let mut operator = Operator::launch(&project, setting, &[]);
    operator.until_ready().await;
    third.create_resource("Web", "shop", json!({})).await;
    for namespace in [&first, &second] {
        namespace.create_resource("Web", "shop", json!({})).await;
        namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    }
    // Drift is seen in each of them.
    for namespace in [&first, &second] {
        namespace.delete("Service", "shop-web").await;
        let back = || async { namespace.find("Service", "shop-web").await };
        eventually("the Service is back", back).await;
    }
    let untouched = third.find("Web", "shop").await.unwrap();
    assert!(untouched.get("status").is_none() && untouched["metadata"].get("finalizers").is_none(), "{untouched}");
    let elsewhere = operator.calls().into_iter().find(|call| call.namespace == third.name);
    assert!(elsewhere.is_none(), "{elsewhere:?}");
}

#[tokio::test]
async fn without_watch_namespace_all_namespaces_are_served_and_the_selector_tells_which_resources() {
    let [first, second] = [Namespace::create("every").await, Namespace::create("where").await];
    let project = Project::new();
    // Else it would serve the resources of all tests.
    project.edit("watches.yaml", |text| {
        text.replace(
            "  version: v1alpha1\n",
            &format!("  version: v1alpha1\n  selector: {{matchLabels: {{test: {}}}}}\n", first.name),
        )
    });
    let mut operator = Operator::launch(&project, Setting::of(plane(), ""), &[]);
    operator.until_ready().await;
    first.create_resource("Web", "unselected", json!({})).await;
    for namespace in [&first, &second] {
        let body = json!({"metadata": {"labels": {"test": first.name}}, "spec": {}});
        namespace.create_named("Web", "shop", body).await;
        namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    }
    second.delete("Service", "shop-web").await;
    eventually("the Service is back", || async { second.find("Service", "shop-web").await }).await;
    let untouched = first.find("Web", "unselected").await.unwrap();
    assert!(untouched.get("status").is_none(), "{untouched}");
    let names: Vec<_> =
        operator.calls().into_iter().filter(testbed::audit::Request::is_write).map(|call| call.name).collect();
    assert!(names.iter().all(|name| !name.contains("unselected")), "{names:?}");
}

#[tokio::test]
async fn an_object_in_no_namespace_names_its_resource_is_kept_as_rendered_and_goes_with_it() {
    let namespace = Namespace::create("role").await;
    let project = Project::new();
    project.edit("helm-charts/web/templates/role.yaml", |_| {
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  \
         name: {{ .Release.Namespace }}-{{ .Release.Name }}\nrules:\n  \
         - {apiGroups: [\"\"], resources: [pods], verbs: [get]}\n"
            .to_owned()
    });
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;

    let name = format!("{}-shop", namespace.name);
    let role = namespace.find("ClusterRole", &name).await.unwrap();
    let metadata = &role["metadata"];
    assert!(metadata.get("ownerReferences").is_none(), "{metadata}");
    assert_eq!(metadata["annotations"]["operator-sdk/primary-resource"], format!("{}/shop", namespace.name));
    assert_eq!(metadata["annotations"]["operator-sdk/primary-resource-type"], "Web.charts.samutup.com");

    let more = json!({"rules": [{"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get"]}]});
    namespace.patch("ClusterRole", &name, more).await;
    let as_rendered = |found: &Json| found["rules"] == role["rules"];
    namespace.until("ClusterRole", &name, "it is as rendered again", as_rendered).await;

    namespace.delete("Web", "shop").await;
    namespace.until_gone("Web", "shop").await;
    namespace.until_gone("ClusterRole", &name).await;
}

/// Whether the object carries nothing that binds it to a resource.
fn is_free(object: &Json) -> bool {
    let metadata = &object["metadata"];
    let part_of = metadata.pointer("/labels/applyset.kubernetes.io~1part-of");
    let owners = metadata["ownerReferences"].as_array();
    part_of.is_none() && owners.is_none_or(|owners| owners.iter().all(|owner| owner["kind"] != "Web"))
}

#[tokio::test]
async fn objects_to_be_kept_stay_when_they_are_no_longer_rendered_and_when_the_resource_goes() {
    let namespace = Namespace::create("keep").await;
    let project = Project::new();
    project.edit("helm-charts/web/templates/kept.yaml", |_| {
        let kept = |name: &str| {
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{{{ .Release.Name }}}}-{name}\n  \
                 annotations: {{helm.sh/resource-policy: keep}}\ndata: {{text: valuable}}\n"
            )
        };
        format!("{}---\n{{{{- if not .Values.fewer }}}}\n{}{{{{- end }}}}\n", kept("always"), kept("sometimes"))
    });
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    let bound = namespace.find("ConfigMap", "shop-sometimes").await.unwrap();
    assert!(!is_free(&bound), "{bound}");

    namespace.patch("Web", "shop", json!({"spec": {"fewer": true}})).await;
    let kept = namespace.until("ConfigMap", "shop-sometimes", "it is let go", is_free).await;
    assert_eq!(kept["metadata"]["uid"], bound["metadata"]["uid"]);
    let second = |web: &Json| web["status"]["deployedRelease"]["revision"] == 2;
    namespace.until("Web", "shop", "it is deployed again", second).await;

    namespace.delete("Web", "shop").await;
    namespace.until_gone("Web", "shop").await;
    namespace.until_gone("Deployment", "shop-web").await;
    for name in ["shop-always", "shop-sometimes"] {
        let kept = namespace.find("ConfigMap", name).await.unwrap();
        assert!(is_free(&kept) && kept["data"]["text"] == "valuable", "{kept}");
    }
}

#[tokio::test]
async fn an_object_that_somebody_marks_to_be_kept_is_let_go_with_the_references_of_others() {
    let namespace = Namespace::create("marked").await;
    let _operator = Operator::start(&Project::new(), &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    let other = namespace.create_named("ConfigMap", "other", json!({})).await;
    let page = namespace.find("ConfigMap", "shop-web").await.unwrap();
    let theirs = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": "other", "uid": other["metadata"]["uid"],
    });
    let references = json!([page["metadata"]["ownerReferences"][0], theirs]);
    let marks = json!({"annotations": {"helm.sh/resource-policy": "keep"}, "ownerReferences": references});
    namespace.patch("ConfigMap", "shop-web", json!({"metadata": marks})).await;

    namespace.delete("Web", "shop").await;
    namespace.until_gone("Web", "shop").await;
    let kept = namespace.find("ConfigMap", "shop-web").await.unwrap();
    assert!(is_free(&kept), "{kept}");
    assert_eq!(kept["metadata"]["ownerReferences"], json!([theirs]));
}
