//! A node for all tests, images, and what a user types.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use testbed::guard::Folder;
use testbed::image::oci::{Config, Image};
use testbed::image::operator;
use testbed::image::tree::Tree;
use testbed::node::Cluster;
use testbed::program::Program;

/// How long anything may take before a test fails: far longer than it should, so that a busy machine is no failure.
const DEADLINE: Duration = Duration::from_mins(2);
/// Between two looks.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);

/// The image of this repository's project, and the one after it.
pub(crate) const IMAGE: &str = "chart-operator:e2e";
pub(crate) const NEXT_IMAGE: &str = "chart-operator:next";
/// The image of `tests/projects/memcached-operator`.
pub(crate) const MEMCACHED_IMAGE: &str = "memcached-operator:e2e";
/// Of part 2 of Package Operator's demonstration.
const EXAMPLE_IMAGE: &str = "example-operator-manager:0.1.0";
/// What samples name, and a server of ours plays.
const PLAYED: [&str; 5] =
    ["samutup/minimart:1.0.1", "nginx:1.14.2", "nginx:1.15.2", "nginx:stable-alpine", "memcached:1.6-alpine"];

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The cluster, with every image.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| on_a_runtime(async { Cluster::start(&archives()).await.unwrap() }))
}

/// Waits for something that is not done in this thread.
pub(crate) fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn archives() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e-images");
    fs::create_dir_all(&folder).unwrap();
    let base = operator::operator(&binary(&folder)).unwrap();
    let memcached = repository().join("tests/projects/memcached-operator");
    let example = repository().join("samples/package-operator/example-operator");
    let mut archives = Vec::new();
    for (project, names) in [
        (repository(), &[IMAGE, NEXT_IMAGE][..]),
        (memcached.as_path(), &[MEMCACHED_IMAGE]),
        (example.as_path(), &[EXAMPLE_IMAGE]),
    ] {
        let archive = folder.join(format!("{}.tar", names[0].replace(':', "-")));
        operator::project(&base, project).unwrap().save(&archive, names).unwrap();
        archives.push(archive);
    }
    archives.push(folder.join("stub.tar"));
    let stub = beside("stub");
    // memcached's chart names the program.
    let tree =
        Tree::default().program("usr/local/bin/stub", &stub).unwrap().link("usr/bin/memcached", "/usr/local/bin/stub");
    let entrypoint = vec!["/usr/local/bin/stub".to_owned()];
    let mut image = Image::scratch(Config { entrypoint, env: vec!["PATH=/usr/bin".to_owned()], ..Config::default() });
    image.add(&tree, "COPY stub /usr/local/bin/").unwrap();
    image.save(archives.last().unwrap(), &PLAYED).unwrap();
    archives
}

/// The operator's program: the one that `BINARY` names, else that of the tests without what only debuggers read.
fn binary(folder: &Path) -> PathBuf {
    if let Some(named) = release() {
        return named;
    }
    let stripped = folder.join("chart-operator");
    let done = Command::new("strip").arg("-o").arg(&stripped).arg(env!("CARGO_BIN_EXE_chart-operator")).status();
    assert!(done.unwrap().success());
    stripped
}

/// The program that `BINARY` names: one as users run it, which is smaller than that of the tests.
pub(crate) fn release() -> Option<PathBuf> {
    std::env::var_os("BINARY").filter(|name| !name.is_empty()).map(PathBuf::from)
}

fn beside(name: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_BIN_EXE_chart-operator")).with_file_name(name);
    assert!(file.is_file(), "expected {}: `cargo build --package testbed` makes it", file.display());
    file
}

/// What a command said on standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let shown = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let [told, failed] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if output.status.success() { Ok(told) } else { Err(format!("{shown}: {failed}{told}")) }
}

/// kubectl, as an administrator.
pub(crate) fn try_kubectl(arguments: &[&str]) -> Result<String, String> {
    let kubeconfig = cluster().plane().kubeconfig();
    output(Command::new(Program::Kubectl.locate().unwrap()).args(arguments).env("KUBECONFIG", kubeconfig))
}

pub(crate) fn kubectl(arguments: &[&str]) -> String {
    try_kubectl(arguments).unwrap_or_else(|failed| panic!("{failed}"))
}

/// A target of this repository's Makefile, in a copy of the project.
pub(crate) fn make(target: &str, image: &str) {
    let folder = Folder::new("chart-operator-deploy-").unwrap();
    for part in ["Makefile", "config", "samples"] {
        let copied = Command::new("cp").arg("-r").arg(repository().join(part)).arg(folder.path()).status();
        assert!(copied.unwrap().success());
    }
    let set = |name: &str, value: &Path| format!("{name}={}", value.display());
    let mut command = Command::new("make");
    command.current_dir(folder.path()).args([target, &format!("IMG={image}")]);
    command.arg(set("KUBECTL", &Program::Kubectl.locate().unwrap()));
    command.arg(set("KUSTOMIZE", &Program::Kustomize.locate().unwrap()));
    output(command.env("KUBECONFIG", cluster().plane().kubeconfig())).unwrap_or_else(|failed| panic!("{failed}"));
}

/// Looks until `probe` finds something, and gives it.
pub(crate) fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// A namespace; empty for what is in none.
#[derive(Clone)]
pub(crate) struct Namespace(pub String);

impl Namespace {
    pub(crate) fn create(name: &str) -> Self {
        kubectl(&["create", "namespace", name]);
        let namespace = Self(name.to_owned());
        until("the default account", || namespace.get("serviceaccount", "default"));
        namespace
    }

    /// kubectl in it.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        kubectl(&[&["--namespace", &self.0], arguments].concat())
    }

    /// Applies a file of this repository.
    pub(crate) fn apply(&self, file: &str) {
        self.kubectl(&["apply", "--filename", &repository().join(file).display().to_string()]);
    }

    /// An object, if there is one.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Option<Json> {
        let text =
            try_kubectl(&["--namespace", &self.0, "get", kind, name, "--ignore-not-found", "--output=json"]).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// All objects of a kind with these labels.
    pub(crate) fn list(&self, kind: &str, selector: &str) -> Vec<Json> {
        let text = self.kubectl(&["get", kind, "--selector", selector, "--output=json"]);
        let list: Json = serde_json::from_str(&text).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// Waits until an object is as `test` wants it, and gives it.
    pub(crate) fn until(&self, kind: &str, name: &str, what: &str, test: impl Fn(&Json) -> bool) -> Json {
        let mut last = None;
        let result = catch_unwind(AssertUnwindSafe(|| {
            until(&format!("{kind} {}/{name}: {what}", self.0), || {
                last = self.get(kind, name);
                last.clone().filter(|object| test(object))
            })
        }));
        result.unwrap_or_else(|panic| panic!("{}\nit is: {}", told(&panic), last.unwrap_or_default()["status"]))
    }

    pub(crate) fn until_gone(&self, kind: &str, name: &str) {
        until(&format!("{kind} {}/{name} is gone", self.0), || self.get(kind, name).is_none().then_some(()));
    }

    pub(crate) fn patch(&self, kind: &str, name: &str, patch: &str) {
        self.kubectl(&["patch", kind, name, "--type=merge", "--patch", patch]);
    }

    /// The names of all objects of a kind.
    pub(crate) fn names(&self, kind: &str) -> Vec<String> {
        self.list(kind, "").iter().map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }
}

/// The condition of that type.
pub(crate) fn condition<'a>(object: &'a Json, condition_type: &str) -> Option<&'a Json> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| condition["type"] == condition_type)
}

/// Whether it has that status.
pub(crate) fn has(object: &Json, condition_type: &str, status: &str) -> bool {
    condition(object, condition_type).is_some_and(|condition| condition["status"] == status)
}

/// What `/metrics` behind a Service answers over HTTPS.
pub(crate) fn metrics(namespace: &Namespace, service: &str, token: &str) -> Option<(u16, String)> {
    let address = namespace.get("service", service)?["spec"]["clusterIP"].as_str()?.to_owned();
    on_a_runtime(async {
        let mut config = kube::Config::new(format!("https://{address}:8443").parse().unwrap());
        // The certificate was made at the start: nobody knows who signed it.
        config.accept_invalid_certs = true;
        config.default_retry = false;
        let client = kube::Client::try_from(config).unwrap();
        let request = http::Request::get("/metrics").header("Authorization", format!("Bearer {token}"));
        let answer = client.send(request.body(kube::client::Body::empty()).unwrap()).await.ok()?;
        let code = answer.status().as_u16();
        let body = answer.into_body().collect_bytes().await.ok()?;
        Some((code, String::from_utf8(body.to_vec()).unwrap()))
    })
}

/// Whether the operator of this repository is deployed. Whoever deploys, upgrades or deletes it is alone.
pub(crate) static DEPLOYED: RwLock<bool> = RwLock::new(false);

/// What came of the lines of a story: nothing of those that were not reached.
pub(crate) type Told = BTreeMap<usize, Result<(), String>>;

/// A line of a story: its number, and what happens.
pub(crate) type Line<S> = (usize, fn(&mut S));

/// Plays the lines of a story in their order, until one fails.
pub(crate) fn tell<S: Default>(lines: &[Line<S>]) -> Told {
    let (mut scene, mut came) = (S::default(), Told::new());
    for (number, play) in lines {
        let failed = catch_unwind(AssertUnwindSafe(|| play(&mut scene))).err().map(|panic| told(&panic));
        came.insert(*number, failed.clone().map_or(Ok(()), Err));
        if failed.is_some() {
            break;
        }
    }
    came
}

/// Fails if its line did.
pub(crate) fn line(came: &Told, number: usize) {
    match came.get(&number) {
        Some(Ok(())) => {}
        Some(Err(failed)) => panic!("{failed}"),
        None => panic!("not reached: an earlier line failed"),
    }
}

fn told(panic: &Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

/// Fails where a line has no test, or a test no line.
pub(crate) fn every_line_has_its_test(prefix: &str, lines: &[(usize, &str)], text: &str) {
    for (number, line) in lines {
        assert_eq!(text.matches(&format!("fn {prefix}_{number:02}_")).count(), 1, "{prefix} {number}: {line}");
    }
    assert_eq!(text.matches(&format!("fn {prefix}_")).count(), lines.len());
}

/// With the operator deployed, which nobody may take away meanwhile.
pub(crate) fn deployed<T>(story: impl FnOnce() -> T) -> T {
    loop {
        let is = DEPLOYED.read().unwrap_or_else(PoisonError::into_inner);
        if *is {
            return story();
        }
        drop(is);
        let mut is = DEPLOYED.write().unwrap_or_else(PoisonError::into_inner);
        if !*is {
            crate::deployment::deploy(IMAGE);
            *is = true;
        }
    }
}
