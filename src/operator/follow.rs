//! One watch of one kind, kept going: list, follow, and start over after an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use kube::Api;
use kube::core::DynamicObject;
use kube::runtime::watcher::{self, Event, watcher};
use rand::RngExt as _;
use tokio::sync::watch;

use crate::cluster::Cluster;
use crate::diagnostic::chain;
use crate::reconcile::WatchState;

/// How long the server keeps one watch open, in seconds. A connection that died silently is noticed after this time plus 5 s.
const WATCH_SECONDS: u32 = 60;

/// Objects per page where the server has no streaming lists: whole objects, so few at a time.
const PAGE: u32 = 100;

const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// Takes what a watch shows.
pub(crate) trait Follower: Send {
    /// A list begins: what it does not show again is gone.
    fn listing(&mut self);
    /// An object, as it is now.
    fn applied(&mut self, object: DynamicObject);
    /// An object is gone, or no longer selected.
    fn deleted(&mut self, object: DynamicObject);
    /// The list is complete.
    fn listed(&mut self);
}

/// Whether the server streams lists; learnt from its first refusal, for all watches.
#[derive(Clone, Debug)]
pub(crate) struct Streaming(Arc<AtomicBool>);

impl Default for Streaming {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Streaming {
    fn config(&self, followed: &Followed) -> watcher::Config {
        let config = watcher::Config::default().timeout(WATCH_SECONDS);
        let config = followed.labels.iter().fold(config, |config, labels| config.labels(labels));
        let config = followed.fields.iter().fold(config, |config, fields| config.fields(fields));
        if self.0.load(Ordering::Relaxed) { config.streaming_lists() } else { config.page_size(PAGE) }
    }

    /// Notes a refusal that means "no streaming lists here". `true` if that is what `error` is.
    fn refused_by(&self, error: &watcher::Error) -> bool {
        let watcher::Error::WatchStartFailed(kube::Error::Api(status)) = error else { return false };
        matches!(status.code, 400 | 422) && self.0.swap(false, Ordering::Relaxed)
    }
}

/// What is followed.
pub(crate) struct Followed {
    /// Counts what is forbidden.
    pub(crate) cluster: Cluster,
    pub(crate) api: Api<DynamicObject>,
    pub(crate) labels: Option<String>,
    /// A selector of fields.
    pub(crate) fields: Option<String>,
    /// For the log, such as `apps/v1 Deployment`.
    pub(crate) source: String,
    pub(crate) streaming: Streaming,
}

/// Follows until the kind is no longer served or nobody holds the other end of `state`.
pub(crate) async fn follow(followed: Followed, mut follower: impl Follower, state: watch::Sender<WatchState>) {
    let mut backoff = FIRST_BACKOFF;
    while !state.is_closed() {
        let error = tokio::select! {
            error = until_error(&followed, &mut follower, &state) => error,
            () = state.closed() => return,
        };
        if *state.borrow() == WatchState::Synced {
            backoff = FIRST_BACKOFF;
        }
        let Some(error) = error else { continue };
        if followed.streaming.refused_by(&error) {
            continue;
        }
        if let Some(status) = answer(&error) {
            followed.cluster.count_forbidden(status);
        }
        if is_not_served(&error) {
            tracing::warn!(target: "operator.watch", source = followed.source, "Kind is no longer served");
            return;
        }
        report(&followed.source, &error, &state);
        let jitter: f64 = rand::rng().random_range(0.8..1.2);
        tokio::time::sleep(backoff.mul_f64(jitter)).await;
        backoff = (backoff * 2).min(MAX_BACKOFF);
    }
}

/// Follows one stream to its first error. It is then thrown away: kube would resume silently, and nobody would learn that
/// the watch works again.
async fn until_error(
    followed: &Followed,
    follower: &mut impl Follower,
    state: &watch::Sender<WatchState>,
) -> Option<watcher::Error> {
    let config = followed.streaming.config(followed);
    let mut events = std::pin::pin!(watcher(followed.api.clone(), config));
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => follower.listing(),
            Ok(Event::InitApply(object) | Event::Apply(object)) => follower.applied(object),
            Ok(Event::Delete(object)) => follower.deleted(object),
            Ok(Event::InitDone) => {
                follower.listed();
                if matches!(*state.borrow(), WatchState::Failing(_)) {
                    tracing::info!(target: "operator.watch", source = followed.source, "Watch works again");
                }
                state.send_replace(WatchState::Synced);
            }
            Err(error) => return Some(error),
        }
    }
    None
}

fn is_not_served(error: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, WatchStartFailed};
    match error {
        InitialListFailed(kube::Error::Api(status)) | WatchStartFailed(kube::Error::Api(status)) => status.code == 404,
        _ => false,
    }
}

/// One line per change of state, however often it fails.
fn report(source: &str, error: &watcher::Error, state: &watch::Sender<WatchState>) {
    let message = message(error);
    if !matches!(*state.borrow(), WatchState::Failing(_)) {
        // "Too many requests" is said also while there is no storage yet for a kind that was defined a moment ago.
        if answer(error).is_some_and(|status| status.code == 429) {
            tracing::info!(target: "operator.watch", source, error = message, "Watch has to wait");
        } else {
            tracing::error!(target: "operator.watch", source, error = message, "Watch failed");
        }
    }
    state.send_replace(WatchState::Failing(message));
}

/// The API server's own words where it gave any: kube prints its whole answer, twice.
fn message(error: &watcher::Error) -> String {
    answer(error).map_or_else(|| chain(error), |status| status.message.clone())
}

/// What the API server answered, if that is what went wrong.
fn answer(error: &watcher::Error) -> Option<&kube::core::Status> {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        WatchError(status)
        | InitialListFailed(kube::Error::Api(status))
        | WatchStartFailed(kube::Error::Api(status))
        | WatchFailed(kube::Error::Api(status)) => Some(status),
        _ => None,
    }
}
