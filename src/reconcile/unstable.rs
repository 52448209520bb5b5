//! Charts that never come to rest: what they write is what they read, and makes them render something else each time.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::lookup::Lookup;
use crate::reconcile::pass::{Failure, Pass, log};
use crate::reconcile::queue::Again;
use crate::status::{self, Reason};

/// How many passes in a row may be caused by nothing but the resource's own writes.
const MOST: u32 = 10;

/// The longest pause of a resource that is left alone.
const MAX_PAUSE: Duration = Duration::from_mins(1);

/// Whose doing it is that a pass is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The resource's own writes.
    Us,
    /// Anybody else's.
    Others,
}

/// What passes of a resource were caused by.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Causes {
    ours: bool,
    others: bool,
    streak: u32,
    until: Option<Instant>,
}

impl Causes {
    pub(crate) fn add(&mut self, by: By) {
        match by {
            By::Us => self.ours = true,
            By::Others => self.others = true,
        }
    }

    /// A pass begins; gives how long the resource is left alone instead, if it is.
    pub(crate) fn begin(&mut self, now: Instant) -> Option<Duration> {
        let Self { ours, others, .. } = *self;
        (self.ours, self.others) = (false, false);
        if others {
            *self = Self::default();
            return None;
        }
        if let Some(left) = self.until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
        {
            return Some(left);
        }
        let was_left_alone = self.until.take().is_some();
        if ours {
            self.streak = self.streak.saturating_add(1);
        } else if !was_left_alone {
            self.streak = 0;
        }
        let pause = (ours && self.streak >= MOST).then(|| pause(self.streak - MOST));
        self.until = pause.map(|pause| now + pause);
        pause
    }
}

fn pause(more: u32) -> Duration {
    Duration::from_secs(1_u64.checked_shl(more).unwrap_or(u64::MAX)).min(MAX_PAUSE)
}

/// The last writes of this process to objects that somebody looks up: the version that was answered, empty for a deletion.
#[derive(Debug, Default)]
pub(crate) struct OwnWrites(BTreeMap<Lookup, String>);

impl OwnWrites {
    pub(crate) fn add(&mut self, object: Lookup, version: &str) {
        self.0.insert(object, version.to_owned());
    }

    /// Whose doing it is that a watch shows this version of an object.
    pub(crate) fn cause(&mut self, object: &Lookup, version: &str) -> By {
        if self.0.get(object).is_some_and(|own| own == version) {
            self.0.remove(object);
            return By::Us;
        }
        By::Others
    }
}

impl Pass<'_> {
    /// Leaves a resource alone that only its own writes ask to be looked at, again and again.
    pub(crate) async fn rest(&self) -> Result<Option<Again>, Failure> {
        let Some(pause) = self.controller.begin(&self.key) else { return Ok(None) };
        let message = "what it writes makes its chart render something else, again and again".to_owned();
        log!(warn, self, "Resource is left alone", reason = message.as_str(), seconds = pause.as_secs());
        self.write_status(&status::Outcome::Progressing { reason: Reason::Unstable, message }).await?;
        Ok(Some(Again::After(pause)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_passes_of_ones_own_making_are_enough_and_then_the_pauses_grow() {
        let (mut causes, mut now) = (Causes::default(), Instant::now());
        let mut pass = |cause: Option<By>, later: u64| {
            now += Duration::from_secs(later);
            if let Some(cause) = cause {
                causes.add(cause);
            }
            causes.begin(now).map(|pause| pause.as_secs())
        };
        for _ in 0..9 {
            assert_eq!(pass(Some(By::Us), 0), None);
        }
        assert_eq!(pass(Some(By::Us), 0), Some(1));
        // Not before that is over; then once, and if that was not the end, later.
        assert_eq!(pass(Some(By::Us), 0), Some(1));
        assert_eq!(pass(None, 1), None);
        assert_eq!(pass(Some(By::Us), 0), Some(2));
        assert_eq!(pass(None, 2), None);
        assert_eq!(pass(Some(By::Us), 0), Some(4));
        // Whatever anybody else does is looked at at once.
        assert_eq!(pass(Some(By::Others), 0), None);
        assert_eq!(pass(Some(By::Us), 0), None);
    }

    #[test]
    fn passes_that_time_causes_begin_the_count_anew() {
        let (mut causes, now) = (Causes::default(), Instant::now());
        for _ in 0..30 {
            assert_eq!(causes.begin(now), None);
            causes.add(By::Us);
            assert_eq!(causes.begin(now), None);
        }
    }

    #[test]
    fn a_write_is_ours_once_and_only_in_the_version_that_was_answered() {
        let object = Lookup::new("v1", "ConfigMap", "shop", "web");
        let mut writes = OwnWrites::default();
        writes.add(object.clone(), "7");
        assert_eq!(writes.cause(&object, "8"), By::Others);
        assert_eq!(writes.cause(&object, "7"), By::Us);
        assert_eq!(writes.cause(&object, "7"), By::Others);
    }
}
