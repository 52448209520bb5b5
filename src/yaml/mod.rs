//! YAML exactly as Helm reads and writes it: sigs.k8s.io/yaml 1.6.0 over go.yaml.in/yaml/v2 2.4.4, a YAML 1.1 with habits of
//! its own, and go.yaml.in/yaml/v3 3.0.5 for `toYamlPretty`.
//!
//! Reading goes text → tokens (`scanner`, `scalars`, `tags`) → events (`parser`) → tree (`tree`) → [`Node`]s (`compose`,
//! `resolve`) → data at rest (`json`). Writing (`emit`, `pretty`) goes straight from a value to text.
//!
//! Where it departs from the original: collections may be nested [`MAX_DEPTH`] deep instead of 10,000; text that aliases
//! repeat is limited to 64 MiB; where Go's random map order decides (keys `1` and `"1"`, keys whose natural order is a
//! cycle), the order of the text does.
//!
//! This module never touches files; it is given text.

mod compose;
mod cursor;
mod documents;
mod emit;
mod fault;
mod go_json;
mod go_syntax;
mod json;
mod node;
mod order;
mod parser;
mod resolve;
mod scalars;
mod scanner;
mod style;
mod tags;
mod tree;
mod write;

#[cfg(test)]
mod tests;

use serde_json::Value as Json;

use crate::diagnostic::Place;

pub use documents::{Document, documents};
pub use emit::{emit, emit_json, emit_pretty};
pub use fault::Fault;
pub use node::{Node, NodeValue};

/// How deep collections may be nested: deeper than anything meant, and within 2 MiB of stack even where nothing is optimised.
pub const MAX_DEPTH: usize = 400;

/// Why a text cannot be read, or a value not be written; `Display` is the original's text to the letter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Reading: `Unmarshal` and `YAMLToJSON`.
    #[error("error converting YAML to JSON: {0}")]
    Read(Box<Fault>),
    /// Writing: the value has no JSON.
    #[error("error marshaling into JSON: {0}")]
    Json(Box<Fault>),
    /// Writing: the value's JSON is not YAML.
    #[error("{0}")]
    Write(Box<Fault>),
    /// Splitting: something stands in the line of a `---`.
    #[error("invalid Yaml document separator: {found}")]
    Separator {
        /// What stands there.
        found: String,
        /// Its line, from 1.
        line: usize,
    },
}

impl Error {
    /// The line it is in, from 1, if that is known. This is the true line; that in the text is as the original counts.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Separator { line, .. } => Some(*line),
            _ => self.place().map(|place| place.line),
        }
    }

    /// Where it is in the text that was read, if that is known.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Read(fault) => fault.place(),
            Self::Separator { line, .. } => Some(Place { line: *line, column: 1, width: 3 }),
            Self::Json(_) | Self::Write(_) => None,
        }
    }
}

/// What becomes of whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// They stay integers: manifests, resources.
    Exact,
    /// They become floats like all numbers: `values.yaml`, `fromYaml`.
    Float,
    /// Integers stay integers, and floats without a fraction floats, since they may be wanted as text: `Chart.yaml`.
    AsWritten,
}

/// The first document of `text` as a tree with places, aliases and merges applied; `None` if there is none.
///
/// # Errors
/// What `yaml.Unmarshal` of go.yaml.in/yaml/v2 refuses.
pub fn parse(text: &str) -> Result<Option<Node>, Error> {
    read(text).map_err(Error::Read)
}

/// The first document of `text` as data at rest, `null` if there is none: what `Unmarshal` of sigs.k8s.io/yaml makes of it
/// for a target of any type. Of equal keys the last one counts.
///
/// # Errors
/// What [`parse`] refuses, keys without text (`null`) and numbers that are not finite.
pub fn to_json(text: &str, numbers: Numbers) -> Result<Json, Error> {
    match read(text).map_err(Error::Read)? {
        Some(node) => json::into_json(node, numbers).map_err(Error::Read),
        None => Ok(Json::Null),
    }
}

/// Whether a mapping of the first document of `text` has a key twice; merged mappings apart. Others than Helm refuse that.
pub fn repeats_keys(text: &str) -> bool {
    tree::Tree::read(text).is_ok_and(|tree| tree.is_some_and(|tree| tree.repeats_keys()))
}

/// JSON's name of a value's type, as Go's decoder tells it.
pub fn json_type(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "bool",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

fn read(text: &str) -> Result<Option<Node>, Box<Fault>> {
    let Some(tree) = tree::Tree::read(text)? else { return Ok(None) };
    compose::Composer::compose(&tree).map(Some)
}
