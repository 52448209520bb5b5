//! Rules for every kind: deletion, generations, the standard conditions, and a condition `Ready`.

use crate::readiness::{Json, Readiness, Status};

/// What the metadata and the standard conditions decide, whatever the kind; `None` leaves it to the kind's rules.
pub(crate) fn standard(object: &Json) -> Option<Readiness> {
    if object.pointer("/metadata/deletionTimestamp").and_then(Json::as_str).is_some_and(|time| !time.is_empty()) {
        return Some(Readiness::new(Status::Terminating, "Resource scheduled for deletion"));
    }
    if let Some(behind) = generation(object) {
        return Some(behind);
    }
    conditions(object).find_map(|condition| match (condition.kind, condition.status) {
        ("Reconciling", "True") => Some(Readiness::in_progress(condition.message)),
        ("Stalled", "True") => Some(Readiness::failed(condition.message)),
        _ => None,
    })
}

/// Whether the controller has not yet seen the last change. Kinds that do not report it are taken to have seen it.
fn generation(object: &Json) -> Option<Readiness> {
    let generation = object.pointer("/metadata/generation")?.as_i64()?;
    let observed = object.pointer("/status/observedGeneration")?.as_i64()?;
    let kind = object.get("kind").and_then(Json::as_str).unwrap_or_default();
    (generation != observed).then(|| {
        Readiness::in_progress(format!(
            "{kind} generation is {generation}, but latest observed generation is {observed}"
        ))
    })
}

/// A kind without rules of its own is ready unless it has a condition `Ready` that says otherwise.
pub(crate) fn by_ready_condition(object: &Json) -> Readiness {
    let decided =
        conditions(object).filter(|condition| condition.kind == "Ready").find_map(|condition| match condition.status {
            "True" => Some(Readiness::current("Resource is Ready")),
            "False" | "Unknown" => Some(Readiness::in_progress(condition.message)),
            _ => None,
        });
    decided.unwrap_or_else(|| Readiness::current("Resource is current"))
}

/// One item of `status.conditions`; absent fields are empty.
pub(crate) struct Condition<'a> {
    pub(crate) kind: &'a str,
    pub(crate) status: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
}

/// The conditions of an object in their order.
pub(crate) fn conditions(object: &Json) -> impl Iterator<Item = Condition<'_>> {
    let items = object.pointer("/status/conditions").and_then(Json::as_array).into_iter().flatten();
    items.map(|item| {
        let text = |field| item.get(field).and_then(Json::as_str).unwrap_or_default();
        Condition { kind: text("type"), status: text("status"), reason: text("reason"), message: text("message") }
    })
}

/// A whole number at a JSON pointer, else a default.
pub(crate) fn number(object: &Json, pointer: &str, default: i64) -> i64 {
    object.pointer(pointer).and_then(Json::as_i64).unwrap_or(default)
}

/// A string at a JSON pointer, else a default.
pub(crate) fn text<'a>(object: &'a Json, pointer: &str, default: &'a str) -> &'a str {
    object.pointer(pointer).and_then(Json::as_str).unwrap_or(default)
}
