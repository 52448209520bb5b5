//! What the operator counts, and who may read it.

use k8s_openapi::jiff::Timestamp;
use kube::client::Body;
use serde_json::{Value as Json, json};

use crate::support::{Namespace, Operator, Project, eventually, is_deployed, plane};

#[tokio::test]
async fn a_resource_is_counted_while_it_is_there_and_passes_are_counted() {
    let namespace = Namespace::create("counted").await;
    let operator = Operator::start(&Project::new(), &namespace).await;
    let created = format!(
        "resource_created_at_seconds{{group=\"charts.samutup.com\",kind=\"Web\",name=\"shop\",namespace=\"{}\",version=\"v1alpha1\"}}",
        namespace.name
    );
    assert_eq!(operator.metric(&created).await, None);
    let passes = || async {
        let mut sum = 0.0;
        for result in ["success", "requeue_after"] {
            let series =
                format!("controller_runtime_reconcile_total{{controller=\"web-controller\",result=\"{result}\"}}");
            sum += operator.metric(&series).await.unwrap_or_default();
        }
        sum
    };
    assert!(passes().await < 0.5);

    let web = namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    let seconds = operator.metric(&created).await.unwrap();
    let text = web["metadata"]["creationTimestamp"].as_str().unwrap();
    let time: Timestamp = text.parse().unwrap();
    assert_eq!(format!("{seconds:.0}"), time.as_second().to_string());
    eventually("a pass is counted", || async { (passes().await >= 1.0).then_some(()) }).await;
    assert!(operator.metric("rest_client_requests_total{code=\"200\"").await.unwrap_or_default() >= 1.0);

    namespace.delete("Web", "shop").await;
    namespace.until_gone("Web", "shop").await;
    let gone = || async { operator.metric(&created).await.is_none().then_some(()) };
    eventually("it is counted no longer", gone).await;
}

/// A token of a new ServiceAccount.
pub(crate) async fn token(namespace: &Namespace, name: &str) -> String {
    namespace.create_named("ServiceAccount", name, json!({})).await;
    let path = plane().service_account_kubeconfig(&namespace.name, name).await.unwrap();
    let kubeconfig: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    kubeconfig["users"][0]["user"]["token"].as_str().unwrap().to_owned()
}

/// What `/metrics` answers over HTTPS.
pub(crate) async fn answer(operator: &Operator, token: Option<&str>) -> (u16, String) {
    let address = format!("https://127.0.0.1:{}", operator.metrics.number());
    let mut config = kube::Config::new(address.parse().unwrap());
    // The certificate was made at the start: nobody knows who signed it.
    config.accept_invalid_certs = true;
    config.default_retry = false;
    let client = kube::Client::try_from(config).unwrap();
    let mut request = http::Request::get("/metrics");
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let answer = client.send(request.body(Body::empty()).unwrap()).await.unwrap();
    let code = answer.status().as_u16();
    let body = answer.into_body().collect_bytes().await.unwrap();
    (code, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn behind_rbac_metrics_are_read_by_those_who_may_and_nobody_else() {
    let namespace = Namespace::create("guarded").await;
    let flags = ["--metrics-secure", "--metrics-require-rbac"];
    let operator = Operator::start_with(&Project::new(), &namespace, &flags).await;
    let (reader, stranger) = (token(&namespace, "reader").await, token(&namespace, "stranger").await);
    let role = format!("{}-metrics", namespace.name);
    let rules = json!({"rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]});
    namespace.create_named("ClusterRole", &role, rules).await;
    let binding = json!({
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace.name}],
    });
    namespace.create_named("ClusterRoleBinding", &role, binding).await;

    let may_read = || async {
        let (code, text) = answer(&operator, Some(&reader)).await;
        (code == 200).then_some(text)
    };
    let text = eventually("the reader may read", may_read).await;
    assert!(text.contains("controller_runtime_"), "{text}");
    for (who, token, want) in
        [("nobody", None, 401), ("nobody's token", Some("abc"), 401), ("a stranger", Some(stranger.as_str()), 403)]
    {
        let (code, text) = answer(&operator, token).await;
        assert_eq!(code, want, "{who}: {text}");
        assert!(!text.contains("controller_runtime_"), "{who}: {text}");
    }
}
