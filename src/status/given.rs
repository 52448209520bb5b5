//! The status that a chart's `operator/status.yaml` gives, completed: what the file says stands, the operator adds what kstatus
//! needs to know.

use serde_json::{Map, Value as Json};

use crate::status::conditions::seconds;
use crate::status::message::cut;
use crate::status::{Condition, Occasion, Outcome, Report, Severity, Transition, merged, separate};

/// The conditions that the operator adds where the file does not give them.
const ADDED: [Condition; 4] = [Condition::Ready, Condition::Reconciling, Condition::Stalled, Condition::Paused];

/// The whole new status: the fields of `given`, and of the old status none that is not among them. Conditions are merged by
/// type; `lastTransitionTime` changes with the status alone, and with it, or with the reason, comes an event.
pub fn complete(old: Option<&Json>, given: &Json, outcome: &Outcome, occasion: &Occasion) -> Report {
    let mut status = given.as_object().cloned().unwrap_or_default();
    // The API server keeps none: they would be written again and again.
    drop_nulls(&mut status);
    let own = separate(old, outcome, occasion);
    let mut merge = Merge { old: conditions(old), occasion, items: Vec::new(), transitions: Vec::new() };
    for condition in status.get("conditions").and_then(Json::as_array).into_iter().flatten() {
        merge.take(condition);
    }
    merge.add(&own);
    for field in ["observedGeneration", "lastHandledReconcileAt"] {
        if let Some(value) = own.status.get(field).filter(|_| !status.contains_key(field)) {
            status.insert(field.to_owned(), value.clone());
        }
    }
    if occasion.generation.is_none() {
        // Where each write makes a generation, it would never be the one that is observed.
        status.remove("observedGeneration");
    }
    let Merge { items, transitions, .. } = merge;
    status.insert("conditions".to_owned(), Json::Array(items));
    Report { status: Json::Object(status), transitions: merged(transitions) }
}

fn drop_nulls(fields: &mut Map<String, Json>) {
    fields.retain(|_, value| !value.is_null());
    for value in fields.values_mut() {
        match value {
            Json::Object(fields) => drop_nulls(fields),
            Json::Array(items) => items.iter_mut().filter_map(Json::as_object_mut).for_each(drop_nulls),
            _ => {}
        }
    }
}

/// Conditions on their way into a status.
struct Merge<'a> {
    old: &'a [Json],
    occasion: &'a Occasion,
    items: Vec<Json>,
    transitions: Vec<Transition>,
}

impl Merge<'_> {
    /// Takes a condition that the file gives.
    fn take(&mut self, given: &Json) {
        let text = |field| given.get(field).and_then(Json::as_str);
        let Some(name) = text("type") else { return };
        let status = text("status").unwrap_or("Unknown");
        let reason = text("reason").filter(|reason| !reason.is_empty()).unwrap_or(name);
        let message = cut(text("message").unwrap_or_default());
        let before = of_type(self.old, name);
        let was = |field: &str, value: &str| before.and_then(|before| before.get(field)?.as_str()) == Some(value);
        let since =
            before.filter(|_| was("status", status)).and_then(|before| before.get("lastTransitionTime")?.as_str());
        let since = since.map_or_else(|| seconds(self.occasion.at), str::to_owned);
        if !(was("status", status) && was("reason", reason)) {
            let stalled = name == Condition::Stalled.name() && status == "True";
            self.transitions.push(Transition {
                condition: name.to_owned().into(),
                severity: if stalled { Severity::Warning } else { Severity::Normal },
                reason: reason.to_owned().into(),
                message: message.clone(),
            });
        }
        let mut item = Map::new();
        for (field, value) in [
            ("type", name),
            ("status", status),
            ("lastTransitionTime", &since),
            ("reason", reason),
            ("message", &message),
        ] {
            item.insert(field.to_owned(), value.into());
        }
        if let Some(generation) = self.occasion.generation {
            item.insert("observedGeneration".to_owned(), generation.into());
        }
        self.items.push(Json::Object(item));
    }

    /// Adds the operator's conditions where the file has none of that type.
    fn add(&mut self, own: &Report) {
        for condition in ADDED {
            if of_type(&self.items, condition.name()).is_some() {
                continue;
            }
            self.items.extend(of_type(conditions(Some(&own.status)), condition.name()).cloned());
            let of_it = own.transitions.iter().filter(|transition| transition.condition == condition.name());
            self.transitions.extend(of_it.cloned());
        }
    }
}

fn conditions(status: Option<&Json>) -> &[Json] {
    status.and_then(|status| status.get("conditions")?.as_array()).map_or(&[], Vec::as_slice)
}

fn of_type<'a>(conditions: &'a [Json], name: &str) -> Option<&'a Json> {
    conditions.iter().find(|condition| condition.get("type").and_then(Json::as_str) == Some(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::status::{Deployed, Reason};

    fn occasion(at: &str, generation: Option<i64>) -> Occasion {
        Occasion { at: at.parse().unwrap(), generation, drift: None, handled: None }
    }

    fn applied() -> Outcome {
        let deployed = Deployed { name: "web".to_owned(), revision: 1 };
        Outcome::Applied { deployed, notes: String::new(), blocker: None }
    }

    fn waiting() -> Outcome {
        Outcome::Progressing { reason: Reason::Waiting, message: "for a friend".to_owned() }
    }

    const EARLY: &str = "2026-01-01T00:00:00Z";
    const LATE: &str = "2026-01-01T00:05:00Z";

    fn types(report: &Report) -> Vec<String> {
        let items = report.status["conditions"].as_array().unwrap().iter();
        items.map(|item| format!("{}={}", item["type"].as_str().unwrap(), item["status"].as_str().unwrap())).collect()
    }

    #[test]
    fn the_file_is_the_status_and_what_it_no_longer_says_goes() {
        let old = json!({"phase": "Old", "gone": 1, "conditions": [{"type": "Mine", "status": "True"}]});
        let given = json!({"phase": "New", "conditions": [{"type": "Available", "status": "True", "reason": "Up"}]});
        let nulls = json!({"none": null, "some": {"none": null, "list": [{"none": null, "a": 1}, null]}});
        let report = complete(None, &nulls, &applied(), &occasion(EARLY, None));
        assert_eq!((report.status.get("none"), &report.status["some"]), (None, &json!({"list": [{"a": 1}, null]})));
        let report = complete(Some(&old), &given, &applied(), &occasion(EARLY, Some(3)));
        assert_eq!((&report.status["phase"], report.status.get("gone")), (&json!("New"), None));
        assert_eq!(types(&report), ["Available=True", "Ready=True"]);
        assert_eq!(report.status["observedGeneration"], 3);
        assert_eq!(report.status["conditions"][0]["observedGeneration"], 3);
    }

    #[test]
    fn the_operator_adds_only_what_the_file_does_not_say() {
        let given = json!({"conditions": [{"type": "Ready", "status": "True", "reason": "Mine", "message": "m"}]});
        let report = complete(None, &given, &waiting(), &occasion(EARLY, None));
        assert_eq!(types(&report), ["Ready=True", "Reconciling=True"]);
        let events: Vec<_> = report.transitions.iter().map(|event| &*event.reason).collect();
        assert_eq!(events, ["Mine", "Waiting"]);
        assert_eq!(report.status.get("observedGeneration"), None);
    }

    #[test]
    fn the_same_again_is_the_same_status_and_no_event() {
        let given = json!({"conditions": [{"type": "Available", "status": "False", "reason": "No", "message": "m"}]});
        let first = complete(None, &given, &waiting(), &occasion(EARLY, Some(1)));
        let again = complete(Some(&first.status), &given, &waiting(), &occasion(LATE, Some(1)));
        assert_eq!((again.status, again.transitions), (first.status.clone(), vec![]));
        let other =
            json!({"conditions": [{"type": "Available", "status": "False", "reason": "Other", "message": "m"}]});
        let other = complete(Some(&first.status), &other, &waiting(), &occasion(LATE, Some(1)));
        assert_eq!(other.status["conditions"][0]["lastTransitionTime"], EARLY);
        assert_eq!(other.transitions.len(), 1);
        let up = json!({"conditions": [{"type": "Available", "status": "True"}]});
        let up = complete(Some(&first.status), &up, &applied(), &occasion(LATE, Some(1)));
        assert_eq!(up.status["conditions"][0]["lastTransitionTime"], LATE);
        assert_eq!(up.status["conditions"][0]["reason"], "Available");
    }
}
