//! `eq`, `lt` and `le`; the others are their negations.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::template::number::Complex;
use crate::template::operand::Operand;
use crate::template::printf::sprintf;
use crate::value::{Kind, Str, Value};

const NO_ORDER: &str = "invalid type for comparison";

/// Values that can be compared with `==`.
enum Basic<'a> {
    Bool(bool),
    Complex(Complex),
    Int(i64),
    Uint(u64),
    Float(f64),
    String(&'a Str),
}

impl<'a> Basic<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Bool(b) => Self::Bool(*b),
            Value::Int(int) if int.kind().is_unsigned() => Self::Uint(int.bits().cast_unsigned()),
            Value::Int(int) => Self::Int(int.bits()),
            Value::Float(float) => Self::Float(*float),
            Value::String(text) => Self::String(text),
            Value::Object(named) if named.kind() == Kind::Int => Self::Int(named.to_json().as_i64()?),
            Value::Object(_) => Self::Complex(*value.downcast::<Complex>()?),
            Value::Nil | Value::Bytes(_) | Value::List(_) | Value::Map(_) => return None,
        })
    }

    /// Whether both are equal; nothing if they are of different kinds. Integers compare whatever their signs.
    fn equals(&self, other: &Self) -> Option<bool> {
        Some(match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Complex(a), Self::Complex(b)) => a == b,
            #[expect(clippy::float_cmp, reason = "Go compares floats by ==")]
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            _ => self.int()? == other.int()?,
        })
    }

    fn int(&self) -> Option<i128> {
        match self {
            Self::Int(n) => Some(i128::from(*n)),
            Self::Uint(n) => Some(i128::from(*n)),
            _ => None,
        }
    }
}

/// Whether `first` equals any of `others`.
pub(crate) fn eq(first: &Operand, others: &[Operand]) -> Result<bool, String> {
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in others {
        if equal(&first.value, &other.value)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    match (Basic::of(a), Basic::of(b)) {
        (Some(basic_a), Some(basic_b)) => basic_a.equals(&basic_b).ok_or_else(|| incompatible(a, b)),
        (None, None) => equal_references(a, b),
        _ if matches!(a, Value::Nil) || matches!(b, Value::Nil) => Ok(false),
        _ => Err(incompatible(a, b)),
    }
}

fn incompatible(a: &Value, b: &Value) -> String {
    format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name())
}

fn equal_references(a: &Value, b: &Value) -> Result<bool, String> {
    let (kind_a, kind_b) = (a.kind(), b.kind());
    if kind_a != kind_b && kind_a != Kind::Invalid && kind_b != Kind::Invalid {
        let args = [a.clone(), Value::from(a.type_name()), Value::from(b.type_name()), b.clone()];
        return Err(sprintf(b"non-comparable types %s: %v, %s: %v", &args).to_text().into_owned());
    }
    match (a, b) {
        _ if a.is_nil() || b.is_nil() => Ok(a.is_nil() && b.is_nil()),
        (Value::Object(x), Value::Object(y)) if matches!(kind_b, Kind::Struct | Kind::Ptr) => {
            let same = if kind_b == Kind::Ptr { Rc::ptr_eq(x, y) } else { x.deep_equal(y.as_ref()) };
            Ok(x.type_name() == y.type_name() && same)
        }
        _ => {
            let args = [b.clone(), Value::from(b.type_name())];
            Err(sprintf(b"non-comparable type %s: %v", &args).to_text().into_owned())
        }
    }
}

/// `a < b` of the first of `others`.
pub(crate) fn lt(first: &Operand, others: &[Operand]) -> Result<bool, String> {
    let second = others.first().cloned().unwrap_or_default();
    order(&first.value, &second.value).map(|order| order == Some(Ordering::Less))
}

/// `a <= b` of the first of `others`.
pub(crate) fn le(first: &Operand, others: &[Operand]) -> Result<bool, String> {
    let second = others.first().cloned().unwrap_or_default();
    order(&first.value, &second.value).map(|order| matches!(order, Some(Ordering::Less | Ordering::Equal)))
}

/// How they are ordered; nothing if one is not a number.
fn order(a: &Value, b: &Value) -> Result<Option<Ordering>, String> {
    let (Some(basic_a), Some(basic_b)) = (Basic::of(a), Basic::of(b)) else { return Err(NO_ORDER.to_owned()) };
    match (&basic_a, &basic_b) {
        (Basic::Bool(_), Basic::Bool(_)) | (Basic::Complex(_), Basic::Complex(_)) => Err(NO_ORDER.to_owned()),
        (Basic::Float(a), Basic::Float(b)) => Ok(a.partial_cmp(b)),
        (Basic::String(a), Basic::String(b)) => Ok(Some(a.cmp(b))),
        _ => match (basic_a.int(), basic_b.int()) {
            (Some(a), Some(b)) => Ok(Some(a.cmp(&b))),
            _ => Err(incompatible(a, b)),
        },
    }
}
