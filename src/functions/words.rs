//! Words of a text: `Masterminds/goutils` 1.1.1 as Sprig uses it.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use crate::functions::unicode::{is_lower, is_space, is_title, is_upper, map_runes, to_lower, to_title, to_upper};
use crate::value::{Str, meter};

/// `untitle`: the first letter of each word in lower case.
pub(crate) fn untitle(text: Str) -> Str {
    let mut starts = true;
    map_runes(&text, |rune| {
        let first = starts && !is_space(rune);
        starts = is_space(rune) || starts && !first;
        if first { to_lower(rune) } else { rune }
    })
}

/// `swapcase`: a lower-case letter that begins a word gets title case, any other upper case.
pub(crate) fn swapcase(text: Str) -> Str {
    let mut starts = true;
    map_runes(&text, |rune| {
        let first = starts;
        starts = false;
        if is_upper(rune) || is_title(rune) {
            return to_lower(rune);
        }
        if is_lower(rune) {
            return if first { to_title(rune) } else { to_upper(rune) };
        }
        starts = is_space(rune);
        rune
    })
}

/// `nospace`: without white space. Takes each byte for a character of its own, as goutils does.
pub(crate) fn nospace(text: Str) -> Str {
    if !text.iter().any(|byte| is_space(char::from(*byte))) {
        return text;
    }
    text.iter().map(|byte| char::from(*byte)).filter(|rune| !is_space(*rune)).collect::<String>().into()
}

/// `initials`: the first of each word, taking each byte for a character of its own.
pub(crate) fn initials(text: Str) -> String {
    let mut gap = true;
    let mut out = String::new();
    for rune in text.iter().map(|byte| char::from(*byte)) {
        let space = is_space(rune);
        if gap && !space {
            out.push(rune);
        }
        gap = space;
    }
    out
}

/// `wrap`: lines of at most `width` bytes, longer words left whole.
pub(crate) fn wrap(width: i64, text: Str) -> Str {
    wrapped(width, b"\n", &text, LongWords::Keep)
}

/// `wrapWith`: lines of at most `width` bytes with `separator` between, longer words broken.
pub(crate) fn wrap_with(width: i64, separator: Str, text: Str) -> Str {
    wrapped(width, if separator.is_empty() { b"\n" } else { &separator }, &text, LongWords::Break)
}

#[derive(Clone, Copy)]
enum LongWords {
    Keep,
    Break,
}

fn wrapped(width: i64, separator: &[u8], text: &[u8], long: LongWords) -> Str {
    let width = usize::try_from(width.max(1)).unwrap_or(usize::MAX);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while rest.len() > width && meter::visit(out.len().saturating_add(separator.len())) {
        if let Some(after) = rest.strip_prefix(b" ") {
            rest = after;
            continue;
        }
        let last_space = rest.get(..=width).and_then(|line| memchr::memrchr(b' ', line));
        let next_space = || rest.get(width..).and_then(|after| memchr::memchr(b' ', after)).map(|at| at + width);
        let (line, skipped) = match (last_space, long) {
            (Some(at), _) => (at, 1),
            (None, LongWords::Break) => (width, 0),
            (None, LongWords::Keep) => match next_space() {
                Some(at) => (at, 1),
                None => break,
            },
        };
        out.extend_from_slice(rest.get(..line).unwrap_or(rest));
        out.extend_from_slice(separator);
        rest = rest.get(line + skipped..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out.into()
}

/// `abbrev`: at most `width` bytes, the last three of them dots; widths below 4 change nothing.
pub(crate) fn abbrev(width: i64, text: Str) -> Str {
    match usize::try_from(width) {
        Ok(width) if width >= 4 => abbreviated(&text, 0, width),
        _ => text,
    }
}

/// `abbrevboth`: like [`abbrev`], from around the byte `left`.
pub(crate) fn abbrevboth(left: i64, right: i64, text: Str) -> Str {
    if right < 4 || left > 0 && right < 7 {
        return text;
    }
    abbreviated(&text, usize::try_from(left).unwrap_or(0), usize::try_from(right).unwrap_or(0))
}

fn abbreviated(text: &[u8], offset: usize, width: usize) -> Str {
    const DOTS: &[u8] = b"...";
    if text.len() <= width {
        return text.into();
    }
    let kept = width.saturating_sub(DOTS.len());
    let offset = offset.min(text.len());
    let offset = if text.len() - offset < kept { text.len() - kept } else { offset };
    match offset {
        0..=4 => [text.get(..kept).unwrap_or(text), DOTS].concat().into(),
        _ if offset + kept < text.len() => {
            [DOTS, &*abbreviated(text.get(offset..).unwrap_or_default(), 0, kept)].concat().into()
        }
        _ => [DOTS, text.get(text.len() - kept..).unwrap_or(text)].concat().into(),
    }
}
