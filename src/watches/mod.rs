//! `watches.yaml`: which kinds are watched, and the chart of each.
//!
//! A file with faults is refused with every fault and its place. Keys that nobody knows are warned about. Nothing is read
//! from disk or the environment: whether a chart is there, and what `overrideValues` come to, is asked elsewhere, and
//! answered with [`Watch::chart_fault`] and [`Watch::override_fault`].
//!
//! Mirrors operator-sdk v1.42.3, `internal/helm/watches/watches.go`; keys are matched in any letter case, as
//! sigs.k8s.io/yaml does.

mod budget;
mod crds;
mod fields;
mod labels;
pub mod lookup;
mod read;
mod rules;
mod shape;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json};

use crate::diagnostic::{Diagnostic, Place, Source};
use crate::release::ignore::Ignore;
use crate::release::patches::Patch;
use crate::release::restrict::Restrict;

pub use crate::release::selector::Selector;
pub use budget::Budget;
pub use crds::Crds;
pub use lookup::LookupRules;
pub use read::parse;
pub use shape::WATCHES;

/// Release records kept where a watch does not say.
pub const DEFAULT_HISTORY: u32 = 10;

/// A `watches.yaml` without faults.
#[derive(Clone, Debug)]
pub struct Watches {
    /// Its entries, in its order; no two have the same [`Gvk`].
    pub watches: Vec<Watch>,
    /// What its author should know, in order of place.
    pub warnings: Vec<Diagnostic>,
}

/// Group, version and kind of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gvk {
    /// Empty for the core group.
    pub group: String,
    /// For instance `v1alpha1`; never empty.
    pub version: String,
    /// For instance `Memcached`; never empty.
    pub kind: String,
}

/// One entry of `watches.yaml`. Two are equal if they say the same, wherever they stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// What is watched.
    pub gvk: Gvk,
    /// The chart: a directory, relative to the working directory; never empty.
    pub chart: String,
    /// Whether what was installed is watched too.
    pub watch_dependent_resources: bool,
    /// By path, the text that is put over the `spec`: still without environment, and its template not evaluated.
    pub override_values: BTreeMap<String, String>,
    /// Typed values that are put over the `spec` last; the environment is not yet in its strings. Whole numbers are
    /// integers.
    pub overrides: Map<String, Json>,
    /// Which resources are meant.
    pub selector: Selector,
    /// How often a resource is looked at without a cause; `None`: as often as the flag says.
    pub reconcile_period: Option<Duration>,
    /// How operator-sdk renders to compare. We always render with look-ups, so that nothing depends on it.
    pub dry_run_option: String,
    /// How many resources are reconciled at once; `None`: as many as the flag says.
    pub max_concurrent_reconciles: Option<NonZeroUsize>,
    /// Release records kept; 0: none at all.
    pub history: u32,
    /// Whether the last good revision is put back after a failed upgrade.
    pub rollback: bool,
    /// How much rendering may use.
    pub budget: Budget,
    /// What is put over the rendered objects.
    pub patches: Vec<Patch>,
    /// What may be rendered; `None`: everything.
    pub restrict: Option<Restrict>,
    /// What is done about what others change of what was applied.
    pub drift: Drift,
    /// Fields that are left to others once an object is there.
    pub ignore_fields: Vec<Ignore>,
    /// The namespace of the releases of cluster-scoped resources; `None`: the operator's.
    pub release_namespace: Option<String>,
    /// The `ServiceAccount`, in the namespace of the release, as which every call for it is made; `None`: the operator's own.
    pub service_account_name: Option<String>,
    /// The text of the fields that bend what is rendered: when it changes, everything is rendered again.
    pub rules: String,
    /// What is done with the chart's `crds/`.
    pub crds: Crds,
    /// What its templates may look up.
    pub lookup: LookupRules,
    /// Where it stands.
    places: Places,
}

/// What is done about fields of ours that somebody changed, and objects of ours that somebody deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drift {
    /// They are put back.
    #[default]
    Correct,
    /// They are told, once, and stay as they are until something else is rendered.
    Warn,
    /// They stay as they are until something else is rendered.
    Ignore,
}

/// Where a watch and its parts stand.
#[derive(Clone, Debug)]
struct Places {
    source: Arc<Source>,
    gvk: Place,
    chart: Place,
    override_values: BTreeMap<String, Place>,
}

impl PartialEq for Places {
    /// A line added above a watch changes nothing about it.
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Watch {
    /// A fault of the watch as a whole, with its place.
    pub fn fault(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(message).at(&self.places.source, self.places.gvk)
    }

    /// A fault of the chart it names, with its place.
    pub fn chart_fault(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(message).at(&self.places.source, self.places.chart)
    }

    /// A fault of the entry `key` of its `overrideValues`, with its place.
    pub fn override_fault(&self, key: &str, message: impl Into<String>) -> Diagnostic {
        let place = self.places.override_values.get(key).copied().unwrap_or(self.places.gvk);
        Diagnostic::error(message).at(&self.places.source, place)
    }
}

impl Gvk {
    /// `apiVersion` of such a resource.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

impl std::fmt::Display for Gvk {
    /// As Kubernetes writes it: `cache.example.com/v1alpha1, Kind=Memcached`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.group.is_empty() { "" } else { "/" };
        write!(f, "{}{slash}{}, Kind={}", self.group, self.version, self.kind)
    }
}
