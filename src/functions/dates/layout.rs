//! Go's layouts: the reference time `Mon Jan 2 15:04:05 MST 2006`, piece by piece.

use std::fmt::Write as _;

use crate::functions::dates::time::{Civil, Time};

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(crate) const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// How a number is filled up to its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pad {
    None,
    Zero,
    Space,
}

/// How an offset is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offset {
    /// `Z` for UTC.
    pub(crate) z: bool,
    pub(crate) colon: bool,
    pub(crate) parts: Parts,
}

/// Which parts of an offset are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    Hours,
    Minutes,
    Seconds,
}

/// One piece of the reference time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    LongMonth,
    Month,
    NumMonth(Pad),
    LongWeekday,
    Weekday,
    Day(Pad),
    YearDay(Pad),
    Hour,
    Hour12(Pad),
    Minute(Pad),
    Second(Pad),
    LongYear,
    Year,
    /// `PM` or `AM`.
    UpperPm,
    /// `pm` or `am`.
    LowerPm,
    Zone,
    Offset(Offset),
    /// A sign and so many digits.
    Fraction(u8, usize),
    /// The same without zeros at the end, and without the sign where nothing is left.
    ShortFraction(u8, usize),
}

/// Texts that are pieces wherever they stand, the longer ones first.
const FIXED: [(&str, Piece); 26] = [
    ("January", Piece::LongMonth),
    ("Monday", Piece::LongWeekday),
    ("MST", Piece::Zone),
    ("002", Piece::YearDay(Pad::Zero)),
    ("01", Piece::NumMonth(Pad::Zero)),
    ("02", Piece::Day(Pad::Zero)),
    ("03", Piece::Hour12(Pad::Zero)),
    ("04", Piece::Minute(Pad::Zero)),
    ("05", Piece::Second(Pad::Zero)),
    ("06", Piece::Year),
    ("15", Piece::Hour),
    ("1", Piece::NumMonth(Pad::None)),
    ("2006", Piece::LongYear),
    ("2", Piece::Day(Pad::None)),
    ("__2", Piece::YearDay(Pad::Space)),
    ("_2", Piece::Day(Pad::Space)),
    ("3", Piece::Hour12(Pad::None)),
    ("4", Piece::Minute(Pad::None)),
    ("5", Piece::Second(Pad::None)),
    ("PM", Piece::UpperPm),
    ("pm", Piece::LowerPm),
    ("070000", Piece::Offset(Offset { z: false, colon: false, parts: Parts::Seconds })),
    ("07:00:00", Piece::Offset(Offset { z: false, colon: true, parts: Parts::Seconds })),
    ("0700", Piece::Offset(Offset { z: false, colon: false, parts: Parts::Minutes })),
    ("07:00", Piece::Offset(Offset { z: false, colon: true, parts: Parts::Minutes })),
    ("07", Piece::Offset(Offset { z: false, colon: false, parts: Parts::Hours })),
];

/// A layout cut at its first piece.
pub(crate) struct Cut<'l> {
    pub(crate) before: &'l str,
    /// None at the end.
    pub(crate) piece: Option<Piece>,
    /// The piece's own text.
    pub(crate) text: &'l str,
    pub(crate) after: &'l str,
}

/// Finds the first piece of a layout.
pub(crate) fn cut(layout: &str) -> Cut<'_> {
    for (at, _) in layout.char_indices() {
        let (before, rest) = layout.split_at_checked(at).unwrap_or((layout, ""));
        // In `_2006` the underscore is just a sign before the year.
        let found = if rest.starts_with("_2006") { None } else { piece_at(rest) };
        if let Some((piece, length)) = found {
            let (text, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            return Cut { before, piece: Some(piece), text, after };
        }
    }
    Cut { before: layout, piece: None, text: "", after: "" }
}

/// The piece that `rest` begins with, and its length.
fn piece_at(rest: &str) -> Option<(Piece, usize)> {
    let first = *rest.as_bytes().first()?;
    match first {
        b'-' | b'Z' => {
            let (piece, length) = fixed(rest.get(1..)?, |piece| matches!(piece, Piece::Offset(_)))?;
            let Piece::Offset(offset) = piece else { return None };
            Some((Piece::Offset(Offset { z: first == b'Z', ..offset }), length + 1))
        }
        b'.' | b',' => fraction(rest, first),
        _ => fixed(rest, |piece| !matches!(piece, Piece::Offset(_))).or_else(|| short_name(rest)),
    }
}

fn fixed(rest: &str, fits: impl Fn(Piece) -> bool) -> Option<(Piece, usize)> {
    FIXED.iter().find(|(text, piece)| fits(*piece) && rest.starts_with(text)).map(|(text, piece)| (*piece, text.len()))
}

/// `Jan` and `Mon`, unless a small letter follows: `Jane` is text.
fn short_name(rest: &str) -> Option<(Piece, usize)> {
    let after = rest.get(3..)?;
    let piece = match rest.get(..3)? {
        "Jan" => Piece::Month,
        "Mon" => Piece::Weekday,
        _ => return None,
    };
    (!after.starts_with(|next: char| next.is_ascii_lowercase())).then_some((piece, 3))
}

/// `.000` or `,999`: no other digit may follow.
fn fraction(rest: &str, sign: u8) -> Option<(Piece, usize)> {
    let digits = rest.as_bytes().get(1..)?;
    let first = *digits.first().filter(|digit| matches!(digit, b'0' | b'9'))?;
    let count = digits.iter().take_while(|digit| **digit == first).count();
    if digits.get(count).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let piece = if first == b'0' { Piece::Fraction(sign, count) } else { Piece::ShortFraction(sign, count) };
    Some((piece, count + 1))
}

/// Go's `Format`.
pub(crate) fn format(time: &Time, layout: &str) -> String {
    let civil = time.civil();
    let mut out = String::with_capacity(layout.len() + 10);
    let mut rest = layout;
    loop {
        let Cut { before, piece, after, .. } = cut(rest);
        out.push_str(before);
        let Some(piece) = piece else { return out };
        write_piece(piece, time, &civil, &mut out);
        rest = after;
    }
}

fn write_piece(piece: Piece, time: &Time, civil: &Civil, out: &mut String) {
    let name = |names: &[&'static str], index: i64| usize::try_from(index).ok().and_then(|at| names.get(at).copied());
    let month = name(&MONTHS, civil.month - 1).unwrap_or_default();
    let hour12 = if civil.hour % 12 == 0 { 12 } else { civil.hour % 12 };
    match piece {
        Piece::LongMonth => out.push_str(month),
        Piece::Month => out.push_str(month.get(..3).unwrap_or(month)),
        Piece::LongWeekday => out.push_str(name(&DAYS, time.weekday()).unwrap_or_default()),
        Piece::Weekday => {
            let day = name(&DAYS, time.weekday()).unwrap_or_default();
            out.push_str(day.get(..3).unwrap_or(day));
        }
        Piece::NumMonth(pad) => number(civil.month, pad, out),
        Piece::Day(pad) => number(civil.day, pad, out),
        Piece::YearDay(pad) => year_day(civil.day_of_year(), pad, out),
        Piece::Hour => number(civil.hour, Pad::Zero, out),
        Piece::Hour12(pad) => number(hour12, pad, out),
        Piece::Minute(pad) => number(civil.minute, pad, out),
        Piece::Second(pad) => number(civil.second, pad, out),
        Piece::Year => number(civil.year.abs() % 100, Pad::Zero, out),
        Piece::LongYear => long_year(civil.year, out),
        Piece::UpperPm => out.push_str(if civil.hour >= 12 { "PM" } else { "AM" }),
        Piece::LowerPm => out.push_str(if civil.hour >= 12 { "pm" } else { "am" }),
        Piece::Zone => match time.zone.at(time.seconds) {
            (offset, name) if name.is_empty() => {
                write_offset(offset, Offset { z: false, colon: false, parts: Parts::Minutes }, out);
            }
            (_, name) => out.push_str(&name),
        },
        Piece::Offset(form) => write_offset(time.zone.at(time.seconds).0, form, out),
        Piece::Fraction(sign, digits) => fraction_digits(time.nanos, sign, digits, out),
        Piece::ShortFraction(sign, digits) => {
            if time.nanos != 0 {
                fraction_digits(time.nanos, sign, digits, out);
                let kept = out.trim_end_matches('0').len();
                out.truncate(kept);
                if out.ends_with(char::from(sign)) {
                    out.pop();
                }
            }
        }
    }
}

/// Writes to a text, which cannot fail.
pub(crate) fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _infallible = out.write_fmt(text);
}

fn number(number: i64, pad: Pad, out: &mut String) {
    match pad {
        Pad::None => put(out, format_args!("{number}")),
        Pad::Zero => put(out, format_args!("{number:02}")),
        Pad::Space => put(out, format_args!("{number:2}")),
    }
}

fn year_day(day: i64, pad: Pad, out: &mut String) {
    match pad {
        Pad::Space => put(out, format_args!("{day:3}")),
        _ => put(out, format_args!("{day:03}")),
    }
}

fn long_year(year: i64, out: &mut String) {
    let sign = if year < 0 { "-" } else { "" };
    put(out, format_args!("{sign}{:04}", year.unsigned_abs()));
}

fn write_offset(offset: i64, form: Offset, out: &mut String) {
    if form.z && offset == 0 {
        out.push('Z');
        return;
    }
    let colon = if form.colon { ":" } else { "" };
    // Go takes the sign from the minutes, so that an offset of some seconds is positive.
    let minutes = offset / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    put(out, format_args!("{sign}{:02}", (minutes / 60).abs()));
    if form.parts != Parts::Hours {
        put(out, format_args!("{colon}{:02}", (minutes % 60).abs()));
    }
    if form.parts == Parts::Seconds {
        put(out, format_args!("{colon}{:02}", (offset % 60).abs()));
    }
}

fn fraction_digits(nanos: u32, sign: u8, digits: usize, out: &mut String) {
    let text = format!("{nanos:09}");
    out.push(char::from(sign));
    out.push_str(text.get(..digits).unwrap_or(&text));
}
