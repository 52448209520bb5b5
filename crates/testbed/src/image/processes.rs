//! Images whose Pods really run, as processes of this machine.
//!
//! kwok says of every Pod that it runs, and runs nothing. Where an image is known here, its program is started for each Pod that
//! has a node, with the arguments of the Pod's first container and as the Pod's account, and killed when the Pod goes. That is
//! all that is played of a kubelet: what the Pod's status says comes from kwok, and a program that ends is not started again.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, Event, watcher};
use tokio::task::JoinSet;

use crate::ControlPlane;
use crate::control_plane::Accounts;
use crate::guard::{self, Guarded};

/// What runs for Pods of an image.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its name, as Pods have it.
    pub name: String,
    /// The program.
    pub file: PathBuf,
    /// The folder it runs in.
    pub folder: PathBuf,
    /// Arguments before those of the container; `$(POD_NAMESPACE)` in them is the Pod's.
    pub entrypoint: Vec<String>,
}

/// Runs the Pods of images. When it is dropped, they end.
pub struct Runner {
    logs: PathBuf,
    // The watch ends before what it started.
    _watch: JoinSet<()>,
    _running: Running,
}

/// What runs, by the Pod's UID; nothing where it could not be started.
type Running = Arc<Mutex<BTreeMap<String, Option<Guarded>>>>;

impl ControlPlane {
    /// Runs the Pods of these images, on the runtime that asks for it.
    ///
    /// # Errors
    /// The kubeconfig of this control plane cannot be read.
    pub async fn run_images(&self, images: Vec<Image>) -> Result<Runner> {
        let pods = Api::<Pod>::all(self.client().await?);
        let node = Node { images, accounts: self.accounts(), logs: self.logs(), running: Running::default() };
        let (logs, running) = (node.logs.clone(), Arc::clone(&node.running));
        let mut watch = JoinSet::new();
        watch.spawn(node.follow(pods));
        Ok(Runner { logs, _watch: watch, _running: running })
    }
}

impl Runner {
    /// What the Pods wrote whose names begin like this, also those that are gone.
    ///
    /// # Errors
    /// The folder of the logs cannot be read.
    pub fn log(&self, pod: &str) -> Result<String> {
        let mut text = String::new();
        for entry in fs::read_dir(&self.logs).context("cannot read the folder of the logs")? {
            let path = entry?.path();
            let name = path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
            if name.starts_with(&format!("{PREFIX}{pod}")) && name.ends_with(".log") {
                text.push_str(&fs::read_to_string(&path).unwrap_or_default());
            }
        }
        Ok(text)
    }
}

/// Of the names of logs of Pods.
const PREFIX: &str = "pod-";

struct Node {
    images: Vec<Image>,
    accounts: Accounts,
    logs: PathBuf,
    running: Running,
}

impl Node {
    async fn follow(self, pods: Api<Pod>) {
        let mut events = watcher(pods, Config::default()).default_backoff().boxed();
        let mut listed = Vec::new();
        loop {
            // The watcher goes on after an error by itself.
            let Ok(event) = events.try_next().await else { continue };
            match event {
                Some(Event::Apply(pod)) => self.run(&pod).await,
                Some(Event::Delete(pod)) => self.stop(|uid| uid == pod.uid().unwrap_or_default()),
                Some(Event::Init) => listed.clear(),
                Some(Event::InitApply(pod)) => {
                    listed.extend(pod.uid());
                    self.run(&pod).await;
                }
                Some(Event::InitDone) => self.stop(|uid| !listed.iter().any(|listed| listed == uid)),
                None => return,
            }
        }
    }

    /// Starts the Pod if it is one of ours, has a node and does not run yet.
    async fn run(&self, pod: &Pod) {
        let uid = pod.uid().unwrap_or_default();
        let bound = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
        let Some(image) = self.image(pod).filter(|_| bound) else { return };
        if pod.metadata.deletion_timestamp.is_some() {
            return self.stop(|running| running == uid);
        }
        if self.running.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&uid) {
            return;
        }
        let started = self.start(image, pod).await;
        if let Err(error) = &started {
            // Where one looks for what a Pod has to say; if that cannot be written either, there is nobody to tell.
            fs::write(self.logs.join(format!("{PREFIX}{}.log", pod.name_any())), format!("not started: {error:#}\n"))
                .ok();
        }
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(uid, started.ok());
    }

    fn image(&self, pod: &Pod) -> Option<&Image> {
        let name = pod.spec.as_ref()?.containers.first()?.image.as_deref()?;
        self.images.iter().find(|image| image.name == name)
    }

    async fn start(&self, image: &Image, pod: &Pod) -> Result<Guarded> {
        let spec = pod.spec.as_ref().context("a Pod without a spec")?;
        let namespace = pod.namespace().unwrap_or_default();
        let account = spec.service_account_name.as_deref().unwrap_or("default");
        let kubeconfig = self.accounts.kubeconfig(&namespace, account).await?;
        let own = spec.containers.first().and_then(|container| container.args.clone()).unwrap_or_default();
        let entrypoint = image.entrypoint.iter().map(|argument| argument.replace("$(POD_NAMESPACE)", &namespace));
        let arguments: Vec<String> = entrypoint.chain(own).collect();
        let environment: [(&str, &OsStr); 1] = [("KUBECONFIG", kubeconfig.as_os_str())];
        let name = format!("{PREFIX}{}", pod.name_any());
        let program =
            guard::Program { name: &name, file: &image.file, folder: &self.logs, directory: Some(&image.folder) };
        Guarded::start(&program, &arguments, &environment)
    }

    fn stop(&self, which: impl Fn(&str) -> bool) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| !which(uid));
    }
}
