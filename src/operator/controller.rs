//! One watch at work: waits for its kind, works its queue, and starts over when its kind comes back or its entry asks for
//! another watch.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::catalog::Entry;
use crate::cluster::Error;
use crate::cluster::discovery::Served;
use crate::health::Gate;
use crate::metrics::Reconciled;
use crate::operator::follow::Streaming;
use crate::operator::resources::{self, Watches};
use crate::operator::stopped;
use crate::reconcile::queue::Again;
use crate::reconcile::{Context, Controller, reconcile};
use crate::release::Gvk;
use crate::watches;

/// Between two looks for a kind that is not served: at first, and after many.
const KIND_RETRY: Duration = Duration::from_secs(1);
const MAX_KIND_RETRY: Duration = Duration::from_secs(10);

/// What all controllers are started with.
pub(crate) struct Station {
    pub(crate) context: Arc<Context>,
    pub(crate) gate: Gate,
    pub(crate) streaming: Streaming,
    pub(crate) namespaces: Option<Vec<String>>,
    pub(crate) label_selector: Option<String>,
    /// Passes at the same time where an entry does not say.
    pub(crate) workers: NonZeroUsize,
    pub(crate) leads: watch::Receiver<bool>,
}

impl Station {
    fn workers(&self, entry: &Entry) -> usize {
        entry.watch.max_concurrent_reconciles.unwrap_or(self.workers).get()
    }
}

/// Why a controller ended.
enum Ended {
    /// It was told to.
    Stopped,
    /// Its kind is no longer served.
    Gone,
    /// The entry asks for another watch, or for another number of workers.
    Changed,
}

/// Runs until `stop`; passes under way are finished.
pub(crate) async fn run(station: &Station, mut entries: watch::Receiver<Arc<Entry>>, stop: watch::Receiver<bool>) {
    loop {
        let entry = Arc::clone(&entries.borrow_and_update());
        let Some(served) = until(stop.clone(), kind_served(station, &entry)).await else {
            return station.gate.remove(&check(&entry.watch.gvk));
        };
        match serve(station, &entry, &mut entries, &served, &stop).await {
            Ended::Stopped => return,
            Ended::Changed => {}
            Ended::Gone => station.context.discovery.forget(&served.resource.api_version),
        }
    }
}

/// The check that holds until it is known whether a kind is served.
pub(crate) fn check(kind: &watches::Gvk) -> String {
    format!("kind {kind}")
}

/// What `task` gives, unless a stop comes first.
async fn until<T>(stop: watch::Receiver<bool>, task: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        result = task => Some(result),
        () = stopped(stop) => None,
    }
}

/// How the kind is served, waited for: its CRD may come later.
async fn kind_served(station: &Station, entry: &Entry) -> Arc<Served> {
    let watch = &entry.watch;
    let gvk = Gvk::new(&watch.gvk.api_version(), &watch.gvk.kind);
    let (mut reported, mut pause) = (String::new(), KIND_RETRY);
    loop {
        let error = match station.context.discovery.resolve(&gvk).await {
            Ok(served) => {
                tracing::info!(target: "helm.controller", apiVersion = gvk.api_version(), kind = gvk.kind,
                    namespace = station.namespaces.as_ref().map(|namespaces| namespaces.join(",")).unwrap_or_default(),
                    "Watching resource");
                return served;
            }
            Err(error) => error,
        };
        let message = error.message();
        if message != reported {
            if matches!(error, Error::NotServed { .. }) {
                station.gate.remove(&check(&watch.gvk));
                tracing::warn!(target: "helm.controller", apiVersion = gvk.api_version(), kind = gvk.kind,
                    "Kind is not served yet, waiting for its CustomResourceDefinition");
            } else {
                station.gate.not_ready(&check(&watch.gvk), &message);
                tracing::error!(target: "helm.controller", apiVersion = gvk.api_version(), kind = gvk.kind,
                    error = message, "Kind cannot be looked up, trying again");
            }
            reported = message;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_KIND_RETRY);
    }
}

/// Watches the resources and works on them until something ends it; passes under way are finished.
async fn serve(
    station: &Station,
    entry: &Arc<Entry>,
    entries: &mut watch::Receiver<Arc<Entry>>,
    served: &Arc<Served>,
    stop: &watch::Receiver<bool>,
) -> Ended {
    let metrics = &station.context.metrics;
    let controller = Controller::new(entries.clone(), Arc::clone(served), station.workers(entry), metrics);
    let controller = Arc::new(controller);
    let sampled = Arc::downgrade(&controller);
    metrics.on_encode(move || {
        sampled.upgrade().is_some_and(|controller| {
            controller.queue.sample();
            true
        })
    });
    resources::count(metrics, &controller);
    let mut watches = resources::watch(station, entry, &controller);
    // Each of them has a check of its own.
    station.gate.remove(&check(&entry.watch.gvk));
    let mut passes = JoinSet::new();
    let ended = tokio::select! {
        () = start_workers(station, entry, &controller, &mut passes) => Ended::Stopped,
        ended = supervise(station, entry, entries, &controller, &mut watches) => ended,
        () = stopped(stop.clone()) => Ended::Stopped,
    };
    controller.queue.close();
    controller.metrics.queue_depth.set(0);
    drop(watches);
    passes.join_all().await;
    // Nothing of its resources is torn down.
    station.context.dismiss(&controller).await;
    ended
}

/// Starts the workers once this process leads. Ends only with the election, and so with the process.
async fn start_workers(station: &Station, entry: &Entry, controller: &Arc<Controller>, passes: &mut JoinSet<()>) {
    if station.leads.clone().wait_for(|leads| *leads).await.is_err() {
        return;
    }
    let workers = station.workers(entry);
    tracing::info!(target: "controller-runtime.manager", controller = controller.name, "Starting Controller");
    tracing::info!(target: "controller-runtime.manager", controller = controller.name, "worker count" = workers,
        "Starting workers");
    for _ in 0..workers {
        passes.spawn(work(Arc::clone(&station.context), Arc::clone(controller)));
    }
    std::future::pending::<()>().await;
}

/// Looks at every resource again when the entry has changed; ends when that is not enough, or the kind is gone.
async fn supervise(
    station: &Station,
    began_with: &Entry,
    entries: &mut watch::Receiver<Arc<Entry>>,
    controller: &Controller,
    watches: &mut Watches,
) -> Ended {
    loop {
        tokio::select! {
            () = watches.ended() => return Ended::Gone,
            changed = entries.changed() => if changed.is_err() { return Ended::Stopped },
        }
        let entry = Arc::clone(&entries.borrow_and_update());
        let same_watch = entry.watch.selector == began_with.watch.selector;
        if !same_watch || station.workers(&entry) != station.workers(began_with) {
            return Ended::Changed;
        }
        let keys = controller.resources.keys();
        tracing::info!(target: "helm.controller", controller = controller.name, resources = keys.len(),
            "Watch or chart changed, looking at its resources again");
        for key in keys {
            controller.queue.add(key);
        }
    }
}

/// One worker: takes keys until the queue is closed.
async fn work(context: Arc<Context>, controller: Arc<Controller>) {
    let metrics = &controller.metrics;
    while let Some(key) = controller.queue.next().await {
        metrics.active_workers.inc();
        let start = Instant::now();
        let again = Box::pin(reconcile(&context, &controller, &key)).await;
        let result = match again {
            Again::WhenAsked => Reconciled::Success,
            Again::After(_) => Reconciled::RequeueAfter,
            Again::Backoff | Again::NotBefore(_) => Reconciled::Error,
        };
        metrics.reconciled(result, start.elapsed());
        metrics.active_workers.dec();
        controller.queue.done(&key, again);
    }
}
