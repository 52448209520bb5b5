//! `watches.yaml` and the charts it names, read from disk. Every fault is found, not only the first.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value as Json};

use crate::catalog::{Catalog, Entry, Error, charts, limits};
use crate::chart::{Chart, files};
use crate::diagnostic::{Diagnostic, chain};
use crate::functions;
use crate::render::Compiled;
use crate::template::{self, Limits, Set};
use crate::value::Value;
use crate::values::overrides::{self, Env};
use crate::watches::{self, Watch};

/// Reads `path`. `env` gives the variables that overrides name.
///
/// # Errors
/// Every fault of the file, of its overrides, and of the charts.
pub fn load(path: &Path, env: Env<'_>) -> Result<Catalog, Error> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error { faults: vec![Diagnostic::error(format!("cannot read `{name}`: {error}"))] })?;
    let watches = watches::parse(&name, &text).map_err(|faults| Error { faults })?;
    let mut faults = Vec::new();
    let mut entries = Vec::new();
    for watch in watches.watches {
        match entry(watch, env) {
            Ok(entry) => entries.push(Arc::new(entry)),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(Catalog { entries, warnings: watches.warnings }) } else { Err(Error { faults }) }
}

/// One watch of a file that was read, joined with its chart.
///
/// # Errors
/// Every fault of its overrides and its chart.
pub fn entry(watch: Watch, env: Env<'_>) -> Result<Entry, Vec<Diagnostic>> {
    let loaded = chart(&watch).map_err(|fault| vec![fault]);
    match (loaded, overridden(&watch, env)) {
        (Ok((chart, compiled)), Ok(Overridden { overrides, texts })) => {
            let mut names = Vec::new();
            charts(&chart, "", &mut names);
            let compiled = Mutex::new([(names, compiled)].into());
            let limits = limits(watch.budget);
            Ok(Entry { watch, chart, compiled, overrides, limits, overridden: texts })
        }
        (loaded, overridden) => Err(loaded.err().into_iter().chain(overridden.err()).flatten().collect()),
    }
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

/// The chart, and proof that all of its templates parse.
fn chart(watch: &Watch) -> Result<(Arc<Chart>, Arc<Compiled>), Diagnostic> {
    let chart = files::chart(Path::new(&watch.chart)).map_err(|error| watch.chart_fault(chain(&error)))?;
    let compiled = Compiled::new(&chart).map_err(|error| watch.chart_fault(error.to_string()))?;
    Ok((Arc::new(chart), Arc::new(compiled)))
}

/// The text of an override as a template without data, as operator-sdk evaluates it once, at the start.
fn evaluate(text: &str) -> Result<String, template::Error> {
    let mut set = Set::new(Arc::new(functions::table()));
    set.parse("override", text)?;
    let mut out = Vec::new();
    set.execute("override", Value::Nil, template::Run { host: &(), limits: Limits::default() }, &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}
