//! The controllers at work, one for each watch, kept as the catalog says while it changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::catalog::{Catalog, Entry};
use crate::operator::controller::{self, Station};
use crate::operator::{API_SERVER, stopped};
use crate::watches::Gvk;

/// The controllers at work.
pub(crate) struct Fleet {
    station: Arc<Station>,
    members: BTreeMap<Gvk, Member>,
    /// Controllers that were told to stop and finish their passes.
    leaving: BTreeMap<Gvk, JoinHandle<()>>,
}

struct Member {
    entries: watch::Sender<Arc<Entry>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Fleet {
    pub(crate) fn new(station: Station) -> Self {
        Self { station: Arc::new(station), members: BTreeMap::new(), leaving: BTreeMap::new() }
    }

    /// Keeps a controller for each entry until `stop`; passes under way are then finished.
    pub(crate) async fn run(mut self, mut catalogs: watch::Receiver<Arc<Catalog>>, stop: watch::Receiver<bool>) {
        loop {
            let catalog = Arc::clone(&catalogs.borrow_and_update());
            self.take(&catalog);
            self.station.gate.ready(API_SERVER);
            let told = async { catalogs.changed().await.is_ok() };
            tokio::select! {
                // Whoever followed the files is gone; what is known of them stays in force.
                told = told => if !told { break stopped(stop).await },
                () = stopped(stop.clone()) => break,
            }
        }
        for gvk in self.members.keys().cloned().collect::<Vec<_>>() {
            self.dismiss(&gvk);
        }
        // A controller that panicked has said so.
        let _finished = futures::future::join_all(self.leaving.into_values()).await;
    }

    /// Starts, stops and informs controllers, so that there is one for each entry.
    fn take(&mut self, catalog: &Catalog) {
        let gone = |gvk: &&Gvk| !catalog.entries.iter().any(|entry| entry.watch.gvk == **gvk);
        for gvk in self.members.keys().filter(gone).cloned().collect::<Vec<_>>() {
            tracing::info!(target: "helm.controller", gvk = %gvk, "Watch is gone, its resources are left as they are");
            self.dismiss(&gvk);
        }
        self.leaving.retain(|_, task| !task.is_finished());
        for entry in &catalog.entries {
            match self.members.get(&entry.watch.gvk) {
                Some(member) => drop(member.entries.send_if_modified(|known| renew(known, entry))),
                None => self.start(entry),
            }
        }
    }

    fn start(&mut self, entry: &Arc<Entry>) {
        self.station.gate.not_ready(&controller::check(&entry.watch.gvk), "it is asked whether the kind is served");
        let (entries, news) = watch::channel(Arc::clone(entry));
        let (stop, stopping) = watch::channel(false);
        let (station, former) = (Arc::clone(&self.station), self.leaving.remove(&entry.watch.gvk));
        let task = tokio::spawn(async move {
            if let Some(former) = former {
                // Passes of the one before may be under way: no resource has two at once.
                let _finished = former.await;
            }
            controller::run(&station, news, stopping).await;
        });
        self.members.insert(entry.watch.gvk.clone(), Member { entries, stop, task });
    }

    fn dismiss(&mut self, gvk: &Gvk) {
        if let Some(member) = self.members.remove(gvk) {
            member.stop.send_replace(true);
            self.leaving.insert(gvk.clone(), member.task);
        }
    }
}

fn renew(known: &mut Arc<Entry>, entry: &Arc<Entry>) -> bool {
    let changed = !Arc::ptr_eq(known, entry);
    *known = Arc::clone(entry);
    changed
}
