//! `.Capabilities`: what the cluster is able to do.
//!
//! Mirrors Helm v4.3.1, `pkg/chart/common/capabilities.go`.

use std::rc::Rc;
use std::sync::Arc;

use crate::render::seen::Seen;
use crate::render::trace::Witnessed;
use crate::value::{Str, Value};

/// The API versions that Helm assumes without a cluster.
const KNOWN_API_VERSIONS: &str = include_str!("api-versions.txt");

/// The version of Kubernetes that Helm v4.3.1 assumes without a cluster: that of its client library.
pub(crate) const ASSUMED_VERSION: (&str, &str) = ("1", "37");

/// What the cluster is able to do. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    kube_version: KubeVersion,
    api_versions: Arc<[Str]>,
}

/// A version of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeVersion {
    /// As the cluster says it, for instance `v1.33.4-gke.1245000`.
    pub version: String,
    /// Without a suffix: what constraints are checked against.
    pub normalized: String,
    /// For instance `1`.
    pub major: String,
    /// For instance `33`.
    pub minor: String,
}

impl Capabilities {
    /// A cluster of this version that serves these API versions: `v1`, `apps/v1`, and `apps/v1/Deployment` for its kinds.
    pub fn new<S: Into<Str>>(kube_version: KubeVersion, api_versions: impl IntoIterator<Item = S>) -> Self {
        Self { kube_version, api_versions: api_versions.into_iter().map(Into::into).collect() }
    }

    /// A cluster of this version that serves what Helm assumes without one.
    pub fn assumed(kube_version: KubeVersion) -> Self {
        Self::new(kube_version, KNOWN_API_VERSIONS.lines())
    }

    /// This cluster, serving more API versions.
    #[must_use]
    pub fn and<S: Into<Str>>(self, api_versions: impl IntoIterator<Item = S>) -> Self {
        let more = api_versions.into_iter().map(Into::into);
        Self { api_versions: self.api_versions.iter().cloned().chain(more).collect(), ..self }
    }

    /// The cluster's version.
    pub fn kube_version(&self) -> &KubeVersion {
        &self.kube_version
    }

    /// What it serves.
    pub fn api_versions(&self) -> &[Str] {
        &self.api_versions
    }

    pub(crate) fn shared_api_versions(&self) -> Arc<[Str]> {
        Arc::clone(&self.api_versions)
    }

    /// What templates see of it; what they read of it is written down in `asked`.
    pub(crate) fn to_value(&self, asked: &Rc<Witnessed>) -> Value {
        Value::object(Seen { capabilities: self.clone(), asked: Rc::clone(asked) })
    }
}

impl Default for Capabilities {
    /// What Helm assumes without a cluster.
    fn default() -> Self {
        let (major, minor) = ASSUMED_VERSION;
        let version = format!("v{major}.{minor}.0");
        Self::assumed(KubeVersion {
            normalized: version.clone(),
            version,
            major: major.to_owned(),
            minor: minor.to_owned(),
        })
    }
}

impl KubeVersion {
    /// Reads a version such as `v1.33.4-gke.1245000`; `None` if it does not begin with numbers and dots.
    pub fn parse(version: &str) -> Option<Self> {
        Self::read(version).ok()
    }

    /// Reads a version, as `ParseGeneric` of k8s.io/apimachinery does: two or more numbers between dots, maybe a `v` before
    /// them, and anything behind.
    ///
    /// # Errors
    /// [`InvalidVersion`]
    pub fn read(version: &str) -> Result<Self, InvalidVersion> {
        let unreadable = || InvalidVersion::Unreadable(version.to_owned());
        let numbers = version.trim_start();
        let numbers = numbers.strip_prefix('v').unwrap_or(numbers);
        let end = numbers.find(|rune: char| rune != '.' && !rune.is_ascii_digit()).unwrap_or(numbers.len());
        let numbers = numbers.get(..end).unwrap_or_default();
        // Dots that nothing stands between belong to what follows.
        let numbers = numbers.find("..").and_then(|end| numbers.get(..end)).unwrap_or(numbers).trim_end_matches('.');
        if !numbers.starts_with(|rune: char| rune.is_ascii_digit()) {
            return Err(unreadable());
        }
        let mut parts: Vec<u64> = Vec::new();
        for part in numbers.split('.') {
            parts.push(part.parse().map_err(|source| InvalidVersion::Number {
                part: part.to_owned(),
                version: version.to_owned(),
                source,
            })?);
        }
        let (Some(major), Some(minor)) = (parts.first(), parts.get(1)) else {
            return Err(InvalidVersion::TooShort(version.to_owned()));
        };
        if let Some((first, _)) = numbers.split_once('.').filter(|(first, _)| first.starts_with('0') && *first != "0") {
            return Err(InvalidVersion::LeadingZero { part: first.to_owned(), version: version.to_owned() });
        }
        let mut normalized: Vec<String> = parts.iter().map(u64::to_string).collect();
        normalized.resize(parts.len().max(3), "0".to_owned());
        Ok(Self {
            version: if version.starts_with('v') { version.to_owned() } else { format!("v{version}") },
            normalized: format!("v{}", normalized.join(".")),
            major: major.to_string(),
            minor: minor.to_string(),
        })
    }
}

/// Why a text is no version of Kubernetes, in the words of k8s.io/apimachinery.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVersion {
    /// It does not begin with a number.
    #[error("could not parse {0:?} as version")]
    Unreadable(String),
    /// It has only one number.
    #[error("illegal version string {0:?}")]
    TooShort(String),
    /// Its first number begins with a zero.
    #[error("illegal zero-prefixed version component {part:?} in {version:?}")]
    LeadingZero {
        /// The number.
        part: String,
        /// The whole text.
        version: String,
    },
    /// A number is too large.
    #[error(
        "illegal non-numeric version component {part:?} in {version:?}: strconv.ParseUint: parsing {part:?}: value out of range"
    )]
    Number {
        /// The number.
        part: String,
        /// The whole text.
        version: String,
        /// Why it cannot be read.
        #[source]
        source: std::num::ParseIntError,
    },
}
