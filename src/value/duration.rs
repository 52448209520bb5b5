//! The methods of `time.Duration`.

use crate::value::{Int, IntKind, Method, Signature, Type, Value};

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;

/// `Duration.Round`: to the nearest multiple, half away from zero; what cannot be held is the greatest that can.
pub(crate) fn round(nanos: i64, multiple: i64) -> i64 {
    if multiple <= 0 {
        return nanos;
    }
    let rest = nanos.unsigned_abs() % multiple.unsigned_abs();
    let down = rest.checked_mul(2).is_some_and(|double| double < multiple.unsigned_abs());
    let change = if down { rest } else { multiple.unsigned_abs() - rest };
    if down == (nanos >= 0) { nanos.saturating_sub_unsigned(change) } else { nanos.saturating_add_unsigned(change) }
}

/// `Duration.Truncate`: towards zero to a multiple.
pub(crate) fn truncate(nanos: i64, multiple: i64) -> i64 {
    if multiple <= 0 { nanos } else { nanos - nanos % multiple }
}

fn duration(nanos: i64) -> Value {
    Value::Int(Int::new(IntKind::Duration, nanos))
}

/// In units of so many nanoseconds, whole units and the rest converted by themselves, as Go does.
#[expect(clippy::cast_precision_loss, reason = "Go's float64(int64) rounds as well")]
fn in_units(nanos: i64, unit: i64) -> Value {
    Value::Float((nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64)
}

/// The method `name` of a duration.
pub(crate) fn method(nanos: i64, name: &[u8]) -> Option<Method> {
    let told = match name {
        b"Hours" => in_units(nanos, 3_600 * SECOND),
        b"Minutes" => in_units(nanos, 60 * SECOND),
        b"Seconds" => in_units(nanos, SECOND),
        b"Milliseconds" => Value::int64(nanos / 1_000_000),
        b"Microseconds" => Value::int64(nanos / 1_000),
        b"Nanoseconds" => Value::int64(nanos),
        b"String" => Value::String(duration(nanos).print()),
        b"Abs" => duration(nanos.saturating_abs()),
        b"Round" => return Some(adjusted(nanos, round)),
        b"Truncate" => return Some(adjusted(nanos, truncate)),
        _ => return None,
    };
    Some(Method { signature: Signature { params: Vec::new(), variadic: None }, call: Box::new(move |_| Ok(told)) })
}

/// A method that takes another duration.
fn adjusted(nanos: i64, adjust: fn(i64, i64) -> i64) -> Method {
    Method {
        signature: Signature { params: vec![Type::Named("time.Duration")], variadic: None },
        call: Box::new(move |args| {
            let multiple = args.first().and_then(|arg| if let Value::Int(int) = arg { Some(int.bits()) } else { None });
            Ok(duration(adjust(nanos, multiple.unwrap_or(0))))
        }),
    }
}
