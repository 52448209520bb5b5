//! Number literals: one literal may serve as several types, as an ideal constant of Go does.

use std::any::Any;

use crate::template::quote::{quote, unquote_char};
use crate::value::{Kind, Object, Str, Value, format_float};

/// A number literal and every reading it allows.
#[derive(Clone, Debug)]
pub(crate) struct Number {
    /// The literal as a signed integer.
    pub(crate) int: Option<i64>,
    /// As an unsigned integer.
    pub(crate) uint: Option<u64>,
    /// As a float.
    pub(crate) float: Option<f64>,
    /// As a complex number, only if it was written as one.
    pub(crate) complex: Option<Complex>,
}

/// A Go `complex128`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Complex {
    /// The real part.
    pub(crate) re: f64,
    /// The imaginary part.
    pub(crate) im: f64,
}

impl Number {
    const EMPTY: Self = Self { int: None, uint: None, float: None, complex: None };

    /// The character constant `literal`, with its quotes.
    pub(crate) fn from_char(literal: &[u8]) -> Result<Self, String> {
        let (rune, tail) = unquote_char(literal).ok_or("invalid syntax")?;
        if tail != b"'" {
            return Err(format!("malformed character constant: {}", Str::from(literal)));
        }
        #[expect(clippy::cast_precision_loss, reason = "a rune fits")]
        let float = rune as f64;
        Ok(Self { int: Some(rune), uint: Some(rune.cast_unsigned()), float: Some(float), ..Self::EMPTY })
    }

    /// `1+2i`
    pub(crate) fn from_complex(literal: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(literal);
        let middle = text.char_indices().skip(1).filter(|(_, rune)| matches!(rune, '+' | '-')).map(|(index, _)| index);
        // The sign of an exponent is no separator.
        let split = middle.filter(|index| {
            let exponent = text.get(..*index).and_then(|head| head.chars().last());
            !matches!(exponent, Some('e' | 'E' | 'p' | 'P'))
        });
        let parts = split.last().and_then(|index| text.split_at_checked(index));
        let parts = parts.and_then(|(re, im)| Some((re, im.strip_suffix('i')?)));
        let (re, im) = parts.ok_or_else(|| NO_COMPLEX.to_owned())?;
        Ok(Self::EMPTY.with_complex(Complex { re: complex_part(re)?, im: complex_part(im)? }))
    }

    fn with_complex(mut self, complex: Complex) -> Self {
        self.complex = Some(complex);
        if complex.im == 0.0 {
            self.float = Some(complex.re);
            self.int = exact_int(complex.re);
            self.uint = exact_uint(complex.re);
        }
        self
    }

    /// A simple number, which may be imaginary.
    pub(crate) fn from_text(literal: &[u8]) -> Result<Self, String> {
        let mut number = Self::EMPTY;
        if let Some(few) = few_digits(literal) {
            return Ok(Self { int: Some(few.into()), uint: Some(few.into()), float: Some(few.into()), ..number });
        }
        if let Some(im) = literal.strip_suffix(b"i").and_then(parse_float) {
            return Ok(number.with_complex(Complex { re: 0.0, im }));
        }
        number.uint = parse_uint(literal);
        number.int = parse_int(literal);
        if number.int == Some(0) {
            // `-0`
            number.uint = Some(0);
        }
        #[expect(clippy::cast_precision_loss, reason = "the float reading of an integer is its nearest float")]
        let float = number.int.map(|n| n as f64).or_else(|| number.uint.map(|n| n as f64));
        number.float = float;
        if float.is_none()
            && let Some(float) = parse_float(literal)
        {
            if !is_float_syntax(literal) {
                return Err(format!("integer overflow: {}", quote(literal)));
            }
            number.float = Some(float);
            number.int = exact_int(float);
            number.uint = exact_uint(float);
        }
        if number.float.is_none() {
            return Err(format!("illegal number syntax: {}", quote(literal)));
        }
        Ok(number)
    }

    /// The constant where no type is asked for: what its syntax says, as it is `written`. `Err` if it fits no type.
    pub(crate) fn ideal(&self, written: &[u8]) -> Result<Value, String> {
        if let Some(complex) = self.complex {
            return Ok(Value::object(complex));
        }
        let hex = matches!(written, [b'0', b'x' | b'X', _, ..]) && !written.iter().any(|b| matches!(b, b'p' | b'P'));
        let rune = written.first() == Some(&b'\'');
        match (self.float, self.int) {
            (Some(float), _) if !hex && !rune && is_float_syntax(written) => Ok(Value::Float(float)),
            (_, Some(int)) => Ok(Value::int(int)),
            _ => Err(format!("{} overflows int", Str::from(written))),
        }
    }
}

const NO_COMPLEX: &str = "syntax error scanning complex number";

/// One part of a complex number: `fmt`'s scanner knows no prefixes but `0x`, and hands the rest to `strconv.ParseFloat`.
fn complex_part(text: &str) -> Result<f64, String> {
    let digits = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    if digits.is_empty() || digits.starts_with("0b") || digits.starts_with("0o") {
        return Err(NO_COMPLEX.to_owned());
    }
    let fault = |what| format!("strconv.ParseFloat: parsing {}: {what}", quote(text.as_bytes()));
    let float = parse_any_float(text.as_bytes()).ok_or_else(|| fault("invalid syntax"))?;
    if float.is_finite() { Ok(float) } else { Err(fault("value out of range")) }
}

/// What nearly every number is: a few digits.
fn few_digits(literal: &[u8]) -> Option<u32> {
    const MAX: usize = 9;
    let few = match literal {
        [_] => true,
        [b'0', ..] => false,
        more => more.len() <= MAX,
    };
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    if few { literal.iter().try_fold(0, |number, byte| Some(number * 10 + digit(byte)?)) } else { None }
}

fn is_float_syntax(text: &[u8]) -> bool {
    text.iter().any(|byte| b".eEpP".contains(byte))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "Go asks just this"
)]
fn exact_int(float: f64) -> Option<i64> {
    let int = float as i64;
    (int as f64 == float && int != i64::MAX).then_some(int)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "Go asks just this"
)]
fn exact_uint(float: f64) -> Option<u64> {
    let uint = float as u64;
    (uint as f64 == float && uint != u64::MAX).then_some(uint)
}

/// Digits with Go's underscores: between digits, or between the base prefix and a digit.
fn without_underscores(digits: &str, prefixed: bool) -> Option<String> {
    let mut previous = if prefixed { '0' } else { '!' };
    for rune in digits.chars() {
        match (previous, rune) {
            ('_', '_') => return None,
            (before, '_') if !before.is_ascii_hexdigit() => return None,
            ('_', now) if !now.is_ascii_hexdigit() => return None,
            _ => previous = rune,
        }
    }
    (previous != '_').then(|| digits.replace('_', ""))
}

/// `strconv.ParseUint` with base 0.
fn parse_uint(literal: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(literal).ok()?;
    let (digits, radix) = match literal {
        [b'0', b'x' | b'X', ..] => (text.get(2..)?, 16),
        [b'0', b'o' | b'O', ..] => (text.get(2..)?, 8),
        [b'0', b'b' | b'B', ..] => (text.get(2..)?, 2),
        [b'0', _, ..] => (text.get(1..)?, 8),
        _ => (text, 10),
    };
    let digits = without_underscores(digits, radix != 10)?;
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(&digits, radix).ok()
}

/// `strconv.ParseInt` with base 0.
fn parse_int(literal: &[u8]) -> Option<i64> {
    let (negative, digits) = match literal {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, literal.strip_prefix(b"+").unwrap_or(literal)),
    };
    let magnitude = i128::from(parse_uint(digits)?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// `strconv.ParseFloat`; a number beyond the range of floats is refused.
fn parse_float(literal: &[u8]) -> Option<f64> {
    parse_any_float(literal).filter(|float| float.is_finite())
}

/// A number beyond the range of floats is infinite.
fn parse_any_float(literal: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(literal).ok()?;
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let magnitude = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => hex_float(&without_underscores(hex, true)?)?,
        None => decimal_float(&without_underscores(digits, false)?)?,
    };
    Some(sign * magnitude)
}

fn decimal_float(text: &str) -> Option<f64> {
    text.starts_with(|first: char| first.is_ascii_digit() || first == '.').then(|| text.parse().ok())?
}

/// The hexadecimal float after `0x`; its exponent is required.
fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(value * 2.0_f64.powi(exponent.checked_sub(shift)?))
}

impl Object for Complex {
    fn type_name(&self) -> &'static str {
        "complex128"
    }

    fn kind(&self) -> Kind {
        Kind::Complex128
    }

    fn print(&self) -> Str {
        let im = format_float(self.im);
        let plus = if im.starts_with(['-', '+']) { "" } else { "+" };
        format!("({}{plus}{im}i)", format_float(self.re)).into()
    }

    fn truth(&self) -> bool {
        self.re != 0.0 || self.im != 0.0
    }

    fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn deep_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
