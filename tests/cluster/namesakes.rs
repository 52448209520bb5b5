//! Two kinds with a resource of the same name in one namespace: to Helm their releases would be one.

use serde_json::{Value as Json, json};

use crate::hooks::project;
use crate::support::{Namespace, Operator, condition_message, condition_text, eventually, is_deployed};

const OTHER: &str = "- group: charts.samutup.com
  version: v1alpha1
  kind: Page
  chart: PROBE/../other
";

const MAP: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-other}
";

#[tokio::test]
async fn a_release_is_that_of_the_first_resource_and_the_other_waits_until_it_has_gone() {
    for chart in ["probe", "another"] {
        let namespace = Namespace::create("namesakes").await;
        let project = project(&[]);
        let probe = project.path("helm-charts/probe").display().to_string();
        project.edit("watches.yaml", |text| format!("{text}{}", OTHER.replace("PROBE", &probe)));
        let metadata = format!("apiVersion: v2\nname: {chart}\nversion: 1.0.0\n");
        project.edit("helm-charts/other/Chart.yaml", |_| metadata);
        project.edit("helm-charts/other/templates/map.yaml", |_| MAP.to_owned());
        let flags = ["--reconcile-period=1s"];
        let operator = Operator::start_with(&project, &namespace, &flags).await;
        namespace.create_resource("Web", "shop", json!({})).await;
        namespace.until("Web", "shop", "it is deployed", is_deployed).await;

        namespace.create_resource("Page", "shop", json!({})).await;
        let refused = |page: &Json| condition_text(page, "Stalled").as_deref() == Some("True/CollisionDetected");
        let page = namespace.until("Page", "shop", "it is refused", refused).await;
        let told = format!(
            "duplicate release name: found existing release with name \"shop\" for chart \"probe\", of Web {}/shop",
            namespace.name
        );
        assert_eq!(condition_message(&page, "ReleaseFailed"), told);
        operator.kill();
        let _operator = Operator::start_with(&project, &namespace, &flags).await;
        namespace.patch("Page", "shop", json!({"spec": {"text": "other"}})).await;
        namespace.patch("Web", "shop", json!({"spec": {"text": "other"}})).await;
        let history = ["1 superseded: Install complete", "2 deployed: Upgrade complete"];
        let upgraded = || async { (namespace.history("shop").await == history).then_some(()) };
        eventually("the first goes on", upgraded).await;
        assert!(namespace.find("ConfigMap", "shop-other").await.is_none());
        let page = namespace.find("Page", "shop").await.unwrap();
        assert_eq!(page["metadata"]["finalizers"], Json::Null, "nothing is owned");

        namespace.delete("Web", "shop").await;
        namespace.until("Page", "shop", "it has its turn", is_deployed).await;
        assert_eq!(namespace.history("shop").await, ["1 deployed: Install complete"]);
        assert_eq!(namespace.names("ConfigMap").await, ["kube-root-ca.crt", "shop-other"]);
    }
}
