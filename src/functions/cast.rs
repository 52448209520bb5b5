//! How functions read arguments of any type: the rules of `spf13/cast` 1.7.0, `strconv` and Sprig's own `strval`.

use std::borrow::Cow;

use crate::functions::dates::Named;
use crate::value::{Elem, Int, IntKind, Str, Value};

/// What Go's runtime says when a function reflects on nil.
pub(crate) const NIL_DEREFERENCE: &str = "runtime error: invalid memory address or nil pointer dereference";

/// The longest string that a function makes out of a count (`repeat`, `indent`, `randAlpha`), in bytes. Go has no bound
/// and dies of memory.
pub(crate) const MAX_STRING: usize = 64 << 20;

/// The longest list that a function makes out of a count (`until`, `seq`), in elements.
pub(crate) const MAX_ELEMENTS: i64 = 1_000_000;

/// `cast.ToInt64`, which is also `cast.ToInt` on 64 bits: what cannot be converted is 0.
pub(crate) fn to_int64(value: &Value) -> i64 {
    match value {
        Value::Int(int) if int.kind() == IntKind::Duration => 0,
        Value::Int(int) => int.bits(),
        Value::Float(f) => truncate(*f),
        Value::String(text) => parse_int(without_zero_fraction(text), 0).unwrap_or(0),
        Value::Bool(b) => i64::from(*b),
        Value::Object(_) => value.downcast::<Named>().map_or(0, |named| named.number),
        _ => 0,
    }
}

/// `cast.ToFloat64`: what cannot be converted is 0.
pub(crate) fn to_float64(value: &Value) -> f64 {
    match value {
        Value::Int(int) if int.kind() == IntKind::Duration => 0.0,
        Value::Int(int) => int_to_float(*int),
        Value::Float(f) => *f,
        Value::String(text) => parse_float(text).unwrap_or(0.0),
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Object(_) => int_to_float(Int::new(IntKind::Int, to_int64(value))),
        _ => 0.0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "Go's float64(int) rounds as well")]
pub(crate) fn int_to_float(int: Int) -> f64 {
    int.get() as f64
}

/// Go's `int64(float)` on amd64: towards zero; what does not fit, and NaN, is the smallest integer.
#[expect(clippy::cast_possible_truncation, reason = "the range has been checked")]
pub(crate) fn truncate(f: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&f) { f as i64 } else { i64::MIN }
}

/// `1.0` and `1.` are read as integers: a point and zeros at the end are cut off.
fn without_zero_fraction(text: &[u8]) -> &[u8] {
    let zeros = text.iter().rev().take_while(|byte| **byte == b'0').count();
    let rest = text.get(..text.len() - zeros).unwrap_or(text);
    match rest.split_last() {
        Some((b'.', whole)) if zeros > 0 => whole,
        _ => text,
    }
}

/// Why `strconv.ParseInt` refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntError {
    /// Not an integer.
    Syntax,
    /// Too large; Go then still returns the nearest `int64`.
    Range(i64),
}

/// `strconv.ParseInt(text, base, 64)`. Base 0 reads the prefixes `0x`, `0o`, `0b` and `0`, and underscores between digits.
pub(crate) fn parse_int(text: &[u8], base: u32) -> Result<i64, IntError> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let underscores = base == 0;
    let (base, digits) = if underscores { prefixed(digits) } else { (base, digits) };
    if digits.is_empty() || digits.contains(&b'_') && !(underscores && underscores_ok(text)) {
        return Err(IntError::Syntax);
    }
    let limit = if negative { i64::MIN } else { i64::MAX };
    let mut total: i64 = 0;
    let mut fits = true;
    for byte in digits.iter().filter(|byte| **byte != b'_') {
        let digit = char::from(*byte).to_digit(base).ok_or(IntError::Syntax)?;
        let digit = if negative { -i64::from(digit) } else { i64::from(digit) };
        match total.checked_mul(i64::from(base)).and_then(|total| total.checked_add(digit)) {
            Some(sum) => total = sum,
            None => fits = false,
        }
    }
    if fits { Ok(total) } else { Err(IntError::Range(limit)) }
}

/// The base that the prefix of a Go literal names, and its digits.
fn prefixed(digits: &[u8]) -> (u32, &[u8]) {
    match digits {
        [b'0', b'x' | b'X', rest @ ..] if !rest.is_empty() => (16, rest),
        [b'0', b'b' | b'B', rest @ ..] if !rest.is_empty() => (2, rest),
        [b'0', b'o' | b'O', rest @ ..] | [b'0', rest @ ..] if !rest.is_empty() => (8, rest),
        _ => (10, digits),
    }
}

/// Whether every underscore of a number stands between digits, or between the prefix and a digit.
fn underscores_ok(number: &[u8]) -> bool {
    let number = number.strip_prefix(b"-").or_else(|| number.strip_prefix(b"+")).unwrap_or(number);
    let (mut saw, rest, hex) = match number {
        [b'0', prefix @ (b'x' | b'X' | b'o' | b'O' | b'b' | b'B'), rest @ ..] => {
            (b'0', rest, prefix.eq_ignore_ascii_case(&b'x'))
        }
        _ => (b'^', number, false),
    };
    for byte in rest {
        let digit = byte.is_ascii_digit() || hex && byte.is_ascii_hexdigit();
        let fits = if *byte == b'_' { saw == b'0' } else { digit || saw != b'_' };
        if !fits {
            return false;
        }
        saw = match byte {
            b'_' => b'_',
            _ if digit => b'0',
            _ => b'!',
        };
    }
    saw != b'_'
}

/// `strconv.ParseFloat(text, 64)`, without a value where Go reports an error (also where the number is too large).
pub(crate) fn parse_float(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let unsigned = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    if let Some(hex) = unsigned.strip_prefix("0x") {
        let magnitude = parse_hex_float(hex).filter(|_| underscores_ok(text.as_bytes()))?;
        return magnitude.is_finite().then_some(if text.starts_with('-') { -magnitude } else { magnitude });
    }
    let infinite = matches!(unsigned.as_str(), "inf" | "infinity" | "nan");
    if text.contains('_') && !underscores_ok(text.as_bytes()) {
        return None;
    }
    text.replace('_', "").parse().ok().filter(|f: &f64| infinite || f.is_finite())
}

/// A hexadecimal floating-point literal after its `0x`; the binary exponent is required.
fn parse_hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let mut exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut total = 0.0_f64;
    for (index, digit) in whole.chars().chain(fraction.chars()).filter(|digit| *digit != '_').enumerate() {
        let digit = digit.to_digit(16)?;
        if index < 14 {
            total = total.mul_add(16.0, f64::from(digit));
        } else {
            exponent = exponent.saturating_add(4);
        }
    }
    let places = i32::try_from(fraction.chars().filter(|digit| *digit != '_').count()).ok()?;
    exponent = exponent.saturating_sub(places.saturating_mul(4));
    (!whole.is_empty() || !fraction.is_empty()).then(|| total * 2.0_f64.powi(exponent))
}

/// Sprig's `strval`: a string as it is, anything else as `%v` prints it.
pub(crate) fn text_of(value: &Value) -> Str {
    match value {
        Value::Bytes(bytes) => bytes.clone(),
        Value::List(list) if list.elem() == Elem::Byte => Str::default(),
        other => other.print(),
    }
}

/// The elements of a slice of whatever type.
pub(crate) fn elements(value: &Value) -> Option<Cow<'_, [Value]>> {
    match value {
        Value::List(list) => Some(Cow::Borrowed(list)),
        Value::Bytes(bytes) => {
            let byte = |byte: &u8| Value::Int(Int::new(IntKind::Uint8, i64::from(*byte)));
            Some(Cow::Owned(bytes.iter().map(byte).collect()))
        }
        Value::Object(object) if object.kind() == crate::value::Kind::Slice => {
            Some(Cow::Owned(object.entries()?.into_iter().map(|(_, value)| value).collect()))
        }
        _ => None,
    }
}
