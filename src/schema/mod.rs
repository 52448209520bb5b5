//! JSON Schema as Helm's validator knows it: drafts 4, 6, 7, 2019-09 and 2020-12, checked in its order and told in its words.
//!
//! A schema is compiled once and kept with the chart that it came with. Nothing is fetched and no disk is read: of what lies
//! elsewhere only a `urn:` is known, which allows everything, as in Helm. Where Helm goes through a Go map, which has no
//! order, names go in byte order here.
//!
//! Mirrors santhosh-tekuri/jsonschema v6.0.3, as Helm v4.3.1 sets it up in `pkg/chart/common/util/jsonschema.go`.

mod compile;
mod decimal;
mod fault;
mod formats;
mod location;
mod metaschemas;
mod node;
mod roots;
#[cfg(test)]
mod tests;
mod violation;
mod walk;

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde_json::Value as Json;

pub use fault::Fault;
pub use violation::{Kind, Shown, Violation};

/// Under which address Helm knows the schema of a chart.
const ADDRESS: &str = "file:///values.schema.json";

/// A `values.schema.json` as it was written. Clones share the bytes and what was compiled of them.
#[derive(Clone)]
pub struct Schema {
    text: Arc<[u8]>,
    compiled: Arc<OnceLock<Result<compile::Compiled, Fault>>>,
}

impl Schema {
    /// Checks values; numbers may be integers or floats.
    ///
    /// # Errors
    /// [`Failure`]: the text is no schema, or the values do not meet it.
    pub fn check(&self, values: &Json) -> Result<(), Failure<'_>> {
        let compiled = self.compiled.get_or_init(|| compile::chart_schema(&self.text));
        match compiled {
            Err(fault) => Err(Failure::NoSchema(fault)),
            Ok(compiled) => walk::check(compiled, values).map_err(Failure::NotMet),
        }
    }
}

/// Why values cannot be said to meet a schema.
#[derive(Clone, Debug)]
pub enum Failure<'s> {
    /// The schema is none.
    NoSchema(&'s Fault),
    /// The values do not meet it; of [`Kind::Schema`].
    NotMet(Violation),
}

impl From<Arc<[u8]>> for Schema {
    fn from(text: Arc<[u8]>) -> Self {
        Self { text, compiled: Arc::default() }
    }
}

impl Deref for Schema {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.text
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Schema {}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({})", String::from_utf8_lossy(&self.text))
    }
}
