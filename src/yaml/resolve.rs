//! What a plain scalar means.
//!
//! Mirrors `resolve.go` and `isBase60Float` of go.yaml.in/yaml/v2 2.4.4.

/// The meaning of a scalar without tag and quotes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::yaml) enum Meaning {
    Null,
    Bool(bool),
    Int(i64),
    /// Only what is no `i64`.
    Uint(u64),
    Float(f64),
    String,
}

impl Meaning {
    /// The short form of its tag.
    pub(in crate::yaml) fn tag(self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::Uint(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::String => "!!str",
        }
    }
}

/// What `text` means as a plain scalar. Timestamps are strings.
pub(in crate::yaml) fn resolve(text: &str) -> Meaning {
    match text.as_bytes() {
        [] => Meaning::Null,
        [b'0'..=b'9' | b'+' | b'-', ..] => number(text),
        [b'.', ..] => word(text).or_else(|| dotted_float(text).map(Meaning::Float)).unwrap_or(Meaning::String),
        [b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~', ..] => {
            word(text).unwrap_or(Meaning::String)
        }
        _ => Meaning::String,
    }
}

fn word(text: &str) -> Option<Meaning> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Meaning::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Meaning::Bool(false),
        "~" | "null" | "Null" | "NULL" => Meaning::Null,
        ".nan" | ".NaN" | ".NAN" => Meaning::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Meaning::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Meaning::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

/// What starts with a digit or sign. Underscores mean nothing wherever they are.
fn number(text: &str) -> Meaning {
    if let Some(found) = word(text) {
        return found;
    }
    let stripped;
    let digits = if text.contains('_') {
        stripped = text.replace('_', "");
        &stripped
    } else {
        text
    };
    integer(digits)
        .or_else(|| float(digits).map(Meaning::Float))
        .or_else(|| digits.strip_prefix("0b").and_then(|digits| integer_of_base(digits, 2)))
        .unwrap_or(Meaning::String)
}

/// `strconv.ParseInt` and then `ParseUint`, with base 0: a sign, and a prefix for the base.
fn integer(text: &str) -> Option<Meaning> {
    let (negative, unsigned) = split_sign(text);
    let (digits, base) = match unsigned.as_bytes() {
        [b'0', b'b' | b'B', _, ..] => (unsigned.get(2..)?, 2),
        [b'0', b'o' | b'O', _, ..] => (unsigned.get(2..)?, 8),
        [b'0', b'x' | b'X', _, ..] => (unsigned.get(2..)?, 16),
        [b'0'] => return Some(Meaning::Int(0)),
        [b'0', ..] => (unsigned.get(1..)?, 8),
        _ => (unsigned, 10),
    };
    signed(negative, text.len() != unsigned.len(), digits, base)
}

fn integer_of_base(text: &str, base: u32) -> Option<Meaning> {
    let (negative, digits) = split_sign(text);
    signed(negative, text.len() != digits.len(), digits, base)
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    }
}

fn signed(negative: bool, has_sign: bool, digits: &str, base: u32) -> Option<Meaning> {
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    let number = if negative { -i128::from(magnitude) } else { i128::from(magnitude) };
    match i64::try_from(number) {
        Ok(number) => Some(Meaning::Int(number)),
        Err(_) if has_sign => None,
        Err(_) => Some(Meaning::Uint(magnitude)),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, unless it is too large for a float.
fn float(text: &str) -> Option<f64> {
    let (_, unsigned) = split_sign(text);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(unsigned);
    let mut rest = unsigned.get(whole..)?;
    if let Some(fraction) = rest.strip_prefix('.') {
        let width = digits(fraction);
        if whole == 0 && width == 0 {
            return None;
        }
        rest = fraction.get(width..)?;
    } else if whole == 0 {
        return None;
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if exponent.is_empty() || digits(exponent) != exponent.len() {
            return None;
        }
    } else if !rest.is_empty() {
        return None;
    }
    text.parse().ok().filter(|float: &f64| float.is_finite())
}

/// What starts with a dot is read as Go reads a float: underscores may stand between digits.
fn dotted_float(text: &str) -> Option<f64> {
    if !text.contains('_') {
        return float(text);
    }
    let between_digits = text.split('_').enumerate().all(|(index, part)| {
        let edge = |c: char| c.is_ascii_digit();
        (index == 0 || part.starts_with(edge)) && part.chars().next_back().is_some_and(edge)
    });
    if between_digits { float(&text.replace('_', "")) } else { None }
}

/// Whether v3 takes `text` for an octal number although v2 does not: it reads a sign after `0o`.
pub(in crate::yaml) fn is_v3_octal(text: &str) -> bool {
    text.strip_prefix("0o").is_some_and(|digits| integer_of_base(&digits.replace('_', ""), 8).is_some())
}

/// Whether a string that reads like this must be quoted although it is a string: a number of base 60 or a timestamp.
pub(in crate::yaml) fn is_ambiguous(text: &str) -> bool {
    matches!(text.as_bytes().first(), Some(b'0'..=b'9' | b'+' | b'-')) && (is_base60(text) || is_timestamp(text))
}

/// `^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$`
fn is_base60(text: &str) -> bool {
    let (_, unsigned) = split_sign(text);
    let mut parts = unsigned.split(':');
    let first = parts.next().unwrap_or_default();
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    if !first.starts_with(|c: char| c.is_ascii_digit()) || !is_digits(first) {
        return false;
    }
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return false };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    let is_sixtieth = |part: &str| match part.as_bytes() {
        [digit] | [b'0'..=b'5', digit] => digit.is_ascii_digit(),
        _ => false,
    };
    parts.iter().all(|part| is_sixtieth(part)) && is_sixtieth(last) && is_digits(fraction)
}

/// Whether `time.Parse` takes it for one of `2006-1-2`, `2006-1-2 15:4:5` and `2006-1-2T15:4:5Z07:00`, each with any
/// fraction of a second.
pub(in crate::yaml) fn is_timestamp(text: &str) -> bool {
    let mut rest = Digits(text);
    let (Some(year), true) = (rest.exactly(4), rest.literal('-')) else { return false };
    let (Some(month @ 1..=12), true) = (rest.short(), rest.literal('-')) else { return false };
    let Some(day) = rest.short() else { return false };
    if day == 0 || day > days_in(year, month) {
        return false;
    }
    if rest.0.is_empty() {
        return true;
    }
    if rest.literal('T') || rest.literal('t') {
        return rest.time() && rest.zone() && rest.0.is_empty();
    }
    let spaces = rest.0.len() - rest.0.trim_start_matches(' ').len();
    rest.0 = rest.0.trim_start_matches(' ');
    spaces > 0 && rest.time() && rest.0.is_empty()
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The rest of a timestamp.
struct Digits<'a>(&'a str);

impl Digits<'_> {
    fn literal(&mut self, literal: char) -> bool {
        match self.0.strip_prefix(literal) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn exactly(&mut self, width: usize) -> Option<u32> {
        let digits = self.0.get(..width).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
        self.0 = self.0.get(width..)?;
        digits.parse().ok()
    }

    /// One digit or two.
    fn short(&mut self) -> Option<u32> {
        self.exactly(2).or_else(|| self.exactly(1))
    }

    fn time(&mut self) -> bool {
        let below = |number: Option<u32>, limit| number.is_some_and(|number| number < limit);
        if !(below(self.short(), 24) && self.literal(':') && below(self.short(), 60) && self.literal(':')) {
            return false;
        }
        if !below(self.short(), 60) {
            return false;
        }
        if let Some(fraction) = self.0.strip_prefix(['.', ',']) {
            let width = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if width > 0 {
                self.0 = fraction.get(width..).unwrap_or_default();
            }
        }
        true
    }

    fn zone(&mut self) -> bool {
        if self.literal('Z') {
            return true;
        }
        (self.literal('+') || self.literal('-'))
            && self.exactly(2).is_some_and(|hours| hours <= 24)
            && self.literal(':')
            && self.exactly(2).is_some_and(|minutes| minutes <= 60)
    }
}
