//! `run`: the manager. Flags and environment of operator-sdk v1.42's `helm-operator run` (`internal/helm/flags/flag.go`,
//! `internal/cmd/helm-operator/run/cmd.go`, `pkg/log/zap` of controller-runtime), and ours.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use crate::catalog;
use crate::cli::RENDER_STACK;
use crate::cli::{address, serve, version};
use crate::diagnostic::Diagnostic;
use crate::metrics::Build;
use crate::operator;
use crate::operator::options::{LeaderElection, MetricsSecurity, RunOptions};
use crate::release::labels;
use crate::telemetry::{self, Colour, Level, Style, TimeEncoding};
use crate::value::period;

/// Passes at the same time where no flag says. helm-operator takes the number of processors, since each of its passes keeps
/// one busy; ours wait for the API server most of the time, and more than 16 in flight no longer make it faster (measured).
const PASSES: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// Run the operator
///
/// Reads the watches file and the charts it names, watches every kind in it, and keeps each resource's release as its spec
/// wants it. `WATCH_NAMESPACE` names the namespaces to watch, by commas; without it all are watched. The cluster is the one
/// of `KUBECONFIG`, or the one this program runs in, or that of ~/.kube/config.
#[derive(Clone, Debug, clap::Args)]
#[command(args_override_self = true)]
pub struct Args {
    /// Path of the watches file
    #[arg(long, value_name = "PATH", default_value = "./watches.yaml")]
    watches_file: PathBuf,
    /// How often a resource is looked at although nothing happened; 0 is never
    #[arg(long, value_name = "DURATION", default_value = "1m0s", value_parser = period, allow_hyphen_values = true)]
    reconcile_period: Period,
    /// Resources of one kind reconciled at the same time [default: 16]
    #[arg(long, value_name = "N", value_parser = number, allow_negative_numbers = true)]
    max_concurrent_reconciles: Option<i64>,
    /// Resources to care for, by their labels, as in `app=web,tier!=test`; all if empty
    #[arg(long, value_name = "SELECTOR")]
    label_selector: Option<String>,
    /// What templates see as `.Operator.Version`, where versions of an operator run side by side [default: that of this program]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Hide the value in events about overridden values
    #[arg(long, value_name = "BOOL", value_parser = boolean, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide_default_value = true)]
    suppress_override_values: bool,
    #[command(flatten)]
    endpoints: Endpoints,
    #[command(flatten)]
    election: Election,
    #[command(flatten)]
    logs: Logs,
    /// helm-operator takes words beside its flags and does nothing with them
    #[arg(hide = true, value_name = "IGNORED")]
    ignored: Vec<String>,
}

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Endpoints")]
struct Endpoints {
    /// Where metrics are served; 0 is nowhere [default: :8080]
    #[arg(long, value_name = "ADDRESS")]
    metrics_bind_address: Option<String>,
    /// Deprecated name of --metrics-bind-address
    #[arg(long, value_name = "ADDRESS", hide = true)]
    metrics_addr: Option<String>,
    /// Serve metrics over TLS, with a certificate made at the start
    #[arg(long, value_name = "BOOL", value_parser = boolean, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide_default_value = true)]
    metrics_secure: bool,
    /// Serve metrics only to whom the cluster allows it; needs --metrics-secure
    #[arg(long, value_name = "BOOL", value_parser = boolean, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide_default_value = true)]
    metrics_require_rbac: bool,
    /// Where /healthz and /readyz are served; 0 is nowhere
    #[arg(long, value_name = "ADDRESS", default_value = ":8081")]
    health_probe_bind_address: String,
    /// Accepted for helm-operator's sake: everything is served over HTTP/1.1
    #[arg(long, value_name = "BOOL", value_parser = boolean, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide_default_value = true)]
    enable_http2: bool,
}

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Leader election")]
struct Election {
    /// Let one replica work and the others stand by
    #[arg(long = "leader-elect", value_name = "BOOL", value_parser = boolean, num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    elect: Option<bool>,
    /// Deprecated name of --leader-elect
    #[arg(long = "enable-leader-election", value_name = "BOOL", value_parser = boolean, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", hide = true)]
    enable: Option<bool>,
    /// Name of the Lease that the replicas compete for
    #[arg(long = "leader-election-id", value_name = "NAME")]
    id: Option<String>,
    /// Namespace of the Lease; outside a cluster it must be given [default: the one this program runs in]
    #[arg(long = "leader-election-namespace", value_name = "NAMESPACE")]
    namespace: Option<String>,
}

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Logs")]
struct Logs {
    /// Defaults for development: --zap-encoder=console --zap-log-level=debug
    #[arg(long = "zap-devel", value_name = "BOOL", value_parser = boolean, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide_default_value = true)]
    devel: bool,
    /// Form of the lines: json or console [default: json, and a readable form on a terminal]
    #[arg(long = "zap-encoder", value_name = "ENCODER", value_parser = encoder)]
    encoder: Option<Encoder>,
    /// What is logged: debug, info, error, panic, or a number above 0, the higher the more [default: info]
    #[arg(long = "zap-log-level", value_name = "LEVEL")]
    level: Option<Level>,
    /// Accepted for helm-operator's sake: an error is logged with its causes and without a stack trace
    #[arg(long = "zap-stacktrace-level", value_name = "LEVEL", value_parser = stacktrace_level)]
    stacktrace_level: Option<String>,
    /// Form of times: epoch, millis, nanos, iso8601, rfc3339 or rfc3339nano [default: rfc3339]
    #[arg(long = "zap-time-encoding", value_name = "ENCODING")]
    time_encoding: Option<TimeEncoding>,
}

/// Encoders by zap's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoder {
    Json,
    Console,
}

/// A period; none where the flag says 0 or less, as controller-runtime re-queues only after more than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Period(Option<Duration>);

/// What of the environment matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `WATCH_NAMESPACE`.
    pub watch_namespace: Option<String>,
    /// `OPERATOR_NAME`.
    pub operator_name: Option<String>,
    /// Whether standard error is a terminal, and what it shows.
    pub terminal: Option<Colour>,
}

/// Everything `run` was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// How it logs.
    pub telemetry: telemetry::Options,
    /// How the manager works.
    pub operator: RunOptions,
    /// What the user should know about what he wrote, to be logged as warnings.
    pub notices: Vec<String>,
}

impl Environment {
    /// The environment of this process.
    fn read() -> Self {
        // https://no-color.org: any text but the empty one.
        let plain = std::env::var_os("NO_COLOR").is_some_and(|text| !text.is_empty());
        let colour = if plain { Colour::Off } else { Colour::On };
        Self {
            watch_namespace: std::env::var("WATCH_NAMESPACE").ok(),
            operator_name: std::env::var("OPERATOR_NAME").ok(),
            terminal: io::stderr().is_terminal().then_some(colour),
        }
    }
}

/// What the flags and the environment ask for.
///
/// # Errors
/// Flags that exclude each other, that ask for what is not there, or addresses that lead nowhere.
pub fn options(args: Args, environment: &Environment) -> anyhow::Result<Run> {
    args.endpoints.check()?;
    let notices = args.notices(environment);
    let operator = RunOptions {
        build: version::build(),
        watches_file: args.watches_file,
        reconcile_period: args.reconcile_period.0,
        max_concurrent_reconciles: args.max_concurrent_reconciles.map_or(PASSES, at_least_one),
        metrics_bind_address: args.endpoints.metrics()?,
        metrics_security: args.endpoints.security(),
        health_probe_bind_address: args.endpoints.health()?,
        leader_election: args.election.lease(environment)?,
        suppress_override_values: args.suppress_override_values,
        version: args.version.filter(|version| !version.is_empty()),
        namespaces: environment.watch_namespace.as_deref().and_then(namespaces),
        label_selector: args.label_selector.filter(|selector| !selector.trim().is_empty()),
    };
    Ok(Run { telemetry: args.logs.options(environment), operator, notices })
}

/// Runs the manager until it is told to stop.
pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let run = options(args, &Environment::read())?;
    telemetry::init(run.telemetry).context("cannot log")?;
    announce(&run.operator.build);
    run.notices.iter().for_each(|notice| tracing::warn!(target: "cmd", "{notice}"));
    let path = run.operator.watches_file.display().to_string();
    let source = catalog::Source::new(run.operator.watches_file.clone(), |name| std::env::var(name).ok());
    let catalog = source.load().inspect_err(|error| {
        tracing::error!(target: "cmd", path, faults = error.faults.len(), "Failed to load watches file.");
    })?;
    catalog.warnings.iter().for_each(|warning| tracing::warn!(target: "cmd", "{warning}"));
    // One thread talks to the cluster: measured, it does so with half the work of several and no later. Renders run on
    // threads of their own, with stacks for the deepest template.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_stack_size(RENDER_STACK)
        .build()
        .context("cannot start")?;
    runtime.block_on(serve::around(&run.operator, |running| async {
        Ok(operator::run(&run.operator, source, catalog, running).await?)
    }))
}

/// Logs what runs, under helm-operator's message.
fn announce(build: &Build) {
    let Build { commit, version } = build;
    let (os, arch) = (version::os(), version::arch());
    tracing::info!(target: "cmd", GOOS = os, GOARCH = arch, "chart-operator" = version, commit, "Version");
}

impl Args {
    /// What is deprecated or does nothing.
    fn notices(&self, environment: &Environment) -> Vec<String> {
        let mut notices = Vec::new();
        let mut note = |applies: bool, text: &str| notices.extend(applies.then(|| text.to_owned()));
        let (endpoints, election) = (&self.endpoints, &self.election);
        note(endpoints.metrics_addr.is_some(), "--metrics-addr is deprecated, use --metrics-bind-address instead");
        note(election.enable.is_some(), "--enable-leader-election is deprecated, use --leader-elect instead");
        note(endpoints.enable_http2, "--enable-http2 has no effect: everything is served over HTTP/1.1");
        if environment.operator_name.is_some() {
            note(true, "Environment variable OPERATOR_NAME has been deprecated, use --leader-election-id instead.");
            note(
                election.id.is_some(),
                "Ignoring OPERATOR_NAME environment variable since --leader-election-id is set",
            );
        }
        for word in &self.ignored {
            note(true, &format!("argument `{word}` has no effect; the value of a flag is written `--flag=value`"));
        }
        notices
    }
}

impl Endpoints {
    /// Flags that exclude or need each other.
    fn check(&self) -> Result<(), Diagnostic> {
        if self.metrics_addr.is_some() && self.metrics_bind_address.is_some() {
            return Err(Diagnostic::error("only one of --metrics-addr and --metrics-bind-address may be set"));
        }
        if self.metrics_require_rbac && !self.metrics_secure {
            return Err(Diagnostic::error("--metrics-secure flag is required when --metrics-require-rbac is present"));
        }
        Ok(())
    }

    fn security(&self) -> MetricsSecurity {
        match (self.metrics_secure, self.metrics_require_rbac) {
            (false, _) => MetricsSecurity::Open,
            (true, false) => MetricsSecurity::Tls,
            (true, true) => MetricsSecurity::Rbac,
        }
    }

    fn metrics(&self) -> anyhow::Result<Option<SocketAddr>> {
        // controller-runtime takes an empty text for its default.
        match self.metrics_bind_address.as_deref().or(self.metrics_addr.as_deref()).unwrap_or_default() {
            "" => bind_address("metrics-bind-address", ":8080"),
            address => bind_address("metrics-bind-address", address),
        }
    }

    fn health(&self) -> anyhow::Result<Option<SocketAddr>> {
        // Here an empty text is nowhere.
        match self.health_probe_bind_address.as_str() {
            "" => Ok(None),
            address => bind_address("health-probe-bind-address", address),
        }
    }
}

fn bind_address(flag: &str, text: &str) -> anyhow::Result<Option<SocketAddr>> {
    if text == "0" {
        return Ok(None);
    }
    let address = address::parse(text).with_context(|| format!("invalid address `{text}` in --{flag}"))?;
    Ok(Some(address))
}

impl Election {
    fn lease(self, environment: &Environment) -> Result<Option<LeaderElection>, Diagnostic> {
        if self.elect.is_some() && self.enable.is_some() {
            return Err(Diagnostic::error("only one of --leader-elect and --enable-leader-election may be set"));
        }
        if !self.elect.or(self.enable).unwrap_or(false) {
            return Ok(None);
        }
        let id = self.id.or_else(|| environment.operator_name.clone()).unwrap_or_default();
        if id.is_empty() {
            return Err(Diagnostic::error("LeaderElectionID must be configured")
                .hint("name the Lease with --leader-election-id"));
        }
        let namespace = self.namespace.filter(|namespace| !namespace.is_empty());
        Ok(Some(LeaderElection { id, namespace }))
    }
}

impl Logs {
    fn options(&self, environment: &Environment) -> telemetry::Options {
        let encoder = self.encoder.or_else(|| self.devel.then_some(Encoder::Console));
        let style = match (encoder, environment.terminal) {
            (Some(Encoder::Json), _) | (None, None) => Style::Json,
            (Some(Encoder::Console), None) => Style::Console,
            (_, Some(colour)) => Style::Human(colour),
        };
        let level = if self.devel { Level::Debug(1) } else { Level::Info };
        telemetry::Options { style, level: self.level.unwrap_or(level), time: self.time_encoding.unwrap_or_default() }
    }
}

/// The namespaces of a comma list; none named is all of them.
fn namespaces(list: &str) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty() && seen.insert(*name));
    let names: Vec<String> = names.map(str::to_owned).collect();
    (!names.is_empty()).then_some(names)
}

/// controller-runtime takes what is less than one for one.
fn at_least_one(number: i64) -> NonZeroUsize {
    usize::try_from(number).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN)
}

/// A boolean as Go's `strconv.ParseBool` reads it.
fn boolean(text: &str) -> Result<bool, String> {
    labels::parse_bool(text).ok_or_else(|| "expected `true` or `false`".to_owned())
}

fn number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_not_a_number| "expected a whole number".to_owned())
}

fn period(text: &str) -> Result<Period, period::Error> {
    match period::parse(text) {
        Ok(period) => Ok(Period((!period.is_zero()).then_some(period))),
        Err(period::Error::Negative(_)) => Ok(Period(None)),
        Err(error) => Err(error),
    }
}

fn encoder(text: &str) -> Result<Encoder, String> {
    match text.to_ascii_lowercase().as_str() {
        "json" => Ok(Encoder::Json),
        "console" => Ok(Encoder::Console),
        _ => Err("expected `json` or `console`".to_owned()),
    }
}

fn stacktrace_level(text: &str) -> Result<String, String> {
    match text.to_ascii_lowercase().as_str() {
        level @ ("info" | "error" | "panic") => Ok(level.to_owned()),
        _ => Err("expected `info`, `error` or `panic`".to_owned()),
    }
}
