//! Go's `time.Duration`: nanoseconds in an `int64`.

use crate::functions::dates::parse::quote;
pub(crate) use crate::value::duration::{round, truncate};

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The magnitude of the smallest duration.
const LIMIT: u64 = 1 << 63;

/// `time.ParseDuration`.
///
/// # Errors
/// Go's text.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, fraction, after) = mantissa(rest).ok_or_else(invalid)?;
        let end = after.find(|next: char| next == '.' || next.is_ascii_digit()).unwrap_or(after.len());
        let (name, after) = after.split_at_checked(end).unwrap_or((after, ""));
        if name.is_empty() {
            return Err(format!("time: missing unit in duration {}", quote(text)));
        }
        let unit = UNITS.iter().find(|(unit, _)| *unit == name).map(|(_, nanos)| *nanos);
        let unit = unit.ok_or_else(|| format!("time: unknown unit {} in duration {}", quote(name), quote(text)))?;
        total = part(whole, fraction, unit).and_then(|part| total.checked_add(part)).ok_or_else(invalid)?;
        if total > LIMIT {
            return Err(invalid());
        }
        rest = after;
    }
    if negative {
        return Ok(0_i64.wrapping_sub_unsigned(total));
    }
    i64::try_from(total).map_err(|_too_long| invalid())
}

/// Digits before and after a point, and what follows; the fraction as digits and their scale.
fn mantissa(text: &str) -> Option<(u64, (u64, f64), &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = text.split_at_checked(digits(text))?;
    let (fraction, after) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at_checked(digits(rest))?,
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let number = if whole.is_empty() { 0 } else { whole.parse().ok().filter(|number| *number <= LIMIT)? };
    let mut part = (0_u64, 1.0_f64);
    for digit in fraction.bytes() {
        // Digits beyond the range do not count.
        let Some(next) = part.0.checked_mul(10).and_then(|part| part.checked_add(u64::from(digit - b'0'))) else {
            break;
        };
        if part.0 > (LIMIT - 1) / 10 || next > LIMIT {
            break;
        }
        part = (next, part.1 * 10.0);
    }
    Some((number, part, after))
}

fn part(whole: u64, (fraction, scale): (u64, f64), unit: u64) -> Option<u64> {
    if whole > LIMIT / unit {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "Go computes the fraction in floats as well")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below one unit, and not negative")]
    let fraction = (fraction as f64 * (unit as f64 / scale)) as u64;
    (whole * unit).checked_add(fraction).filter(|part| *part <= LIMIT)
}
