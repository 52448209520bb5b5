//! Rules for `CustomResourceDefinitions`.

use crate::readiness::generic::conditions;
use crate::readiness::{Json, Readiness};

pub(crate) fn definition(object: &Json) -> Readiness {
    for condition in conditions(object) {
        match (condition.kind, condition.status) {
            ("NamesAccepted", "False") => return Readiness::failed(condition.message),
            ("Established", "False") if condition.reason != "Installing" => {
                return Readiness::failed(condition.message);
            }
            ("Established", "True") => return Readiness::current("CRD is established"),
            _ => {}
        }
    }
    Readiness::in_progress("Install in progress")
}
