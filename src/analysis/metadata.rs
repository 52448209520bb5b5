//! `Chart.yaml`: what Helm refuses, what it would not find, and what it does not know.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::analysis::level::Level;
use crate::analysis::places;
use crate::chart::version::Constraint;
use crate::chart::{Dependency, Error, File, Invalid, Metadata, load, version};
use crate::diagnostic::{Diagnostic, Place, Source, chain, suggestion};
use crate::yaml::{self, Node, Numbers};

/// The fields of `Chart.yaml`.
const FIELDS: [&str; 17] = [
    "apiVersion",
    "name",
    "version",
    "kubeVersion",
    "description",
    "type",
    "keywords",
    "home",
    "sources",
    "dependencies",
    "maintainers",
    "icon",
    "appVersion",
    "deprecated",
    "annotations",
    "condition",
    "tags",
];

/// The fields of its dependencies.
const DEPENDENCY_FIELDS: [&str; 8] =
    ["name", "version", "repository", "condition", "tags", "import-values", "alias", "enabled"];

/// How many faults of one file are told.
const MAX_FAULTS: usize = 20;

/// Reads `Chart.yaml` of a level, and says what is wrong with it. Its metadata are what they would be without the faults.
pub(crate) fn check(level: &Level, is_root: bool, found: &mut Vec<Diagnostic>) -> Option<Metadata> {
    let Some(file) = level.file("Chart.yaml") else {
        let source = Arc::new(Source { name: level.path_of("Chart.yaml"), text: String::new() });
        found.push(Diagnostic::error("Chart.yaml file is missing").within(&source));
        return None;
    };
    let source = level.source(file);
    let document = match yaml::parse(&source.text) {
        Ok(document) => document?,
        Err(error) => {
            found.push(places::fault(&error, &source, 0));
            return None;
        }
    };
    let mut reading = Reading { source, document, found };
    let metadata = reading.metadata(level, is_root)?;
    reading.unknown_fields();
    reading.constraints(&metadata);
    Some(metadata)
}

/// Says which dependencies of `Chart.yaml` are not in `charts/`, and which are there in a version that nobody wants.
pub(crate) fn dependencies(level: &Level, found: &mut Vec<Diagnostic>) {
    let (Some(metadata), Some(file)) = (&level.metadata, level.file("Chart.yaml")) else { return };
    let source = level.source(file);
    let document = yaml::parse(&source.text).ok().flatten();
    for (index, wanted) in metadata.dependencies.iter().enumerate() {
        let place = document.as_ref().and_then(|document| dependency_place(document, index, "name"));
        let place = place.unwrap_or(Place { line: 1, column: 1, width: 1 });
        let Dependency { name, version: constraint, .. } = wanted;
        let there: Vec<&str> = level
            .below
            .iter()
            .filter(|below| below.name() == name)
            .filter_map(|below| Some(below.metadata.as_ref()?.version.as_str()))
            .collect();
        if there.is_empty() {
            let message = format!("dependency `{name}` is not in charts/");
            found.push(Diagnostic::error(message).at(&source, place).hint("`helm dependency build` fetches it"));
        } else if Constraint::parse(constraint).is_some()
            && !there.iter().any(|there| version::meets(constraint, there))
        {
            let message = format!(
                "charts/ has `{name}` {}, which `{constraint}` does not allow: Helm renders it, but not its alias, \
                 condition or tags",
                there.join(", ")
            );
            found.push(Diagnostic::warning(message).at(&source, place));
        }
    }
}

struct Reading<'a> {
    source: Arc<Source>,
    document: Node,
    found: &'a mut Vec<Diagnostic>,
}

impl Reading<'_> {
    /// The loader stops at the first fault: each is told, mended, and it is asked again.
    fn metadata(&mut self, level: &Level, is_root: bool) -> Option<Metadata> {
        let mut fields = match self.document.to_json(Numbers::Exact) {
            Ok(Json::Object(fields)) => fields,
            Ok(_) => Map::new(),
            Err(error) => {
                self.found.push(places::fault(&error, &self.source, 0));
                return None;
            }
        };
        if !self.document.is_mapping() {
            let message = format!("expected a mapping, found {}", self.document.kind_name());
            self.found.push(Diagnostic::error(message).at(&self.source, self.document.place));
            return None;
        }
        let requirements = level.file("requirements.yaml");
        for _ in 0..MAX_FAULTS {
            let text = Json::Object(fields.clone()).to_string();
            let files = std::iter::once(File::new("Chart.yaml", text.into_bytes())).chain(requirements.cloned());
            let error = match load::from_files(files.collect()) {
                Ok(chart) => return Some(chart.metadata),
                Err(error) => error,
            };
            let (field, mended) = mend(&error);
            // Helm asks only the outermost chart for its generation.
            if is_root || !matches!(error, Error::UnsupportedVersion | Error::NextGeneration) {
                self.refuse(&error, field.as_deref());
            }
            let field = field?;
            fields.retain(|key, _| !key.eq_ignore_ascii_case(&field));
            fields.insert(field, mended);
        }
        None
    }

    fn refuse(&mut self, error: &Error, field: Option<&str>) {
        let place = field.and_then(|field| match places::value(&self.document, field) {
            Some(value) if !value.is_mapping() && !value.is_sequence() && !value.is_null() => Some(value.place),
            _ => places::key(&self.document, field),
        });
        let diagnostic = Diagnostic::error(chain(error));
        let diagnostic = match place {
            Some(place) => diagnostic.at(&self.source, place),
            None => diagnostic.within(&self.source),
        };
        let hint = match error {
            Error::Invalid(Invalid::Version(_)) => "write a semantic version, for instance `version: 0.1.0`",
            Error::Invalid(Invalid::Required("version")) => "add for instance `version: 0.1.0`",
            Error::Invalid(Invalid::Required("name")) => "add `name:` with the name of the chart's directory",
            Error::UnsupportedVersion | Error::NextGeneration => "write `apiVersion: v2`",
            _ => return self.found.push(diagnostic),
        };
        self.found.push(diagnostic.hint(hint));
    }

    fn unknown_fields(&mut self) {
        let mut warn = |node: &Node, known: &[&'static str]| {
            for (key, _) in node.entries() {
                let Some(name) = key.as_str() else { continue };
                if known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                    continue;
                }
                let mut diagnostic =
                    Diagnostic::warning(format!("unknown field `{name}` is ignored")).at(&self.source, key.place);
                if let Some(near) = suggestion(name, known.iter().copied()) {
                    diagnostic = diagnostic.hint(format!("did you mean `{near}`?"));
                }
                self.found.push(diagnostic);
            }
        };
        warn(&self.document, &FIELDS);
        for dependency in places::value(&self.document, "dependencies").map_or(&[][..], Node::items) {
            warn(dependency, &DEPENDENCY_FIELDS);
        }
    }

    fn constraints(&mut self, metadata: &Metadata) {
        let wanted = &metadata.kube_version;
        if !wanted.is_empty() && Constraint::parse(wanted).is_none() {
            let place = places::value(&self.document, "kubeVersion").map(|value| value.place);
            self.no_constraint("kubeVersion", wanted, place);
        }
        for (index, dependency) in metadata.dependencies.iter().enumerate() {
            if !dependency.version.is_empty() && Constraint::parse(&dependency.version).is_none() {
                let place = dependency_place(&self.document, index, "version");
                self.no_constraint("version", &dependency.version, place);
            }
        }
    }

    fn no_constraint(&mut self, field: &str, text: &str, place: Option<Place>) {
        let diagnostic = Diagnostic::error(format!("`{field}` is no version constraint: `{text}`"))
            .hint("write for instance `>=1.25.0-0` or `^1.2.0 || ~2.0.0`");
        self.found.push(match place {
            Some(place) => diagnostic.at(&self.source, place),
            None => diagnostic.within(&self.source),
        });
    }
}

/// The field an error is about, and something that would do.
fn mend(error: &Error) -> (Option<String>, Json) {
    match error {
        Error::UnsupportedVersion | Error::NextGeneration => (Some("apiVersion".to_owned()), json!("v2")),
        Error::Invalid(Invalid::Required("name") | Invalid::NameNotAllowed(_) | Invalid::Name(_)) => {
            (Some("name".to_owned()), json!("chart"))
        }
        Error::Invalid(Invalid::Required("version") | Invalid::Version(_)) => {
            (Some("version".to_owned()), json!("0.0.0"))
        }
        Error::Invalid(Invalid::Type) => (Some("type".to_owned()), json!("application")),
        Error::Invalid(Invalid::NullNode(field)) => (Some((*field).to_owned()), Json::Null),
        Error::Invalid(Invalid::Alias(_) | Invalid::TwoDependencies(_)) => {
            (Some("dependencies".to_owned()), Json::Null)
        }
        Error::Field { file: "Chart.yaml", source } => {
            let field = source.target.rsplit('.').next().map(str::to_owned);
            // A field of something below the metadata: there is no one field to mend.
            (field.filter(|_| source.target.contains("Metadata.")), Json::Null)
        }
        _ => (None, Json::Null),
    }
}

fn dependency_place(document: &Node, index: usize, field: &str) -> Option<Place> {
    let dependency = places::value(document, "dependencies")?.items().get(index)?;
    Some(places::value(dependency, field).map_or(dependency.place, |value| value.place))
}
