//! The manager: loads the catalog, watches each kind, works its queue, and stops in order. It wires; it decides nothing
//! about a resource.

mod controller;
mod dependents;
mod follow;
pub mod options;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::catalog::Catalog;
use crate::cluster::client;
use crate::cluster::discovery::Discovery;
use crate::cluster::{Cluster, lease};
use crate::health::Gate;
use crate::metrics::{self, Metrics};
use crate::operator::dependents::Dependents;
use crate::operator::follow::Streaming;
use crate::operator::options::{LeaderElection, RunOptions};
use crate::reconcile::{Context, Shared};
use crate::render::Capabilities;

/// Between two tries to reach the API server at the start.
const CONNECT_RETRY: Duration = Duration::from_secs(2);

/// How long passes may go on after the signal to stop (operator-sdk's manager gives 30 s).
const GRACE: Duration = Duration::from_secs(30);

/// Why the manager does not run, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Outside a cluster there is no namespace for the Lease.
    #[error("unable to find leader election namespace: not running in-cluster, please specify LeaderElectionNamespace")]
    LeaseNamespace,
    /// The Lease can neither be read nor created.
    #[error("cannot take part in the leader election")]
    Lease(#[source] kube_lease_manager::LeaseManagerError),
    /// Somebody else leads now: going on would mean two writers.
    #[error("leader election lost")]
    LeadershipLost,
}

/// What the manager shares with those who serve beside it.
#[derive(Clone, Debug)]
pub struct Running {
    /// The cluster, which need not answer yet.
    pub cluster: Cluster,
    /// What is counted.
    pub metrics: Metrics,
    /// Whether everything is watched.
    pub gate: Gate,
    /// Becomes true when the manager is to stop.
    pub stop: watch::Receiver<bool>,
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that nobody can ask any more, which is a stop too.
    let _ended = stop.wait_for(|stop| *stop).await;
}

/// Runs until [`Running::stop`] becomes true.
///
/// # Errors
/// See [`Error`]. An API server that is away is none: it is waited for.
pub async fn run(options: &RunOptions, catalog: &Catalog, running: Running) -> Result<(), Error> {
    let Running { cluster, metrics, gate, stop } = running;
    if let Some(namespaces) = &options.namespaces {
        tracing::info!(target: "cmd", Namespaces = namespaces.join(","), "Watching namespaces.");
    } else {
        tracing::info!(target: "cmd", "Watching all namespaces.");
    }
    let discovery = Discovery::new(cluster.clone());
    let Some(capabilities) = first_capabilities(&discovery, &gate, stop.clone()).await else { return Ok(()) };
    let streaming = Streaming::default();
    let dependents = Arc::new(Dependents::new(cluster.clone(), options.namespaces.clone(), streaming.clone()));
    let context = Arc::new(Context::new(Shared {
        cluster: cluster.clone(),
        discovery,
        capabilities,
        metrics: metrics.clone(),
        watching: Arc::clone(&dependents) as _,
        reconcile_period: options.reconcile_period,
        suppress_override_values: options.suppress_override_values,
    }));
    dependents.attach(&context);
    let (leading, leads) = watch::channel(options.leader_election.is_none());
    let mut controllers = JoinSet::new();
    for entry in &catalog.entries {
        let start = controller::Start {
            context: Arc::clone(&context),
            entry: Arc::clone(entry),
            gate: gate.clone(),
            streaming: streaming.clone(),
            namespaces: options.namespaces.clone(),
            label_selector: options.label_selector.clone(),
            workers: entry.watch.max_concurrent_reconciles.unwrap_or(options.max_concurrent_reconciles),
            leads: leads.clone(),
            stop: stop.clone(),
        };
        controllers.spawn(controller::run(start));
    }
    let result = if let Some(election) = &options.leader_election {
        lead(&cluster, election, &metrics, &leading, stop).await
    } else {
        stopped(stop).await;
        Ok(())
    };
    if result.is_ok() && tokio::time::timeout(GRACE, controllers.join_all()).await.is_err() {
        tracing::warn!(target: "setup", "Passes still under way after the grace period are cut off");
    }
    result
}

/// What the cluster serves, waited for: the API server may come up after us.
async fn first_capabilities(
    discovery: &Discovery,
    gate: &Gate,
    stop: watch::Receiver<bool>,
) -> Option<watch::Receiver<Arc<Capabilities>>> {
    const CHECK: &str = "apiserver";
    let mut reported = false;
    loop {
        match discovery.capabilities().await {
            Ok(capabilities) => {
                gate.ready(CHECK);
                if reported {
                    tracing::info!(target: "setup", "API server answers");
                }
                return Some(watch::channel(Arc::new(capabilities)).1);
            }
            Err(error) => {
                let message = error.message();
                gate.not_ready(CHECK, &message);
                if !reported {
                    tracing::error!(target: "setup", error = message, "API server does not answer, waiting for it");
                }
                reported = true;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(CONNECT_RETRY) => {}
            () = stopped(stop.clone()) => return None,
        }
    }
}

/// Leads as long as we may; gives the lease back at the end.
async fn lead(
    cluster: &Cluster,
    election: &LeaderElection,
    metrics: &Metrics,
    leading: &watch::Sender<bool>,
    stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    let namespace = match &election.namespace {
        Some(namespace) => namespace.clone(),
        None => client::own_namespace().ok_or(Error::LeaseNamespace)?,
    };
    let identity = format!("{}_{}", hostname::get().unwrap_or_default().to_string_lossy(), uuid::Uuid::new_v4());
    let status = metrics.leader.get_or_create_owned(&metrics::Lease { name: election.id.clone() });
    tracing::info!(target: "leaderelection", "attempting to acquire leader lease {namespace}/{}...", election.id);
    let mut campaign = lease::campaign(cluster, &namespace, &election.id, &identity).await.map_err(Error::Lease)?;
    let result = tokio::select! {
        won = campaign.won() => {
            if won {
                tracing::info!(target: "leaderelection", "successfully acquired lease {namespace}/{}", election.id);
                status.set(1);
                leading.send_replace(true);
            }
            tokio::select! {
                () = campaign.lost() => Err(Error::LeadershipLost),
                () = stopped(stop) => Ok(()),
            }
        }
        () = stopped(stop.clone()) => Ok(()),
    };
    status.set(0);
    if let Err(error) = campaign.resign().await {
        tracing::warn!(target: "leaderelection", error = %error, "Lease not released, it runs out by itself");
    }
    result
}
