//! Sprig's `date.go` and Helm's duration functions. The local time zone is UTC; the time comes from the world.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

mod duration;
mod layout;
mod object;
mod parse;
mod time;

pub(crate) use duration::parse as parse_duration;
pub(crate) use layout::format as format_time;
pub(crate) use object::Named;
use object::duration_value;
pub(crate) use parse::parse as parse_time;
pub(crate) use time::Time;
use time::{NANOS, Zone};

use crate::functions::Host;
use crate::functions::cast::{IntError, int_to_float, parse_float, parse_int, truncate};
use crate::functions::unicode::quoted;
use crate::template::function::Engine;
use crate::value::{IntKind, Str, Value, format_float};

fn now_of(engine: &dyn Engine) -> Result<Time, String> {
    Ok(Time::of(Host::of(engine)?.world.now()))
}

/// `now`
pub(crate) fn now(engine: &mut dyn Engine) -> Result<Value, String> {
    Ok(now_of(engine)?.into())
}

/// The time that a value stands for: a time, or whole seconds since the Unix epoch.
fn time_of(value: &Value) -> Option<Time> {
    match value {
        Value::Int(int) if matches!(int.kind(), IntKind::Int | IntKind::Int64 | IntKind::Int32) => {
            Some(Time::unix(int.bits()))
        }
        other => other.downcast().cloned(),
    }
}

fn show(engine: &dyn Engine, layout: &str, value: &Value, zone: &str) -> Result<String, String> {
    let time = time_of(value).map_or_else(|| now_of(engine), Ok)?;
    Ok(layout::format(&time.within(Zone::load(zone)), layout))
}

/// `date`: what is no time is now.
pub(crate) fn date(engine: &mut dyn Engine, layout: Str, value: Value) -> Result<String, String> {
    show(engine, &layout.to_text(), &value, "UTC")
}

/// `dateInZone` and `date_in_zone`: an unknown zone is UTC.
pub(crate) fn date_in_zone(engine: &mut dyn Engine, layout: Str, value: Value, zone: Str) -> Result<String, String> {
    show(engine, &layout.to_text(), &value, &zone.to_text())
}

/// `htmlDate`
pub(crate) fn html_date(engine: &mut dyn Engine, value: Value) -> Result<String, String> {
    show(engine, "2006-01-02", &value, "UTC")
}

/// `htmlDateInZone`
pub(crate) fn html_date_in_zone(engine: &mut dyn Engine, value: Value, zone: Str) -> Result<String, String> {
    show(engine, "2006-01-02", &value, &zone.to_text())
}

/// `dateModify` and `date_modify`: a bad duration changes nothing.
pub(crate) fn date_modify(change: Str, time: Time) -> Value {
    duration::parse(&change.to_text()).map_or_else(|_bad| time.clone(), |nanos| time.plus(nanos)).into()
}

/// `mustDateModify` and `must_date_modify`
pub(crate) fn must_date_modify(change: Str, time: Time) -> Result<Value, String> {
    Ok(time.plus(duration::parse(&change.to_text())?).into())
}

/// `ago`: how long it is since a time, in whole seconds.
pub(crate) fn ago(engine: &mut dyn Engine, value: Value) -> Result<Str, String> {
    let now = now_of(engine)?;
    let elapsed = match value {
        // Sprig's `ago` does not know `int32`.
        Value::Int(int) if int.kind() == IntKind::Int32 => 0,
        value => time_of(&value).map_or(0, |time| now.since(&time)),
    };
    Ok(duration_value(duration::round(elapsed, NANOS)).print())
}

/// `toDate`: Go's zero time for what cannot be read.
pub(crate) fn to_date(layout: Str, text: Str) -> Value {
    parse::parse(&layout.to_text(), &text.to_text()).unwrap_or_else(|_bad| Time::zero()).into()
}

/// `mustToDate`
pub(crate) fn must_to_date(layout: Str, text: Str) -> Result<Value, String> {
    Ok(parse::parse(&layout.to_text(), &text.to_text())?.into())
}

/// `unixEpoch`
pub(crate) fn unix_epoch(time: Time) -> String {
    time.seconds.to_string()
}

/// `duration`: seconds, as a text or an `int64`, the way Go prints durations.
pub(crate) fn duration(seconds: Value) -> Str {
    let seconds = match seconds {
        Value::String(text) => match parse_int(&text, 10) {
            Ok(number) | Err(IntError::Range(number)) => number,
            Err(IntError::Syntax) => 0,
        },
        Value::Int(int) if int.kind() == IntKind::Int64 => int.bits(),
        _ => 0,
    };
    duration_value(seconds.wrapping_mul(NANOS)).print()
}

/// `durationRound`: only the largest unit, with months of 30 days.
pub(crate) fn duration_round(engine: &mut dyn Engine, value: Value) -> Result<String, String> {
    const HOUR: u64 = 3_600_000_000_000;
    const UNITS: [(u64, &str); 6] = [
        (HOUR * 24 * 365, "y"),
        (HOUR * 24 * 30, "mo"),
        (HOUR * 24, "d"),
        (HOUR, "h"),
        (HOUR / 60, "m"),
        (HOUR / 3_600, "s"),
    ];
    let nanos = match value {
        Value::String(text) => duration::parse(&text.to_text()).unwrap_or(0),
        Value::Int(int) if int.kind() == IntKind::Int64 => int.bits(),
        value => match value.downcast::<Time>() {
            Some(time) => now_of(engine)?.since(time),
            None => 0,
        },
    };
    let nanos = nanos.unsigned_abs();
    let unit = UNITS.iter().find(|(unit, _)| nanos > *unit);
    Ok(unit.map_or_else(|| "0s".to_owned(), |(unit, name)| format!("{}{name}", nanos / unit)))
}

/// Helm's reading of a duration: Go's own, or a number of seconds.
fn as_duration(value: &Value) -> Result<i64, String> {
    match value {
        Value::Int(int) if int.kind() == IntKind::Duration => Ok(int.bits()),
        Value::Int(int) => i64::try_from(int.get())
            .ok()
            .and_then(|seconds| seconds.checked_mul(NANOS))
            .ok_or_else(|| format!("duration seconds overflow: {}", int.get())),
        Value::Float(seconds) => from_seconds(*seconds),
        Value::String(text) => {
            let text_of = text.to_text();
            let trimmed = text_of.trim();
            if trimmed.is_empty() {
                return Err("empty duration".to_owned());
            }
            duration::parse(trimmed).or_else(|_bad| match parse_float(trimmed.as_bytes()) {
                Some(seconds) => from_seconds(seconds),
                None => Err(format!("could not parse duration {}", quoted(text))),
            })
        }
        Value::Nil => Err("invalid duration".to_owned()),
        Value::Object(object) => match object.as_any().downcast_ref::<Named>() {
            Some(named) => Ok(named.number.wrapping_mul(NANOS)),
            None => Err(format!("unsupported duration type {}", object.type_name())),
        },
        other => Err(format!("unsupported duration type {}", other.type_name())),
    }
}

fn from_seconds(seconds: f64) -> Result<i64, String> {
    const LIMIT: f64 = 9_223_372_036.854_775;
    if !seconds.is_finite() {
        return Err(format!("invalid duration seconds: {}", format_float(seconds)));
    }
    if seconds.abs() > LIMIT {
        return Err(format!("duration seconds overflow: {}", format_float(seconds)));
    }
    Ok(truncate(seconds * 1e9))
}

/// `mustToDuration`
pub(crate) fn must_to_duration(value: Value) -> Result<Value, String> {
    as_duration(&value).map(duration_value)
}

/// So many whole units; 0 for what is no duration.
fn whole(value: &Value, unit: i64) -> Value {
    Value::int64(as_duration(value).unwrap_or(0) / unit)
}

/// `durationNanoseconds`
pub(crate) fn nanoseconds(value: Value) -> Value {
    whole(&value, 1)
}

/// `durationMicroseconds`
pub(crate) fn microseconds(value: Value) -> Value {
    whole(&value, 1_000)
}

/// `durationMilliseconds`
pub(crate) fn milliseconds(value: Value) -> Value {
    whole(&value, 1_000_000)
}

/// So many units with fraction, computed as Go does: whole units and the rest apart.
fn units(value: &Value, unit: i64) -> f64 {
    let nanos = as_duration(value).unwrap_or(0);
    let float = |n: i64| int_to_float(crate::value::Int::new(IntKind::Int64, n));
    float(nanos / unit) + float(nanos % unit) / float(unit)
}

/// `durationSeconds`
pub(crate) fn seconds(value: Value) -> f64 {
    units(&value, NANOS)
}

/// `durationMinutes`
pub(crate) fn minutes(value: Value) -> f64 {
    units(&value, 60 * NANOS)
}

/// `durationHours`
pub(crate) fn hours(value: Value) -> f64 {
    units(&value, 3_600 * NANOS)
}

/// `durationDays`
pub(crate) fn days(value: Value) -> f64 {
    hours(value) / 24.0
}

/// `durationWeeks`
pub(crate) fn weeks(value: Value) -> f64 {
    hours(value) / 24.0 / 7.0
}

/// `durationRoundTo`: to the nearest multiple; a bad multiple changes nothing.
pub(crate) fn round_to(value: Value, multiple: Value) -> Value {
    let nanos = as_duration(&value).unwrap_or(0);
    duration_value(as_duration(&multiple).map_or(nanos, |multiple| duration::round(nanos, multiple)))
}

/// `durationTruncateTo`: towards zero to a multiple; a bad multiple changes nothing.
pub(crate) fn truncate_to(value: Value, multiple: Value) -> Value {
    let nanos = as_duration(&value).unwrap_or(0);
    duration_value(as_duration(&multiple).map_or(nanos, |multiple| duration::truncate(nanos, multiple)))
}
