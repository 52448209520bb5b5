//! Follows `watches.yaml` and its charts on disk. What an event says is not believed: everything is read again, and what is
//! equal stays what it was. What cannot be read leaves the last good catalog in place.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::catalog::paths::Directories;
use crate::catalog::{Catalog, Error, Source};
use crate::metrics::{Metrics, Outcome, Reload};

/// For how long nothing may change before it is read: an edit is many events.
const QUIET: Duration = Duration::from_millis(100);

/// How long changes without a pause are waited out.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is read where the system tells nothing of changes.
const POLL: Duration = Duration::from_secs(10);

/// Follows `source`, and puts each catalog that differs from the one before into `catalogs`. Ends when nobody listens.
pub async fn follow(source: Source, catalogs: watch::Sender<Arc<Catalog>>, metrics: Metrics) {
    metrics.catalog_loaded(Timestamp::now().as_second());
    let mut fault = None;
    let mut charts: BTreeSet<PathBuf> = BTreeSet::new();
    while !catalogs.is_closed() {
        // Watched before it is read: what changes meanwhile is read once more.
        let changes = Changes::of(&source, &charts);
        let former = Arc::clone(&catalogs.borrow());
        let reader = (source.clone(), Arc::clone(&former));
        let read = tokio::task::spawn_blocking(move || (reader.0.charts(), reader.0.reload(&reader.1))).await;
        let Ok((named, read)) = read else {
            // A bug of ours in reading these files; the panic hook has told where.
            changes.next().await;
            continue;
        };
        let news = news(&former, read, &mut fault);
        tell(&source, news.as_ref(), &metrics);
        if let Some(Ok(catalog)) = news {
            catalogs.send_replace(Arc::new(catalog));
        }
        match named {
            Some(named) if named != charts => charts = named,
            _ => changes.next().await,
        }
    }
}

/// What a reading tells that the one before did not: another catalog, or another fault. The first good one after a fault is
/// news too.
fn news(former: &Catalog, read: Result<Catalog, Error>, fault: &mut Option<String>) -> Option<Result<Catalog, Error>> {
    match read {
        Ok(catalog) => (fault.take().is_some() || !catalog.is_same(former)).then_some(Ok(catalog)),
        Err(error) => {
            let text = error.to_string();
            (fault.replace(text.clone()) != Some(text)).then_some(Err(error))
        }
    }
}

fn tell(source: &Source, news: Option<&Result<Catalog, Error>>, metrics: &Metrics) {
    let path = source.path().display().to_string();
    match news {
        None => {}
        Some(Ok(catalog)) => {
            metrics.catalog_reloads.get_or_create(&Reload { result: Outcome::Success }).inc();
            metrics.catalog_loaded(Timestamp::now().as_second());
            tracing::info!(target: "cmd", path, "Watches and charts read again");
            catalog.warnings.iter().for_each(|warning| tracing::warn!(target: "cmd", "{warning}"));
        }
        Some(Err(error)) => {
            metrics.catalog_reloads.get_or_create(&Reload { result: Outcome::Error }).inc();
            metrics.catalog_in_force.set(0);
            let faults = error.faults.len();
            tracing::error!(target: "cmd", path, faults, error = %error,
                "Watches and charts are faulty, the last good ones stay in force");
        }
    }
}

/// Tells that something has changed on disk.
struct Changes {
    changed: Arc<Notify>,
    /// None where the system tells nothing.
    watcher: Option<RecommendedWatcher>,
}

impl Changes {
    fn of(source: &Source, charts: &BTreeSet<PathBuf>) -> Self {
        let mut directories = Directories::default();
        directories.add_file(source.path());
        for chart in charts {
            directories.add_chart(chart);
        }
        let changed = Arc::new(Notify::new());
        let watcher = watcher(Arc::clone(&changed), &directories);
        let watcher = watcher.inspect_err(|error| {
            tracing::warn!(target: "cmd", error = %error, "Changes on disk are not told, they are looked for instead");
        });
        Self { changed, watcher: watcher.ok() }
    }

    /// Waits for a change, and until no more follow.
    async fn next(self) {
        if self.watcher.is_none() {
            return tokio::time::sleep(POLL).await;
        }
        self.changed.notified().await;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && tokio::time::timeout(QUIET, self.changed.notified()).await.is_ok() {}
    }
}

fn watcher(changed: Arc<Notify>, directories: &Directories) -> Result<RecommendedWatcher, notify::Error> {
    let gone = Arc::clone(&changed);
    let mut watcher = notify::recommended_watcher(move |event: Result<notify::Event, notify::Error>| {
        if event.is_ok_and(|event| is_only_a_look(event.kind)) {
            return;
        }
        changed.notify_one();
    })?;
    let flat = directories.flat.iter().map(|path| (path, RecursiveMode::NonRecursive));
    let deep = directories.deep.iter().map(|path| (path, RecursiveMode::Recursive));
    for (path, mode) in flat.chain(deep) {
        match watcher.watch(path, mode) {
            // It has gone since: a change.
            Err(_) if !path.exists() => gone.notify_one(),
            watched => watched?,
        }
    }
    Ok(watcher)
}

/// Whether nothing was written. We look at these files ourselves.
fn is_only_a_look(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}
