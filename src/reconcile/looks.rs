//! When to look below an object that is not ready, and what was found: a moment after it became so, then at growing
//! intervals, which begin anew when something changes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::readiness::Readiness;
use crate::readiness::cause::Cause;
use crate::reconcile::objects::SetId;
use crate::release::ObjectId;

/// What only takes its time is ready before the first look.
const SOON: Duration = Duration::from_secs(2);

/// The first interval, doubled with each look that finds nothing new.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const MAX_PAUSE: Duration = Duration::from_mins(10);

/// How long nothing is asked for that was forbidden.
const FORBIDDEN: Duration = Duration::from_mins(10);

/// What is known below the objects that keep resources from being ready: one for each resource.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    of: Mutex<BTreeMap<SetId, Look>>,
    /// Plural and namespace of what may not be listed, and since when.
    forbidden: Mutex<BTreeMap<(&'static str, String), Instant>>,
}

#[derive(Debug)]
struct Look {
    id: ObjectId,
    readiness: Readiness,
    cause: Option<Cause>,
    due: Instant,
    pause: Duration,
}

/// What is known, and how long it holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sight {
    pub(crate) cause: Option<Cause>,
    /// When to look (again); zero is now.
    pub(crate) wait: Duration,
}

impl Looks {
    /// What is known below `id`, which is not ready in that way.
    pub(crate) fn sight(&self, set: &SetId, id: &ObjectId, readiness: &Readiness, now: Instant) -> Sight {
        let mut of = lock(&self.of);
        if of.get(set).is_none_or(|look| look.id != *id) {
            let (id, readiness) = (id.clone(), readiness.clone());
            let look = Look { id, readiness, cause: None, due: now + SOON, pause: FIRST_PAUSE };
            of.insert(set.clone(), look);
        }
        let Some(look) = of.get_mut(set) else { return Sight::default() };
        if look.readiness != *readiness {
            look.readiness = readiness.clone();
            look.due = look.due.min(now + SOON);
            look.pause = FIRST_PAUSE;
        }
        Sight { cause: look.cause.clone(), wait: look.due.saturating_duration_since(now) }
    }

    /// Takes what a look has found.
    pub(crate) fn found(&self, set: &SetId, cause: Option<Cause>, now: Instant) -> Sight {
        let mut of = lock(&self.of);
        let Some(look) = of.get_mut(set) else { return Sight::default() };
        // A cause may be told in changing words; only another place is news.
        let subject = |cause: &Option<Cause>| cause.as_ref().map(|cause| cause.subject.clone());
        if subject(&look.cause) != subject(&cause) {
            look.pause = FIRST_PAUSE;
        }
        look.cause = cause;
        look.due = now + look.pause;
        let wait = look.pause;
        look.pause = (look.pause * 2).min(MAX_PAUSE);
        Sight { cause: look.cause.clone(), wait }
    }

    /// Nothing is in the way any more, or the resource is gone.
    pub(crate) fn forget(&self, set: &str) {
        lock(&self.of).remove(set);
    }

    /// Whether listing `plural` there was forbidden a while ago.
    pub(crate) fn is_forbidden(&self, plural: &'static str, namespace: &str, now: Instant) -> bool {
        let forbidden = lock(&self.forbidden);
        forbidden.get(&(plural, namespace.to_owned())).is_some_and(|since| now < *since + FORBIDDEN)
    }

    /// Notes that listing `plural` there is forbidden. `true` if it is the first time, for whatever namespace.
    pub(crate) fn forbid(&self, plural: &'static str, namespace: &str, now: Instant) -> bool {
        let mut forbidden = lock(&self.forbidden);
        let first = !forbidden.keys().any(|(known, _)| *known == plural);
        forbidden.insert((plural, namespace.to_owned()), now);
        first
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Single inserts and assignments cannot be left half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_grow_rare_while_nothing_changes_and_begin_anew_when_something_does() {
        let (looks, set): (_, SetId) = (Looks::default(), "applyset-a".into());
        let id: ObjectId = "apps/Deployment shop/web".parse().unwrap();
        let (none, one) = (Readiness::in_progress("Available: 0/2"), Readiness::in_progress("Available: 1/2"));
        let pod = |name: &str| Some(Cause { subject: format!("Pod {name}"), ..Cause::default() });
        let mut now = Instant::now();
        let mut wait = |readiness: &Readiness, cause: Option<Cause>| {
            let wait = looks.sight(&set, &id, readiness, now).wait;
            now += wait;
            assert_eq!(looks.sight(&set, &id, readiness, now).wait, Duration::ZERO);
            let sight = looks.found(&set, cause.clone(), now);
            assert_eq!(sight.cause, cause);
            wait.as_secs()
        };
        let waits: Vec<_> = std::iter::repeat_with(|| wait(&none, pod("a"))).take(10).collect();
        assert_eq!(waits, [2, 5, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(wait(&one, pod("a")), 2, "its state has changed");
        assert_eq!(wait(&one, pod("b")), 5);
        assert_eq!([wait(&one, pod("b")), wait(&one, None)], [5, 10], "another Pod is news");
        assert_eq!(wait(&one, None), 5);
        looks.forget(&set);
        assert_eq!(looks.sight(&set, &id, &one, now), Sight { cause: None, wait: SOON });
    }

    #[test]
    fn what_is_forbidden_is_told_once_and_asked_for_rarely() {
        let (looks, now) = (Looks::default(), Instant::now());
        assert!(!looks.is_forbidden("pods", "shop", now));
        assert!(looks.forbid("pods", "shop", now));
        assert!(looks.is_forbidden("pods", "shop", now) && !looks.is_forbidden("pods", "other", now));
        assert!(!looks.forbid("pods", "other", now) && looks.forbid("events", "shop", now));
        let later = now + FORBIDDEN;
        assert!(!looks.is_forbidden("pods", "shop", later));
        assert!(!looks.forbid("pods", "shop", later));
    }
}
