//! `check`: what is wrong with `watches.yaml` and the charts it names. Needs no cluster.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args as ClapArgs, ValueEnum};
use serde_json::{Map, Value as Json};

use crate::analysis::{self, Sample, Subject};
use crate::chart::{self, File, files};
use crate::cli::offline::{Dns, Offline};
use crate::cli::{print, report, with_render_stack};
use crate::diagnostic::{Diagnostic, Severity, Source, chain};
use crate::render::World;
use crate::watches::{self, Watch};
use crate::{catalog, yaml};

/// The flags of `check`.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Charts to check instead of those that the watches file names: directories or archives
    #[arg(value_name = "CHART")]
    charts: Vec<PathBuf>,
    /// Path to the watches file
    #[arg(long, value_name = "FILE", default_value = "./watches.yaml", conflicts_with = "charts")]
    watches_file: PathBuf,
    /// Resources that the charts must render with; may be given several times
    #[arg(long, value_name = "FILE")]
    cr: Vec<PathBuf>,
    /// How faults are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How faults are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: with excerpts
    Text,
    /// One document
    Json,
}

/// Checks, on a thread whose stack fits the deepest template, and prints what was found; fails if there is an error.
pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let format = args.format;
    let (found, charts) = with_render_stack(move || check(&args))?;
    match format {
        Format::Text => print(&report::faults(&found, charts))?,
        Format::Json => print(&format!("{:#}\n", report::json(&found)))?,
    }
    let failed = found.iter().any(|fault| fault.severity == Severity::Error);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Everything found, in order, and how many charts were looked at.
fn check(args: &Args) -> anyhow::Result<(Vec<Diagnostic>, usize)> {
    let mut checking = Checking { found: Vec::new(), samples: Vec::new(), charts: 0 };
    for path in &args.cr {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let (samples, faults) = analysis::samples(&shown(path), &text);
        checking.samples.extend(samples);
        checking.found.extend(faults);
    }
    if args.charts.is_empty() {
        let text = fs::read_to_string(&args.watches_file);
        let text = text.with_context(|| format!("cannot read `{}`", args.watches_file.display()))?;
        checking.watches(&shown(&args.watches_file), &text);
    } else {
        // Whoever names charts means every resource for each.
        let samples = checking.samples.clone();
        args.charts.iter().for_each(|path| checking.chart(path, &samples));
    }
    let Checking { mut found, charts, .. } = checking;
    analysis::sort(&mut found);
    Ok((found, charts))
}

/// A path as it is told: `./watches.yaml` is `watches.yaml`.
pub(super) fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    text.strip_prefix("./").map_or_else(|| text.clone(), str::to_owned)
}

struct Checking {
    found: Vec<Diagnostic>,
    samples: Vec<Sample>,
    charts: usize,
}

impl Checking {
    fn watches(&mut self, name: &str, text: &str) {
        match watches::parse(name, text) {
            Ok(watches) => {
                self.found.extend(watches.warnings);
                let mut kinds = BTreeSet::new();
                for watch in &watches.watches {
                    kinds.insert((watch.gvk.api_version(), watch.gvk.kind.clone()));
                    self.watch(watch);
                }
                self.unwatched(&kinds);
            }
            Err(faults) => {
                self.found.extend(faults);
                // The charts may be looked at nevertheless.
                for chart in named_charts(text) {
                    self.chart(Path::new(&chart), &[]);
                }
            }
        }
    }

    /// A resource that no watch is for would never be looked at.
    fn unwatched(&mut self, kinds: &BTreeSet<(String, String)>) {
        for sample in &self.samples {
            if !kinds.contains(&(sample.api_version.clone(), sample.kind.clone())) {
                let message = format!("no watch is for `{} {}`", sample.api_version, sample.kind);
                self.found.push(sample.fault(Diagnostic::error(message)));
            }
        }
    }

    fn watch(&mut self, watch: &Watch) {
        let overrides = match catalog::overridden(watch, &|name| std::env::var(name).ok()) {
            Ok(overridden) => overridden.overrides,
            Err(faults) => {
                self.found.extend(faults);
                no_overrides()
            }
        };
        let is_of = |sample: &&Sample| sample.kind == watch.gvk.kind && sample.api_version == watch.gvk.api_version();
        let samples: Vec<Sample> = self.samples.iter().filter(is_of).cloned().collect();
        match chart_files(Path::new(&watch.chart)) {
            Ok(files) => {
                let path = &shown(Path::new(&watch.chart));
                let has_records = watch.history > 0;
                let gvk = Some(&watch.gvk);
                self.subject(&Subject {
                    path,
                    gvk,
                    files: &files,
                    overrides: &overrides,
                    samples: &samples,
                    has_records,
                });
            }
            Err(error) => self.found.push(watch.chart_fault(chain(&error))),
        }
    }

    /// A chart without a watch.
    fn chart(&mut self, path: &Path, samples: &[Sample]) {
        let shown = shown(path);
        match chart_files(path) {
            Ok(files) => {
                let overrides = &no_overrides();
                self.subject(&Subject {
                    path: &shown,
                    gvk: None,
                    files: &files,
                    overrides,
                    samples,
                    has_records: true,
                });
            }
            Err(error) => {
                let source = Arc::new(Source { name: shown, text: String::new() });
                self.found.push(Diagnostic::error(chain(&error)).within(&source));
            }
        }
    }

    fn subject(&mut self, subject: &Subject<'_>) {
        self.charts += 1;
        let world: Rc<dyn World> = Rc::new(Offline::new(Dns::Off));
        self.found.extend(analysis::check(subject, &world));
    }
}

pub(super) fn no_overrides() -> Json {
    Json::Object(Map::new())
}

/// The files of a chart that may be none.
pub(super) fn chart_files(path: &Path) -> Result<Vec<File>, files::Error> {
    if path.is_dir() {
        return files::directory(path);
    }
    files::chart(path).map(|chart: chart::Chart| chart.raw.to_vec())
}

/// The charts that a watches file with faults names.
fn named_charts(text: &str) -> BTreeSet<String> {
    let document = yaml::parse(text).ok().flatten();
    let entries = document.iter().flat_map(yaml::Node::items);
    let charts = entries.filter_map(|entry| entry.get("chart")?.as_str());
    charts.filter(|chart| Path::new(chart).exists()).map(str::to_owned).collect()
}
