//! `template --batch`: many charts by one process, a request and an answer a line.
//!
//! A request names a chart and values files; its answer has what every template rendered, or Helm's message. Programs that
//! compare renderings ask this way.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::cli::offline::Dns;
use crate::cli::template::stages::{self, Error, Rendering, Setting};
use crate::render::{Operation, ReleaseInfo};
use crate::values::Schemas;

/// A chart to be rendered.
#[derive(Debug, Deserialize)]
struct Request {
    /// Comes back with the answer.
    id: String,
    /// Its directory, or a `.tgz`.
    chart: PathBuf,
    /// Later ones win.
    #[serde(default)]
    values_files: Vec<PathBuf>,
    #[serde(default = "default_release")]
    release: String,
    #[serde(default = "default_namespace")]
    namespace: String,
    /// Empty for the one Helm assumes.
    #[serde(default)]
    kube_version: String,
    /// More of them than Helm assumes.
    #[serde(default)]
    api_versions: Vec<String>,
}

fn default_release() -> String {
    "release-name".to_owned()
}

fn default_namespace() -> String {
    "default".to_owned()
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Answer {
    id: String,
    /// What each template rendered, by its path.
    manifests: BTreeMap<String, String>,
    /// The files of `crds/`.
    crds: BTreeMap<String, String>,
    notes: String,
    /// What `helm template --include-crds` prints.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// Helm's message; empty if all went well.
    error: String,
    /// Reading the chart.
    load_ms: f64,
    /// Reading and merging values, the schema's check included.
    values_ms: f64,
    /// Parsing and executing all templates.
    render_ms: f64,
}

/// Answers every request of standard input, in order.
///
/// # Errors
/// If a line is no request, or if nobody reads the answers.
pub(super) fn run() -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for (number, line) in io::stdin().lock().lines().enumerate() {
        let line = line.context("cannot read standard input")?;
        let request = serde_json::from_str(&line).with_context(|| format!("line {} is no request", number + 1))?;
        serde_json::to_writer(&mut out, &answer(request)).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    Ok(())
}

fn answer(request: Request) -> Answer {
    let mut answer = Answer { id: request.id.clone(), ..Answer::default() };
    if let Err(error) = fill(&mut answer, request) {
        answer.error = error;
    }
    answer
}

fn fill(answer: &mut Answer, request: Request) -> Result<(), String> {
    let text = |error: Error| error.message();
    let mut watch = Stopwatch(Instant::now());
    let mut user = Map::new();
    for path in &request.values_files {
        let bytes = fs::read(path).map_err(|source| text(Error::Read { path: path.clone(), source }))?;
        stages::add_values(&mut user, path, &bytes).map_err(text)?;
    }
    let reading = watch.lap();
    let chart = stages::load(&request.chart).map_err(text)?;
    answer.load_ms = milliseconds(watch.lap());
    let setting = setting(request)?;
    stages::check_name(&setting.release.name).map_err(text)?;
    let processed = stages::process_values(&chart, user, &setting).map_err(text)?;
    answer.values_ms = milliseconds(reading + watch.lap());
    let rendering = stages::render(processed, &setting).map_err(text)?;
    answer.render_ms = milliseconds(watch.lap());
    let sorted = rendering.sort();
    if let Ok(sorted) = &sorted {
        answer.output = Some(rendering.print(sorted));
    }
    let Rendering { chart, rendered, .. } = rendering;
    let crds = chart.crds().into_iter();
    answer.crds = crds.map(|crd| (crd.path, String::from_utf8_lossy(&crd.file.data).into_owned())).collect();
    answer.manifests = rendered.files;
    answer.notes = rendered.notes;
    sorted.map(drop).map_err(text)
}

fn setting(request: Request) -> Result<Setting, String> {
    let capabilities = stages::capabilities(&request.kube_version, &request.api_versions);
    Ok(Setting {
        release: ReleaseInfo {
            name: request.release,
            namespace: request.namespace,
            revision: 1,
            operation: Operation::Install,
        },
        capabilities: capabilities.map_err(|error| error.message())?,
        schemas: Schemas::Enforced,
        dns: Dns::Off,
    })
}

struct Stopwatch(Instant);

impl Stopwatch {
    /// The time since the last lap.
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.0, now)
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
