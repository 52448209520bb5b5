//! Go's `time.Parse`.

use crate::functions::dates::layout::{Cut, DAYS, MONTHS, Offset, Pad, Parts, Piece, cut, put};
use crate::functions::dates::time::{Civil, Time, Zone, days_in};

/// Why a text is no time in a layout.
enum Refused {
    /// It does not fit the piece.
    Mismatch,
    /// The named part is out of its range.
    Range(&'static str),
}

/// What has been read so far.
#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: u32,
    /// `Some(true)` for PM.
    afternoon: Option<bool>,
    utc: bool,
    offset: Option<i64>,
    zone: String,
}

/// Reads `text` in `layout`; without a zone it is in UTC.
///
/// # Errors
/// Go's text.
pub(crate) fn parse(layout: &str, text: &str) -> Result<Time, String> {
    let whole = Whole { layout, text };
    let mut fields = Fields::default();
    let mut rest = text;
    let mut layout = layout;
    loop {
        let Cut { before, piece, text: piece_text, after } = cut(layout);
        rest = skip(rest, before).map_err(|at| whole.mismatch(at, before))?;
        let Some(piece) = piece else { break };
        layout = after;
        match fields.read(piece, rest, layout) {
            Ok(after) => rest = after,
            Err(Refused::Mismatch) => return Err(whole.mismatch(rest, piece_text)),
            Err(Refused::Range(part)) => return Err(whole.says(&format!(": {part} out of range"))),
        }
    }
    if !rest.is_empty() {
        return Err(whole.says(&format!(": extra text: {}", quote(rest))));
    }
    fields.date().map_err(|message| whole.says(message))?;
    Ok(fields.time())
}

/// For errors.
struct Whole<'t> {
    layout: &'t str,
    text: &'t str,
}

impl Whole<'_> {
    fn mismatch(&self, at: &str, piece: &str) -> String {
        let (text, layout) = (quote(self.text), quote(self.layout));
        format!("parsing time {text} as {layout}: cannot parse {} as {}", quote(at), quote(piece))
    }

    fn says(&self, message: &str) -> String {
        format!("parsing time {}{message}", quote(self.text))
    }
}

/// The quotes of package `time`: what is not printable ASCII becomes `\x` escapes.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for rune in text.chars() {
        match rune {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='\u{7f}' => out.push(rune),
            _ => rune.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| put(&mut out, format_args!("\\x{byte:02x}"))),
        }
    }
    out.push('"');
    out
}

/// Skips what stands before a piece; any number of spaces fits any other. The error is where it stopped.
fn skip<'t>(text: &'t str, prefix: &str) -> Result<&'t str, &'t str> {
    let (mut text, mut prefix) = (text, prefix);
    while let Some(want) = prefix.chars().next() {
        if want == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return Err(text);
            }
            (text, prefix) = (text.trim_start_matches(' '), prefix.trim_start_matches(' '));
            continue;
        }
        text = text.strip_prefix(want).ok_or(text)?;
        prefix = prefix.strip_prefix(want).unwrap_or_default();
    }
    Ok(text)
}

/// One or two digits; with zero padding just two.
fn two_digits(text: &str, pad: Pad) -> Result<(i64, &str), Refused> {
    let count = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    if count == 0 || count == 1 && pad == Pad::Zero {
        return Err(Refused::Mismatch);
    }
    number(text, count)
}

/// The number in the first `count` bytes.
fn number(text: &str, count: usize) -> Result<(i64, &str), Refused> {
    let (digits, rest) = text.split_at_checked(count).ok_or(Refused::Mismatch)?;
    digits.parse().map(|number| (number, rest)).map_err(|_no_number| Refused::Mismatch)
}

fn in_range(number: i64, range: std::ops::RangeInclusive<i64>, part: &'static str) -> Result<i64, Refused> {
    if range.contains(&number) { Ok(number) } else { Err(Refused::Range(part)) }
}

/// The index of the name that `text` begins with, whatever its capitals.
fn name<'t>(names: &[&str], short: bool, text: &'t str) -> Result<(i64, &'t str), Refused> {
    for (index, name) in (0..).zip(names) {
        let name = if short { name.get(..3).unwrap_or(name) } else { name };
        let Some((start, rest)) = text.split_at_checked(name.len()) else { continue };
        if start.eq_ignore_ascii_case(name) {
            return Ok((index, rest));
        }
    }
    Err(Refused::Mismatch)
}

/// Nanoseconds of a sign and `digits` digits; digits beyond the ninth do not count.
fn nanos(text: &str, digits: usize) -> Result<(u32, &str), Refused> {
    let (read, rest) = text.split_at_checked(digits + 1).ok_or(Refused::Mismatch)?;
    let fraction = read.strip_prefix(['.', ',']).ok_or(Refused::Mismatch)?;
    let fraction = fraction.get(..9.min(fraction.len())).unwrap_or(fraction);
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refused::Mismatch);
    }
    format!("{fraction:0<9}").parse().map(|nanos| (nanos, rest)).map_err(|_no_number| Refused::Mismatch)
}

/// How many digits follow the sign that `text` begins with.
fn fraction_length(text: &str) -> usize {
    match text.as_bytes() {
        [b'.' | b',', digits @ ..] => digits.iter().take_while(|digit| digit.is_ascii_digit()).count(),
        _ => 0,
    }
}

impl Fields {
    /// Reads one piece; `layout` is what follows it.
    fn read<'t>(&mut self, piece: Piece, text: &'t str, layout: &str) -> Result<&'t str, Refused> {
        let rest;
        match piece {
            Piece::Year => {
                let (year, after) = number(text, 2)?;
                rest = after;
                self.year = year + if year >= 69 { 1_900 } else { 2_000 };
            }
            Piece::LongYear => {
                if !text.starts_with(|first: char| first.is_ascii_digit()) {
                    return Err(Refused::Mismatch);
                }
                (self.year, rest) = number(text, 4)?;
            }
            Piece::Month | Piece::LongMonth => {
                let (index, after) = name(&MONTHS, piece == Piece::Month, text)?;
                (self.month, rest) = (Some(index + 1), after);
            }
            Piece::NumMonth(pad) => {
                let (month, after) = two_digits(text, pad)?;
                (self.month, rest) = (Some(in_range(month, 1..=12, "month")?), after);
            }
            Piece::Weekday | Piece::LongWeekday => (_, rest) = name(&DAYS, piece == Piece::Weekday, text)?,
            Piece::Day(pad) => {
                let text = if pad == Pad::Space { text.strip_prefix(' ').unwrap_or(text) } else { text };
                let (day, after) = two_digits(text, pad)?;
                (self.day, rest) = (Some(day), after);
            }
            Piece::YearDay(pad) => rest = self.year_day(pad, text)?,
            Piece::UpperPm | Piece::LowerPm => rest = self.half_day(piece, text)?,
            Piece::Zone => rest = self.zone(text)?,
            Piece::Offset(form) => rest = self.offset(form, text)?,
            Piece::Fraction(_, digits) => (self.nanos, rest) = nanos(text, digits)?,
            Piece::ShortFraction(..) => match fraction_length(text) {
                0 => rest = text,
                digits => (self.nanos, rest) = nanos(text, digits)?,
            },
            clock => rest = self.clock(clock, text, layout)?,
        }
        Ok(rest)
    }

    fn clock<'t>(&mut self, piece: Piece, text: &'t str, layout: &str) -> Result<&'t str, Refused> {
        let pad = match piece {
            Piece::Hour12(pad) | Piece::Minute(pad) | Piece::Second(pad) => pad,
            _ => Pad::None,
        };
        let (number, rest) = two_digits(text, pad)?;
        match piece {
            Piece::Hour => self.hour = in_range(number, 0..=23, "hour")?,
            Piece::Hour12(_) => self.hour = in_range(number, 0..=12, "hour")?,
            Piece::Minute(_) => self.minute = in_range(number, 0..=59, "minute")?,
            _ => {
                self.second = in_range(number, 0..=59, "second")?;
                // A fraction of the second is read even if the layout has none.
                let expected = matches!(cut(layout).piece, Some(Piece::Fraction(..) | Piece::ShortFraction(..)));
                let digits = fraction_length(rest);
                if digits > 0 && !expected {
                    let (nanos, rest) = nanos(rest, digits)?;
                    self.nanos = nanos;
                    return Ok(rest);
                }
            }
        }
        Ok(rest)
    }

    fn year_day<'t>(&mut self, pad: Pad, text: &'t str) -> Result<&'t str, Refused> {
        let mut text = text;
        if pad == Pad::Space {
            for _ in 0..2 {
                text = text.strip_prefix(' ').unwrap_or(text);
            }
        }
        let count = text.bytes().take(3).take_while(u8::is_ascii_digit).count();
        if count == 0 || pad == Pad::Zero && count != 3 {
            return Err(Refused::Mismatch);
        }
        let (day, rest) = number(text, count)?;
        self.year_day = Some(day);
        Ok(rest)
    }

    fn half_day<'t>(&mut self, piece: Piece, text: &'t str) -> Result<&'t str, Refused> {
        let (half, rest) = text.split_at_checked(2).ok_or(Refused::Mismatch)?;
        self.afternoon = match (piece, half) {
            (Piece::UpperPm, "PM") | (Piece::LowerPm, "pm") => Some(true),
            (Piece::UpperPm, "AM") | (Piece::LowerPm, "am") => Some(false),
            _ => return Err(Refused::Mismatch),
        };
        Ok(rest)
    }

    fn offset<'t>(&mut self, form: Offset, text: &'t str) -> Result<&'t str, Refused> {
        if let Some(rest) = text.strip_prefix('Z').filter(|_| form.z) {
            self.utc = true;
            return Ok(rest);
        }
        let colon = |text: &'t str| if form.colon { text.strip_prefix(':').ok_or(Refused::Mismatch) } else { Ok(text) };
        let negative = text.starts_with('-');
        let text = text.strip_prefix(['+', '-']).ok_or(Refused::Mismatch)?;
        let (hours, mut rest) = two_digits(text, Pad::Zero)?;
        let (mut minutes, mut seconds) = (0, 0);
        if form.parts != Parts::Hours {
            (minutes, rest) = two_digits(colon(rest)?, Pad::Zero)?;
        }
        if form.parts == Parts::Seconds {
            (seconds, rest) = two_digits(colon(rest)?, Pad::Zero)?;
        }
        in_range(hours, 0..=24, "time zone offset hour")?;
        in_range(minutes, 0..=60, "time zone offset minute")?;
        in_range(seconds, 0..=60, "time zone offset second")?;
        let offset = (hours * 60 + minutes) * 60 + seconds;
        self.offset = Some(if negative { -offset } else { offset });
        Ok(rest)
    }

    fn zone<'t>(&mut self, text: &'t str) -> Result<&'t str, Refused> {
        if let Some(rest) = text.strip_prefix("UTC") {
            self.utc = true;
            return Ok(rest);
        }
        let length = zone_length(text).ok_or(Refused::Mismatch)?;
        let (zone, rest) = text.split_at_checked(length).ok_or(Refused::Mismatch)?;
        zone.clone_into(&mut self.zone);
        Ok(rest)
    }

    /// Settles hour, month and day.
    fn date(&mut self) -> Result<(), &'static str> {
        match self.afternoon {
            Some(true) if self.hour < 12 => self.hour += 12,
            Some(false) if self.hour == 12 => self.hour = 0,
            _ => {}
        }
        if let Some(year_day) = self.year_day {
            let longest = if days_in(self.year, 2) == 29 { 366 } else { 365 };
            if !(1..=longest).contains(&year_day) {
                return Err(": day-of-year out of range");
            }
            let midnight = Civil { year: self.year, month: 1, day: year_day, hour: 0, minute: 0, second: 0 };
            let date = Time::unix(midnight.to_seconds()).civil();
            if self.month.is_some_and(|month| month != date.month) {
                return Err(": day-of-year does not match month");
            }
            if self.day.is_some_and(|day| day != date.day) {
                return Err(": day-of-year does not match day");
            }
            (self.month, self.day) = (Some(date.month), Some(date.day));
        }
        let day = self.day.unwrap_or(1);
        if (1..=days_in(self.year, self.month.unwrap_or(1))).contains(&day) {
            Ok(())
        } else {
            Err(": day out of range")
        }
    }

    fn time(self) -> Time {
        let Self { year, hour, minute, second, nanos, .. } = self;
        let civil = Civil { year, month: self.month.unwrap_or(1), day: self.day.unwrap_or(1), hour, minute, second };
        let seconds = civil.to_seconds();
        let (seconds, zone) = match self.offset {
            None | Some(0) if self.utc || self.zone.is_empty() => (seconds, Zone::Utc),
            Some(offset) => (seconds - offset, Zone::Fixed { name: self.zone, seconds: offset }),
            // An abbreviation says nothing about the offset. `GMT+2` does, but Go only shows the time in that zone.
            None => {
                let hours = self.zone.strip_prefix("GMT").and_then(|hours| hours.parse::<i64>().ok()).unwrap_or(0);
                (seconds, Zone::Fixed { name: self.zone, seconds: hours * 3_600 })
            }
        };
        Time { seconds, nanos, zone }
    }
}

/// How long the abbreviation is that `text` begins with (Go's `parseTimeZone`).
fn zone_length(text: &str) -> Option<usize> {
    if text.starts_with("ChST") || text.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix("GMT") {
        return Some(3 + signed_offset(rest));
    }
    if text.starts_with(['+', '-']) {
        return Some(signed_offset(text)).filter(|length| *length > 0);
    }
    let capitals = text.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
    let fits = match capitals {
        3 => true,
        4 => text.as_bytes().get(3) == Some(&b'T') || text.starts_with("WITA"),
        5 => text.as_bytes().get(4) == Some(&b'T'),
        _ => false,
    };
    fits.then_some(capitals)
}

/// The length of `+2` or `-11`; 0 if there is none.
fn signed_offset(text: &str) -> usize {
    let Some(digits) = text.strip_prefix(['+', '-']) else { return 0 };
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    match digits.get(..count).and_then(|digits| digits.parse::<u64>().ok()) {
        Some(0..=23) => count + 1,
        _ => 0,
    }
}
