//! `Ready` names what is in the way, down to the container.

use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value as Json, json};

use crate::support::{Namespace, Operator, Project, condition, condition_text, eventually};

/// What the condition `Ready` says.
fn message(resource: &Json) -> &str {
    condition(resource, "Ready").and_then(|ready| ready["message"].as_str()).unwrap_or_default()
}

/// The only Pod of the namespace.
async fn pod(namespace: &Namespace) -> String {
    eventually("there is a Pod", || async { namespace.names("Pod").await.pop() }).await
}

/// Says what a kubelet would say of the Pod.
async fn set_status(namespace: &Namespace, pod: &str, status: Json) {
    let patch = Patch::Merge(json!({"status": status}));
    namespace.api("Pod").patch_status(pod, &PatchParams::default(), &patch).await.unwrap();
}

/// How often it has looked at Pods.
fn looks(operator: &Operator) -> usize {
    operator.calls().iter().filter(|call| call.resource == "pods" && call.verb == "list").count()
}

#[tokio::test]
async fn ready_names_the_container_that_is_in_the_way_and_is_written_once() {
    let namespace = Namespace::create("cause").await;
    let operator = Operator::start(&Project::new(), &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let pod = pod(&namespace).await;
    let waiting = json!({"reason": "ImagePullBackOff",
        "message": "Back-off pulling image \"shop:9\": ErrImagePull: rpc error: code = NotFound desc = \"shop:9\": not found"});
    let container = json!({"name": "web", "image": "shop:9", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": waiting}});
    let conditions = json!([{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}]);
    set_status(&namespace, &pod, json!({"conditions": conditions, "containerStatuses": [container]})).await;
    let text = format!("Deployment shop-web: Pod {pod}: ImagePullBackOff: \"shop:9\": not found");
    let web = namespace.until("Web", "shop", &text, |web| message(web) == text).await;

    let before = looks(&operator);
    eventually("it looks again", || async { (looks(&operator) > before).then_some(()) }).await;
    let again = namespace.find("Web", "shop").await.unwrap();
    assert_eq!(
        again["metadata"]["resourceVersion"], web["metadata"]["resourceVersion"],
        "nothing new: nothing written"
    );

    let ready = json!([{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}]);
    set_status(&namespace, &pod, json!({"phase": "Running", "conditions": ready})).await;
    let is_ready = |web: &Json| condition_text(web, "Ready").is_some_and(|text| text.starts_with("True/"));
    namespace.until("Web", "shop", "it is ready", is_ready).await;
    // The next look would have come within ten seconds; what is not to happen needs time not to happen in.
    let last = looks(&operator);
    tokio::time::sleep(std::time::Duration::from_secs(12)).await;
    assert_eq!(looks(&operator), last);
}

#[tokio::test]
async fn events_tell_what_a_claim_waits_for() {
    let namespace = Namespace::create("claim").await;
    let project = Project::new();
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: {{ .Release.Name }}-data\nspec:\n  \
                 storageClassName: none-such\n  accessModes: [ReadWriteOnce]\n  resources: {requests: {storage: 1Gi}}\n";
    project.edit("helm-charts/web/templates/claim.yaml", |_| claim.to_owned());
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({"replicaCount": 0})).await;
    let events = || async {
        let params = ListParams::default().fields("reason=ProvisioningFailed");
        namespace.api("Event").list(&params).await.unwrap().items.pop()
    };
    eventually("its controller has told", events).await;
    let told = |web: &Json| {
        let text =
            "PersistentVolumeClaim shop-data: ProvisioningFailed: storageclass.storage.k8s.io \"none-such\" not found";
        message(web) == text
    };
    namespace.until("Web", "shop", "it says so", told).await;
}
