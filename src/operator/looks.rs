//! Watches on what templates have looked up: shared by all resources, as few and as narrow as can be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use kube::Api;
use kube::core::DynamicObject;
use tokio::sync::watch;

use crate::cluster::Cluster;
use crate::cluster::discovery::Served;
use crate::cluster::lookup::Lookup;
use crate::operator::follow::{Followed, Follower, Streaming, follow};
use crate::reconcile::{Context, Cover, WatchState};

/// By API version and kind.
type Running = BTreeMap<(String, String), BTreeMap<Cover, watch::Receiver<WatchState>>>;

/// The running watches. One whose state nobody holds any more ends.
pub(crate) struct Looks {
    cluster: Cluster,
    /// Whether a kind may be watched in all namespaces.
    cluster_wide: bool,
    streaming: Streaming,
    running: Mutex<Running>,
}

impl Looks {
    pub(crate) fn new(cluster: Cluster, cluster_wide: bool, streaming: Streaming) -> Self {
        Self { cluster, cluster_wide, streaming, running: Mutex::default() }
    }

    /// Watches of the kind what has been looked up, and nothing else.
    pub(crate) fn adjust(&self, context: &Weak<Context>, served: &Arc<Served>) {
        let Some(known) = context.upgrade() else { return };
        // What is needed is asked under the lock: whoever comes later knows more.
        let mut running = self.lock();
        let resource = &served.resource;
        let cluster_wide = self.cluster_wide || !served.namespaced;
        let mut covers = known.lookups.covers(&resource.api_version, &resource.kind, cluster_wide);
        if !served.watchable {
            covers.clear();
        }
        let kind = (resource.api_version.clone(), resource.kind.clone());
        let mut before = running.remove(&kind).unwrap_or_default();
        let mut now = BTreeMap::new();
        for cover in covers {
            // A watch whose kind went away has ended; the kind may be back.
            let states = before.remove(&cover).filter(|states| states.has_changed().is_ok());
            let states = states.unwrap_or_else(|| self.start(context, served, &cover));
            now.insert(cover, states);
        }
        if !now.is_empty() {
            running.insert(kind, now);
        }
    }

    /// The state of the watch that shows `lookup`.
    pub(crate) fn state(&self, lookup: &Lookup) -> Option<watch::Receiver<WatchState>> {
        let running = self.lock();
        let watches = running.get(&(lookup.api_version.clone(), lookup.kind.clone()))?;
        let exact = Cover {
            namespace: lookup.namespace.clone(),
            name: lookup.name.clone(),
            selector: lookup.filter.selector.clone(),
        };
        let of_namespace = Cover { namespace: lookup.namespace.clone(), ..Cover::default() };
        let wider = [exact, of_namespace, Cover::default()];
        wider.iter().find_map(|cover| watches.get(cover)).cloned()
    }

    fn start(&self, context: &Weak<Context>, served: &Arc<Served>, cover: &Cover) -> watch::Receiver<WatchState> {
        let (state, states) = watch::channel(WatchState::Starting);
        let resource = &served.resource;
        tracing::info!(target: "helm.controller", apiVersion = resource.api_version, kind = resource.kind,
            namespace = cover.namespace, name = cover.name, selector = cover.selector, "Watching what was looked up");
        let client = self.cluster.client();
        let api: Api<DynamicObject> = match cover.namespace.as_str() {
            "" => Api::all_with(client, resource),
            namespace => Api::namespaced_with(client, namespace, resource),
        };
        let source = format!("{} {} {}/{}", resource.api_version, resource.kind, cover.namespace, cover.name);
        let fields = (!cover.name.is_empty()).then(|| format!("metadata.name={}", cover.name));
        let followed = Followed {
            cluster: self.cluster.clone(),
            api,
            labels: (!cover.selector.is_empty()).then(|| cover.selector.clone()),
            fields,
            source,
            streaming: self.streaming.clone(),
        };
        let follower = Looked {
            context: Weak::clone(context),
            served: Arc::clone(served),
            cover: cover.clone(),
            unseen: BTreeSet::new(),
        };
        tokio::spawn(follow(followed, follower, state));
        states
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        // What is taken out is put back in the same step.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the events of one such watch.
struct Looked {
    context: Weak<Context>,
    served: Arc<Served>,
    cover: Cover,
    /// While a list is read: what it has not shown yet.
    unseen: BTreeSet<(String, String)>,
}

impl Looked {
    fn show(&self, (namespace, name): &(String, String), object: Option<DynamicObject>) {
        let Some(context) = self.context.upgrade() else { return };
        let lookup = Lookup::new(&self.served.resource.api_version, &self.served.resource.kind, namespace, name);
        if context.lookups.concerns(&lookup) {
            let object = object.and_then(|object| serde_json::to_value(object).ok());
            let version = object.as_ref().and_then(|object| object.pointer("/metadata/resourceVersion")?.as_str());
            let cause = context.cause(&lookup, version.unwrap_or_default());
            context.wake_readers(context.lookups.saw(&self.cover, &lookup, object.as_ref()), cause);
        }
    }
}

fn place(object: &DynamicObject) -> (String, String) {
    (object.metadata.namespace.clone().unwrap_or_default(), object.metadata.name.clone().unwrap_or_default())
}

impl Follower for Looked {
    fn listing(&mut self) {
        let Some(context) = self.context.upgrade() else { return };
        let resource = &self.served.resource;
        self.unseen = context.lookups.known(&resource.api_version, &resource.kind, &self.cover);
    }

    fn applied(&mut self, object: DynamicObject) {
        let place = place(&object);
        self.unseen.remove(&place);
        self.show(&place, Some(object));
    }

    fn deleted(&mut self, object: DynamicObject) {
        self.show(&place(&object), None);
    }

    fn listed(&mut self) {
        for place in std::mem::take(&mut self.unseen) {
            self.show(&place, None);
        }
    }
}
