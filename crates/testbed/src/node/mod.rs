//! A real node: kubelet, containerd, kube-proxy and `CoreDNS` in a network namespace, beside a control plane of this machine.
//!
//! It needs root and Debian's packages ([`machine`] tells what is missing). Everything it makes is known by fixed names: a
//! folder, a cgroup that holds every process, a network namespace and a link to it. So there is one on a machine at a time, and
//! what a crash leaves is found: a shell (`janitor.sh`) takes it away when the process that started it is gone, or at
//! the latest when the next one starts. Of the machine's own network only two routes and a link are added; Pods cannot leave it.
//!
//! Tried with containerd 1.6 and runc 1.1 under cgroup v1.

pub mod machine;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::json;

use crate::guard::{self, Guarded};
use crate::image::oci::{Config, Image};
use crate::image::tree::Tree;
use crate::kubeconfig::write_private;
use crate::program::Program;
use crate::{ControlPlane, Options};

/// The node's name.
pub const NAME: &str = "node-0";
/// The network namespace.
pub const NAMESPACE: &str = "chart-operator";
/// The cgroup, and what is called after it.
pub const GROUP: &str = "chart-operator-node";
/// Everything of it that lies on a disk.
pub const FOLDER: &str = "/var/lib/chart-operator-node";
const SOCKET: &str = "/var/lib/chart-operator-node/containerd.sock";
/// The ends of the link between the machine and the namespace.
const LINK: [&str; 2] = ["co-host", "co-node"];
/// The machine as Pods see it: where the API server listens.
const HOST: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const NODE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const PODS: &str = "10.88.0.0/24";
const SERVICES: &str = "10.96.0.0/16";
/// An image that is always there: what holds a Pod's namespaces.
pub const PAUSE: &str = "localhost/pause:1";

const JANITOR: &str = include_str!("janitor.sh");
const ENTER: &str = include_str!("enter.sh");
/// Files that name this node's places, by their own places in its folder.
const FILES: [(&str, &str); 5] = [
    ("containerd.toml", include_str!("containerd.toml")),
    ("kubelet.yaml", include_str!("kubelet.yaml")),
    ("kube-proxy.yaml", include_str!("kube-proxy.yaml")),
    ("cni/10-network.conflist", include_str!("network.conflist")),
    ("Corefile", include_str!("Corefile")),
];

/// How long a program of the node may take to be usable. Measured: 2 s.
const DEADLINE: Duration = Duration::from_mins(1);
/// How long taking everything away may last.
const CLEANING: Duration = Duration::from_mins(1);
/// Between two looks at something that is not ready yet.
const PAUSE_BETWEEN: Duration = Duration::from_millis(100);
/// Lines of each log that an error shows.
const SHOWN: usize = 15;

/// A control plane with a real node. Dropping it takes everything away.
pub struct Cluster {
    // The order of the fields is the order in which they are dropped: the janitor kills what is in the cgroup first.
    janitor: Janitor,
    programs: Vec<Guarded>,
    plane: ControlPlane,
}

impl Cluster {
    /// Starts it with the images of these archives, and returns when the node is ready.
    ///
    /// # Errors
    /// The machine does not allow it, another one runs, or a program is not usable in time: the message shows its log.
    pub async fn start(archives: &[PathBuf]) -> Result<Self> {
        machine::check()?;
        let janitor = Janitor::start()?;
        connect()?;
        let plane = ControlPlane::start(Options { scheduler: true, address: Some(HOST), ..Options::default() }).await?;
        let mut cluster = Self { janitor, programs: Vec::new(), plane };
        match cluster.start_node(archives).await {
            Ok(()) => Ok(cluster),
            Err(error) => Err(error.context(cluster.logs())),
        }
    }

    /// The control plane.
    pub const fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// Takes everything away. Dropping does the same.
    pub fn stop(self) {
        drop(self);
    }

    async fn start_node(&mut self, archives: &[PathBuf]) -> Result<()> {
        make_groups()?;
        self.write_files().await?;
        let file = |name: &str| format!("{FOLDER}/{name}");
        self.run("containerd", Path::new("containerd"), &["--config".to_owned(), file("containerd.toml")])?;
        self.until("containerd answers", || async { ctr(&["version"]).map(drop) }).await?;
        let pause = PathBuf::from(file("pause.tar"));
        write_pause(&pause)?;
        for archive in [pause].iter().chain(archives) {
            import(archive)?;
        }
        let kubelet = [
            format!("--config={}", file("kubelet.yaml")),
            format!("--kubeconfig={}", self.user("system:node:node-0", &["system:nodes"])?.display()),
            format!("--root-dir={}", file("kubelet")),
            format!("--cert-dir={}", file("pki")),
            format!("--hostname-override={NAME}"),
            format!("--node-ip={NODE}"),
        ];
        self.run("kubelet", &Program::Kubelet.locate()?, &kubelet)?;
        let proxy = [format!("--config={}", file("kube-proxy.yaml"))];
        self.run("kube-proxy", &Program::KubeProxy.locate()?, &proxy)?;
        self.run("coredns", &Program::CoreDns.locate()?, &["-conf".to_owned(), file("Corefile")])?;
        let client = self.plane.client().await?;
        self.until("the node is ready", || node_is_ready(client.clone())).await
    }

    async fn write_files(&self) -> Result<()> {
        for folder in ["cni", "logs", "pki", "pods", "run"] {
            let path = Path::new(FOLDER).join(folder);
            fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        }
        let client = self.plane.client().await?;
        allow_dns(&client).await?;
        let identity = self.plane.identity(&format!("system:node:{NAME}"), &[NODE], &[NAME])?;
        let pki = Path::new(FOLDER).join("pki");
        write_private(&pki.join("kubelet.crt"), &identity.certificate)?;
        write_private(&pki.join("kubelet.key"), &identity.key)?;
        write_private(&pki.join("ca.crt"), self.plane.authority())?;
        let names = BTreeMap::from([
            ("FOLDER", FOLDER.to_owned()),
            ("GROUP", GROUP.to_owned()),
            ("SOCKET", SOCKET.to_owned()),
            ("NAME", NAME.to_owned()),
            ("NODE", NODE.to_string()),
            ("PODS", PODS.to_owned()),
            ("PAUSE", PAUSE.to_owned()),
            ("PLUGINS", machine::PLUGINS.to_owned()),
            ("PROXY", self.user("system:kube-proxy", &[])?.display().to_string()),
            ("DNS", self.user("coredns", &[])?.display().to_string()),
        ]);
        write_private(&Path::new(FOLDER).join("resolv.conf"), "")?;
        for (file, text) in FILES {
            let filled =
                names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value));
            write_private(&Path::new(FOLDER).join(file), &filled)?;
        }
        Ok(())
    }

    fn user(&self, name: &str, groups: &[&str]) -> Result<PathBuf> {
        self.plane.user_kubeconfig(name, groups)
    }

    fn run(&mut self, name: &str, file: &Path, arguments: &[String]) -> Result<()> {
        let logs = Path::new(FOLDER).join("logs");
        let program = guard::Program { name, file: Path::new("/bin/sh"), folder: &logs, directory: None };
        let entered = ["-c", ENTER, "enter", GROUP, NAMESPACE].map(str::to_owned).into_iter();
        let all: Vec<String> = entered.chain([file.display().to_string()]).chain(arguments.iter().cloned()).collect();
        self.programs.push(Guarded::start(&program, &all, &[])?);
        Ok(())
    }

    /// Looks until something is there, or a program has ended, or the deadline is over.
    async fn until<F: Future<Output = Result<()>>>(&mut self, what: &str, probe: impl Fn() -> F) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        loop {
            let Err(missing) = probe().await else { return Ok(()) };
            for program in &mut self.programs {
                if let Some(status) = program.ended() {
                    bail!("`{}` ended before {what}: {status}", program.name());
                }
            }
            if Instant::now() > end {
                return Err(missing.context(format!("expected within {} s: {what}", DEADLINE.as_secs())));
            }
            tokio::time::sleep(PAUSE_BETWEEN).await;
        }
    }

    fn logs(&self) -> String {
        let shown = |program: &Guarded| format!("== {}\n{}\n", program.log().display(), program.last_lines(SHOWN));
        let logs: String = self.programs.iter().map(shown).collect();
        format!("cannot start the node; the last lines of its logs:\n{logs}")
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("plane", &self.plane).field("janitor", &self.janitor).finish_non_exhaustive()
    }
}

/// Gives the node of this machine the images of an archive, whoever started it.
///
/// # Errors
/// No node runs, or containerd does not take the archive.
pub fn import(archive: &Path) -> Result<()> {
    let path = archive.to_string_lossy();
    ctr(&["images", "import", &path]).map(drop).with_context(|| format!("cannot import {path}"))
}

fn ctr(arguments: &[&str]) -> Result<String> {
    if !Path::new(SOCKET).exists() {
        bail!("no node runs: there is no {SOCKET}");
    }
    run(Command::new("ctr").args(["--address", SOCKET, "--namespace", "k8s.io"]).args(arguments))
}

fn run(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}").replace('"', "");
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {shown}"))?;
    if !output.status.success() {
        bail!("{shown}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The namespace, and the link by which machine and Pods reach each other.
fn connect() -> Result<()> {
    let [host, node] = LINK;
    let commands = [
        format!("netns add {NAMESPACE}"),
        format!("link add {host} type veth peer name {node} netns {NAMESPACE}"),
        format!("addr add {HOST}/30 dev {host}"),
        format!("link set {host} up"),
        format!("-n {NAMESPACE} addr add {NODE}/30 dev {node}"),
        format!("-n {NAMESPACE} link set {node} up"),
        format!("-n {NAMESPACE} link set lo up"),
        format!("-n {NAMESPACE} route add default via {HOST}"),
        format!("route add {PODS} via {NODE}"),
        format!("route add {SERVICES} via {NODE}"),
    ];
    for command in commands {
        run(Command::new("ip").args(command.split(' '))).context("cannot make the node's network")?;
    }
    let forward = "echo 1 >/proc/sys/net/ipv4/ip_forward
        if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables; fi";
    run(Command::new("ip").args(["netns", "exec", NAMESPACE, "/bin/sh", "-c", forward])).map(drop)
}

/// The cgroup of all processes of the node, in every hierarchy.
fn make_groups() -> Result<()> {
    for root in machine::group_roots()? {
        let folder = root.join(GROUP).join("daemons");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        // Version 2: what is below may use what is above. A controller that is not there is no fault.
        for above in [root.clone(), root.join(GROUP)] {
            let control = above.join("cgroup.subtree_control");
            for controller in ["cpuset", "cpu", "io", "memory", "pids"].iter().filter(|_| control.exists()) {
                fs::write(&control, format!("+{controller}")).ok();
            }
        }
    }
    Ok(())
}

/// An image whose container does nothing: `sleep` of this machine.
fn write_pause(path: &Path) -> Result<()> {
    let sleep = machine::find("sleep").context("there is no `sleep`")?;
    let entrypoint = vec!["/pause".to_owned(), "infinity".to_owned()];
    let mut image = Image::scratch(Config { entrypoint, ..Config::default() });
    image.add(&Tree::default().program("pause", &sleep)?, "COPY sleep /pause")?;
    image.save(path, &[PAUSE])
}

async fn node_is_ready(client: kube::Client) -> Result<()> {
    let node = Api::<Node>::all(client).get(NAME).await?;
    let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
    let Some(ready) = conditions.iter().find(|condition| condition.type_ == "Ready") else {
        bail!("it says nothing yet")
    };
    if ready.status != "True" || node.spec.and_then(|spec| spec.taints).is_some_and(|taints| !taints.is_empty()) {
        bail!("it is not: {}", ready.message.as_deref().unwrap_or_default());
    }
    Ok(())
}

/// What `CoreDNS` has to read.
async fn allow_dns(client: &kube::Client) -> Result<()> {
    let rules = json!([
        {"apiGroups": [""], "resources": ["services", "namespaces", "endpoints", "pods"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]);
    let binding = json!({
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "coredns"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "coredns"}],
    });
    for (kind, mut object) in [("ClusterRole", json!({"rules": rules})), ("ClusterRoleBinding", binding)] {
        if let Some(fields) = object.as_object_mut() {
            fields.insert("apiVersion".to_owned(), json!("rbac.authorization.k8s.io/v1"));
            fields.insert("kind".to_owned(), json!(kind));
            fields.insert("metadata".to_owned(), json!({"name": "coredns"}));
        }
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", kind));
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let object = serde_json::from_value(object)?;
        api.create(&PostParams::default(), &object).await.context("cannot give CoreDNS its rights")?;
    }
    Ok(())
}

/// The shell that takes away what a node leaves.
#[derive(Debug)]
struct Janitor(Child);

impl Janitor {
    /// Starts it, and waits until what was there before is gone.
    fn start() -> Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", JANITOR, "janitor", FOLDER, GROUP, NAMESPACE, LINK[0]])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start /bin/sh")?;
        let mut said = String::new();
        if let Some(output) = shell.stdout.take() {
            BufReader::new(output).read_line(&mut said).context("cannot hear the janitor")?;
        }
        let janitor = Self(shell);
        match said.trim() {
            "ready" => Ok(janitor),
            "busy" => bail!("another node of the testbed runs on this machine; there can be one"),
            other => bail!("the janitor of the node ended: {other}"),
        }
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let end = Instant::now() + CLEANING;
        while let Ok(None) = self.0.try_wait() {
            if Instant::now() > end {
                return;
            }
            std::thread::sleep(PAUSE_BETWEEN);
        }
    }
}
