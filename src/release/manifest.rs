//! From rendered files to hooks and objects, in Helm's order and with Helm's text.
//!
//! Mirrors Helm v4.3.1, `pkg/release/v1/util/manifest.go` and `manifest_sorter.go`, and `renderResources` of
//! `pkg/action/action.go` for the text that is stored.

use serde_json::Map;

use crate::release::hook::Hook;
use crate::release::{Gvk, Json};

/// What the files of a chart came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sorted {
    /// Hooks in Helm's install order of their kinds.
    pub hooks: Vec<Hook>,
    /// Everything else in Helm's install order.
    pub documents: Vec<Document>,
    /// Documents with a hook annotation that names an unknown event: Helm skips them with a notice, and so do we.
    pub skipped: Vec<Document>,
}

/// One document of a rendered file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The template, for instance `demo/templates/x.yaml`.
    pub path: String,
    /// Its text, without the `---`.
    pub text: String,
    /// Its kind, maybe empty.
    pub kind: String,
    /// What it says.
    pub json: Json,
}

/// A rendered object.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// The template that rendered it.
    pub path: String,
    /// Group, version and kind.
    pub gvk: Gvk,
    /// Namespace as rendered, maybe empty.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// All of it.
    pub body: Map<String, Json>,
}

/// What a value is, in words of an error.
pub(crate) fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "nothing",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "a map",
    }
}
