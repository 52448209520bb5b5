//! One pass over one resource: `observe → desire → plan → carry_out → report`.
//!
//! A pass only ever looks at what is: the resource, its objects, its release's records. It may be cut off at any point and
//! begun again; what it then finds leads to the same end. Passes over one resource never overlap; the queue sees to that.

mod archive;
mod asked;
mod attempt;
mod below;
mod carry_out;
mod compact;
mod confirm;
mod context;
mod definitions;
mod delete;
mod delete_hooks;
mod desire;
mod drift;
mod going;
mod history;
mod hook_ends;
mod hooks;
mod latch;
mod leave;
mod looks;
mod lookups;
mod objects;
mod observe;
mod pass;
mod phases;
pub mod preview;
mod previous;
pub mod queue;
mod recall;
mod record;
mod recreate;
pub mod rendering;
mod report;
pub mod resource;
mod rest;
pub mod rules;
mod settle;
mod takeover;
mod teardown;
mod trace;
mod unstable;
mod work;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;

use crate::cluster::Fate;
use crate::reconcile::pass::{Failure, Pass};
use crate::reconcile::queue::Again;
use crate::reconcile::resource::Key;

pub use context::{Context, Controller, Shared, WatchState, Watching};
pub use hook_ends::HookEnds;
pub use lookups::{Cover, Lookups};
pub use objects::{Known, known};
pub use observe::part_of;
pub use unstable::By;

/// Between two looks for a kind that a chart has just defined: the API server needs a moment.
const NOT_SERVED_RETRY: Duration = Duration::from_millis(200);

/// Looks at one resource, and brings its objects to what its chart renders.
pub async fn reconcile(context: &Arc<Context>, controller: &Arc<Controller>, key: &Key) -> Again {
    let Some(resource) = controller.resources.find(key) else {
        Pass::forget(context, controller, key).await;
        return Again::WhenAsked;
    };
    let pass = Pass::new(context, controller, key, resource);
    match AssertUnwindSafe(pass.run()).catch_unwind().await {
        // What is remembered of it has changed; nothing has failed.
        Ok(Err(Failure::ReleaseMet | Failure::Overtaken)) => Again::After(Duration::ZERO),
        Ok(Ok(again)) => again,
        Ok(Err(failure)) => failed(&pass, &failure).await,
        Err(_panic) => {
            // The panic hook has logged where; one resource must not stop the others.
            controller.metrics.panics.inc();
            pass::log!(error, pass, "Reconciler error", error = "a bug: the pass panicked");
            Again::Backoff
        }
    }
}

/// A pass that ended before it could report: the API server was in the way.
async fn failed(pass: &Pass<'_>, failure: &Failure) -> Again {
    let message = failure.message();
    match failure {
        Failure::NotServedYet => Again::After(NOT_SERVED_RETRY),
        Failure::Call(error) if error.is_conflict() => {
            // Somebody was faster; what he wrote is on its way to us.
            pass::log!(debug, pass, "Read again after a conflict", error = message);
            Again::Backoff
        }
        Failure::Call(error) if error.fate() == Fate::User => {
            pass::log!(error, pass, "Reconciler error", error = message);
            match pass.report_call(error).await {
                Err(error) if error.fate() == Fate::Retry => Again::after_failure(error.retry_after()),
                // Where the status may not be written either, the log has told.
                _ => pass.later(),
            }
        }
        Failure::Call(error) => {
            pass::log!(error, pass, "Reconciler error", error = message);
            Again::after_failure(error.retry_after())
        }
        _ => {
            pass::log!(error, pass, "Reconciler error", error = message);
            Again::Backoff
        }
    }
}
