//! Go's integers, and floats as `strconv` writes them.

use crate::value::Kind;

/// Go's integer types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is Go's type of the same name")]
pub enum IntKind {
    Int,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    /// `time.Duration`: an `int64` that prints itself.
    Duration,
}

impl IntKind {
    /// The type as Go prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint => "uint",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Duration => "time.Duration",
        }
    }

    /// Whether it is one of the unsigned types.
    pub fn is_unsigned(self) -> bool {
        matches!(self, Self::Uint | Self::Uint8 | Self::Uint16 | Self::Uint32 | Self::Uint64)
    }
}

impl From<IntKind> for Kind {
    fn from(kind: IntKind) -> Self {
        match kind {
            IntKind::Int => Self::Int,
            IntKind::Int8 => Self::Int8,
            IntKind::Int16 => Self::Int16,
            IntKind::Int32 => Self::Int32,
            IntKind::Int64 | IntKind::Duration => Self::Int64,
            IntKind::Uint => Self::Uint,
            IntKind::Uint8 => Self::Uint8,
            IntKind::Uint16 => Self::Uint16,
            IntKind::Uint32 => Self::Uint32,
            IntKind::Uint64 => Self::Uint64,
        }
    }
}

/// A Go integer: its type, and its 64 bits (two's complement, also of the unsigned types).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Int {
    kind: IntKind,
    bits: i64,
}

impl Int {
    /// `bits` as a value of type `kind`.
    pub fn new(kind: IntKind, bits: i64) -> Self {
        Self { kind, bits }
    }

    /// A `uint64`.
    pub fn uint64(n: u64) -> Self {
        Self { kind: IntKind::Uint64, bits: n.cast_signed() }
    }

    /// Its type.
    pub fn kind(self) -> IntKind {
        self.kind
    }

    /// The 64 bits, read as signed.
    pub fn bits(self) -> i64 {
        self.bits
    }

    /// The number itself, whatever its type.
    pub fn get(self) -> i128 {
        if self.kind.is_unsigned() { i128::from(self.bits.cast_unsigned()) } else { i128::from(self.bits) }
    }
}

/// The shortest decimal digits that read back as `f` (finite, not negative), and the decimal exponent of the first digit:
/// `1234.5` is `("12345", 3)`.
pub fn shortest_digits(f: f64) -> (String, i32) {
    let text = format!("{f:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.chars().filter(char::is_ascii_digit).collect(), exponent.parse().unwrap_or(0))
}

/// `strconv.FormatFloat(f, 'g', -1, 64)`, which is also `%v`: exponent form below 1e-4 and from 1e6 on.
pub fn format_float(f: f64) -> String {
    if f.is_nan() {
        return "NaN".to_owned();
    }
    if f.is_infinite() {
        return if f > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let sign = if f.is_sign_negative() { "-" } else { "" };
    let (digits, exponent) = shortest_digits(f.abs());
    if (-4..6).contains(&exponent) || f == 0.0 {
        plain_form(sign, &digits, exponent)
    } else {
        exponent_form(sign, &digits, exponent)
    }
}

fn exponent_form(sign: &str, digits: &str, exponent: i32) -> String {
    let (first, rest) = digits.split_at(1.min(digits.len()));
    let dot = if rest.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}{dot}{rest}e{exponent_sign}{:02}", exponent.abs())
}

fn plain_form(sign: &str, digits: &str, exponent: i32) -> String {
    let Ok(whole) = usize::try_from(exponent + 1) else {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    };
    if whole == 0 {
        return format!("{sign}0.{digits}");
    }
    if digits.len() <= whole {
        return format!("{sign}{digits}{}", "0".repeat(whole - digits.len()));
    }
    let (integer, fraction) = digits.split_at(whole);
    format!("{sign}{integer}.{fraction}")
}
