//! Between data at rest and the data of a render.

use serde_json::Value as Json;

use crate::value::{Int, Map, MapType, Str, Value, meter};

impl Value {
    /// Data at rest as a template sees it. A number keeps its type: what JSON holds as an integer is an `int64` (a
    /// resource's `spec`, `--set`), a float is a `float64` (everything from YAML text).
    pub fn from_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Nil,
            Json::Bool(b) => Self::Bool(*b),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(n), _) => Self::int64(n),
                (None, Some(n)) => Self::Int(Int::uint64(n)),
                (None, None) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::string(text.as_str()),
            Json::Array(items) => Self::list(items.iter().map(Self::from_json).collect()),
            Json::Object(entries) => Self::Map(
                entries.iter().map(|(key, value)| (Str::from(key.as_str()), Self::from_json(value))).collect(),
            ),
        }
    }

    /// Like [`Value::from_json`] for an object, as a map of type `map_type`; anything else is an empty map.
    pub fn map_from_json(json: &Json, map_type: MapType) -> Map {
        let entries = json.as_object().into_iter().flatten();
        let entries = entries.map(|(key, value)| (Str::from(key.as_str()), Self::from_json(value))).collect();
        Map::from_entries(map_type, entries)
    }

    /// What `encoding/json` makes of it. `None` where it refuses: NaN, infinities, and values that contain themselves.
    pub fn to_json(&self) -> Option<Json> {
        self.to_json_within(0)
    }

    fn to_json_within(&self, depth: usize) -> Option<Json> {
        if !meter::visit(0) || depth >= meter::MAX_NESTING {
            return None;
        }
        let depth = depth + 1;
        Some(match self {
            _ if self.is_nil() => Json::Null,
            Self::Nil => Json::Null,
            Self::Bool(b) => Json::Bool(*b),
            Self::Int(int) if int.kind().is_unsigned() => Json::from(int.bits().cast_unsigned()),
            Self::Int(int) => Json::from(int.bits()),
            Self::Float(f) => Json::Number(serde_json::Number::from_f64(*f)?),
            Self::String(text) => Json::String(text.to_text().into_owned()),
            Self::Bytes(bytes) => {
                use base64::Engine as _;
                Json::String(base64::engine::general_purpose::STANDARD.encode(bytes))
            }
            Self::List(list) => Json::Array(list.iter().map(|item| item.to_json_within(depth)).collect::<Option<_>>()?),
            Self::Map(map) => {
                let entry =
                    |(key, value): (Str, Self)| Some((key.to_text().into_owned(), value.to_json_within(depth)?));
                Json::Object(map.entries().into_iter().map(entry).collect::<Option<_>>()?)
            }
            Self::Object(object) => object.to_json(),
        })
    }

    /// A copy that shares no map with this one (Sprig's `deepCopy`). What lies deeper than [`meter::MAX_NESTING`] is nil in
    /// it.
    #[must_use]
    pub fn deep_copy(&self) -> Self {
        self.deep_copy_within(0)
    }

    fn deep_copy_within(&self, depth: usize) -> Self {
        if !meter::visit(0) || !meter::enter(depth) {
            return Self::Nil;
        }
        let depth = depth + 1;
        match self {
            Self::List(list) if !list.is_nil() => {
                let items = list.iter().map(|item| item.deep_copy_within(depth)).collect();
                Self::List(crate::value::List::new(list.elem(), items))
            }
            Self::Map(map) if !map.is_nil() => {
                let copied = |(key, value): (Str, Self)| (key, value.deep_copy_within(depth));
                let entries = map.entries().into_iter().map(copied).collect();
                Self::Map(Map::from_entries(map.map_type(), entries))
            }
            other => other.clone(),
        }
    }
}
