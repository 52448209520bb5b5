//! A chart and the values given to it, made ready to be rendered: the steps of Helm between loading and the engine.
//!
//! Mirrors Helm v4.3.1: `RunWithContext` of `pkg/action/install.go`, `renderResources` of `pkg/action/action.go`.

use serde_json::Value as Json;

use crate::chart::{Chart, version};
use crate::values::{self, Coalesced, coalesce, dependency, schema};

/// A chart with the sub-charts that its values enable, and those values.
#[derive(Clone, Debug)]
pub struct Processed {
    /// Aliases given, disabled sub-charts gone, imported values among its own.
    pub chart: Chart,
    /// `.Values` of the chart; a sub-chart's are the table under its name.
    pub values: Json,
    /// What was left out because its shape does not fit; no values are in it.
    pub warnings: Vec<String>,
}

/// Why a chart cannot be rendered with the values it was given, in Helm's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Its sub-charts cannot be chosen.
    #[error("chart dependencies processing failed: {0}")]
    Dependencies(values::Error),
    /// The values do not fit together.
    #[error("{0}")]
    Values(values::Error),
    /// A schema is not met.
    #[error("{0}")]
    Schema(schema::Error),
    /// The chart is for other versions of Kubernetes.
    #[error("chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {found}")]
    KubeVersion {
        /// The constraint.
        wanted: String,
        /// The cluster's version.
        found: String,
    },
}

/// What is checked beside the values' shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks<'a> {
    /// The cluster's version as it is told, for instance `v1.33.4-gke.1245000`.
    pub kube_version: &'a str,
    /// The same as constraints are checked against it: `v1.33.4`.
    pub normalized: &'a str,
    /// Whether schemas must be met.
    pub schemas: Schemas,
}

/// What is made of `values.schema.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schemas {
    /// Values must meet it.
    Enforced,
    /// It is not looked at: `--skip-schema-validation`.
    Skipped,
}

/// Chooses the sub-charts, merges the values, and checks them and the cluster's version, for instance `v1.33.0`.
///
/// # Errors
/// [`Error`], in Helm's words.
pub fn process(chart: &Chart, user: &Json, kube_version: &str) -> Result<Processed, Error> {
    process_with(chart, user, Checks { kube_version, normalized: kube_version, schemas: Schemas::Enforced })
}

/// Like [`process`], with a choice of checks.
///
/// # Errors
/// [`Error`], in Helm's words.
pub fn process_with(chart: &Chart, user: &Json, checks: Checks<'_>) -> Result<Processed, Error> {
    let chart = dependency::process(chart, user).map_err(Error::Dependencies)?;
    let Coalesced { values, warnings } = coalesce(&chart, user).map_err(Error::Values)?;
    if checks.schemas == Schemas::Enforced {
        schema::validate(&chart, &values).map_err(Error::Schema)?;
    }
    let wanted = &chart.metadata.kube_version;
    if !wanted.is_empty() && !version::meets(wanted, checks.normalized) {
        return Err(Error::KubeVersion { wanted: wanted.clone(), found: checks.kube_version.to_owned() });
    }
    Ok(Processed { chart, values, warnings })
}
