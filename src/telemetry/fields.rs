//! The fields of an event or a span as JSON values, in the order in which they were given.

use std::error::Error;
use std::fmt;

use serde_json::Value as Json;
use tracing::field::{Field, Visit};

use crate::diagnostic::chain;

/// Fields in order; the message apart from them.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    /// The event's message, empty for a span.
    pub(super) message: String,
    /// Everything else.
    pub(super) values: Vec<(&'static str, Json)>,
}

impl Fields {
    /// These fields, followed by `nearer`, of which a field with the same name wins.
    pub(super) fn then(mut self, nearer: Self) -> Self {
        self.values.retain(|(name, _)| nearer.values.iter().all(|(other, _)| other != name));
        self.values.extend(nearer.values);
        self.message = nearer.message;
        self
    }

    fn add(&mut self, field: &Field, value: Json) {
        match (field.name(), value) {
            ("message", Json::String(text)) => self.message = text,
            ("message", other) => self.message = other.to_string(),
            (name, value) => match self.values.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => self.values.push((name, value)),
            },
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for these; zap quotes them as Go prints them.
        let value = match value {
            value if value.is_nan() => Json::from("NaN"),
            f64::INFINITY => Json::from("+Inf"),
            f64::NEG_INFINITY => Json::from("-Inf"),
            value => Json::from(value),
        };
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Json::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Json::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Json::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Json::from(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.add(field, Json::from(chain(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Json::from(format!("{value:?}")));
    }
}
