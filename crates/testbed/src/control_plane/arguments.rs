//! The command lines of the programs. Facts about the flags that are not obvious stand beside them.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::control_plane::{Controllers, Options};

/// Addresses of Services; nothing routes them but a real node.
const SERVICES: &str = "10.96.0.0/16";

/// The files and ports that the command lines name.
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
    pub(crate) address: Ipv4Addr,
    pub(crate) api_server: u16,
    pub(crate) etcd: u16,
    pub(crate) etcd_peer: u16,
}

impl Layout {
    pub(crate) fn pki(&self, name: &str) -> PathBuf {
        self.root.join("pki").join(name)
    }

    pub(crate) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.root.join(format!("{user}.kubeconfig"))
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub(crate) fn audit_log(&self) -> PathBuf {
        self.root.join("audit.log")
    }

    pub(crate) fn audit_policy(&self) -> PathBuf {
        self.root.join("audit-policy.yaml")
    }

    pub(crate) fn stages(&self) -> PathBuf {
        self.root.join("kwok.yaml")
    }

    pub(crate) fn address(&self) -> String {
        format!("https://{}:{}", self.address, self.api_server)
    }

    fn etcd_address(&self) -> String {
        format!("http://127.0.0.1:{}", self.etcd)
    }
}

fn flag(name: &str, value: &Path) -> String {
    format!("--{name}={}", value.display())
}

/// etcd, without waiting for the disk: the data is thrown away.
pub(crate) fn etcd(layout: &Layout) -> Vec<String> {
    let client = layout.etcd_address();
    let peer = format!("http://127.0.0.1:{}", layout.etcd_peer);
    vec![
        "--name=testbed".to_owned(),
        flag("data-dir", &layout.root.join("etcd")),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=testbed={peer}"),
    ]
}

/// The API server.
pub(crate) fn api_server(layout: &Layout, options: &Options) -> Vec<String> {
    let mut arguments = vec![
        format!("--etcd-servers={}", layout.etcd_address()),
        format!("--bind-address={}", layout.address),
        format!("--advertise-address={}", layout.address),
        format!("--secure-port={}", layout.api_server),
        // A loopback address cannot stand in Endpoints: the Service `kubernetes` has none then.
        format!("--endpoint-reconciler-type={}", if layout.address.is_loopback() { "none" } else { "lease" }),
        flag("tls-cert-file", &layout.pki("apiserver.crt")),
        flag("tls-private-key-file", &layout.pki("apiserver.key")),
        flag("client-ca-file", &layout.pki("ca.crt")),
        flag("kubelet-client-certificate", &layout.pki("kubelet-client.crt")),
        flag("kubelet-client-key", &layout.pki("kubelet-client.key")),
        flag("kubelet-certificate-authority", &layout.pki("ca.crt")),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--enable-admission-plugins=NodeRestriction".to_owned(),
        "--allow-privileged=true".to_owned(),
        format!("--service-cluster-ip-range={SERVICES}"),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        flag("service-account-key-file", &layout.pki("sa.pub")),
        flag("service-account-signing-key-file", &layout.pki("sa.key")),
        "--profiling=false".to_owned(),
    ];
    if options.audit {
        arguments.push(flag("audit-policy-file", &layout.audit_policy()));
        arguments.push(flag("audit-log-path", &layout.audit_log()));
        // Rotation would lose what is counted.
        arguments.push("--audit-log-maxsize=100000".to_owned());
    }
    arguments.extend(options.api_server_arguments.iter().cloned());
    arguments
}

/// The controller-manager, nothing where none is wanted.
pub(crate) fn controller_manager(layout: &Layout, controllers: &Controllers) -> Option<Vec<String>> {
    let list = match controllers {
        Controllers::None => return None,
        Controllers::All => "*".to_owned(),
        Controllers::Only(names) => names.join(","),
    };
    let mut arguments = component(layout, "controller-manager");
    arguments.extend([
        format!("--controllers={list}"),
        "--use-service-account-credentials=true".to_owned(),
        flag("service-account-private-key-file", &layout.pki("sa.key")),
        flag("root-ca-file", &layout.pki("ca.crt")),
        flag("cluster-signing-cert-file", &layout.pki("ca.crt")),
        flag("cluster-signing-key-file", &layout.pki("ca.key")),
        // With the defaults the default ServiceAccount takes more than twice as long to appear.
        "--kube-api-qps=300".to_owned(),
        "--kube-api-burst=600".to_owned(),
    ]);
    Some(arguments)
}

/// The scheduler.
pub(crate) fn scheduler(layout: &Layout) -> Vec<String> {
    component(layout, "scheduler")
}

/// kwok, for nodes labelled `type=kwok`: it lives beside real ones.
pub(crate) fn kwok(layout: &Layout) -> Vec<String> {
    vec![
        flag("kubeconfig", &layout.kubeconfig("admin")),
        flag("config", &layout.stages()),
        "--manage-all-nodes=false".to_owned(),
        "--manage-nodes-with-label-selector=type=kwok".to_owned(),
        // Without a lease nodes are NotReady within a minute.
        "--node-lease-duration-seconds=40".to_owned(),
        "--cidr=10.200.0.0/16".to_owned(),
        "--node-ip=127.0.0.1".to_owned(),
    ]
}

/// What controller-manager and scheduler have in common: no leader election, no port of their own.
fn component(layout: &Layout, user: &str) -> Vec<String> {
    let kubeconfig = layout.kubeconfig(user);
    let mut arguments: Vec<_> = ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"]
        .map(|name| flag(name, &kubeconfig))
        .into();
    arguments.extend(["--secure-port=0", "--leader-elect=false", "--profiling=false"].map(ToOwned::to_owned));
    arguments
}
