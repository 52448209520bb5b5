//! The labels of the metric families. Fields stand in the order in which Prometheus' Go client prints labels: by name.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// Labels of `helm_operator_build_info`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Build {
    /// Commit the program was built from.
    pub commit: String,
    /// Version of the program.
    pub version: String,
}

/// Labels of `resource_created_at_seconds`: one custom resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Resource {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, empty when cluster-scoped.
    pub namespace: String,
    /// API version without the group.
    pub version: String,
}

/// Labels of what is counted per controller, as in `memcached-controller`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OfController {
    /// Name of the controller.
    pub controller: String,
}

/// Labels of `controller_runtime_reconcile_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reconcile {
    /// Name of the controller.
    pub controller: String,
    /// How the pass ended.
    pub result: Reconciled,
}

/// How a pass ended, in controller-runtime's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reconciled {
    /// Nothing is left to do until something changes.
    Success,
    /// The pass failed.
    Error,
    /// The resource is due again at once.
    Requeue,
    /// The resource is due again after a while.
    RequeueAfter,
}

impl Reconciled {
    /// All of them, in the order in which controller-runtime names them.
    pub const ALL: [Self; 4] = [Self::Success, Self::Error, Self::Requeue, Self::RequeueAfter];
}

impl EncodeLabelValue for Reconciled {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let text = match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Requeue => "requeue",
            Self::RequeueAfter => "requeue_after",
        };
        EncodeLabelValue::encode(&text, encoder)
    }
}

/// Labels of the `workqueue_…` families.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Queue {
    /// Name of the controller that empties the queue.
    pub controller: String,
    /// Name of the queue; controller-runtime gives it the controller's.
    pub name: String,
}

/// Labels of `workqueue_depth`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct QueueDepth {
    /// Name of the controller that empties the queue.
    pub controller: String,
    /// Name of the queue; controller-runtime gives it the controller's.
    pub name: String,
    /// Priority of the counted items, empty where the queue knows none.
    pub priority: String,
}

/// Labels of `rest_client_requests_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Request {
    /// HTTP status code, `<error>` where there was no answer.
    pub code: String,
    /// Host and port of the API server.
    pub host: String,
    /// HTTP method in capitals.
    pub method: String,
}

/// Labels of `leader_election_master_status`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Lease {
    /// Name of the Lease.
    pub name: String,
}

/// Labels of `chart_operator_writes_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Write {
    /// Name of the controller.
    pub controller: String,
    /// What was done: `apply`, `create`, `patch`, `delete`, `status`.
    pub verb: &'static str,
}

/// Labels of `chart_operator_renders_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Render {
    /// Name of the controller.
    pub controller: String,
    /// How it ended.
    pub result: Outcome,
}

/// How something of our own ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It worked.
    Success,
    /// It did not.
    Error,
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let text = match self {
            Self::Success => "success",
            Self::Error => "error",
        };
        EncodeLabelValue::encode(&text, encoder)
    }
}

/// Labels of `chart_operator_catalog_reloads_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reload {
    /// How it ended; on an error the last good catalog stays.
    pub result: Outcome,
}

/// Labels of `chart_operator_drift_corrections_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Drift {
    /// The field manager that had changed the object.
    pub manager: String,
}

/// Labels of `chart_operator_forbidden_total`: a call that the API server's authorization refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Forbidden {
    /// API group of the resource.
    pub group: String,
    /// Plural name of the resource.
    pub resource: String,
    /// Verb of the API, as a role names it.
    pub verb: String,
}

/// Labels of `chart_operator_lookups_denied_total`: a look-up that was answered as if there were nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DeniedLookup {
    /// Name of the controller.
    pub controller: String,
    /// Who does not permit it: `rule`, `tpl` or `forbidden`.
    pub reason: &'static str,
}

/// Labels of `chart_operator_render_budget_exceeded_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Budget {
    /// Which limit: `steps`, `output`, `memory`, `depth`, `time` …
    pub budget: &'static str,
    /// Name of the controller.
    pub controller: String,
}
