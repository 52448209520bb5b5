//! What ready means for a chart.
//!
//! Probes and their messages are Package Operator's (package-operator v1.18, `internal/probing`).

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::diagnostic::Diagnostic;
use crate::policy::cel::{Purse, Rule};
use crate::policy::read;
use crate::shape::path;

/// Probes with the objects that they are for, compiled. Two are equal if they say the same.
#[derive(Debug, PartialEq)]
pub struct Probes(pub(super) Vec<Entry>);

/// Probes for certain objects.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) selector: Selector,
    pub(super) probes: Vec<Probe>,
}

/// Which objects; by default all.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Selector {
    pub(super) kind: GroupKind,
    pub(super) labels: BTreeMap<String, String>,
}

/// A kind; what is not named is any.
#[derive(Debug, Default, PartialEq)]
pub(super) struct GroupKind {
    pub(super) group: Option<String>,
    pub(super) kind: Option<String>,
}

/// One question to an object.
#[derive(Debug, PartialEq)]
pub(super) enum Probe {
    Condition { kind: String, status: String },
    FieldsEqual { a: String, b: String },
    Cel { rule: Rule, message: String },
}

/// A list of probes that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Error(Vec<String>);

impl Probes {
    /// The messages of the probes that fail, each once; none if the object is ready.
    ///
    /// All rules together may take some ten milliseconds; those that then have no answer fail.
    pub fn judge(&self, object: &Json) -> Vec<String> {
        let purse = Purse::default();
        let probes = self.0.iter().filter(|entry| entry.selector.matches(object)).flat_map(|entry| &entry.probes);
        let mut messages: Vec<String> = Vec::new();
        for message in probes.filter_map(|probe| probe.failure(object, &purse)) {
            if !messages.contains(&message) {
                messages.push(message);
            }
        }
        messages
    }

    /// Reads a list of probes, each as in `probes` of an entry, for any object.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn of_list(list: &Json) -> Result<Self, Error> {
        read::probes(list)
            .map_err(|faults| Error(faults.into_iter().map(|Diagnostic { message, .. }| message).collect()))
    }
}

impl Selector {
    fn matches(&self, object: &Json) -> bool {
        let text = |pointer| object.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
        let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
        let labels = object.pointer("/metadata/labels");
        let labelled = |(key, value): (&String, &String)| {
            labels.and_then(|labels| labels.get(key)).and_then(Json::as_str) == Some(value)
        };
        self.kind.group.as_ref().is_none_or(|wanted| wanted == group)
            && self.kind.kind.as_ref().is_none_or(|wanted| wanted == text("/kind"))
            && self.labels.iter().all(labelled)
    }
}

impl Probe {
    pub(super) fn condition(kind: &str, status: &str) -> Self {
        Self::Condition { kind: kind.to_owned(), status: status.to_owned() }
    }

    pub(super) fn fields_equal(a: &str, b: &str) -> Self {
        Self::FieldsEqual { a: a.to_owned(), b: b.to_owned() }
    }

    /// Why it fails; a status that its controller has not brought up to date says nothing.
    fn failure(&self, object: &Json, purse: &Purse) -> Option<String> {
        if outdated(object, object.pointer("/status/observedGeneration")) {
            return Some(".status outdated".to_owned());
        }
        match self {
            Self::Condition { kind, status } => {
                let fault = condition(object, kind, status)?;
                Some(format!("condition \"{kind}\" == \"{status}\": {fault}"))
            }
            Self::FieldsEqual { a, b } => {
                let fault = match (field(object, a), field(object, b)) {
                    (None, _) => format!("\"{a}\" missing"),
                    (_, None) => format!("\"{b}\" missing"),
                    (Some(one), Some(two)) if one == two => return None,
                    _ => "not equal".to_owned(),
                };
                Some(format!("\"{a}\" == \"{b}\": {fault}"))
            }
            Self::Cel { rule, message } => match rule.judge(object, purse) {
                Ok(true) => None,
                Ok(false) => Some(message.clone()),
                Err(error) => Some(format!("{message}: {error}")),
            },
        }
    }
}

/// Whether a generation is there and is not the object's.
fn outdated(object: &Json, observed: Option<&Json>) -> bool {
    let generation = object.pointer("/metadata/generation").and_then(Json::as_i64);
    let observed = observed.and_then(Json::as_i64);
    generation.zip(observed).is_some_and(|(generation, observed)| generation != observed)
}

fn condition(object: &Json, kind: &str, status: &str) -> Option<&'static str> {
    let Some(conditions) = object.pointer("/status/conditions").and_then(Json::as_array) else {
        return Some("missing .status.conditions");
    };
    let text = |condition: &Json, name| condition.get(name).and_then(Json::as_str).map(str::to_owned);
    let Some(condition) = conditions.iter().find(|condition| text(condition, "type").as_deref() == Some(kind)) else {
        return Some("not reported");
    };
    if outdated(object, condition.get("observedGeneration")) {
        return Some("outdated");
    }
    (text(condition, "status").as_deref() != Some(status)).then_some("wrong status")
}

fn field<'a>(object: &'a Json, at: &str) -> Option<&'a Json> {
    path(at)?.into_iter().try_fold(object, |value, name| value.get(name))
}
