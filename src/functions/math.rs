//! Sprig's `numeric.go`. Integer arithmetic is that of `int64`, which wraps.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use crate::functions::cast::{IntError, MAX_ELEMENTS, parse_int, to_float64, to_int64};
use crate::functions::decimal::Decimal;
use crate::template::function::Rest;
use crate::value::{Elem, List, Str, Value, meter};

const DIVISION_BY_ZERO: &str = "runtime error: integer divide by zero";

/// `int`
pub(crate) fn int(value: Value) -> i64 {
    to_int64(&value)
}

/// `int64`
pub(crate) fn int64(value: Value) -> Value {
    Value::int64(to_int64(&value))
}

/// `float64`
pub(crate) fn float64(value: Value) -> f64 {
    to_float64(&value)
}

/// `atoi`: 0 where there is no number, the nearest `int` where it is too large.
pub(crate) fn atoi(text: Str) -> i64 {
    match parse_int(&text, 10) {
        Ok(number) | Err(IntError::Range(number)) => number,
        Err(IntError::Syntax) => 0,
    }
}

/// `toDecimal`: an octal number's value.
pub(crate) fn to_decimal(value: Value) -> Value {
    Value::int64(parse_int(&value.print(), 8).unwrap_or(0))
}

/// `add`
pub(crate) fn add(Rest(values): Rest<Value>) -> Value {
    Value::int64(values.iter().map(to_int64).fold(0, i64::wrapping_add))
}

/// `add1`
pub(crate) fn add1(value: Value) -> Value {
    Value::int64(to_int64(&value).wrapping_add(1))
}

/// `sub`
pub(crate) fn sub(a: Value, b: Value) -> Value {
    Value::int64(to_int64(&a).wrapping_sub(to_int64(&b)))
}

/// `mul`
pub(crate) fn mul(first: Value, Rest(values): Rest<Value>) -> Value {
    Value::int64(values.iter().map(to_int64).fold(to_int64(&first), i64::wrapping_mul))
}

/// `div`
pub(crate) fn div(a: Value, b: Value) -> Result<Value, &'static str> {
    match to_int64(&b) {
        0 => Err(DIVISION_BY_ZERO),
        divisor => Ok(Value::int64(to_int64(&a).wrapping_div(divisor))),
    }
}

/// `mod`
pub(crate) fn modulo(a: Value, b: Value) -> Result<Value, &'static str> {
    match to_int64(&b) {
        0 => Err(DIVISION_BY_ZERO),
        divisor => Ok(Value::int64(to_int64(&a).wrapping_rem(divisor))),
    }
}

/// `max` and `biggest`
pub(crate) fn max(first: Value, Rest(values): Rest<Value>) -> Value {
    Value::int64(values.iter().map(to_int64).fold(to_int64(&first), i64::max))
}

/// `min`
pub(crate) fn min(first: Value, Rest(values): Rest<Value>) -> Value {
    Value::int64(values.iter().map(to_int64).fold(to_int64(&first), i64::min))
}

/// `maxf`: NaN if one is.
pub(crate) fn maxf(first: Value, Rest(values): Rest<Value>) -> f64 {
    values
        .iter()
        .map(to_float64)
        .fold(to_float64(&first), |a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) })
}

/// `minf`: NaN if one is.
pub(crate) fn minf(first: Value, Rest(values): Rest<Value>) -> f64 {
    values
        .iter()
        .map(to_float64)
        .fold(to_float64(&first), |a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) })
}

/// `ceil`
pub(crate) fn ceil(value: Value) -> f64 {
    to_float64(&value).ceil()
}

/// `floor`
pub(crate) fn floor(value: Value) -> f64 {
    to_float64(&value).floor()
}

/// `round`: to `places` after the point; up from a fraction of `round_on` (0.5), so that negative numbers go down.
pub(crate) fn round(value: Value, places: i64, Rest(round_on): Rest<f64>) -> f64 {
    let power = i32::try_from(places.unsigned_abs()).map_or(f64::INFINITY, |places| 10.0_f64.powi(places));
    let power = if places < 0 { power.recip() } else { power };
    let shifted = power * to_float64(&value);
    let up = shifted.fract() >= round_on.first().copied().unwrap_or(0.5);
    (if up { shifted.ceil() } else { shifted.floor() }) / power
}

/// `addf`
pub(crate) fn addf(Rest(values): Rest<Value>) -> Result<f64, String> {
    fold(&Value::Float(0.0), &values, |a, b| Ok(a.add(b)))
}

/// `add1f`
pub(crate) fn add1f(value: Value) -> Result<f64, String> {
    fold(&value, &[Value::int(1)], |a, b| Ok(a.add(b)))
}

/// `subf`
pub(crate) fn subf(first: Value, Rest(values): Rest<Value>) -> Result<f64, String> {
    fold(&first, &values, |a, b| Ok(a.sub(b)))
}

/// `mulf`
pub(crate) fn mulf(first: Value, Rest(values): Rest<Value>) -> Result<f64, String> {
    fold(&first, &values, |a, b| Ok(a.mul(b)))
}

/// `divf`
pub(crate) fn divf(first: Value, Rest(values): Rest<Value>) -> Result<f64, String> {
    fold(&first, &values, |a, b| a.div(b).ok_or("decimal division by 0"))
}

fn fold(
    first: &Value,
    values: &[Value],
    step: impl Fn(&Decimal, &Decimal) -> Result<Decimal, &'static str>,
) -> Result<f64, String> {
    let mut total = Decimal::from_float(to_float64(first))?;
    for value in values {
        total = step(&total, &Decimal::from_float(to_float64(value))?)?;
    }
    Ok(total.to_float())
}

/// `until`: from 0 up (or down) to before `count`.
pub(crate) fn until(count: i64) -> Result<Value, String> {
    until_step(0, count, if count < 0 { -1 } else { 1 })
}

/// `untilStep`: from `start` to before `stop`; empty where the step leads away. Refused above [`MAX_ELEMENTS`], and
/// where there is no memory for it.
pub(crate) fn until_step(start: i64, stop: i64, step: i64) -> Result<Value, String> {
    let items = steps(start, stop, step)?.into_iter().map(Value::int).collect();
    Ok(Value::List(List::new(Elem::Int, items)))
}

fn steps(start: i64, stop: i64, step: i64) -> Result<Vec<i64>, String> {
    let leads_there = if stop < start { step < 0 } else { step > 0 };
    if !leads_there {
        return Ok(Vec::new());
    }
    let distance = stop.abs_diff(start);
    let count = distance.div_ceil(step.unsigned_abs());
    let room = meter::claim(usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(size_of::<Value>()));
    match i64::try_from(count).ok().filter(|count| room && *count <= MAX_ELEMENTS) {
        Some(count) => Ok((0..count).map(|index| start.wrapping_add(step.wrapping_mul(index))).collect()),
        None => Err(format!("the list would have {count} elements, more than {MAX_ELEMENTS}")),
    }
}

/// `seq`: numbers as `seq` of the shell prints them, in one line.
pub(crate) fn seq(Rest(args): Rest<i64>) -> Result<String, String> {
    let towards = |start: i64, end: i64| if end < start { -1 } else { 1 };
    let (start, step, end) = match *args.as_slice() {
        [end] => (1, towards(1, end), end),
        [start, end] => (start, towards(start, end), end),
        [start, step, end] if end >= start || step <= 0 => (start, step, end),
        _ => return Ok(String::new()),
    };
    let numbers = steps(start, end.wrapping_add(towards(start, end)), step)?;
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    Ok(texts.join(" "))
}
