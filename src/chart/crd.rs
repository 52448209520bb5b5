//! The custom resource definitions of a chart and its sub-charts.
//!
//! Mirrors Helm v4.3.1, `Chart.CRDObjects`.

use std::path::Path;

use serde_json::Value as Json;

use crate::chart::{Chart, Error, File};
use crate::yaml::{self, Numbers};

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

    /// The objects in `crds/`, of the sub-charts too.
    ///
    /// # Errors
    /// [`Error::Yaml`] and [`Error::NotUtf8`].
    pub fn definitions(&self) -> Result<Vec<Json>, Error> {
        let mut definitions = Vec::new();
        for crd in self.crds() {
            let not_yaml = |source| Error::Yaml { file: crd.path.clone(), source };
            let text =
                str::from_utf8(&crd.file.data).map_err(|source| Error::NotUtf8 { file: crd.path.clone(), source })?;
            for document in yaml::documents(text).map_err(not_yaml)? {
                let definition = yaml::to_json(document.text, Numbers::Exact).map_err(not_yaml)?;
                definitions.extend((!definition.is_null()).then_some(definition));
            }
        }
        Ok(definitions)
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
