//! Pods of Jobs in a control plane without nodes: somebody says what becomes of each, and it is written down as by a kubelet.
//!
//! [`Processes`] runs them on this machine. Of a kubelet they have the environment, the termination message and that a Pod waits
//! for a Secret; there are no containers, images, Services or volumes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::BoxFuture;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{Container, EnvVar, Pod, Secret};
use kube::ResourceExt as _;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, watcher};
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

use crate::ControlPlane;
use crate::guard::Folder;

/// What became of the first container of a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The exit code.
    pub code: i32,
    /// The termination message.
    pub message: String,
}

/// Says what becomes of a Pod; it is asked once for each.
pub type Play = Arc<dyn Fn(Pod) -> BoxFuture<'static, Ended> + Send + Sync>;

/// Plays until it is dropped.
pub struct Player {
    _watch: JoinSet<()>,
}

impl ControlPlane {
    /// Plays the Pods of Jobs in a namespace, on the runtime that asks for it.
    ///
    /// # Errors
    /// The kubeconfig of this control plane cannot be read.
    pub async fn play_jobs(&self, namespace: &str, play: Play) -> Result<Player> {
        let pods: Api<Pod> = Api::namespaced(self.client().await?, namespace);
        let mut watch = JoinSet::new();
        watch.spawn(follow(pods, play));
        Ok(Player { _watch: watch })
    }
}

async fn follow(pods: Api<Pod>, play: Play) {
    let mut events = watcher(pods.clone(), Config::default()).default_backoff().applied_objects().boxed();
    let mut begun = BTreeSet::new();
    let mut running = JoinSet::new();
    loop {
        // The watcher goes on after an error by itself.
        let Ok(event) = events.try_next().await else { continue };
        let Some(pod) = event else { return };
        let is_of_job = pod.owner_references().iter().any(|owner| owner.kind == "Job");
        if is_of_job && begun.insert(pod.uid()) {
            running.spawn(run(pods.clone(), pod, Arc::clone(&play)));
        }
    }
}

/// A Pod that goes meanwhile has no status to be written.
async fn run(pods: Api<Pod>, pod: Pod, play: Play) {
    let name = pod.name_any();
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first().cloned()).unwrap_or_default();
    let say = async |phase: &str, state: Json| {
        let status = json!({
            "name": container.name, "image": container.image, "imageID": "", "ready": false, "restartCount": 0, "state": state,
        });
        let patch = Patch::Merge(json!({"status": {"phase": phase, "containerStatuses": [status]}}));
        pods.patch_status(&name, &PatchParams::default(), &patch).await.ok();
    };
    let now = || jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let started = now();
    say("Running", json!({"running": {"startedAt": started}})).await;
    let Ended { code, message } = play(pod).await;
    let (phase, reason) = if code == 0 { ("Succeeded", "Completed") } else { ("Failed", "Error") };
    let ended = json!({
        "exitCode": code, "reason": reason, "message": message, "startedAt": started, "finishedAt": now(),
    });
    say(phase, json!({"terminated": ended})).await;
}

/// Where a container writes its termination message, unless it says otherwise.
const MESSAGE: &str = "/dev/termination-log";
/// Of its output, where it has none.
const LINES: usize = 80;
/// How often a Secret is looked for that is not there.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs the first container of each Pod as a process of this machine.
#[derive(Clone)]
pub struct Processes {
    /// For the Secrets that the environment names.
    pub client: kube::Client,
    /// Programs that are not found under their own name.
    pub programs: BTreeMap<String, PathBuf>,
    /// Variables that have another value here: where a Service is, for instance.
    pub environment: BTreeMap<String, String>,
}

impl Processes {
    /// Runs every Pod.
    pub fn play(self) -> Play {
        Arc::new(move |pod| {
            let processes = self.clone();
            Box::pin(async move { processes.run(pod).await })
        })
    }

    /// What becomes of a Pod. That it could not be run is its end, too.
    pub async fn run(&self, pod: Pod) -> Ended {
        let ended = self.try_run(&pod).await;
        ended.unwrap_or_else(|error| Ended { code: 128, message: format!("{error:#}") })
    }

    async fn try_run(&self, pod: &Pod) -> Result<Ended> {
        let container =
            pod.spec.as_ref().and_then(|spec| spec.containers.first()).context("a Pod without containers")?;
        let folder = Folder::new("chart-operator-job-")?;
        let message = folder.path().join("message");
        let mut command = self.command(container, &message)?;
        for variable in container.env.iter().flatten() {
            if let Some(value) = self.value(pod, variable).await? {
                command.env(&variable.name, value);
            }
        }
        let output = command.envs(&self.environment).stdin(Stdio::null()).kill_on_drop(true).output().await?;
        let code = output.status.code().unwrap_or(137);
        let mut said = tokio::fs::read_to_string(&message).await.unwrap_or_default();
        if said.is_empty()
            && code != 0
            && container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError")
        {
            let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            let lines: Vec<_> = text.lines().collect();
            said = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n");
        }
        Ok(Ended { code, message: said })
    }

    fn command(&self, container: &Container, message: &Path) -> Result<tokio::process::Command> {
        let words = container.command.iter().chain(&container.args).flatten();
        let mut words = words.map(|word| word.replace(MESSAGE, &message.to_string_lossy()));
        let program = words.next().context("a container whose command is its image's")?;
        let file = self.programs.get(&program).cloned().unwrap_or_else(|| program.into());
        let mut command = tokio::process::Command::new(file);
        command.args(words);
        Ok(command)
    }

    /// The value of a variable. A Secret that is not there is waited for.
    async fn value(&self, pod: &Pod, variable: &EnvVar) -> Result<Option<String>> {
        let Some(source) = &variable.value_from else { return Ok(variable.value.clone()) };
        if let Some(field) = &source.field_ref {
            let quoted =
                field.field_path.strip_prefix("metadata.annotations['").and_then(|path| path.strip_suffix("']"));
            let name = quoted.with_context(|| format!("cannot read `{}` of a Pod", field.field_path))?;
            return Ok(pod.annotations().get(name).cloned());
        }
        let wanted = source.secret_key_ref.as_ref().context("a variable from neither a field nor a Secret")?;
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &pod.namespace().unwrap_or_default());
        loop {
            let found = secrets.get_opt(&wanted.name).await?.and_then(|secret| secret.data?.remove(&wanted.key));
            if let Some(found) = found {
                return Ok(Some(String::from_utf8(found.0).context("a variable that is no text")?));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
