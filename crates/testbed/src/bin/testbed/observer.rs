//! An independent client that watches a namespace: what is there, and when each change was seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{Api, DynamicObject};
use kube::core::ApiResource;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Kind and name: within the one namespace that is watched.
pub(crate) type Id = (String, String);

/// One thing that was seen to happen.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// When the event arrived here.
    pub(crate) at: Instant,
    /// What changed.
    pub(crate) id: Id,
    /// Its uid.
    pub(crate) uid: String,
    /// Its resource version: a later one is greater.
    pub(crate) version: u64,
    /// Whether it is gone.
    pub(crate) gone: bool,
}

/// What is there.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The objects by kind and name.
    pub(crate) objects: BTreeMap<Id, DynamicObject>,
    /// When the object of this name that is there now was first seen.
    pub(crate) since: BTreeMap<Id, Instant>,
    /// Everything that happened, in order.
    pub(crate) changes: Vec<Change>,
}

impl Seen {
    /// An object.
    pub(crate) fn object(&self, kind: &str, name: &str) -> Option<&DynamicObject> {
        self.objects.get(&(kind.to_owned(), name.to_owned()))
    }

    fn apply(&mut self, kind: &str, object: DynamicObject) {
        let id = (kind.to_owned(), object.name_any());
        let uid = object.uid().unwrap_or_default();
        let at = Instant::now();
        if self.objects.get(&id).and_then(DynamicObject::uid).as_ref() != Some(&uid) {
            self.since.insert(id.clone(), at);
        }
        let version = version(&object);
        self.changes.push(Change { at, id: id.clone(), uid, version, gone: false });
        self.objects.insert(id, object);
    }

    fn delete(&mut self, kind: &str, object: &DynamicObject) {
        let id = (kind.to_owned(), object.name_any());
        self.objects.remove(&id);
        self.since.remove(&id);
        let uid = object.uid().unwrap_or_default();
        self.changes.push(Change { at: Instant::now(), id, uid, version: version(object), gone: true });
    }
}

/// The number of an object's resource version.
pub(crate) fn version(object: &DynamicObject) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}

/// The watching client. Dropping it ends its watches.
pub(crate) struct Observer {
    seen: Arc<Mutex<Seen>>,
    changed: watch::Receiver<u64>,
    _watches: JoinSet<()>,
}

impl Observer {
    /// Watches these kinds in a namespace.
    pub(crate) fn start(client: &Client, namespace: &str, kinds: &[ApiResource]) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (sender, changed) = watch::channel(0);
        let mut watches = JoinSet::new();
        for kind in kinds {
            let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, kind);
            watches.spawn(follow(api, kind.kind.clone(), Arc::clone(&seen), sender.clone()));
        }
        Self { seen, changed, _watches: watches }
    }

    /// What is there now.
    pub(crate) fn now(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// Waits for the next change.
    pub(crate) async fn change(&mut self) {
        // An error means that every watch has ended, which only dropping does.
        self.changed.changed().await.ok();
    }

    /// Looks after every change until `probe` finds what it looks for.
    ///
    /// # Errors
    /// It is not there in time; `what` says what was expected.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        deadline: Duration,
        mut probe: impl FnMut(&Seen) -> Option<T>,
    ) -> Result<T> {
        let mut changed = self.changed.clone();
        let end = tokio::time::Instant::now() + deadline;
        loop {
            changed.mark_unchanged();
            if let Some(found) = probe(&self.now()) {
                return Ok(found);
            }
            if tokio::time::timeout_at(end, changed.changed()).await.is_err() {
                bail!("expected within {} s: {what}", deadline.as_secs());
            }
        }
    }
}

async fn follow(api: Api<DynamicObject>, kind: String, seen: Arc<Mutex<Seen>>, changed: watch::Sender<u64>) {
    let mut events = watcher(api, Config::default()).default_backoff().boxed();
    loop {
        // An error is followed by a new attempt: what it hides is not seen in time, and that is told.
        let Ok(event) = events.try_next().await else { continue };
        match event {
            Some(Event::Apply(object) | Event::InitApply(object)) => lock(&seen).apply(&kind, object),
            Some(Event::Delete(object)) => lock(&seen).delete(&kind, &object),
            Some(Event::Init | Event::InitDone) => continue,
            None => return,
        }
        changed.send_modify(|number| *number += 1);
    }
}

/// A panic while it was held leaves nothing half done.
fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
