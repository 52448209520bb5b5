//! `encoding/json`'s writer.

use base64::Engine as _;
use serde_json::Value as Json;

use crate::value::{Int, Kind, Str, Value, meter, shortest_digits};

/// Which characters a writer escapes beside those JSON demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Html {
    /// `<`, `>` and `&` become `\u003c`, `\u003e`, `\u0026`: Go's default.
    Escaped,
    /// They stay.
    Plain,
}

/// How deep a value may be nested. Go fails at the same depth only for values that contain themselves.
const MAX_DEPTH: usize = 1_000;

/// One line of JSON (`json.Marshal`).
///
/// # Errors
/// Go's text: a float that is no number, or a value nested too deeply.
pub(crate) fn line(value: &Value, html: Html) -> Result<Vec<u8>, String> {
    let mut writer = Writer { out: Vec::new(), html, indent: None };
    writer.value(value, 0)?;
    Ok(writer.out)
}

/// JSON with an entry per line, indented by two spaces (`json.MarshalIndent`).
///
/// # Errors
/// As [`line`].
pub(crate) fn pretty(value: &Value) -> Result<Vec<u8>, String> {
    let mut writer = Writer { out: Vec::new(), html: Html::Escaped, indent: Some("  ") };
    writer.value(value, 0)?;
    Ok(writer.out)
}

/// Never shown: the limit that is reached is reported in its place.
const NO_ROOM: &str = "there is no room left for it";

struct Writer {
    out: Vec<u8>,
    html: Html,
    indent: Option<&'static str>,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if !meter::visit(self.out.len()) {
            return Err(NO_ROOM.to_owned());
        }
        if depth > MAX_DEPTH {
            let name = value.type_name();
            return Err(format!("json: unsupported value: encountered a cycle via {name}"));
        }
        match value {
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::List(_) | Value::Map(_) if value.is_nil() => self.out.extend_from_slice(b"null"),
            Value::Bool(b) => self.out.extend_from_slice(if *b { b"true" } else { b"false" }),
            Value::Int(int) => self.int(*int),
            Value::Float(f) => self.float(*f)?,
            Value::String(text) => self.string(text),
            Value::Bytes(bytes) => self.string(&base64::engine::general_purpose::STANDARD.encode(bytes).into()),
            Value::List(list) => {
                self.sequence(*b"[]", list.iter(), depth, |writer, item| writer.value(item, depth + 1))?;
            }
            Value::Map(map) => self.sequence(*b"{}", map.entries().iter(), depth, |writer, (key, value)| {
                writer.key(key);
                writer.value(value, depth + 1)
            })?,
            Value::Object(object) if object.kind() == Kind::Complex128 => {
                return Err(format!("json: unsupported type: {}", object.type_name()));
            }
            Value::Object(object) => {
                let mut fields = object.fields();
                if fields.is_empty() {
                    return self.json(&object.to_json(), depth);
                }
                fields.retain(|field| !field.omit_empty || field.value.truth());
                self.sequence(*b"{}", fields.iter(), depth, |writer, field| {
                    writer.key(&field.json.into());
                    writer.value(&field.value, depth + 1)
                })?;
            }
        }
        Ok(())
    }

    fn json(&mut self, json: &Json, depth: usize) -> Result<(), String> {
        match json {
            Json::Array(items) => {
                self.sequence(*b"[]", items.iter(), depth, |writer, item| writer.json(item, depth + 1))
            }
            Json::Object(entries) => self.sequence(*b"{}", entries.iter(), depth, |writer, (key, value)| {
                writer.key(&key.as_str().into());
                writer.json(value, depth + 1)
            }),
            scalar => self.value(&Value::from_json(scalar), depth),
        }
    }

    /// Items between brackets, with commas and, in pretty form, line breaks.
    fn sequence<T>(
        &mut self,
        brackets: [u8; 2],
        items: impl ExactSizeIterator<Item = T>,
        depth: usize,
        mut each: impl FnMut(&mut Self, T) -> Result<(), String>,
    ) -> Result<(), String> {
        let [open, close] = brackets;
        let empty = items.len() == 0;
        self.out.push(open);
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.line_break(depth + 1);
            each(self, item)?;
        }
        if !empty {
            self.line_break(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn line_break(&mut self, depth: usize) {
        if let Some(indent) = self.indent {
            self.out.push(b'\n');
            self.out.extend(indent.as_bytes().repeat(depth));
        }
    }

    fn key(&mut self, key: &Str) {
        self.string(key);
        self.out.extend_from_slice(if self.indent.is_some() { b": " } else { b":" });
    }

    fn int(&mut self, int: Int) {
        self.out.extend_from_slice(int.get().to_string().as_bytes());
    }

    fn float(&mut self, f: f64) -> Result<(), String> {
        if !f.is_finite() {
            return Err(format!("json: unsupported value: {}", crate::value::format_float(f)));
        }
        self.out.extend_from_slice(float(f).as_bytes());
        Ok(())
    }

    fn string(&mut self, text: &Str) {
        // A character may take six bytes.
        if !meter::claim(self.out.len().saturating_add(text.len().saturating_mul(3))) {
            return;
        }
        self.out.push(b'"');
        for rune in text.to_text().chars() {
            self.rune(rune);
        }
        self.out.push(b'"');
    }

    fn rune(&mut self, rune: char) {
        let escaped = match rune {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '<' if self.html == Html::Escaped => "\\u003c",
            '>' if self.html == Html::Escaped => "\\u003e",
            '&' if self.html == Html::Escaped => "\\u0026",
            '\u{2028}' => "\\u2028",
            '\u{2029}' => "\\u2029",
            // Go writes an invalid byte as an escape, a real U+FFFD as it is; here they cannot be told apart any more.
            '\0'..='\u{1f}' => {
                self.out.extend_from_slice(format!("\\u{:04x}", u32::from(rune)).as_bytes());
                return;
            }
            _ => {
                self.out.extend_from_slice(rune.encode_utf8(&mut [0; 4]).as_bytes());
                return;
            }
        };
        self.out.extend_from_slice(escaped.as_bytes());
    }
}

/// A float as `encoding/json` writes it: like `%v`, but with an exponent only below 1e-6 and from 1e21 on, and with no zero
/// before a one-digit negative exponent.
pub(crate) fn float(f: f64) -> String {
    let sign = if f.is_sign_negative() { "-" } else { "" };
    let (digits, exponent) = shortest_digits(f.abs());
    if f == 0.0 || (-6..21).contains(&exponent) {
        return format!("{f}");
    }
    let (first, rest) = digits.split_at_checked(1).unwrap_or((&digits, ""));
    let point = if rest.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}{point}{rest}e{exponent_sign}{}", exponent.abs())
}
