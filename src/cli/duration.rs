//! Durations as Go's `time.ParseDuration` reads them: `1m0s`, `1.5h`, `-2ms`, `0`.

use std::time::Duration;

/// Units by name, in nanoseconds. Both letters that look like a Greek mu are taken.
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

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    /// It is not a sequence of numbers with units.
    #[error("expected a duration such as `1m30s`")]
    Syntax,
    /// A number has no unit.
    #[error("missing unit after `{0}`: expected `ns`, `us`, `ms`, `s`, `m` or `h`")]
    MissingUnit(String),
    /// There is no such unit.
    #[error("unknown unit `{0}`: expected `ns`, `us`, `ms`, `s`, `m` or `h`")]
    UnknownUnit(String),
    /// Go holds durations in 64 bits of nanoseconds, about 292 years.
    #[error("more than 292 years")]
    TooLong,
}

/// The duration; a negative one is `None`, as is nothing else.
pub(super) fn parse(text: &str) -> Result<Option<Duration>, Error> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(Some(Duration::ZERO));
    }
    if rest.is_empty() {
        return Err(Error::Syntax);
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (part, left) = leading(rest)?;
        total = total.checked_add(part).filter(|sum| i64::try_from(*sum).is_ok()).ok_or(Error::TooLong)?;
        rest = left;
    }
    Ok((!negative || total == 0).then(|| Duration::from_nanos(total)))
}

/// The first number with its unit in nanoseconds, and the text behind it.
fn leading(text: &str) -> Result<(u64, &str), Error> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(Error::Syntax);
    }
    let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if unit.is_empty() {
        let number = text.strip_suffix(rest).unwrap_or(text);
        return Err(Error::MissingUnit(number.to_owned()));
    }
    let nanoseconds =
        UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| Error::UnknownUnit(unit.to_owned()))?.1;
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_too_many_digits| Error::TooLong)? };
    let value = whole.checked_mul(nanoseconds).and_then(|value| value.checked_add(part_of(fraction, nanoseconds)));
    Ok((value.ok_or(Error::TooLong)?, rest))
}

/// `0.<fraction>` of so many nanoseconds, rounded down.
fn part_of(fraction: &str, nanoseconds: u64) -> u64 {
    // Eighteen digits of an hour are far below a nanosecond.
    let digits: Vec<u128> = fraction.chars().take(18).filter_map(|c| c.to_digit(10)).map(u128::from).collect();
    let (value, scale) = digits.iter().fold((0_u128, 1_u128), |(value, scale), digit| (value * 10 + digit, scale * 10));
    u64::try_from(value * u128::from(nanoseconds) / scale).unwrap_or(u64::MAX)
}

/// The digits at the start, and what is behind them.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let table = [
            ("0", 0),
            ("-0", 0),
            ("+5s", 5_000_000_000),
            ("1m0s", 60_000_000_000),
            ("1h15m30.918273645s", 4_530_918_273_645),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("100us", 100_000),
            ("12µs", 12_000),
            ("12μs", 12_000),
            ("0.3333333333333333333h", 1_200_000_000_000 - 1),
            ("9223372036854775807ns", 9_223_372_036_854_775_807),
            ("0s", 0),
        ];
        for (text, want) in table {
            assert_eq!(parse(text), Ok(Some(Duration::from_nanos(want))), "{text}");
        }
        assert_eq!(parse("-1.5m"), Ok(None));
    }

    #[test]
    fn what_is_no_duration_says_why() {
        let unit = |text: &str| Error::UnknownUnit(text.to_owned());
        let table = [
            ("", Error::Syntax),
            ("-", Error::Syntax),
            ("s", Error::Syntax),
            (".s", Error::Syntax),
            ("1m s", unit("m s")),
            ("3", Error::MissingUnit("3".to_owned())),
            ("1.5", Error::MissingUnit("1.5".to_owned())),
            ("1m30", Error::MissingUnit("30".to_owned())),
            ("1d", unit("d")),
            ("1 s", unit(" s")),
            ("9223372036854775808ns", Error::TooLong),
            ("99999999999999999999999h", Error::TooLong),
            ("2562048h", Error::TooLong),
        ];
        for (text, want) in table {
            assert_eq!(parse(text), Err(want), "{text}");
        }
    }
}
