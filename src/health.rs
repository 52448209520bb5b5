//! Whether the operator is ready, said by those who know and asked by the health endpoint.
//!
//! A [`Gate`] holds named checks. Whoever starts something that must be up before the operator counts as ready (a watch's
//! first list, the catalog) sets a check of its own to [`State::NotReady`] and later to [`State::Ready`]; the gate is open
//! when every check is ready. Without a single check it is open.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// What a check says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// What the check stands for is up.
    Ready,
    /// It is not, for that reason: one line, no secrets, since anybody may read it.
    NotReady(String),
}

/// Named checks, shared by cloning.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    checks: Arc<RwLock<BTreeMap<String, State>>>,
}

impl Gate {
    /// An open gate: no checks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the check of that name to ready, adding it if there is none.
    pub fn ready(&self, check: &str) {
        self.set(check, State::Ready);
    }

    /// Sets the check of that name to not ready, adding it if there is none.
    pub fn not_ready(&self, check: &str, reason: impl fmt::Display) {
        self.set(check, State::NotReady(reason.to_string()));
    }

    /// Forgets the check: nobody waits for it any more.
    pub fn remove(&self, check: &str) {
        self.checks.write().unwrap_or_else(PoisonError::into_inner).remove(check);
    }

    /// Whether every check is ready.
    pub fn is_open(&self) -> bool {
        self.checks.read().unwrap_or_else(PoisonError::into_inner).values().all(|state| *state == State::Ready)
    }

    /// Every check as it is now, by name.
    pub fn checks(&self) -> BTreeMap<String, State> {
        self.checks.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A map of plain values stays whole when a writer panics, so a poisoned lock is read on.
    fn set(&self, check: &str, state: State) {
        self.checks.write().unwrap_or_else(PoisonError::into_inner).insert(check.to_owned(), state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_opens_when_every_check_is_ready_and_closes_again() {
        let gate = Gate::new();
        assert!(gate.is_open());
        let watch = gate.clone();
        watch.not_ready("watch apps/v1 Deployment", "first list under way");
        gate.ready("catalog");
        assert!(!gate.is_open());
        watch.ready("watch apps/v1 Deployment");
        assert!(gate.is_open());
        watch.not_ready("watch apps/v1 Deployment", "forbidden");
        assert_eq!(
            gate.checks().into_iter().collect::<Vec<_>>(),
            [
                ("catalog".to_owned(), State::Ready),
                ("watch apps/v1 Deployment".to_owned(), State::NotReady("forbidden".to_owned())),
            ]
        );
        watch.remove("watch apps/v1 Deployment");
        assert!(gate.is_open());
    }
}
