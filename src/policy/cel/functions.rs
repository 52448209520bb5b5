//! Functions and methods: the standard ones that need no clock, and those of the strings extension that probes use.

use crate::diagnostic::suggestion;
use crate::policy::cel::eval::overload;
use crate::policy::cel::value::{List, Text, Value};
use crate::policy::cel::{Error, Purse};
use crate::value::format_float;

/// How it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `size(x)`
    Function,
    /// `x.size()`
    Method,
}

/// A function or method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Type,
    Dyn,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Contains,
    StartsWith,
    EndsWith,
    LowerAscii,
    UpperAscii,
    Trim,
    Replace,
    Split,
    Join,
    Substring,
    IndexOf,
    LastIndexOf,
    OrValue,
    HasValue,
}

/// By name: how it is called, and with how many values, that before the dot included.
const FUNCTIONS: [(&str, Form, usize, Function); 25] = [
    ("size", Form::Function, 1, Function::Size),
    ("size", Form::Method, 1, Function::Size),
    ("type", Form::Function, 1, Function::Type),
    ("dyn", Form::Function, 1, Function::Dyn),
    ("bool", Form::Function, 1, Function::Bool),
    ("int", Form::Function, 1, Function::Int),
    ("uint", Form::Function, 1, Function::Uint),
    ("double", Form::Function, 1, Function::Double),
    ("string", Form::Function, 1, Function::Text),
    ("contains", Form::Method, 2, Function::Contains),
    ("startsWith", Form::Method, 2, Function::StartsWith),
    ("endsWith", Form::Method, 2, Function::EndsWith),
    ("lowerAscii", Form::Method, 1, Function::LowerAscii),
    ("upperAscii", Form::Method, 1, Function::UpperAscii),
    ("trim", Form::Method, 1, Function::Trim),
    ("replace", Form::Method, 3, Function::Replace),
    ("split", Form::Method, 2, Function::Split),
    ("join", Form::Method, 1, Function::Join),
    ("join", Form::Method, 2, Function::Join),
    ("substring", Form::Method, 2, Function::Substring),
    ("substring", Form::Method, 3, Function::Substring),
    ("indexOf", Form::Method, 2, Function::IndexOf),
    ("lastIndexOf", Form::Method, 2, Function::LastIndexOf),
    ("orValue", Form::Method, 2, Function::OrValue),
    ("hasValue", Form::Method, 1, Function::HasValue),
];

impl Function {
    fn name(self) -> &'static str {
        FUNCTIONS.iter().find(|(.., function)| *function == self).map_or("", |(name, ..)| name)
    }
}

/// The function that is meant, or what is wrong with the call.
pub(super) fn find(name: &str, form: Form, values: usize) -> Result<Function, String> {
    let found = FUNCTIONS.iter().find(|row| (row.0, row.1, row.2) == (name, form, values));
    if let Some((.., function)) = found {
        return Ok(*function);
    }
    let known = || FUNCTIONS.iter().filter(|row| row.1 == form).map(|row| row.0).chain(["matches"]);
    if known().any(|known| known == name) {
        return Err(format!("`{name}` is not called with so many values"));
    }
    let what = if form == Form::Method { "method" } else { "function" };
    let hint = suggestion(name, known()).map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
    Err(format!("unknown {what} `{name}`{hint}"))
}

/// Calls a function.
pub(super) fn call<'a>(function: Function, values: &[Value<'a>], purse: &Purse) -> Result<Value<'a>, Error> {
    use Function as F;
    let answer = match (function, values) {
        (F::Size, [value]) => return size(value, purse),
        (F::Type, [value]) => Value::Type(value.kind()),
        (F::Dyn, [value]) => value.clone(),
        (F::Bool | F::Int | F::Uint | F::Double | F::Text, [value]) => return convert(function, value, purse),
        (F::HasValue, [Value::Optional(value)]) => Value::Bool(value.is_some()),
        (F::OrValue, [Value::Optional(value), other]) => value.as_deref().unwrap_or(other).clone(),
        (F::Join, [Value::List(items)]) => return join(items, "", purse),
        (F::Join, [Value::List(items), Value::Text(between)]) => return join(items, between, purse),
        (_, [Value::Text(text), rest @ ..]) => return of_text(function, text, rest, purse),
        _ => return Err(overload(function.name(), values)),
    };
    Ok(answer)
}

fn size<'a>(value: &Value<'a>, purse: &Purse) -> Result<Value<'a>, Error> {
    match value {
        Value::Text(text) => {
            purse.pay_bytes(text.len())?;
            Ok(Value::count(text.chars().count()))
        }
        Value::List(items) => Ok(Value::count(items.len())),
        Value::Map(entries) => Ok(Value::count(entries.len())),
        other => Err(overload("size", [other])),
    }
}

fn of_text<'a>(function: Function, text: &Text<'a>, rest: &[Value<'a>], purse: &Purse) -> Result<Value<'a>, Error> {
    use Function as F;
    purse.pay_bytes(text.len())?;
    Ok(match (function, rest) {
        (F::Contains, [Value::Text(part)]) => Value::Bool(text.contains(&**part)),
        (F::StartsWith, [Value::Text(part)]) => Value::Bool(text.starts_with(&**part)),
        (F::EndsWith, [Value::Text(part)]) => Value::Bool(text.ends_with(&**part)),
        (F::LowerAscii, []) => Value::text(text.to_ascii_lowercase()),
        (F::UpperAscii, []) => Value::text(text.to_ascii_uppercase()),
        (F::Trim, []) => Value::text(text.trim()),
        (F::Replace, [Value::Text(from), Value::Text(to)]) => {
            purse.pay_bytes(text.matches(&**from).count().saturating_mul(to.len()))?;
            Value::text(text.replace(&**from, to))
        }
        (F::Split, [Value::Text(between)]) => {
            purse.pay(text.len())?;
            Value::list(split(text, between))
        }
        (F::IndexOf, [Value::Text(part)]) => place(text, text.find(&**part)),
        (F::LastIndexOf, [Value::Text(part)]) => place(text, text.rfind(&**part)),
        (F::Substring, [Value::Int(start)]) => return substring(text, *start, i64::MAX),
        (F::Substring, [Value::Int(start), Value::Int(end)]) => return substring(text, *start, *end),
        _ => return Err(overload(function.name(), [&Value::Text(text.clone())].into_iter().chain(rest))),
    })
}

/// Without anything between them the parts are the characters.
fn split<'a>(text: &str, between: &str) -> Vec<Value<'a>> {
    if between.is_empty() {
        return text.chars().map(|c| Value::text(c.to_string())).collect();
    }
    text.split(between).map(Value::text).collect()
}

fn join<'a>(items: &List<'a>, between: &str, purse: &Purse) -> Result<Value<'a>, Error> {
    let mut joined = String::new();
    for (index, item) in items.iter().enumerate() {
        let Value::Text(text) = item else { return Err(overload("join", [&item])) };
        purse.pay_bytes(between.len() + text.len())?;
        if index > 0 {
            joined.push_str(between);
        }
        joined.push_str(&text);
    }
    Ok(Value::text(joined))
}

/// A place in characters, -1 if there is none.
fn place<'a>(text: &str, offset: Option<usize>) -> Value<'a> {
    offset.map_or(Value::Int(-1), |offset| Value::count(text.get(..offset).unwrap_or_default().chars().count()))
}

fn substring<'a>(text: &str, start: i64, end: i64) -> Result<Value<'a>, Error> {
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let stop = if end == i64::MAX { length } else { end };
    for bound in [start, stop] {
        if !(0..=length).contains(&bound) {
            return Err(Error::Index(bound));
        }
    }
    if start > stop {
        return Err(Error::Index(start));
    }
    let bound = |place: i64| usize::try_from(place).unwrap_or(0);
    let part: String = text.chars().skip(bound(start)).take(bound(stop - start)).collect();
    Ok(Value::text(part))
}

fn convert<'a>(function: Function, value: &Value<'a>, purse: &Purse) -> Result<Value<'a>, Error> {
    use Function as F;
    if let Value::Text(text) = value {
        purse.pay_bytes(text.len())?;
    }
    let converted = match (function, value) {
        (F::Text, Value::Text(_))
        | (F::Bool, Value::Bool(_))
        | (F::Int, Value::Int(_))
        | (F::Uint, Value::Uint(_))
        | (F::Double, Value::Double(_)) => Some(value.clone()),
        (F::Text, Value::Bool(truth)) => Some(Value::text(truth.to_string())),
        (F::Text, Value::Int(number)) => Some(Value::text(number.to_string())),
        (F::Text, Value::Uint(number)) => Some(Value::text(number.to_string())),
        (F::Text, Value::Double(number)) => Some(Value::text(format_float(*number))),
        (F::Bool, Value::Text(text)) => text.parse().ok().map(Value::Bool),
        (F::Int, Value::Text(text)) => text.parse().ok().map(Value::Int),
        (F::Uint, Value::Text(text)) => text.parse().ok().map(Value::Uint),
        (F::Double, Value::Text(text)) => text.parse().ok().map(Value::Double),
        (F::Int, Value::Uint(number)) => return i64::try_from(*number).ok().map(Value::Int).ok_or(Error::Overflow),
        (F::Uint, Value::Int(number)) => return u64::try_from(*number).ok().map(Value::Uint).ok_or(Error::Overflow),
        (F::Int | F::Uint, Value::Double(number)) => return whole(function, *number),
        (F::Double, Value::Int(_) | Value::Uint(_)) => double(value),
        _ => return Err(overload(function.name(), [value])),
    };
    converted.ok_or_else(|| Error::Conversion(function.name()))
}

/// A number without its fraction.
fn whole<'a>(function: Function, number: f64) -> Result<Value<'a>, Error> {
    let least = if function == Function::Int { -9_223_372_036_854_775_808.0 } else { 0.0 };
    let beyond = if function == Function::Int { 9_223_372_036_854_775_808.0 } else { 18_446_744_073_709_551_616.0 };
    let number = number.trunc();
    if !(least..beyond).contains(&number) {
        return Err(Error::Overflow);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is in the range, without a fraction"
    )]
    Ok(if function == Function::Int { Value::Int(number as i64) } else { Value::Uint(number as u64) })
}

fn double<'a>(value: &Value<'a>) -> Option<Value<'a>> {
    #[expect(clippy::cast_precision_loss, reason = "CEL rounds to the nearest too")]
    match value {
        Value::Int(number) => Some(Value::Double(*number as f64)),
        Value::Uint(number) => Some(Value::Double(*number as f64)),
        _ => None,
    }
}
