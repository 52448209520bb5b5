//! `.Capabilities`: what the cluster is able to do.
//!
//! Mirrors Helm v4.3.1, `pkg/chart/common/capabilities.go`.

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::value::{Field, Kind, Method, Object, Signature, Str, Type, Value};

/// The API versions that Helm assumes without a cluster.
const KNOWN_API_VERSIONS: &str = include_str!("api-versions.txt");

/// The version of Kubernetes that Helm v4.3.1 assumes without a cluster: that of its client library.
const ASSUMED_VERSION: (&str, &str) = ("1", "37");

/// What `.Capabilities.HelmVersion.Version` is: the Helm whose rendering this is.
const HELM_VERSION: &str = "v4.3.1";

/// The Go that this Helm is built with.
const GO_VERSION: &str = "go1.26.8";

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

    pub(crate) fn to_value(&self) -> Value {
        Value::object(self.clone())
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

/// A field without a tag.
fn field(name: &'static str, value: Value) -> Field {
    Field { name, json: name, omit_empty: false, value }
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

/// A method that takes nothing and gives `value`.
fn constant(value: Value) -> Method {
    Method { signature: Signature { params: Vec::new(), variadic: None }, call: Box::new(move |_| Ok(value)) }
}

impl Object for Capabilities {
    fn type_name(&self) -> &'static str {
        "*common.Capabilities"
    }

    fn kind(&self) -> Kind {
        Kind::Ptr
    }

    fn print(&self) -> Str {
        format!("&{}", self.print_in_place()).into()
    }

    /// Addresses are not told; Go's would differ from run to run.
    fn print_nested(&self) -> Str {
        "0xc000000000".into()
    }

    fn print_in_place(&self) -> Str {
        let versions = ApiVersions(Arc::clone(&self.api_versions)).print();
        format!("{{{} {versions} {}}}", Object::print(&self.kube_version), HelmVersion.print()).into()
    }

    fn fields(&self) -> Vec<Field> {
        vec![
            field("KubeVersion", Value::object(self.kube_version.clone())),
            field("APIVersions", Value::object(ApiVersions(Arc::clone(&self.api_versions)))),
            field("HelmVersion", Value::object(HelmVersion)),
        ]
    }

    fn method(self: Rc<Self>, name: &str) -> Option<Method> {
        (name == "Copy").then(|| constant(self.to_value()))
    }

    fn to_json(&self) -> Json {
        json!({
            "KubeVersion": Object::to_json(&self.kube_version),
            "APIVersions": ApiVersions(Arc::clone(&self.api_versions)).to_json(),
            "HelmVersion": HelmVersion.to_json(),
        })
    }

    fn deep_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Object for KubeVersion {
    fn type_name(&self) -> &'static str {
        "common.KubeVersion"
    }

    fn print(&self) -> Str {
        format!("{{{} {} {} {}}}", self.version, self.normalized, self.major, self.minor).into()
    }

    fn printed_fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("Version", self.version.as_str().into()),
            ("normalizedVersion", self.normalized.as_str().into()),
            ("Major", self.major.as_str().into()),
            ("Minor", self.minor.as_str().into()),
        ]
    }

    /// `String` is a method of the pointer, which only a field that was not passed on yet has.
    fn print_in_place(&self) -> Str {
        self.normalized.as_str().into()
    }

    fn fields(&self) -> Vec<Field> {
        vec![
            field("Version", self.version.as_str().into()),
            field("Major", self.major.as_str().into()),
            field("Minor", self.minor.as_str().into()),
        ]
    }

    fn method(self: Rc<Self>, name: &str) -> Option<Method> {
        match name {
            "GitVersion" => Some(constant(self.version.as_str().into())),
            "String" => Some(constant(self.normalized.as_str().into())),
            _ => None,
        }
    }

    fn to_json(&self) -> Json {
        json!({ "Version": self.version, "Major": self.major, "Minor": self.minor })
    }

    fn deep_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Debug, PartialEq, Eq)]
struct ApiVersions(Arc<[Str]>);

impl Object for ApiVersions {
    fn type_name(&self) -> &'static str {
        "common.VersionSet"
    }

    fn kind(&self) -> Kind {
        Kind::Slice
    }

    fn print(&self) -> Str {
        Value::strings(self.0.iter().cloned()).print()
    }

    fn method(self: Rc<Self>, name: &str) -> Option<Method> {
        (name == "Has").then(|| Method {
            signature: Signature { params: vec![Type::String], variadic: None },
            call: Box::new(move |args| {
                let wanted = args.first().and_then(Value::as_str);
                Ok(Value::Bool(wanted.is_some_and(|wanted| self.0.contains(wanted))))
            }),
        })
    }

    fn truth(&self) -> bool {
        !self.0.is_empty()
    }

    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        Some((0..).zip(self.0.iter()).map(|(index, version)| (Value::int(index), version.clone().into())).collect())
    }

    fn to_json(&self) -> Json {
        self.0.iter().map(|version| version.to_text().into_owned()).collect()
    }

    fn deep_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What `helm version` tells, as a release of Helm built without a commit has it.
#[derive(Debug)]
struct HelmVersion;

impl HelmVersion {
    fn client_version() -> String {
        let (major, minor) = ASSUMED_VERSION;
        format!("v{major}.{minor}")
    }
}

impl Object for HelmVersion {
    fn type_name(&self) -> &'static str {
        "version.BuildInfo"
    }

    fn print(&self) -> Str {
        format!("{{{HELM_VERSION}   {GO_VERSION} {}}}", Self::client_version()).into()
    }

    fn fields(&self) -> Vec<Field> {
        let tagged = |name, json, value: &str| Field { name, json, omit_empty: true, value: value.into() };
        vec![
            tagged("Version", "version", HELM_VERSION),
            tagged("GitCommit", "git_commit", ""),
            tagged("GitTreeState", "git_tree_state", ""),
            tagged("GoVersion", "go_version", GO_VERSION),
            tagged("KubeClientVersion", "kube_client_version", &Self::client_version()),
        ]
    }

    fn to_json(&self) -> Json {
        json!({ "version": HELM_VERSION, "go_version": GO_VERSION, "kube_client_version": Self::client_version() })
    }

    fn deep_equal(&self, other: &dyn Object) -> bool {
        other.type_name() == self.type_name()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
