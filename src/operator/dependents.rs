//! Watches on the kinds that resources own: one per kind (and namespace, where only some are watched) for all resources.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use kube::Api;
use kube::core::DynamicObject;
use serde_json::Value as Json;
use tokio::sync::watch;

use crate::cluster::Cluster;
use crate::cluster::discovery::Served;
use crate::cluster::lookup::Lookup;
use crate::operator::follow::{Followed, Follower, Streaming, follow};
use crate::operator::hooks::Hooks;
use crate::operator::looks::Looks;
use crate::reconcile::{Context, Cover, WatchState, Watching};
use crate::release::{ObjectId, labels};

/// What a watch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    /// Objects that resources own.
    Owned,
    /// Objects of their hooks.
    Hooks,
}

/// Version, kind, namespace and purpose of a watch.
type Watched = (String, String, String, Of);

/// The running watches.
pub(crate) struct Dependents {
    cluster: Cluster,
    namespaces: Option<Vec<String>>,
    streaming: Streaming,
    running: Mutex<BTreeMap<Watched, watch::Receiver<WatchState>>>,
    looks: Looks,
    /// Set once, when the context that needs us exists.
    context: std::sync::OnceLock<std::sync::Weak<Context>>,
}

impl Dependents {
    pub(crate) fn new(cluster: Cluster, namespaces: Option<Vec<String>>, streaming: Streaming) -> Self {
        let looks = Looks::new(cluster.clone(), namespaces.is_none(), streaming.clone());
        Self { cluster, namespaces, streaming, running: Mutex::default(), looks, context: std::sync::OnceLock::new() }
    }

    /// Tells where events go.
    pub(crate) fn attach(&self, context: &Arc<Context>) {
        // A second attachment would be a second operator in one process; the first stands.
        let _first_stands = self.context.set(Arc::downgrade(context));
    }

    fn start(&self, served: &Arc<Served>, namespace: &str, of: Of) -> watch::Receiver<WatchState> {
        let (state, states) = watch::channel(WatchState::Starting);
        let Some(context) = self.context.get().cloned() else { return states };
        let resource = &served.resource;
        let source = format!("{} {}", resource.api_version, resource.kind);
        tracing::info!(target: "helm.controller", apiVersion = resource.api_version, kind = resource.kind,
            "Watching dependent resource");
        let client = self.cluster.client();
        let api = match namespace {
            "" => Api::all_with(client, resource),
            namespace => Api::namespaced_with(client, namespace, resource),
        };
        let labels = Some(match of {
            Of::Owned => format!("{},{}", labels::PART_OF, labels::CHART),
            Of::Hooks => labels::HOOK_OF.to_owned(),
        });
        let followed = Followed {
            cluster: self.cluster.clone(),
            api,
            labels,
            fields: None,
            source,
            streaming: self.streaming.clone(),
        };
        let (served, namespace) = (Arc::clone(served), namespace.to_owned());
        match of {
            Of::Owned => {
                let follower = Owned { context, served, namespace, unseen: BTreeSet::new() };
                tokio::spawn(follow(followed, follower, state));
            }
            Of::Hooks => drop(tokio::spawn(follow(followed, Hooks { context, served }, state))),
        }
        states
    }
}

impl Watching for Dependents {
    fn ensure(&self, served: &Arc<Served>) -> Vec<watch::Receiver<WatchState>> {
        self.ensure_all(served, Of::Owned)
    }

    fn ensure_hooks(&self, served: &Arc<Served>) -> Vec<watch::Receiver<WatchState>> {
        self.ensure_all(served, Of::Hooks)
    }

    fn look(&self, served: &Arc<Served>) {
        if let Some(context) = self.context.get() {
            self.looks.adjust(context, served);
        }
    }

    fn looking(&self, lookup: &Lookup) -> Option<watch::Receiver<WatchState>> {
        self.looks.state(lookup)
    }
}

impl Dependents {
    fn ensure_all(&self, served: &Arc<Served>, of: Of) -> Vec<watch::Receiver<WatchState>> {
        let scopes = match &self.namespaces {
            Some(namespaces) if served.namespaced => namespaces.clone(),
            _ => vec![String::new()],
        };
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let resource = &served.resource;
        scopes
            .into_iter()
            .map(|namespace| {
                let key = (resource.api_version.clone(), resource.kind.clone(), namespace.clone(), of);
                let states = running.get(&key).cloned();
                // A watch whose kind went away has ended; the kind may be back.
                let states = states.filter(|states| states.has_changed().is_ok());
                let states = states.unwrap_or_else(|| self.start(served, &namespace, of));
                running.insert(key, states.clone());
                states
            })
            .collect()
    }
}

/// Takes the events of one such watch.
struct Owned {
    context: std::sync::Weak<Context>,
    served: Arc<Served>,
    namespace: String,
    /// While a list is read: what was known before it and has not been shown again.
    unseen: BTreeSet<ObjectId>,
}

impl Owned {
    fn id(&self, object: &DynamicObject) -> ObjectId {
        let resource = &self.served.resource;
        ObjectId {
            group: resource.group.clone(),
            kind: resource.kind.clone(),
            namespace: object.metadata.namespace.clone().unwrap_or_default(),
            name: object.metadata.name.clone().unwrap_or_default(),
        }
    }

    /// Tells those who have looked the object up.
    fn show(&self, context: &Context, id: &ObjectId, object: Option<&Json>) {
        let shown = Lookup::new(&self.served.resource.api_version, &id.kind, &id.namespace, &id.name);
        let version =
            object.and_then(|object| object.pointer("/metadata/resourceVersion")?.as_str()).unwrap_or_default();
        let cause = context.cause(&shown, version);
        context.wake_readers(context.lookups.saw(&Cover::default(), &shown, object), cause);
    }

    fn is_mine(&self, id: &ObjectId) -> bool {
        let resource = &self.served.resource;
        id.group == resource.group
            && id.kind == resource.kind
            && (self.namespace.is_empty() || id.namespace == self.namespace)
    }
}

impl Follower for Owned {
    fn listing(&mut self) {
        let Some(context) = self.context.upgrade() else { return };
        self.unseen = context.objects.matching(|id| self.is_mine(id)).into_iter().collect();
    }

    fn applied(&mut self, object: DynamicObject) {
        let Some(context) = self.context.upgrade() else { return };
        let id = self.id(&object);
        self.unseen.remove(&id);
        let set = object.metadata.labels.as_ref().and_then(|labels| labels.get(labels::PART_OF)).cloned();
        let (Some(set), Ok(object)) = (set, serde_json::to_value(object)) else { return };
        context.wake(context.objects.observe(&id, &set, &object));
        self.show(&context, &id, Some(&object));
    }

    fn deleted(&mut self, object: DynamicObject) {
        let Some(context) = self.context.upgrade() else { return };
        let id = self.id(&object);
        let version = object.metadata.resource_version.unwrap_or_default();
        context.wake(context.objects.lose(&id, Some(&version)));
        self.show(&context, &id, None);
    }

    fn listed(&mut self) {
        let Some(context) = self.context.upgrade() else { return };
        for id in std::mem::take(&mut self.unseen) {
            context.wake(context.objects.lose(&id, None));
            self.show(&context, &id, None);
        }
    }
}
