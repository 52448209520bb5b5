//! Durations as Go writes them: `1m0s`, `1.5h`, `100ms`.
//!
//! Mirrors Go 1.26, `time.ParseDuration`. A period of ours is never negative, so a sign is read and refused.

use std::time::Duration;

/// Why a text is no duration, in Go's words.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit { unit: String, text: String },
    #[error("a duration must not be negative: {0:?}")]
    Negative(String),
}

/// Reads a duration.
///
/// # Errors
/// [`Error`]
pub fn parse(text: &str) -> Result<Duration, Error> {
    let invalid = || Error::Invalid(text.to_owned());
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return Ok(Duration::ZERO);
    }
    if unsigned.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    let mut rest = unsigned;
    while !rest.is_empty() {
        let (nanos, tail) = part(rest, text)?;
        total = total.checked_add(nanos).filter(|total| *total <= i64::MAX.cast_unsigned()).ok_or_else(invalid)?;
        rest = tail;
    }
    if total > 0 && text.starts_with('-') {
        return Err(Error::Negative(text.to_owned()));
    }
    Ok(Duration::from_nanos(total))
}

/// The first number with its unit, in nanoseconds, and what follows.
fn part<'a>(rest: &'a str, text: &str) -> Result<(u64, &'a str), Error> {
    let invalid = || Error::Invalid(text.to_owned());
    let (whole, rest) = digits(rest);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return Err(invalid());
    }
    let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let nanos = match unit {
        "" => return Err(Error::MissingUnit(text.to_owned())),
        "ns" => 1,
        // The micro sign, and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        unit => return Err(Error::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() }),
    };
    let whole = if whole.is_empty() { Some(0) } else { whole.parse::<u64>().ok() };
    let total = whole.and_then(|whole| whole.checked_mul(nanos)?.checked_add(share(fraction, nanos)));
    Ok((total.ok_or_else(invalid)?, rest))
}

/// `0.<fraction>` of `nanos`, rounded down.
fn share(fraction: &str, nanos: u64) -> u64 {
    let mut unit = u128::from(nanos) * 1_000_000_000_000_000_000;
    let mut total: u128 = 0;
    // No unit has a part below the eighteenth digit.
    for digit in fraction.bytes().take(18) {
        unit /= 10;
        total += unit * u128::from(digit - b'0');
    }
    u64::try_from(total / 1_000_000_000_000_000_000).unwrap_or(u64::MAX)
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("-0s", 0),
            ("30s", 30_000_000_000),
            ("+5s", 5_000_000_000),
            ("1m0s", 60_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("1h15m30.918273645s", 4_530_918_273_645),
            ("10ns11us12ms", 12_011_010),
            ("12\u{b5}s34\u{3bc}s", 46_000),
            ("0.3333333333333333333h", 1_200_000_000_000 - 1),
            ("9223372036854775807ns", 9_223_372_036_854_775_807),
        ] {
            assert_eq!(parse(text).unwrap().as_nanos(), nanos, "{text}");
        }
        for (text, error) in [
            ("", r#"time: invalid duration """#),
            ("-", r#"time: invalid duration "-""#),
            ("3", r#"time: missing unit in duration "3""#),
            ("s", r#"time: invalid duration "s""#),
            (".s", r#"time: invalid duration ".s""#),
            ("1d", r#"time: unknown unit "d" in duration "1d""#),
            ("1 m", r#"time: unknown unit " m" in duration "1 m""#),
            ("9223372036854775808ns", r#"time: invalid duration "9223372036854775808ns""#),
            ("3000000h", r#"time: invalid duration "3000000h""#),
            ("-1s", r#"a duration must not be negative: "-1s""#),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), error, "{text}");
        }
    }
}
