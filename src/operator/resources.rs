//! The watches on the resources of one kind, and what their events do.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::Api;
use kube::core::DynamicObject;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::catalog::Entry;
use crate::health::Gate;
use crate::metrics::{Metrics, Resource as ResourceLabels};
use crate::operator::controller::Station;
use crate::operator::follow::{Followed, Follower, follow};
use crate::reconcile::resource::{Key, News, Resource};
use crate::reconcile::{By, Context, Controller, WatchState};

/// The watches on the resources of one kind, one for each namespace. They, and their health checks, end with this value.
pub(crate) struct Watches {
    followers: JoinSet<()>,
    reporters: JoinSet<()>,
    gate: Gate,
    checks: Vec<String>,
}

impl Watches {
    /// Waits until one of them has ended, which it does when the kind is no longer served.
    pub(crate) async fn ended(&mut self) {
        // There is at least one.
        let _how = self.followers.join_next().await;
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        self.reporters.abort_all();
        self.checks.iter().for_each(|check| self.gate.remove(check));
    }
}

/// Why a watch that has just begun is not ready.
const STARTING: &str = "its first list is under way";

/// Starts the watches.
pub(crate) fn watch(station: &Station, entry: &Entry, controller: &Arc<Controller>) -> Watches {
    let resource = &controller.served.resource;
    let scopes = match &station.namespaces {
        Some(namespaces) if controller.served.namespaced => namespaces.clone(),
        _ => vec![String::new()],
    };
    let (followers, reporters) = (JoinSet::new(), JoinSet::new());
    let mut watches = Watches { followers, reporters, gate: station.gate.clone(), checks: Vec::new() };
    for namespace in scopes {
        let client = station.context.operator.client();
        let api: Api<DynamicObject> = match namespace.as_str() {
            "" => Api::all_with(client, resource),
            namespace => Api::namespaced_with(client, namespace, resource),
        };
        let source = format!("kind source: {}, Kind={}", resource.api_version, resource.kind);
        tracing::info!(target: "controller-runtime.manager", controller = controller.name, source,
            "Starting EventSource");
        let followed = Followed {
            cluster: station.context.operator.clone(),
            api,
            labels: selector(station, entry),
            fields: None,
            source: format!("{} {}", resource.api_version, resource.kind),
            streaming: station.streaming.clone(),
        };
        let (state, states) = watch::channel(WatchState::Starting);
        let check = match namespace.as_str() {
            "" => format!("watch {}", followed.source),
            namespace => format!("watch {} in {namespace}", followed.source),
        };
        let (context, controller) = (Arc::clone(&station.context), Arc::clone(controller));
        let follower = Primary { context, controller, namespace, unseen: BTreeSet::new() };
        station.gate.not_ready(&check, STARTING);
        watches.followers.spawn(follow(followed, follower, state));
        watches.reporters.spawn(report_health(station.gate.clone(), check.clone(), states));
        watches.checks.push(check);
    }
    watches
}

/// The label selector of the watch and that of the flag, both of which must match.
fn selector(station: &Station, entry: &Entry) -> Option<String> {
    let own = &entry.watch.selector;
    let own = (!own.is_empty()).then(|| own.to_string());
    let both: Vec<_> = own.into_iter().chain(station.label_selector.clone()).collect();
    (!both.is_empty()).then(|| both.join(","))
}

/// Keeps the health check of a watch as the watch says.
async fn report_health(gate: Gate, check: String, mut states: watch::Receiver<WatchState>) {
    loop {
        match &*states.borrow_and_update() {
            WatchState::Starting => gate.not_ready(&check, STARTING),
            WatchState::Synced => gate.ready(&check),
            WatchState::Failing(reason) => gate.not_ready(&check, reason),
        }
        if states.changed().await.is_err() {
            return;
        }
    }
}

/// Has the metrics tell of the resources as long as there is the controller.
pub(crate) fn count(metrics: &Metrics, controller: &Arc<Controller>) {
    let counted = Arc::downgrade(controller);
    metrics.resource_created_at.add(move |tell| {
        let Some(controller) = counted.upgrade() else { return false };
        let kind = &controller.served.resource;
        controller.resources.each_created(|key, created| {
            let labels = ResourceLabels {
                group: kind.group.clone(),
                kind: kind.kind.clone(),
                name: key.name.clone(),
                namespace: key.namespace.clone(),
                version: kind.version.clone(),
            };
            tell(&labels, created);
        });
        true
    });
}

/// Takes the events of the resources.
struct Primary {
    context: Arc<Context>,
    controller: Arc<Controller>,
    namespace: String,
    /// While a list is read: what was known before it and has not been shown again.
    unseen: BTreeSet<Key>,
}

impl Primary {
    /// The resource is gone, or no longer selected: it is forgotten, and nothing of it is torn down.
    fn forget(&self, key: &Key) {
        self.controller.resources.forget(key);
        self.controller.queue.add(key.clone());
    }
}

impl Follower for Primary {
    fn listing(&mut self) {
        let mine = |key: &Key| self.namespace.is_empty() || key.namespace == self.namespace;
        self.unseen = self.controller.resources.keys().into_iter().filter(mine).collect();
    }

    fn applied(&mut self, object: DynamicObject) {
        let Ok(json) = serde_json::to_value(object) else { return };
        let resource = Resource::new(json);
        let key = resource.key();
        self.unseen.remove(&key);
        let running = self.controller.queue.is_running(&key);
        let by = match self.controller.resources.observe(&resource) {
            // While a pass is under way it is most likely its own write; somebody else's makes that write a conflict.
            News::Told if running => self.context.is_read_anew(&self.controller, &resource).then_some(By::Us),
            News::Asked | News::Told => Some(By::Others),
            News::None => None,
        };
        if let Some(by) = by {
            self.controller.caused(&key, by);
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
