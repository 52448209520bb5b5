//! Sprig's `strings.go` and the functions of Go's `strings` package that it hands on. Positions and lengths are bytes.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use std::collections::BTreeSet;

use crate::functions::cast::{MAX_STRING, elements, text_of};
use crate::functions::unicode::{is_space, map_runes, to_lower, to_title, to_upper};
use crate::template::function::Rest;
use crate::value::{Elem, Map, MapType, Str, Value, decode_utf8, meter};

const NEGATIVE_COUNT: &str = "strings: negative Repeat count";
const OVERFLOW: &str = "strings: Repeat output length overflow";

/// `trim`: white space at both ends.
pub(crate) fn trim(text: Str) -> Str {
    trimmed(&text, is_space).into()
}

/// `trimAll` and `trimall`: any of the characters of `cutset` at both ends.
pub(crate) fn trim_all(cutset: Str, text: Str) -> Str {
    let cutset: BTreeSet<char> = cutset.chars().collect();
    trimmed(&text, |rune| cutset.contains(&rune)).into()
}

/// `text` without the runes at both ends that `cut` names.
fn trimmed(text: &[u8], cut: impl Fn(char) -> bool) -> &[u8] {
    let mut rest = text;
    while let Some((rune, width)) = decode_utf8(rest) {
        if !cut(rune) {
            break;
        }
        rest = rest.get(width..).unwrap_or_default();
    }
    while let Some((rune, width)) = decode_last(rest) {
        if !cut(rune) {
            break;
        }
        rest = rest.get(..rest.len() - width).unwrap_or_default();
    }
    rest
}

/// Go's `utf8.DecodeLastRune`.
fn decode_last(bytes: &[u8]) -> Option<(char, usize)> {
    let whole = (1..=4.min(bytes.len())).find_map(|width| {
        let tail = bytes.get(bytes.len() - width..)?;
        decode_utf8(tail).filter(|(_, decoded)| *decoded == width && (width > 1 || tail.is_ascii()))
    });
    whole.or_else(|| bytes.last().map(|_| (char::REPLACEMENT_CHARACTER, 1)))
}

/// `trimPrefix`
pub(crate) fn trim_prefix(prefix: Str, text: Str) -> Str {
    text.strip_prefix(&*prefix).map(Str::from).unwrap_or(text)
}

/// `trimSuffix`
pub(crate) fn trim_suffix(suffix: Str, text: Str) -> Str {
    text.strip_suffix(&*suffix).map(Str::from).unwrap_or(text)
}

/// `upper`: rune by rune, so that `ß` stays.
pub(crate) fn upper(text: Str) -> Str {
    map_runes(&text, to_upper)
}

/// `lower`
pub(crate) fn lower(text: Str) -> Str {
    map_runes(&text, to_lower)
}

/// `title`: the first letter of each word, where a word also starts after any ASCII sign but `_`.
pub(crate) fn title(text: Str) -> Str {
    let mut previous = ' ';
    map_runes(&text, |rune| {
        let starts = if previous.is_ascii() {
            !previous.is_ascii_alphanumeric() && previous != '_'
        } else {
            !crate::functions::unicode::is_letter(previous) && is_space(previous)
        };
        previous = rune;
        if starts { to_title(rune) } else { rune }
    })
}

/// `contains`
pub(crate) fn contains(part: Str, text: Str) -> bool {
    find(&text, &part).is_some()
}

/// `hasPrefix`
pub(crate) fn has_prefix(prefix: Str, text: Str) -> bool {
    text.starts_with(&prefix)
}

/// `hasSuffix`
pub(crate) fn has_suffix(suffix: Str, text: Str) -> bool {
    text.ends_with(&suffix)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, part)
}

/// `repeat`. Refused where the result would exceed [`MAX_STRING`].
pub(crate) fn repeat(count: i64, text: Str) -> Result<Str, String> {
    let count = usize::try_from(count).map_err(|_negative| NEGATIVE_COUNT)?;
    let length = text.len().checked_mul(count).filter(|length| i64::try_from(*length).is_ok()).ok_or(OVERFLOW)?;
    within_bounds(length)?;
    Ok(text.as_ref().repeat(count).into())
}

/// Refuses to make a string of more than [`MAX_STRING`] bytes, or than there is memory for.
pub(crate) fn within_bounds(length: usize) -> Result<(), String> {
    if meter::claim(length) && length <= MAX_STRING {
        return Ok(());
    }
    Err(format!("the result would have {length} bytes, more than {MAX_STRING}"))
}

/// `replace`: every occurrence; an empty `old` matches before each rune and at the end.
pub(crate) fn replace(old: Str, new: Str, text: Str) -> Result<Str, String> {
    let cuts = if old.is_empty() { text.chars().count() + 1 } else { memchr::memmem::find_iter(&text, &*old).count() };
    if cuts == 0 {
        return Ok(text);
    }
    within_bounds(text.len().saturating_add(cuts.saturating_mul(new.len())))?;
    let mut out = Vec::with_capacity(text.len() + cuts * new.len() - cuts * old.len());
    let mut rest: &[u8] = &text;
    if old.is_empty() {
        while let Some((_, width)) = decode_utf8(rest) {
            let (rune, after) = rest.split_at_checked(width).unwrap_or((rest, b""));
            out.extend_from_slice(&new);
            out.extend_from_slice(rune);
            rest = after;
        }
        out.extend_from_slice(&new);
        return Ok(out.into());
    }
    while let Some((before, after)) = cut(rest, &old) {
        out.extend_from_slice(before);
        out.extend_from_slice(&new);
        rest = after;
    }
    out.extend_from_slice(rest);
    Ok(out.into())
}

/// What is before and after the first `part`.
fn cut<'a>(text: &'a [u8], part: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(text, part)?;
    Some((text.get(..at)?, text.get(at + part.len()..)?))
}

/// `indent`: spaces before each line, empty ones included.
pub(crate) fn indent(spaces: i64, text: Str) -> Result<Str, String> {
    indented(b"", spaces, &text)
}

/// `nindent`: a line break, then [`indent`].
pub(crate) fn nindent(spaces: i64, text: Str) -> Result<Str, String> {
    indented(b"\n", spaces, &text)
}

fn indented(before: &[u8], spaces: i64, text: &[u8]) -> Result<Str, String> {
    let spaces = usize::try_from(spaces).map_err(|_negative| NEGATIVE_COUNT)?;
    let breaks = memchr::memchr_iter(b'\n', text).count();
    let length = spaces.saturating_mul(breaks + 1).saturating_add(text.len() + before.len());
    within_bounds(length)?;
    let pad = vec![b' '; spaces];
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(before);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(&pad);
        out.extend_from_slice(line);
    }
    if text.last().is_none_or(|last| *last == b'\n') {
        out.extend_from_slice(&pad);
    }
    Ok(out.into())
}

/// `plural`: `one` for a count of 1.
pub(crate) fn plural(one: Str, many: Str, count: i64) -> Str {
    if count == 1 { one } else { many }
}

/// `trunc`: the first bytes, or with a negative count the last.
pub(crate) fn trunc(count: i64, text: Str) -> Str {
    let length = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if length >= text.len() {
        return text;
    }
    let part = if count < 0 { text.get(text.len() - length..) } else { text.get(..length) };
    part.map(Str::from).unwrap_or(text)
}

/// `substr`: from `start` (negative: 0) to before `end` (negative or too large: the end).
pub(crate) fn substr(start: i64, end: i64, text: Str) -> Result<Str, String> {
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let out_of_range = |place: String| format!("runtime error: slice bounds out of range {place}");
    if start < 0 {
        let end = usize::try_from(end).map_err(|_negative| out_of_range(format!("[:{end}]")))?;
        return text.get(..end).map(Str::from).ok_or_else(|| out_of_range(format!("[:{end}] with length {length}")));
    }
    let end = if end < 0 || end > length { length } else { end };
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let part = range.and_then(|(start, end)| text.get(start..end));
    part.map(Str::from).ok_or_else(|| out_of_range(format!("[{start}:{end}]")))
}

/// `toString`
pub(crate) fn to_string(value: Value) -> Str {
    text_of(&value)
}

/// `toStrings`: the texts of what is not nil; of a scalar a list of one.
pub(crate) fn to_strings(value: Value) -> Value {
    if matches!(&value, Value::List(list) if list.is_nil() && list.elem() == Elem::String) {
        return value;
    }
    Value::strings(texts_of(&value))
}

fn texts_of(value: &Value) -> Vec<Str> {
    if !meter::claim_texts(elements(value).map_or(0, |items| items.len()), 0) {
        return Vec::new();
    }
    match (elements(value), value) {
        (Some(items), _) => items.iter().filter(|item| !matches!(item, Value::Nil)).map(text_of).collect(),
        (None, Value::Nil) => Vec::new(),
        (None, scalar) => vec![text_of(scalar)],
    }
}

/// `join`
pub(crate) fn join(separator: Str, list: Value) -> Result<Str, String> {
    let texts = texts_of(&list);
    let length: usize = texts.iter().map(|text| text.len()).sum();
    within_bounds(length.saturating_add(texts.len().saturating_mul(separator.len())))?;
    Ok(texts.join(&*separator).into())
}

/// `cat`: what is not nil, with spaces between.
pub(crate) fn cat(Rest(values): Rest<Value>) -> Str {
    let texts: Vec<Str> = values.iter().filter(|value| !matches!(value, Value::Nil)).map(Value::print).collect();
    texts.join(&b" "[..]).into()
}

/// `squote`: in single quotes, nothing escaped, nil left out.
pub(crate) fn squote(Rest(values): Rest<Value>) -> Str {
    let quoted = |value: &Value| {
        let text = value.print();
        if meter::claim(text.len()) { [b"'", &*text, b"'"].concat() } else { Vec::new() }
    };
    let texts: Vec<Vec<u8>> = values.iter().filter(|value| !matches!(value, Value::Nil)).map(quoted).collect();
    texts.join(&b" "[..]).into()
}

/// `quote`: as `%q` prints texts, nil left out.
pub(crate) fn quote(Rest(values): Rest<Value>) -> String {
    let quoted = |value: &Value| {
        let text = text_of(value);
        // Each byte may take four.
        if meter::claim(text.len().saturating_mul(2)) {
            crate::functions::unicode::quoted(&text)
        } else {
            String::new()
        }
    };
    let texts: Vec<String> = values.iter().filter(|value| !matches!(value, Value::Nil)).map(quoted).collect();
    texts.join(" ")
}

/// `splitList`
pub(crate) fn split_list(separator: Str, text: Str) -> Value {
    Value::strings(pieces(&separator, usize::MAX, &text))
}

/// `split`: the parts as `_0`, `_1`, ….
pub(crate) fn split(separator: Str, text: Str) -> Value {
    numbered(pieces(&separator, usize::MAX, &text))
}

/// `splitn`: at most `count` parts (negative: all), the last with what remains.
pub(crate) fn splitn(separator: Str, count: i64, text: Str) -> Value {
    numbered(pieces(&separator, usize::try_from(count).unwrap_or(usize::MAX), &text))
}

fn numbered(parts: Vec<Str>) -> Value {
    if !meter::claim_texts(2 * parts.len(), 0) {
        return Value::Nil;
    }
    let named = |(index, part)| (Str::from(format!("_{index}")), Value::String(part));
    Value::Map(Map::from_entries(MapType::String, parts.into_iter().enumerate().map(named).collect()))
}

/// Go's `strings.SplitN`: an empty separator splits into runes.
fn pieces(separator: &[u8], count: usize, text: &[u8]) -> Vec<Str> {
    if count == 0 {
        return Vec::new();
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while parts.len() + 1 < count && meter::visit(parts.len() * size_of::<Str>()) {
        let next = if separator.is_empty() {
            let width = decode_utf8(rest).map_or(0, |(_, width)| width);
            rest.split_at_checked(width).filter(|(_, after)| !after.is_empty())
        } else {
            cut(rest, separator)
        };
        let Some((part, after)) = next else { break };
        parts.push(part.into());
        rest = after;
    }
    if !separator.is_empty() || !rest.is_empty() {
        parts.push(rest.into());
    }
    parts
}
