//! What the operator works from: the entries of `watches.yaml`, each with its chart, compiled. Immutable; a change on disk
//! makes a new one.

mod follow;
mod load;
mod paths;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value as Json;

use crate::chart::Chart;
use crate::diagnostic::Diagnostic;
use crate::render::{self, Compiled};
use crate::template::Limits;
use crate::values::overrides;
use crate::watches::{Budget, Watch};

pub use follow::follow;
pub use load::{Overridden, Source, entry, overridden};

/// Everything that is watched.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// In the order of `watches.yaml`.
    pub entries: Vec<Arc<Entry>>,
    /// What the author of `watches.yaml` should know.
    pub warnings: Vec<Diagnostic>,
}

impl Catalog {
    /// Whether both hold the same entries, not only equal ones: [`Source::reload`] keeps what has not changed.
    fn is_same(&self, other: &Self) -> bool {
        let pairs = self.entries.iter().zip(&other.entries);
        self.entries.len() == other.entries.len() && pairs.into_iter().all(|(a, b)| Arc::ptr_eq(a, b))
    }
}

/// One watch, ready to work.
#[derive(Debug)]
pub struct Entry {
    /// What `watches.yaml` says.
    pub watch: Watch,
    /// Its chart.
    pub chart: Arc<Chart>,
    /// The chart compiled, once for each choice of sub-charts that values have made.
    compiled: Mutex<BTreeMap<Vec<String>, Arc<Compiled>>>,
    /// `overrideValues` and `overrides`, evaluated: what is merged over every `spec`.
    pub overrides: Json,
    names_previous: bool,
    has_pre_delete: bool,
    /// How much rendering may use.
    pub limits: Limits,
    /// `overrideValues` as evaluated, for the event that names each.
    pub overridden: Vec<(String, String)>,
}

impl Entry {
    /// A resource's `spec` with the overrides on top: the values that are given to the chart.
    ///
    /// # Errors
    /// If an override cannot be read, which loading has ruled out.
    pub fn values(&self, spec: &Json) -> Result<Json, overrides::Unreadable> {
        overrides::apply(spec, &BTreeMap::new(), &self.overrides)
    }

    /// Whether the chart says how its objects are carried out.
    pub fn has_policy(&self) -> bool {
        self.has_file(render::POLICY)
    }

    /// Whether the chart says what its resource's status is.
    pub fn has_status(&self) -> bool {
        self.has_file(render::STATUS)
    }

    /// Whether the chart may read `.Previous`.
    pub fn names_previous(&self) -> bool {
        self.names_previous
    }

    /// Whether the chart may have actions that run when its resource is deleted.
    pub fn has_pre_delete(&self) -> bool {
        self.has_pre_delete
    }

    fn has_file(&self, name: &str) -> bool {
        self.chart.files.iter().any(|file| *file.name == *name)
    }

    /// The templates of [`Entry::chart`] with the sub-charts that [`crate::values::process()`] left in `chart`.
    ///
    /// # Errors
    /// If a template does not parse.
    pub fn compiled(&self, chart: &Chart) -> Result<Arc<Compiled>, render::Error> {
        let mut names = Vec::new();
        charts(chart, "", &mut names);
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = compiled.get(&names) {
            return Ok(Arc::clone(compiled));
        }
        let fresh = Arc::new(Compiled::with_operator(chart)?);
        compiled.insert(names, Arc::clone(&fresh));
        Ok(fresh)
    }
}

/// The limits that a watch sets, and the defaults of the others.
fn limits(budget: Budget) -> Limits {
    let usual = Limits::default();
    Limits {
        steps: budget.steps.unwrap_or(usual.steps),
        output: budget.output.unwrap_or(usual.output),
        memory: budget.memory.unwrap_or(usual.memory),
        depth: budget.depth.unwrap_or(usual.depth),
        crypto: budget.crypto.unwrap_or(usual.crypto),
        time: budget.time.unwrap_or(usual.time),
    }
}

/// The paths of a chart and its sub-charts.
fn charts(chart: &Chart, parent: &str, names: &mut Vec<String>) {
    let path = format!("{parent}/{}", chart.name());
    chart.dependencies.iter().for_each(|dependency| charts(dependency, &path, names));
    names.push(path);
}

/// Every fault of `watches.yaml` and the charts it names.
#[derive(Debug, thiserror::Error)]
#[error("{}", faults.iter().map(|fault| format!("{fault:#}")).collect::<Vec<_>>().join("\n\n"))]
pub struct Error {
    /// At least one.
    pub faults: Vec<Diagnostic>,
}
