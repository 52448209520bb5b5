//! Sprig's `regex.go`: Go's `regexp` by way of the `regex` crate. Patterns are translated by [`syntax`], compiled once and
//! kept for the thread.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

mod class;
mod expression;
mod syntax;

use std::rc::Rc;

pub(crate) use expression::Expression;

use crate::functions::unicode::quoted;
use crate::template::function::FunctionError;
use crate::value::{Elem, List, Str, Value, meter};

/// For the functions that call `regexp.MustCompile`, which tells the pattern too.
fn must_compile(pattern: &Str) -> Result<Rc<Expression>, String> {
    Expression::compile(pattern).map_err(|error| format!("regexp: Compile({}): {error}", in_quotes(pattern)))
}

/// In back quotes where Go can read them back, else as `%q`.
fn in_quotes(pattern: &Str) -> String {
    let control = |rune: char| rune < ' ' && rune != '\t' || matches!(rune, '`' | '\u{7f}' | '\u{feff}');
    match std::str::from_utf8(pattern) {
        Ok(text) if !text.contains(control) => format!("`{text}`"),
        _ => quoted(pattern),
    }
}

/// `regexMatch`: nothing matches a bad pattern.
pub(crate) fn matches(pattern: Str, text: Str) -> bool {
    Expression::compile(&pattern).is_ok_and(|expression| expression.is_match(&text))
}

/// `mustRegexMatch`
pub(crate) fn must_match(pattern: Str, text: Str) -> Result<bool, String> {
    Ok(Expression::compile(&pattern)?.is_match(&text))
}

/// `regexFind`: the first match, or "".
pub(crate) fn find(pattern: Str, text: Str) -> Result<Str, String> {
    Ok(first_match(must_compile(&pattern)?.as_ref(), &text))
}

/// `mustRegexFind`
pub(crate) fn must_find(pattern: Str, text: Str) -> Result<Str, String> {
    Ok(first_match(Expression::compile(&pattern)?.as_ref(), &text))
}

fn first_match(expression: &Expression, text: &[u8]) -> Str {
    expression.find(text).and_then(|range| text.get(range)).unwrap_or_default().into()
}

/// `regexFindAll`: at most `count` matches, all if it is negative.
pub(crate) fn find_all(pattern: Str, text: Str, count: i64) -> Result<Value, String> {
    Ok(all_matches(must_compile(&pattern)?.as_ref(), &text, count))
}

/// `mustRegexFindAll`
pub(crate) fn must_find_all(pattern: Str, text: Str, count: i64) -> Result<Value, String> {
    Ok(all_matches(Expression::compile(&pattern)?.as_ref(), &text, count))
}

fn all_matches(expression: &Expression, text: &[u8], count: i64) -> Value {
    let ranges = expression.find_all(text, limit(count));
    let bytes = ranges.iter().map(ExactSizeIterator::len).sum();
    if ranges.is_empty() || !meter::claim_texts(ranges.len(), bytes) {
        return NO_STRINGS;
    }
    Value::strings(ranges.into_iter().filter_map(|range| text.get(range)))
}

/// What Go gives where nothing was found.
const NO_STRINGS: Value = Value::List(List::nil(Elem::String));

fn limit(count: i64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// `regexReplaceAll`: `$1` and `${name}` stand for groups.
pub(crate) fn replace_all(pattern: Str, text: Str, replacement: Str) -> Result<Str, FunctionError> {
    Ok(must_compile(&pattern)?.replace_all(&text, &replacement)?)
}

/// `mustRegexReplaceAll`
pub(crate) fn must_replace_all(pattern: Str, text: Str, replacement: Str) -> Result<Str, FunctionError> {
    Ok(Expression::compile(&pattern)?.replace_all(&text, &replacement)?)
}

/// `regexReplaceAllLiteral`
pub(crate) fn replace_all_literal(pattern: Str, text: Str, replacement: Str) -> Result<Str, FunctionError> {
    Ok(must_compile(&pattern)?.replace_all_literal(&text, &replacement)?)
}

/// `mustRegexReplaceAllLiteral`
pub(crate) fn must_replace_all_literal(pattern: Str, text: Str, replacement: Str) -> Result<Str, FunctionError> {
    Ok(Expression::compile(&pattern)?.replace_all_literal(&text, &replacement)?)
}

/// `regexSplit`: at most `count` parts, all if it is negative.
pub(crate) fn split(pattern: Str, text: Str, count: i64) -> Result<Value, String> {
    Ok(parts(must_compile(&pattern)?.as_ref(), &pattern, &text, count))
}

/// `mustRegexSplit`
pub(crate) fn must_split(pattern: Str, text: Str, count: i64) -> Result<Value, String> {
    Ok(parts(Expression::compile(&pattern)?.as_ref(), &pattern, &text, count))
}

fn parts(expression: &Expression, pattern: &[u8], text: &[u8], count: i64) -> Value {
    if count == 0 {
        return NO_STRINGS;
    }
    if !pattern.is_empty() && text.is_empty() {
        return Value::strings([""]);
    }
    let mut parts: Vec<Str> = Vec::new();
    let (mut begin, mut end) = (0, 0);
    let ranges = expression.find_all(text, limit(count));
    if !meter::claim_texts(ranges.len() + 1, text.len()) {
        return Value::Nil;
    }
    for range in ranges {
        if parts.len() + 1 == limit(count) {
            break;
        }
        end = range.start;
        if range.end != 0 {
            parts.push(text.get(begin..end).unwrap_or_default().into());
        }
        begin = range.end;
    }
    if end != text.len() {
        parts.push(text.get(begin..).unwrap_or_default().into());
    }
    Value::strings(parts)
}

/// `regexQuoteMeta`
pub(crate) fn quote_meta(text: Str) -> Str {
    let mut out = Vec::with_capacity(text.len());
    for byte in text.iter() {
        if br"\.+*?()|[]{}^$".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.into()
}
