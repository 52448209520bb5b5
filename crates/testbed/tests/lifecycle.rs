//! Starting and stopping a real control plane. Needs the built programs; without them it fails and says how to build
//! them: `cargo run -p testbed -- build`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use testbed::audit::count;
use testbed::image::Image;
use testbed::program::Program;
use testbed::{ControlPlane, Controllers, Options, kubeconfig};

const DEADLINE: Duration = Duration::from_mins(1);

fn object<K: DeserializeOwned>(value: Json) -> K {
    serde_json::from_value(value).unwrap()
}

async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, probe: impl Fn() -> F) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn pod_template(annotations: &Json, restart: &str) -> Json {
    json!({
        "metadata": {"labels": {"app": "a"}, "annotations": annotations},
        "spec": {"restartPolicy": restart, "containers": [{"name": "c", "image": "example.com/none:1"}]},
    })
}

#[tokio::test]
async fn an_api_server_alone_authorizes_by_rbac_and_writes_down_who_asked() {
    let options = Options { controllers: Controllers::None, audit: true, ..Options::default() };
    let plane = ControlPlane::start(options).await.unwrap();
    let admin = plane.client().await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), "default");
    let account = object(json!({"metadata": {"name": "worker"}}));
    accounts.create(&PostParams::default(), &account).await.unwrap();

    let by_token = plane.service_account_kubeconfig("default", "worker").await.unwrap();
    let by_certificate = plane.user_kubeconfig("jane", &["team-a", "team-b"]).unwrap();
    for path in [by_token, by_certificate] {
        let client = kubeconfig::client(&path).await.unwrap();
        let maps: Api<ConfigMap> = Api::namespaced(client, "default");
        let refused = maps.list(&ListParams::default()).await.unwrap_err();
        assert!(matches!(&refused, kube::Error::Api(status) if status.code == 403), "{refused}");
    }

    let requests = eventually("the refusals in the audit log", || async {
        let read = plane.audit().unwrap().read().unwrap();
        (read.iter().filter(|request| request.code == 403).count() == 2).then_some(read)
    })
    .await;
    let refused: Vec<_> =
        requests.iter().filter(|request| request.code == 403).map(|request| request.user.as_str()).collect();
    assert_eq!(refused, ["system:serviceaccount:default:worker", "jane"]);
    let created = count(requests.iter().filter(|request| request.user == "admin" && request.is_write()));
    let created: Vec<_> = created.iter().map(|(call, n)| (call.verb.as_str(), call.resource.as_str(), *n)).collect();
    assert_eq!(created, [("create", "serviceaccounts", 1), ("create", "serviceaccounts/token", 1)]);
}

#[tokio::test]
async fn a_killed_api_server_comes_back_with_its_data() {
    let options = Options { controllers: Controllers::None, ..Options::default() };
    let mut plane = ControlPlane::start(options).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(plane.client().await.unwrap(), "default");
    maps.create(&PostParams::default(), &object(json!({"metadata": {"name": "kept"}}))).await.unwrap();
    plane.kill(Program::ApiServer).unwrap();
    assert!(maps.get("kept").await.is_err());
    assert!(plane.kill(Program::ApiServer).is_err());
    plane.restart(Program::ApiServer).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(plane.client().await.unwrap(), "default");
    maps.get("kept").await.unwrap();
}

#[tokio::test]
async fn with_everything_pods_become_ready_jobs_end_and_namespaces_go() {
    let options = Options { scheduler: true, kwok: true, ..Options::default() };
    let plane = ControlPlane::start(options).await.unwrap();
    let client = plane.client().await.unwrap();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.create(&PostParams::default(), &object(json!({"metadata": {"name": "n"}}))).await.unwrap();

    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "n");
    for (name, annotations) in
        [("runs", json!({})), ("waits", json!({"testbed.chart-operator.dev/waiting": "ImagePullBackOff"}))]
    {
        let selector = json!({"matchLabels": {"app": "a"}});
        let spec = json!({"replicas": 2, "selector": selector, "template": pod_template(&annotations, "Always")});
        let deployment = object(json!({"metadata": {"name": name}, "spec": spec}));
        deployments.create(&PostParams::default(), &deployment).await.unwrap();
    }
    eventually("an available Deployment", || async {
        let status = deployments.get("runs").await.unwrap().status?;
        (status.available_replicas == Some(2)).then_some(())
    })
    .await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), "n");
    eventually("the reason of those that wait", || async {
        let listed = pods.list(&ListParams::default()).await.unwrap();
        let waiting = |pod: &Pod| {
            let container = pod.status.as_ref()?.container_statuses.as_ref()?.first()?.clone();
            container.state?.waiting?.reason
        };
        (listed.iter().filter(|pod| waiting(pod).as_deref() == Some("ImagePullBackOff")).count() == 2).then_some(())
    })
    .await;

    let jobs: Api<Job> = Api::namespaced(client.clone(), "n");
    for (name, code, want) in [("good", "0", "Complete"), ("bad", "3", "Failed")] {
        let annotations =
            json!({"testbed.chart-operator.dev/exit-code": code, "testbed.chart-operator.dev/message": "said"});
        let spec = json!({"backoffLimit": 0, "template": pod_template(&annotations, "Never")});
        jobs.create(&PostParams::default(), &object(json!({"metadata": {"name": name}, "spec": spec}))).await.unwrap();
        eventually(want, || async {
            let conditions = jobs.get(name).await.unwrap().status?.conditions?;
            conditions.iter().any(|condition| condition.type_ == want && condition.status == "True").then_some(())
        })
        .await;
        let ended = pods.list(&ListParams::default().labels(&format!("job-name={name}"))).await.unwrap();
        let state = ended.items[0].status.clone().unwrap().container_statuses.unwrap()[0].state.clone().unwrap();
        assert_eq!(state.terminated.unwrap().message.as_deref(), Some("said"));
    }

    namespaces.delete("n", &DeleteParams::default()).await.unwrap();
    eventually("the end of the namespace", || async { namespaces.get_opt("n").await.unwrap().is_none().then_some(()) })
        .await;
}

#[tokio::test]
async fn pods_of_some_images_run_with_their_arguments_as_their_account_and_end_with_their_pod() {
    let options = Options { scheduler: true, kwok: true, ..Options::default() };
    let plane = ControlPlane::start(options).await.unwrap();
    let says = "echo $0 in $(POD_NAMESPACE); grep -c default-default $KUBECONFIG; exec sleep 1000";
    let image = Image {
        name: "says:1".to_owned(),
        file: "/bin/sh".into(),
        folder: plane.logs(),
        entrypoint: vec!["-c".to_owned(), says.to_owned()],
    };
    let runner = plane.run_images(vec![image]).await.unwrap();
    let pods: Api<Pod> = Api::namespaced(plane.client().await.unwrap(), "default");
    for (name, image) in [("says", "says:1"), ("other", "says:2"), ("broken", "nginx:i-dont-exist")] {
        let container = json!({"name": "c", "image": image, "args": ["hello"]});
        let pod = json!({"metadata": {"name": name}, "spec": {"containers": [container]}});
        pods.create(&PostParams::default(), &object(pod)).await.unwrap();
    }
    eventually("what the Pod says", || async {
        let said = runner.log("says").unwrap();
        (said == "hello in default\n1\n").then_some(())
    })
    .await;
    for (name, phase) in [("says", "Running"), ("other", "Running"), ("broken", "Pending")] {
        eventually(&format!("{name} is {phase}"), || async {
            let status = pods.get(name).await.unwrap().status?;
            (status.phase? == phase && status.container_statuses.is_some()).then_some(())
        })
        .await;
    }
    let pid = std::fs::read_to_string(plane.logs().join("pod-says.pid")).unwrap();
    assert!(runs(pid.trim()));
    pods.delete("says", &DeleteParams::default()).await.unwrap();
    eventually("its end", || async { (!runs(pid.trim())).then_some(()) }).await;
    assert_eq!(runner.log("other").unwrap(), "");
}

/// Not a test of its own: the process that the next one kills. It prints what must be gone then.
#[tokio::test]
async fn a_parent_that_is_killed_leaves_nothing() {
    const CHILD: &str = "TESTBED_LIFECYCLE_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let options = Options { controllers: Controllers::None, ..Options::default() };
        let plane = ControlPlane::start(options).await.unwrap();
        let pids = [Program::Etcd, Program::ApiServer].map(|program| plane.pid(program).unwrap());
        let mut out = std::io::stdout().lock();
        std::io::Write::write_all(
            &mut out,
            format!("\nup {} {} {}\n", pids[0], pids[1], plane.logs().display()).as_bytes(),
        )
        .unwrap();
        std::future::pending::<()>().await;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_parent_that_is_killed_leaves_nothing", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let up = lines.find_map(|line| line.unwrap().strip_prefix("up ").map(ToOwned::to_owned));
    let Some(up) = up else { panic!("the child did not start a control plane: {}", child.wait().unwrap()) };
    let words: Vec<_> = up.split(' ').collect();
    let folder = std::path::Path::new(words[2]).parent().unwrap();
    assert!(words[..2].iter().all(|pid| runs(pid)) && folder.exists(), "{up}");
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("the end of etcd, the API server and their folder", || async {
        (!folder.exists() && !words[..2].iter().any(|pid| runs(pid))).then_some(())
    })
    .await;
}

fn runs(pid: &str) -> bool {
    Command::new("/bin/sh").args(["-c", &format!("kill -0 {pid}")]).stderr(Stdio::null()).status().unwrap().success()
}
