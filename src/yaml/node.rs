//! A document as a tree with places, for those who check a file and report faults in it.

use crate::diagnostic::Place;

/// A value of a document, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: NodeValue,
    /// Where it is: all of a scalar in one line, the first character of anything else. Of an alias, where the alias is.
    pub place: Place,
}

/// What a node is, after resolution.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// `null`, `~` or nothing.
    Null,
    /// `true`, `yes`, `on` and so on.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that is too large for [`NodeValue::Int`].
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// A text; also dates.
    String(String),
    /// Items.
    Sequence(Vec<Node>),
    /// Keys, none of which occurs twice, and values.
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// A null at the start of the text.
    pub(in crate::yaml) fn null() -> Self {
        Self { value: NodeValue::Null, place: Place { line: 1, column: 1, width: 1 } }
    }

    /// The value at a key that is a string.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The key, for its place, and the value at a key that is a string.
    pub fn entry(&self, key: &str) -> Option<(&Self, &Self)> {
        self.entries().iter().find(|(found, _)| found.as_str() == Some(key)).map(|(key, value)| (key, value))
    }

    /// Keys and values in the order of the text; none if it is no mapping.
    pub fn entries(&self) -> &[(Self, Self)] {
        if let NodeValue::Mapping(entries) = &self.value { entries } else { &[] }
    }

    /// The items; none if it is no sequence.
    pub fn items(&self) -> &[Self] {
        if let NodeValue::Sequence(items) = &self.value { items } else { &[] }
    }

    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        if let NodeValue::String(text) = &self.value { Some(text) } else { None }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let NodeValue::Bool(bool) = self.value { Some(bool) } else { None }
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        if let NodeValue::Int(int) = self.value { Some(int) } else { None }
    }

    /// Whether it is a mapping.
    pub fn is_mapping(&self) -> bool {
        matches!(self.value, NodeValue::Mapping(_))
    }

    /// Whether it is a sequence.
    pub fn is_sequence(&self) -> bool {
        matches!(self.value, NodeValue::Sequence(_))
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.value, NodeValue::Null)
    }

    /// What it is called in messages, with its article: `a string`, `an integer`, `null`.
    pub fn kind_name(&self) -> &'static str {
        match self.value {
            NodeValue::Null => "null",
            NodeValue::Bool(_) => "a boolean",
            NodeValue::Int(_) | NodeValue::Uint(_) => "an integer",
            NodeValue::Float(_) => "a number",
            NodeValue::String(_) => "a string",
            NodeValue::Sequence(_) => "a list",
            NodeValue::Mapping(_) => "a mapping",
        }
    }

    /// The node as data at rest.
    ///
    /// # Errors
    /// As [`crate::yaml::to_json`].
    pub fn to_json(&self, numbers: crate::yaml::Numbers) -> Result<serde_json::Value, crate::yaml::Error> {
        crate::yaml::json::into_json(self.clone(), numbers).map_err(crate::yaml::Error::Read)
    }
}
