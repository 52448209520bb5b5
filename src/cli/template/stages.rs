//! The stages of `helm template`: load, values, render, sort, print.
//!
//! Mirrors Helm v4.3.1: `pkg/cmd/template.go`, `pkg/cmd/install.go`, `pkg/action/install.go`, `pkg/cli/values/options.go`.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use crate::chart::{Chart, archive, files, values_file};
use crate::cli::offline::{Dns, Offline};
use crate::diagnostic::{Diagnostic, chain};
use crate::release::manifest::{self, Sorted};
use crate::release::{self, check_release_name};
use crate::render::{self, Capabilities, Compiled, Inputs, InvalidVersion, KubeVersion, ReleaseInfo, Rendered};
use crate::template::{self, Limits};
use crate::values::{Checks, Processed, Schemas, process, process_with, strvals};

/// Labels of a release that Helm sets itself.
const SYSTEM_LABELS: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

/// Why a stage failed. With its causes it is Helm's message.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(
        "{program:?} requires at least 1 argument\n\nUsage:  {program} [NAME] [CHART] [flags]",
        program = "chart-operator template"
    )]
    NoArguments,
    #[error("expected at most two arguments, unexpected arguments: {0}")]
    TooManyArguments(String),
    #[error("cannot set --{0} and also specify a name")]
    NameTwice(&'static str),
    #[error("{}", .0.plain())]
    NameTemplate(template::Error),
    #[error("invalid kube version '{version}': {source}")]
    KubeVersion { version: String, source: InvalidVersion },
    #[error("path {0:?} not found")]
    NotFound(String),
    #[error("non-absolute URLs should be in form of repo_name/path_to_chart, got: {0}")]
    NoReference(String),
    #[error("repo {0} not found")]
    NoRepository(String),
    #[error("cannot fetch chart {0:?}")]
    RemoteChart(String),
    #[error("cannot fetch {0:?}")]
    RemoteFile(String),
    #[error("{} {}: {}", reading(source), path.display(), go_text(source))]
    Read { path: PathBuf, source: io::Error },
    #[error("failed to parse {}: {source}", path.display())]
    Values { path: PathBuf, source: values_file::Error },
    #[error("failed parsing --{flag} data: {source}")]
    Set { flag: &'static str, source: strvals::Error },
    #[error("failed parsing --set-json data {text}")]
    Json { text: String, source: strvals::Error },
    #[error("failed parsing --set-json data JSON: {0}")]
    JsonObject(String),
    #[error("file '{}' seems to be a YAML file, but expected a gzipped archive", .0.display())]
    YamlFile(PathBuf),
    #[error("file '{}' does not appear to be a gzipped archive; got '{found}'", path.display())]
    NoArchive { path: PathBuf, found: &'static str },
    #[error("unable to load chart archive")]
    Archive(archive::Error),
    #[error("unable to detect chart version, no Chart.yaml found")]
    NoMetadata,
    #[error(transparent)]
    Load(files::Error),
    #[error("{0} charts are not installable")]
    NotInstallable(String),
    #[error(
        "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch \
         missing dependencies: found in Chart.yaml, but missing in charts/ directory: {0}"
    )]
    MissingDependencies(String),
    #[error("release name check failed: release name {name:?}: {source}")]
    ReleaseName { name: String, source: release::Error },
    #[error(transparent)]
    Process(process::Error),
    #[error("user supplied labels contains system reserved label name. System labels: [{}]", SYSTEM_LABELS.join(" "))]
    SystemLabel,
    #[error(transparent)]
    Render(render::Error),
    #[error(transparent)]
    Sort(release::Error),
    #[error("{action} {}: {}", path.display(), go_text(source))]
    Write { action: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    WriteHook(Box<Self>),
    #[error("could not find template {0} in chart")]
    NoTemplate(String),
    #[error(transparent)]
    Output(io::Error),
}

impl Error {
    /// Helm's message.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Load(error) => chain(error),
            Self::Process(process::Error::Schema(error)) => error.helm_text(),
            // In the others Helm's words for the cause are there already, or left out.
            _ => self.to_string(),
        }
    }

    /// Whether it comes from what Helm calls the rendering of resources. Of those it says how to see what was rendered.
    pub(super) fn is_of_rendering(&self) -> bool {
        match self {
            Self::Process(error) => matches!(error, process::Error::KubeVersion { .. }),
            Self::Render(_) | Self::Sort(_) | Self::Write { .. } => true,
            _ => false,
        }
    }

    /// The place in a template that is at fault.
    pub(super) fn diagnostic(&self) -> Option<Diagnostic> {
        match self {
            Self::Render(error) => Some(error.to_diagnostic()),
            Self::NameTemplate(error) => Some(error.to_diagnostic()),
            _ => None,
        }
    }

    /// What to do about it, where Helm does not say.
    pub(super) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoReference(_) | Self::NoRepository(_) | Self::RemoteChart(_) => {
                "a chart is a directory or a .tgz on disk; fetch others with `helm pull`".to_owned()
            }
            Self::RemoteFile(_) => "fetch the file first, or pipe it in with `-`".to_owned(),
            Self::Archive(source) => chain(source),
            Self::Json { source, .. } => source.to_string(),
            _ => return None,
        })
    }
}

/// What a release is rendered from, beside its chart and values.
pub(super) struct Setting {
    pub(super) release: ReleaseInfo,
    pub(super) capabilities: Capabilities,
    pub(super) schemas: Schemas,
    pub(super) dns: Dns,
}

/// What a chart rendered to.
pub(super) struct Rendering {
    pub(super) chart: Chart,
    pub(super) rendered: Rendered,
    /// Taking templates apart takes a tenth of the time that parsing them does: it can wait for the end.
    _compiled: Compiled,
}

/// Puts what the values file at `path` holds over `values`.
pub(super) fn add_values(values: &mut Map<String, Json>, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let text = String::from_utf8_lossy(bytes);
    let read = values_file::read(&text).map_err(|source| Error::Values { path: path.to_owned(), source })?;
    values_file::merge(values, read);
    Ok(())
}

/// Loads a chart, which must be one that can be installed, with all of its sub-charts there.
pub(super) fn load(path: &Path) -> Result<Chart, Error> {
    installable(files::chart(path).map_err(Error::Load)?)
}

/// The chart, if it can be installed and all of its sub-charts are there.
pub(super) fn installable(chart: Chart) -> Result<Chart, Error> {
    if !matches!(chart.metadata.r#type.as_str(), "" | "application") {
        return Err(Error::NotInstallable(chart.metadata.r#type));
    }
    let missing = chart.missing_dependencies();
    if missing.is_empty() { Ok(chart) } else { Err(Error::MissingDependencies(missing.join(", "))) }
}

/// What templates see of a cluster of that version, by default the one Helm assumes, that serves these APIs too.
pub(super) fn capabilities(kube_version: &str, api_versions: &[String]) -> Result<Capabilities, Error> {
    let assumed = match kube_version {
        "" => Capabilities::default(),
        version => {
            let fault = |source| Error::KubeVersion { version: version.to_owned(), source };
            Capabilities::assumed(KubeVersion::read(version).map_err(fault)?)
        }
    };
    Ok(if api_versions.is_empty() { assumed } else { assumed.and(api_versions.iter().map(String::as_str)) })
}

/// Whether a release may have that name.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    check_release_name(name).map_err(|source| Error::ReleaseName { name: name.to_owned(), source })
}

/// Whether a release may have these labels, each a `key=value`.
pub(super) fn check_labels(labels: &[String]) -> Result<(), Error> {
    let mut keys = labels.iter().filter_map(|label| label.split_once('=')).map(|(key, _)| key);
    if keys.any(|key| SYSTEM_LABELS.contains(&key)) { Err(Error::SystemLabel) } else { Ok(()) }
}

/// Chooses sub-charts and merges values.
pub(super) fn process_values(chart: &Chart, user: Map<String, Json>, setting: &Setting) -> Result<Processed, Error> {
    let KubeVersion { version, normalized, .. } = setting.capabilities.kube_version();
    let checks = Checks { kube_version: version, normalized, schemas: setting.schemas };
    process_with(chart, &Json::Object(user), checks).map_err(Error::Process)
}

/// Parses and executes all templates.
pub(super) fn render(processed: Processed, setting: &Setting) -> Result<Rendering, Error> {
    let Processed { chart, values, .. } = processed;
    let inputs = Inputs {
        values: &values,
        release: &setting.release,
        capabilities: &setting.capabilities,
        context: None,
        limits: Limits::default(),
    };
    let compiled = Compiled::new(&chart).map_err(Error::Render)?;
    let rendered = render::render(&compiled, inputs, Rc::new(Offline::new(setting.dns))).map_err(Error::Render)?;
    Ok(Rendering { chart, rendered, _compiled: compiled })
}

impl Rendering {
    /// Hooks and objects in Helm's order.
    pub(super) fn sort(&self) -> Result<Sorted, Error> {
        manifest::sort(&self.rendered.files).map_err(Error::Sort)
    }

    /// The text of a release as Helm stores it, without the hooks, preceded by the definitions if they are wanted.
    pub(super) fn manifest(&self, sorted: &Sorted, definitions: Definitions) -> Vec<u8> {
        let mut text = Vec::new();
        if definitions == Definitions::Included {
            for crd in self.chart.crds() {
                add(&mut text, &crd.path, &crd.file.data);
            }
        }
        for document in &sorted.documents {
            add(&mut text, &document.path, document.text.as_bytes());
        }
        text
    }

    /// What `helm template --include-crds` prints: definitions, objects, hooks, each below its source.
    pub(super) fn print(&self, sorted: &Sorted) -> String {
        let mut text = trimmed(self.manifest(sorted, Definitions::Included));
        for hook in &sorted.hooks {
            add(&mut text, &hook.path, hook.manifest.as_bytes());
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// All that was rendered, for whoever wants to see why it is no YAML.
    pub(super) fn unsorted(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (path, file) in self.rendered.files.iter().filter(|(_, file)| !file.trim().is_empty()) {
            add(&mut text, path, file.as_bytes());
        }
        text
    }
}

/// Whether the files of `crds/` are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Definitions {
    Included,
    LeftOut,
}

/// Adds a document below its source.
pub(super) fn add(text: &mut Vec<u8>, path: &str, document: &[u8]) {
    text.reserve(path.len() + document.len() + 16);
    for part in [b"---\n# Source: ", path.as_bytes(), b"\n", document, b"\n"] {
        text.extend_from_slice(part);
    }
}

/// The text with one line break at its end; it begins with none.
pub(super) fn trimmed(mut text: Vec<u8>) -> Vec<u8> {
    // What is not UTF-8 is no space, so that only what comes after it can be trimmed.
    if let Some(last) = text.utf8_chunks().last().filter(|last| last.invalid().is_empty()) {
        let blank = last.valid().len() - last.valid().trim_end().len();
        text.truncate(text.len() - blank);
    }
    text.push(b'\n');
    text
}

/// What Go was doing: a directory is opened like a file, and cannot be read.
fn reading(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::IsADirectory { "read" } else { "open" }
}

/// The system's message as Go writes it.
fn go_text(error: &io::Error) -> String {
    let text = match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory",
        io::ErrorKind::PermissionDenied => "permission denied",
        io::ErrorKind::IsADirectory => "is a directory",
        io::ErrorKind::NotADirectory => "not a directory",
        io::ErrorKind::ReadOnlyFilesystem => "read-only file system",
        io::ErrorKind::StorageFull => "no space left on device",
        _ => return error.to_string(),
    };
    text.to_owned()
}
