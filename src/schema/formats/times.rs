//! Dates, times and durations, as RFC 3339 has them.

use crate::schema::formats::{Checked, date, fault, leading_digits, quoted};

pub(super) fn duration(text: &str) -> Checked {
    let Some(text) = text.strip_prefix('P') else { return fault("must start with P") };
    if text.is_empty() {
        return fault("nothing after P");
    }
    if let Some(weeks) = text.strip_suffix('W') {
        return match weeks {
            "" => fault("no number in week"),
            weeks if weeks.bytes().all(|byte| byte.is_ascii_digit()) => Ok(()),
            _ => fault("invalid week"),
        };
    }
    for (index, part) in text.split('T').enumerate() {
        if index != 0 && part.is_empty() {
            return fault("no time elements");
        }
        let Some(units) = ["YMD", "HMS"].get(index) else { return fault("more than one T") };
        elements(part, units)?;
    }
    Ok(())
}

/// Numbers with units, which come in this order.
fn elements(text: &str, all_units: &str) -> Checked {
    let (mut rest, mut units) = (text, all_units);
    while !rest.is_empty() {
        let digits = leading_digits(rest);
        if digits == 0 {
            return fault("missing number");
        }
        rest = rest.get(digits..).unwrap_or_default();
        let Some(byte) = rest.bytes().next() else { return fault("missing unit") };
        // Go looks at bytes.
        let unit = char::from(byte);
        let Some((_, later)) = units.split_once(unit) else {
            let what = if all_units.contains(unit) { "out of order" } else { "" };
            let (before, after) = if what.is_empty() { ("invalid unit ", "") } else { ("unit ", " out of order") };
            return Err(format!("{before}{}{after}", quoted(unit)));
        };
        units = later;
        rest = rest.get(1..).unwrap_or_default();
    }
    Ok(())
}

pub(super) fn period(text: &str) -> Checked {
    let Some((start, end)) = text.split_once('/') else { return fault("missing slash") };
    if start.starts_with('P') {
        duration(start).map_err(|why| format!("invalid start duration: {why}"))?;
        return date_time(end).map_err(|why| format!("invalid end date-time: {why}"));
    }
    date_time(start).map_err(|why| format!("invalid start date-time: {why}"))?;
    if end.starts_with('P') {
        duration(end).map_err(|why| format!("invalid end duration: {why}"))
    } else {
        date_time(end).map_err(|why| format!("invalid end date-time: {why}"))
    }
}

pub(super) fn date_time(text: &str) -> Checked {
    if text.len() < 20 {
        return fault("less than 20 characters long");
    }
    if !matches!(text.as_bytes().get(10), Some(b't' | b'T')) {
        return fault("11th character must be t or T");
    }
    let (day, clock) = text.split_at_checked(10).unwrap_or((text, ""));
    date(day).map_err(|why| format!("invalid date element: {why}"))?;
    time(clock.get(1..).unwrap_or_default()).map_err(|why| format!("invalid time element: {why}"))
}

pub(super) fn time(text: &str) -> Checked {
    if text.len() < 9 {
        return fault("less than 9 characters long");
    }
    if text.as_bytes().get(2) != Some(&b':') || text.as_bytes().get(5) != Some(&b':') {
        return fault("missing colon in correct place");
    }
    let (clock, mut rest) = text.split_at_checked(8).ok_or("invalid hour/min/sec")?;
    let [hour, minute, second] =
        numbers(clock, "hour/min/sec")?.try_into().map_err(|_fewer: Vec<i64>| "missing hour/min/sec")?;
    if hour > 23 || minute > 59 || second > 60 {
        return fault("hour/min/sec out of range");
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = leading_digits(fraction);
        if digits == 0 {
            return fault("no digits in second fraction");
        }
        rest = fraction.get(digits..).unwrap_or_default();
    }
    let offset = if rest == "z" || rest == "Z" { 0 } else { offset(rest)? };
    // Leap seconds come at midnight in UTC.
    let minutes = hour * 60 + minute + offset;
    let minutes = if minutes < 0 { minutes + 24 * 60 } else { minutes };
    if second >= 60 && minutes != 23 * 60 + 59 {
        return fault("invalid leap second");
    }
    Ok(())
}

/// The minutes that must be added to be in UTC.
fn offset(text: &str) -> Result<i64, String> {
    if text.len() != 6 {
        return fault("offset must be 6 characters long");
    }
    let sign = match text.bytes().next() {
        Some(b'+') => -1,
        Some(b'-') => 1,
        _ => return fault("offset must begin with plus/minus"),
    };
    let text = text.get(1..).unwrap_or_default();
    if text.as_bytes().get(2) != Some(&b':') {
        return fault("missing colon in offset in correct place");
    }
    match numbers(text, "hour/min in offset")?.as_slice() {
        [hours, minutes, ..] if *hours <= 23 && *minutes <= 59 => Ok(sign * (hours * 60 + minutes)),
        _ => fault("hour/min in offset out of range"),
    }
}

fn numbers(text: &str, what: &str) -> Result<Vec<i64>, String> {
    let number = |text: &str| match text.parse::<i64>() {
        Err(_) => Err(format!("invalid {what}")),
        Ok(number) if number < 0 => Err(format!("non-positive {what}")),
        Ok(number) => Ok(number),
    };
    text.split(':').map(number).collect()
}
