//! A compiled schema: what its keywords say, with references to other schemas of the same arena.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::functions::Expression;
use crate::schema::decimal::Decimal;
use crate::schema::formats::Format;
use crate::schema::location::Place;
use crate::schema::metaschemas::Draft;

/// The number of a schema in its arena.
pub(super) type Id = usize;

/// One schema.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) place: Place,
    /// The place as it is told.
    pub(super) location: String,
    pub(super) draft: Draft,
    /// The schema with an identifier that it is part of.
    pub(super) resource: Id,
    pub(super) dynamic_anchors: BTreeMap<String, Id>,
    pub(super) recursive_anchor: bool,
    pub(super) dynamic_anchor: String,
    /// A schema that is `true` or `false`.
    pub(super) verdict: Option<bool>,
    pub(super) reference: Option<Id>,
    pub(super) recursive_reference: Option<Id>,
    /// And its anchor, which may be empty.
    pub(super) dynamic_reference: Option<(Id, String)>,
    pub(super) types: Vec<Type>,
    pub(super) constant: Option<Json>,
    pub(super) options: Option<Vec<Json>>,
    pub(super) format: Option<Format>,
    pub(super) not: Option<Id>,
    pub(super) all_of: Vec<Id>,
    pub(super) any_of: Vec<Id>,
    pub(super) one_of: Vec<Id>,
    pub(super) condition: Option<Id>,
    pub(super) consequence: Option<Id>,
    pub(super) alternative: Option<Id>,
    pub(super) object: OfObject,
    pub(super) array: OfArray,
    pub(super) min_length: Option<i64>,
    pub(super) max_length: Option<i64>,
    pub(super) pattern: Option<(String, Expression)>,
    pub(super) minimum: Option<Bound>,
    pub(super) maximum: Option<Bound>,
    pub(super) exclusive_minimum: Option<Bound>,
    pub(super) exclusive_maximum: Option<Bound>,
    pub(super) multiple_of: Option<Bound>,
}

/// Keywords for objects.
#[derive(Debug, Default)]
pub(super) struct OfObject {
    pub(super) min_properties: Option<i64>,
    pub(super) max_properties: Option<i64>,
    pub(super) required: Vec<String>,
    pub(super) dependencies: BTreeMap<String, Dependency>,
    pub(super) properties: BTreeMap<String, Id>,
    pub(super) pattern_properties: Vec<(Expression, Id)>,
    pub(super) additional: Option<Additional>,
    pub(super) property_names: Option<Id>,
    pub(super) dependent_schemas: BTreeMap<String, Id>,
    pub(super) dependent_required: BTreeMap<String, Vec<String>>,
    pub(super) unevaluated: Option<Id>,
}

/// Keywords for arrays.
#[derive(Debug, Default)]
pub(super) struct OfArray {
    pub(super) min_items: Option<i64>,
    pub(super) max_items: Option<i64>,
    pub(super) unique_items: bool,
    /// `prefixItems`, and before 2020-12 an array in `items`.
    pub(super) prefix: Vec<Id>,
    /// For all items, or those after the prefix: `items`, `additionalItems`.
    pub(super) rest: Option<Additional>,
    pub(super) contains: Option<Id>,
    pub(super) min_contains: Option<i64>,
    pub(super) max_contains: Option<i64>,
    pub(super) unevaluated: Option<Id>,
}

/// A number of a schema.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) exact: Decimal,
    pub(super) float: f64,
}

#[derive(Debug)]
pub(super) enum Dependency {
    Names(Vec<String>),
    Schema(Id),
}

#[derive(Debug)]
pub(super) enum Additional {
    Allowed(bool),
    Schema(Id),
}

/// A type, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Type {
    Null,
    Boolean,
    Number,
    Integer,
    String,
    Array,
    Object,
}

impl Type {
    /// Of a value; numbers are just that.
    pub(super) fn of(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(_) => Self::Boolean,
            Json::Number(_) => Self::Number,
            Json::String(_) => Self::String,
            Json::Array(_) => Self::Array,
            Json::Object(_) => Self::Object,
        }
    }

    pub(super) fn read(name: &str) -> Option<Self> {
        const ALL: [Type; 7] =
            [Type::Null, Type::Boolean, Type::Number, Type::Integer, Type::String, Type::Array, Type::Object];
        ALL.into_iter().find(|known| known.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}
