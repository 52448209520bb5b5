//! The decimal arithmetic behind `addf` and its kin: what `shopspring/decimal` 1.4.0 computes.

use num_bigint::{BigInt, Sign};

use crate::value::{format_float, shortest_digits};

/// A decimal number: `digits` times ten to the power of `exponent`.
#[derive(Clone, Debug)]
pub(crate) struct Decimal {
    digits: BigInt,
    exponent: i64,
}

/// Places after the point that a quotient is rounded to.
const DIVISION_PRECISION: i64 = 16;

impl Decimal {
    /// The shortest decimal that reads back as `f`.
    ///
    /// # Errors
    /// The text of Go's panic for NaN and infinities.
    pub(crate) fn from_float(f: f64) -> Result<Self, String> {
        if !f.is_finite() {
            return Err(format!("Cannot create a Decimal from {}", format_float(f)));
        }
        let (digits, exponent) = shortest_digits(f.abs());
        let places = i64::try_from(digits.len()).unwrap_or(1) - 1;
        let magnitude: BigInt = digits.parse().unwrap_or_default();
        let digits = if f < 0.0 { -magnitude } else { magnitude };
        Ok(Self { digits, exponent: i64::from(exponent) - places })
    }

    /// The nearest float.
    pub(crate) fn to_float(&self) -> f64 {
        format!("{}e{}", self.digits, self.exponent).parse().unwrap_or(0.0)
    }

    /// The sum.
    pub(crate) fn add(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        Self { digits: self.scaled(exponent) + other.scaled(exponent), exponent }
    }

    /// The difference.
    pub(crate) fn sub(&self, other: &Self) -> Self {
        self.add(&Self { digits: -&other.digits, exponent: other.exponent })
    }

    /// The product.
    pub(crate) fn mul(&self, other: &Self) -> Self {
        Self { digits: &self.digits * &other.digits, exponent: self.exponent + other.exponent }
    }

    /// The quotient to [`DIVISION_PRECISION`] places, halves away from zero; `None` if `other` is zero.
    pub(crate) fn div(&self, other: &Self) -> Option<Self> {
        if other.digits.sign() == Sign::NoSign {
            return None;
        }
        let shift = self.exponent - other.exponent + DIVISION_PRECISION;
        let power = power_of_ten(shift.unsigned_abs());
        let (dividend, divisor) = if shift < 0 {
            (self.digits.clone(), &other.digits * power)
        } else {
            (&self.digits * power, other.digits.clone())
        };
        let quotient = &dividend / &divisor;
        let rest: BigInt = (&dividend - &quotient * &divisor) * 2;
        let away = if rest.magnitude() < divisor.magnitude() {
            0
        } else if dividend.sign() == divisor.sign() {
            1
        } else {
            -1
        };
        Some(Self { digits: quotient + away, exponent: -DIVISION_PRECISION })
    }

    /// The digits for a smaller exponent.
    fn scaled(&self, exponent: i64) -> BigInt {
        &self.digits * power_of_ten(self.exponent.abs_diff(exponent))
    }
}

fn power_of_ten(exponent: u64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exponent).unwrap_or(u32::MAX))
}
