//! The work queue of one watch: each resource at most once, at the earliest time anybody asked for, never twice at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

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
}

/// Keys waiting for their time.
#[derive(Debug)]
pub struct Queue<K> {
    state: Mutex<State<K>>,
    changed: Notify,
}

#[derive(Debug)]
struct State<K> {
    /// When each waiting key is due. Few thousand keys at most: the earliest is found by `order`.
    due: BTreeMap<K, Instant>,
    order: BTreeSet<(Instant, K)>,
    /// Keys being worked on; the time at which each is due again, if somebody asked meanwhile.
    running: BTreeMap<K, Option<Instant>>,
    failures: BTreeMap<K, u32>,
    closed: bool,
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
        Self { state: Mutex::new(state), changed: Notify::new() }
    }
}

impl<K: Ord + Clone> Queue<K> {
    /// Asks for `key` now.
    pub fn add(&self, key: K) {
        self.add_at(key, Instant::now());
    }

    /// Asks for `key` at `time`; an earlier time asked for before stands.
    pub fn add_at(&self, key: K, time: Instant) {
        self.state().schedule(key, time);
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
                match state.take_due(Instant::now()) {
                    Ok(key) => {
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
        let asked = state.running.remove(key).flatten();
        let planned = match again {
            Again::WhenAsked => None,
            Again::After(pause) => Some(now + pause),
            Again::Backoff => Some(now + state.failed(key)),
        };
        if again != Again::Backoff {
            state.failures.remove(key);
        }
        // Who failed waits for his pause even if somebody asked: otherwise a busy object would make it hot.
        let time = match again {
            Again::Backoff => planned,
            _ => asked.into_iter().chain(planned).min(),
        };
        if let Some(time) = time {
            state.schedule(key.clone(), time);
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
    fn schedule(&mut self, key: K, time: Instant) {
        if let Some(asked) = self.running.get_mut(&key) {
            *asked = Some(asked.map_or(time, |earlier| earlier.min(time)));
            return;
        }
        if let Some(&earlier) = self.due.get(&key) {
            if earlier <= time {
                return;
            }
            self.order.remove(&(earlier, key.clone()));
        }
        self.due.insert(key.clone(), time);
        self.order.insert((time, key));
    }

    /// The earliest key if it is due, else when it will be.
    fn take_due(&mut self, now: Instant) -> Result<K, Option<Instant>> {
        let Some((time, key)) = self.order.pop_first() else { return Err(None) };
        if time > now {
            self.order.insert((time, key));
            return Err(Some(time));
        }
        self.due.remove(&key);
        self.running.insert(key.clone(), None);
        Ok(key)
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
            for again in [Again::Backoff, Again::Backoff, Again::Backoff, Again::After(Duration::ZERO), Again::Backoff]
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
            assert_eq!(pauses, [200, 400, 800, 0, 200]);
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
