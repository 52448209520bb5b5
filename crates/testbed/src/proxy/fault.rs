//! What is done to single requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::proxy::Seen;

/// What is done to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The connection breaks before the API server hears of it.
    Lose,
    /// The API server carries it out, and the connection breaks instead of the answer.
    LoseAnswer,
    /// It waits for [`Injected::release`] before the API server hears of it.
    Hold,
    /// The API server carries it out, and its answer waits for [`Injected::release`].
    HoldAnswer,
    /// It waits that long before the API server hears of it.
    Delay(Duration),
    /// The API server does not hear of it; this is answered.
    Refuse(Refusal),
}

/// An answer that is not the API server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status code.
    pub code: u16,
    /// `reason` of the Status.
    pub reason: &'static str,
    /// The header `Retry-After` and `details.retryAfterSeconds` of the Status, in seconds.
    pub retry_after: Option<u32>,
}

/// Which requests something is done to.
pub struct Fault {
    /// Which requests count.
    pub when: Box<dyn Fn(&Seen) -> bool + Send + Sync>,
    /// How many of them go through first.
    pub skip: usize,
    /// How many after those it is done to.
    pub times: usize,
    /// What is done.
    pub action: Action,
}

/// A fault that waits for its requests, or has met them.
pub struct Injected {
    fault: Fault,
    /// How many requests that count came so far.
    counted: AtomicUsize,
    met: watch::Sender<usize>,
    released: watch::Sender<bool>,
}

impl Injected {
    pub(crate) fn new(fault: Fault) -> Self {
        let (met, released) = (watch::Sender::new(0), watch::Sender::new(false));
        Self { fault, counted: AtomicUsize::new(0), met, released }
    }

    /// What is to be done to the request, if anything; counts it.
    pub(crate) fn takes(&self, seen: &Seen) -> Option<&Action> {
        if !(self.fault.when)(seen) {
            return None;
        }
        let place = self.counted.fetch_add(1, Ordering::Relaxed);
        let met = self.fault.skip <= place && place - self.fault.skip < self.fault.times;
        met.then_some(&self.fault.action)
    }

    /// It was done to one more request.
    pub(crate) fn meet(&self) {
        self.met.send_modify(|met| *met += 1);
    }

    /// Waits for [`Injected::release`].
    pub(crate) async fn held(&self) {
        let mut released = self.released.subscribe();
        // The sender is ours: it cannot be gone.
        drop(released.wait_for(|released| *released).await);
    }

    /// To how many requests it was done.
    pub fn met(&self) -> usize {
        *self.met.borrow()
    }

    /// Waits until it was done to a request.
    pub async fn reached(&self) {
        let mut met = self.met.subscribe();
        drop(met.wait_for(|met| *met > 0).await);
    }

    /// Lets go what is held.
    pub fn release(&self) {
        self.released.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_takes_the_requests_after_those_it_skips_as_often_as_it_says() {
        let when = Box::new(|seen: &Seen| seen.is_write());
        let injected = Injected::new(Fault { when, skip: 1, times: 2, action: Action::Lose });
        let taken: Vec<_> = ["PATCH", "GET", "DELETE", "POST", "GET", "PUT", "PATCH"]
            .into_iter()
            .filter(|method| {
                let seen = Seen { method: (*method).to_owned(), path: "/api".to_owned(), query: String::new() };
                injected.takes(&seen).is_some()
            })
            .collect();
        assert_eq!(taken, ["DELETE", "POST"]);
    }
}
