//! The parts of a running manager put together: what it counts, whether it is ready, what it serves, and when it stops.

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;

use crate::cluster::Cluster;
use crate::cluster::access::Access;
use crate::health::Gate;
use crate::metrics::{Metrics, Process};
use crate::operator::options::{MetricsSecurity, RunOptions};
use crate::operator::{API_SERVER, Running};
use crate::server::access::{self, Question, Verdict};
use crate::server::tls::Tls;
use crate::server::{self, Listener};

/// How long the parts may take to end once they are told to, as controller-runtime gives its own.
const GRACE: Duration = Duration::from_secs(30);

/// Serves metrics and health around `work` until `work` is done, which it should be soon after it is told to stop: who
/// looks on sees it to its end.
///
/// The first SIGINT or SIGTERM tells everybody to stop; a second one, or the end of [`GRACE`], ends the wait.
pub(super) async fn around<Work, Working>(options: &RunOptions, work: Work) -> anyhow::Result<()>
where
    Work: FnOnce(Running) -> Working,
    Working: Future<Output = anyhow::Result<()>>,
{
    let (stopping, stop) = watch::channel(false);
    let metrics = Metrics::new(&options.build, process);
    let cluster = Cluster::connect(metrics.clone()).await?;
    let gate = Gate::new();
    gate.not_ready(API_SERVER, "it has not been asked yet");
    let shared = Running { cluster, metrics, gate, stop };
    let metrics = serve_metrics(options, &shared).await?;
    let health = serve_health(options, &shared).await?;
    let work = work(shared);
    tokio::select! {
        done = work => done,
        failed = metrics => failed,
        failed = health => failed,
        failed = told_to_stop(&stopping) => failed,
    }
}

/// Passes the first signal on; ends when work goes on in spite of it.
async fn told_to_stop(stopping: &watch::Sender<bool>) -> anyhow::Result<()> {
    signal().await?;
    tracing::info!(target: "cmd", "Stopping and waiting for work under way");
    stopping.send_replace(true);
    tokio::select! {
        again = signal() => again.and(Err(anyhow::anyhow!("told to stop a second time"))),
        () = tokio::time::sleep(GRACE) => Err(anyhow::anyhow!("work under way did not end in {} s", GRACE.as_secs())),
    }
}

/// Binds the address for metrics; the future serves them and ends only with an error.
async fn serve_metrics(
    options: &RunOptions,
    shared: &Running,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + use<>> {
    let listener = listen("metrics", options.metrics_bind_address).await?;
    let tls = match options.metrics_security {
        MetricsSecurity::Open => None,
        MetricsSecurity::Tls | MetricsSecurity::Rbac => Some(Tls::self_signed()?),
    };
    let mut router = server::metrics::router(shared.metrics.clone());
    if options.metrics_security == MetricsSecurity::Rbac {
        let cluster = shared.cluster.clone();
        router = access::guard(router, move |question| verdict(cluster.clone(), question));
    }
    Ok(async move {
        match (listener, tls) {
            (Some(listener), Some(tls)) => listener.serve_tls(tls, router, pending()).await?,
            (Some(listener), None) => listener.serve(router, pending()).await?,
            (None, _) => {}
        }
        pending().await
    })
}

/// The cluster's answer to who may read the metrics.
async fn verdict(cluster: Cluster, question: Question) -> Verdict {
    match cluster.access(question.token, &question.verb, &question.path).await {
        Ok(Access::Allowed) => Verdict::Allowed,
        Ok(Access::Unauthenticated) => Verdict::Unauthenticated,
        Ok(Access::Denied { user }) => Verdict::Denied { user },
        Err(error) => {
            tracing::error!(target: "cmd", error = error.message(), "Reader of metrics cannot be checked");
            Verdict::Unknown
        }
    }
}

/// Binds the address for health; the future serves it and ends only with an error.
async fn serve_health(
    options: &RunOptions,
    shared: &Running,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + use<>> {
    let listener = listen("health probe", options.health_probe_bind_address).await?;
    let router = server::health::router(shared.gate.clone());
    Ok(async move {
        if let Some(listener) = listener {
            listener.serve(router, pending()).await?;
        }
        pending().await
    })
}

async fn listen(what: &'static str, address: Option<SocketAddr>) -> anyhow::Result<Option<Listener>> {
    let Some(address) = address else { return Ok(None) };
    let listener = Listener::bind(address).await?;
    tracing::info!(target: "cmd", server = what, address = %listener.address(), "Serving");
    Ok(Some(listener))
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
