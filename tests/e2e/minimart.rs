//! A project of operator-sdk's kind from its deployment to its end: the chart `minimart`, with a server in the place of the
//! application.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::{OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use testbed::guard::{Folder, Guarded, Program};

use crate::deployment::{self, log};
use crate::support::{
    DEPLOYED, IMAGE, NEXT_IMAGE, Namespace, PAUSE, Told, cluster, condition, every_line_has_its_test, has, kubectl,
    line, make, on_a_runtime, output, repository, tell, try_kubectl, until,
};

const LINES: [(usize, &str); 11] = [
    (1, "the kind is served, and its status"),
    (2, "the operator is deployed, restricted, with no more rights than it needs, and its log names the kind"),
    (3, "the sample goes live: its objects, no Pod of tests, a server that answers, conditions, the finalizer"),
    (4, "nothing is written while nothing changes"),
    (5, "what is deleted comes back, what belongs to others stays, what belongs to the chart is put back"),
    (6, "a change by kubectl, and by the API with the token of an account, is an upgrade"),
    (7, "an API that is gone is told, the rest runs on, and the condition goes with its cause"),
    (8, "a second resource is told whose ConfigMap it wants; in another namespace all is well"),
    (9, "an edited chart is taken up by an operator that runs, and a broken one touches nothing"),
    (10, "what is deleted takes everything with it, and undeploying leaves nothing"),
    (11, "the operator is upgraded while resources change"),
];
const SAMPLE: &str = "samples/charts_v1alpha1_minimart.yaml";
const NAME: &str = "minimart-sample";

#[derive(Default)]
struct Scene {
    /// Nothing before the sample's was made.
    shop: Option<Namespace>,
}

impl Scene {
    fn shop(&self) -> &Namespace {
        self.shop.as_ref().unwrap()
    }

    fn set(&self, spec: &str) {
        self.shop().patch("minimart", NAME, &format!("{{\"spec\":{spec}}}"));
    }

    fn until_minimart(&self, what: &str, test: impl Fn(&Json) -> bool) -> Json {
        self.shop().until("minimart", NAME, what, test)
    }

    fn until_replicas(&self, count: u64) {
        let scaled = |deployment: &Json| {
            deployment["spec"]["replicas"] == count && deployment["status"]["availableReplicas"] == count
        };
        self.shop().until("deployment", NAME, &format!("it has {count} replicas"), scaled);
    }
}

fn told() -> &'static Told {
    static TOLD: OnceLock<Told> = OnceLock::new();
    TOLD.get_or_init(|| {
        let mut deployed = DEPLOYED.write().unwrap_or_else(PoisonError::into_inner);
        let told = tell(&[
            (1, served),
            (2, operator),
            (3, sample),
            (4, quiet),
            (5, drift),
            (6, upgrade),
            (7, gone_api),
            (8, second),
            (9, reload),
            (11, next_operator),
            (10, end),
        ]);
        *deployed = told.contains_key(&2) && !told.contains_key(&10);
        told
    })
}

/// What the server behind an address answers.
fn ask(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn environment(deployment: &Json, name: &str) -> Option<String> {
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let found = container["env"].as_array()?.iter().find(|variable| variable["name"] == name)?;
    found["value"].as_str().map(str::to_owned)
}

fn served(_: &mut Scene) {
    make("install", IMAGE);
    let text = until("the kind is served", || try_kubectl(&["get", "--raw", "/apis/charts.samutup.com/v1alpha1"]).ok());
    for name in ["\"minimarts\"", "\"minimarts/status\""] {
        assert!(text.contains(name), "{text}");
    }
}

fn operator(_: &mut Scene) {
    deployment::deploy(IMAGE);
    let namespace = deployment::namespace();
    let service = namespace.get("service", "chart-operator-controller-manager-metrics-service").unwrap();
    assert_eq!(service["spec"]["ports"][0]["port"], 8443);
    until("the log names the kind", || log().iter().any(|line| line.to_string().contains("Minimart")).then_some(()));

    let privileged =
        json!({"spec": {"containers": [{"name": "x", "image": IMAGE, "securityContext": {"privileged": true}}]}});
    let run = ["run", "x", "--namespace=chart-operator-system", "--image=x", "--restart=Never", "--dry-run=server"];
    let refused = try_kubectl(&[&run[..], &["--overrides", &privileged.to_string()]].concat()).unwrap_err();
    assert!(refused.contains("violates PodSecurity \"restricted"), "{refused}");

    let check =
        ["rbac", "--check", "--as=system:serviceaccount:chart-operator-system:chart-operator-controller-manager"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_chart-operator"));
    command.args(check).current_dir(repository()).env("KUBECONFIG", cluster().plane().kubeconfig());
    assert_eq!(output(&mut command).unwrap(), "");
    assert!(deployment::may("patch deployments.apps"));
    for what in ["delete nodes", "create namespaces", "create clusterroles.rbac.authorization.k8s.io"] {
        assert!(!deployment::may(what), "{what}");
    }
}

fn sample(scene: &mut Scene) {
    let shop = Namespace::create("shop");
    shop.apply(SAMPLE);
    scene.shop = Some(shop.clone());
    let minimart = scene.until_minimart("it is ready", |minimart| has(minimart, "Ready", "True"));
    let finalizers = minimart["metadata"]["finalizers"].as_array().unwrap();
    assert!(finalizers.contains(&json!("helm.sdk.operatorframework.io/uninstall-release")), "{finalizers:?}");
    assert!(has(&minimart, "Initialized", "True"));
    assert_eq!(condition(&minimart, "Deployed").unwrap()["reason"], "InstallSuccessful");
    assert_eq!(minimart["status"]["deployedRelease"]["name"], NAME);
    assert!(shop.get("serviceaccount", NAME).is_some());
    let text = shop.get("configmap", "minimart").unwrap()["data"]["minimart.yaml"].as_str().unwrap().to_owned();
    assert!(text.contains("/minimart-stat") && text.contains("httpport: 8002"), "{text}");
    assert_eq!(shop.get("deployment", NAME).unwrap()["status"]["availableReplicas"], 1);
    let service = shop.get("service", NAME).unwrap();
    assert_eq!(
        (service["spec"]["type"].as_str(), &service["spec"]["ports"][0]["port"]),
        (Some("NodePort"), &json!(80))
    );
    let address = format!("{}:80", service["spec"]["clusterIP"].as_str().unwrap());
    let answer = until("the Service leads to the server", || ask(&address, "/readiness"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(shop.names("pod").iter().all(|name| !name.contains("test-connection")));
}

fn quiet(scene: &mut Scene) {
    let passes = || deployment::sum("controller_runtime_reconcile_total{controller=\"minimart-controller\"");
    let versions = || {
        [
            ("service", NAME),
            ("configmap", "minimart"),
            ("serviceaccount", NAME),
            ("minimart", NAME),
            ("deployment", NAME),
        ]
        .map(|(kind, name)| scene.shop().get(kind, name).unwrap()["metadata"]["resourceVersion"].clone())
    };
    scene.shop().kubectl(&["annotate", "minimart", NAME, "helm.sdk.operatorframework.io/reconcile-period=1s"]);
    let (before, counted) = (versions(), passes());
    until("three periods have passed", || (passes() >= counted + 3.0).then_some(()));
    assert_eq!(versions(), before);
    scene.shop().kubectl(&["annotate", "minimart", NAME, "helm.sdk.operatorframework.io/reconcile-period-"]);
}

fn drift(scene: &mut Scene) {
    let shop = scene.shop();
    let uid = shop.get("deployment", NAME).unwrap()["metadata"]["uid"].clone();
    shop.kubectl(&["delete", "deployment", NAME, "--wait=false"]);
    shop.until("deployment", NAME, "it is another one", |deployment| deployment["metadata"]["uid"] != uid);
    scene.until_replicas(1);
    let given = environment(&shop.get("deployment", NAME).unwrap(), "JAVA_OPTS").unwrap();
    shop.kubectl(&["set", "env", &format!("deployment/{NAME}"), "X=1", "JAVA_OPTS=edited"]);
    let put_back = |deployment: &Json| environment(deployment, "JAVA_OPTS").as_ref() == Some(&given);
    let deployment = shop.until("deployment", NAME, "its options are put back", put_back);
    assert_eq!(environment(&deployment, "X").as_deref(), Some("1"));
    shop.patch("service", NAME, r#"{"spec":{"type":"ClusterIP"}}"#);
    shop.until("service", NAME, "it is a NodePort again", |service| service["spec"]["type"] == "NodePort");
}

fn upgrade(scene: &mut Scene) {
    scene.set(r#"{"replicaCount":2}"#);
    scene.until_replicas(2);
    scene.until_minimart("it was upgraded", |minimart| {
        condition(minimart, "Deployed").is_some_and(|deployed| deployed["reason"] == "UpgradeSuccessful")
    });
    let shop = scene.shop();
    shop.kubectl(&["create", "serviceaccount", "jane"]);
    shop.kubectl(&["create", "role", "jane", "--verb=get,patch", "--resource=minimarts.charts.samutup.com"]);
    shop.kubectl(&["create", "rolebinding", "jane", "--role=jane", &format!("--serviceaccount={}:jane", shop.0)]);
    let kubeconfig = on_a_runtime(cluster().plane().service_account_kubeconfig(&shop.0, "jane")).unwrap();
    on_a_runtime(async {
        let client = testbed::kubeconfig::client(&kubeconfig).await.unwrap();
        let path = format!("/apis/charts.samutup.com/v1alpha1/namespaces/{}/minimarts/{NAME}", shop.0);
        let request = http::Request::patch(path).header("Content-Type", "application/merge-patch+json");
        let request = request.body(br#"{"spec":{"replicaCount":1}}"#.to_vec()).unwrap();
        client.request::<Json>(request).await.unwrap();
    });
    scene.until_replicas(1);
}

fn gone_api(scene: &mut Scene) {
    let before = log().len();
    scene.set(r#"{"autoscaling":{"enabled":true}}"#);
    let minimart = scene.until_minimart("it says what failed", |minimart| has(minimart, "ReleaseFailed", "True"));
    let message = condition(&minimart, "ReleaseFailed").unwrap()["message"].as_str().unwrap();
    assert!(message.contains("autoscaling/v2beta1"), "{message}");
    assert_eq!(scene.shop().get("deployment", NAME).unwrap()["status"]["availableReplicas"], 1);
    scene.set(r#"{"autoscaling":{"enabled":false}}"#);
    scene.until_minimart("the failure is over", |minimart| {
        !has(minimart, "ReleaseFailed", "True") && has(minimart, "Ready", "True")
    });
    let lines = log().len() - before;
    assert!(lines < 30, "{lines} lines about one fault");
}

fn second(scene: &mut Scene) {
    let text = fs::read_to_string(repository().join(SAMPLE)).unwrap().replace(NAME, "minimart-two");
    let folder = Folder::new("chart-operator-e2e-").unwrap();
    let file = folder.path().join("two.yaml");
    fs::write(&file, text).unwrap();
    scene.shop().apply(&file.display().to_string());
    let named = |minimart: &Json| {
        let conditions = minimart["status"]["conditions"].to_string();
        conditions.contains("minimart")
            && conditions.contains(NAME)
            && !has(minimart, "Ready", "True")
            && conditions.contains("ConfigMap")
    };
    scene.shop().until("minimart", "minimart-two", "it says whose ConfigMap that is", named);
    assert!(has(&scene.shop().get("minimart", NAME).unwrap(), "Ready", "True"));
    let elsewhere = Namespace::create("elsewhere");
    elsewhere.apply(&file.display().to_string());
    elsewhere.until("minimart", "minimart-two", "it is ready", |minimart| has(minimart, "Ready", "True"));
    for namespace in [scene.shop(), &elsewhere] {
        namespace.kubectl(&["delete", "minimart", "minimart-two"]);
    }
}

/// As `make run` runs it: beside the cluster, in the folder of the project. The one in the cluster stands still meanwhile.
fn reload(scene: &mut Scene) {
    let scale = |replicas: &str| {
        let replicas = format!("--replicas={replicas}");
        deployment::namespace().kubectl(&["scale", &format!("deployment/{}", deployment::NAME), &replicas]);
    };
    scale("0");
    until("no operator runs", || deployment::namespace().names("pod").is_empty().then_some(()));
    let folder = Folder::new("chart-operator-e2e-").unwrap();
    for part in ["helm-charts", "watches.yaml"] {
        let copied = Command::new("cp").arg("-r").arg(repository().join(part)).arg(folder.path()).status();
        assert!(copied.unwrap().success());
    }
    let program = Program {
        name: "chart-operator",
        file: Path::new(env!("CARGO_BIN_EXE_chart-operator")),
        folder: folder.path(),
        directory: Some(folder.path()),
    };
    let kubeconfig = cluster().plane().kubeconfig();
    let flags = ["run", "--metrics-bind-address=0", "--health-probe-bind-address=0"];
    let mut running = Guarded::start(&program, &flags, &[("KUBECONFIG", kubeconfig.as_os_str())]).unwrap();

    let values = folder.path().join("helm-charts/minimart/values.yaml");
    let edited = fs::read_to_string(&values).unwrap().replace("-XX:MaxRAMPercentage=75", "-Xedited");
    until("it works", || running.last_lines(1000).contains("Starting workers").then_some(()));
    fs::write(&values, edited).unwrap();
    let has_edit = |deployment: &Json| environment(deployment, "JAVA_OPTS").as_deref() == Some("-Xedited");
    scene.shop().until("deployment", NAME, "it follows the chart", has_edit);

    let template = folder.path().join("helm-charts/minimart/templates/service.yaml");
    let good = fs::read_to_string(&template).unwrap();
    let before = scene.shop().get("service", NAME).unwrap()["metadata"]["resourceVersion"].clone();
    fs::write(&template, format!("{good}{{{{ fail \"on purpose\" }}}}\n")).unwrap();
    let told = |minimart: &Json| minimart["status"]["conditions"].to_string().contains("on purpose");
    scene.until_minimart("it says what is wrong with the chart", told);
    assert_eq!(scene.shop().get("service", NAME).unwrap()["metadata"]["resourceVersion"], before);
    fs::write(&template, good).unwrap();
    scene.until_minimart("it is ready again", |minimart| has(minimart, "Ready", "True") && !told(minimart));
    running.stop();
    scale("1");
    deployment::until_running(IMAGE);
    let has_default =
        |deployment: &Json| environment(deployment, "JAVA_OPTS").as_deref() == Some("-XX:MaxRAMPercentage=75");
    scene.shop().until("deployment", NAME, "it is as the image has it", has_default);
}

fn next_operator(scene: &mut Scene) {
    scene.until_replicas(1);
    let uid = |kind: &str, name: &str| scene.shop().get(kind, name).unwrap()["metadata"]["uid"].clone();
    let before = [uid("deployment", NAME), uid("service", NAME), uid("configmap", "minimart")];
    let begun = Instant::now();
    make("deploy", NEXT_IMAGE);
    // Changed all the while: whatever the last change is, the operator that is left has to see it.
    let mut count = 0;
    let mut done = false;
    while !done {
        count += 1;
        scene.set(&format!("{{\"javaOpts\":\"-Dchange={count}\"}}"));
        std::thread::sleep(PAUSE);
        let deployment = deployment::namespace().get("deployment", deployment::NAME).unwrap();
        let status = &deployment["status"];
        done = status["observedGeneration"] == deployment["metadata"]["generation"]
            && status["updatedReplicas"] == 1
            && status["replicas"] == 1
            && status["availableReplicas"] == 1;
        assert!(begun.elapsed() < Duration::from_mins(2), "{status}");
    }
    let last = format!("-Dchange={count}");
    let followed = |deployment: &Json| environment(deployment, "JAVA_OPTS").as_ref() == Some(&last);
    scene.shop().until("deployment", NAME, "it has the last change", followed);
    scene.until_minimart("it is ready", |minimart| {
        has(minimart, "Ready", "True")
            && condition(minimart, "Ready").unwrap()["observedGeneration"] == minimart["metadata"]["generation"]
    });
    assert_eq!([uid("deployment", NAME), uid("service", NAME), uid("configmap", "minimart")], before);
    assert!(count > 3, "it was upgraded before anything changed");
}

fn end(scene: &mut Scene) {
    let forbidden: Vec<_> = log().into_iter().filter(|line| line.to_string().contains("forbidden")).collect();
    assert_eq!(forbidden, Vec::<Json>::new(), "the role is enough");
    let shop = scene.shop();
    shop.kubectl(&["delete", "--filename", &repository().join(SAMPLE).display().to_string()]);
    // What is still there when the operator goes, goes before it.
    let late = Namespace::create("late");
    late.apply(SAMPLE);
    late.until("minimart", NAME, "it is ready", |minimart| has(minimart, "Ready", "True"));
    for (kind, name) in [
        ("minimart", NAME),
        ("deployment", NAME),
        ("service", NAME),
        ("configmap", "minimart"),
        ("serviceaccount", NAME),
    ] {
        shop.until_gone(kind, name);
    }
    until("no Pod is left", || shop.names("pod").is_empty().then_some(()));
    deployment::undeploy();
    for kind in ["deployment", "service", "secret", "configmap"] {
        assert!(late.names(kind).iter().all(|name| name == "kube-root-ca.crt"), "{kind}: {:?}", late.names(kind));
    }
    let left = kubectl(&["get", "customresourcedefinitions,clusterroles,clusterrolebindings", "--output=name"]);
    assert!(!left.contains("samutup.com") && !left.contains("/chart-operator-"), "{left}");
}

#[test]
fn b_01_the_kind_and_its_status_are_served() {
    line(told(), 1);
}

#[test]
fn b_02_the_operator_runs_restricted_and_with_the_rights_it_needs() {
    line(told(), 2);
}

#[test]
fn b_03_the_sample_goes_live() {
    line(told(), 3);
}

#[test]
fn b_04_nothing_is_written_while_nothing_changes() {
    line(told(), 4);
}

#[test]
fn b_05_drift_is_put_back_and_what_belongs_to_others_stays() {
    line(told(), 5);
}

#[test]
fn b_06_a_change_by_kubectl_and_by_the_api_is_an_upgrade() {
    line(told(), 6);
}

#[test]
fn b_07_an_api_that_is_gone_is_told() {
    line(told(), 7);
}

#[test]
fn b_08_a_second_resource_is_told_whose_config_map_it_wants() {
    line(told(), 8);
}

#[test]
fn b_09_an_edited_chart_is_taken_up_and_a_broken_one_touches_nothing() {
    line(told(), 9);
}

#[test]
fn b_10_nothing_is_left() {
    line(told(), 10);
}

#[test]
fn b_11_the_operator_is_upgraded_while_resources_change() {
    line(told(), 11);
}

#[test]
fn every_line_of_minimart_has_its_test() {
    every_line_has_its_test("b", &LINES, include_str!("minimart.rs"));
}
