//! The benchmark: the operator with this repository's `Web` chart against a real API server, measured from outside.
//!
//! It works as a `ServiceAccount`, so that the API server's fairness and RBAC count as they do in a cluster. Times are
//! those of an independent watching client; calls are counted in the API server's audit log.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::{Value as Json, json};
use testbed::audit::Request;
use testbed::build::build;
use testbed::program::Program;
use testbed::progress::{Progress, Stream};
use testbed::{ControlPlane, Controllers, Options};

use crate::bench::calls::{Calls, Moment, Phase, per};
use crate::bench::load::{Load, NAMESPACE};
use crate::bench::metric::{Metric, at_least, at_most, percentile, table};
use crate::objects::apply_crds;
use crate::operator::{Operator, Settings, Usage, locate, usage};

mod calls;
mod load;
mod metric;

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
/// How long a new start is watched for calls.
const RESTART: Duration = Duration::from_secs(10);

/// Flags of the benchmark.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The operator's binary [default: chart-operator beside this program]
    #[arg(long)]
    operator: Option<PathBuf>,
    /// The folder with watches.yaml, helm-charts and config
    #[arg(long, default_value = ".")]
    project: PathBuf,
    /// Write the results as JSON to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Run a controller-manager too: Deployments make Pods, which takes time from a small machine
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
}

/// Runs the benchmark and prints its table.
///
/// # Errors
/// The control plane or the operator cannot be started, or does not do in time what is measured.
pub(crate) async fn bench(arguments: Arguments) -> Result<()> {
    let progress = Progress::to(Stream::Output);
    let building = progress.clone();
    tokio::task::spawn_blocking(move || build(&Program::ALL, &building)).await??;
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
    plane: ControlPlane,
    metrics: Vec<Metric>,
    phases: Vec<Phase>,
}

impl Bench {
    async fn start(arguments: Arguments, progress: Progress) -> Result<Self> {
        let controllers = if arguments.controllers { Controllers::All } else { Controllers::None };
        let binary = locate(arguments.operator.as_deref())?;
        let step = progress.step("starting the control plane");
        let plane = ControlPlane::start(Options { controllers, audit: true, ..Options::default() }).await?;
        let client = plane.client().await?;
        apply_crds(&client, &arguments.project, &mut Vec::new()).await?;
        let kubeconfig = account(&plane, &client).await?;
        step.done(plane.address());
        let operator = start_operator(&arguments, &binary, &kubeconfig, &plane)?;
        let load = Load::new(client);
        let (metrics, phases) = (Vec::new(), Vec::new());
        Ok(Self { arguments, progress, operator, binary, kubeconfig, load, plane, metrics, phases })
    }

    async fn measure(&mut self) -> Result<()> {
        let ready = self.operator.ready().await?;
        self.metric("start to /readyz, no resources", ready.as_secs_f64() * 1000.0, "ms", at_most(500.0, 100.0));
        self.quiet().await?;
        let empty = usage(self.operator.pid()?);
        self.serial().await?;
        self.burst().await?;
        self.changes().await?;
        self.quiet().await?;
        let full = usage(self.operator.pid()?);
        self.metric("memory (RSS), no resources", empty.resident, "MB", None);
        let count = self.arguments.burst;
        // The targets are those for 1,000 resources.
        self.metric(format!("memory (RSS), {count} resources"), full.resident, "MB", at_most(50.0, 25.0));
        self.metric("memory, most there ever was", full.peak, "MB", None);
        self.idle().await?;
        self.restart().await
    }

    async fn serial(&mut self) -> Result<()> {
        let count = self.arguments.serial;
        let step = self.progress.step(format!("{count} resources, one after the other"));
        self.load.serial(&names("warm", WARM_UP), &step).await?;
        let begin = self.moment()?;
        let created = self.load.serial(&names("serial", count), &step).await?;
        self.phase("serial", count, begin)?;
        let applied: Vec<_> = created.iter().map(|created| created.applied).collect();
        let reported: Vec<_> = created.iter().map(|created| created.reported).collect();
        let objects = "resource → all 4 objects";
        self.metric(format!("{objects}, p50"), percentile(&applied, 50), "ms", at_most(50.0, 20.0));
        self.metric(format!("{objects}, p99"), percentile(&applied, 99), "ms", at_most(200.0, 60.0));
        self.metric("resource → status Deployed, p50", percentile(&reported, 50), "ms", at_most(70.0, 25.0));
        self.metric("resource → status Deployed, p99", percentile(&reported, 99), "ms", None);
        step.done("");
        let step = self.progress.step("deleting them");
        let begin = self.moment()?;
        let mut all = names("serial", count);
        all.extend(names("warm", WARM_UP));
        let took = self.load.delete(&all).await?;
        self.phase("delete", all.len(), begin)?;
        self.metric("deletions", per(all.len(), 1) / took.as_secs_f64(), "/s", None);
        step.done("");
        Ok(())
    }

    async fn burst(&mut self) -> Result<()> {
        let count = self.arguments.burst;
        let step = self.progress.step(format!("{count} resources at once"));
        let begin = self.moment()?;
        let took = self.load.burst(&names("burst", count), &step).await?.as_secs_f64();
        self.phase("burst", count, begin)?;
        self.metric(format!("burst of {count}: until all objects are there"), took, "s", None);
        self.metric("burst: resources", per(count, 1) / took, "/s", at_least(40.0, 90.0));
        step.done("");
        Ok(())
    }

    async fn changes(&mut self) -> Result<()> {
        let count = self.arguments.repeat.min(self.arguments.burst);
        let touched = names("burst", count);
        let step = self.progress.step(format!("{count} changes of one value, one after the other"));
        let begin = self.moment()?;
        let updated = self.load.update(&touched, &step).await?;
        self.phase("update", count, begin)?;
        self.metric("change of a value → its object, p50", percentile(&updated, 50), "ms", at_most(40.0, 12.0));
        self.metric("change of a value → its object, p99", percentile(&updated, 99), "ms", None);
        step.done("");
        let step = self.progress.step(format!("{count} objects deleted or edited, one after the other"));
        let begin = self.moment()?;
        let repaired = self.load.drift(&touched, &step).await?;
        self.phase("drift", count, begin)?;
        self.metric("drift repaired, p50", percentile(&repaired, 50), "ms", at_most(30.0, 8.0));
        self.metric("drift repaired, p99", percentile(&repaired, 99), "ms", at_most(150.0, 40.0));
        step.done("");
        Ok(())
    }

    async fn idle(&mut self) -> Result<()> {
        let (seconds, count) = (self.arguments.idle, self.arguments.burst);
        let step = self.progress.step(format!("{seconds} s of doing nothing"));
        let begin = self.moment()?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let phase = self.phase("idle", count, begin)?;
        let calls = Calls::of(&self.requests()?, USER, &phase);
        step.done("");
        let what = format!("idle {seconds} s, {count} resources:");
        self.metric(format!("{what} calls"), per(calls.total(), 1), "", at_most(0.0, 0.0));
        self.metric(format!("{what} watches begun anew"), per(calls.watches, 1), "", None);
        self.metric(format!("{what} calls for the lease"), per(calls.leases, 1), "", None);
        let share = 100.0 * phase.operator / phase.seconds();
        // The targets are those for 10,000 resources.
        self.metric(format!("{what} processor"), share, "%", at_most(0.5, 0.1));
        Ok(())
    }

    /// Kills the operator and starts it again: it must find everything as it should be, and write nothing.
    async fn restart(&mut self) -> Result<()> {
        let count = self.arguments.burst;
        let step = self.progress.step(format!("killing and starting it again with {count} resources"));
        let begin = Moment { operator: Usage::default(), ..self.moment()? };
        self.operator.stop();
        self.operator = start_operator(&self.arguments, &self.binary, &self.kubeconfig, &self.plane)?;
        let ready = self.operator.ready().await?;
        tokio::time::sleep(RESTART).await;
        let phase = self.phase("restart", count, begin)?;
        let calls = Calls::of(&self.requests()?, USER, &phase);
        step.done("");
        self.metric(format!("start to /readyz, {count} resources"), ready.as_secs_f64() * 1000.0, "ms", None);
        self.metric("start: writes in the first 10 s", per(calls.writes, 1), "", at_most(0.0, 0.0));
        self.metric("start: reads in the first 10 s", per(calls.total() - calls.writes, 1), "", None);
        Ok(())
    }

    /// Waits until the operator has nothing to do.
    async fn quiet(&self) -> Result<()> {
        tokio::time::sleep(QUIET).await;
        let end = Instant::now() + QUIET_DEADLINE;
        while Instant::now() < end {
            let since = Timestamp::now() - QUIET;
            let requests = self.requests()?;
            let recent = requests.iter().filter(|request| request.user == USER && request.received > since);
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

    fn requests(&self) -> Result<Vec<Request>> {
        self.plane.audit().context("the control plane writes no audit log")?.read()
    }

    fn report(mut self) -> Result<()> {
        let requests = self.requests()?;
        let phases: Vec<(Phase, Calls)> =
            self.phases.iter().map(|phase| (phase.clone(), Calls::of(&requests, USER, phase))).collect();
        // What cannot be saved: a write per object, the finalizer, the status; of a change the object and the status; of a
        // damage the object.
        for (name, floor) in [("serial", Some(6.0)), ("update", Some(2.0)), ("drift", Some(1.0)), ("delete", None)] {
            let Some((phase, calls)) = phases.iter().find(|(phase, _)| phase.name == name) else { continue };
            let target = floor.map(|floor| at_most(floor + 1.0, floor));
            let value = per(calls.total(), phase.resources);
            self.metric(format!("calls for one resource: {name}"), value, "", target);
        }
        let with = if self.arguments.controllers { "with" } else { "without" };
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        self.say("");
        self.say(&format!("{cores} processors, etcd without fsync, {with} a controller-manager, as a ServiceAccount"));
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

fn start_operator(
    arguments: &Arguments,
    binary: &PathBuf,
    kubeconfig: &PathBuf,
    plane: &ControlPlane,
) -> Result<Operator> {
    let settings =
        Settings { file: binary, project: &arguments.project, kubeconfig, logs: &plane.logs(), namespace: None };
    Operator::start(&settings)
}

/// Makes the namespaces and the operator's account with all rights, and returns the account's kubeconfig.
async fn account(plane: &ControlPlane, client: &Client) -> Result<PathBuf> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for name in [SYSTEM, NAMESPACE] {
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
        assert!(!arguments.controllers && arguments.json.is_none());
    }
}
