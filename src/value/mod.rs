//! The data a template sees: Go's values, with the kinds, type names and reference semantics that `text/template` and
//! Sprig observe through reflection.
//!
//! Data at rest (a chart's defaults, a resource's `spec`, a manifest) is [`serde_json::Value`]: immutable, shared between
//! threads, its keys in byte order. When a render starts, it is turned into [`Value`] by [`Value::from_json`]: maps are then
//! shared by reference and may be changed by `set` and `merge`, as in Go, and everything stays on one thread.
//!
//! This module knows no template language, no YAML and no Helm. Mirrors Go 1.26: `reflect`, `fmt` (`%v`), `strconv`.

mod convert;
pub(crate) mod duration;
mod equal;
mod list;
mod map;
pub mod meter;
mod number;
mod object;
pub mod period;
mod print;
mod quote;
pub mod reads;
mod string;
mod types;

#[cfg(test)]
mod tests;

use std::rc::Rc;

pub use list::{Elem, List};
pub use map::{Map, MapType};
pub use number::{Int, IntKind, format_float, shortest_digits};
pub use object::{Field, Method, Object};
pub use quote::{Alphabet, is_print, quote, quote_rune, quote_with};
pub use string::{Str, decode_utf8};
pub use types::{Kind, Signature, Type};

/// One Go value. Cloning is cheap: strings, lists, maps and objects are shared.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// An interface that holds nothing: YAML's `null`, Go's `nil`.
    #[default]
    Nil,
    /// `bool`
    Bool(bool),
    /// Any of Go's integer kinds; which one is visible to `typeOf`, `printf "%T"` and `eq`.
    Int(Int),
    /// `float64`: every number that came from YAML or JSON text.
    Float(f64),
    /// `string`: bytes, usually UTF-8, but `trunc` may cut a character in two.
    String(Str),
    /// `[]byte`
    Bytes(Str),
    /// A slice. Sprig never changes one in place, so it is immutable here.
    List(List),
    /// A map with string keys, changed in place by `set`, `unset` and `merge`.
    Map(Map),
    /// A Go struct, or a named type with methods or fields of its own.
    Object(Rc<dyn Object>),
}

impl Value {
    /// A Go `int`: literals, `len`, loop indices.
    pub fn int(n: i64) -> Self {
        Self::Int(Int::new(IntKind::Int, n))
    }

    /// A Go `int64`: Sprig's arithmetic, `--set`, whole numbers of a resource's `spec`.
    pub fn int64(n: i64) -> Self {
        Self::Int(Int::new(IntKind::Int64, n))
    }

    /// A string of Go.
    pub fn string(text: impl Into<Str>) -> Self {
        Self::String(text.into())
    }

    /// A `[]interface {}`.
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(List::new(Elem::Any, items))
    }

    /// A `[]string`.
    pub fn strings<S: Into<Str>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::List(List::new(Elem::String, items.into_iter().map(Self::string).collect()))
    }

    /// An empty `map[string]interface {}`.
    pub fn dict() -> Self {
        Self::Map(Map::new(MapType::Any))
    }

    /// A value with methods.
    pub fn object(object: impl Object + 'static) -> Self {
        Self::Object(Rc::new(object))
    }

    /// Go's `reflect.Kind`; `Invalid` for nil.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Nil => Kind::Invalid,
            Self::Bool(_) => Kind::Bool,
            Self::Int(int) => int.kind().into(),
            Self::Float(_) => Kind::Float64,
            Self::String(_) => Kind::String,
            Self::Bytes(_) | Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Object(object) => object.kind(),
        }
    }

    /// The type's name as `fmt`'s `%T` prints it; `<nil>` for nil.
    pub fn type_name(&self) -> &str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(int) => int.kind().name(),
            Self::Float(_) => "float64",
            Self::String(_) => "string",
            Self::Bytes(_) => "[]uint8",
            Self::List(list) => list.elem().list_type_name(),
            Self::Map(map) => map.map_type().name(),
            Self::Object(object) => object.type_name(),
        }
    }

    /// Whether it is nil, or a slice or map that is nil of its type: what `encoding/json` writes as `null`.
    pub fn is_nil(&self) -> bool {
        match self {
            Self::Nil => true,
            Self::List(list) => list.is_nil(),
            Self::Map(map) => map.is_nil(),
            _ => false,
        }
    }

    /// Whether `if` takes it for true (`text/template`'s `IsTrue`).
    pub fn truth(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(b) => *b,
            Self::Int(int) => int.bits() != 0,
            Self::Float(f) => *f != 0.0,
            Self::String(s) | Self::Bytes(s) => !s.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Object(object) => object.truth(),
        }
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<&List> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&Str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The object's Rust type, if the value is an object of it.
    pub fn downcast<T: 'static>(&self) -> Option<&T> {
        if let Self::Object(object) = self { object.as_any().downcast_ref() } else { None }
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl From<f64> for Value {
    fn from(f: f64) -> Self {
        Self::Float(f)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::string(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::string(text)
    }
}

impl From<Str> for Value {
    fn from(text: Str) -> Self {
        Self::String(text)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::List(list)
    }
}
