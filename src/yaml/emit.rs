//! Values to text.
//!
//! Mirrors `Marshal` of sigs.k8s.io/yaml 1.6.0, which writes JSON, reads that as YAML and writes what it read. Here it is
//! written at once; what the detour changes (number formats, invalid UTF-8) is done directly, and the few texts that JSON
//! passes on and YAML does not like take the detour.

use std::borrow::Cow;

use serde_json::Value as Json;

use crate::value::{IntKind, Kind, Object, Value, format_float, meter};
use crate::yaml::json::not_finite_name;
use crate::yaml::style::{Style, Traits};
use crate::yaml::write::{Fold, Writer};
use crate::yaml::{Error, Fault, MAX_DEPTH, Numbers, go_json, order, to_json};

/// Which of the original's two writers is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::yaml) enum Dialect {
    /// go.yaml.in/yaml/v2 behind JSON: `toYaml`.
    V2,
    /// go.yaml.in/yaml/v3: `toYamlPretty`.
    V3,
}

/// Column from which on v2 folds.
const WIDTH: usize = 80;

/// What `Marshal` of sigs.k8s.io/yaml writes, with a line break at the end: `toYaml` without its trimming.
///
/// # Errors
/// Numbers that are not finite, values that contain themselves or are nested deeper than [`MAX_DEPTH`], and characters YAML
/// does not allow.
pub fn emit(value: &Value) -> Result<Vec<u8>, Error> {
    match write(Dialect::V2, |emitter| emitter.value(value, Spot::Root)) {
        Ok(text) => Ok(text.into_bytes()),
        Err(Stop::Detour) => {
            detour(&go_json::from_value(value).map_err(|fault| Error::Json(Box::new(fault)))?).map(String::into_bytes)
        }
        Err(Stop::Fault(fault)) => Err(Error::Json(fault)),
    }
}

/// As [`emit`], for data at rest.
///
/// # Errors
/// As [`emit`].
pub fn emit_json(json: &Json) -> Result<String, Error> {
    match write(Dialect::V2, |emitter| emitter.json(json, Spot::Root)) {
        Ok(text) => Ok(text),
        Err(Stop::Detour) => detour(&go_json::from_json(json)),
        Err(Stop::Fault(fault)) => Err(Error::Json(fault)),
    }
}

/// What the encoder of go.yaml.in/yaml/v3 writes with an indentation of 2, with a line break at the end: `toYamlPretty`
/// without its trimming. Lists are indented, nothing is folded, and numbers look as Go prints them.
///
/// # Errors
/// Values that contain themselves or are nested deeper than [`MAX_DEPTH`]; the original would not come to an end.
pub fn emit_pretty(value: &Value) -> Result<Vec<u8>, Error> {
    match write(Dialect::V3, |emitter| emitter.value(value, Spot::Root)) {
        Ok(text) => Ok(text.into_bytes()),
        Err(Stop::Fault(fault)) => Err(Error::Json(fault)),
        Err(Stop::Detour) => Ok(Vec::new()),
    }
}

fn write(dialect: Dialect, walk: impl FnOnce(&mut Emitter) -> Result<(), Stop>) -> Result<String, Stop> {
    let width = (dialect == Dialect::V2).then_some(WIDTH);
    let mut emitter = Emitter { writer: Writer::new(width), dialect, checked: dialect == Dialect::V3, depth: 0 };
    walk(&mut emitter)?;
    Ok(emitter.writer.finish())
}

/// JSON text, read as YAML and written again.
fn detour(text: &str) -> Result<String, Error> {
    let json = to_json(text, Numbers::Exact).map_err(|error| match error {
        Error::Read(fault) => Error::Write(fault),
        other => other,
    })?;
    let mut emitter = Emitter { writer: Writer::new(Some(WIDTH)), dialect: Dialect::V2, checked: true, depth: 0 };
    match emitter.json(&json, Spot::Root) {
        Ok(()) => Ok(emitter.writer.finish()),
        Err(Stop::Fault(fault)) => Err(Error::Json(fault)),
        Err(Stop::Detour) => Ok(String::new()),
    }
}

/// Why writing stopped.
enum Stop {
    /// JSON in between would make a difference.
    Detour,
    Fault(Box<Fault>),
}

/// Where a value stands. The column is that of the collection around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spot {
    Root,
    /// After `- `.
    Item(usize),
    /// After `key:`.
    Value(usize),
    /// After the `:` of a key with `?`.
    ExplicitValue(usize),
    /// After `? `.
    ExplicitKey(usize),
}

impl Spot {
    /// Indentation of what belongs to a value here.
    fn inner(self) -> usize {
        match self {
            Self::Root => 2,
            Self::Item(column) | Self::Value(column) | Self::ExplicitValue(column) | Self::ExplicitKey(column) => {
                column + 2
            }
        }
    }
}

struct Emitter {
    writer: Writer,
    dialect: Dialect,
    /// Whether texts need no look for what JSON in between would change.
    checked: bool,
    depth: usize,
}

impl Emitter {
    fn value(&mut self, value: &Value, spot: Spot) -> Result<(), Stop> {
        if !meter::visit(self.writer.len()) {
            return Err(Stop::Fault(Box::new(Fault::TooLarge)));
        }
        match value {
            Value::Nil => self.word("null", spot),
            Value::List(_) | Value::Map(_) if self.dialect == Dialect::V2 && value.is_nil() => self.word("null", spot),
            Value::Bool(bool) => self.word(if *bool { "true" } else { "false" }, spot),
            Value::Int(int) if self.dialect == Dialect::V3 && int.kind() == IntKind::Duration => {
                self.word(&value.print().to_text(), spot);
            }
            Value::Int(int) => self.word(&int.get().to_string(), spot),
            Value::Float(float) => return self.float(*float, spot),
            Value::String(text) => match std::str::from_utf8(text) {
                Ok(text) => return self.text(text, spot),
                Err(_) => return self.not_utf8(text, spot),
            },
            Value::Bytes(bytes) if self.dialect == Dialect::V3 => {
                let items: Vec<Json> = bytes.iter().map(|byte| Json::from(*byte)).collect();
                return self.sequence("[]uint8", &items, spot, Self::json);
            }
            Value::Bytes(bytes) => {
                use base64::Engine as _;
                return self.text(&base64::engine::general_purpose::STANDARD.encode(bytes), spot);
            }
            Value::List(list) => return self.sequence(value.type_name(), list, spot, Self::value),
            Value::Map(map) => {
                let mut entries = Vec::with_capacity(map.len());
                for (key, value) in map.entries() {
                    let text = key.to_text().into_owned();
                    if !self.checked && std::str::from_utf8(&key).is_err() {
                        return Err(Stop::Detour);
                    }
                    entries.push((Cow::Owned(text), value));
                }
                return self
                    .mapping(value.type_name(), entries, spot, |emitter, value, spot| emitter.value(&value, spot));
            }
            Value::Object(object) if self.dialect == Dialect::V3 => return self.object(object.as_ref(), spot),
            Value::Object(object) => return self.json(&object.to_json(), spot),
        }
        Ok(())
    }

    /// A struct or a named map as go.yaml.in/yaml/v3 writes it, which knows no tags of JSON: the names of fields in lower
    /// case, in their order; a time as a timestamp.
    fn object(&mut self, object: &dyn Object, spot: Spot) -> Result<(), Stop> {
        let fields = object.fields();
        if !fields.is_empty() {
            self.descend(object.type_name())?;
            let column = if spot == Spot::Root { 0 } else { spot.inner() };
            for (index, field) in fields.into_iter().enumerate() {
                self.start_entry(index, column, spot);
                let spot = self.key(&field.name.to_ascii_lowercase(), column)?;
                self.value(&field.value, spot)?;
            }
            self.depth -= 1;
            return Ok(());
        }
        match (object.kind(), object.entries(), object.to_json()) {
            (Kind::Map, Some(entries), _) => {
                let text = |key: &Value| Cow::Owned(key.print().to_text().into_owned());
                let entries = entries.into_iter().map(|(key, value)| (text(&key), value)).collect();
                self.mapping(object.type_name(), entries, spot, |emitter, value, spot| emitter.value(&value, spot))
            }
            (_, _, Json::String(text)) if object.type_name() == "time.Time" => {
                self.word(&text, spot);
                Ok(())
            }
            (_, _, json) => self.json(&json, spot),
        }
    }

    fn json(&mut self, json: &Json, spot: Spot) -> Result<(), Stop> {
        match json {
            Json::Null => self.word("null", spot),
            Json::Bool(bool) => self.word(if *bool { "true" } else { "false" }, spot),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(int), _) => self.word(&int.to_string(), spot),
                (None, Some(uint)) => self.word(&uint.to_string(), spot),
                (None, None) => return self.float(number.as_f64().unwrap_or(f64::NAN), spot),
            },
            Json::String(text) => return self.text(text, spot),
            Json::Array(items) => return self.sequence("[]interface {}", items, spot, Self::json),
            Json::Object(map) => {
                let entries = map.iter().map(|(key, value)| (Cow::Borrowed(key.as_str()), value)).collect();
                return self.mapping("map[string]interface {}", entries, spot, Self::json);
            }
        }
        Ok(())
    }

    fn descend(&mut self, type_name: &str) -> Result<(), Stop> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Stop::Fault(Box::new(Fault::Cyclic { type_name: type_name.to_owned() })));
        }
        Ok(())
    }

    fn space(&mut self, spot: Spot) {
        if spot != Spot::Root {
            self.writer.raw(" ");
        }
    }

    fn word(&mut self, word: &str, spot: Spot) {
        self.space(spot);
        self.writer.raw(word);
    }

    fn float(&mut self, float: f64, spot: Spot) -> Result<(), Stop> {
        let word = match (self.dialect, float.is_finite()) {
            (Dialect::V2, false) => {
                return Err(Stop::Fault(Box::new(Fault::NotFinite(not_finite_name(float)))));
            }
            (Dialect::V2, true) => float_by_json(float),
            (Dialect::V3, true) => format_float(float),
            (Dialect::V3, false) => match not_finite_name(float) {
                "+Inf" => ".inf".to_owned(),
                "-Inf" => "-.inf".to_owned(),
                _ => ".nan".to_owned(),
            },
        };
        self.word(&word, spot);
        Ok(())
    }

    fn text(&mut self, text: &str, spot: Spot) -> Result<(), Stop> {
        // A character may take six bytes.
        if !meter::claim(self.writer.len().saturating_add(text.len().saturating_mul(3))) {
            return Err(Stop::Fault(Box::new(Fault::TooLarge)));
        }
        if !self.checked && go_json::yaml_would_object(text) {
            return Err(Stop::Detour);
        }
        self.space(spot);
        let traits = Traits::of(text, self.dialect);
        self.scalar(text, traits.style(text, self.dialect), Fold { indent: spot.inner(), allowed: true });
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: Style, fold: Fold) {
        match style {
            Style::Plain => self.writer.plain(text, fold),
            Style::Single => self.writer.single(text, fold),
            Style::Double => self.writer.double(text, fold),
            Style::Literal => self.writer.literal(text, fold.indent),
        }
    }

    /// A string that is not UTF-8: JSON replaces what is wrong, v3 writes base64.
    fn not_utf8(&mut self, bytes: &crate::value::Str, spot: Spot) -> Result<(), Stop> {
        if self.dialect == Dialect::V2 {
            return self.text(&bytes.to_text(), spot);
        }
        self.word("!!binary", spot);
        let text = go_json::base64_lines(bytes);
        self.writer.raw(" ");
        let style = if text.contains('\n') { Style::Literal } else { Style::Plain };
        self.scalar(&text, style, Fold { indent: spot.inner(), allowed: false });
        Ok(())
    }

    fn sequence<T>(
        &mut self,
        type_name: &str,
        items: &[T],
        spot: Spot,
        each: fn(&mut Self, &T, Spot) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if items.is_empty() {
            self.word("[]", spot);
            return Ok(());
        }
        self.descend(type_name)?;
        let column = match spot {
            Spot::Root => 0,
            Spot::Value(column) if self.dialect == Dialect::V2 => column,
            other => other.inner(),
        };
        for (index, item) in items.iter().enumerate() {
            self.start_entry(index, column, spot);
            self.writer.raw("-");
            each(self, item, Spot::Item(column))?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Goes to where entry number `index` of a collection starts: the first one may go on in the line.
    fn start_entry(&mut self, index: usize, column: usize, spot: Spot) {
        match spot {
            Spot::Root if index == 0 => {}
            Spot::Item(_) | Spot::ExplicitValue(_) | Spot::ExplicitKey(_) if index == 0 => self.writer.raw(" "),
            _ => self.writer.start_line(column),
        }
    }

    fn mapping<T>(
        &mut self,
        type_name: &str,
        entries: Vec<(Cow<'_, str>, T)>,
        spot: Spot,
        each: fn(&mut Self, T, Spot) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if entries.is_empty() {
            self.word("{}", spot);
            return Ok(());
        }
        self.descend(type_name)?;
        let column = if spot == Spot::Root { 0 } else { spot.inner() };
        let entries = order::sort(entries, |(key, _)| key.as_ref(), self.dialect);
        for (index, (key, value)) in entries.into_iter().enumerate() {
            self.start_entry(index, column, spot);
            let spot = self.key(&key, column)?;
            each(self, value, spot)?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Writes a key of a mapping at `column` and its `:`; returns where the value then stands.
    fn key(&mut self, key: &str, column: usize) -> Result<Spot, Stop> {
        if !self.checked && (go_json::yaml_would_object(key) || !go_json::is_simple_key(key)) {
            return Err(Stop::Detour);
        }
        let traits = Traits::of(key, self.dialect);
        let style = traits.style(key, self.dialect);
        if traits.is_simple_key(key) {
            self.scalar(key, style, Fold { indent: 0, allowed: false });
            self.writer.raw(":");
            return Ok(Spot::Value(column));
        }
        self.writer.raw("?");
        self.space(Spot::ExplicitKey(column));
        self.scalar(key, style, Fold { indent: column + 2, allowed: true });
        self.writer.start_line(column);
        self.writer.raw(":");
        Ok(Spot::ExplicitValue(column))
    }
}

/// A float after a way through JSON: without fraction and exponent it has become an integer, if it fits.
fn float_by_json(float: f64) -> String {
    if float.abs() < go_json::EXPONENT_FROM && float.fract() == 0.0 {
        let text = format!("{float}");
        if float == 0.0 {
            return "0".to_owned();
        }
        if text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() {
            return text;
        }
    }
    format_float(float)
}
