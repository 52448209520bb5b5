//! Everything the operator counts: metric families as fields of one value, with a registry of its own.
//!
//! Names, labels and buckets of the first groups are those of controller-runtime (`pkg/internal/controller/metrics`,
//! `pkg/internal/metrics/workqueue.go`, `pkg/metrics` of v0.25.2) and of operator-sdk v1.42's helm-operator, so that
//! dashboards and alerts keep working. What is ours has the prefix `chart_operator_`.
//!
//! Pure: no clock and no disk. Who counts hands durations in, who knows the process hands a [`Process`] in.

mod created;
mod families;
mod labels;
mod process;
#[cfg(test)]
mod tests;
mod text;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use created::Sources;
pub use families::{Counters, Gauges, Histograms, Seconds};
pub use labels::{
    Budget, Build, DeniedLookup, Drift, Forbidden, Lease, OfController, Outcome, Queue, QueueDepth, Reconcile,
    Reconciled, Reload, Render, Request, Resource, Write,
};
pub use process::Process;

/// Content type of what [`Metrics::encode`] returns: Prometheus' text format, version 0.0.4.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metric families. Cheap to clone; every clone counts into the same values.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// `resource_created_at_seconds`: Unix time at which a custom resource was created.
    pub resource_created_at: Sources,
    /// `controller_runtime_reconcile_total`. [`Metrics::controller`] fills it.
    pub reconcile: Counters<Reconcile>,
    /// `controller_runtime_reconcile_errors_total`.
    pub reconcile_errors: Counters<OfController>,
    /// `controller_runtime_terminal_reconcile_errors_total`: errors that are not retried until the user acts.
    pub terminal_reconcile_errors: Counters<OfController>,
    /// `controller_runtime_reconcile_panics_total`.
    pub reconcile_panics: Counters<OfController>,
    /// `controller_runtime_reconcile_time_seconds`.
    pub reconcile_time: Histograms<OfController>,
    /// `controller_runtime_max_concurrent_reconciles`.
    pub max_concurrent_reconciles: Gauges<OfController>,
    /// `controller_runtime_active_workers`.
    pub active_workers: Gauges<OfController>,
    /// `workqueue_depth`.
    pub queue_depth: Gauges<QueueDepth>,
    /// `workqueue_adds_total`.
    pub queue_adds: Counters<Queue>,
    /// `workqueue_queue_duration_seconds`: how long an item waited once it was due.
    pub queue_duration: Histograms<Queue>,
    /// `workqueue_work_duration_seconds`.
    pub work_duration: Histograms<Queue>,
    /// `workqueue_unfinished_work_seconds`: sum of the ages of the passes under way.
    pub unfinished_work: Family<Queue, Seconds>,
    /// `workqueue_longest_running_processor_seconds`: age of the oldest pass under way.
    pub longest_running: Family<Queue, Seconds>,
    /// `workqueue_retries_total`: items added with a delay.
    pub queue_retries: Counters<Queue>,
    /// `rest_client_requests_total`.
    pub requests: Counters<Request>,
    /// `leader_election_master_status`: 1 while this process leads.
    pub leader: Gauges<Lease>,
    /// `chart_operator_writes_total`: calls that changed, or meant to change, something in the cluster.
    pub writes: Counters<Write>,
    /// `chart_operator_writes_avoided_total`: objects found as they should be, and so not sent.
    pub writes_avoided: Counters<OfController>,
    /// `chart_operator_renders_total`.
    pub renders: Counters<Render>,
    /// `chart_operator_render_seconds`.
    pub render_seconds: Histograms<OfController>,
    /// `chart_operator_render_budget_exceeded_total`.
    pub budget_exceeded: Counters<Budget>,
    /// `chart_operator_drift_corrections_total`.
    pub drift_corrections: Counters<Drift>,
    /// `chart_operator_catalog_reloads_total`.
    pub catalog_reloads: Counters<Reload>,
    /// `chart_operator_catalog_last_reload_successful`: 0 while an older catalog than that on disk is in force.
    pub catalog_in_force: Gauge,
    /// `chart_operator_catalog_last_reload_success_timestamp_seconds`.
    pub catalog_loaded_at: Gauge,
    /// `chart_operator_forbidden_total`.
    pub forbidden: Counters<Forbidden>,
    /// `chart_operator_lookups_denied_total`.
    pub lookups_denied: Counters<DeniedLookup>,
    registry: Arc<Registry>,
    samplers: Samplers,
}

/// What is asked before everything is printed; `false` for the last time.
type Sampler = Box<dyn Fn() -> bool + Send + Sync>;

/// Who knows values that are true of one moment only.
#[derive(Clone, Default)]
struct Samplers(Arc<Mutex<Vec<Sampler>>>);

impl std::fmt::Debug for Samplers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Samplers").finish_non_exhaustive()
    }
}

impl Metrics {
    /// All families, empty, with `build` as `helm_operator_build_info`.
    ///
    /// `process` is asked at every [`encode`](Self::encode) for what is printed as `process_…`; `None` prints none of it.
    pub fn new(build: &Build, process: impl Fn() -> Option<Process> + Send + Sync + 'static) -> Self {
        let mut registry = Registry::default();
        families::register_build(&mut registry, build);
        process::register(&mut registry, process);
        let mut metrics = families::unregistered();
        families::register(&mut registry, &metrics);
        metrics.registry = Arc::new(registry);
        metrics
    }

    /// What is counted for the controller of that name, each family printed from now on, with 0 where nothing happened
    /// (`initMetrics` of controller-runtime's `internal/controller`).
    pub fn controller(&self, name: &str, workers: usize) -> Controller {
        let of = OfController { controller: name.to_owned() };
        let queue = Queue { controller: name.to_owned(), name: name.to_owned() };
        let depth = QueueDepth { controller: name.to_owned(), name: name.to_owned(), priority: String::new() };
        let count = |result| self.reconcile.get_or_create_owned(&Reconcile { controller: name.to_owned(), result });
        self.max_concurrent_reconciles.get_or_create(&of).set(i64::try_from(workers).unwrap_or(i64::MAX));
        Controller {
            success: count(Reconciled::Success),
            error: count(Reconciled::Error),
            requeue: count(Reconciled::Requeue),
            requeue_after: count(Reconciled::RequeueAfter),
            errors: self.reconcile_errors.get_or_create_owned(&of),
            terminal_errors: self.terminal_reconcile_errors.get_or_create_owned(&of),
            panics: self.reconcile_panics.get_or_create_owned(&of),
            time: self.reconcile_time.get_or_create_owned(&of),
            active_workers: self.active_workers.get_or_create_owned(&of),
            queue_depth: self.queue_depth.get_or_create_owned(&depth),
            queue_adds: self.queue_adds.get_or_create_owned(&queue),
            queue_duration: self.queue_duration.get_or_create_owned(&queue),
            work_duration: self.work_duration.get_or_create_owned(&queue),
            unfinished_work: self.unfinished_work.get_or_create_owned(&queue),
            longest_running: self.longest_running.get_or_create_owned(&queue),
            queue_retries: self.queue_retries.get_or_create_owned(&queue),
        }
    }

    /// Has `sample` set what is true of one moment only, each time before everything is printed, until it gives `false`.
    pub fn on_encode(&self, sample: impl Fn() -> bool + Send + Sync + 'static) {
        self.samplers.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(sample));
    }

    /// The catalog on disk is the one in force, as of this Unix time.
    pub fn catalog_loaded(&self, now: i64) {
        self.catalog_in_force.set(1);
        self.catalog_loaded_at.set(now);
    }

    /// Everything in Prometheus' text format 0.0.4, families by name and samples by label, as its Go client prints them.
    pub fn encode(&self) -> String {
        // A sampler that panicked leaves the list whole.
        self.samplers.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|sample| sample());
        text::encode(&self.registry)
    }
}

/// What is counted for one controller: its rows of the families of [`Metrics`], looked up once.
#[derive(Clone, Debug)]
pub struct Controller {
    success: Counter,
    error: Counter,
    requeue: Counter,
    requeue_after: Counter,
    errors: Counter,
    time: Histogram,
    /// `controller_runtime_terminal_reconcile_errors_total`, beside the error that [`Controller::reconciled`] counts.
    pub terminal_errors: Counter,
    /// `controller_runtime_reconcile_panics_total`, beside the error that [`Controller::reconciled`] counts.
    pub panics: Counter,
    /// `controller_runtime_active_workers`.
    pub active_workers: Gauge,
    /// `workqueue_depth`.
    pub queue_depth: Gauge,
    /// `workqueue_adds_total`.
    pub queue_adds: Counter,
    /// `workqueue_queue_duration_seconds`.
    pub queue_duration: Histogram,
    /// `workqueue_work_duration_seconds`.
    pub work_duration: Histogram,
    /// `workqueue_unfinished_work_seconds`.
    pub unfinished_work: Seconds,
    /// `workqueue_longest_running_processor_seconds`.
    pub longest_running: Seconds,
    /// `workqueue_retries_total`.
    pub queue_retries: Counter,
}

impl Controller {
    /// Counts one pass that ended so and took that long.
    pub fn reconciled(&self, result: Reconciled, took: Duration) {
        let count = match result {
            Reconciled::Success => &self.success,
            Reconciled::Error => &self.error,
            Reconciled::Requeue => &self.requeue,
            Reconciled::RequeueAfter => &self.requeue_after,
        };
        count.inc();
        if result == Reconciled::Error {
            self.errors.inc();
        }
        self.time.observe(took.as_secs_f64());
    }
}
