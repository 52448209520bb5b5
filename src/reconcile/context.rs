//! What every pass shares, and what is remembered of each resource between passes. Nothing here must survive a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use tokio::sync::watch;

use crate::catalog::Entry;
use crate::cluster::Cluster;
use crate::cluster::discovery::{Discovery, Served};
use crate::cluster::lookup::Lookup;
use crate::metrics::{self, Metrics};
use crate::reconcile::archive::Archive;
use crate::reconcile::desire::{Kept, Unrendered};
use crate::reconcile::drift::Drifts;
use crate::reconcile::history::{Failed, History, UnderWay};
use crate::reconcile::hook_ends::HookEnds;
use crate::reconcile::looks::Looks;
use crate::reconcile::lookups::Lookups;
use crate::reconcile::objects::{Objects, SetId};
use crate::reconcile::phases::{AtHand, Course};
use crate::reconcile::previous::Previous;
use crate::reconcile::queue::Queue;
use crate::reconcile::resource::{Key, Resources};
use crate::reconcile::rest::{AtRest, Kinds};
use crate::reconcile::trace::Trace;
use crate::reconcile::unstable::{By, Causes, OwnWrites};
use crate::release::contention::{Contention, Verdict};
use crate::release::plan::Applied;
use crate::release::{Digest, Gvk, ObjectId};
use crate::render::Capabilities;

/// How a watch is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchState {
    /// Its first list is not complete yet.
    Starting,
    /// It has shown everything there is, and follows.
    Synced,
    /// It cannot list or follow; the text says why.
    Failing(String),
}

/// Starts watches on owned kinds, and on what was looked up.
pub trait Watching: Send + Sync {
    /// Sees to it that objects of the kind are watched. One state for each watch that this takes.
    fn ensure(&self, served: &Arc<Served>) -> Vec<watch::Receiver<WatchState>>;

    /// As [`Watching::ensure`], for objects of hooks.
    fn ensure_hooks(&self, served: &Arc<Served>) -> Vec<watch::Receiver<WatchState>>;

    /// Sees to it that of the kind exactly what [`Lookups::covers`] says is watched for look-ups.
    fn look(&self, served: &Arc<Served>);

    /// The state of the watch that shows `lookup`; `None` where there is none.
    fn looking(&self, lookup: &Lookup) -> Option<watch::Receiver<WatchState>>;
}

/// What all passes share.
pub struct Context {
    /// The cluster, as the operator: for what it does to resources themselves. What is done for one goes through the
    /// `cluster` of its pass, which may act as another account.
    pub operator: Cluster,
    /// The namespace of the releases of cluster-scoped resources, where their watch names none.
    pub namespace: String,
    /// What it serves.
    pub discovery: Discovery,
    /// What templates see of that.
    pub capabilities: watch::Receiver<Arc<Capabilities>>,
    /// Counters.
    pub metrics: Metrics,
    /// What is known of owned objects.
    pub objects: Objects,
    /// What has been seen of hooks' objects.
    pub hooks: HookEnds,
    /// What renders have looked up.
    pub lookups: Lookups,
    /// Watches on their kinds.
    pub watching: Arc<dyn Watching>,
    /// Passes come at least this often; `None`: only when something changes.
    pub reconcile_period: Option<Duration>,
    /// Whether events show `****` instead of an overridden value.
    pub suppress_override_values: bool,
    /// What templates see as the operator's version; `None` is that of this build.
    pub version: Option<String>,
    /// What was found below objects that are not ready.
    pub(crate) looks: Looks,
    /// How often objects were put back lately.
    contention: Mutex<Contention>,
    /// What was written of objects that are looked up.
    own_writes: Mutex<OwnWrites>,
    /// Which resource a set of objects belongs to.
    owners: Mutex<BTreeMap<SetId, (Arc<Controller>, Key)>>,
}

/// What [`Context::new`] is made of.
pub struct Shared {
    /// See [`Context::operator`].
    pub operator: Cluster,
    /// See [`Context::namespace`].
    pub namespace: String,
    /// See [`Context::discovery`].
    pub discovery: Discovery,
    /// See [`Context::capabilities`].
    pub capabilities: watch::Receiver<Arc<Capabilities>>,
    /// See [`Context::metrics`].
    pub metrics: Metrics,
    /// See [`Context::watching`].
    pub watching: Arc<dyn Watching>,
    /// See [`Context::reconcile_period`].
    pub reconcile_period: Option<Duration>,
    /// See [`Context::suppress_override_values`].
    pub suppress_override_values: bool,
    /// See [`Context::version`].
    pub version: Option<String>,
}

impl Context {
    /// A context in which nothing is known yet.
    pub fn new(shared: Shared) -> Self {
        Self {
            operator: shared.operator,
            namespace: shared.namespace,
            discovery: shared.discovery,
            capabilities: shared.capabilities,
            metrics: shared.metrics,
            objects: Objects::default(),
            hooks: HookEnds::default(),
            lookups: Lookups::default(),
            watching: shared.watching,
            reconcile_period: shared.reconcile_period,
            suppress_override_values: shared.suppress_override_values,
            version: shared.version,
            looks: Looks::default(),
            contention: Mutex::default(),
            own_writes: Mutex::default(),
            owners: Mutex::default(),
        }
    }

    /// Whether an object that drifted to `state` may be put back now; counts it if so.
    pub(crate) fn contended(&self, id: &ObjectId, state: Digest) -> Verdict {
        let now = Timestamp::now().as_second();
        let mut contention = lock(&self.contention);
        contention.sweep(now);
        contention.correct(id, state, now)
    }

    /// Notes a write of ours to an object that somebody may look up; the version is empty for a deletion.
    pub(crate) fn wrote(&self, object: Lookup, version: &str) {
        if self.lookups.concerns(&object) {
            lock(&self.own_writes).add(object, version);
        }
    }

    /// Whose doing it is that a watch shows this version of an object; empty for one that is gone.
    pub fn cause(&self, object: &Lookup, version: &str) -> By {
        lock(&self.own_writes).cause(object, version)
    }

    /// Notes whose objects those of `set` are.
    pub(crate) fn register(&self, set: &SetId, controller: &Arc<Controller>, key: &Key) {
        lock(&self.owners).entry(Arc::clone(set)).or_insert_with(|| (Arc::clone(controller), key.clone()));
    }

    /// Forgets a set whose resource is gone.
    pub(crate) async fn unregister(&self, set: &str) {
        lock(&self.owners).remove(set);
        self.objects.forget_wishes(set);
        self.looks.forget(set);
        self.hooks.forget(set);
        let changed = self.lookups.forget(&set.into());
        self.look(changed).await;
    }

    /// All resources that may own objects.
    pub(crate) fn owners(&self) -> Vec<(Arc<Controller>, Key)> {
        lock(&self.owners).values().cloned().collect()
    }

    /// The resource that `set` belongs to.
    pub(crate) fn owner(&self, set: &str) -> Option<(Arc<Controller>, Key)> {
        lock(&self.owners).get(set).cloned()
    }

    /// Forgets whose sets those of `controller` were: it no longer works.
    pub(crate) async fn dismiss(&self, controller: &Arc<Controller>) {
        let mut sets = Vec::new();
        lock(&self.owners).retain(|set, (owner, _)| {
            let stays = !Arc::ptr_eq(owner, controller);
            if !stays {
                sets.push(Arc::clone(set));
            }
            stays
        });
        for set in sets {
            self.look(self.lookups.forget(&set)).await;
        }
    }

    /// The resource that `set` belongs to, for people: `Minimart shop/first`.
    pub(crate) fn describe_owner(&self, set: &str) -> Option<String> {
        let owners = lock(&self.owners);
        let (controller, key) = owners.get(set)?;
        Some(format!("{} {key}", controller.served.resource.kind))
    }

    /// The resource with this UID, if there is one: `Minimart shop/first`.
    pub(crate) fn describe_resource(&self, uid: &str) -> Option<String> {
        let is_it = |(controller, key): &(Arc<Controller>, Key)| {
            controller.resources.find(key).is_some_and(|resource| resource.uid() == uid)
        };
        let (controller, key) = self.owners().into_iter().find(is_it)?;
        Some(format!("{} {key}", controller.served.resource.kind))
    }

    /// Whether another kind has a resource of this name in this namespace: their releases would be one.
    pub(crate) fn has_namesake(&self, controller: &Arc<Controller>, key: &Key) -> bool {
        lock(&self.owners).values().any(|(other, named)| named == key && !Arc::ptr_eq(other, controller))
    }

    /// Asks for a pass of the resource that this set belongs to: one of its hooks has ended.
    pub fn wake_for_hook(&self, set: &str) {
        if let Some((controller, key)) = lock(&self.owners).get(set) {
            controller.queue.add(key.clone());
        }
    }

    /// Asks for a pass of the resources these sets belong to.
    pub fn wake(&self, sets: impl IntoIterator<Item = SetId>) {
        for set in sets {
            // Without watchDependentResources, what happens to objects is seen when the period is over.
            if let Some((controller, key)) = lock(&self.owners).get(&set)
                && controller.entry().watch.watch_dependent_resources
            {
                controller.caused(key, By::Others);
                controller.queue.add(key.clone());
            }
        }
    }
}

/// One watch: its resources, its queue, and what is remembered of each resource.
pub struct Controller {
    /// The entry of `watches.yaml` with its chart, as newest read.
    entries: watch::Receiver<Arc<Entry>>,
    /// How its kind is served.
    pub served: Arc<Served>,
    /// Its resources.
    pub resources: Resources,
    /// Which of them are to be looked at.
    pub queue: Queue<Key>,
    /// Its name in logs, events and metrics, as controller-runtime would call it: `minimart-controller`.
    pub name: String,
    /// What is counted of it.
    pub metrics: metrics::Controller,
    /// The records of its resources, while many are recalled.
    pub(crate) archive: Archive,
    notes: Mutex<BTreeMap<Key, Notes>>,
    kinds: Mutex<Kinds>,
}

/// What is kept of a resource between passes.
#[derive(Default)]
struct Notes {
    memo: Option<Box<AtRest>>,
    /// The user's request that was handled last: the schema of a kind may not let its status keep it.
    handled: Option<String>,
    /// What the resource was rendered from when its warnings were told.
    told: Option<Digest>,
    /// UID of the resource that was compared with what the API server has.
    confirmed: Option<String>,
    /// How far the phases of its chart's policy are.
    course: Course,
    /// Whose doing its passes are.
    causes: Causes,
}

impl Controller {
    /// A controller that has seen nothing yet.
    pub fn new(entries: watch::Receiver<Arc<Entry>>, served: Arc<Served>, workers: usize, metrics: &Metrics) -> Self {
        let name = format!("{}-controller", served.resource.kind.to_lowercase());
        let metrics = metrics.controller(&name, workers);
        let (resources, queue) = (Resources::default(), Queue::counted(metrics.clone()));
        let (archive, notes, kinds) = (Archive::default(), Mutex::default(), Mutex::default());
        Self { entries, served, resources, queue, name, metrics, archive, notes, kinds }
    }

    /// The entry of `watches.yaml` with its chart. A pass asks once: it may change at any time.
    pub fn entry(&self) -> Arc<Entry> {
        Arc::clone(&self.entries.borrow())
    }

    pub(crate) fn memo(&self, key: &Key) -> Option<Arc<Memo>> {
        lock(&self.notes).get(key)?.memo.as_ref().map(|memo| Arc::new(memo.memo()))
    }

    pub(crate) fn remember(&self, key: &Key, memo: Memo) -> Arc<Memo> {
        let at_rest = AtRest::new(memo.clone(), &mut lock(&self.kinds));
        self.note(key, |notes| notes.memo = Some(Box::new(at_rest)));
        Arc::new(memo)
    }

    /// The status holds the NOTES now, and so need not we.
    pub(crate) fn forget_notes(&self, key: &Key) {
        if let Some(memo) = lock(&self.notes).get_mut(key).and_then(|notes| notes.memo.as_mut()) {
            memo.forget_notes();
        }
    }

    /// Notes that a request was handled.
    pub(crate) fn handle(&self, key: &Key, request: &str) {
        self.note(key, |notes| notes.handled = Some(request.to_owned()));
    }

    /// Whether this request was handled last.
    pub(crate) fn has_handled(&self, key: &Key, request: &str) -> bool {
        lock(&self.notes).get(key).is_some_and(|notes| notes.handled.as_deref() == Some(request))
    }

    /// Whether nothing was told yet of what the resource is rendered from; it is told now.
    pub(crate) fn is_first_look(&self, key: &Key, inputs: Digest) -> bool {
        self.note(key, |notes| notes.told.replace(inputs)) != Some(inputs)
    }

    /// Whether the resource was compared with what the API server has.
    pub(crate) fn is_confirmed(&self, key: &Key, uid: &str) -> bool {
        lock(&self.notes).get(key).is_some_and(|notes| notes.confirmed.as_deref() == Some(uid))
    }

    /// The resource is what the API server has.
    pub(crate) fn confirm(&self, key: &Key, uid: &str) {
        self.note(key, |notes| notes.confirmed = Some(uid.to_owned()));
    }

    /// Whose doing it is that the resource is looked at next.
    pub fn caused(&self, key: &Key, by: By) {
        self.note(key, |notes| notes.causes.add(by));
    }

    /// A pass begins; gives how long the resource is left alone instead, if it is.
    pub(crate) fn begin(&self, key: &Key) -> Option<Duration> {
        self.note(key, |notes| notes.causes.begin(tokio::time::Instant::now()))
    }

    /// How far the phases of its chart's policy are.
    pub(crate) fn course(&self, key: &Key) -> Course {
        lock(&self.notes).get(key).map(|notes| notes.course.clone()).unwrap_or_default()
    }

    /// Notes how far the phases are.
    pub(crate) fn keep_course(&self, key: &Key, course: Course) {
        self.note(key, |notes| notes.course = course);
    }

    pub(crate) fn forget(&self, key: &Key) {
        lock(&self.notes).remove(key);
    }

    fn note<T>(&self, key: &Key, note: impl FnOnce(&mut Notes) -> T) -> T {
        note(lock(&self.notes).entry(key.clone()).or_default())
    }
}

/// What is remembered of a resource: enough to see that nothing has changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memo {
    /// UID of the resource: one of the same name may come after it.
    pub(crate) uid: String,
    /// Digest of what the recorded revision was rendered from; `None` where it is not carried out completely.
    pub(crate) inputs: Option<Digest>,
    /// Digest of what the revision that runs was rendered from.
    pub(crate) recorded: Option<Digest>,
    /// What was sent of each object and how it came back.
    pub(crate) applied: BTreeMap<ObjectId, Applied>,
    /// What somebody changed or deleted of that and what stays so.
    pub(crate) drifts: Drifts,
    /// The kinds of those objects.
    pub(crate) kinds: BTreeSet<Gvk>,
    /// What records of the release there are.
    pub(crate) history: History,
    /// The record that tells what is taken over, where somebody else wrote it.
    pub(crate) former: Option<u32>,
    /// UID of the resource for which that was written, if it was by us.
    pub(crate) former_uid: Option<String>,
    /// Whether somebody deleted an object of it, who may have deleted its record too.
    pub(crate) doubted: bool,
    /// The NOTES of the recorded revision, from its render until the status holds them.
    pub(crate) notes: Option<String>,
    /// Whether rendering it again gives something else: the record is then where its objects come from.
    pub(crate) changes_by_itself: bool,
    /// What failed last, and what follows from that.
    pub(crate) failed: Option<Failed>,
    /// The revision that is on its way, if it has a record.
    pub(crate) under_way: Option<UnderWay>,
    /// What the last render asked, beside what is in `inputs`.
    pub(crate) trace: Trace,
    /// Digest of what the latest record holds: manifest, values and chart.
    pub(crate) output: Option<Digest>,
    /// What was rendered where that cannot be had again and no record holds it.
    pub(crate) kept: Option<Arc<Kept>>,
    /// What a chart with a policy rendered last.
    pub(crate) at_hand: Option<Arc<AtHand>>,
    /// What is looked at beside what the last render looked up: objects that are observed or patched, or in the way.
    pub(crate) beside: Arc<BTreeSet<Lookup>>,
    /// `.Previous`, where the chart asks for it.
    pub(crate) previous: Option<Previous>,
    /// What the chart asked to render its status.
    pub(crate) told_by: Trace,
    /// What else the status was made of.
    pub(crate) told: Option<Digest>,
    /// Why the last render failed: it is not tried again before something else is asked for.
    pub(crate) unrendered: Option<Arc<Unrendered>>,
}

impl Memo {
    /// Whether it was made of no record because the resource had no finalizer.
    pub(crate) fn is_provisional(&self) -> bool {
        self.unrendered.as_ref().is_some_and(|unrendered| unrendered.unclaimed)
    }

    /// The revision that runs; 0 where there is none.
    pub(crate) fn revision(&self) -> u32 {
        self.history.deployed().unwrap_or(0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Only single inserts and removes are done under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
