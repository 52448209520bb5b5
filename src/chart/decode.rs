//! From the JSON of `Chart.yaml`, `requirements.yaml` and `Chart.lock` to their types, as forgiving as Helm: keys in any
//! letter case, numbers and bools where a string is wanted, null for nothing, unknown keys ignored.
//!
//! Mirrors sigs.k8s.io/yaml v1.6.0 over Go's `encoding/json`, and Helm v4.3.1, `pkg/chart/v2/metadata.go` (validation).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value as Json;

use crate::chart::metadata::{Dependency, ImportValues, Lock, Maintainer, Metadata};
use crate::chart::version::Version;
use crate::value::format_float;
use crate::yaml::json_type;

/// A field that holds something else than it should.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go {target} of type {wanted}"
)]
pub struct Mismatch {
    /// JSON's name of what is there.
    pub found: &'static str,
    /// For instance `struct field Metadata.dependencies`.
    pub target: String,
    /// Go's type.
    pub wanted: &'static str,
}

/// A chart whose metadata is not allowed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Invalid {
    #[error("validation: chart.metadata.{0} is required")]
    Required(&'static str),
    #[error("validation: chart.metadata.name {0:?} is not allowed")]
    NameNotAllowed(String),
    #[error("validation: chart.metadata.name {0:?} is invalid")]
    Name(String),
    #[error("validation: chart.metadata.version {0:?} is invalid")]
    Version(String),
    #[error("validation: chart.metadata.type must be application or library")]
    Type,
    #[error("validation: {0} must not contain empty or null nodes")]
    NullNode(&'static str),
    #[error("validation: dependency {0:?} has disallowed characters in the alias")]
    Alias(String),
    #[error("validation: more than one dependency with name or alias {0:?}")]
    TwoDependencies(String),
}

/// Metadata while they are read: files may add to them, and lists may still hold nulls.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    metadata: Metadata,
    maintainers: Vec<Option<Maintainer>>,
    dependencies: Vec<Option<Dependency>>,
}

impl Draft {
    /// Puts what `json` says over what is there.
    pub(crate) fn read(&mut self, json: &Json) -> Result<(), Mismatch> {
        let metadata = &mut self.metadata;
        for field in fields(json, "Metadata")? {
            match field.key.as_str() {
                "name" => field.string(&mut metadata.name)?,
                "home" => field.string(&mut metadata.home)?,
                "sources" => field.strings(&mut metadata.sources)?,
                "version" => field.string(&mut metadata.version)?,
                "description" => field.string(&mut metadata.description)?,
                "keywords" => field.strings(&mut metadata.keywords)?,
                "maintainers" => field.list(&mut self.maintainers, "[]*v2.Maintainer", maintainer)?,
                "icon" => field.string(&mut metadata.icon)?,
                "apiversion" => field.string(&mut metadata.api_version)?,
                "condition" => field.string(&mut metadata.condition)?,
                "tags" => field.string(&mut metadata.tags)?,
                "appversion" => field.string(&mut metadata.app_version)?,
                "deprecated" => field.bool(&mut metadata.deprecated)?,
                "annotations" => field.string_map(&mut metadata.annotations)?,
                "kubeversion" => field.string(&mut metadata.kube_version)?,
                "dependencies" => field.list(&mut self.dependencies, "[]*v2.Dependency", dependency)?,
                "type" => field.string(&mut metadata.r#type)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Helm 2 wrote no `apiVersion`: without one the chart is a `v1` chart.
    pub(crate) fn default_api_version(&mut self) {
        if self.metadata.api_version.is_empty() {
            "v1".clone_into(&mut self.metadata.api_version);
        }
    }

    /// Whether the chart keeps its dependencies in `requirements.yaml`.
    pub(crate) fn is_v1(&self) -> bool {
        self.metadata.api_version == "v1"
    }

    pub(crate) fn api_version(&self) -> &str {
        &self.metadata.api_version
    }

    pub(crate) fn name(&self) -> &str {
        &self.metadata.name
    }

    /// The metadata, cleaned and checked.
    pub(crate) fn finish(self) -> Result<Metadata, Invalid> {
        let mut metadata = self.metadata;
        sanitize_metadata(&mut metadata);
        check(&metadata)?;
        let maintainers = self.maintainers.into_iter().map(|m| m.ok_or(Invalid::NullNode("maintainers")));
        metadata.maintainers = maintainers.collect::<Result<_, _>>()?;
        for maintainer in &mut metadata.maintainers {
            [&mut maintainer.name, &mut maintainer.email, &mut maintainer.url].into_iter().for_each(sanitize);
        }
        let mut seen = BTreeSet::new();
        for dependency in self.dependencies {
            let mut dependency = dependency.ok_or(Invalid::NullNode("dependencies"))?;
            check_dependency(&mut dependency)?;
            let key = if dependency.alias.is_empty() { &dependency.name } else { &dependency.alias };
            if !seen.insert(key.clone()) {
                return Err(Invalid::TwoDependencies(key.clone()));
            }
            metadata.dependencies.push(dependency);
        }
        Ok(metadata)
    }
}

/// `Chart.lock`.
pub(crate) fn lock(json: &Json) -> Result<Lock, Mismatch> {
    let mut lock = Lock { generated: "0001-01-01T00:00:00Z".to_owned(), ..Lock::default() };
    let mut dependencies = Vec::new();
    for field in fields(json, "Lock")? {
        match field.key.as_str() {
            "generated" => field.string(&mut lock.generated)?,
            "digest" => field.string(&mut lock.digest)?,
            "dependencies" => field.list(&mut dependencies, "[]*v2.Dependency", dependency)?,
            _ => {}
        }
    }
    lock.dependencies = dependencies.into_iter().flatten().collect();
    Ok(lock)
}

fn maintainer(json: &Json) -> Result<Maintainer, Mismatch> {
    let mut maintainer = Maintainer::default();
    for field in fields(json, "Maintainer")? {
        match field.key.as_str() {
            "name" => field.string(&mut maintainer.name)?,
            "email" => field.string(&mut maintainer.email)?,
            "url" => field.string(&mut maintainer.url)?,
            _ => {}
        }
    }
    Ok(maintainer)
}

fn dependency(json: &Json) -> Result<Dependency, Mismatch> {
    let mut dependency = Dependency::default();
    for field in fields(json, "Dependency")? {
        match field.key.as_str() {
            "name" => field.string(&mut dependency.name)?,
            "version" => field.string(&mut dependency.version)?,
            "repository" => field.string(&mut dependency.repository)?,
            "condition" => field.string(&mut dependency.condition)?,
            "tags" => field.strings(&mut dependency.tags)?,
            "enabled" => field.bool(&mut dependency.enabled)?,
            "import-values" => {
                let mut imports = Vec::new();
                field.list(&mut imports, "[]interface {}", |json| Ok(import_values(json)))?;
                dependency.import_values = imports.into_iter().flatten().flatten().collect();
            }
            "alias" => field.string(&mut dependency.alias)?,
            _ => {}
        }
    }
    Ok(dependency)
}

/// Helm passes over an entry that is neither a string nor a map.
fn import_values(json: &Json) -> Option<ImportValues> {
    match json {
        Json::String(name) => Some(ImportValues::Export(name.clone())),
        Json::Object(entry) => {
            // What is missing is Go's nil, printed.
            let path = |key| entry.get(key).and_then(scalar).unwrap_or_else(|| "<nil>".to_owned());
            Some(ImportValues::Table { child: path("child"), parent: path("parent") })
        }
        _ => None,
    }
}

// === Fields ===

struct Field<'a> {
    /// In lower case: Go finds fields in any.
    key: String,
    owner: &'static str,
    value: &'a Json,
}

/// The fields of an object that are not null; none where `json` itself is null.
fn fields<'a>(json: &'a Json, owner: &'static str) -> Result<Vec<Field<'a>>, Mismatch> {
    match json {
        Json::Null => Ok(Vec::new()),
        Json::Object(entries) => {
            let entries = entries.iter().filter(|(_, value)| !value.is_null());
            Ok(entries.map(|(key, value)| Field { key: key.to_ascii_lowercase(), owner, value }).collect())
        }
        other => {
            let wanted = match owner {
                "Metadata" => "v2.Metadata",
                "Lock" => "v2.Lock",
                "Maintainer" => "v2.Maintainer",
                _ => "v2.Dependency",
            };
            Err(Mismatch { found: json_type(other), target: "value".to_owned(), wanted })
        }
    }
}

impl Field<'_> {
    fn mismatch(&self, found: &Json, wanted: &'static str) -> Mismatch {
        Mismatch { found: json_type(found), target: format!("struct field {}.{}", self.owner, self.key), wanted }
    }

    fn text(&self, value: &Json) -> Result<String, Mismatch> {
        if value.is_null() {
            return Ok(String::new());
        }
        scalar(value).ok_or_else(|| self.mismatch(value, "string"))
    }

    fn string(&self, target: &mut String) -> Result<(), Mismatch> {
        *target = self.text(self.value)?;
        Ok(())
    }

    fn bool(&self, target: &mut bool) -> Result<(), Mismatch> {
        *target = self.value.as_bool().ok_or_else(|| self.mismatch(self.value, "bool"))?;
        Ok(())
    }

    fn strings(&self, target: &mut Vec<String>) -> Result<(), Mismatch> {
        let items = self.value.as_array().ok_or_else(|| self.mismatch(self.value, "[]string"))?;
        *target = items.iter().map(|item| self.text(item)).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn string_map(&self, target: &mut BTreeMap<String, String>) -> Result<(), Mismatch> {
        let entries = self.value.as_object().ok_or_else(|| self.mismatch(self.value, "map[string]string"))?;
        for (key, value) in entries {
            target.insert(key.clone(), self.text(value)?);
        }
        Ok(())
    }

    fn list<T>(
        &self,
        target: &mut Vec<Option<T>>,
        wanted: &'static str,
        item: impl Fn(&Json) -> Result<T, Mismatch>,
    ) -> Result<(), Mismatch> {
        let items = self.value.as_array().ok_or_else(|| self.mismatch(self.value, wanted))?;
        let items = items.iter().map(|json| if json.is_null() { Ok(None) } else { item(json).map(Some) });
        *target = items.collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// A scalar as the string that sigs.k8s.io/yaml makes of it where a string is wanted.
fn scalar(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Bool(b) => Some(b.to_string()),
        Json::Number(number) if number.is_f64() => number.as_f64().map(format_float),
        Json::Number(number) => Some(number.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

// === Validation ===

fn sanitize_metadata(metadata: &mut Metadata) {
    let Metadata { name, description, home, icon, condition, tags, app_version, kube_version, .. } = metadata;
    [name, description, home, icon, condition, tags, app_version, kube_version].into_iter().for_each(sanitize);
    metadata.sources.iter_mut().for_each(sanitize);
    metadata.keywords.iter_mut().for_each(sanitize);
}

fn check(metadata: &Metadata) -> Result<(), Invalid> {
    let name = &metadata.name;
    if metadata.api_version.is_empty() {
        return Err(Invalid::Required("apiVersion"));
    }
    if name.is_empty() {
        return Err(Invalid::Required("name"));
    }
    if name == "." || name == ".." {
        return Err(Invalid::NameNotAllowed(name.clone()));
    }
    if name.contains('/') {
        return Err(Invalid::Name(name.clone()));
    }
    if metadata.version.is_empty() {
        return Err(Invalid::Required("version"));
    }
    if Version::parse(&metadata.version).is_none() {
        return Err(Invalid::Version(metadata.version.clone()));
    }
    if !matches!(metadata.r#type.as_str(), "" | "application" | "library") {
        return Err(Invalid::Type);
    }
    Ok(())
}

fn check_dependency(dependency: &mut Dependency) -> Result<(), Invalid> {
    let Dependency { name, version, repository, condition, tags, .. } = dependency;
    [name, version, repository, condition].into_iter().for_each(sanitize);
    tags.iter_mut().for_each(sanitize);
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if dependency.alias.chars().all(allowed) { Ok(()) } else { Err(Invalid::Alias(dependency.name.clone())) }
}

/// White space becomes a space, and what Go cannot print goes.
fn sanitize(text: &mut String) {
    let printable = |c: char| {
        let mut buffer = [0; 4];
        PRINTABLE.as_ref().is_none_or(|class| class.is_match(c.encode_utf8(&mut buffer)))
    };
    if text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return;
    }
    let clean = |c: char| if c.is_whitespace() { Some(' ') } else { Some(c).filter(|c| printable(*c)) };
    *text = text.chars().filter_map(clean).collect();
}

/// Go's `unicode.IsPrint`, without the space.
static PRINTABLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\A[\p{L}\p{M}\p{N}\p{P}\p{S}]\z").ok());
