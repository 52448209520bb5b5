//! The life that operator-sdk's own end-to-end test leads (v1.42, `test/e2e/helm/cluster_test.go`), with a project of its
//! scaffold built on the operator's image.

use std::fs;
use std::process::Command;

use serde_json::Value as Json;
use testbed::guard::Folder;

use crate::support::{MEMCACHED_IMAGE, Namespace, cluster, has, kubectl, metrics, output, repository, until};

const NAME: &str = "memcached-sample";
const OPERATOR: &str = "memcached-operator-controller-manager";

/// What the files of the scaffold that the test project does not hold say, in one.
const BASE: &str = "
namespace: memcached-operator-system
namePrefix: memcached-operator-
resources: [config/manager/manager.yaml, config/rbac/role.yaml, config/rbac/leader_election_role.yaml,
  config/rbac/metrics_auth_role.yaml, config/rbac/metrics_reader_role.yaml, rest.yaml,
  config/crd/bases/cache.example.com_memcacheds.yaml]
images: [{name: controller, newName: memcached-operator, newTag: e2e}]
";
const REST: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: system}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: controller-manager, namespace: system}}
---
apiVersion: v1
kind: Service
metadata: {name: controller-manager-metrics-service, namespace: system}
spec:
  ports: [{name: https, port: 8443, targetPort: 8443}]
  selector: {control-plane: controller-manager}
";

/// Binds a role to the operator's account.
fn binding(kind: &str, role_kind: &str, name: &str) -> String {
    format!(
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {{name: {name}-binding, namespace: system}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {role_kind}, name: {name}}}\n\
         subjects: [{{kind: ServiceAccount, name: controller-manager, namespace: system}}]\n"
    )
}

fn deploy() -> Namespace {
    let folder = Folder::new("chart-operator-e2e-").unwrap();
    let project = repository().join("tests/projects/memcached-operator/config");
    assert!(Command::new("cp").arg("-r").arg(project).arg(folder.path()).status().unwrap().success());
    let bindings = [
        binding("ClusterRoleBinding", "ClusterRole", "manager-role"),
        binding("RoleBinding", "Role", "leader-election-role"),
        binding("ClusterRoleBinding", "ClusterRole", "metrics-auth-role"),
    ];
    fs::write(folder.path().join("kustomization.yaml"), BASE).unwrap();
    fs::write(folder.path().join("rest.yaml"), format!("{REST}{}", bindings.concat())).unwrap();
    kubectl(&["apply", "--kustomize", &folder.path().display().to_string()]);
    let namespace = Namespace("memcached-operator-system".to_owned());
    let deployment =
        namespace.until("deployment", OPERATOR, "it runs", |deployment| has(deployment, "Available", "True"));
    assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["image"], MEMCACHED_IMAGE);
    namespace
}

/// Waits until the operator's log has that message so many times.
fn until_logged(operator: &Namespace, message: &str, count: usize) {
    until(&format!("`{message}` is logged"), || {
        let log = operator.kubectl(&["logs", &format!("deployment/{OPERATOR}"), "--container=manager", "--tail=-1"]);
        (log.lines().filter(|line| line.contains(message)).count() >= count).then_some(())
    });
}

fn metrics_are_read(operator: &Namespace, namespace: &Namespace) {
    operator.kubectl(&["create", "serviceaccount", "reader"]);
    let role = "--clusterrole=memcached-operator-metrics-reader";
    kubectl(&[
        "create",
        "clusterrolebinding",
        "memcached-reader",
        role,
        &format!("--serviceaccount={}:reader", operator.0),
    ]);
    let token = operator.kubectl(&["create", "token", "reader"]);
    let series = format!(
        "resource_created_at_seconds{{group=\"cache.example.com\",kind=\"Memcached\",name=\"{NAME}\",namespace=\"{}\",version=\"v1alpha1\"}}",
        namespace.0
    );
    until("the reader finds the resource in the metrics", || {
        let (code, text) = metrics(operator, "memcached-operator-controller-manager-metrics-service", token.trim())?;
        (code == 200 && text.contains(&series)).then_some(())
    });
}

#[test]
fn operator_sdks_life_cycle_runs_on_the_scaffolded_projects_image() {
    cluster();
    let operator = deploy();
    let namespace = Namespace::create("memcached");
    let sample = "tests/projects/memcached-operator/config/samples/cache_v1alpha1_memcached.yaml";
    namespace.apply(sample);
    until_logged(&operator, "Installed release", 1);
    let resource = namespace.until("memcached", NAME, "it is deployed", |resource| has(resource, "Deployed", "True"));
    let release = resource["status"]["deployedRelease"]["name"].as_str().unwrap();
    let kubeconfig = cluster().plane().kubeconfig();
    let rollout = ["rollout", "status", &format!("statefulset/{release}"), "--timeout=2m", "--namespace", &namespace.0];
    let kubectl_file = testbed::program::Program::Kubectl.locate().unwrap();
    output(Command::new(kubectl_file).args(rollout).env("KUBECONFIG", kubeconfig)).unwrap();
    assert_eq!(namespace.list("service", &format!("app.kubernetes.io/instance={release}")).len(), 1);

    namespace.kubectl(&["scale", "statefulset", release, "--replicas=2"]);
    let replicas =
        |count: u64| move |set: &Json| set["spec"]["replicas"] == count && set["status"]["readyReplicas"] == count;
    namespace.until("statefulset", release, "it has one replica again", replicas(1));
    namespace.patch("memcached", NAME, r#"{"spec":{"replicaCount":2}}"#);
    until_logged(&operator, "Upgraded release", 1);
    namespace.until("statefulset", release, "two replicas run", replicas(2));
    metrics_are_read(&operator, &namespace);

    namespace.kubectl(&["annotate", "memcached", NAME, "helm.sdk.operatorframework.io/uninstall-wait=true"]);
    let held = r#"{"metadata":{"finalizers":["helm.sdk.operatorframework.io/fake-finalizer"]}}"#;
    namespace.patch("statefulset", release, held);
    namespace.kubectl(&["delete", "memcached", NAME, "--wait=false"]);
    until_logged(&operator, "Uninstall wait", 1);
    until_logged(&operator, "Waiting until all resources are deleted", 1);
    assert!(namespace.get("memcached", NAME).is_some());
    namespace.patch("statefulset", release, r#"{"metadata":{"finalizers":null}}"#);
    until_logged(&operator, "Removing finalizer", 1);
    namespace.until_gone("memcached", NAME);

    namespace.apply(sample);
    until_logged(&operator, "Installed release", 2);
    namespace.kubectl(&["delete", "memcached", NAME]);
    until_logged(&operator, "Uninstalled release", 2);
    until("no Pod is left", || namespace.names("pod").is_empty().then_some(()));
}
