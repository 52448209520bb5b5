//! The limits in force on a thread, and what is used of them.

use std::cell::RefCell;
use std::time::Duration;

use crate::template::limits::{Limit, Limits};
use crate::value::meter::{self, Allowance, Meter};

/// What is used of the limits that [`Meter`] does not count.
struct Usage {
    limits: Limits,
    /// Bytes that finished executions wrote.
    output: usize,
    crypto: Duration,
    /// The first limit that was reached and is none of [`Meter`]'s.
    reached: Option<Limit>,
}

thread_local! {
    static USAGE: RefCell<Option<Usage>> = const { RefCell::new(None) };
}

/// Limits in force, until it is dropped: for everything that is executed and made on this thread. What a template changed is
/// not to be read after it, see [`Meter`].
#[derive(Debug)]
pub struct Budget {
    /// Nothing if another budget was in force before this one: then that goes on.
    meter: Option<Meter>,
}

impl Budget {
    /// Puts `limits` in force, unless others are: the outermost counts. `clock` tells how long the work has been going on;
    /// without a clock it gives `None`, and there is no limit in time.
    pub fn open(limits: Limits, clock: impl Fn() -> Option<Duration> + 'static) -> Self {
        let late = Box::new(move || clock().is_some_and(|elapsed| elapsed > limits.time));
        let meter = Meter::open(Allowance { steps: limits.steps, memory: limits.memory, late });
        if meter.is_some() {
            USAGE.set(Some(Usage { limits, output: 0, crypto: Duration::ZERO, reached: None }));
        }
        Self { meter }
    }

    /// The limit that was reached by what is in force now, wherever that was: for those who work without the template
    /// engine.
    pub fn reached() -> Option<Limit> {
        let spent = meter::spent();
        USAGE.with_borrow(|usage| {
            let usage = usage.as_ref()?;
            usage.reached.or_else(|| spent.map(|spent| Limit::of(spent, &usage.limits)))
        })
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        if self.meter.is_some() {
            USAGE.set(None);
        }
    }
}

/// The limits in force.
pub(crate) fn limits() -> Option<Limits> {
    USAGE.with_borrow(|usage| usage.as_ref().map(|usage| usage.limits))
}

/// Notes that a limit was reached, and gives it back.
#[cold]
pub(crate) fn note(limit: Limit) -> Limit {
    USAGE.with_borrow_mut(|usage| {
        if let Some(usage) = usage {
            usage.reached.get_or_insert(limit);
        }
    });
    limit
}

/// Bytes written by executions before this one.
pub(crate) fn written() -> usize {
    USAGE.with_borrow(|usage| usage.as_ref().map_or(0, |usage| usage.output))
}

/// Counts what an execution wrote.
pub(crate) fn add_written(bytes: usize) {
    USAGE.with_borrow_mut(|usage| {
        if let Some(usage) = usage {
            usage.output = usage.output.saturating_add(bytes);
        }
    });
}

/// Pays `price`, before the work is done.
///
/// # Errors
/// [`Limit::Crypto`] if there is not so much left.
pub(crate) fn pay(price: Duration) -> Result<(), Limit> {
    meter::look_at_clock();
    USAGE.with_borrow_mut(|usage| match usage {
        Some(usage) => {
            let total = usage.crypto.saturating_add(price);
            if total > usage.limits.crypto {
                let limit = Limit::Crypto(usage.limits.crypto);
                usage.reached.get_or_insert(limit);
                return Err(limit);
            }
            usage.crypto = total;
            Ok(())
        }
        None => Ok(()),
    })
}
