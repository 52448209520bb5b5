//! What Helm v4.3.1 adds to Sprig (`pkg/engine/funcs.go`), and Sprig's own JSON functions.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use crate::functions::json::{self, Html};
use crate::functions::json_read::{self, Document, json_type};
use crate::value::{Elem, List, Map, MapType, Str, Value};
use crate::yaml::{self, Numbers};

/// `toYaml`: "" where it cannot be written.
pub(crate) fn to_yaml(value: Value) -> Str {
    without_last_break(yaml::emit(&value).unwrap_or_default())
}

/// `mustToYaml`
pub(crate) fn must_to_yaml(value: Value) -> Result<Str, String> {
    yaml::emit(&value).map(without_last_break).map_err(|error| error.to_string())
}

/// The method `YAML` of Helm's `common.Values`: with the line break at the end.
pub(crate) fn values_yaml(values: Map) -> Result<Str, String> {
    yaml::emit(&Value::Map(values)).map(Str::from).map_err(|error| error.to_string())
}

/// `toYamlPretty`: "" where it cannot be written.
pub(crate) fn to_yaml_pretty(value: Value) -> Str {
    without_last_break(yaml::emit_pretty(&value).unwrap_or_default())
}

fn without_last_break(mut text: Vec<u8>) -> Str {
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    text.into()
}

/// The value of a YAML text, or the text of the error.
fn read_yaml(text: &Str) -> Result<Value, String> {
    let json = yaml::to_json(&text.to_text(), Numbers::Float).map_err(|error| error.to_string())?;
    Ok(Value::from_json(&json))
}

/// What Go says where a value is not of the type that was asked for.
fn not_of(value: &Value, go_type: &str) -> String {
    format!("json: cannot unmarshal {} into Go value of type {go_type}", json_type(value))
}

const MAP: &str = "map[string]interface {}";
const LIST: &str = "[]interface {}";

/// `fromYaml`: a map; on failure one whose `Error` says why.
pub(crate) fn from_yaml(text: Str) -> Map {
    match read_yaml(&text) {
        // Helm hands over a map that is there already, and keeps it.
        Ok(Value::Nil) => Map::new(MapType::Any),
        Ok(value) => map_or(value, |error| format!("error unmarshaling JSON: while decoding JSON: {error}")),
        Err(error) => error_map(error),
    }
}

/// `fromYamlArray`: a list; on failure one that holds the error's text.
pub(crate) fn from_yaml_array(text: Str) -> Value {
    match read_yaml(&text) {
        Ok(Value::Nil) => Value::list(Vec::new()),
        Ok(value) => list_or(value, |error| format!("error unmarshaling JSON: while decoding JSON: {error}")),
        Err(error) => Value::list(vec![error.into()]),
    }
}

fn map_or(value: Value, describe: impl Fn(String) -> String) -> Map {
    match value {
        Value::Map(map) => map,
        Value::Nil => Map::nil(MapType::Any),
        other => error_map(describe(not_of(&other, MAP))),
    }
}

fn list_or(value: Value, describe: impl Fn(String) -> String) -> Value {
    match value {
        Value::List(_) => value,
        Value::Nil => Value::List(List::nil(Elem::Any)),
        other => Value::list(vec![describe(not_of(&other, LIST)).into()]),
    }
}

fn error_map(error: String) -> Map {
    let map = Map::new(MapType::Any);
    map.insert("Error", error);
    map
}

/// `fromJson`: a map; on failure one whose `Error` says why.
pub(crate) fn from_json(text: Str) -> Map {
    let Document { value, too_large } = match json_read::read(&text) {
        Ok(document) => document,
        Err(error) => return error_map(error),
    };
    let map = map_or(value, |error| error);
    if let Some(error) = too_large {
        map.insert("Error", error);
    }
    map
}

/// `fromJsonArray`: a list; on failure one that holds the error's text.
pub(crate) fn from_json_array(text: Str) -> Value {
    match json_read::read(&text) {
        Ok(Document { value, too_large: None }) => list_or(value, |error| error),
        Ok(Document { too_large: Some(error), .. }) | Err(error) => Value::list(vec![error.into()]),
    }
}

/// `mustFromJson`: any value.
pub(crate) fn must_from_json(text: Str) -> Result<Value, String> {
    match json_read::read(&text)? {
        Document { value, too_large: None } => Ok(value),
        Document { too_large: Some(error), .. } => Err(error),
    }
}

/// `toJson`: "" where it cannot be written.
pub(crate) fn to_json(value: Value) -> Str {
    json::line(&value, Html::Escaped).unwrap_or_default().into()
}

/// `mustToJson`
pub(crate) fn must_to_json(value: Value) -> Result<Str, String> {
    Ok(json::line(&value, Html::Escaped)?.into())
}

/// `toPrettyJson`: "" where it cannot be written.
pub(crate) fn to_pretty_json(value: Value) -> Str {
    json::pretty(&value).unwrap_or_default().into()
}

/// `mustToPrettyJson`
pub(crate) fn must_to_pretty_json(value: Value) -> Result<Str, String> {
    Ok(json::pretty(&value)?.into())
}

/// `toRawJson` and `mustToRawJson`: `<`, `>` and `&` as they are.
pub(crate) fn to_raw_json(value: Value) -> Result<Str, String> {
    Ok(json::line(&value, Html::Plain)?.into())
}
