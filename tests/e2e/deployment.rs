//! The operator of this repository, as `make deploy` deploys it.

use serde_json::Value as Json;

use crate::support::{Namespace, kubectl, make, try_kubectl, until};

pub(crate) const NAME: &str = "chart-operator-controller-manager";

pub(crate) fn namespace() -> Namespace {
    Namespace("chart-operator-system".to_owned())
}

/// Deploys it with that image, and waits until only that one runs.
pub(crate) fn deploy(image: &str) {
    make("deploy", image);
    until_running(image);
}

pub(crate) fn until_running(image: &str) {
    let running = |deployment: &Json| {
        let status = &deployment["status"];
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image
            && status["observedGeneration"] == deployment["metadata"]["generation"]
            && ["replicas", "updatedReplicas", "availableReplicas"].iter().all(|count| status[count] == 1)
    };
    namespace().until("deployment", NAME, "it runs", running);
}

/// Deletes it, and waits until it is gone.
pub(crate) fn undeploy() {
    make("undeploy", "none");
    Namespace(String::new()).until_gone("namespace", "chart-operator-system");
}

/// Its log, line by line.
pub(crate) fn log() -> Vec<Json> {
    let text = namespace().kubectl(&["logs", &format!("deployment/{NAME}"), "--container=manager", "--tail=-1"]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A token for reading its metrics.
pub(crate) fn reader() -> String {
    let (namespace, role) = (namespace(), "--clusterrole=chart-operator-metrics-reader");
    if namespace.get("serviceaccount", "reader").is_none() {
        namespace.kubectl(&["create", "serviceaccount", "reader"]);
        let account = "--serviceaccount=chart-operator-system:reader";
        // It is in no namespace, and stays where the operator goes.
        try_kubectl(&["create", "clusterrolebinding", "metrics-reader", role, account]).ok();
    }
    namespace.kubectl(&["create", "token", "reader"]).trim().to_owned()
}

/// All that it counts.
pub(crate) fn metrics() -> String {
    let token = reader();
    until("the reader may read", || {
        let answer = crate::support::metrics(&namespace(), "chart-operator-controller-manager-metrics-service", &token);
        answer.filter(|(code, _)| *code == 200).map(|(_, text)| text)
    })
}

/// The sum of the metrics whose lines begin with `series`.
pub(crate) fn sum(series: &str) -> f64 {
    let text = metrics();
    let lines = text.lines().filter(|line| line.starts_with(series));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Whether its account may do that, such as `delete nodes`.
pub(crate) fn may(what: &str) -> bool {
    let user = "--as=system:serviceaccount:chart-operator-system:chart-operator-controller-manager";
    let words: Vec<&str> = what.split(' ').collect();
    try_kubectl(&[&["auth", "can-i", user, "--quiet"], words.as_slice()].concat()).is_ok()
}

/// Deletes its Pod, and waits until there is another one.
pub(crate) fn kill() {
    let before = namespace().list("pod", "control-plane=controller-manager");
    let name = before[0]["metadata"]["name"].as_str().unwrap();
    kubectl(&["--namespace=chart-operator-system", "delete", "pod", name, "--grace-period=0", "--force"]);
}
