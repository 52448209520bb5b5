//! What the manager is told when it starts: the flags of `run` and the environment, already parsed and checked.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::metrics::Build;

/// How the manager runs. Defaults are those of operator-sdk v1.42's `helm-operator run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// What this program is, for logs, metrics and the user agent.
    pub build: Build,
    /// Path of `watches.yaml` (`--watches-file`, default `./watches.yaml`).
    pub watches_file: PathBuf,
    /// After how long a resource is looked at although nothing happened (`--reconcile-period`, default a minute);
    /// `None`, the flag's `0`, never.
    pub reconcile_period: Option<Duration>,
    /// Passes at the same time, per watch (`--max-concurrent-reconciles`, default 16).
    pub max_concurrent_reconciles: NonZeroUsize,
    /// Where `/metrics` is served (`--metrics-bind-address`, default `:8080`); `None`, the flag's `0`, nowhere.
    pub metrics_bind_address: Option<SocketAddr>,
    /// Who may read `/metrics`, and how (`--metrics-secure`, `--metrics-require-rbac`).
    pub metrics_security: MetricsSecurity,
    /// Where `/healthz` and `/readyz` are served (`--health-probe-bind-address`, default `:8081`); `None` nowhere.
    pub health_probe_bind_address: Option<SocketAddr>,
    /// Which Lease decides who leads (`--leader-elect` and its friends); `None` where this process always leads.
    pub leader_election: Option<LeaderElection>,
    /// Show `****` for an overridden value in events (`--suppress-override-values`, default false).
    pub suppress_override_values: bool,
    /// Which resources of the watched kinds are ours, as a Kubernetes label selector (`--label-selector`).
    pub label_selector: Option<String>,
    /// What templates see as the version of the operator (`--version`); `None` is that of this build.
    pub version: Option<String>,
    /// Namespaces to watch (`WATCH_NAMESPACE`, a comma list); `None` is all of them. Never empty, no duplicates.
    pub namespaces: Option<Vec<String>>,
}

/// How `/metrics` is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsSecurity {
    /// HTTP, for everybody.
    Open,
    /// HTTPS with a certificate made at the start, for everybody.
    Tls,
    /// HTTPS, for those whom the cluster allows to get the path (`TokenReview` and `SubjectAccessReview`).
    Rbac,
}

/// The Lease that replicas compete for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderElection {
    /// Name of the Lease (`--leader-election-id`, else `OPERATOR_NAME`). Never empty.
    pub id: String,
    /// Its namespace (`--leader-election-namespace`); `None` is the namespace this process runs in, which only a process
    /// in a cluster knows: outside, it is an error.
    pub namespace: Option<String>,
}
