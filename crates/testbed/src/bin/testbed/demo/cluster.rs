//! The cluster that the demo plays on: one of its own, or the one that `KUBECONFIG` names.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, DeleteParams, PostParams};
use testbed::build::build;
use testbed::guard::Folder;
use testbed::program::Program;
use testbed::progress::Progress;
use testbed::{ControlPlane, Controllers, Options};

/// Everything that the demo makes is in it.
pub(crate) const NAMESPACE: &str = "chart-operator-demo";
const VARIABLE: &str = "DEMO_CLUSTER";

/// What Pods are in a cluster of the demo's own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pods {
    /// kwok's, on a node of kwok's: they run nothing.
    Simulated,
    /// Processes of this machine, without a node.
    Processes,
}

/// Where the demo plays.
pub(crate) enum Cluster {
    /// Made for it, and thrown away.
    Own(Box<ControlPlane>),
    /// The user's.
    Current {
        /// What `KUBECONFIG` says.
        kubeconfig: PathBuf,
        /// The operator's log.
        folder: Folder,
    },
}

impl Cluster {
    /// Starts one, or uses the current one where `DEMO_CLUSTER=current` says so.
    ///
    /// # Errors
    /// It cannot be started or reached.
    pub(crate) async fn get(progress: &Progress, pods: Pods) -> Result<Self> {
        match std::env::var(VARIABLE).unwrap_or_default().as_str() {
            "" => Self::own(progress, pods).await,
            "current" => {
                let kubeconfig = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
                let kubeconfig =
                    kubeconfig.with_context(|| format!("{VARIABLE}=current needs KUBECONFIG to be set"))?;
                Ok(Self::Current { kubeconfig: kubeconfig.into(), folder: Folder::new("chart-operator-demo-")? })
            }
            other => bail!("{VARIABLE} is `{other}`, expected `current` or nothing"),
        }
    }

    async fn own(progress: &Progress, pods: Pods) -> Result<Self> {
        progress.say(match pods {
            Pods::Simulated => {
                "  etcd, API server, controllers and scheduler are real; the node and its Pods are simulated by kwok."
            }
            Pods::Processes => {
                "  etcd, API server and controllers are real; there is no node: what Pods would run runs on this machine."
            }
        });
        let silent = progress.clone();
        tokio::task::spawn_blocking(move || build(&Program::CONTROL_PLANE, &silent)).await??;
        let step = progress.step("starting the control plane");
        let node = pods == Pods::Simulated;
        let options = Options { controllers: Controllers::All, scheduler: node, kwok: node, ..Options::default() };
        match ControlPlane::start(options).await {
            Ok(plane) => {
                step.done(plane.address());
                Ok(Self::Own(Box::new(plane)))
            }
            Err(error) => {
                step.failed("");
                Err(error)
            }
        }
    }

    /// A client of ours.
    ///
    /// # Errors
    /// The kubeconfig is broken.
    pub(crate) async fn client(&self) -> Result<Client> {
        match self {
            Self::Own(plane) => plane.client().await,
            Self::Current { .. } => Client::try_default().await.context("cannot use KUBECONFIG"),
        }
    }

    /// The kubeconfig for the operator.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        match self {
            Self::Own(plane) => plane.kubeconfig(),
            Self::Current { kubeconfig, .. } => kubeconfig.clone(),
        }
    }

    /// The folder for the operator's log.
    pub(crate) fn logs(&self) -> PathBuf {
        match self {
            Self::Own(plane) => plane.logs(),
            Self::Current { folder, .. } => folder.path().to_path_buf(),
        }
    }

    /// The namespace that the operator is kept to: in a cluster of others it must not touch what is theirs.
    pub(crate) const fn only_namespace(&self) -> Option<&'static str> {
        match self {
            Self::Own(_) => None,
            Self::Current { .. } => Some(NAMESPACE),
        }
    }

    /// How long something may take: real nodes pull real images.
    pub(crate) const fn deadline(&self) -> Duration {
        match self {
            Self::Own(_) => Duration::from_mins(1),
            Self::Current { .. } => Duration::from_mins(4),
        }
    }

    /// Makes the namespace.
    ///
    /// # Errors
    /// It is there already, or the API server refuses it.
    pub(crate) async fn create_namespace(&self, client: &Client) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(NAMESPACE.to_owned());
        let created = namespaces.create(&PostParams::default(), &namespace).await;
        created
            .map(|_| ())
            .with_context(|| format!("cannot create the namespace `{NAMESPACE}`, which is for the demo alone"))
    }

    /// Stops what was started for the demo, and tells what is left.
    pub(crate) fn stop(self) -> &'static str {
        match self {
            Self::Own(plane) => {
                plane.stop();
                "operator and control plane stopped, nothing is left running"
            }
            Self::Current { .. } => "operator stopped, the cluster is as it was",
        }
    }

    /// Removes from the user's cluster what the demo made; the operator must be gone by then, its resources too.
    ///
    /// # Errors
    /// The API server refuses, or the namespace does not go.
    pub(crate) async fn clean_up(&self, client: &Client, new_crds: &[String]) -> Result<()> {
        if matches!(self, Self::Own(_)) {
            return Ok(());
        }
        let now = DeleteParams::default();
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        for name in new_crds {
            definitions.delete(name, &now).await.with_context(|| format!("cannot delete the CRD `{name}`"))?;
        }
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces
            .delete(NAMESPACE, &now)
            .await
            .with_context(|| format!("cannot delete the namespace `{NAMESPACE}`"))?;
        for _ in 0..240 {
            if namespaces.get_opt(NAMESPACE).await?.is_none() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        bail!("expected within 120 s: the namespace `{NAMESPACE}` is gone")
    }
}
