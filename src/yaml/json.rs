//! Nodes to data at rest.
//!
//! Mirrors `yaml.go` of sigs.k8s.io/yaml 1.6.0 (`convertToJSONableObject`) and `encoding/json` after it.

use serde_json::{Map as JsonMap, Value as Json};

use crate::yaml::go_syntax::go_syntax;
use crate::yaml::{Fault, Node, NodeValue, Numbers};

/// Turns a node into data at rest.
pub(in crate::yaml) fn into_json(node: Node, numbers: Numbers) -> Result<Json, Box<Fault>> {
    let mut not_finite = None;
    let json = convert(node.value, numbers, &mut not_finite)?;
    // Keys are looked at first, numbers afterwards.
    match not_finite {
        Some(name) => Err(Box::new(Fault::NotFinite(name))),
        None => Ok(json),
    }
}

fn convert(value: NodeValue, numbers: Numbers, not_finite: &mut Option<&'static str>) -> Result<Json, Box<Fault>> {
    Ok(match value {
        NodeValue::Null => Json::Null,
        NodeValue::Bool(bool) => Json::Bool(bool),
        NodeValue::String(text) => Json::String(text),
        NodeValue::Sequence(items) => Json::Array(
            items.into_iter().map(|item| convert(item.value, numbers, not_finite)).collect::<Result<_, _>>()?,
        ),
        NodeValue::Mapping(entries) => {
            let mut map = JsonMap::new();
            for (key, value) in entries {
                let text = key_text(key, &value)?;
                map.insert(text, convert(value.value, numbers, not_finite)?);
            }
            Json::Object(map)
        }
        NodeValue::Int(int) => numbers.int(int),
        NodeValue::Uint(uint) => numbers.uint(uint),
        NodeValue::Float(float) => {
            if !float.is_finite() {
                not_finite.get_or_insert(not_finite_name(float));
            }
            numbers.float(float)
        }
    })
}

/// How Go names a number JSON has no text for.
pub(in crate::yaml) fn not_finite_name(float: f64) -> &'static str {
    if float.is_nan() {
        "NaN"
    } else if float > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
}

fn key_text(key: Node, value: &Node) -> Result<String, Box<Fault>> {
    let type_name = match key.value {
        NodeValue::String(text) => return Ok(text),
        NodeValue::Bool(bool) => return Ok(bool.to_string()),
        NodeValue::Int(int) => return Ok(int.to_string()),
        NodeValue::Float(float) => return Ok(float_key(float)),
        NodeValue::Uint(_) => "uint64",
        NodeValue::Null => "%!s(<nil>)",
        NodeValue::Sequence(_) => "[]interface {}",
        NodeValue::Mapping(_) => "map[interface {}]interface {}",
    };
    let fault =
        Fault::JsonKey { type_name, key: go_syntax(&key.value), value: go_syntax(&value.value), place: key.place };
    Err(Box::new(fault))
}

/// A key that is a float is written with the precision of 32 bits.
fn float_key(float: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "the original formats with the precision of 32 bits")]
    let short = float as f32;
    if short.is_nan() {
        return ".nan".to_owned();
    }
    if short.is_infinite() {
        return if short > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    // The shortest digits that make this `f32` make an `f64` whose own shortest digits they are.
    let wide: f64 = format!("{short:e}").parse().unwrap_or(float);
    crate::value::format_float(wide)
}

impl Numbers {
    fn int(self, int: i64) -> Json {
        match self {
            Self::Exact | Self::AsWritten => Json::from(int),
            #[expect(clippy::cast_precision_loss, reason = "encoding/json reads every number as a float64")]
            Self::Float => Json::from(int as f64),
        }
    }

    fn uint(self, uint: u64) -> Json {
        match self {
            Self::Exact | Self::AsWritten => Json::from(uint),
            #[expect(clippy::cast_precision_loss, reason = "encoding/json reads every number as a float64")]
            Self::Float => Json::from(uint as f64),
        }
    }

    /// A float without fraction is written without one, and then read as an integer.
    fn float(self, float: f64) -> Json {
        const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
        if self == Self::Exact && float.fract() == 0.0 && (-TWO_TO_63..TWO_TO_63).contains(&float) {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
            let int = float as i64;
            return Json::from(int);
        }
        Json::from(float)
    }
}
