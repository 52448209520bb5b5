//! What a file that users write may hold, as a table: it checks a document, every fault at once, and prints the JSON Schema
//! with which editors check the same file, so that the two cannot say different things.

mod schema;

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Place, Source, suggestion};
use crate::yaml::Node;

pub use schema::{document, text};

/// What a value may be. `null` is as good as nothing, wherever it stands.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A string that is not empty.
    Text,
    /// A string.
    AnyText,
    /// Names with dots between them, and one before them if one likes.
    Path,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A list.
    List(&'static Self),
    /// A list of strings that are not empty, none twice.
    Names,
    /// A mapping of strings.
    Texts,
    /// A mapping with certain keys.
    Object(&'static [Field], Keys),
    /// Whatever it is, it means nothing.
    Ignored,
    /// One of these, as whoever reads it finds out.
    Either(&'static [Self]),
    /// What whoever reads it checks; this is its JSON Schema.
    Own(&'static str),
}

/// Which keys of a mapping must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Those that are required.
    Required,
    /// Exactly one, beside those that mean nothing.
    One,
}

/// A key of a mapping.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// What it may be.
    pub shape: Shape,
    /// What it is for, in one line.
    pub about: &'static str,
}

impl Field {
    /// A key that may be absent.
    pub const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { name, required: false, shape, about }
    }

    /// A key that must be there.
    pub const fn required(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { name, required: true, shape, about }
    }
}

/// Collects what is wrong with a text.
pub struct Faults {
    source: Arc<Source>,
    found: Vec<Diagnostic>,
}

impl Faults {
    /// Of a text.
    pub fn new(source: Arc<Source>) -> Self {
        Self { source, found: Vec::new() }
    }

    /// Adds one.
    pub fn add(&mut self, place: Place, message: impl Into<String>, hint: Option<String>) {
        let fault = Diagnostic::error(message).at(&self.source, place);
        self.found.push(Diagnostic { hint, ..fault });
    }

    /// Adds all that a value has where `shape` is wanted. `name` is what the value is called.
    pub fn check(&mut self, node: &Node, shape: &Shape, name: &str) {
        match shape {
            Shape::Ignored | Shape::Either(_) | Shape::Own(_) => {}
            _ if node.is_null() => {}
            Shape::Text | Shape::AnyText | Shape::Path | Shape::Choice(_) => self.check_text(node, shape, name),
            Shape::List(item) => {
                for item_node in self.items(node, name) {
                    self.check_item(item_node, item, name);
                }
            }
            Shape::Names => self.check_names(node, name),
            Shape::Texts => {
                for (key, value) in self.entries(node, name) {
                    let name = format!("{name}.{}", key.as_str().unwrap_or_default());
                    self.check_item(value, &Shape::AnyText, &name);
                    if key.as_str().is_none() {
                        self.mismatch(key, "a string as key", &name);
                    }
                }
            }
            Shape::Object(fields, keys) => self.check_object(node, fields, *keys, name),
        }
    }

    /// All, in order of place.
    pub fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|fault| fault.place);
        self.found
    }

    fn mismatch(&mut self, node: &Node, wanted: &str, name: &str) {
        let quotes = wanted == "a string" && !node.is_mapping() && !node.is_sequence() && !node.is_null();
        let message = format!("expected {wanted} for `{name}`, found {}", node.kind_name());
        self.add(node.place, message, quotes.then(|| "write it in quotes".to_owned()));
    }

    fn items<'a>(&mut self, node: &'a Node, name: &str) -> &'a [Node] {
        if !node.is_sequence() {
            self.mismatch(node, "a list", name);
        }
        node.items()
    }

    fn entries<'a>(&mut self, node: &'a Node, name: &str) -> &'a [(Node, Node)] {
        if !node.is_mapping() {
            self.mismatch(node, "a mapping", name);
        }
        node.entries()
    }

    /// An element, which cannot be absent.
    fn check_item(&mut self, node: &Node, shape: &Shape, name: &str) {
        if node.is_null() {
            self.mismatch(node, shape.wanted(), name);
        }
        self.check(node, shape, name);
    }

    fn check_text(&mut self, node: &Node, shape: &Shape, name: &str) {
        let Some(text) = node.as_str() else { return self.mismatch(node, "a string", name) };
        match shape {
            Shape::Choice(choices) if !choices.contains(&text) => {
                let listed: Vec<_> = choices.iter().map(|choice| format!("`{choice}`")).collect();
                let hint = suggestion(text, choices.iter().copied()).map(|choice| format!("did you mean `{choice}`?"));
                self.add(node.place, format!("expected {} for `{name}`, found `{text}`", listed.join(" or ")), hint);
            }
            Shape::Path if path(text).is_none() => {
                let message = format!("expected a path for `{name}`, found `{text}`");
                self.add(node.place, message, Some("write for instance `.status.replicas`".to_owned()));
            }
            Shape::Text if text.is_empty() => {
                self.add(node.place, format!("expected a string that is not empty for `{name}`"), None);
            }
            _ => {}
        }
    }

    fn check_names(&mut self, node: &Node, name: &str) {
        let mut seen: Vec<&str> = Vec::new();
        for item in self.items(node, name) {
            self.check_item(item, &Shape::Text, name);
            let Some(text) = item.as_str() else { continue };
            if seen.contains(&text) {
                self.add(item.place, format!("`{text}` is listed twice in `{name}`"), None);
            }
            seen.push(text);
        }
    }

    fn check_object(&mut self, node: &Node, fields: &[Field], keys: Keys, name: &str) {
        let known = || fields.iter().map(|field| field.name);
        for (key, value) in self.entries(node, name) {
            let text = key.as_str().unwrap_or_else(|| key.kind_name());
            if let Some(field) = fields.iter().find(|field| Some(field.name) == key.as_str()) {
                self.check(value, &field.shape, field.name);
            } else {
                let hint = suggestion(text, known()).map(|name| format!("did you mean `{name}`?"));
                self.add(key.place, format!("unknown field `{text}` in `{name}`"), hint);
            }
        }
        if !node.is_mapping() {
            return;
        }
        let there = |field: &&Field| node.get(field.name).is_some_and(|value| !value.is_null());
        for missing in fields.iter().filter(|field| field.required && !there(field)) {
            self.add(node.place, format!("`{name}` has no `{}`", missing.name), None);
        }
        let meant: Vec<_> = fields.iter().filter(|field| !matches!(field.shape, Shape::Ignored)).collect();
        let count = meant.iter().filter(|field| there(field)).count();
        if keys == Keys::One && count != 1 {
            let names: Vec<_> = meant.iter().map(|field| format!("`{}`", field.name)).collect();
            let found = if count == 0 { "none" } else { "several" };
            self.add(node.place, format!("expected one of {} in `{name}`, found {found}", names.join(", ")), None);
        }
    }
}

/// The names of a [`Shape::Path`].
pub fn path(text: &str) -> Option<Vec<&str>> {
    let names: Vec<_> = text.strip_prefix('.').unwrap_or(text).split('.').collect();
    (!names.contains(&"")).then_some(names)
}

impl Shape {
    /// The keys of a mapping; none of anything else.
    pub fn keys(&self) -> Vec<&'static str> {
        if let Self::Object(fields, _) = self { fields.iter().map(|field| field.name).collect() } else { Vec::new() }
    }

    fn wanted(&self) -> &'static str {
        match self {
            Self::List(_) | Self::Names => "a list",
            Self::Texts | Self::Object(..) => "a mapping",
            _ => "a string",
        }
    }
}
