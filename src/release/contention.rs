//! When to stop fighting: the same correction of the same object, again and again.

use std::collections::{BTreeMap, VecDeque};

use crate::release::{Digest, ObjectId};

/// How many identical corrections of one object within [`WINDOW_SECONDS`] are still taken for accidents.
const TOLERATED: usize = 3;
/// The time in which corrections are counted, in seconds.
const WINDOW_SECONDS: i64 = 60;

/// The recent corrections of drift, per object. Times are seconds of any clock that does not go back.
#[derive(Clone, Debug, Default)]
pub struct Contention {
    corrections: BTreeMap<ObjectId, Corrections>,
}

#[derive(Clone, Debug)]
struct Corrections {
    what: Digest,
    times: VecDeque<i64>,
}

/// Whether an object may be corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Correct it.
    Correct,
    /// More than three identical corrections in a minute: report it as contended and wait.
    Contended {
        /// Seconds until the next correction is allowed.
        wait: i64,
    },
}

impl Contention {
    /// Asks whether `id` may be corrected at `now`, and counts the correction if so.
    ///
    /// `what` is the digest of the drifted state: another kind of drift starts the count anew.
    pub fn correct(&mut self, id: &ObjectId, what: Digest, now: i64) -> Verdict {
        let corrections =
            self.corrections.entry(id.clone()).or_insert_with(|| Corrections { what, times: VecDeque::new() });
        if corrections.what != what {
            *corrections = Corrections { what, times: VecDeque::new() };
        }
        corrections.times.retain(|time| now - time < WINDOW_SECONDS);
        match corrections.times.front() {
            Some(oldest) if corrections.times.len() >= TOLERATED => {
                Verdict::Contended { wait: (oldest + WINDOW_SECONDS - now).max(1) }
            }
            _ => {
                corrections.times.push_back(now);
                Verdict::Correct
            }
        }
    }

    /// Forgets an object that is no longer ours.
    pub fn forget(&mut self, id: &ObjectId) {
        self.corrections.remove(id);
    }

    /// Forgets what is older than the window; call it now and then, so that memory does not grow.
    pub fn sweep(&mut self, now: i64) {
        self.corrections
            .retain(|_, corrections| corrections.times.back().is_some_and(|time| now - time < WINDOW_SECONDS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourth_identical_correction_in_a_minute_waits() {
        let id: ObjectId = "ConfigMap a/b".parse().unwrap();
        let (one, other) = (Digest::of("1"), Digest::of("2"));
        let mut contention = Contention::default();
        for now in [0, 10, 20] {
            assert_eq!(contention.correct(&id, one, now), Verdict::Correct);
        }
        assert_eq!(contention.correct(&id, one, 30), Verdict::Contended { wait: 30 });
        assert_eq!(contention.correct(&id, one, 59), Verdict::Contended { wait: 1 });
        assert_eq!(contention.correct(&id, one, 60), Verdict::Correct);
        assert_eq!(contention.correct(&id, one, 61), Verdict::Contended { wait: 9 });
        assert_eq!(contention.correct(&id, other, 61), Verdict::Correct, "another drift is counted anew");
        let another: ObjectId = "ConfigMap a/c".parse().unwrap();
        assert_eq!(contention.correct(&another, one, 61), Verdict::Correct, "another object is counted apart");
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let id: ObjectId = "ConfigMap a/b".parse().unwrap();
        let mut contention = Contention::default();
        contention.correct(&id, Digest::of("1"), 0);
        contention.sweep(59);
        assert_eq!(contention.corrections.len(), 1);
        contention.sweep(60);
        assert!(contention.corrections.is_empty());
    }
}
