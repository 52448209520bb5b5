//! A chart and values to the text of its files, byte for byte as Helm v4.3.1.
//!
//! A [`Compiled`] chart is parsed once and shared between threads; [`render`] walks its templates on one thread. What a
//! render may not know by itself it asks [`World`], and what it asked beside that is in [`Trace`]. Nothing here splits text into
//! objects.
//!
//! Mirrors Helm v4.3.1: `pkg/engine`, and of `pkg/action` what it does with `NOTES.txt`.

mod capabilities;
mod compiled;
mod error;
mod files;
mod glob;
mod handlebars;
mod include;
pub mod operator;
mod scope;
mod seen;
mod trace;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::functions::Host;
pub use crate::functions::World;
use crate::template::function::Functions;
use crate::template::{Budget, Limits, Run};
use crate::value::{Map, MapType, Value};

pub use capabilities::{Capabilities, InvalidVersion, KubeVersion};
pub use compiled::{Compiled, POLICY, STATUS};
pub use error::Error;
pub use operator::Context;
pub use trace::{Asked, Trace};

use crate::render::compiled::OperatorFile;
use crate::render::trace::{Witness, Witnessed};

/// `.Release`, but for `Service`, which is always `Helm`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseInfo {
    /// The release's name.
    pub name: String,
    /// Where it is installed.
    pub namespace: String,
    /// Its number, from 1.
    pub revision: i64,
    /// What is being done.
    pub operation: Operation,
}

/// What is being done with a release; `template` counts as an install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `.Release.IsInstall`
    Install,
    /// `.Release.IsUpgrade`
    Upgrade,
}

/// What a render is made of, beside the chart.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The values of the root chart, those of sub-charts below their names: the result of coalescing.
    pub values: &'a Json,
    /// `.Release`
    pub release: &'a ReleaseInfo,
    /// `.Capabilities`
    pub capabilities: &'a Capabilities,
    /// What templates see beside Helm's objects; every chart sees the same. `None` is Helm: a chart's `operator/` is not
    /// rendered then.
    pub context: Option<&'a Context>,
    /// What it may use, where no [`Budget`] is open.
    pub limits: Limits,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The text of every template by its path, such as `demo/templates/deployment.yaml`, empty ones included. Notes and
    /// partials (`_helpers.tpl`) are not in it. A byte that is not UTF-8 is U+FFFD.
    pub files: BTreeMap<String, String>,
    /// The text of the root chart's `templates/NOTES.txt`.
    pub notes: String,
    /// The text of `operator/policy.yaml`, where the chart has one.
    pub policy: Option<String>,
}

/// Helm renders every file of that name, and applies none.
const NOTES: &str = "NOTES.txt";

/// Renders all templates of a chart and of its sub-charts.
///
/// # Errors
/// [`Error::Execute`] for the first template that fails; what was rendered until then is dropped.
pub fn render(chart: &Compiled, inputs: Inputs<'_>, world: Rc<dyn World>) -> Result<Rendered, Error> {
    traced(chart, inputs, world).0
}

/// As [`render`], and what it asked, also where it failed.
pub fn traced(chart: &Compiled, inputs: Inputs<'_>, world: Rc<dyn World>) -> (Result<Rendered, Error>, Trace) {
    let witness = Rc::new(Witness { world, witnessed: Rc::default() });
    let rendered = each(chart, inputs, &witness, &mut |error| Err(error));
    (rendered, witness.witnessed.trace(inputs.context))
}

/// The text of `operator/status.yaml`, which sees `.Outcome` too, and what was asked; `None` where the chart has none.
pub fn status(
    chart: &Compiled,
    inputs: Inputs<'_>,
    outcome: &Json,
    world: Rc<dyn World>,
) -> (Result<Option<String>, Error>, Trace) {
    let witness = Rc::new(Witness { world, witnessed: Rc::default() });
    let Some(file) = chart.status() else { return (Ok(None), Trace::default()) };
    let clock = Rc::clone(&witness);
    let _budget = Budget::open(inputs.limits, move || clock.elapsed());
    let common = common(inputs, &witness.witnessed);
    common.insert("Outcome", Value::from_json(outcome));
    let dots = scope::dots(chart.scopes(), &common, inputs.values);
    let text = dots.first().map(|dot| witness.file(file, dot, inputs)).transpose();
    (text, witness.witnessed.trace(inputs.context))
}

/// As [`render`], but a template that fails is only left out: what the others rendered to, and every error.
pub fn attempt(chart: &Compiled, inputs: Inputs<'_>, world: Rc<dyn World>) -> (Rendered, Vec<Error>) {
    let mut errors = Vec::new();
    let mut keep = |error| {
        errors.push(error);
        Ok(())
    };
    let witness = Rc::new(Witness { world, witnessed: Rc::default() });
    let rendered = each(chart, inputs, &witness, &mut keep).unwrap_or_default();
    (rendered, errors)
}

/// Every function that templates may call, but for Go's own.
pub fn functions() -> Arc<Functions> {
    Arc::clone(&include::FUNCTIONS)
}

/// Parses a Handlebars template by itself. `base_path` is the `templates` directory of its chart.
///
/// # Errors
/// [`Error::Parse`]
pub fn parse_handlebars(path: &str, base_path: &str, text: &[u8]) -> Result<(), Error> {
    handlebars::Library::new(&include::FUNCTIONS).add(path, base_path, text).map_err(Error::Parse)
}

/// Renders template after template; what happens after an error `failed` decides.
fn each(
    chart: &Compiled,
    inputs: Inputs<'_>,
    witness: &Rc<Witness>,
    failed: &mut dyn FnMut(Error) -> Result<(), Error>,
) -> Result<Rendered, Error> {
    let clock = Rc::clone(witness);
    let _budget = Budget::open(inputs.limits, move || clock.elapsed());
    let host = Host { world: Rc::<Witness>::clone(witness) };
    let run = Run { host: &host, limits: inputs.limits };
    let dots = scope::dots(chart.scopes(), &common(inputs, &witness.witnessed), inputs.values);
    let mut rendered = Rendered::default();
    let mut out = Vec::new();
    for file in chart.files() {
        let Some(dot) = dots.get(file.scope) else { continue };
        dot.insert("Template", template(&file.path, &file.base_path));
        out.clear();
        witness.begin(&file.path);
        match chart.set().execute(&file.path, Value::Map(dot.clone()), run, &mut out) {
            Ok(()) => rendered.add(chart, &file.path, &mut out),
            Err(error) => failed(Error::Execute(error))?,
        }
    }
    if let (Some(_), Some(file), Some(dot)) = (inputs.context, chart.policy(), dots.first()) {
        match witness.file(file, dot, inputs) {
            Ok(text) => rendered.policy = Some(text),
            Err(error) => failed(error)?,
        }
    }
    Ok(rendered)
}

impl Witness {
    /// The text of a file of `operator/`.
    fn file(self: &Rc<Self>, file: &OperatorFile, dot: &Map, inputs: Inputs<'_>) -> Result<String, Error> {
        let host = Host { world: Rc::<Self>::clone(self) };
        let run = Run { host: &host, limits: inputs.limits };
        dot.insert("Template", template(&file.path, &file.base_path));
        self.begin(&file.path);
        let mut out = Vec::new();
        file.set.execute(&file.path, Value::Map(dot.clone()), run, &mut out).map_err(Error::Execute)?;
        Ok(include::to_text(&mut out))
    }
}

impl Rendered {
    fn add(&mut self, chart: &Compiled, path: &str, text: &mut Vec<u8>) {
        let text = include::to_text(text);
        if !path.ends_with(NOTES) {
            self.files.insert(path.to_owned(), text);
        } else if path.strip_suffix(NOTES) == Some(chart.templates_path()) {
            self.notes = text;
        }
    }
}

/// What is the same for every chart.
fn common(inputs: Inputs<'_>, witnessed: &Rc<Witnessed>) -> Map {
    let common = Map::new(MapType::Values);
    for (name, value) in inputs.context.iter().flat_map(|context| context.values(&witnessed.reads)) {
        common.insert(name, value);
    }
    common.insert("Release", release(inputs.release));
    common.insert("Capabilities", inputs.capabilities.to_value(witnessed));
    common
}

fn release(release: &ReleaseInfo) -> Map {
    let map = Map::new(MapType::Any);
    map.insert("Name", release.name.as_str());
    map.insert("Namespace", release.namespace.as_str());
    map.insert("IsUpgrade", release.operation == Operation::Upgrade);
    map.insert("IsInstall", release.operation == Operation::Install);
    map.insert("Revision", Value::int(release.revision));
    map.insert("Service", "Helm");
    map
}

fn template(name: &str, base_path: &str) -> Map {
    let map = Map::new(MapType::Values);
    map.insert("Name", name);
    map.insert("BasePath", base_path);
    map
}
