//! Sprig's `list.go`. A list is never changed: each function makes a new one.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use std::borrow::Cow;

use crate::functions::cast::{NIL_DEREFERENCE, elements, text_of, to_int64};
use crate::functions::defaults::is_empty;
use crate::template::function::Rest;
use crate::value::{Elem, List, Value, meter};

/// What Go's `append` gives where there is nothing to append.
const NIL_LIST: Value = Value::List(List::nil(Elem::Any));

/// The elements of `list`, or what Sprig says where it is none: `Cannot DO on type KIND`.
fn elements_to<'a>(list: &'a Value, doing: &str) -> Result<Cow<'a, [Value]>, String> {
    match list {
        Value::Nil => Err(NIL_DEREFERENCE.to_owned()),
        other => elements(other).ok_or_else(|| format!("Cannot {doing} type {}", other.kind())),
    }
}

/// `list` and `tuple`
pub(crate) fn list(Rest(items): Rest<Value>) -> Value {
    Value::list(items)
}

/// `append` and `push`
pub(crate) fn append(list: Value, item: Value) -> Result<Value, String> {
    let mut items = elements_to(&list, "push on")?.into_owned();
    items.push(item);
    Ok(Value::list(items))
}

/// `prepend`
pub(crate) fn prepend(list: Value, item: Value) -> Result<Value, String> {
    let items = elements_to(&list, "prepend on")?;
    Ok(Value::list(std::iter::once(item).chain(items.iter().cloned()).collect()))
}

/// `first`: nil for an empty list.
pub(crate) fn first(list: Value) -> Result<Value, String> {
    Ok(elements_to(&list, "find first on")?.first().cloned().unwrap_or_default())
}

/// `last`: nil for an empty list.
pub(crate) fn last(list: Value) -> Result<Value, String> {
    Ok(elements_to(&list, "find last on")?.last().cloned().unwrap_or_default())
}

/// `rest`: all but the first.
pub(crate) fn rest(list: Value) -> Result<Value, String> {
    let items = elements_to(&list, "find rest on")?;
    Ok(items.split_first().map_or(NIL_LIST, |(_, rest)| Value::list(rest.to_vec())))
}

/// `initial`: all but the last.
pub(crate) fn initial(list: Value) -> Result<Value, String> {
    let items = elements_to(&list, "find initial on")?;
    Ok(items.split_last().map_or(NIL_LIST, |(_, rest)| Value::list(rest.to_vec())))
}

/// `reverse`
pub(crate) fn reverse(list: Value) -> Result<Value, String> {
    Ok(Value::list(elements_to(&list, "find reverse on")?.iter().rev().cloned().collect()))
}

/// `compact`: what is not empty.
pub(crate) fn compact(list: Value) -> Result<Value, String> {
    let items = elements_to(&list, "compact on")?;
    Ok(Value::list(items.iter().filter(|item| !is_empty(item)).cloned().collect()))
}

/// `uniq`: the first of each that is deeply equal to others.
pub(crate) fn uniq(list: Value) -> Result<Value, String> {
    let mut unique: Vec<Value> = Vec::new();
    for item in elements_to(&list, "find uniq on")?.iter() {
        if !contains(&unique, item) {
            unique.push(item.clone());
        }
    }
    Ok(Value::list(unique))
}

/// `without`: all but those deeply equal to one of `omit`.
pub(crate) fn without(list: Value, Rest(omit): Rest<Value>) -> Result<Value, String> {
    let items = elements_to(&list, "find without on")?;
    Ok(Value::list(items.iter().filter(|item| !contains(&omit, item)).cloned().collect()))
}

/// `has`: nil has nothing.
pub(crate) fn has(needle: Value, haystack: Value) -> Result<bool, String> {
    match haystack {
        Value::Nil => Ok(false),
        haystack => Ok(contains(&elements_to(&haystack, "find has on")?, &needle)),
    }
}

fn contains(haystack: &[Value], needle: &Value) -> bool {
    haystack.iter().any(|item| needle.deep_equal(item))
}

/// `concat`: the elements of all lists; a nil slice if there are none.
pub(crate) fn concat(Rest(lists): Rest<Value>) -> Result<Value, String> {
    let mut all = Vec::new();
    for list in &lists {
        let items = match list {
            Value::Nil => return Err(NIL_DEREFERENCE.to_owned()),
            other => elements(other).ok_or_else(|| format!("Cannot concat type {} as list", other.kind()))?,
        };
        if !meter::claim((all.len() + items.len()) * size_of::<Value>()) {
            break;
        }
        all.extend_from_slice(&items);
    }
    Ok(if all.is_empty() { NIL_LIST } else { Value::list(all) })
}

/// `slice`: from the first index (0) to before the second (the length); keeps the slice's type.
pub(crate) fn slice(list: Value, Rest(indices): Rest<Value>) -> Result<Value, String> {
    let items = match &list {
        Value::Nil => return Err(NIL_DEREFERENCE.to_owned()),
        other => {
            elements(other).ok_or_else(|| format!("list should be type of slice or array but {}", other.kind()))?
        }
    };
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let bound = |index: usize| indices.get(index).map(|value| usize::try_from(to_int64(value)).ok());
    let start = bound(0).unwrap_or(Some(0));
    let end = bound(1).unwrap_or(Some(items.len()));
    let part = start.zip(end).and_then(|(start, end)| items.get(start..end));
    let part = part.ok_or("reflect.Value.Slice: slice index out of bounds")?;
    let elem = if let Value::List(list) = &list { list.elem() } else { Elem::Any };
    Ok(Value::List(List::new(elem, part.to_vec())))
}

/// `chunk`: lists of `size` elements, the last maybe shorter.
pub(crate) fn chunk(size: i64, list: Value) -> Result<Value, String> {
    const TOO_LARGE: &str = "runtime error: makeslice: len out of range";
    let items = elements_to(&list, "chunk")?;
    let chunk = |items: &[Value]| Value::list(items.to_vec());
    let chunks = match usize::try_from(size) {
        Ok(0) => return Err(TOO_LARGE.to_owned()),
        Ok(size) => items.chunks(size).map(chunk).collect(),
        // Go computes floor((length - 1) / size) + 1 chunks also of a negative size.
        Err(_) => match items.len() {
            0 => return Err(TOO_LARGE.to_owned()),
            1 if size == -1 => return Err(TOO_LARGE.to_owned()),
            1 => vec![chunk(&items)],
            length if size.unsigned_abs() >= length as u64 - 1 => Vec::new(),
            _ => return Err(TOO_LARGE.to_owned()),
        },
    };
    Ok(Value::List(List::new(Elem::List, chunks)))
}

/// `sortAlpha`: the texts of the elements in byte order; of a scalar its own text.
pub(crate) fn sort_alpha(list: Value) -> Value {
    if !meter::claim_texts(elements(&list).map_or(0, |items| items.len()), 0) {
        return list;
    }
    let mut texts: Vec<_> = match elements(&list) {
        // Sprig hands a list of texts on as it is.
        Some(_) if matches!(&list, Value::List(list) if list.is_nil() && list.elem() == Elem::String) => return list,
        Some(items) => items.iter().filter(|item| !matches!(item, Value::Nil)).map(text_of).collect(),
        None => vec![text_of(&list)],
    };
    texts.sort_unstable();
    Value::strings(texts)
}
