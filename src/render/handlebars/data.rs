//! Go's data as JSON, and what templates make of it as Go's values.

use serde_json::{Map as JsonMap, Number, Value as Json};

use crate::render::files::Files;
use crate::value::{Str, Value};

/// How deep the data may be nested.
const MAX_DEPTH: usize = 500;

/// Why there is no [`view`].
pub(crate) const TOO_DEEP: &str = "the data is nested too deeply, or contains itself";

/// What templates see of the resource: whoever does not name it does not read it.
const OF_RESOURCE: [&str; 4] = ["CR", "Previous", "Results", "Operator"];

/// As [`view`] of a template's dot, without what `is_named` says that no template names.
pub(crate) fn view_of_dot(dot: &Value, is_named: impl Fn(&str) -> bool) -> Option<Json> {
    let Value::Map(map) = dot else { return view(dot) };
    let hidden: Vec<_> = OF_RESOURCE.into_iter().filter(|name| map.contains(name) && !is_named(name)).collect();
    if hidden.is_empty() {
        return view(dot);
    }
    let shown = map.shallow_copy();
    for name in hidden {
        shown.remove(name);
    }
    view(&Value::Map(shown))
}

/// How many values the crate copies in the time of a step.
const VALUES_PER_STEP: u64 = 8;

/// The data as a Handlebars template sees it: `.Files` by path with the size of each, everything else as `toJson` gives it.
/// Nothing if it is nested too deeply.
pub(crate) fn view(value: &Value) -> Option<Json> {
    view_within(value, MAX_DEPTH)
}

fn view_within(value: &Value, depth: usize) -> Option<Json> {
    let depth = depth.checked_sub(1)?;
    Some(match value {
        Value::List(list) => Json::Array(list.iter().map(|item| view_within(item, depth)).collect::<Option<_>>()?),
        Value::Map(map) => {
            let entry = |(key, value): (Str, Value)| Some((key.to_text().into_owned(), view_within(&value, depth)?));
            Json::Object(map.entries().into_iter().map(entry).collect::<Option<_>>()?)
        }
        Value::Object(object) => match value.downcast::<Files>() {
            Some(files) => Json::Object(files.sizes().map(|(path, size)| (path, Json::from(size))).collect()),
            None => object.to_json(),
        },
        Value::Bytes(bytes) => Json::String(bytes.to_text().into_owned()),
        // NaN and the infinities are no JSON.
        plain => plain.to_json().unwrap_or(Json::Null),
    })
}

/// The steps that copying the value costs.
pub(crate) fn weight(json: &Json) -> u64 {
    values(json) / VALUES_PER_STEP
}

/// How many values it consists of; long texts count as several.
fn values(json: &Json) -> u64 {
    1 + match json {
        Json::Array(items) => items.iter().map(values).sum(),
        Json::Object(entries) => entries.values().map(|value| 1 + values(value)).sum(),
        Json::String(text) => text.len() as u64 / 64,
        _ => 0,
    }
}

/// A literal of a template: its whole numbers are ints as in Go.
pub(crate) fn literal(json: &Json) -> Value {
    json.as_i64().map_or_else(|| Value::from_json(json), Value::int)
}

/// The value at `path` below `value`; nothing if the path leads into something that is no plain data.
pub(crate) fn at(value: &Value, path: &[String]) -> Option<Value> {
    path.iter().try_fold(value.clone(), |value, key| match value {
        Value::Map(map) => map.get(key),
        Value::List(list) => list.get(key.parse::<usize>().ok()?).cloned(),
        Value::Object(object) if !object.as_any().is::<Files>() => object.field(key),
        _ => None,
    })
}

/// What is printed of a value: texts as they are, nothing for null, numbers without an exponent, lists and maps as JSON,
/// which is YAML too.
pub(crate) fn printed(json: &Json) -> String {
    match json {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => plain(other).to_string(),
    }
}

/// With floats that are whole as integers: whether a number came from YAML or a resource shall not show.
fn plain(json: &Json) -> Json {
    match json {
        Json::Number(number) => Json::Number(whole(number).unwrap_or_else(|| number.clone())),
        Json::Array(items) => Json::Array(items.iter().map(plain).collect()),
        Json::Object(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.clone(), plain(value))).collect::<JsonMap<_, _>>())
        }
        other => other.clone(),
    }
}

fn whole(number: &Number) -> Option<Number> {
    let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0)?;
    // Beyond 2⁵³ not every integer is a float.
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of at most 53 bits")]
    (float.abs() <= 9_007_199_254_740_992.0).then(|| Number::from(float as i64))
}
