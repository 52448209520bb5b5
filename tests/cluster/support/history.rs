//! Every state that an object has been in, as a client saw it that watched from the beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures::{StreamExt as _, TryStreamExt as _};
use kube::ResourceExt as _;
use kube::api::{Api, DynamicObject};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, Event, watcher};
use serde_json::Value as Json;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Objects of one kind, by name; none where one is gone.
type Moment = BTreeMap<String, Json>;

/// What was there after each event.
pub(crate) struct History {
    moments: Arc<Mutex<Vec<Moment>>>,
    _watch: JoinSet<()>,
}

impl History {
    /// Watches all objects of the kind, and returns when it knows those that are there.
    pub(crate) async fn of(api: Api<DynamicObject>) -> Self {
        let moments = Arc::new(Mutex::new(vec![Moment::new()]));
        let (listed, begun) = oneshot::channel();
        let mut watch = JoinSet::new();
        watch.spawn(follow(api, Arc::clone(&moments), listed));
        begun.await.unwrap();
        Self { moments, _watch: watch }
    }

    /// How many moments there are so far.
    pub(crate) fn len(&self) -> usize {
        self.moments.lock().unwrap().len()
    }

    /// The moments from that one on, itself included, at which `fault` finds something, and what.
    pub(crate) fn faults(&self, from: usize, fault: impl Fn(&Moment) -> Option<String>) -> Vec<String> {
        self.moments.lock().unwrap()[from..].iter().filter_map(fault).collect()
    }

    /// What `read` finds in the states of one object from that moment on, repetitions left out.
    pub(crate) fn of_object<T: PartialEq>(&self, from: usize, name: &str, read: impl Fn(&Json) -> T) -> Vec<T> {
        let moments = self.moments.lock().unwrap();
        let mut found: Vec<T> = moments[from..].iter().filter_map(|moment| moment.get(name)).map(read).collect();
        found.dedup();
        found
    }

    /// What `read` finds in all objects that there ever were, each once.
    pub(crate) fn all<T: Ord>(&self, read: impl Fn(&Json) -> T) -> Vec<T> {
        let moments = self.moments.lock().unwrap();
        let found: BTreeSet<T> = moments.iter().flat_map(BTreeMap::values).map(read).collect();
        found.into_iter().collect()
    }
}

async fn follow(api: Api<DynamicObject>, moments: Arc<Mutex<Vec<Moment>>>, listed: oneshot::Sender<()>) {
    let mut listed = Some(listed);
    let mut events = watcher(api, Config::default()).default_backoff().boxed();
    loop {
        let Ok(event) = events.try_next().await else { continue };
        let mut moments = moments.lock().unwrap();
        let mut next = moments.last().cloned().unwrap_or_default();
        match event {
            Some(Event::Apply(object) | Event::InitApply(object)) => {
                next.insert(object.name_any(), serde_json::to_value(object).unwrap());
            }
            Some(Event::Delete(object)) => drop(next.remove(&object.name_any())),
            Some(Event::InitDone) => drop(listed.take().map(|listed| listed.send(()))),
            Some(Event::Init) => {}
            None => return,
        }
        moments.push(next);
    }
}
