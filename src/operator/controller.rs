//! One watch at work: waits for its kind, follows its resources, works its queue.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Api;
use kube::core::{DynamicObject, GroupVersionKind};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::catalog::Entry;
use crate::cluster::Error;
use crate::cluster::discovery::Served;
use crate::health::Gate;
use crate::metrics::{Reconciled, Resource as ResourceLabels};
use crate::operator::follow::{Followed, Follower, Streaming, follow};
use crate::operator::stopped;
use crate::reconcile::queue::Again;
use crate::reconcile::resource::{Key, News, Resource};
use crate::reconcile::{Context, Controller, WatchState, reconcile};

/// Between two looks for a kind that is not served yet.
const KIND_RETRY: Duration = Duration::from_secs(2);

/// What a controller is started with.
pub(crate) struct Start {
    pub(crate) context: Arc<Context>,
    pub(crate) entry: Arc<Entry>,
    pub(crate) gate: Gate,
    pub(crate) streaming: Streaming,
    pub(crate) namespaces: Option<Vec<String>>,
    pub(crate) label_selector: Option<String>,
    pub(crate) workers: NonZeroUsize,
    pub(crate) leads: watch::Receiver<bool>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Start {
    /// The label selector of the watch and that of the flag, both of which must match.
    fn selector(&self) -> Option<String> {
        let own = &self.entry.watch.selector;
        let own = (!own.is_empty()).then(|| own.to_string());
        let both: Vec<_> = own.into_iter().chain(self.label_selector.clone()).collect();
        (!both.is_empty()).then(|| both.join(","))
    }
}

/// Runs until `stop`; passes under way are finished.
pub(crate) async fn run(start: Start) {
    let stop = start.stop.clone();
    let Some(served) = until(stop.clone(), kind_served(&start)).await else { return };
    let (entry, workers) = (Arc::clone(&start.entry), start.workers.get());
    let controller = Arc::new(Controller::new(entry, served, workers, &start.context.metrics));
    let watches = watch_resources(&start, &controller);
    let mut leads = start.leads.clone();
    // An error means that the election has ended, and the process with it.
    if !matches!(until(stop.clone(), leads.wait_for(|leads| *leads)).await, Some(Ok(_))) {
        return;
    }
    tracing::info!(target: "controller-runtime.manager", controller = controller.name, "Starting Controller");
    tracing::info!(target: "controller-runtime.manager", controller = controller.name, "worker count" = workers,
        "Starting workers");
    let passes = (0..workers).map(|_| work(Arc::clone(&start.context), Arc::clone(&controller)));
    let passes: JoinSet<()> = passes.collect();
    stopped(stop).await;
    controller.queue.close();
    drop(watches);
    passes.join_all().await;
}

/// What `task` gives, unless a stop comes first.
async fn until<T>(stop: watch::Receiver<bool>, task: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        result = task => Some(result),
        () = stopped(stop) => None,
    }
}

/// How the kind is served, waited for: its CRD may come later.
async fn kind_served(start: &Start) -> Arc<Served> {
    let watch = &start.entry.watch;
    let gvk = GroupVersionKind::gvk(&watch.gvk.group, &watch.gvk.version, &watch.gvk.kind);
    let mut reported = String::new();
    loop {
        let error = match start.context.discovery.resolve(&gvk).await {
            Ok(served) => {
                tracing::info!(target: "helm.controller", apiVersion = gvk.api_version(), kind = gvk.kind,
                    namespace = start.namespaces.as_ref().map(|namespaces| namespaces.join(",")).unwrap_or_default(),
                    "Watching resource");
                return served;
            }
            Err(error) => error,
        };
        let message = error.message();
        if message != reported {
            if matches!(error, Error::NotServed { .. }) {
                tracing::warn!(target: "helm.controller", apiVersion = gvk.api_version(), kind = gvk.kind,
                    "Kind is not served yet, waiting for its CustomResourceDefinition");
            } else {
                tracing::error!(target: "helm.controller", apiVersion = gvk.api_version(), kind = gvk.kind,
                    error = message, "Kind cannot be looked up, trying again");
            }
            reported = message;
        }
        tokio::time::sleep(KIND_RETRY).await;
    }
}

/// Starts the watches on the resources, one for each namespace. They end when what is returned is dropped.
fn watch_resources(start: &Start, controller: &Arc<Controller>) -> JoinSet<()> {
    let resource = &controller.served.resource;
    let scopes = match &start.namespaces {
        Some(namespaces) if controller.served.namespaced => namespaces.clone(),
        _ => vec![String::new()],
    };
    let mut watches = JoinSet::new();
    for namespace in scopes {
        let client = start.context.cluster.client();
        let api: Api<DynamicObject> = match namespace.as_str() {
            "" => Api::all_with(client, resource),
            namespace => Api::namespaced_with(client, namespace, resource),
        };
        let source = format!("kind source: {}, Kind={}", resource.api_version, resource.kind);
        tracing::info!(target: "controller-runtime.manager", controller = controller.name, source,
            "Starting EventSource");
        let followed = Followed {
            api,
            labels: start.selector(),
            source: format!("{} {}", resource.api_version, resource.kind),
            streaming: start.streaming.clone(),
        };
        let (state, states) = watch::channel(WatchState::Starting);
        let check = match namespace.as_str() {
            "" => format!("watch {}", followed.source),
            namespace => format!("watch {} in {namespace}", followed.source),
        };
        let follower = Primary {
            context: Arc::clone(&start.context),
            controller: Arc::clone(controller),
            namespace,
            unseen: Vec::new(),
        };
        watches.spawn(follow(followed, follower, state));
        watches.spawn(report_health(start.gate.clone(), check, states));
    }
    watches
}

/// Keeps the health check of a watch as the watch says.
async fn report_health(gate: Gate, check: String, mut states: watch::Receiver<WatchState>) {
    loop {
        match &*states.borrow_and_update() {
            WatchState::Starting => gate.not_ready(&check, "its first list is under way"),
            WatchState::Synced => gate.ready(&check),
            WatchState::Failing(reason) => gate.not_ready(&check, reason),
        }
        if states.changed().await.is_err() {
            return gate.not_ready(&check, "the kind is no longer served");
        }
    }
}

/// Takes the events of the resources.
struct Primary {
    context: Arc<Context>,
    controller: Arc<Controller>,
    namespace: String,
    unseen: Vec<Key>,
}

impl Primary {
    fn labels(&self, key: &Key) -> ResourceLabels {
        let kind = &self.controller.served.resource;
        ResourceLabels {
            group: kind.group.clone(),
            kind: kind.kind.clone(),
            name: key.name.clone(),
            namespace: key.namespace.clone(),
            version: kind.version.clone(),
        }
    }

    /// The resource is gone, or no longer selected: it is forgotten, and nothing of it is torn down.
    fn forget(&self, key: &Key) {
        self.controller.resources.forget(key);
        self.context.metrics.resource_created_at.remove(&self.labels(key));
        self.controller.queue.add(key.clone());
    }
}

impl Follower for Primary {
    fn listing(&mut self) {
        let mine = |key: &Key| self.namespace.is_empty() || key.namespace == self.namespace;
        self.unseen = self.controller.resources.keys().into_iter().filter(mine).collect();
    }

    fn applied(&mut self, object: DynamicObject) {
        let created = object.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second());
        let Ok(json) = serde_json::to_value(object) else { return };
        let resource = Resource::new(json);
        let key = resource.key();
        self.unseen.retain(|unseen| *unseen != key);
        self.context.metrics.resource_created_at.get_or_create(&self.labels(&key)).set(created);
        let wanted = match self.controller.resources.observe(resource) {
            News::Asked => true,
            // While a pass is under way it is most likely its own write; somebody else's makes that write a conflict.
            News::Told => !self.controller.queue.is_running(&key),
            News::None => false,
        };
        if wanted {
            self.controller.queue.add(key);
        }
    }

    fn deleted(&mut self, object: DynamicObject) {
        let key = Key {
            namespace: object.metadata.namespace.unwrap_or_default(),
            name: object.metadata.name.unwrap_or_default(),
        };
        self.forget(&key);
    }

    fn listed(&mut self) {
        for key in std::mem::take(&mut self.unseen) {
            self.forget(&key);
        }
    }
}

/// One worker: takes keys until the queue is closed.
async fn work(context: Arc<Context>, controller: Arc<Controller>) {
    let metrics = &controller.metrics;
    while let Some(key) = controller.queue.next().await {
        metrics.active_workers.inc();
        let start = Instant::now();
        let again = reconcile(&context, &controller, &key).await;
        let result = match again {
            Again::WhenAsked => Reconciled::Success,
            Again::After(_) => Reconciled::RequeueAfter,
            Again::Backoff => Reconciled::Error,
        };
        metrics.reconciled(result, start.elapsed());
        metrics.active_workers.dec();
        controller.queue.done(&key, again);
    }
}
