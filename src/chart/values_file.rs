//! A file of values: `values.yaml`, or one that a user gives beside it.
//!
//! Mirrors Helm v4.3.1, `LoadValues` and `MergeMaps` of `pkg/chart/v2/loader/load.go`.

use serde_json::{Map, Value as Json};

use crate::yaml::{self, Numbers, json_type};

/// Why a file holds no values, in Helm's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It does not fall into documents.
    #[error("error reading yaml document: {0}")]
    Documents(yaml::Error),
    /// A document is no YAML.
    #[error("cannot unmarshal yaml document: {0}")]
    Yaml(yaml::Error),
    /// A document is something else than a map.
    #[error(
        "cannot unmarshal yaml document: error unmarshaling JSON: while decoding JSON: \
         json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
    )]
    NotAMap {
        /// JSON's name of what it is.
        found: &'static str,
    },
}

impl Error {
    /// What YAML says against it.
    pub fn yaml(&self) -> Option<&yaml::Error> {
        match self {
            Self::Documents(error) | Self::Yaml(error) => Some(error),
            Self::NotAMap { .. } => None,
        }
    }
}

/// The values in `text`: its documents merged, later ones over earlier ones; every number a float.
///
/// # Errors
/// [`Error`]
pub fn read(text: &str) -> Result<Map<String, Json>, Error> {
    let mut values = Map::new();
    for document in yaml::documents(text).map_err(Error::Documents)? {
        match yaml::to_json(document.text, Numbers::Float).map_err(Error::Yaml)? {
            Json::Null => {}
            Json::Object(entries) => merge(&mut values, entries),
            other => return Err(Error::NotAMap { found: json_type(&other) }),
        }
    }
    Ok(values)
}

/// Puts `over` on top of `values`: maps are merged, anything else is replaced, nulls included.
pub fn merge(values: &mut Map<String, Json>, over: Map<String, Json>) {
    for (key, value) in over {
        match (values.get_mut(&key), value) {
            (Some(Json::Object(below)), Json::Object(above)) => merge(below, above),
            (_, value) => {
                values.insert(key, value);
            }
        }
    }
}
