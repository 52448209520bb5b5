//! Rules for storage.

use crate::readiness::generic::text;
use crate::readiness::{Json, Readiness};

pub(crate) fn claim(object: &Json) -> Readiness {
    match text(object, "/status/phase", "unknown") {
        "Bound" => Readiness::current("PVC is Bound"),
        phase => Readiness::in_progress(format!("PVC is not Bound. phase: {phase}")),
    }
}
