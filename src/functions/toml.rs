//! `toToml` in the layout of `BurntSushi/toml` 1.6.0, and `fromToml`.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use crate::functions::dates::{Time, format_time};
use crate::value::{IntKind, Kind, Map, MapType, Str, Value, format_float, meter};

/// How deep tables may be nested; a map that contains itself would have no end.
const MAX_DEPTH: usize = 500;

/// `toToml`: the text of the error where it cannot be written.
pub(crate) fn to_toml(value: Value) -> Result<Str, String> {
    match value {
        Value::Nil => Err(NIL.to_owned()),
        value => Ok(encode(&value).map_or_else(Str::from, Str::from)),
    }
}

/// `BurntSushi` does not expect nil: its panic fails the template.
const NIL: &str = "reflect: call of reflect.Value.Type on zero Value";

/// `mustToToml`
pub(crate) fn must_to_toml(value: Value) -> Result<Str, String> {
    encode(&value).map(Str::from)
}

fn encode(value: &Value) -> Result<Vec<u8>, String> {
    let mut writer = Writer { out: Vec::new() };
    match value {
        Value::Nil => return Err(NIL.to_owned()),
        Value::Map(map) => writer.entries(&[], map.entries())?,
        Value::Object(_) if let Some(entries) = struct_entries(value) => writer.entries(&[], entries)?,
        Value::List(list) if is_table_array(list)? => {
            return Err("toml: top-level values must be Go maps or structs".to_owned());
        }
        other => writer.element(other, 0)?,
    }
    Ok(writer.out)
}

/// Whether all elements are maps, so that the list is written as tables.
fn is_table_array(list: &[Value]) -> Result<bool, String> {
    if list.iter().any(|item| matches!(item, Value::Nil)) {
        return Err("toml: cannot encode array with nil element".to_owned());
    }
    Ok(!list.is_empty() && list.iter().all(|item| matches!(item, Value::Map(_)) || struct_entries(item).is_some()))
}

fn is_table(value: &Value) -> Result<bool, String> {
    match value {
        Value::Map(_) => Ok(true),
        Value::List(list) => is_table_array(list),
        Value::Object(_) => Ok(struct_entries(value).is_some()),
        _ => Ok(false),
    }
}

/// The entries of a struct or a named map; nothing of what writes itself.
fn struct_entries(value: &Value) -> Option<Vec<(Str, Value)>> {
    let Value::Object(object) = value else { return None };
    if object.kind() == Kind::Map {
        return Some(object.entries()?.into_iter().map(|(key, value)| (key.print(), value)).collect());
    }
    let fields = object.fields();
    (!fields.is_empty()).then(|| fields.into_iter().map(|field| (field.name.into(), field.value)).collect())
}

/// The entries of what is written as a table.
fn table_entries(value: &Value) -> Option<Vec<(Str, Value)>> {
    value.as_map().map(Map::entries).or_else(|| struct_entries(value))
}

/// Never shown: the limit that is reached is reported in its place.
const NO_ROOM: &str = "there is no room left for it";

struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// The entries of the table at `path`: plain ones first, then tables, each in the order they are given.
    fn entries(&mut self, path: &[Str], entries: Vec<(Str, Value)>) -> Result<(), String> {
        if !meter::visit(self.out.len()) {
            return Err(NO_ROOM.to_owned());
        }
        if path.len() > MAX_DEPTH {
            return Err("toml: the value is nested too deeply".to_owned());
        }
        let (mut plain, mut tables) = (Vec::new(), Vec::new());
        for (key, value) in entries {
            (if is_table(&value)? { &mut tables } else { &mut plain }).push((key, value));
        }
        for (key, value) in plain.into_iter().filter(|(_, value)| !value.is_nil()) {
            self.indent(path.len());
            self.key(&key);
            self.out.extend_from_slice(b" = ");
            self.element(&value, path.len())?;
            self.out.push(b'\n');
        }
        for (key, value) in tables.into_iter().filter(|(_, value)| !value.is_nil()) {
            let path = [path, &[key]].concat();
            match &value {
                Value::List(tables) => {
                    for table in tables.iter().filter_map(table_entries) {
                        self.line_break();
                        self.header(&path, "[[", "]]");
                        self.entries(&path, table)?;
                    }
                }
                table => self.table(&path, table_entries(table).unwrap_or_default())?,
            }
        }
        Ok(())
    }

    fn table(&mut self, path: &[Str], table: Vec<(Str, Value)>) -> Result<(), String> {
        if path.len() == 1 {
            self.line_break();
        }
        self.header(path, "[", "]");
        self.entries(path, table)
    }

    fn line_break(&mut self) {
        if !self.out.is_empty() {
            self.out.push(b'\n');
        }
    }

    fn indent(&mut self, depth: usize) {
        self.out.extend(b"  ".repeat(depth));
    }

    fn header(&mut self, path: &[Str], open: &str, close: &str) {
        self.indent(path.len().saturating_sub(1));
        self.out.extend_from_slice(open.as_bytes());
        for (index, key) in path.iter().enumerate() {
            if index > 0 {
                self.out.push(b'.');
            }
            self.key(key);
        }
        self.out.extend_from_slice(close.as_bytes());
        self.out.push(b'\n');
    }

    fn key(&mut self, key: &Str) {
        let bare = !key.is_empty() && key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
        if bare { self.out.extend_from_slice(key) } else { self.quoted(key) }
    }

    fn quoted(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for byte in text {
            match byte {
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                0x08 => self.out.extend_from_slice(b"\\b"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                0x0C => self.out.extend_from_slice(b"\\f"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                0x00..=0x1F | 0x7F => self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                other => self.out.push(*other),
            }
        }
        self.out.push(b'"');
    }

    /// A value within a line.
    fn element(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if !meter::visit(self.out.len()) {
            return Err(NO_ROOM.to_owned());
        }
        if depth > MAX_DEPTH {
            return Err("toml: the value is nested too deeply".to_owned());
        }
        match value {
            Value::Nil => return Err("unexpected type: <nil>".to_owned()),
            Value::Int(int) if int.kind() == IntKind::Duration => self.quoted(&value.print()),
            Value::Bool(_) | Value::Int(_) => self.out.extend_from_slice(&value.print()),
            Value::Float(f) => self.out.extend_from_slice(float(*f).as_bytes()),
            Value::String(text) => self.quoted(text),
            Value::Bytes(bytes) => self.list(bytes.iter(), |writer, byte| {
                writer.out.extend_from_slice(byte.to_string().as_bytes());
                Ok(())
            })?,
            Value::List(list) => self.list(list.iter(), |writer, item| writer.element(item, depth + 1))?,
            Value::Map(map) => self.inline_table(map.entries(), depth)?,
            Value::Object(object) => match object.as_any().downcast_ref::<Time>() {
                Some(time) => {
                    let text = format_time(time, "2006-01-02T15:04:05.999999999Z07:00");
                    self.out.extend_from_slice(text.as_bytes());
                }
                None => match struct_entries(value) {
                    Some(entries) => self.inline_table(entries, depth)?,
                    None => self.element(&Value::from_json(&object.to_json()), depth + 1)?,
                },
            },
        }
        Ok(())
    }

    fn list<T>(
        &mut self,
        items: impl Iterator<Item = T>,
        mut each: impl FnMut(&mut Self, T) -> Result<(), String>,
    ) -> Result<(), String> {
        self.out.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.extend_from_slice(b", ");
            }
            each(self, item)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn inline_table(&mut self, entries: Vec<(Str, Value)>, depth: usize) -> Result<(), String> {
        let (mut plain, mut tables) = (Vec::new(), Vec::new());
        for (key, value) in entries {
            (if is_table(&value)? { &mut tables } else { &mut plain }).push((key, value));
        }
        // The original decides about commas before it leaves out what is nil.
        let count = plain.len() + tables.len();
        self.out.push(b'{');
        for (index, (key, value)) in plain.into_iter().chain(tables).enumerate() {
            if value.is_nil() {
                continue;
            }
            self.key(&key);
            self.out.extend_from_slice(b" = ");
            self.element(&value, depth + 1)?;
            if index + 1 < count {
                self.out.extend_from_slice(b", ");
            }
        }
        self.out.push(b'}');
        Ok(())
    }
}

/// A float always shows that it is one.
fn float(f: f64) -> String {
    if f.is_nan() {
        return "nan".to_owned();
    }
    if f.is_infinite() {
        return if f > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let text = format_float(f);
    if text.contains(['.', 'e']) { text } else { format!("{text}.0") }
}

/// `fromToml`: a map; on failure one whose `Error` says why.
pub(crate) fn from_toml(text: Str) -> Map {
    // What the reader makes of a text takes up to forty times as much as it, and is freed again.
    if !meter::claim(text.len().saturating_mul(20)) {
        return Map::new(MapType::Any);
    }
    match text.to_text().parse::<toml::Table>() {
        Ok(table) => from_table(&table),
        Err(error) => {
            let map = Map::new(MapType::Any);
            map.insert("Error", format!("toml: {}", error.message()));
            map
        }
    }
}

fn from_table(table: &toml::Table) -> Map {
    table.iter().map(|(key, value)| (Str::from(key.as_str()), from_value(value))).collect()
}

fn from_value(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => Value::int64(*number),
        toml::Value::Float(number) => Value::Float(*number),
        toml::Value::Boolean(b) => Value::Bool(*b),
        toml::Value::Datetime(datetime) => moment(&datetime.to_string()),
        toml::Value::Array(items) => list(items),
        toml::Value::Table(table) => from_table(table).into(),
    }
}

/// A list; one of only tables is `[]map[string]interface {}` in Go.
fn list(items: &[toml::Value]) -> Value {
    let tables = !items.is_empty() && items.iter().all(toml::Value::is_table);
    let elem = if tables { crate::value::Elem::Map } else { crate::value::Elem::Any };
    Value::List(crate::value::List::new(elem, items.iter().map(from_value).collect()))
}

/// A date or time of day as Go's `time.Time`.
fn moment(text: &str) -> Value {
    let layouts = ["2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02", "15:04:05"];
    let read = layouts.into_iter().find_map(|layout| crate::functions::dates::parse_time(layout, text).ok());
    read.map_or_else(|| text.into(), Value::from)
}
