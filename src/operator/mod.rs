//! The manager: follows the catalog, watches each kind, works its queue, and stops in order. It wires; it decides nothing
//! about a resource.

mod controller;
mod dependents;
mod fleet;
mod follow;
mod hooks;
mod kinds;
mod looks;
pub mod options;
pub mod preview;
mod resources;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::catalog::{self, Catalog};
use crate::cluster::Cluster;
use crate::cluster::client;
use crate::cluster::discovery::Discovery;
use crate::cluster::lease::Candidate;
use crate::cluster::survey::Survey;
use crate::health::Gate;
use crate::metrics::{self, Metrics};
use crate::operator::controller::Station;
use crate::operator::dependents::Dependents;
use crate::operator::fleet::Fleet;
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

/// Runs until [`Running::stop`] becomes true. `catalog` is what was read from `source`, which is followed.
///
/// # Errors
/// See [`Error`]. An API server that is away is none: it is waited for.
pub async fn run(
    options: &RunOptions,
    source: catalog::Source,
    catalog: Catalog,
    running: Running,
) -> Result<(), Error> {
    if let Some(namespaces) = &options.namespaces {
        tracing::info!(target: "cmd", Namespaces = namespaces.join(","), "Watching namespaces.");
    } else {
        tracing::info!(target: "cmd", "Watching all namespaces.");
    }
    let Some(context) = start(options, &running).await else { return Ok(()) };
    let Running { cluster, metrics, gate, stop } = running;
    let (catalogs, changes) = watch::channel(Arc::new(catalog));
    let following = tokio::spawn(catalog::follow(source, catalogs, metrics.clone()));
    let (leading, leads) = watch::channel(options.leader_election.is_none());
    let (context, streaming) = context;
    let fleet = Fleet::new(Station {
        context,
        gate,
        streaming,
        namespaces: options.namespaces.clone(),
        label_selector: options.label_selector.clone(),
        workers: options.max_concurrent_reconciles,
        leads,
    });
    let fleet = tokio::spawn(fleet.run(changes, stop.clone()));
    let finished = async {
        stopped(stop).await;
        if tokio::time::timeout(GRACE, fleet).await.is_err() {
            tracing::warn!(target: "setup", "Passes still under way after the grace period are cut off");
        }
    };
    let result = if let Some(election) = &options.leader_election {
        lead(&cluster, election, &metrics, &leading, finished).await
    } else {
        finished.await;
        Ok(())
    };
    following.abort();
    result
}

/// What all passes share, once the API server answers.
async fn start(options: &RunOptions, running: &Running) -> Option<(Arc<Context>, Streaming)> {
    let Running { cluster, metrics, gate, stop } = running;
    let discovery = Discovery::new(cluster.clone());
    let mut survey = Survey::new(cluster.clone());
    let capabilities = first_capabilities(&mut survey, gate, stop.clone()).await?;
    let (capabilities, seen) = watch::channel(Arc::new(capabilities));
    let streaming = Streaming::default();
    let dependents = Arc::new(Dependents::new(cluster.clone(), options.namespaces.clone(), streaming.clone()));
    let context = Arc::new(Context::new(Shared {
        operator: cluster.clone(),
        namespace: client::own_namespace().unwrap_or_else(|| cluster.default_namespace().to_owned()),
        discovery,
        capabilities: seen,
        metrics: metrics.clone(),
        watching: Arc::clone(&dependents) as _,
        reconcile_period: options.reconcile_period,
        suppress_override_values: options.suppress_override_values,
        version: options.version.clone(),
    }));
    dependents.attach(&context);
    tokio::spawn(kinds::follow(survey, capabilities, Arc::downgrade(&context)));
    Some((context, streaming))
}

/// The check that holds until the API server has answered, and the controllers have set their own.
pub const API_SERVER: &str = "apiserver";

/// What the cluster serves, waited for: the API server may come up after us.
async fn first_capabilities(survey: &mut Survey, gate: &Gate, stop: watch::Receiver<bool>) -> Option<Capabilities> {
    let mut reported = false;
    loop {
        match survey.look().await {
            // Only after a first answer.
            Ok(None) => {}
            Ok(Some(capabilities)) => {
                if reported {
                    tracing::info!(target: "setup", "API server answers");
                }
                return Some(capabilities);
            }
            Err(error) => {
                let message = error.message();
                gate.not_ready(API_SERVER, &message);
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

/// Leads as long as we may, until `finished`; gives the lease back after that, when nothing is written any more.
async fn lead(
    cluster: &Cluster,
    election: &LeaderElection,
    metrics: &Metrics,
    leading: &watch::Sender<bool>,
    finished: impl Future<Output = ()>,
) -> Result<(), Error> {
    let namespace = match &election.namespace {
        Some(namespace) => namespace.clone(),
        None => client::own_namespace().ok_or(Error::LeaseNamespace)?,
    };
    let identity = format!("{}_{}", hostname::get().unwrap_or_default().to_string_lossy(), uuid::Uuid::new_v4());
    let status = metrics.leader.get_or_create_owned(&metrics::Lease { name: election.id.clone() });
    tracing::info!(target: "leaderelection", "attempting to acquire leader lease {namespace}/{}...", election.id);
    let mut candidate = Candidate::new(cluster, &namespace, &election.id, &identity);
    let lost = async {
        candidate.win().await;
        tracing::info!(target: "leaderelection", "successfully acquired lease {namespace}/{}", election.id);
        status.set(1);
        leading.send_replace(true);
        candidate.keep().await;
    };
    let result = tokio::select! {
        () = lost => Err(Error::LeadershipLost),
        () = finished => Ok(()),
    };
    status.set(0);
    if let Err(error) = candidate.resign().await {
        tracing::warn!(target: "leaderelection", error = error.message(), "Lease not released, it runs out by itself");
    }
    result
}
