//! Go's string literals: `strconv.Unquote`, and what the lexer takes for a letter. Quoting is in [`crate::value::quote`].

use std::sync::LazyLock;

use regex::Regex;

pub(crate) use crate::value::{Alphabet, quote_rune, quote_with};
use crate::value::{Str, decode_utf8};
pub use crate::value::{is_print, quote};

static LETTER_OR_DIGIT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[\p{L}\p{Nd}]$").ok());

/// A letter, a digit or an underscore.
pub(crate) fn is_alphanumeric(rune: char) -> bool {
    rune == '_' || rune.is_ascii_alphanumeric() || !rune.is_ascii() && is_letter_or_digit(rune)
}

fn is_letter_or_digit(rune: char) -> bool {
    let mut buffer = [0; 4];
    LETTER_OR_DIGIT.as_ref().is_some_and(|class| class.is_match(rune.encode_utf8(&mut buffer)))
}

/// The text of a literal in double quotes that has no escape sequence.
pub(crate) fn plainly_quoted(literal: &[u8]) -> Option<&[u8]> {
    let text = literal.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    memchr::memchr3(b'\\', b'"', b'\n', text).is_none().then_some(text)
}

/// Go's `strconv.Unquote` of a string literal with its quotes. `None` is Go's `invalid syntax`.
pub(crate) fn unquote(literal: &[u8]) -> Option<Str> {
    let (&delimiter, rest) = literal.split_first()?;
    let (&last, mut body) = rest.split_last()?;
    if last != delimiter {
        return None;
    }
    if delimiter == b'`' {
        let text: Vec<u8> = body.iter().copied().filter(|byte| *byte != b'\r').collect();
        return Some(text.into());
    }
    let mut text = Vec::with_capacity(body.len());
    while !body.is_empty() {
        let (unit, rest) = unquote_unit(body, delimiter)?;
        match unit {
            Unit::Byte(byte) => text.push(byte),
            Unit::Rune(rune) => text.extend_from_slice(rune.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        body = rest;
    }
    Some(text.into())
}

/// The rune of a character constant with its quotes. `None` is Go's `invalid syntax`; the rest after the rune is given
/// too, which is `'` when the constant is well-formed.
pub(crate) fn unquote_char(literal: &[u8]) -> Option<(i64, &[u8])> {
    let (&delimiter, body) = literal.split_first()?;
    let (unit, rest) = unquote_unit(body, delimiter)?;
    let value = match unit {
        Unit::Byte(byte) => i64::from(byte),
        Unit::Rune(rune) => i64::from(u32::from(rune)),
    };
    Some((value, rest))
}

enum Unit {
    Byte(u8),
    Rune(char),
}

/// One character or escape sequence, and what follows it.
fn unquote_unit(body: &[u8], delimiter: u8) -> Option<(Unit, &[u8])> {
    let (&first, rest) = body.split_first()?;
    if first == delimiter || first == b'\n' {
        return None;
    }
    if first != b'\\' {
        // An invalid byte stays what it is.
        let (rune, width) = decode_utf8(body)?;
        let unit = if width == 1 { Unit::Byte(first) } else { Unit::Rune(rune) };
        return Some((unit, body.get(width..)?));
    }
    let (&escape, rest) = rest.split_first()?;
    let byte = |byte: u8| Some((Unit::Byte(byte), rest));
    match escape {
        b'a' => byte(7),
        b'b' => byte(8),
        b'f' => byte(12),
        b'n' => byte(b'\n'),
        b'r' => byte(b'\r'),
        b't' => byte(b'\t'),
        b'v' => byte(11),
        b'\\' => byte(b'\\'),
        b'\'' | b'"' if escape == delimiter => byte(escape),
        b'x' => digits(rest, 2, 16).and_then(|(n, rest)| Some((Unit::Byte(u8::try_from(n).ok()?), rest))),
        b'u' => digits(rest, 4, 16).and_then(|(n, rest)| Some((Unit::Rune(char::from_u32(n)?), rest))),
        b'U' => digits(rest, 8, 16).and_then(|(n, rest)| Some((Unit::Rune(char::from_u32(n)?), rest))),
        b'0'..=b'7' => {
            digits(body.get(1..)?, 3, 8).and_then(|(n, rest)| Some((Unit::Byte(u8::try_from(n).ok()?), rest)))
        }
        _ => None,
    }
}

fn digits(text: &[u8], count: usize, radix: u32) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(count)?;
    let mut number = 0_u32;
    for digit in digits {
        number = number.checked_mul(radix)?.checked_add(char::from(*digit).to_digit(radix)?)?;
    }
    Some((number, rest))
}
