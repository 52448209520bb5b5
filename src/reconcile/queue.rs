//! The work queue of one watch: each resource at most once, at the earliest time anybody asked for, never twice at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::metrics;

/// The first pause after a failure; doubled with each further one.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);

/// The longest pause between two tries.
const MAX_BACKOFF: Duration = Duration::from_mins(1);

/// When, and how, a key is worked on again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Only when somebody asks.
    WhenAsked,
    /// At the latest after this time.
    After(Duration),
    /// It failed: after a pause that grows with each failure in a row.
    Backoff,
    /// As [`Again::Backoff`], and not before this time, at most [`MAX_BACKOFF`], is over.
    NotBefore(Duration),
}

impl Again {
    /// After a failure of which the API server said, or did not say, how long to leave it alone.
    pub(crate) fn after_failure(asked: Option<Duration>) -> Self {
        asked.map_or(Self::Backoff, Self::NotBefore)
    }

    /// As it is, and at the latest after `time`.
    pub(crate) fn within(self, time: Duration) -> Self {
        match self {
            Self::After(other) => Self::After(other.min(time)),
            Self::WhenAsked => Self::After(time),
            failure => failure,
        }
    }

    fn is_failure(self) -> bool {
        matches!(self, Self::Backoff | Self::NotBefore(_))
    }
}

/// Keys waiting for their time.
#[derive(Debug)]
pub struct Queue<K> {
    state: Mutex<State<K>>,
    changed: Notify,
    metrics: Option<metrics::Controller>,
}

#[derive(Debug)]
struct State<K> {
    /// When each waiting key is due. Few thousand keys at most: the earliest is found by `order`.
    due: BTreeMap<K, Instant>,
    order: BTreeSet<(Instant, K)>,
    running: BTreeMap<K, Running>,
    failures: BTreeMap<K, u32>,
    closed: bool,
}

/// A key that is being worked on.
#[derive(Debug)]
struct Running {
    since: Instant,
    /// When it is due again, if somebody asked meanwhile.
    again: Option<Instant>,
}

impl<K: Ord + Clone> Default for Queue<K> {
    fn default() -> Self {
        let state = State {
            due: BTreeMap::new(),
            order: BTreeSet::new(),
            running: BTreeMap::new(),
            failures: BTreeMap::new(),
            closed: false,
        };
        Self { state: Mutex::new(state), changed: Notify::new(), metrics: None }
    }
}

impl<K: Ord + Clone> Queue<K> {
    /// An empty queue that counts what happens in it.
    pub fn counted(metrics: metrics::Controller) -> Self {
        Self { metrics: Some(metrics), ..Self::default() }
    }

    /// Asks for `key` now.
    pub fn add(&self, key: K) {
        self.add_at(key, Instant::now());
    }

    /// Asks for `key` at `time`; an earlier time asked for before stands.
    pub fn add_at(&self, key: K, time: Instant) {
        let mut state = self.state();
        self.schedule(&mut state, key, time);
        drop(state);
        self.changed.notify_one();
    }

    /// Whether somebody works on `key` right now.
    pub fn is_running(&self, key: &K) -> bool {
        self.state().running.contains_key(key)
    }

    /// How many keys are due and wait for a worker.
    pub fn depth(&self) -> usize {
        let now = Instant::now();
        self.state().order.iter().take_while(|(time, _)| *time <= now).count()
    }

    /// Sets what is true of this moment only: depth and the ages of the passes under way.
    pub fn sample(&self) {
        let Some(metrics) = &self.metrics else { return };
        metrics.queue_depth.set(i64::try_from(self.depth()).unwrap_or(i64::MAX));
        let state = self.state();
        let ages = || state.running.values().map(|running| running.since.elapsed());
        metrics.unfinished_work.set(ages().sum::<Duration>().as_secs_f64());
        metrics.longest_running.set(ages().max().unwrap_or_default().as_secs_f64());
    }

    fn schedule(&self, state: &mut State<K>, key: K, time: Instant) {
        let added = state.schedule(key, time);
        if let Some(metrics) = self.metrics.as_ref().filter(|_| added) {
            metrics.queue_adds.inc();
            if time > Instant::now() {
                metrics.queue_retries.inc();
            }
        }
    }

    /// The next key that is due, waited for. `None` once the queue is closed. The caller must say [`Queue::done`].
    pub async fn next(&self) -> Option<K> {
        loop {
            let earliest = {
                let mut state = self.state();
                if state.closed {
                    // Whoever waits beside us must learn it too.
                    self.changed.notify_one();
                    return None;
                }
                let now = Instant::now();
                match state.take_due(now) {
                    Ok((key, due)) => {
                        if let Some(metrics) = &self.metrics {
                            metrics.queue_duration.observe((now - due).as_secs_f64());
                        }
                        self.changed.notify_one();
                        return Some(key);
                    }
                    Err(earliest) => earliest,
                }
            };
            match earliest {
                Some(time) => tokio::select! {
                    () = tokio::time::sleep_until(time) => {}
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    /// `key` has been worked on; asks that came meanwhile count.
    pub fn done(&self, key: &K, again: Again) {
        let mut state = self.state();
        let now = Instant::now();
        let running = state.running.remove(key);
        if let Some((metrics, running)) = self.metrics.as_ref().zip(running.as_ref()) {
            metrics.work_duration.observe((now - running.since).as_secs_f64());
        }
        let asked = running.and_then(|running| running.again);
        let planned = match again {
            Again::WhenAsked => None,
            Again::After(pause) => Some(now + pause),
            Again::Backoff => Some(now + state.failed(key)),
            Again::NotBefore(pause) => Some(now + state.failed(key).max(pause.min(MAX_BACKOFF))),
        };
        if !again.is_failure() {
            state.failures.remove(key);
        }
        // Who failed waits for his pause even if somebody asked: otherwise a busy object would make it hot.
        let time = if again.is_failure() { planned } else { asked.into_iter().chain(planned).min() };
        if let Some(time) = time {
            self.schedule(&mut state, key.clone(), time);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Ends [`Queue::next`] for every worker.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        // No statement that could panic leaves the maps half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord + Clone> State<K> {
    /// `true` if the key did not wait already.
    fn schedule(&mut self, key: K, time: Instant) -> bool {
        if let Some(running) = self.running.get_mut(&key) {
            running.again = Some(running.again.map_or(time, |earlier| earlier.min(time)));
            return false;
        }
        let waiting = self.due.get(&key).copied();
        if waiting.is_some_and(|earlier| earlier <= time) {
            return false;
        }
        if let Some(later) = waiting {
            self.order.remove(&(later, key.clone()));
        }
        self.due.insert(key.clone(), time);
        self.order.insert((time, key));
        waiting.is_none()
    }

    /// The earliest key, and when it was due, if it is; else when it will be.
    fn take_due(&mut self, now: Instant) -> Result<(K, Instant), Option<Instant>> {
        let Some((time, key)) = self.order.pop_first() else { return Err(None) };
        if time > now {
            self.order.insert((time, key));
            return Err(Some(time));
        }
        self.due.remove(&key);
        self.running.insert(key.clone(), Running { since: now, again: None });
        Ok((key, time))
    }

    fn failed(&mut self, key: &K) -> Duration {
        let failures = self.failures.entry(key.clone()).or_default();
        let pause = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(*failures)).min(MAX_BACKOFF);
        *failures = failures.saturating_add(1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paused(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test);
    }

    #[test]
    fn a_key_asked_for_twice_comes_once() {
        paused(async {
            let queue = Queue::default();
            queue.add("a");
            queue.add("a");
            assert_eq!(queue.next().await, Some("a"));
            queue.done(&"a", Again::WhenAsked);
            assert_eq!(queue.depth(), 0);
        });
    }

    #[test]
    fn a_key_asked_for_while_it_runs_comes_again_and_not_before() {
        paused(async {
            let queue = Queue::default();
            queue.add("a");
            let key = queue.next().await.unwrap();
            queue.add("a");
            assert_eq!(queue.depth(), 0);
            queue.done(&key, Again::After(Duration::from_mins(1)));
            assert_eq!(queue.depth(), 1);
            assert_eq!(queue.next().await, Some("a"));
        });
    }

    #[test]
    fn failures_in_a_row_wait_longer_each_time_and_success_forgets_them() {
        paused(async {
            let queue = Queue::default();
            queue.add("a");
            let mut pauses = Vec::new();
            let asked = |seconds| Again::after_failure(Some(Duration::from_secs(seconds)));
            let unasked = Again::after_failure(None);
            for again in
                [unasked, unasked, unasked, Again::After(Duration::ZERO), unasked, asked(3), asked(0), asked(900)]
            {
                let key = queue.next().await.unwrap();
                let start = Instant::now();
                // Somebody asks meanwhile; a failure waits all the same.
                queue.add("a");
                queue.done(&key, again);
                let key = queue.next().await.unwrap();
                pauses.push(start.elapsed().as_millis());
                queue.state().running.remove(&key);
                queue.add("a");
            }
            assert_eq!(pauses, [200, 400, 800, 0, 200, 3_000, 800, 60_000]);
        });
    }

    #[test]
    fn the_earliest_comes_first_whatever_the_order_of_asking() {
        paused(async {
            let queue = Queue::default();
            let now = Instant::now();
            queue.add_at("late", now + Duration::from_secs(5));
            queue.add_at("early", now + Duration::from_secs(1));
            queue.add_at("late", now + Duration::from_secs(2));
            assert_eq!(queue.next().await, Some("early"));
            assert_eq!(queue.next().await, Some("late"));
            assert_eq!(now.elapsed(), Duration::from_secs(2));
        });
    }

    #[test]
    fn what_happens_in_the_queue_is_counted() {
        paused(async {
            let build = metrics::Build { commit: String::new(), version: String::new() };
            let all = metrics::Metrics::new(&build, || None);
            let queue = Queue::counted(all.controller("c", 1));
            queue.add("a");
            queue.add("a");
            queue.add("b");
            tokio::time::advance(Duration::from_secs(2)).await;
            let key = queue.next().await.unwrap();
            tokio::time::advance(Duration::from_secs(3)).await;
            queue.sample();
            let text = all.encode();
            let value =
                |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().rsplit(' ').next().unwrap();
            assert_eq!([value("workqueue_adds_total"), value("workqueue_depth")], ["2", "1"]);
            assert_eq!([value("workqueue_unfinished_work_seconds"), value("workqueue_longest_running")], ["3", "3"]);
            assert_eq!(value("workqueue_queue_duration_seconds_sum"), "2");
            queue.done(&key, Again::After(Duration::from_mins(1)));
            queue.sample();
            let text = all.encode();
            let value =
                |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().rsplit(' ').next().unwrap();
            assert_eq!([value("workqueue_adds_total"), value("workqueue_retries_total")], ["3", "1"]);
            assert_eq!([value("workqueue_depth"), value("workqueue_unfinished_work_seconds")], ["1", "0"]);
            assert_eq!(value("workqueue_work_duration_seconds_sum"), "3");
        });
    }

    #[test]
    fn closing_ends_every_waiting_worker() {
        paused(async {
            let queue = std::sync::Arc::new(Queue::<u8>::default());
            let workers: Vec<_> = (0..3)
                .map(|_| {
                    let queue = queue.clone();
                    tokio::spawn(async move { queue.next().await })
                })
                .collect();
            tokio::task::yield_now().await;
            queue.close();
            for worker in workers {
                assert_eq!(worker.await.unwrap(), None);
            }
        });
    }
}
