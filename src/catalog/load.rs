//! `watches.yaml` and the charts it names, read from disk. Every fault is found, not only the first.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value as Json};

use crate::catalog::{Catalog, Entry, Error, charts, limits};
use crate::chart::{Chart, files};
use crate::diagnostic::{Diagnostic, chain};
use crate::functions;
use crate::release::action::On;
use crate::release::labels;
use crate::render::Compiled;
use crate::template::{self, Limits, Set};
use crate::value::Value;
use crate::values::overrides::{self, Env};
use crate::watches::{self, Watch, Watches};

/// Where a catalog is read from: `watches.yaml`, and the environment that its overrides name.
#[derive(Clone)]
pub struct Source {
    path: PathBuf,
    env: Arc<Environment>,
}

type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Source {
    /// The file `path`; `env` gives the variables that overrides name.
    pub fn new(path: PathBuf, env: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { path, env: Arc::new(env) }
    }

    /// The path of `watches.yaml`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads everything.
    ///
    /// # Errors
    /// Every fault of the file, of its overrides, and of the charts.
    pub fn load(&self) -> Result<Catalog, Error> {
        self.reload(&Catalog::default())
    }

    /// Reads everything again. Entries that are as in `former` are those of `former`.
    ///
    /// # Errors
    /// As [`Source::load`].
    pub(crate) fn reload(&self, former: &Catalog) -> Result<Catalog, Error> {
        let watches = self.watches()?;
        let mut faults = Vec::new();
        let mut entries = Vec::new();
        for watch in watches.watches {
            let known = former.entries.iter().find(|entry| entry.watch == watch);
            match renewed(watch, known, &*self.env) {
                Ok(entry) => entries.push(entry),
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() { Ok(Catalog { entries, warnings: watches.warnings }) } else { Err(Error { faults }) }
    }

    /// The paths of the charts that the file names; `None` where it cannot be read.
    pub(crate) fn charts(&self) -> Option<BTreeSet<PathBuf>> {
        let watches = self.watches().ok()?.watches;
        Some(watches.into_iter().map(|watch| watch.chart.into()).collect())
    }

    fn watches(&self) -> Result<Watches, Error> {
        let name = self.path.display().to_string();
        let text = std::fs::read_to_string(&self.path)
            .map_err(|error| Error { faults: vec![Diagnostic::error(format!("cannot read `{name}`: {error}"))] })?;
        watches::parse(&name, &text).map_err(|faults| Error { faults })
    }
}

/// The entry of `watch`, for which `known` was read before: that one if its chart is still the same. What overrides come
/// to is not asked again, since chance may be in it.
fn renewed(watch: Watch, known: Option<&Arc<Entry>>, env: Env<'_>) -> Result<Arc<Entry>, Vec<Diagnostic>> {
    let Some(known) = known else { return entry(watch, env).map(Arc::new) };
    let chart = read(&watch).map_err(|fault| vec![fault])?;
    if chart.digest == known.chart.digest {
        return Ok(Arc::clone(known));
    }
    let compiled = compiled(&watch, &chart).map_err(|fault| vec![fault])?;
    let overridden = Overridden { overrides: known.overrides.clone(), texts: known.overridden.clone() };
    Ok(Arc::new(Entry::new(watch, chart, compiled, overridden)))
}

/// One watch of a file that was read, joined with its chart.
///
/// # Errors
/// Every fault of its overrides and its chart.
pub fn entry(watch: Watch, env: Env<'_>) -> Result<Entry, Vec<Diagnostic>> {
    let loaded = read(&watch).and_then(|chart| Ok((compiled(&watch, &chart)?, chart))).map_err(|fault| vec![fault]);
    match (loaded, overridden(&watch, env)) {
        (Ok((compiled, chart)), Ok(overridden)) => Ok(Entry::new(watch, chart, compiled, overridden)),
        (loaded, overridden) => Err(loaded.err().into_iter().chain(overridden.err()).flatten().collect()),
    }
}

impl Entry {
    fn new(watch: Watch, chart: Chart, compiled: Compiled, overridden: Overridden) -> Self {
        let mut names = Vec::new();
        charts(&chart, "", &mut names);
        let compiled = Mutex::new([(names, Arc::new(compiled))].into());
        let (limits, Overridden { overrides, texts }) = (limits(watch.budget), overridden);
        let names_previous = has_word(&chart, b"Previous");
        let has_pre_delete =
            has_word(&chart, labels::ON.as_bytes()) && has_word(&chart, On::PreDelete.name().as_bytes());
        let chart = Arc::new(chart);
        Self { watch, chart, compiled, overrides, names_previous, has_pre_delete, limits, overridden: texts }
    }
}

/// Whether a template of `chart` has this word in it.
fn has_word(chart: &Chart, word: &[u8]) -> bool {
    let operator = chart.files.iter().filter(|file| file.name.starts_with("operator/"));
    let mut files = chart.templates.iter().chain(operator);
    files.any(|file| memchr::memmem::find(&file.data, word).is_some())
        || chart.dependencies.iter().any(|chart| has_word(chart, word))
}

/// What a watch puts over every `spec`.
#[derive(Clone, Debug)]
pub struct Overridden {
    /// `overrideValues` and `overrides`, merged: an object.
    pub overrides: Json,
    /// `overrideValues` as evaluated.
    pub texts: Vec<(String, String)>,
}

/// What `watch` puts over every `spec`. `env` gives the variables that it names.
///
/// # Errors
/// Every fault, with its place.
pub fn overridden(watch: &Watch, env: Env<'_>) -> Result<Overridden, Vec<Diagnostic>> {
    let texts = overrides::evaluate(&watch.override_values, env, &evaluate).map_err(|errors| {
        let faults = errors.into_iter().map(|error| {
            let overrides::Error::Template { key, source } = error;
            watch.override_fault(&key, source.to_string())
        });
        faults.collect::<Vec<_>>()
    })?;
    let typed = overrides::expand_all(&Json::Object(watch.overrides.clone()), env);
    let overrides = overrides::apply(&Json::Object(Map::new()), &texts, &typed)
        .map_err(|error| vec![watch.override_fault(&error.key, error.source.to_string())])?;
    Ok(Overridden { overrides, texts: texts.into_iter().collect() })
}

fn read(watch: &Watch) -> Result<Chart, Diagnostic> {
    files::chart(Path::new(&watch.chart)).map_err(|error| watch.chart_fault(chain(&error)))
}

/// Proof that all of its templates parse.
fn compiled(watch: &Watch, chart: &Chart) -> Result<Compiled, Diagnostic> {
    Compiled::with_operator(chart).map_err(|error| watch.chart_fault(error.to_string()))
}

/// The text of an override as a template without data, as operator-sdk evaluates it once, at the start.
fn evaluate(text: &str) -> Result<String, template::Error> {
    let mut set = Set::new(Arc::new(functions::table()));
    set.parse("override", text)?;
    let mut out = Vec::new();
    set.execute("override", Value::Nil, template::Run { host: &(), limits: Limits::default() }, &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}
