//! The stages of `helm template`: load, values, render, sort, print.
//!
//! Mirrors Helm v4.3.1: `pkg/cmd/template.go`, `pkg/cmd/install.go`, `pkg/action/install.go`, `pkg/cli/values/options.go`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::{fs, io};

use serde_json::{Map, Value as Json};

use crate::chart::{Chart, files, values_file};
use crate::cli::template::offline::Offline;
use crate::release::manifest::{self, Sorted};
use crate::render::{self, Capabilities, Compiled, Inputs, ReleaseInfo, Rendered};
use crate::template::Limits;
use crate::values::{Processed, process};

/// The longest name of a release.
const MAX_NAME: usize = 53;

/// What a name of a release looks like, as Helm's message has it.
const NAME_REGEX: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// Why a stage failed. With its causes it is Helm's message.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("open {}: {}", path.display(), go_text(source))]
    Read { path: PathBuf, source: io::Error },
    #[error("failed to parse {}: {source}", path.display())]
    Values { path: PathBuf, source: values_file::Error },
    #[error(transparent)]
    Load(files::Error),
    #[error("{0} charts are not installable")]
    NotInstallable(String),
    #[error(
        "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch \
         missing dependencies: found in Chart.yaml, but missing in charts/ directory: {0}"
    )]
    MissingDependencies(String),
    #[error("release name check failed: release name {0:?}: {1}")]
    ReleaseName(String, String),
    #[error(transparent)]
    Process(process::Error),
    #[error(transparent)]
    Render(render::Error),
    #[error(transparent)]
    Sort(crate::release::Error),
}

/// What a release is rendered from, beside its chart and values.
pub(super) struct Setting {
    pub(super) release: ReleaseInfo,
    pub(super) capabilities: Capabilities,
}

/// What a chart rendered to.
pub(super) struct Rendering {
    pub(super) chart: Chart,
    pub(super) rendered: Rendered,
}

/// Reads a values file and puts it over `values`.
pub(super) fn add_values_file(values: &mut Map<String, Json>, path: &Path) -> Result<(), Error> {
    let bytes = fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let text = String::from_utf8_lossy(&bytes);
    let read = values_file::read(&text).map_err(|source| Error::Values { path: path.to_owned(), source })?;
    values_file::merge(values, read);
    Ok(())
}

/// Loads a chart, which must be one that can be installed, with all of its sub-charts there.
pub(super) fn load(path: &Path) -> Result<Chart, Error> {
    let chart = files::chart(path).map_err(Error::Load)?;
    if !matches!(chart.metadata.r#type.as_str(), "" | "application") {
        return Err(Error::NotInstallable(chart.metadata.r#type));
    }
    let missing = chart.missing_dependencies();
    if missing.is_empty() { Ok(chart) } else { Err(Error::MissingDependencies(missing.join(", "))) }
}

/// Whether a release may have that name.
pub(super) fn check_release_name(name: &str) -> Result<(), Error> {
    let label = |label: &str| {
        let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let inner = |byte: &u8| edge(Some(byte)) || *byte == b'-';
        edge(label.as_bytes().first()) && edge(label.as_bytes().last()) && label.as_bytes().iter().all(inner)
    };
    let fault = match name {
        "" => "no name provided".to_owned(),
        name if name.len() > MAX_NAME || !name.split('.').all(label) => format!(
            "invalid release name, must match regex {NAME_REGEX} and the length must not be longer than {MAX_NAME}"
        ),
        _ => return Ok(()),
    };
    Err(Error::ReleaseName(name.to_owned(), fault))
}

/// Chooses sub-charts and merges values.
pub(super) fn process_values(chart: &Chart, user: Map<String, Json>, setting: &Setting) -> Result<Processed, Error> {
    let kube_version = &setting.capabilities.kube_version().version;
    process(chart, &Json::Object(user), kube_version).map_err(Error::Process)
}

/// Parses and executes all templates.
pub(super) fn render(processed: Processed, setting: &Setting) -> Result<Rendering, Error> {
    let Processed { chart, values, .. } = processed;
    let inputs = Inputs {
        values: &values,
        release: &setting.release,
        capabilities: &setting.capabilities,
        objects: &BTreeMap::new(),
        limits: Limits::default(),
    };
    let compiled = Compiled::new(&chart).map_err(Error::Render)?;
    let rendered = render::render(&compiled, inputs, Rc::new(Offline)).map_err(Error::Render)?;
    Ok(Rendering { chart, rendered })
}

impl Rendering {
    /// Hooks and objects in Helm's order.
    pub(super) fn sort(&self) -> Result<Sorted, Error> {
        manifest::sort(&self.rendered.files).map_err(Error::Sort)
    }

    /// What `helm template --include-crds` prints: definitions, objects, hooks, each below its source.
    pub(super) fn print(&self, sorted: &Sorted) -> String {
        let mut text = String::new();
        for crd in self.chart.crds() {
            let data = String::from_utf8_lossy(&crd.file.data);
            // Writing to a string cannot fail.
            _ = write!(text, "---\n# Source: {}\n{data}\n", crd.path);
        }
        text.push_str(&sorted.text());
        let mut text = format!("{}\n", text.trim());
        for hook in &sorted.hooks {
            _ = write!(text, "---\n# Source: {}\n{}\n", hook.path, hook.manifest);
        }
        text
    }
}

/// The system's message as Go writes it.
fn go_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
