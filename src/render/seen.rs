//! `.Capabilities` as templates see it: what is read of it is written down.
//!
//! Mirrors Helm v4.3.1, `pkg/chart/common/capabilities.go`.

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::render::capabilities::{ASSUMED_VERSION, Capabilities, KubeVersion};
use crate::render::trace::Witnessed;
use crate::value::{Field, Kind, Method, Object, Signature, Str, Type, Value};

/// What `.Capabilities.HelmVersion.Version` is: the Helm whose rendering this is.
const HELM_VERSION: &str = "v4.3.1";

/// The Go that this Helm is built with.
const GO_VERSION: &str = "go1.26.8";

/// A field without a tag.
fn field(name: &'static str, value: Value) -> Field {
    Field { name, json: name, omit_empty: false, value }
}

/// A method that takes nothing and gives `value`.
fn constant(value: Value) -> Method {
    Method { signature: Signature { params: Vec::new(), variadic: None }, call: Box::new(move |_| Ok(value)) }
}

/// `.Capabilities`
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) capabilities: Capabilities,
    pub(crate) asked: Rc<Witnessed>,
}

impl Seen {
    fn kube_version(&self) -> SeenVersion {
        SeenVersion { version: self.capabilities.kube_version().clone(), asked: Rc::clone(&self.asked) }
    }

    fn api_versions(&self) -> SeenApis {
        SeenApis { versions: self.capabilities.shared_api_versions(), asked: Rc::clone(&self.asked) }
    }

    fn read(&self) -> &Capabilities {
        self.asked.read_kube_version(self.capabilities.kube_version());
        self.asked.read_api_versions(self.capabilities.api_versions());
        &self.capabilities
    }
}

/// `.Capabilities.KubeVersion`
#[derive(Debug)]
struct SeenVersion {
    version: KubeVersion,
    asked: Rc<Witnessed>,
}

impl SeenVersion {
    fn read(&self) -> &KubeVersion {
        self.asked.read_kube_version(&self.version);
        &self.version
    }
}

impl Object for Seen {
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
        let (version, versions) = (self.kube_version().print(), self.api_versions().print());
        format!("{{{version} {versions} {}}}", HelmVersion.print()).into()
    }

    fn fields(&self) -> Vec<Field> {
        vec![
            field("KubeVersion", Value::object(self.kube_version())),
            field("APIVersions", Value::object(self.api_versions())),
            field("HelmVersion", Value::object(HelmVersion)),
        ]
    }

    fn method(self: Rc<Self>, name: &str) -> Option<Method> {
        (name == "Copy").then(|| constant(self.capabilities.to_value(&self.asked)))
    }

    fn to_json(&self) -> Json {
        json!({
            "KubeVersion": self.kube_version().to_json(),
            "APIVersions": self.api_versions().to_json(),
            "HelmVersion": HelmVersion.to_json(),
        })
    }

    fn deep_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| self.read() == other.read())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Object for SeenVersion {
    fn type_name(&self) -> &'static str {
        "common.KubeVersion"
    }

    fn print(&self) -> Str {
        let KubeVersion { version, normalized, major, minor } = self.read();
        format!("{{{version} {normalized} {major} {minor}}}").into()
    }

    fn printed_fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("Version", self.read().version.as_str().into()),
            ("normalizedVersion", self.read().normalized.as_str().into()),
            ("Major", self.read().major.as_str().into()),
            ("Minor", self.read().minor.as_str().into()),
        ]
    }

    /// `String` is a method of the pointer, which only a field that was not passed on yet has.
    fn print_in_place(&self) -> Str {
        self.read().normalized.as_str().into()
    }

    fn fields(&self) -> Vec<Field> {
        vec![
            field("Version", self.read().version.as_str().into()),
            field("Major", self.read().major.as_str().into()),
            field("Minor", self.read().minor.as_str().into()),
        ]
    }

    fn method(self: Rc<Self>, name: &str) -> Option<Method> {
        match name {
            "GitVersion" => Some(constant(self.read().version.as_str().into())),
            "String" => Some(constant(self.read().normalized.as_str().into())),
            _ => None,
        }
    }

    fn to_json(&self) -> Json {
        json!({ "Version": self.read().version, "Major": self.read().major, "Minor": self.read().minor })
    }

    fn deep_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| self.read() == other.read())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `.Capabilities.APIVersions`
#[derive(Debug)]
struct SeenApis {
    versions: Arc<[Str]>,
    asked: Rc<Witnessed>,
}

impl SeenApis {
    fn read(&self) -> &[Str] {
        self.asked.read_api_versions(&self.versions);
        &self.versions
    }
}

impl Object for SeenApis {
    fn type_name(&self) -> &'static str {
        "common.VersionSet"
    }

    fn kind(&self) -> Kind {
        Kind::Slice
    }

    fn print(&self) -> Str {
        Value::strings(self.read().iter().cloned()).print()
    }

    fn method(self: Rc<Self>, name: &str) -> Option<Method> {
        (name == "Has").then(|| Method {
            signature: Signature { params: vec![Type::String], variadic: None },
            call: Box::new(move |args| {
                let wanted = args.first().and_then(Value::as_str);
                Ok(Value::Bool(wanted.is_some_and(|wanted| self.asked.has(&self.versions, wanted))))
            }),
        })
    }

    fn truth(&self) -> bool {
        !self.read().is_empty()
    }

    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        Some(
            (0..).zip(self.read().iter()).map(|(index, version)| (Value::int(index), version.clone().into())).collect(),
        )
    }

    fn to_json(&self) -> Json {
        self.read().iter().map(|version| version.to_text().into_owned()).collect()
    }

    fn deep_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| self.read() == other.read())
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
