//! A Helm chart at rest: its metadata, default values, templates, other files and sub-charts.
//!
//! A [`Chart`] is immutable and shared between threads; what a render changes (conditions, aliases, imported values) it
//! changes in a chart of its own, made by [`crate::values::dependency::process`]. Nothing here renders; only [`files`] reads the disk.
//!
//! Mirrors Helm v4.3.1: `pkg/chart/v2`, `pkg/chart/v2/loader`, `pkg/chart/loader/archive`, `pkg/ignore`.

pub mod archive;
mod crd;
mod decode;
pub mod files;
pub mod ignore;
pub mod load;
mod metadata;
pub mod values_file;
pub mod version;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::schema::Schema;
use crate::yaml;

pub use crd::Crd;
pub use decode::{Invalid, Mismatch};
pub use metadata::{Dependency, ImportValues, Lock, Maintainer, Metadata};

/// A file of a chart: its path below the chart's directory, with `/`, and its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// For instance `templates/deployment.yaml`.
    pub name: Arc<str>,
    /// What is in it, without a byte order mark.
    pub data: Arc<[u8]>,
}

/// A chart with its sub-charts. Cloning shares all bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// `Chart.yaml`, and a v1 chart's `requirements.yaml`.
    pub metadata: Metadata,
    /// `Chart.lock`, or a v1 chart's `requirements.lock`.
    pub lock: Option<Lock>,
    /// `values.yaml`: always an object, every number a float.
    pub values: Arc<Json>,
    /// `values.schema.json`, compiled at its first use.
    pub schema: Option<Schema>,
    /// Everything in `templates/`.
    pub templates: Arc<[File]>,
    /// Everything else that is no sub-chart: what `.Files` serves, `crds/` and `operator/` included.
    pub files: Arc<[File]>,
    /// Every file as it came, those of sub-charts included.
    pub raw: Arc<[File]>,
    /// The sub-charts, in byte order of their entry in `charts/`; once processed, in the order of `Chart.yaml`.
    pub dependencies: Vec<Self>,
    /// SHA-256 over the names and bytes of all files, whatever order they came in.
    pub digest: [u8; 32],
    /// The same without `operator/`, which is nothing to Helm: of another one a new revision is made.
    pub content_digest: [u8; 32],
}

/// Why files are no chart, in Helm's words.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no `Chart.yaml`.
    #[error("Chart.yaml file is missing")]
    Missing,
    /// A chart for another generation of Helm.
    #[error("unsupported chart version")]
    UnsupportedVersion,
    /// A chart of `apiVersion: v3`, which Helm reads and does not install.
    #[error("invalid chart apiVersion")]
    NextGeneration,
    /// A file is no YAML.
    #[error("cannot load {file}")]
    Yaml {
        /// Its path in the chart.
        file: String,
        /// Where, and what is wrong.
        #[source]
        source: yaml::Error,
    },
    /// A file is no text.
    #[error("cannot load {file}")]
    NotUtf8 {
        /// Its path in the chart.
        file: String,
        /// Where.
        #[source]
        source: std::str::Utf8Error,
    },
    /// A field of a file holds something else than it should.
    #[error("cannot load {file}")]
    Field {
        /// Its path in the chart.
        file: &'static str,
        /// Which, and what it holds.
        #[source]
        source: Mismatch,
    },
    /// The metadata are not allowed.
    #[error(transparent)]
    Invalid(Invalid),
    /// `values.yaml` holds no values.
    #[error("cannot load values.yaml")]
    Values(#[source] values_file::Error),
    /// A `.tgz` cannot be unpacked.
    #[error(transparent)]
    Archive(archive::Error),
    /// An entry `x.tgz` of `charts/` is a directory.
    #[error("error unpacking subchart tar: expected {expected}, got {found}")]
    NotAnArchive {
        /// The entry.
        expected: String,
        /// What was found first below it.
        found: String,
    },
    /// A sub-chart is no chart.
    #[error("error unpacking subchart {entry} in {parent}")]
    Subchart {
        /// Its entry in `charts/`.
        entry: String,
        /// The chart it lies in.
        parent: String,
        /// What is wrong with it.
        #[source]
        source: Box<Self>,
    },
    /// More bytes than a chart may have.
    #[error("chart exceeds maximum decompressed size of {} bytes", archive::MAX_SIZE)]
    TooLarge,
    /// Sub-charts in sub-charts without end.
    #[error("sub-charts lie too deep in sub-charts")]
    TooDeep,
}

// === impl File ===

impl File {
    /// A file of these bytes.
    pub fn new(name: impl Into<Arc<str>>, data: impl Into<Arc<[u8]>>) -> Self {
        Self { name: name.into(), data: data.into() }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({}, {} bytes)", self.name, self.data.len())
    }
}

// === impl Chart ===

impl Chart {
    /// The chart's name; an alias, where processing gave it one.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Whether it only lends its named templates (`type: library`).
    pub fn is_library(&self) -> bool {
        self.metadata.r#type.eq_ignore_ascii_case("library")
    }

    /// The file of that name among [`Chart::files`].
    pub fn file(&self, name: &str) -> Option<&File> {
        self.files.iter().find(|file| &*file.name == name)
    }

    /// The dependencies of `Chart.yaml` that are not in `charts/`, by name: Helm's command line refuses such a chart.
    pub fn missing_dependencies(&self) -> Vec<&str> {
        let names = self.metadata.dependencies.iter().map(|wanted| wanted.name.as_str());
        names.filter(|name| !self.dependencies.iter().any(|found| found.name() == *name)).collect()
    }
}
