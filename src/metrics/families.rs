//! How the families are made and under which name and help text each is printed.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::metrics::{Build, Metrics, Samplers, Sources};

/// Counters by label set.
pub type Counters<Labels> = Family<Labels, Counter>;
/// Integer gauges by label set.
pub type Gauges<Labels> = Family<Labels, Gauge>;
/// Histograms by label set.
pub type Histograms<Labels> = Family<Labels, Histogram, fn() -> Histogram>;
/// A gauge of seconds with fractions.
pub type Seconds = Gauge<f64, AtomicU64>;

/// Buckets of `controller_runtime_reconcile_time_seconds`, in seconds.
const RECONCILE_BUCKETS: [f64; 40] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5,
    1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0,
];

/// Buckets of `chart_operator_render_seconds`: a render is a matter of milliseconds, its budget of seconds.
const RENDER_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

fn reconcile_time() -> Histogram {
    Histogram::new(RECONCILE_BUCKETS)
}

fn render_time() -> Histogram {
    Histogram::new(RENDER_BUCKETS)
}

/// The work queue's buckets: twelve from ten nanoseconds on, each ten times the one before.
fn queue_time() -> Histogram {
    Histogram::new(exponential_buckets(10e-9, 10.0, 12))
}

fn histograms<Labels: Clone + Hash + Eq>(constructor: fn() -> Histogram) -> Histograms<Labels> {
    Family::new_with_constructor(constructor)
}

/// The families, not yet printed by any registry.
pub(super) fn unregistered() -> Metrics {
    Metrics {
        resource_created_at: Sources::default(),
        reconcile: Family::default(),
        reconcile_errors: Family::default(),
        terminal_reconcile_errors: Family::default(),
        reconcile_panics: Family::default(),
        reconcile_time: histograms(reconcile_time),
        max_concurrent_reconciles: Family::default(),
        active_workers: Family::default(),
        queue_depth: Family::default(),
        queue_adds: Family::default(),
        queue_duration: histograms(queue_time),
        work_duration: histograms(queue_time),
        unfinished_work: Family::default(),
        longest_running: Family::default(),
        queue_retries: Family::default(),
        requests: Family::default(),
        leader: Family::default(),
        writes: Family::default(),
        writes_avoided: Family::default(),
        renders: Family::default(),
        render_seconds: histograms(render_time),
        budget_exceeded: Family::default(),
        drift_corrections: Family::default(),
        catalog_reloads: Family::default(),
        catalog_in_force: Gauge::default(),
        catalog_loaded_at: Gauge::default(),
        forbidden: Family::default(),
        lookups_denied: Family::default(),
        registry: Arc::default(),
        samplers: Samplers::default(),
    }
}

/// `helm_operator_build_info`, always 1.
pub(super) fn register_build(registry: &mut Registry, build: &Build) {
    let info = Family::<Build, Gauge>::default();
    info.get_or_create(build).set(1);
    registry.register("helm_operator_build_info", "Build information for the helm-operator binary", info);
}

/// Registers every family of `metrics`.
pub(super) fn register(registry: &mut Registry, metrics: &Metrics) {
    register_reconcile(registry, metrics);
    register_queue(registry, metrics);
    register_cluster(registry, metrics);
    register_ours(registry, metrics);
}

fn register_reconcile(registry: &mut Registry, m: &Metrics) {
    let mut add = |name: &str, help: &str, family: &Counters<_>| {
        registry.register(format!("controller_runtime_{name}"), help, family.clone());
    };
    add("reconcile_errors", "Total number of reconciliation errors per controller", &m.reconcile_errors);
    add(
        "terminal_reconcile_errors",
        "Total number of terminal reconciliation errors per controller",
        &m.terminal_reconcile_errors,
    );
    add("reconcile_panics", "Total number of reconciliation panics per controller", &m.reconcile_panics);
    registry.register(
        "controller_runtime_reconcile",
        "Total number of reconciliations per controller",
        m.reconcile.clone(),
    );
    registry.register(
        "controller_runtime_reconcile_time_seconds",
        "Length of time per reconciliation per controller",
        m.reconcile_time.clone(),
    );
    registry.register(
        "controller_runtime_max_concurrent_reconciles",
        "Maximum number of concurrent reconciles per controller",
        m.max_concurrent_reconciles.clone(),
    );
    registry.register(
        "controller_runtime_active_workers",
        "Number of currently used workers per controller",
        m.active_workers.clone(),
    );
}

fn register_queue(registry: &mut Registry, m: &Metrics) {
    let queue = registry.sub_registry_with_prefix("workqueue");
    queue.register("depth", "Current depth of workqueue by workqueue and priority", m.queue_depth.clone());
    queue.register("adds", "Total number of adds handled by workqueue", m.queue_adds.clone());
    queue.register(
        "queue_duration_seconds",
        "How long in seconds an item stays in workqueue before being requested",
        m.queue_duration.clone(),
    );
    queue.register(
        "work_duration_seconds",
        "How long in seconds processing an item from workqueue takes",
        m.work_duration.clone(),
    );
    queue.register(
        "unfinished_work_seconds",
        "Sum of the ages in seconds of the passes in progress; a large value tells of a stuck one",
        m.unfinished_work.clone(),
    );
    queue.register(
        "longest_running_processor_seconds",
        "Age in seconds of the oldest pass in progress",
        m.longest_running.clone(),
    );
    queue.register("retries", "Total number of items added to workqueue with a delay", m.queue_retries.clone());
}

fn register_cluster(registry: &mut Registry, m: &Metrics) {
    registry.register_collector(Box::new(m.resource_created_at.clone()));
    registry.register(
        "rest_client_requests",
        "Number of HTTP requests, partitioned by status code, method, and host",
        m.requests.clone(),
    );
    registry.register(
        "leader_election_master_status",
        "Whether this process leads: 1, or stands by: 0; `name` is the Lease",
        m.leader.clone(),
    );
}

fn register_ours(registry: &mut Registry, m: &Metrics) {
    let ours = registry.sub_registry_with_prefix("chart_operator");
    ours.register("writes", "API calls made to change something in the cluster", m.writes.clone());
    ours.register("writes_avoided", "Objects found as they should be and therefore not sent", m.writes_avoided.clone());
    ours.register("renders", "Renders of charts", m.renders.clone());
    ours.register("render_seconds", "Length of time per render", m.render_seconds.clone());
    ours.register(
        "render_budget_exceeded",
        "Renders ended because they exceeded a limit of their budget",
        m.budget_exceeded.clone(),
    );
    ours.register(
        "drift_corrections",
        "Objects put back after somebody else changed them, by his field manager",
        m.drift_corrections.clone(),
    );
    ours.register(
        "catalog_reloads",
        "Reloads of watches.yaml and its charts; after an error the last good state stays",
        m.catalog_reloads.clone(),
    );
    ours.register(
        "catalog_last_reload_successful",
        "Whether watches.yaml and its charts as they are on disk are in force",
        m.catalog_in_force.clone(),
    );
    ours.register(
        "catalog_last_reload_success_timestamp_seconds",
        "Unix time at which the watches and charts in force were read",
        m.catalog_loaded_at.clone(),
    );
    ours.register("forbidden", "API calls refused for lack of rights", m.forbidden.clone());
    ours.register("lookups_denied", "Look-ups answered as if there were nothing", m.lookups_denied.clone());
}
