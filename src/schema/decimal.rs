//! Numbers of JSON as exact decimals, where the validator of Helm computes with fractions.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};
use serde_json::Number;

use crate::value::shortest_digits;

/// `mantissa × 10^exponent`.
#[derive(Clone, Debug)]
pub(super) struct Decimal {
    mantissa: BigInt,
    exponent: i32,
}

impl Decimal {
    /// A float is what its shortest decimal digits say.
    pub(super) fn new(number: &Number) -> Self {
        if let Some(whole) = number.as_i64() {
            return Self { mantissa: whole.into(), exponent: 0 };
        }
        if let Some(whole) = number.as_u64() {
            return Self { mantissa: whole.into(), exponent: 0 };
        }
        let float = number.as_f64().unwrap_or_default();
        let (digits, exponent) = shortest_digits(float.abs());
        let mantissa = BigInt::parse_bytes(digits.as_bytes(), 10).unwrap_or_default();
        let after_point = i32::try_from(digits.len()).map_or(0, |count| count - 1);
        Self { mantissa: if float < 0.0 { -mantissa } else { mantissa }, exponent: exponent - after_point }
    }

    /// The mantissas of both at the smaller exponent.
    fn aligned(&self, other: &Self) -> (BigInt, BigInt) {
        let exponent = self.exponent.min(other.exponent);
        (self.mantissa_at(exponent), other.mantissa_at(exponent))
    }

    fn mantissa_at(&self, exponent: i32) -> BigInt {
        &self.mantissa * BigInt::from(10).pow(self.exponent.abs_diff(exponent))
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let (mine, others) = self.aligned(other);
        mine.cmp(&others)
    }

    /// Whether it is so many times `unit`. Nothing is a multiple of zero.
    pub(super) fn is_multiple_of(&self, unit: &Self) -> bool {
        let (mine, unit) = self.aligned(unit);
        unit.sign() != Sign::NoSign && (mine % unit).sign() == Sign::NoSign
    }

    pub(super) fn is_integer(&self) -> bool {
        self.is_multiple_of(&Self { mantissa: 1.into(), exponent: 0 })
    }

    /// Clipped to what fits; `None` for what is no integer.
    pub(super) fn to_integer(&self) -> Option<i64> {
        if !self.is_integer() {
            return None;
        }
        let whole = if self.exponent >= 0 {
            self.mantissa_at(0)
        } else {
            &self.mantissa / BigInt::from(10).pow(self.exponent.unsigned_abs())
        };
        let limit = if whole.sign() == Sign::Minus { i64::MIN } else { i64::MAX };
        Some(i64::try_from(whole).unwrap_or(limit))
    }
}
