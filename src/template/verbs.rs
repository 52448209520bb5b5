//! What each verb of `printf` makes of each kind of value.

use crate::template::number::Complex;
use crate::template::quote::{Alphabet, is_print, quote_rune, quote_with};
use crate::value::{Elem, IntKind, Kind, Map, Object, Str, Value, decode_utf8, format_float, meter};

/// Flags, width and precision of one directive.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "flags are independent of each other, as in the format")]
pub(crate) struct Flags {
    pub(crate) minus: bool,
    pub(crate) plus: bool,
    pub(crate) sharp: bool,
    pub(crate) space: bool,
    pub(crate) zero: bool,
    /// `%#v`
    pub(crate) go_syntax: bool,
    /// `%+v`
    pub(crate) field_names: bool,
    pub(crate) width: Option<usize>,
    pub(crate) precision: Option<usize>,
}

/// Prints values one after the other.
#[derive(Debug, Default)]
pub(crate) struct Printer {
    pub(crate) out: Vec<u8>,
    pub(crate) flags: Flags,
}

impl Printer {
    /// An argument of `printf`.
    pub(crate) fn print(&mut self, value: &Value, verb: char) {
        // The width makes something even of nothing.
        let width = self.flags.width.unwrap_or(0).saturating_add(self.flags.precision.unwrap_or(0));
        if !meter::visit(self.out.len().saturating_add(width)) {
            return;
        }
        match (value, verb) {
            (Value::Nil, 'v' | 'T') => self.pad(b"<nil>"),
            (_, 'T') => self.text(value.type_name().as_bytes()),
            (_, 'p') => self.pointer(value),
            (_, 'w') => self.bad_verb(value, verb),
            _ => self.value(value, verb, 0),
        }
    }

    fn value(&mut self, value: &Value, verb: char, depth: usize) {
        if !meter::visit(self.out.len()) || !meter::enter(depth) {
            return;
        }
        match value {
            Value::Nil if depth == 0 => self.bad_verb(value, verb),
            Value::Nil if self.flags.go_syntax => self.out.extend_from_slice(b"interface {}(nil)"),
            Value::Nil => self.out.extend_from_slice(b"<nil>"),
            Value::Bool(b) if matches!(verb, 't' | 'v') => self.pad(if *b { b"true" } else { b"false" }),
            Value::Bool(_) => self.bad_verb(value, verb),
            Value::Int(int) if int.kind() == IntKind::Duration && is_stringable(verb) && !self.flags.go_syntax => {
                self.string(&value.print(), verb);
            }
            Value::Int(_) => self.int(value, verb),
            Value::Float(float) => self.float(*float, value, verb),
            Value::String(text) => self.string(text, verb),
            Value::Bytes(bytes) => self.bytes(bytes, value, verb, depth),
            Value::List(list) if list.elem() == Elem::Byte && !self.flags.go_syntax => {
                self.bytes(&Str::default(), value, verb, depth);
            }
            Value::List(list) if list.is_nil() && self.flags.go_syntax => {
                let name = if list.elem() == Elem::Byte && depth == 0 { "[]byte" } else { value.type_name() };
                self.out.extend_from_slice(format!("{name}(nil)").as_bytes());
            }
            Value::List(list) => self.sequence(value.type_name(), list, verb, depth),
            Value::Map(map) if map.is_nil() && self.flags.go_syntax => {
                self.out.extend_from_slice(format!("{}(nil)", value.type_name()).as_bytes());
            }
            Value::Map(map) => self.map(map, map.map_type().name(), verb, depth),
            Value::Object(_) => self.object(value, verb, depth),
        }
    }

    fn bad_verb(&mut self, value: &Value, verb: char) {
        self.out.extend_from_slice(format!("%!{verb}(").as_bytes());
        if matches!(value, Value::Nil) {
            self.out.extend_from_slice(b"<nil>");
        } else {
            self.out.extend_from_slice(format!("{}=", value.type_name()).as_bytes());
            match value {
                // An error prints what is inside, without methods.
                Value::Int(_) => self.int(value, 'v'),
                _ => self.value(value, 'v', 0),
            }
        }
        self.out.push(b')');
    }

    /// Addresses are not told; Go's would differ from run to run.
    fn pointer(&mut self, value: &Value) {
        match value.kind() {
            Kind::Map | Kind::Slice | Kind::Ptr => self.pad(b"0xc000000000"),
            _ => self.bad_verb(value, 'p'),
        }
    }

    // Padding

    pub(crate) fn pad(&mut self, text: &[u8]) {
        let missing = self.flags.width.unwrap_or(0).saturating_sub(runes(text));
        if self.flags.minus {
            self.out.extend_from_slice(text);
            self.fill(missing);
        } else {
            self.fill(missing);
            self.out.extend_from_slice(text);
        }
    }

    fn fill(&mut self, count: usize) {
        let with = if self.flags.zero && !self.flags.minus { b'0' } else { b' ' };
        self.out.resize(self.out.len() + count, with);
    }

    /// Pads with spaces, whatever the flag says.
    fn pad_with_spaces(&mut self, text: &[u8]) {
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text);
        self.flags.zero = zero;
    }

    // Strings

    fn truncated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(precision) = self.flags.precision else { return text };
        let mut end = 0;
        for _ in 0..precision {
            let Some((_, width)) = decode_utf8(text.get(end..).unwrap_or_default()) else { return text };
            end += width;
        }
        text.get(..end).unwrap_or(text)
    }

    fn text(&mut self, text: &[u8]) {
        self.pad(self.truncated(text));
    }

    fn string(&mut self, text: &Str, verb: char) {
        match verb {
            'v' if self.flags.go_syntax => self.quoted(text),
            'v' | 's' => self.text(text),
            'q' => self.quoted(text),
            'x' | 'X' => self.hex(text, verb),
            _ => self.bad_verb(&Value::String(text.clone()), verb),
        }
    }

    fn alphabet(&self) -> Alphabet {
        if self.flags.plus { Alphabet::Ascii } else { Alphabet::Unicode }
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.truncated(text);
        if self.flags.sharp && can_backquote(text) {
            let text = [b"`", text, b"`"].concat();
            return self.pad(&text);
        }
        let quoted = quote_with(text, self.alphabet());
        self.pad(quoted.as_bytes());
    }

    fn hex(&mut self, bytes: &[u8], verb: char) {
        let shown = bytes.get(..self.flags.precision.unwrap_or(bytes.len())).unwrap_or(bytes);
        let prefix = if verb == 'x' { "0x" } else { "0X" };
        let mut text = String::new();
        for (index, byte) in shown.iter().enumerate() {
            if self.flags.space && index > 0 {
                text.push(' ');
            }
            if self.flags.sharp && (self.flags.space || index == 0) {
                text.push_str(prefix);
            }
            let digits = format!("{byte:02x}");
            text.push_str(&if verb == 'x' { digits } else { digits.to_uppercase() });
        }
        self.pad(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &Str, value: &Value, verb: char, depth: usize) {
        match verb {
            's' => self.text(bytes),
            'q' => self.quoted(bytes),
            'x' | 'X' => self.hex(bytes, verb),
            'v' if self.flags.go_syntax => {
                let items: Vec<String> = bytes.iter().map(|byte| format!("{byte:#x}")).collect();
                let name = if depth == 0 { "[]byte" } else { "[]uint8" };
                self.out.extend_from_slice(format!("{name}{{{}}}", items.join(", ")).as_bytes());
            }
            _ => {
                let items: Vec<Value> = bytes.iter().copied().map(crate::template::operand::byte).collect();
                self.sequence(value.type_name(), &items, verb, 0);
            }
        }
    }

    // Numbers

    fn int(&mut self, value: &Value, verb: char) {
        let Value::Int(int) = value else { return };
        let unsigned = int.kind().is_unsigned();
        match verb {
            'v' if self.flags.go_syntax && unsigned => {
                let sharp = std::mem::replace(&mut self.flags.sharp, true);
                self.digits(int.get(), 'x');
                self.flags.sharp = sharp;
            }
            'v' | 'd' | 'b' | 'o' | 'O' | 'x' | 'X' => self.digits(int.get(), verb),
            'c' => {
                let rune = rune_of(int.bits());
                self.pad(rune.encode_utf8(&mut [0; 4]).as_bytes());
            }
            'q' => {
                let quoted = quote_rune(rune_of(int.bits()), self.alphabet());
                self.pad(quoted.as_bytes());
            }
            'U' => self.code_point(int.bits()),
            _ => self.bad_verb(value, verb),
        }
    }

    fn digits(&mut self, number: i128, verb: char) {
        let magnitude = number.unsigned_abs();
        let mut digits = match verb {
            'b' => format!("{magnitude:b}"),
            'o' | 'O' => format!("{magnitude:o}"),
            'x' => format!("{magnitude:x}"),
            'X' => format!("{magnitude:X}"),
            _ => magnitude.to_string(),
        };
        let signed = number < 0 || self.flags.plus || self.flags.space;
        let least = match (self.flags.precision, self.flags.width) {
            (Some(0), _) if number == 0 => {
                let width = self.flags.width.unwrap_or(0);
                return self.out.resize(self.out.len() + width, b' ');
            }
            (Some(precision), _) => precision,
            (None, Some(width)) if self.flags.zero && !self.flags.minus => width.saturating_sub(usize::from(signed)),
            _ => 0,
        };
        digits.insert_str(0, &"0".repeat(least.saturating_sub(digits.len())));
        let prefix = match verb {
            'b' if self.flags.sharp => "0b",
            'o' | 'O' if self.flags.sharp && !digits.starts_with('0') => "0",
            'x' if self.flags.sharp => "0x",
            'X' if self.flags.sharp => "0X",
            _ => "",
        };
        let octal = if verb == 'O' { "0o" } else { "" };
        let text = format!("{}{octal}{prefix}{digits}", self.sign(number < 0));
        self.pad_with_spaces(text.as_bytes());
    }

    fn sign(&self, negative: bool) -> &'static str {
        match negative {
            true => "-",
            false if self.flags.plus => "+",
            false if self.flags.space => " ",
            false => "",
        }
    }

    fn code_point(&mut self, bits: i64) {
        let digits = self.flags.precision.unwrap_or(0).max(4);
        let mut text = format!("U+{:0digits$X}", bits.cast_unsigned());
        let rune = u32::try_from(bits).ok().and_then(char::from_u32).filter(|rune| is_print(*rune));
        if let Some(rune) = rune.filter(|_| self.flags.sharp) {
            text.extend([" '", rune.encode_utf8(&mut [0; 4]), "'"]);
        }
        self.pad_with_spaces(text.as_bytes());
    }

    fn float(&mut self, float: f64, value: &Value, verb: char) {
        match float_text(float, verb, self.flags) {
            Some(text) => self.signed_float(&text),
            None => self.bad_verb(value, verb),
        }
    }

    /// Pads a float, the sign before the zeros.
    fn signed_float(&mut self, text: &str) {
        let unsigned = text.strip_prefix('-');
        let sign = self.sign(unsigned.is_some());
        let digits = unsigned.unwrap_or(text);
        if !digits.starts_with(|first: char| first.is_ascii_digit()) {
            // Infinities and NaN are no numbers to fill with zeros; +Inf keeps its sign only if asked.
            let word = digits.trim_start_matches('+');
            let sign = match (word, sign) {
                ("Inf", "") => "+",
                (_, sign) => sign,
            };
            return self.pad_with_spaces(format!("{sign}{word}").as_bytes());
        }
        let length = sign.len() + digits.len();
        if self.flags.zero && !self.flags.minus && !sign.is_empty() {
            let missing = self.flags.width.unwrap_or(0).saturating_sub(length);
            self.out.extend_from_slice(sign.as_bytes());
            self.fill(missing);
            return self.out.extend_from_slice(digits.as_bytes());
        }
        self.pad(format!("{sign}{digits}").as_bytes());
    }

    fn complex(&mut self, complex: Complex, value: &Value, verb: char) {
        if float_text(complex.re, verb, self.flags).is_none() {
            return self.bad_verb(value, verb);
        }
        self.out.push(b'(');
        self.float(complex.re, value, verb);
        let plus = std::mem::replace(&mut self.flags.plus, true);
        self.float(complex.im, value, verb);
        self.flags.plus = plus;
        self.out.extend_from_slice(b"i)");
    }

    // Collections

    fn sequence(&mut self, type_name: &str, items: &[Value], verb: char, depth: usize) {
        let (open, separator, close) = self.brackets(type_name, "[");
        self.out.extend_from_slice(open.as_bytes());
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(separator);
            }
            self.value(item, verb, depth + 1);
        }
        self.out.push(close);
    }

    fn map(&mut self, map: &Map, type_name: &str, verb: char, depth: usize) {
        let (open, separator, close) = self.brackets(type_name, "map[");
        self.out.extend_from_slice(open.as_bytes());
        for (index, (key, value)) in map.entries().iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(separator);
            }
            self.string(key, verb);
            self.out.push(b':');
            self.value(value, verb, depth + 1);
        }
        self.out.push(close);
    }

    fn brackets(&self, type_name: &str, plain: &str) -> (String, &'static [u8], u8) {
        if self.flags.go_syntax { (format!("{type_name}{{"), b", ", b'}') } else { (plain.to_owned(), b" ", b']') }
    }

    fn object(&mut self, value: &Value, verb: char, depth: usize) {
        if let Some(complex) = value.downcast::<Complex>() {
            return self.complex(*complex, value, verb);
        }
        let Value::Object(object) = value else { return };
        match (object.kind(), object.entries()) {
            (Kind::Map, Some(entries)) => {
                let map = entries.into_iter().filter_map(|(key, value)| Some((key.as_str()?.clone(), value))).collect();
                self.map(&map, object.type_name(), verb, depth);
            }
            _ if is_stringable(verb) && object.is_stringer() && !self.flags.go_syntax => {
                self.string(&object.print(), if verb == 'v' { 's' } else { verb });
            }
            (Kind::Int, _) => self.int(&Value::int(object.to_json().as_i64().unwrap_or(0)), verb),
            _ => match object.printed_fields() {
                fields if !fields.is_empty() => self.structure(object.as_ref(), &fields, verb, depth),
                _ if is_stringable(verb) => self.string(&object.print(), if verb == 'v' { 's' } else { verb }),
                _ => self.bad_verb(value, verb),
            },
        }
    }

    /// A struct, or a pointer to one: inside of something else that is its address.
    fn structure(&mut self, object: &dyn Object, fields: &[(&str, Value)], verb: char, depth: usize) {
        if object.kind() == Kind::Ptr && depth > 0 {
            return self.out.extend_from_slice(&object.print_nested());
        }
        if object.kind() == Kind::Ptr {
            self.out.push(b'&');
        }
        if self.flags.go_syntax {
            self.out.extend_from_slice(object.type_name().trim_start_matches('*').as_bytes());
        }
        self.out.push(b'{');
        for (index, (name, value)) in fields.iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(if self.flags.go_syntax { b", " } else { b" " });
            }
            if self.flags.go_syntax || self.flags.field_names {
                self.out.extend_from_slice(name.as_bytes());
                self.out.push(b':');
            }
            self.value(value, verb, depth + 1);
        }
        self.out.push(b'}');
    }
}

fn is_stringable(verb: char) -> bool {
    matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
}

fn runes(text: &[u8]) -> usize {
    let mut rest = text;
    let mut count = 0;
    while let Some((_, width)) = decode_utf8(rest) {
        rest = rest.get(width..).unwrap_or_default();
        count += 1;
    }
    count
}

fn rune_of(bits: i64) -> char {
    u32::try_from(bits).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Whether the text can stand between backquotes: one line without control characters other than tab.
fn can_backquote(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| {
        text.chars().all(|rune| rune == '\t' || rune >= ' ' && !matches!(rune, '`' | '\u{7f}' | '\u{feff}'))
    })
}

/// The number as `strconv.FormatFloat` writes it for the verb, with `-` but never with `+` before a digit. Nothing for a
/// verb that floats do not have.
fn float_text(float: f64, verb: char, flags: Flags) -> Option<String> {
    if !matches!(verb, 'v' | 'g' | 'G' | 'e' | 'E' | 'f' | 'F' | 'x' | 'X' | 'b') {
        return None;
    }
    if !float.is_finite() {
        return Some(format_float(float));
    }
    let text = match (verb, flags.precision) {
        ('e' | 'E', precision) => go_exponent(&with_exponent(float, precision.unwrap_or(6))),
        ('f' | 'F', precision) => with_decimals(float, precision.unwrap_or(6)),
        ('x' | 'X', precision) => hex_float(float, precision),
        ('b', _) => binary_float(float),
        (_, None) => format_float(float),
        (_, Some(precision)) => general(float, precision.max(1)),
    };
    let text = if flags.sharp && verb != 'b' { keep_point(&text, verb, flags.precision) } else { text };
    Some(if matches!(verb, 'G' | 'E' | 'X') { text.to_uppercase() } else { text })
}

/// No float has more decimals or digits that are not 0, and Rust writes no more than 65,535.
const ALL_DIGITS: usize = 1_100;

/// `1.50`
fn with_decimals(float: f64, decimals: usize) -> String {
    let zeros = "0".repeat(decimals.saturating_sub(ALL_DIGITS));
    format!("{float:.*}{zeros}", decimals.min(ALL_DIGITS))
}

/// `1.50e7`
fn with_exponent(float: f64, decimals: usize) -> String {
    let text = format!("{float:.*e}", decimals.min(ALL_DIGITS));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{mantissa}{}e{exponent}", "0".repeat(decimals.saturating_sub(ALL_DIGITS)))
}

/// `1.5e7` as Go writes it: `1.5e+07`.
fn go_exponent(text: &str) -> String {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// `%g` with a number of significant digits.
fn general(float: f64, precision: usize) -> String {
    let rounded = with_exponent(float, (precision - 1).min(ALL_DIGITS));
    let (mantissa, exponent) = rounded.split_once('e').unwrap_or((&rounded, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let significant = digits.trim_end_matches('0').len().max(1);
    let whole = exponent + 1;
    let count = i32::try_from(significant).unwrap_or(i32::MAX);
    let mut threshold = i32::try_from(precision).unwrap_or(i32::MAX);
    if threshold > count && count >= whole {
        threshold = count;
    }
    if exponent < -4 || exponent >= threshold {
        return go_exponent(&format!("{float:.*e}", significant - 1));
    }
    let decimals = usize::try_from(count - whole).unwrap_or(0);
    format!("{float:.decimals$}")
}

/// The flag `#`: a decimal point always, and for `%g` and `%x` trailing zeros.
fn keep_point(text: &str, verb: char, precision: Option<usize>) -> String {
    let exponent = if matches!(verb, 'x' | 'X') { 'p' } else { 'e' };
    let (number, tail) = text.find(exponent).map_or((text, ""), |at| text.split_at(at));
    let mut number = number.to_owned();
    let wanted = if matches!(verb, 'v' | 'g' | 'G' | 'x') { precision.unwrap_or(6) } else { 0 };
    // Go counts the `x` of `0x` as a digit.
    let digits: String = number.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut shown = digits.trim_start_matches('0').len();
    if !number.contains('.') {
        shown += usize::from(digits == "0");
        number.push('.');
    }
    number.push_str(&"0".repeat(wanted.saturating_sub(shown)));
    format!("{number}{tail}")
}

/// `%b`: the mantissa and the exponent of two.
fn binary_float(float: f64) -> String {
    let bits = float.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let exponent = i64::try_from(bits >> 52 & 0x7ff).unwrap_or(0);
    let (mantissa, exponent) = if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
    let sign = if float.is_sign_negative() { "-" } else { "" };
    format!("{sign}{mantissa}p{exponent:+}")
}

/// `%x`: hexadecimal, `0x1.8p+01`.
fn hex_float(float: f64, precision: Option<usize>) -> String {
    let bits = float.to_bits();
    let mut mantissa = bits & ((1 << 52) - 1);
    let mut exponent = i64::try_from(bits >> 52 & 0x7ff).unwrap_or(0);
    if exponent == 0 {
        exponent = 1;
    } else {
        mantissa |= 1 << 52;
    }
    exponent -= 1023;
    if mantissa == 0 {
        exponent = 0;
    }
    while mantissa != 0 && mantissa < 1 << 52 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if let Some(precision) = precision.filter(|precision| *precision < 13) {
        let dropped = 52 - 4 * precision;
        let (half, low) = (1_u64 << (dropped - 1), mantissa & ((1 << dropped) - 1));
        mantissa >>= dropped;
        if low > half || low == half && mantissa & 1 == 1 {
            mantissa += 1;
        }
        mantissa <<= dropped;
        if mantissa >= 1 << 53 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let whole = mantissa >> 52;
    let mut fraction = format!("{:013x}", mantissa & ((1 << 52) - 1));
    match precision {
        None => fraction.truncate(fraction.trim_end_matches('0').len()),
        Some(precision) => {
            fraction.truncate(precision);
            fraction.push_str(&"0".repeat(precision.saturating_sub(fraction.len())));
        }
    }
    let sign = if float.is_sign_negative() { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}0x{whole}{point}{fraction}p{exponent_sign}{:02}", exponent.abs())
}
