//! Reading a mapping field by field, so that one fault does not hide the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Place, Source, suggestion};
use crate::shape::Shape;
use crate::value::format_float;
use crate::yaml::{Node, NodeValue};

/// Collects what is wrong with a text.
pub(crate) struct Findings {
    pub(crate) source: Arc<Source>,
    pub(crate) found: Vec<Diagnostic>,
}

/// A field of a mapping.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    /// Its name as we spell it.
    pub(crate) name: &'static str,
    pub(crate) value: &'a Node,
}

/// An entry of a mapping of strings.
pub(crate) struct Entry<'a> {
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) node: &'a Node,
    pub(crate) value: String,
    /// Where the value stands.
    pub(crate) value_node: &'a Node,
}

/// The known fields of a mapping; those that are null are not there.
pub(crate) struct Fields<'a>(BTreeMap<&'static str, Field<'a>>);

impl<'a> Fields<'a> {
    pub(crate) fn field(&self, name: &str) -> Option<Field<'a>> {
        self.0.get(name).copied()
    }
}

impl Findings {
    /// A fault at a place.
    pub(crate) fn fault(&mut self, place: Place, message: impl Into<String>) {
        self.found.push(Diagnostic::error(message).at(&self.source, place));
    }

    /// A fault with what to do about it.
    pub(crate) fn fault_with(&mut self, place: Place, message: impl Into<String>, hint: impl Into<String>) {
        self.found.push(Diagnostic::error(message).at(&self.source, place).hint(hint));
    }

    /// Something to know.
    pub(crate) fn warning(&mut self, place: Place, message: impl Into<String>, hint: Option<String>) {
        let warning = Diagnostic::warning(message).at(&self.source, place);
        self.found.push(Diagnostic { hint, ..warning });
    }

    /// The fields of a mapping, in any letter case. A key that `shape` does not know is warned about.
    pub(crate) fn fields<'a>(&mut self, mapping: &'a Node, shape: &Shape) -> Fields<'a> {
        let known = shape.keys();
        let mut fields: BTreeMap<&'static str, Field<'a>> = BTreeMap::new();
        for (key, value) in mapping.entries() {
            let Some(text) = scalar(key) else {
                self.warning(key.place, format!("unknown field: {}", key.kind_name()), None);
                continue;
            };
            let Some(name) = known.iter().copied().find(|name| name.eq_ignore_ascii_case(&text)) else {
                let meant = suggestion(&text, known.iter().copied());
                let hint = meant.map(|name| format!("did you mean `{name}`?"));
                self.warning(key.place, format!("unknown field `{text}` is ignored"), hint);
                continue;
            };
            if fields.contains_key(name) {
                let hint = "keys are matched in any letter case; keep one of them".to_owned();
                self.warning(key.place, format!("`{name}` is given twice; the last one counts"), Some(hint));
            }
            if !value.is_null() {
                fields.insert(name, Field { name, value });
            }
        }
        Fields(fields)
    }

    pub(crate) fn mismatch(&mut self, field: Field<'_>, wanted: &str) {
        let message = format!("expected {wanted} for `{}`, found {}", field.name, field.value.kind_name());
        self.fault(field.value.place, message);
    }

    /// A string; numbers and bools become their text, as in Go.
    pub(crate) fn string(&mut self, field: Option<Field<'_>>) -> Option<String> {
        let field = field?;
        let text = scalar(field.value);
        if text.is_none() {
            self.mismatch(field, "a string");
        }
        text
    }

    pub(crate) fn bool(&mut self, field: Option<Field<'_>>) -> Option<bool> {
        let field = field?;
        let value = field.value.as_bool();
        if value.is_none() {
            let hint = "write it without quotes";
            let quoted = field.value.as_str().is_some_and(|text| matches!(text, "true" | "false"));
            let message = format!("expected true or false for `{}`, found {}", field.name, field.value.kind_name());
            if quoted {
                self.fault_with(field.value.place, message, hint);
            } else {
                self.fault(field.value.place, message);
            }
        }
        value
    }

    /// A whole number, at least `least`.
    pub(crate) fn count(&mut self, field: Option<Field<'_>>, least: u32) -> Option<u32> {
        let field = field?;
        let number = match field.value.value {
            NodeValue::Int(number) => u32::try_from(number).ok().filter(|number| *number >= least),
            _ => None,
        };
        if number.is_none() {
            let found = match field.value.value {
                NodeValue::Int(number) => number.to_string(),
                _ => field.value.kind_name().to_owned(),
            };
            let message = format!("expected a whole number from {least} on for `{}`, found {found}", field.name);
            self.fault(field.value.place, message);
        }
        number
    }

    /// The entries of a mapping of strings.
    pub(crate) fn string_map<'a>(&mut self, field: Field<'a>, hint: &str) -> Vec<Entry<'a>> {
        if !field.value.is_mapping() {
            self.mismatch(field, "a mapping");
            return Vec::new();
        }
        let mut entries = Vec::new();
        for (node, value) in field.value.entries() {
            let key = scalar(node).unwrap_or_default();
            // Go leaves a string that is null empty.
            let text = if value.is_null() { Some(String::new()) } else { scalar(value) };
            if let Some(text) = text {
                entries.push(Entry { key, node, value: text, value_node: value });
            } else {
                let message = format!("expected a string for `{}.{key}`, found {}", field.name, value.kind_name());
                self.fault_with(value.place, message, hint);
            }
        }
        entries
    }
}

/// A scalar's text where a string is wanted: numbers and bools count, as sigs.k8s.io/yaml has it.
pub(crate) fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        NodeValue::String(text) => Some(text.clone()),
        NodeValue::Bool(b) => Some(b.to_string()),
        NodeValue::Int(number) => Some(number.to_string()),
        NodeValue::Uint(number) => Some(number.to_string()),
        NodeValue::Float(number) => Some(format_float(*number)),
        NodeValue::Null | NodeValue::Sequence(_) | NodeValue::Mapping(_) => None,
    }
}
