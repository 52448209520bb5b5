//! Starts a control plane, waits until it is usable, and stops it.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::api::{Api, PostParams};
use serde_json::json;

use crate::audit::AuditLog;
use crate::certificate::{Authority, Identity, SigningKey};
use crate::control_plane::arguments::Layout;
use crate::guard::{self, Folder, Guarded};
use crate::kubeconfig::{Credential, Server, kubeconfig, write_private};
use crate::port::Port;
use crate::program::Program;

mod arguments;

/// How long one program may take to become usable. Measured: 3 s on two idle cores, 6 s on busy ones.
const DEADLINE: Duration = Duration::from_mins(2);
/// Between two looks at something that is not ready yet.
const PAUSE: Duration = Duration::from_millis(50);
/// Lines of each log that an error shows.
const SHOWN: usize = 15;
/// The address of the Service `kubernetes`.
const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
/// Its names, and that of this machine.
const NAMES: [&str; 4] = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
const STAGES: &str = include_str!("kwok.yaml");
const AUDIT_POLICY: &str = include_str!("audit-policy.yaml");

/// Which controllers run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Controllers {
    /// No controller-manager: nothing is collected, no Deployment makes Pods, no namespace ever goes away.
    None,
    /// Those named, e.g. `garbage-collector-controller`. With kwok, `node-lifecycle-controller` belongs to them: without it
    /// nodes keep their not-ready taint.
    Only(Vec<String>),
    /// All that run by default.
    #[default]
    All,
}

/// What to start beside etcd and the API server.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The controller-manager's controllers.
    pub controllers: Controllers,
    /// Whether Pods are scheduled.
    pub scheduler: bool,
    /// Whether there is a node, `kwok-0`, on which Pods pretend to run: they are Ready after two seconds, and those of Jobs end,
    /// as annotations say (`kwok.yaml` beside this file names them).
    pub kwok: bool,
    /// Whether the API server writes down every request: [`ControlPlane::audit`].
    pub audit: bool,
    /// The address of this machine by which nodes reach the API server; loopback where there are none.
    pub address: Option<Ipv4Addr>,
    /// More flags for the API server.
    pub api_server_arguments: Vec<String>,
}

/// A running control plane. Dropping it stops it and removes its files.
pub struct ControlPlane {
    // The order of the fields is the order in which they are dropped: the programs end before their folder.
    programs: Vec<Guarded>,
    layout: Layout,
    server: Server,
    authority: Authority,
    options: Options,
    _ports: [Port; 3],
    _folder: Folder,
}

impl ControlPlane {
    /// Starts it, and returns when the API server answers, the default `ServiceAccount` exists (with a controller-manager)
    /// and the node is ready (with kwok).
    ///
    /// # Errors
    /// A program is not built, ends, or is not usable within two minutes: the message shows the last lines of the logs.
    pub async fn start(options: Options) -> Result<Self> {
        let folder = Folder::new("chart-operator-testbed-")?;
        let ports = [Port::reserve()?, Port::reserve()?, Port::reserve()?];
        let [api_server, etcd, etcd_peer] = ports.each_ref().map(Port::number);
        let address = options.address.unwrap_or(Ipv4Addr::LOCALHOST);
        let layout = Layout { root: folder.path().to_path_buf(), address, api_server, etcd, etcd_peer };
        let authority = Authority::new()?;
        write_pki(&layout, &authority)?;
        let server = Server { address: layout.address(), authority: authority.identity().certificate };
        let mut plane =
            Self { programs: Vec::new(), layout, server, authority, options, _ports: ports, _folder: folder };
        let started = plane.start_programs().await;
        match started {
            Ok(()) => Ok(plane),
            Err(error) => Err(error.context(plane.logs_as_text())),
        }
    }

    /// The address of the API server.
    pub fn address(&self) -> &str {
        &self.server.address
    }

    /// The kubeconfig file of an administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.kubeconfig("admin")
    }

    /// A client with all rights. It belongs to the runtime that asks for it.
    ///
    /// # Errors
    /// The kubeconfig file is gone.
    pub async fn client(&self) -> Result<kube::Client> {
        crate::kubeconfig::client(&self.kubeconfig()).await
    }

    /// A kubeconfig file of a user who has the rights that RBAC gives to this name and these groups: none at first.
    ///
    /// # Errors
    /// The name cannot stand in a certificate, or the file not be written.
    pub fn user_kubeconfig(&self, user: &str, groups: &[&str]) -> Result<PathBuf> {
        let credential = Credential::Certificate(self.authority.client(user, groups)?);
        // A user may be called `system:serviceaccount:a:b`, or anything with a slash.
        let path = self.layout.kubeconfig(&user.replace(['/', ':'], "-"));
        write_private(&path, &kubeconfig(&self.server, user, &credential).to_string())?;
        Ok(path)
    }

    /// A kubeconfig file with a token of a `ServiceAccount`, which has to exist. The token is good for a day.
    ///
    /// # Errors
    /// There is no such account, or the file cannot be written.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        self.accounts().kubeconfig(namespace, name).await
    }

    /// What makes kubeconfig files of accounts where this control plane is not at hand.
    pub(crate) fn accounts(&self) -> Accounts {
        Accounts { admin: self.kubeconfig(), server: self.server.clone() }
    }

    /// A kubeconfig file that leads to a proxy at `address`, which asks as `user`.
    pub(crate) fn proxied_kubeconfig(&self, user: &str, address: &str) -> Result<PathBuf> {
        let server = Server { address: address.to_owned(), ..self.server.clone() };
        let path = self.layout.kubeconfig(&format!("{user}-proxied"));
        let credential = Credential::Token("the proxy knows who asks".to_owned());
        write_private(&path, &kubeconfig(&server, user, &credential).to_string())?;
        Ok(path)
    }

    /// A certificate for a server that this control plane's clients trust.
    pub(crate) fn identity(&self, name: &str, addresses: &[Ipv4Addr], names: &[&str]) -> Result<Identity> {
        self.authority.server(name, addresses, names)
    }

    /// The certificate of its authority, as PEM.
    pub(crate) fn authority(&self) -> &str {
        &self.server.authority
    }

    /// The audit log, nothing where none was asked for.
    pub fn audit(&self) -> Option<AuditLog> {
        self.options.audit.then(|| AuditLog::new(self.layout.audit_log()))
    }

    /// The folder of the programs' logs, one `<program>.log` each.
    pub fn logs(&self) -> PathBuf {
        self.layout.logs()
    }

    /// The process id of a program that runs.
    pub fn pid(&self, program: Program) -> Option<u32> {
        self.programs.iter().find(|running| running.name() == program.name()).and_then(Guarded::pid)
    }

    /// Kills a program of a running control plane: what happens to others then is what is to be seen.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&mut self, program: Program) -> Result<()> {
        let place = self.programs.iter().position(|running| running.name() == program.name());
        let place = place.with_context(|| format!("`{}` does not run", program.name()))?;
        self.programs.remove(place).stop();
        Ok(())
    }

    /// Starts a program again that was killed, on the same ports with the same data, and returns when it is usable.
    ///
    /// # Errors
    /// As [`ControlPlane::start`].
    pub async fn restart(&mut self, program: Program) -> Result<()> {
        self.run(program)?;
        self.wait_for("/readyz", |plane| async move { plane.ready().await }).await
    }

    /// Stops it. Dropping does the same.
    pub fn stop(self) {
        drop(self);
    }

    async fn start_programs(&mut self) -> Result<()> {
        self.run(Program::Etcd)?;
        self.run(Program::ApiServer)?;
        self.wait_for("/readyz", |plane| async move { plane.ready().await }).await?;
        if self.options.controllers != Controllers::None {
            self.run(Program::ControllerManager)?;
        }
        if self.options.scheduler {
            self.run(Program::Scheduler)?;
        }
        if self.options.kwok {
            self.run(Program::Kwok)?;
            self.create_node().await?;
        }
        // A namespace takes Pods only once its default account exists.
        if self.options.controllers == Controllers::All {
            self.wait_for("the default ServiceAccount", |plane| async move { plane.has_default_account().await })
                .await?;
        }
        if self.options.kwok {
            let taints = if self.options.controllers == Controllers::All { 0 } else { usize::MAX };
            self.wait_for("the simulated node", move |plane| async move { plane.node_is_ready(taints).await }).await?;
        }
        Ok(())
    }

    fn run(&mut self, program: Program) -> Result<()> {
        let arguments = match program {
            Program::Etcd => arguments::etcd(&self.layout),
            Program::ApiServer => arguments::api_server(&self.layout, &self.options),
            Program::Scheduler => arguments::scheduler(&self.layout),
            Program::Kwok => arguments::kwok(&self.layout),
            Program::ControllerManager => arguments::controller_manager(&self.layout, &self.options.controllers)
                .context("this control plane was started without controllers")?,
            other => bail!("`{}` is no part of a control plane", other.name()),
        };
        let file = program.locate()?;
        let logs = self.logs();
        let what = guard::Program { name: program.name(), file: &file, folder: &logs, directory: None };
        self.programs.push(Guarded::start(&what, &arguments, &[])?);
        Ok(())
    }

    /// Looks until something is there, or a program has ended, or the deadline is over.
    async fn wait_for<'a, F>(&'a mut self, what: &str, probe: impl Fn(Probe) -> F) -> Result<()>
    where
        F: Future<Output = Result<()>> + 'a,
    {
        let probed = Probe { client: self.client().await? };
        let deadline = Instant::now() + DEADLINE;
        loop {
            let answer = tokio::time::timeout(Duration::from_secs(5), probe(probed.clone())).await;
            let missing = match answer {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error,
                Err(late) => late.into(),
            };
            for program in &mut self.programs {
                if let Some(status) = program.ended() {
                    bail!("`{}` ended while it was waited for {what}: {status}", program.name());
                }
            }
            if Instant::now() > deadline {
                return Err(missing.context(format!("{what}: not there within {} s", DEADLINE.as_secs())));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn create_node(&self) -> Result<()> {
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": "kwok-0",
                "labels": {"type": "kwok", "kubernetes.io/hostname": "kwok-0", "kubernetes.io/os": "linux"},
                "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
            },
        });
        let nodes: Api<Node> = Api::all(self.client().await?);
        let node = serde_json::from_value(node).context("the simulated node is no Node")?;
        nodes.create(&PostParams::default(), &node).await.context("cannot create the simulated node")?;
        Ok(())
    }

    fn logs_as_text(&self) -> String {
        let shown = |program: &Guarded| format!("== {}\n{}\n", program.log().display(), program.last_lines(SHOWN));
        let logs: String = self.programs.iter().map(shown).collect();
        format!("cannot start the control plane; the last lines of its logs:\n{logs}")
    }
}

/// Makes kubeconfig files of accounts.
pub(crate) struct Accounts {
    admin: PathBuf,
    server: Server,
}

impl Accounts {
    /// As [`ControlPlane::service_account_kubeconfig`].
    pub(crate) async fn kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> = Api::namespaced(crate::kubeconfig::client(&self.admin).await?, namespace);
        let spec = TokenRequestSpec { expiration_seconds: Some(86_400), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .with_context(|| format!("cannot get a token of the ServiceAccount `{namespace}/{name}`"))?;
        let token = answer.status.context("the API server answered a token request without a token")?.token;
        let user = format!("{namespace}-{name}");
        let path = self.admin.with_file_name(format!("{user}.kubeconfig"));
        write_private(&path, &kubeconfig(&self.server, &user, &Credential::Token(token)).to_string())?;
        Ok(path)
    }
}

/// What asks a control plane that comes up.
#[derive(Clone)]
struct Probe {
    client: kube::Client,
}

impl Probe {
    async fn ready(&self) -> Result<()> {
        let request = http::Request::get("/readyz").body(Vec::new())?;
        self.client.request_text(request).await?;
        Ok(())
    }

    async fn has_default_account(&self) -> Result<()> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), "default");
        accounts.get("default").await?;
        Ok(())
    }

    /// Whether the node is ready, with at most so many taints: it is a controller that takes them off.
    async fn node_is_ready(&self, most: usize) -> Result<()> {
        let node = Api::<Node>::all(self.client.clone()).get("kwok-0").await?;
        let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
        let ready = conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
        let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
        if !ready || taints.len() > most {
            bail!("node `kwok-0` is {}ready and has {} taints", if ready { "" } else { "not " }, taints.len());
        }
        Ok(())
    }
}

fn write_pki(layout: &Layout, authority: &Authority) -> Result<()> {
    for folder in [layout.pki(""), layout.logs()] {
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let pair = |name: &str, identity: &Identity| -> Result<()> {
        write_private(&layout.pki(&format!("{name}.crt")), &identity.certificate)?;
        write_private(&layout.pki(&format!("{name}.key")), &identity.key)
    };
    pair("ca", &authority.identity())?;
    let addresses = [Ipv4Addr::LOCALHOST, layout.address, SERVICE];
    pair("apiserver", &authority.server("kube-apiserver", &addresses, &NAMES)?)?;
    pair("kubelet-client", &authority.client("kube-apiserver-kubelet-client", &["system:masters"])?)?;
    let signing = SigningKey::new()?;
    write_private(&layout.pki("sa.key"), &signing.private)?;
    write_private(&layout.pki("sa.pub"), &signing.public)?;
    let server = Server { address: layout.address(), authority: authority.identity().certificate };
    for (file, user, groups) in [
        ("admin", "admin", ["system:masters"].as_slice()),
        ("controller-manager", "system:kube-controller-manager", &[]),
        ("scheduler", "system:kube-scheduler", &[]),
    ] {
        let credential = Credential::Certificate(authority.client(user, groups)?);
        write_private(&layout.kubeconfig(file), &kubeconfig(&server, user, &credential).to_string())?;
    }
    write_private(&layout.stages(), STAGES)?;
    write_private(&layout.audit_policy(), AUDIT_POLICY)
}

impl std::fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlPlane").field("address", &self.server.address).finish_non_exhaustive()
    }
}
