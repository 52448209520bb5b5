//! The schema of a definition from a chart's `values.yaml`: which keys there are, what is said about them, what they are by
//! default.
//!
//! A schema refuses what does not fit it before anybody asks the chart, and Helm takes any value for any key: a number where
//! the default is a text, a text where it is a map. So nothing has a type unless types are asked for, and nothing is required.
//! Nulls are let through, since to Helm they delete a default. Defaults are told and not set: what the API server sets in a
//! resource would stay when the chart has another.

use serde_json::{Map, Value as Json, json};

use crate::scaffold::comments::Comments;
use crate::yaml::{Node, NodeValue, Numbers};

/// Longest default that is told, in characters.
const LONGEST_DEFAULT: usize = 80;

/// Lets anything through, unknown keys included.
pub(super) const OPEN: &str = "x-kubernetes-preserve-unknown-fields";

/// Reads values with their comments.
pub(super) struct Inference<'a> {
    pub(super) comments: Comments<'a>,
    /// Whether a value must have the type of its default.
    pub(super) typed: bool,
}

impl Inference<'_> {
    /// The schema of a mapping's keys.
    pub(super) fn properties(&self, mapping: &Node, path: &str) -> Map<String, Json> {
        let named = mapping.entries().iter().filter_map(|(key, value)| Some((key, key.as_str()?, value)));
        named
            .map(|(key, name, value)| {
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                let about = self.comments.about(&path, key.place);
                (name.to_owned(), Json::Object(self.property(value, &path, about)))
            })
            .collect()
    }

    fn property(&self, value: &Node, path: &str, about: Option<String>) -> Map<String, Json> {
        let mut schema = anything();
        if self.typed {
            set_type(&mut schema, value);
        }
        let below = self.properties(value, path);
        if !below.is_empty() {
            schema.insert("properties".to_owned(), Json::Object(below));
        }
        let told: Vec<String> = about.into_iter().chain(default(value)).collect();
        if !told.is_empty() {
            schema.insert("description".to_owned(), Json::from(told.join("\n")));
        }
        schema
    }
}

/// A schema that every value fits.
pub(super) fn anything() -> Map<String, Json> {
    Map::from_iter([(OPEN.to_owned(), Json::Bool(true)), ("nullable".to_owned(), Json::Bool(true))])
}

/// Asks for the type of the default, where that tells one: nothing and empty collections are often stand-ins.
fn set_type(schema: &mut Map<String, Json>, value: &Node) {
    let name = match &value.value {
        NodeValue::Null => return,
        NodeValue::Int(_) | NodeValue::Uint(_) => {
            schema.remove(OPEN);
            schema.insert("x-kubernetes-int-or-string".to_owned(), Json::Bool(true));
            return;
        }
        NodeValue::Bool(_) => "boolean",
        NodeValue::Float(_) => "number",
        NodeValue::String(_) => "string",
        NodeValue::Sequence(items) if items.is_empty() => return,
        NodeValue::Sequence(_) => {
            schema.insert("items".to_owned(), Json::Object(anything()));
            "array"
        }
        NodeValue::Mapping(entries) if entries.is_empty() => return,
        NodeValue::Mapping(_) => "object",
    };
    if name != "object" {
        schema.remove(OPEN);
    }
    schema.insert("type".to_owned(), json!(name));
}

/// What a key is by default, if that is short.
fn default(value: &Node) -> Option<String> {
    if !value.entries().is_empty() || !value.items().is_empty() || value.is_null() {
        return None;
    }
    let text = value.to_json(Numbers::Exact).ok()?.to_string();
    (text.chars().count() <= LONGEST_DEFAULT).then(|| format!("Default: {text}"))
}
