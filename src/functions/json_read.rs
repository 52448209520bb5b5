//! `encoding/json`'s reader: numbers are floats, and errors are Go's.

use crate::value::{Elem, List, Map, MapType, Str, Value, decode_utf8, meter};

/// How deep arrays and objects may be nested; Go allows 10,000.
const MAX_DEPTH: usize = 1_000;

/// What was read; a number too large for a float is nil in it, and told beside it.
pub(crate) struct Document {
    pub(crate) value: Value,
    /// Go's error for the first such number.
    pub(crate) too_large: Option<String>,
}

/// Reads one value.
///
/// # Errors
/// Go's text for what is no JSON.
pub(crate) fn read(text: &[u8]) -> Result<Document, String> {
    let mut reader = Reader { rest: text, too_large: None };
    let value = reader.value(0)?;
    match reader.next_visible() {
        None => Ok(Document { value, too_large: reader.too_large }),
        Some(byte) => Err(unexpected(byte, "after top-level value")),
    }
}

/// Go's name of the type of a value, as its errors have it.
pub(crate) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "bool",
        Value::Float(_) => "number",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        _ => "string",
    }
}

struct Reader<'t> {
    rest: &'t [u8],
    too_large: Option<String>,
}

const END: &str = "unexpected end of JSON input";

fn unexpected(byte: u8, place: &str) -> String {
    let quoted = match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        byte => {
            let text = crate::functions::unicode::quoted(char::from(byte).encode_utf8(&mut [0; 4]).as_bytes());
            format!("'{}'", text.trim_matches('"'))
        }
    };
    format!("invalid character {quoted} {place}")
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// Inside of a number, a name or an escape Go takes the end for a space.
    fn next_or_space(&mut self) -> u8 {
        self.next().unwrap_or(b' ')
    }

    fn next_visible(&mut self) -> Option<u8> {
        loop {
            match self.next()? {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                byte => return Some(byte),
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        let first = self.next_visible().ok_or(END)?;
        self.value_from(first, depth)
    }

    fn value_from(&mut self, first: u8, depth: usize) -> Result<Value, String> {
        if !meter::visit(0) {
            return Err(END.to_owned());
        }
        match first {
            b'{' | b'[' if depth >= MAX_DEPTH => Err("exceeded max depth".to_owned()),
            b'{' => self.object(depth + 1).map(Value::Map),
            b'[' => self.array(depth + 1),
            b'"' => self.string().map(Value::String),
            b't' => self.literal("true", "rue").map(|()| Value::Bool(true)),
            b'f' => self.literal("false", "alse").map(|()| Value::Bool(false)),
            b'n' => self.literal("null", "ull").map(|()| Value::Nil),
            b'-' | b'0'..=b'9' => self.number(first),
            other => Err(unexpected(other, "looking for beginning of value")),
        }
    }

    fn literal(&mut self, name: &str, rest: &str) -> Result<(), String> {
        for want in rest.chars() {
            let byte = self.next_or_space();
            if char::from(byte) != want {
                return Err(unexpected(byte, &format!("in literal {name} (expecting '{want}')")));
            }
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        let mut first = self.next_visible().ok_or(END)?;
        if first == b']' {
            return Ok(Value::list(items));
        }
        loop {
            items.push(self.value_from(first, depth)?);
            match self.next_visible().ok_or(END)? {
                b',' => first = self.next_visible().ok_or(END)?,
                b']' => return Ok(Value::List(List::new(Elem::Any, items))),
                other => return Err(unexpected(other, "after array element")),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Map, String> {
        let map = Map::new(MapType::Any);
        let mut first = self.next_visible().ok_or(END)?;
        if first == b'}' {
            return Ok(map);
        }
        loop {
            if first != b'"' {
                return Err(unexpected(first, "looking for beginning of object key string"));
            }
            let key = self.string()?;
            match self.next_visible().ok_or(END)? {
                b':' => map.insert(key, self.value(depth)?),
                other => return Err(unexpected(other, "after object key")),
            }
            match self.next_visible().ok_or(END)? {
                b',' => first = self.next_visible().ok_or(END)?,
                b'}' => return Ok(map),
                other => return Err(unexpected(other, "after object key:value pair")),
            }
        }
    }

    fn number(&mut self, first: u8) -> Result<Value, String> {
        let mut text = String::from(char::from(first));
        if first == b'-' {
            self.digit(&mut text, "in numeric literal")?;
        }
        // After a leading zero no digit may follow; it would be reported as what comes after the value.
        if !text.ends_with('0') {
            self.digits(&mut text);
        }
        if self.peek() == Some(b'.') {
            self.push_next(&mut text);
            self.digit(&mut text, "after decimal point in numeric literal")?;
            self.digits(&mut text);
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.push_next(&mut text);
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.push_next(&mut text);
            }
            self.digit(&mut text, "in exponent of numeric literal")?;
            self.digits(&mut text);
        }
        let number: f64 = text.parse().map_err(|_no_number| END)?;
        if number.is_finite() {
            return Ok(Value::Float(number));
        }
        let error = || format!("json: cannot unmarshal number {text} into Go value of type float64");
        self.too_large.get_or_insert_with(error);
        Ok(Value::Nil)
    }

    fn push_next(&mut self, text: &mut String) {
        text.extend(self.next().map(char::from));
    }

    fn digit(&mut self, text: &mut String, place: &str) -> Result<(), String> {
        let byte = self.next_or_space();
        if !byte.is_ascii_digit() {
            return Err(unexpected(byte, place));
        }
        text.push(char::from(byte));
        Ok(())
    }

    fn digits(&mut self, text: &mut String) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.push_next(text);
        }
    }

    /// A string after its opening quote.
    fn string(&mut self) -> Result<Str, String> {
        let mut out = String::new();
        loop {
            let (rune, width) = decode_utf8(self.rest).ok_or(END)?;
            self.rest = self.rest.get(width..).unwrap_or_default();
            match rune {
                '"' => return Ok(out.into()),
                '\\' => self.escape(&mut out)?,
                '\0'..='\u{1f}' => {
                    let byte = u8::try_from(u32::from(rune)).unwrap_or(0);
                    return Err(unexpected(byte, "in string literal"));
                }
                rune => out.push(rune),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), String> {
        let rune = match self.next_or_space() {
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(out),
            other => return Err(unexpected(other, "in string escape code")),
        };
        out.push(rune);
        Ok(())
    }

    /// Four digits, or twice four where they are the halves of a surrogate pair; a half alone is U+FFFD.
    fn unicode_escape(&mut self, out: &mut String) -> Result<(), String> {
        let mut unit = self.four_digits()?;
        while (0xD800..0xDC00).contains(&unit) && self.rest.starts_with(b"\\u") {
            self.rest = self.rest.get(2..).unwrap_or_default();
            let second = self.four_digits()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x1_0000 + ((unit - 0xD800) << 10) + (second - 0xDC00);
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                return Ok(());
            }
            out.push(char::REPLACEMENT_CHARACTER);
            unit = second;
        }
        out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
        Ok(())
    }

    fn four_digits(&mut self) -> Result<u32, String> {
        let mut unit = 0;
        for _ in 0..4 {
            let byte = self.next_or_space();
            let digit = char::from(byte).to_digit(16);
            unit = unit * 16 + digit.ok_or_else(|| unexpected(byte, "in \\u hexadecimal character escape"))?;
        }
        Ok(unit)
    }
}
