//! The benchmark: the operator with this repository's `Web` chart, a larger one and odd ones, against a real API server,
//! measured from outside.
//!
//! It works as a `ServiceAccount`, so that the API server's fairness and RBAC count as they do in a cluster. Times are
//! those of an independent watching client; calls are counted in the API server's audit log. A plain client that sends the
//! same requests shows, in the same run, what the API server makes possible.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::{Value as Json, json};
use testbed::build::build;
use testbed::program::Program;
use testbed::progress::{Progress, Stream};
use testbed::{ControlPlane, Controllers, Options};

use crate::bench::calls::{Audit, Calls, Moment, Phase, per};
use crate::bench::load::{Load, NAMESPACE};
use crate::bench::metric::{Metric, at_most, milliseconds, table};
use crate::bench::plain::PLAIN;
use crate::bench::subject::Subject;
use crate::objects::apply_crds;
use crate::operator::{Operator, Settings, Usage, locate, usage};

mod calls;
mod load;
mod metric;
mod packages;
mod plain;
mod scale;
mod stages;
mod subject;

/// Where the operator's account lives.
const SYSTEM: &str = "chart-operator-system";
/// Whom it works as.
const ACCOUNT: &str = "chart-operator";
const USER: &str = "system:serviceaccount:chart-operator-system:chart-operator";
/// Resources made before anything is measured: the first of a kind starts watches and connections.
const WARM_UP: usize = 5;
/// Without a call for so long, the operator is believed to have nothing to do.
const QUIET: Duration = Duration::from_secs(5);
/// How long it may take to have nothing to do.
const QUIET_DEADLINE: Duration = Duration::from_mins(1);
/// The Lease, where there is one.
const LEASE: &str = "chart-operator-bench";

/// Flags of the benchmark.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The operator's binary [default: chart-operator beside this program]
    #[arg(long)]
    operator: Option<PathBuf>,
    /// The folder with watches.yaml, helm-charts and config
    #[arg(long, default_value = "crates/testbed/project")]
    project: PathBuf,
    /// The folder with watches.yaml, helm-charts and config of Package Operator
    #[arg(long, default_value = ".")]
    systems: PathBuf,
    /// Measure nothing but packages
    #[arg(long)]
    only_packages: bool,
    /// Write the results as JSON to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Run a whole controller-manager and not only its garbage collector: Deployments make Pods, which takes time from a
    /// small machine
    #[arg(long)]
    controllers: bool,
    /// Resources made one after the other
    #[arg(long, default_value_t = 100)]
    serial: usize,
    /// Resources made at once
    #[arg(long, default_value_t = 200)]
    burst: usize,
    /// Objects damaged, and resources changed, one after the other
    #[arg(long, default_value_t = 100)]
    repeat: usize,
    /// Seconds of doing nothing
    #[arg(long, default_value_t = 60)]
    idle: u64,
    /// How many resources there are at the end, step by step
    #[arg(long, value_delimiter = ',', default_value = "1000,10000")]
    scale: Vec<usize>,
}

/// Runs the benchmark and prints its table.
///
/// # Errors
/// The control plane or the operator cannot be started, or does not do in time what is measured.
pub(crate) async fn bench(arguments: Arguments) -> Result<()> {
    let progress = Progress::to(Stream::Output);
    let building = progress.clone();
    tokio::task::spawn_blocking(move || build(&Program::CONTROL_PLANE, &building)).await??;
    let mut bench = Bench::start(arguments, progress).await?;
    let measured = bench.measure().await;
    measured.map_err(|error| bench.operator.blame(&error))?;
    bench.report()
}

/// What is measured with, and what came of it.
struct Bench {
    arguments: Arguments,
    progress: Progress,
    operator: Operator,
    binary: PathBuf,
    kubeconfig: PathBuf,
    load: Load,
    audit: Audit,
    /// What the operator used when it had just started.
    empty: Usage,
    plane: ControlPlane,
    metrics: Vec<Metric>,
    phases: Vec<Phase>,
}

impl Bench {
    async fn start(arguments: Arguments, progress: Progress) -> Result<Self> {
        let collector = || Controllers::Only(vec!["garbage-collector-controller".to_owned()]);
        let controllers = if arguments.controllers { Controllers::All } else { collector() };
        let binary = locate(arguments.operator.as_deref())?;
        let step = progress.step("starting the control plane");
        let plane = ControlPlane::start(Options { controllers, audit: true, ..Options::default() }).await?;
        let client = plane.client().await?;
        apply_crds(&client, &arguments.project, &mut Vec::new()).await?;
        let kubeconfig = account(&plane, &client).await?;
        step.done(plane.address());
        let settings = settings(&arguments, &binary, &kubeconfig, plane.logs());
        let operator = Operator::start(&settings)?;
        let load = Load::new(client, &[&Subject::web(), &Subject::shop(), &Subject::oddity()]);
        let audit = Audit::new(plane.audit().context("the control plane writes no audit log")?);
        let (metrics, phases, empty) = (Vec::new(), Vec::new(), Usage::default());
        Ok(Self { arguments, progress, operator, binary, kubeconfig, load, audit, empty, plane, metrics, phases })
    }

    async fn measure(&mut self) -> Result<()> {
        let ready = self.operator.ready().await?;
        self.metric("start to /readyz, no resources", milliseconds(ready), "ms", at_most(100.0, 80.0));
        self.quiet().await?;
        self.empty = usage(self.operator.pid()?);
        self.metric("memory (RSS), no resources", self.empty.resident, "MB", None);
        if self.arguments.only_packages {
            return self.packages().await;
        }
        self.few().await?;
        self.packages().await?;
        self.many().await
    }

    /// Waits until the operator has nothing to do.
    async fn quiet(&mut self) -> Result<()> {
        tokio::time::sleep(QUIET).await;
        let end = Instant::now() + QUIET_DEADLINE;
        while Instant::now() < end {
            let since = Timestamp::now() - QUIET;
            let requests = self.audit.read()?.iter().rev().take_while(|request| request.answered > since);
            let recent = requests.filter(|request| request.user == USER);
            if recent.filter(|request| request.resource != "leases" && request.verb != "watch").count() == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.progress.say("  the operator still has something to do after a minute");
        Ok(())
    }

    fn moment(&self) -> Result<Moment> {
        let api_server = self.plane.pid(Program::ApiServer).map(usage).unwrap_or_default();
        Ok(Moment { at: Timestamp::now(), operator: usage(self.operator.pid()?), api_server })
    }

    fn phase(&mut self, name: &'static str, resources: usize, begin: Moment) -> Result<Phase> {
        let end = self.moment()?;
        let phase = Phase {
            name,
            start: begin.at,
            end: end.at,
            resources,
            operator: end.operator.cpu - begin.operator.cpu,
            api_server: end.api_server.cpu - begin.api_server.cpu,
        };
        self.phases.push(phase.clone());
        self.audit.read()?;
        Ok(phase)
    }

    fn metric(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        target: impl Into<Option<metric::Target>>,
    ) {
        self.metrics.push(Metric::new(name, value, unit, target));
    }

    fn start_operator(&self, elects: bool) -> Result<Operator> {
        let settings = settings(&self.arguments, &self.binary, &self.kubeconfig, self.plane.logs());
        Operator::start(&Settings { lease: elects.then_some((SYSTEM, LEASE)), ..settings })
    }

    fn report(mut self) -> Result<()> {
        let requests = self.audit.read()?;
        let phases: Vec<(Phase, Calls)> =
            self.phases.iter().map(|phase| (phase.clone(), Calls::of(requests, USER, phase))).collect();
        // What cannot be saved: a write per object, the finalizer, the status; of a change the object and the status; of a
        // damage the object.
        for (name, floor) in [("serial", Some(6.0)), ("update", Some(2.0)), ("drift", Some(1.0)), ("delete", None)] {
            let Some((phase, calls)) = phases.iter().find(|(phase, _)| phase.name == name) else { continue };
            let target = floor.map(|floor| at_most(floor + 1.0, floor));
            let value = per(calls.total(), phase.resources);
            self.metric(format!("calls for one resource: {name}"), value, "", target);
        }
        let with = if self.arguments.controllers { "with a controller-manager" } else { "with a garbage collector" };
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        self.say("");
        self.say(&format!("{cores} processors, etcd without fsync, {with}, as a ServiceAccount"));
        self.say("");
        for line in table(&self.metrics) {
            self.say(&line);
        }
        self.say("\nprocessor time and calls for one resource, by phase");
        for (phase, calls) in &phases {
            let times = format!("operator {:>5.2} s  API server {:>5.2} s", phase.operator, phase.api_server);
            self.say(&format!(
                "{:<8} {:>6.1} s  {times}  {}",
                phase.name,
                phase.seconds(),
                calls.words(phase.resources)
            ));
        }
        self.write_json(&phases, cores)
    }

    fn write_json(&self, phases: &[(Phase, Calls)], cores: usize) -> Result<()> {
        let Some(path) = &self.arguments.json else { return Ok(()) };
        let json = json!({
            "at": Timestamp::now().to_string(),
            "processors": cores,
            "controllerManager": self.arguments.controllers,
            "kubernetes": Program::ApiServer.module().version()?,
            "metrics": self.metrics.iter().map(Metric::json).collect::<Vec<Json>>(),
            "phases": phases.iter().map(|(phase, calls)| phase.json(calls)).collect::<Vec<Json>>(),
        });
        std::fs::write(path, format!("{json:#}\n")).with_context(|| format!("cannot write {}", path.display()))
    }

    fn say(&self, line: &str) {
        self.progress.say(line);
    }
}

fn settings<'a>(arguments: &'a Arguments, binary: &'a Path, kubeconfig: &'a Path, logs: PathBuf) -> Settings<'a> {
    let settings = Settings::of(binary, &arguments.project, kubeconfig, logs);
    Settings { namespace: Some(NAMESPACE), ..settings }
}

/// Makes the namespaces and the operator's account with all rights, and returns the account's kubeconfig.
async fn account(plane: &ControlPlane, client: &Client) -> Result<PathBuf> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for name in [SYSTEM, NAMESPACE, PLAIN] {
        let namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
        namespaces.create(&PostParams::default(), &namespace).await.context("cannot create a namespace")?;
    }
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), SYSTEM);
    let account = serde_json::from_value(json!({"metadata": {"name": ACCOUNT}}))?;
    accounts.create(&PostParams::default(), &account).await.context("cannot create the operator's account")?;
    let bindings: Api<ClusterRoleBinding> = Api::all(client.clone());
    let binding = serde_json::from_value(json!({
        "metadata": {"name": ACCOUNT},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "namespace": SYSTEM, "name": ACCOUNT}],
    }))?;
    bindings.create(&PostParams::default(), &binding).await.context("cannot bind the operator's account")?;
    plane.service_account_kubeconfig(SYSTEM, ACCOUNT).await
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    // `web` in the name: the chart calls its objects as the resource then.
    (0..count).map(|number| format!("{prefix}-web-{number:04}")).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: crate::bench::Arguments,
    }

    #[test]
    fn the_defaults_are_bounded() {
        let Line { arguments } = Line::parse_from(["bench"]);
        assert_eq!((arguments.serial, arguments.burst, arguments.repeat, arguments.idle), (100, 200, 100, 60));
        assert_eq!(arguments.scale, [1000, 10_000]);
        assert!(!arguments.controllers && arguments.json.is_none());
    }
}
