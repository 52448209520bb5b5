//! Until when this process may write: whoever has not renewed its lease in time has lost it, though nobody may have told.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// The end of our time as leader, by the clock that no one sets; none where there is no election. Shared by cloning.
#[derive(Clone, Debug, Default)]
pub struct Tenure(Arc<Mutex<Option<Instant>>>);

impl Tenure {
    /// When it ends, unless it is renewed.
    pub fn end(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews it, or ends it.
    pub fn set_end(&self, end: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.end().is_some_and(|end| end <= Instant::now())
    }
}
