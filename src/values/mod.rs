//! Values: what a chart's templates see as `.Values`.
//!
//! Chart defaults ← parent charts ← the resource's `spec` ← `overrideValues` ← `overrides`. Data at rest goes in and comes
//! out; nothing here reads files, the environment, or a template.
//!
//! Mirrors Helm v4.3.1: `pkg/chart/common/util`, `pkg/chart/v2/util/dependencies.go`, `pkg/strvals`.

mod coalesce;
pub mod dependency;
pub mod overrides;
pub mod process;
pub mod schema;
pub mod strvals;
mod tree;

#[cfg(test)]
mod tests;

use serde_json::Value as Json;

pub use coalesce::{Coalesced, coalesce};
pub use process::{Checks, Processed, Schemas, process, process_with};

/// Why values cannot be made.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// Something other than an object stands where a sub-chart's values belong.
    #[error("type mismatch on {name}: expected a table, found {found}")]
    NotATable {
        /// The sub-chart.
        name: String,
        /// Go's name of the type.
        found: &'static str,
    },
}

impl Error {
    pub(crate) fn not_a_table(name: &str, found: &Json) -> Self {
        Self::NotATable { name: name.to_owned(), found: go_type(found) }
    }
}

/// The type Go would decode it into.
pub(crate) fn go_type(json: &Json) -> &'static str {
    match json {
        Json::Null => "nil",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float64",
        Json::Number(_) => "int64",
        Json::String(_) => "string",
        Json::Array(_) => "[]interface {}",
        Json::Object(_) => "map[string]interface {}",
    }
}
