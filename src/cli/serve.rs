//! The parts of a running manager put together: what it counts, whether it is ready, what it serves, and when it stops.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;

use crate::health::Gate;
use crate::metrics::{Metrics, Process};
use crate::operator::options::RunOptions;
use crate::server::{self, Listener};

/// How long the parts may take to end once they are told to, as controller-runtime gives its own.
const GRACE: Duration = Duration::from_secs(30);

/// What the manager's parts have in common.
#[derive(Clone, Debug)]
pub struct Shared {
    /// What is counted.
    pub metrics: Metrics,
    /// Whether the manager is ready.
    pub gate: Gate,
    stopping: watch::Receiver<bool>,
}

impl Shared {
    /// Is done when the manager is told to stop.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stopping = self.stopping.clone();
        async move {
            // The sender is only dropped with everything else.
            stopping.wait_for(|stop| *stop).await.ok();
        }
    }
}

/// Serves metrics and health around `work` until `work` is done, which it should be soon after [`Shared::stopped`].
///
/// The first SIGINT or SIGTERM tells everybody to stop; a second one, or 30 seconds, ends the wait.
pub(super) async fn around<Work, Working>(options: &RunOptions, work: Work) -> anyhow::Result<()>
where
    Work: FnOnce(Shared) -> Working,
    Working: Future<Output = anyhow::Result<()>>,
{
    let (stop, stopping) = watch::channel(false);
    let shared = Shared { metrics: Metrics::new(&options.build, process), gate: Gate::new(), stopping };
    let metrics = server::metrics::router(shared.metrics.clone());
    let health = server::health::router(shared.gate.clone());
    let metrics = listen("metrics", options.metrics_bind_address, metrics, &shared).await?;
    let health = listen("health probe", options.health_probe_bind_address, health, &shared).await?;
    let told = async {
        signal().await?;
        tracing::info!(target: "cmd", "Stopping and waiting for work under way");
        stop.send(true).ok();
        tokio::select! {
            again = signal() => again.and(Err(anyhow::anyhow!("told to stop a second time"))),
            () = tokio::time::sleep(GRACE) => Err(anyhow::anyhow!("work under way did not end in {} s", GRACE.as_secs())),
        }
    };
    let work = work(shared.clone());
    tokio::select! {
        done = work => done,
        failed = metrics => failed,
        failed = health => failed,
        failed = told => failed,
    }
}

/// Binds now and serves when awaited; the future ends only with an error.
async fn listen(
    what: &'static str,
    address: Option<SocketAddr>,
    router: server::Router,
    shared: &Shared,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + use<>> {
    let listener = match address {
        Some(address) => Some(Listener::bind(address).await?),
        None => None,
    };
    if let Some(listener) = &listener {
        tracing::info!(target: "cmd", server = what, address = %listener.address(), "Serving");
    }
    let stopped = shared.stopped();
    Ok(async move {
        if let Some(listener) = listener {
            listener.serve(router, stopped).await?;
        }
        std::future::pending().await
    })
}

/// The next SIGINT or SIGTERM.
async fn signal() -> anyhow::Result<()> {
    next_signal().await.context("cannot wait for signals")
}

#[cfg(unix)]
async fn next_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn next_signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

#[cfg(target_os = "linux")]
fn process() -> Option<Process> {
    server::process::sample()
}

#[cfg(not(target_os = "linux"))]
fn process() -> Option<Process> {
    None
}
