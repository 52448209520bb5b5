//! A Helm chart at rest: its metadata, default values, templates, other files and sub-charts.
//!
//! A [`Chart`] is immutable and shared between threads; what a render changes (conditions, aliases, imported values) it
//! changes in a chart of its own, made by [`dependency::process`]. Nothing here renders; only [`files`] reads the disk.
//!
//! Mirrors Helm v4.3.1: `pkg/chart/v2`, `pkg/chart/v2/loader`, `pkg/chart/loader/archive`, `pkg/ignore`.

mod metadata;

use std::fmt;
use std::sync::Arc;

use serde_json::Value as Json;

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
    /// `values.schema.json` as it was written.
    pub schema: Option<Arc<[u8]>>,
    /// Everything in `templates/`.
    pub templates: Arc<[File]>,
    /// Everything else that is no sub-chart: what `.Files` serves, `crds/` and `operator/` included.
    pub files: Arc<[File]>,
    /// Every file as it came, those of sub-charts included.
    pub raw: Arc<[File]>,
    /// The sub-charts, in byte order of their entry in `charts/` until [`dependency::process`] orders them by `Chart.yaml`.
    pub dependencies: Vec<Self>,
    /// SHA-256 over the names and bytes of all files, whatever order they came in.
    pub digest: [u8; 32],
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
    /// The chart's name; an alias, where [`dependency::process`] gave it one.
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
}
