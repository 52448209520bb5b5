//! `template`: what a chart renders to, without a cluster.
//!
//! Flags, output and messages are those of `helm template` (Helm v4.3.1, `pkg/cmd/template.go`); `--cr` renders a resource
//! as the operator would, and `--batch` answers programs.

mod batch;
mod csv;
mod given;
mod locate;
mod name;
mod namespace;
mod output;
mod resource;
mod stages;
mod syntax;

use std::ffi::OsString;
use std::fmt;

use clap::{ArgAction, Args as ClapArgs};

use self::stages::{Error, Setting};
use crate::cli::offline::Dns;
use crate::cli::{report, with_render_stack};
use crate::diagnostic::Diagnostic;
use crate::render::{Operation, ReleaseInfo};
use crate::values::Schemas;

/// What Helm adds to the fault of a template.
const DEBUG_HINT: &str = "\n\nUse --debug flag to render out invalid YAML";

/// Render charts without a cluster
///
/// Prints what `helm template` prints. CHART is a directory or a .tgz; NAME, the release's name, may be left out. With --cr,
/// prints what the operator would apply for a resource. Flags of Helm that have no effect without a cluster are accepted.
#[derive(Clone, Debug, ClapArgs)]
#[command(
    args_override_self = true,
    override_usage = "chart-operator template [NAME] CHART [OPTIONS]\n       chart-operator template --cr FILE [OPTIONS]"
)]
pub(super) struct Args {
    /// Name of the release, if it has one, and the chart
    #[arg(value_name = "CHART", hide = true)]
    arguments: Vec<String>,
    /// Show what was rendered although it is no YAML
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, action = ArgAction::Set)]
    debug: bool,
    /// Answer requests on standard input, one JSON document a line
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, action = ArgAction::Set)]
    batch: bool,
    #[command(flatten)]
    given: given::Given,
    #[command(flatten)]
    release: Release,
    #[command(flatten)]
    cluster: Cluster,
    #[command(flatten)]
    shown: output::Shown,
    #[command(flatten)]
    resource: resource::Resources,
}

/// What templates see of the release.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Release")]
struct Release {
    #[command(flatten)]
    namespace: namespace::Namespace,
    #[command(flatten)]
    naming: name::Naming,
    /// Set `.Release.IsUpgrade` instead of `.Release.IsInstall`
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, action = ArgAction::Set)]
    is_upgrade: bool,
    /// Labels of the release's record, which nothing shows
    #[arg(short, long, value_name = "KEY=VALUE", hide = true)]
    labels: Vec<String>,
    /// Do not look at values.schema.json
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, action = ArgAction::Set)]
    skip_schema_validation: bool,
    /// Sub-charts are not fetched: if one is missing, that is an error
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, action = ArgAction::Set, hide = true)]
    dependency_update: bool,
}

/// What templates see of the world.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Cluster")]
struct Cluster {
    /// Version of Kubernetes [default: the one Helm assumes]
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    kube_version: String,
    /// APIs that are served beside those Helm assumes; may be repeated or a list with commas
    #[arg(short, long, value_name = "API")]
    api_versions: Vec<String>,
    /// Let templates resolve names of hosts
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, action = ArgAction::Set)]
    enable_dns: bool,
}

impl Cluster {
    fn dns(&self) -> Dns {
        if self.enable_dns { Dns::On } else { Dns::Off }
    }
}

/// Why nothing, or not all, was rendered: Helm's message, and what we know beside.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    diagnostic: Option<Box<Diagnostic>>,
    hint: Option<String>,
    warnings: Vec<Diagnostic>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error: {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  = hint: {hint}")?;
        }
        if let Some(diagnostic) = &self.diagnostic {
            write!(f, "\n\n{diagnostic:#}")?;
        }
        self.warnings.iter().try_for_each(|warning| write!(f, "\n\n{warning:#}"))
    }
}

impl std::error::Error for Failure {}

impl Failure {
    fn of(message: impl Into<String>) -> Self {
        Self { message: message.into(), diagnostic: None, hint: None, warnings: Vec::new() }
    }

    fn new(error: &Error, debug: bool) -> Self {
        let mut message = error.message();
        if error.is_of_rendering() && !debug {
            message.push_str(DEBUG_HINT);
        }
        Self { diagnostic: error.diagnostic().map(Box::new), hint: error.hint(), ..Self::of(message) }
    }
}

/// The arguments of a program whose first one is `template`, in the form that clap reads.
pub(super) fn arguments(command: &clap::Command, args: &[OsString]) -> Result<Vec<OsString>, Failure> {
    let Some((program, [name, rest @ ..])) = args.split_first() else { return Ok(args.to_vec()) };
    let mut arguments = vec![program.clone(), name.clone()];
    let refused = |error: syntax::Error| {
        let hint = error.hint().map(str::to_owned);
        Failure { hint, ..Failure::of(error.to_string()) }
    };
    let read = syntax::read(command, rest).map_err(refused)?;
    match read {
        syntax::Read::Arguments(read) => arguments.extend(read),
        syntax::Read::Help => arguments.push("--help".into()),
    }
    Ok(arguments)
}

/// Renders, on a thread whose stack fits the deepest template.
pub(super) fn run(args: Args) -> anyhow::Result<()> {
    with_render_stack(move || if args.batch { batch::run() } else { template(&args) })
}

fn template(args: &Args) -> anyhow::Result<()> {
    if args.resource.is_asked_for() {
        return args.resource.show(args);
    }
    let mut warnings = Vec::new();
    let done = render(args, &mut warnings);
    let warnings = warnings.into_iter().map(Diagnostic::warning).collect();
    match done {
        Err(Error::Output(error)) => Err(error.into()),
        Err(error) => Err(Failure { warnings, ..Failure::new(&error, args.debug) }.into()),
        Ok(()) => {
            report::tell(&warnings);
            Ok(())
        }
    }
}

/// The stages of `helm template`, in its order, so that of several faults the same one is told.
fn render(args: &Args, warnings: &mut Vec<String>) -> Result<(), Error> {
    let Release { namespace, naming, is_upgrade, labels, skip_schema_validation, .. } = &args.release;
    if args.arguments.is_empty() {
        return Err(Error::NoArguments);
    }
    let capabilities = stages::capabilities(&args.cluster.kube_version, &args.cluster.api_versions)?;
    let (name, chart) = naming.name_and_chart(&args.arguments)?;
    let located = locate::find(chart)?;
    let user = args.given.merged()?;
    let chart = stages::installable(located.load()?)?;
    if chart.metadata.deprecated {
        warnings.push("this chart is deprecated".to_owned());
    }
    let setting = Setting {
        release: ReleaseInfo {
            name,
            namespace: namespace.resolve(),
            revision: 1,
            operation: if *is_upgrade { Operation::Upgrade } else { Operation::Install },
        },
        capabilities,
        schemas: if *skip_schema_validation { Schemas::Skipped } else { Schemas::Enforced },
        dns: args.cluster.dns(),
    };
    let release = setting.release.name.as_str();
    stages::check_name(release)?;
    let processed = stages::process_values(&chart, user, &setting);
    let rendering = processed.and_then(|mut processed| {
        warnings.append(&mut processed.warnings);
        stages::check_labels(labels)?;
        stages::render(processed, &setting)
    });
    let rendering = match rendering {
        Err(fault) if args.debug && fault.is_of_rendering() => return Err(args.shown.show_nothing(fault, release)),
        rendering => rendering?,
    };
    match rendering.sort() {
        Ok(sorted) => {
            let skipped = sorted.skipped.iter().map(|document| &document.path);
            warnings.extend(skipped.map(|path| format!("{path}: left out a hook, since one of its events is unknown")));
            args.shown.show(&rendering, &sorted, release)
        }
        Err(fault) if args.debug => Err(args.shown.show_faulty(&rendering, fault, release)),
        Err(fault) => Err(fault),
    }
}
