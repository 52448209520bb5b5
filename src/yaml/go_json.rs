//! JSON as `encoding/json` writes it, for the texts that YAML does not take as they are.

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::value::{Str, Value, decode_utf8, meter, shortest_digits};
use crate::yaml::json::not_finite_name;
use crate::yaml::{Fault, MAX_DEPTH};

/// From here on a float is written with an exponent.
pub(in crate::yaml) const EXPONENT_FROM: f64 = 1e21;
/// Below, too.
const EXPONENT_BELOW: f64 = 1e-6;
/// How many characters of JSON a key may have, with its quotes, for YAML to take it for one.
const SIMPLE_KEY_MAX: usize = 1024;
/// Longest line of base64.
const BASE64_LINE: usize = 70;

/// Whether a text contains a character that JSON leaves alone and that YAML takes for a line break or does not allow.
pub(in crate::yaml) fn yaml_would_object(text: &str) -> bool {
    let bytes = text.as_bytes();
    let suspicious = |b: &u8| matches!(b, 0x7F | 0xC2 | 0xEF);
    bytes.iter().any(suspicious) && text.chars().any(|c| matches!(c, '\u{7F}'..='\u{9F}' | '\u{FFFE}' | '\u{FFFF}'))
}

/// Whether YAML takes a key of JSON for one: it may not be too long.
pub(in crate::yaml) fn is_simple_key(key: &str) -> bool {
    // No character is written with more than six.
    key.len() * 6 + 2 <= SIMPLE_KEY_MAX || {
        let mut text = String::new();
        string(&Str::from(key), &mut text);
        text.chars().count() <= SIMPLE_KEY_MAX
    }
}

/// The value as `json.Marshal` writes it.
pub(in crate::yaml) fn from_value(value: &Value) -> Result<String, Fault> {
    let mut out = String::new();
    write_value(value, &mut out, MAX_DEPTH)?;
    Ok(out)
}

/// Data at rest as `json.Marshal` writes it.
pub(in crate::yaml) fn from_json(json: &Json) -> String {
    let mut out = String::new();
    write_json(json, &mut out);
    out
}

fn write_value(value: &Value, out: &mut String, depth: usize) -> Result<(), Fault> {
    if !meter::visit(out.len()) {
        return Err(Fault::TooLarge);
    }
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Fault::Cyclic { type_name: value.type_name().to_owned() });
    };
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        Value::Int(int) => out.push_str(&int.get().to_string()),
        Value::Float(float) if float.is_finite() => number(*float, out),
        Value::Float(float) => return Err(Fault::NotFinite(not_finite_name(*float))),
        Value::String(text) => string(text, out),
        Value::Bytes(_) => write_json(&value.to_json().unwrap_or_default(), out),
        Value::List(_) | Value::Map(_) if value.is_nil() => out.push_str("null"),
        Value::List(list) => {
            out.push('[');
            for (index, item) in list.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_value(item, out, depth)?;
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (index, (key, value)) in map.entries().iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                string(key, out);
                out.push(':');
                write_value(value, out, depth)?;
            }
            out.push('}');
        }
        Value::Object(object) => write_json(&object.to_json(), out),
    }
    Ok(())
}

fn write_json(json: &Json, out: &mut String) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        Json::Number(json) if json.is_f64() => number(json.as_f64().unwrap_or(0.0), out),
        Json::Number(json) => out.push_str(&json.to_string()),
        Json::String(text) => string(&Str::from(text.as_str()), out),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_json(item, out);
            }
            out.push(']');
        }
        Json::Object(map) => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                string(&Str::from(key.as_str()), out);
                out.push(':');
                write_json(value, out);
            }
            out.push('}');
        }
    }
}

fn number(float: f64, out: &mut String) {
    let size = float.abs();
    if size == 0.0 || (EXPONENT_BELOW..EXPONENT_FROM).contains(&size) {
        let _infallible = write!(out, "{float}");
        return;
    }
    let (digits, exponent) = shortest_digits(size);
    let (first, rest) = digits.split_at_checked(1).unwrap_or((&digits, ""));
    let sign = if float < 0.0 { "-" } else { "" };
    let dot = if rest.is_empty() { "" } else { "." };
    let _infallible = write!(out, "{sign}{first}{dot}{rest}e{exponent:+}");
}

fn string(text: &Str, out: &mut String) {
    out.push('"');
    let mut rest: &[u8] = text;
    while let Some((c, width)) = decode_utf8(rest) {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\x08' => out.push_str("\\b"),
            '\x0C' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1F' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _infallible = write!(out, "\\u{:04x}", u32::from(c));
            }
            // An invalid byte, not the character itself.
            char::REPLACEMENT_CHARACTER if width == 1 => out.push_str("\\ufffd"),
            _ => out.push(c),
        }
        rest = rest.get(width..).unwrap_or_default();
    }
    out.push('"');
}

/// Base64 in lines, the last one ended too if there are several.
pub(in crate::yaml) fn base64_lines(bytes: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    if text.len() < BASE64_LINE {
        return text;
    }
    let mut lines = String::with_capacity(text.len() + text.len() / BASE64_LINE + 1);
    for (index, c) in text.chars().enumerate() {
        if index > 0 && index % BASE64_LINE == 0 {
            lines.push('\n');
        }
        lines.push(c);
    }
    lines + "\n"
}
