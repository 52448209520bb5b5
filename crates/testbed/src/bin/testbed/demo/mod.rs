//! The demo: a control plane, the operator, this repository's charts, and everything that can happen to a resource.
//!
//! Every step says what it does, waits for what must follow, and shows it. What does not follow in time ends the demo.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use console::style;
use kube::api::{Api, DeleteParams, DynamicObject};
use kube::core::ApiResource;
use kube::{Client, ResourceExt as _};
use serde_json::json;
use testbed::progress::{Progress, Stream, seconds};
use tokio::task::JoinHandle;

use crate::demo::board::{Board, REDRAW, is_ours};
use crate::demo::cluster::{Cluster, NAMESPACE, Pods};
use crate::objects::{Mark, apply, apply_crds, children, load, merge, minimart, number, pod, state, web};
use crate::observer::{Id, Observer, Seen, version};
use crate::operator::{Operator, Settings, locate};

mod board;
mod cluster;
mod packages;
mod show;
mod tables;
mod tenants;

const STEPS: usize = 9;
const WEB: &str = "web-sample";
const MINIMART: &str = "minimart-sample";

/// Flags of the demo.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The operator's binary [default: chart-operator beside this program]
    #[arg(long)]
    operator: Option<PathBuf>,
    /// The folder with watches.yaml, helm-charts, config and samples
    #[arg(long, default_value = ".")]
    project: PathBuf,
    /// Seconds to wait between steps, for those who watch [default: 1 on a terminal, else 0]
    #[arg(long)]
    pause: Option<u64>,
    /// What is shown, instead of two charts of web servers
    #[arg(long)]
    system: Option<System>,
}

/// A system that is a few charts of this repository.
#[derive(Clone, Copy, clap::ValueEnum)]
enum System {
    /// Packages in revisions, and an operator that hands its resources over to its next version
    PackageOperator,
    /// Tenants that are taken on board step by step, by two operators
    TenantOnboarding,
    /// Tables in a PostgreSQL database
    DatabaseTable,
}

impl System {
    /// The two before the first act, and the acts.
    const fn steps(self) -> usize {
        match self {
            Self::PackageOperator => packages::STEPS,
            Self::TenantOnboarding => tenants::STEPS,
            Self::DatabaseTable => tables::STEPS,
        }
    }

    /// What is not real of its Pods.
    const fn pods(self) -> Pods {
        match self {
            Self::PackageOperator => Pods::Simulated,
            Self::TenantOnboarding | Self::DatabaseTable => Pods::Processes,
        }
    }
}

/// Runs the demo: 0 when everything happened as it should, 130 when it was interrupted, else 1.
pub(crate) async fn demo(arguments: Arguments) -> ExitCode {
    let progress = Progress::to(Stream::Output);
    let begun = Instant::now();
    match play(arguments, &progress).await {
        Ok(true) => {
            let line = format!("The demo is over: everything happened as it should, in {}.", seconds(begun.elapsed()));
            progress.say(&format!("\n{}", style(line).green().bold()));
            ExitCode::SUCCESS
        }
        Ok(false) => {
            progress.say("\nInterrupted; nothing is left running.");
            ExitCode::from(130)
        }
        Err(error) => {
            progress.say(&format!("\n{} {error:#}", style("✗ The demo failed:").red().bold()));
            ExitCode::FAILURE
        }
    }
}

/// Sets the scene, plays, and cleans up whatever happened; false if it was interrupted.
async fn play(arguments: Arguments, progress: &Progress) -> Result<bool> {
    let binary = locate(arguments.operator.as_deref())?;
    let steps = arguments.system.map_or(STEPS, System::steps);
    title(progress, (1, steps), "A Kubernetes control plane");
    let cluster = tokio::select! {
        cluster = Cluster::get(progress, arguments.system.map_or(Pods::Simulated, System::pods)) => cluster?,
        _ = tokio::signal::ctrl_c() => return Ok(false),
    };
    let client = cluster.client().await?;
    cluster.create_namespace(&client).await?;
    let mut new_crds = Vec::new();
    let played = play_on(Arguments { operator: Some(binary), ..arguments }, progress, &cluster, &mut new_crds).await;
    let cleaned = cluster.clean_up(&client, &new_crds).await;
    let stopped = cluster.stop();
    let finished = played?;
    cleaned?;
    progress.say(&format!("  ✓ {stopped}"));
    Ok(finished)
}

/// Plays on a cluster that has the namespace; false if it was interrupted. `new_crds` is what has to be removed afterwards.
async fn play_on(
    arguments: Arguments,
    progress: &Progress,
    cluster: &Cluster,
    new_crds: &mut Vec<String>,
) -> Result<bool> {
    let client = cluster.client().await?;
    apply_crds(&client, &arguments.project, new_crds).await?;
    progress.say("  ✓ namespace and CRDs of the charts");
    if let Some(system) = arguments.system {
        return tokio::select! {
            played = play_system(system, &arguments, progress, cluster) => played.map(|()| true),
            _ = tokio::signal::ctrl_c() => Ok(false),
        };
    }
    let mut stage = Stage::new(arguments, progress.clone(), cluster, client)?;
    let played = tokio::select! {
        played = stage.acts() => played.map(|()| true),
        _ = tokio::signal::ctrl_c() => Ok(false),
    };
    let played = played.map_err(|error| stage.operator.blame(&error));
    title(progress, (STEPS, STEPS), "Stop");
    // A cluster of our own goes as a whole.
    let cleared = if matches!(cluster, Cluster::Own(_)) { Ok(()) } else { stage.clear().await };
    let finished = played?;
    cleared.map(|()| finished)
}

/// Plays one of the systems.
async fn play_system(system: System, arguments: &Arguments, progress: &Progress, cluster: &Cluster) -> Result<()> {
    let Cluster::Own(plane) = cluster else {
        bail!("expected a cluster of its own: what the Pods of this system are is only here");
    };
    title(progress, (2, system.steps()), "The operator, with this repository's watches.yaml");
    let file = locate(arguments.operator.as_deref())?;
    match system {
        System::PackageOperator => packages::play(progress, plane, arguments, &file).await,
        System::TenantOnboarding => tenants::play(progress, plane, arguments, &file).await,
        System::DatabaseTable => tables::play(progress, plane, arguments, &file).await,
    }
}

/// Says which step begins, of so many.
fn title(progress: &Progress, (number, steps): (usize, usize), text: &str) {
    progress.say(&format!("\n{}", style(format!("▸ {number}/{steps} {text}")).cyan().bold()));
}

/// Everything that plays a part.
struct Stage {
    progress: Progress,
    client: Client,
    observer: Observer,
    board: JoinHandle<()>,
    operator: Operator,
    project: PathBuf,
    pause: Duration,
    deadline: Duration,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.board.abort();
    }
}

impl Stage {
    fn new(arguments: Arguments, progress: Progress, cluster: &Cluster, client: Client) -> Result<Self> {
        title(&progress, (2, STEPS), "The operator, with this repository's watches.yaml");
        let file = locate(arguments.operator.as_deref())?;
        let kubeconfig = cluster.kubeconfig();
        let settings = Settings::of(&file, &arguments.project, &kubeconfig, cluster.logs());
        let operator = Operator::start(&Settings { namespace: cluster.only_namespace(), ..settings })?;
        let mut kinds = children();
        kinds.extend([web(), minimart(), pod()]);
        let observer = Observer::start(&client, NAMESPACE, &kinds);
        let shown = Observer::start(&client, NAMESPACE, &kinds);
        let board = tokio::spawn(Board::new(progress.clone()).follow(shown));
        let seconds = arguments.pause.unwrap_or_else(|| u64::from(progress.bars().is_some()));
        let pause = Duration::from_secs(seconds);
        let project = arguments.project;
        Ok(Self { progress, client, observer, board, operator, project, pause, deadline: cluster.deadline() })
    }

    async fn acts(&mut self) -> Result<()> {
        let ready = self.operator.ready().await?;
        self.progress.say(&format!("  ✓ ready after {}", seconds(ready)));
        self.install().await?;
        self.change().await?;
        let good = self.children_of(WEB);
        self.break_it(&good).await?;
        self.mend().await?;
        self.drift().await?;
        self.delete().await
    }

    async fn install(&self) -> Result<()> {
        self.title(3, "Apply two resources: their charts' objects appear and become ready").await;
        let begun = Instant::now();
        for file in ["samples/charts_v1alpha1_minimart.yaml", "samples/charts_v1alpha1_web.yaml"] {
            let mut object = load(&self.project.join(file))?;
            object.metadata.namespace = Some(NAMESPACE.to_owned());
            let kind = object.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default();
            apply(&self.api(&if kind == "Web" { web() } else { minimart() }), &object).await?;
        }
        for (kind, name) in [("Minimart", MINIMART), ("Web", WEB)] {
            self.healthy(kind, name, None).await?;
        }
        self.done(begun, "both resources are ready, and so is everything they are made of").await;
        Ok(())
    }

    async fn change(&self) -> Result<()> {
        self.title(4, "Change a value: replicaCount 2 → 4").await;
        let begun = Instant::now();
        self.set_replicas(4).await?;
        self.healthy("Web", WEB, Some(4)).await?;
        self.done(begun, "4 Pods are available").await;
        Ok(())
    }

    async fn break_it(&self, good: &BTreeMap<Id, String>) -> Result<()> {
        self.title(5, "Break it: replicaCount -1, which the chart refuses").await;
        let begun = Instant::now();
        self.set_replicas(-1).await?;
        let what = format!("a condition of Web `{WEB}` names `replicaCount`");
        let found = |seen: &Seen| match state("Web", seen.object("Web", WEB)?) {
            (Mark::Bad, words) => Some(words).filter(|words| words.contains("replicaCount")),
            _ => None,
        };
        let words = self.observer.until(&what, self.deadline, found).await?;
        self.progress.say(&format!("  the resource says: {}", style(words).red()));
        // Long enough for a damage to be seen, were there one.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = self.children_of(WEB);
        if now != *good {
            bail!("expected: the objects of `{WEB}` stay as they were\nbefore: {good:?}\nafter:  {now:?}");
        }
        self.done(begun, &format!("the {} objects of the last good revision are untouched", good.len())).await;
        Ok(())
    }

    async fn mend(&self) -> Result<()> {
        self.title(6, "Mend it: replicaCount 3").await;
        let begun = Instant::now();
        self.set_replicas(3).await?;
        self.healthy("Web", WEB, Some(3)).await?;
        self.done(begun, "ready again, 3 Pods are available").await;
        Ok(())
    }

    async fn drift(&self) -> Result<()> {
        self.title(7, "Somebody meddles: delete the Deployment, then edit the Service").await;
        let deployments = self.api(&kind("Deployment")?);
        let old = self.uid("Deployment", WEB)?;
        deployments.delete(WEB, &DeleteParams::background()).await.context("cannot delete the Deployment")?;
        let what = format!("Deployment `{WEB}` is back");
        let took = self.observer.until(&what, self.deadline, |seen| replaced(seen, "Deployment", WEB, &old)).await?;
        self.progress.say(&format!("  ✓ the Deployment was back {} after its end was seen", precise(took)));
        self.healthy("Web", WEB, Some(3)).await?;

        let services = self.api(&kind("Service")?);
        let port = |seen: &Seen| number(seen.object("Service", WEB)?, "/spec/ports/0/port");
        let right = port(&self.observer.now()).context("the Service has no port")?;
        let edited =
            merge(&services, WEB, &json!({"spec": {"selector": {"app.kubernetes.io/name": "nobody"}}})).await?;
        let begun = Instant::now();
        let wrong = version(&edited);
        let what = format!("the selector of Service `{WEB}` is right again");
        let selector = |seen: &Seen| {
            let service = seen.object("Service", WEB)?;
            let name = service.data.pointer("/spec/selector/app.kubernetes.io~1name")?.as_str()?;
            (version(service) > wrong && name != "nobody").then(|| begun.elapsed())
        };
        let took = self.observer.until(&what, self.deadline, selector).await?;
        if port(&self.observer.now()) != Some(right) {
            bail!("expected: the Service keeps its port {right}");
        }
        self.progress.say(&format!("  ✓ the Service was right again {} after the edit", precise(took)));
        Ok(())
    }

    async fn delete(&self) -> Result<()> {
        self.title(8, "Delete both resources: everything they were made of goes with them").await;
        let begun = Instant::now();
        self.delete_resources().await?;
        self.empty().await?;
        self.done(begun, "the namespace is empty").await;
        Ok(())
    }

    /// Leaves no resource behind, for the operator is about to go, and nobody else would take their finalizers away.
    async fn clear(&self) -> Result<()> {
        if self.observer.now().objects.keys().all(|(kind, _)| kind != "Web" && kind != "Minimart") {
            return Ok(());
        }
        self.delete_resources().await?;
        let emptied = self.empty().await;
        if emptied.is_err() {
            // The operator did not, and it is about to go: nobody else would.
            for (resource, name) in [(web(), WEB), (minimart(), MINIMART)] {
                merge(&self.api(&resource), name, &json!({"metadata": {"finalizers": null}})).await.ok();
            }
        }
        emptied
    }

    async fn delete_resources(&self) -> Result<()> {
        for (resource, name) in [(web(), WEB), (minimart(), MINIMART)] {
            let deleted = self.api(&resource).delete(name, &DeleteParams::default()).await;
            match deleted {
                Err(kube::Error::Api(status)) if status.code == 404 => (),
                other => other.map(|_| ()).with_context(|| format!("cannot delete `{name}`"))?,
            }
        }
        Ok(())
    }

    async fn empty(&self) -> Result<()> {
        let left = |seen: &Seen| (!seen.objects.keys().any(is_ours)).then_some(());
        let emptied = self.observer.until("the namespace is empty", self.deadline, left).await;
        emptied.map_err(|error| {
            let names: Vec<_> = self.observer.now().objects.keys().filter(|id| is_ours(id)).cloned().collect();
            error.context(format!("still there: {names:?}"))
        })
    }

    /// Waits until a resource and all its objects are as they should be, its Deployment with so many replicas.
    async fn healthy(&self, kind: &str, name: &str, replicas: Option<i64>) -> Result<()> {
        let what = format!("{kind} `{name}` and its objects are ready");
        let healthy = |seen: &Seen| {
            let resource = seen.object(kind, name)?;
            let deployment = seen.object("Deployment", name)?;
            let wanted = number(deployment, "/spec/replicas");
            let good = |kind: &str, object: &DynamicObject| state(kind, object).0 == Mark::Good;
            let all = good(kind, resource) && good("Deployment", deployment) && seen.object("Service", name).is_some();
            (all && (replicas.is_none() || wanted == replicas)).then_some(())
        };
        let waited = self.observer.until(&what, self.deadline, healthy).await;
        waited.map_err(|error| error.context(format!("seen instead: {}", self.seen(kind, name))))
    }

    fn seen(&self, kind: &str, name: &str) -> String {
        let now = self.observer.now();
        let words = [(kind, name), ("Deployment", name), ("Service", name)].map(|(kind, name)| {
            let words = now.object(kind, name).map_or_else(|| "absent".to_owned(), |object| state(kind, object).1);
            format!("{kind} `{name}` {words}")
        });
        words.join("; ")
    }

    /// The objects of a resource, and what tells that somebody changed them: a status is not meant.
    fn children_of(&self, name: &str) -> BTreeMap<Id, String> {
        let now = self.observer.now();
        let objects = now.objects.iter().filter(|((kind, other), _)| other == name && kind != "Web");
        objects
            .map(|(id, object)| {
                let version = object.metadata.generation.map(|generation| generation.to_string());
                let version = version.or_else(|| object.resource_version()).unwrap_or_default();
                (id.clone(), format!("{} {version}", object.uid().unwrap_or_default()))
            })
            .collect()
    }

    async fn set_replicas(&self, count: i64) -> Result<()> {
        merge(&self.api(&web()), WEB, &json!({"spec": {"replicaCount": count}})).await.map(|_| ())
    }

    fn uid(&self, kind: &str, name: &str) -> Result<String> {
        let uid = self.observer.now().object(kind, name).and_then(DynamicObject::uid);
        uid.with_context(|| format!("{kind} `{name}` is not there"))
    }

    fn api(&self, kind: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), NAMESPACE, kind)
    }

    async fn title(&self, number: usize, text: &str) {
        tokio::time::sleep(self.pause).await;
        title(&self.progress, (number, STEPS), text);
    }

    /// The last line of an act.
    async fn done(&self, begun: Instant, text: &str) {
        let took = precise(begun.elapsed());
        // The table shows what has happened before this line says so.
        tokio::time::sleep(2 * REDRAW).await;
        self.progress.say(&format!("  ✓ {text}  {}", style(took).dim()));
    }
}

/// How long after its end was seen an object of this name was seen again, nothing until it is.
fn replaced(seen: &Seen, kind: &str, name: &str, old: &str) -> Option<Duration> {
    let mine = || seen.changes.iter().filter(|change| change.id.0 == kind && change.id.1 == name);
    let end = mine().find(|change| change.gone && change.uid == old)?.at;
    let again = mine().find(|change| !change.gone && change.at >= end && change.uid != old)?.at;
    Some(again - end)
}

fn kind(name: &str) -> Result<ApiResource> {
    children().into_iter().find(|kind| kind.kind == name).ok_or_else(|| anyhow!("no kind `{name}`"))
}

/// Milliseconds, where seconds would hide what is of interest.
fn precise(duration: Duration) -> String {
    if duration < Duration::from_secs(1) { format!("{} ms", duration.as_millis()) } else { seconds(duration) }
}
