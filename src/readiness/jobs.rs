//! Rules for Jobs.

use crate::readiness::generic::{conditions, number, text};
use crate::readiness::{Json, Readiness};

/// A Job is ready as soon as it runs: kstatus asks whether it is reconciled, not whether it has ended.
pub(crate) fn job(object: &Json) -> Readiness {
    let completions = number(object, "/spec/completions", number(object, "/spec/parallelism", 1));
    let of = |field: &str| number(object, &format!("/status/{field}"), 0);
    let (succeeded, active, failed) = (of("succeeded"), of("active"), of("failed"));
    for condition in conditions(object).filter(|condition| condition.status == "True") {
        match condition.kind {
            "Complete" => return Readiness::current(format!("Job Completed. succeeded: {succeeded}/{completions}")),
            "Failed" => return Readiness::failed(format!("Job Failed. failed: {failed}/{completions}")),
            _ => {}
        }
    }
    if text(object, "/status/startTime", "").is_empty() {
        return Readiness::in_progress("Job not started");
    }
    Readiness::current(format!("Job in progress. success:{succeeded}, active: {active}, failed: {failed}"))
}
