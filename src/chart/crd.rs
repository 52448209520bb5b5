//! The custom resource definitions of a chart and its sub-charts.
//!
//! Mirrors Helm v4.3.1, `Chart.CRDObjects`.

use std::path::Path;

use crate::chart::{Chart, File};

/// A file of a chart's `crds/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crd<'a> {
    /// With the names of the charts it lies in: `parent/charts/child/crds/a.yaml`.
    pub path: String,
    /// The file; it may hold several documents, and is no template.
    pub file: &'a File,
}

impl Chart {
    /// The files of `crds/`, then those of the sub-charts.
    pub fn crds(&self) -> Vec<Crd<'_>> {
        self.crds_below(self.name())
    }

    fn crds_below(&self, path: &str) -> Vec<Crd<'_>> {
        let own = self.files.iter().filter(|file| file.name.starts_with("crds/") && is_manifest(&file.name));
        let own = own.map(|file| Crd { path: format!("{path}/{}", file.name), file });
        let below = self.dependencies.iter();
        own.chain(below.flat_map(|chart| chart.crds_below(&format!("{path}/charts/{}", chart.name())))).collect()
    }
}

fn is_manifest(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or("");
    ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}
