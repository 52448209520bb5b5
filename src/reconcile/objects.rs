//! What is known of the objects that resources own: digests and readiness, computed when an event or an answer brings an
//! object, which is then dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::reconcile::compact::Compact;
use crate::reconcile::resource::is_newer;
use serde_json::Value as Json;

use crate::policy::Probes;
use crate::readiness::cause::may_have_cause;
use crate::readiness::{Readiness, Status, readiness};
use crate::release::action::job::progress;
use crate::release::plan::{Applied, Live};
use crate::release::prepare::is_kept;
use crate::release::{Digest, FIELD_MANAGER, ObjectId, projection};

/// The set an object belongs to: the value of its `applyset.kubernetes.io/part-of` label.
pub(crate) type SetId = Arc<str>;

/// What is kept of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Its identity and the digest of what we own of it.
    pub live: Live,
    /// Whether it does what it is for.
    pub readiness: Readiness,
    /// Whether there may be more to tell of it than it says itself.
    pub may_have_cause: bool,
}

/// What is kept of `object`, judged by `probes` where its chart gives any.
fn judged(object: &Json, probes: Option<&Probes>) -> Known {
    let Some(probes) = probes else { return known(object) };
    let messages = probes.judge(object);
    let status = if messages.is_empty() { Status::Current } else { Status::InProgress };
    let readiness = Readiness { status, message: messages.join(", ") };
    // The probes are all that its chart wants to be told.
    Known { readiness, may_have_cause: false, ..known(object) }
}

/// What is kept of `object`.
pub fn known(object: &Json) -> Known {
    let metadata = |field: &str| object.pointer("/metadata").and_then(|metadata| metadata.get(field));
    let text = |field| metadata(field).and_then(Json::as_str).unwrap_or_default().to_owned();
    let live = Live {
        uid: text("uid"),
        resource_version: text("resourceVersion"),
        projection: projection::digest(object, FIELD_MANAGER),
        keep: is_kept(object),
        deleting: metadata("deletionTimestamp").is_some(),
        action: progress(object),
    };
    Known { live, readiness: readiness(Some(object)), may_have_cause: may_have_cause(object) }
}

impl Known {
    /// Whether it is as it was sent and answered.
    pub(crate) fn is(&self, applied: &Applied) -> bool {
        self.live.uid == applied.uid && self.live.projection == Some(applied.projection) && !self.live.deleting
    }

    /// Whether both are in the same state: only the version differs.
    fn is_same_state(&self, other: &Self) -> bool {
        let Live { uid, resource_version: _, projection, keep, deleting, action } = &self.live;
        (uid, projection, keep, deleting) == (&other.live.uid, &other.live.projection, &other.live.keep, &other.live.deleting)
            && *action == other.live.action
            && self.readiness.status == other.readiness.status
            // What is ready says so in many words, of which none is kept.
            && (self.readiness.is_current() || self.readiness.message == other.readiness.message)
    }
}

/// Objects by the set they belong to.
#[derive(Debug, Default)]
pub struct Objects(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    sets: BTreeMap<SetId, Vec<Compact>>,
    /// By digest of the id.
    owner: BTreeMap<Digest, SetId>,
    /// What ready means for the objects of a set whose chart says so.
    probes: BTreeMap<SetId, Arc<Probes>>,
    /// Objects that were judged before that was known.
    unjudged: BTreeSet<ObjectId>,
    /// Sets that would like to have an object which another one has.
    wanted: BTreeMap<ObjectId, BTreeSet<SetId>>,
}

impl Objects {
    /// Takes what a watch, or the answer to a call, shows of an object. Gives the sets for which that is news.
    pub fn observe(&self, id: &ObjectId, set: &str, object: &Json) -> Vec<SetId> {
        let probes = self.lock().probes.get(set).cloned();
        self.take(id, set, &judged(object, probes.as_deref()))
    }

    /// What ready means for the objects of `set` from now on. Those of `ids` that were judged by something else have to be
    /// read again.
    pub(crate) fn judge_by<'a>(
        &self,
        set: &SetId,
        probes: Option<&Arc<Probes>>,
        ids: impl Iterator<Item = &'a ObjectId>,
    ) {
        let mut state = self.lock();
        if state.probes.get(set) == probes {
            return;
        }
        match probes {
            Some(probes) => drop(state.probes.insert(Arc::clone(set), Arc::clone(probes))),
            None => drop(state.probes.remove(set)),
        }
        state.unjudged.extend(ids.cloned());
    }

    /// Whether what is known of an object still has to be judged.
    pub(crate) fn is_unjudged(&self, id: &ObjectId) -> bool {
        self.lock().unjudged.contains(id)
    }

    fn take(&self, object_id: &ObjectId, set: &str, new: &Known) -> Vec<SetId> {
        let mut state = self.lock();
        let id = object_id.to_string();
        let unjudged = state.unjudged.contains(object_id);
        let known_owner = state.owner(&id);
        let known = known_owner.as_ref().and_then(|owner| state.known(&id, owner));
        if known.as_ref().is_some_and(|known| {
            let (version, known_version) = (&new.live.resource_version, &known.live.resource_version);
            let is_news = is_newer(version, known_version) || (unjudged && version == known_version);
            known.live.uid == new.live.uid && !is_news
        }) {
            return Vec::new();
        }
        state.unjudged.remove(object_id);
        let same_owner = known_owner.as_deref() == Some(set);
        let news = !same_owner || known.is_none_or(|known| !known.is_same_state(new));
        let mut woken = Vec::new();
        if let Some(former) = &known_owner {
            state.take(&id, former);
        }
        woken.extend(known_owner.filter(|_| !same_owner));
        let set: SetId = state.sets.get_key_value(set).map_or_else(|| set.into(), |(set, _)| Arc::clone(set));
        state.put(&id, &set, new);
        if news {
            woken.push(set);
        }
        woken
    }

    /// An object is gone, or no longer labelled as ours. `version` is the one the event carried: what is known to be newer
    /// stays; `None` where a list did not show it. Gives the sets for which that is news.
    pub fn lose(&self, id: &ObjectId, version: Option<&str>) -> Vec<SetId> {
        let mut state = self.lock();
        let text = id.to_string();
        let Some(owner) = state.owner(&text) else { return state.waiting_for(id) };
        let known = state.known(&text, &owner);
        let is_stale = |version| known.as_ref().is_some_and(|known| is_newer(&known.live.resource_version, version));
        if version.is_some_and(is_stale) {
            return Vec::new();
        }
        state.take(&text, &owner);
        let mut woken = state.waiting_for(id);
        woken.push(owner);
        woken
    }

    /// `set` would like to have an object that belongs to somebody else: wake it when that one goes.
    pub fn want(&self, id: &ObjectId, set: &SetId) {
        self.lock().wanted.entry(id.clone()).or_default().insert(Arc::clone(set));
    }

    /// What is known to belong to `set`.
    pub fn of(&self, set: &str) -> BTreeMap<ObjectId, Known> {
        let state = self.lock();
        let objects = state.sets.get(set).into_iter().flatten();
        objects.filter_map(|object| Some((object.object_id()?, object.known()))).collect()
    }

    /// The set that `id` belongs to.
    pub(crate) fn owner(&self, id: &ObjectId) -> Option<SetId> {
        self.lock().owner(&id.to_string())
    }

    /// Objects for which `matches` holds, with their sets: what a new list of a watch has to show again.
    pub fn matching(&self, matches: impl Fn(&ObjectId) -> bool) -> Vec<ObjectId> {
        let state = self.lock();
        state.sets.values().flatten().filter_map(Compact::object_id).filter(|id| matches(id)).collect()
    }

    /// Forgets what `set` would like to have, and what ready means for it, when its resource is gone.
    pub fn forget_wishes(&self, set: &str) {
        let mut state = self.lock();
        state.probes.remove(set);
        state.wanted.retain(|_, sets| {
            sets.remove(set);
            !sets.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change keeps `sets` and `owner` in step before anything could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn owner(&self, id: &str) -> Option<SetId> {
        self.owner.get(&Digest::of(id)).cloned()
    }

    fn known(&self, id: &str, owner: &SetId) -> Option<Known> {
        self.sets.get(owner)?.iter().find(|object| object.id() == id).map(Compact::known)
    }

    fn put(&mut self, id: &str, set: &SetId, known: &Known) {
        let objects = self.sets.entry(Arc::clone(set)).or_default();
        objects.reserve_exact(1);
        objects.push(Compact::new(id, known));
        self.owner.insert(Digest::of(id), Arc::clone(set));
    }

    fn take(&mut self, id: &str, owner: &SetId) {
        self.owner.remove(&Digest::of(id));
        if let Some(objects) = self.sets.get_mut(owner) {
            objects.retain(|object| object.id() != id);
            if objects.is_empty() {
                self.sets.remove(owner);
            }
        }
    }

    fn waiting_for(&mut self, id: &ObjectId) -> Vec<SetId> {
        self.wanted.remove(id).into_iter().flatten().collect()
    }
}
