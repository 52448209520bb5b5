//! `index`, `slice` and `len`.

use crate::template::operand::{Operand, byte, list_element, map_element};
use crate::value::{Int, Kind, List, Str, Value};

/// `index x 1 2 3` is `x[1][2][3]`.
pub(crate) fn index(item: &Operand, indexes: &[Operand]) -> Result<Operand, String> {
    if matches!(item.value, Value::Nil) {
        return Err("index of untyped nil".to_owned());
    }
    let mut item = item.clone();
    for index in indexes {
        item = element(&item, &index.value)?;
    }
    Ok(item)
}

fn element(item: &Operand, index: &Value) -> Result<Operand, String> {
    let at = |length: usize| {
        // Go's `reflect` refuses the end, which the check of the index lets through.
        let position = position(index, length)?;
        let inside = (position < length).then_some(position);
        inside.ok_or_else(|| "reflect: slice index out of range".to_owned())
    };
    match &item.value {
        Value::Nil => Err("index of nil pointer".to_owned()),
        Value::List(list) => Ok(list_element(list, at(list.len())?).unwrap_or_default()),
        Value::Bytes(bytes) => Ok(byte_at(bytes, at(bytes.len())?)),
        Value::String(text) => {
            let position = position(index, text.len())?;
            if position == text.len() {
                return Err("reflect: string index out of range".to_owned());
            }
            Ok(byte_at(text, position))
        }
        Value::Map(map) => Ok(map_element(map, key(index)?)),
        Value::Object(object) if object.kind() == Kind::Slice => {
            let entries = object.entries().unwrap_or_default();
            let (_, value) = entries.get(at(entries.len())?).cloned().unwrap_or_default();
            Ok(Operand::plain(value))
        }
        Value::Object(object) if object.kind() == Kind::Map => {
            let name = Str::from(key(index)?);
            Ok(Operand::plain(object.field(&name.to_text()).unwrap_or_default()))
        }
        other => Err(format!("can't index item of type {}", pointed_type(other))),
    }
}

/// The type's name; of a pointer, which Go follows first, that of what it points to.
fn pointed_type(value: &Value) -> &str {
    let name = value.type_name();
    name.strip_prefix('*').unwrap_or(name)
}

fn byte_at(bytes: &Str, position: usize) -> Operand {
    Operand::plain(bytes.get(position).copied().map_or(Value::Nil, byte))
}

fn key(index: &Value) -> Result<&[u8], String> {
    match index {
        Value::Nil => Err("value is nil; should be of type string".to_owned()),
        Value::String(key) => Ok(key),
        other => Err(format!("value has type {}; should be string", other.type_name())),
    }
}

/// An index from 0 to `length`, both included.
fn position(index: &Value, length: usize) -> Result<usize, String> {
    match index {
        Value::Int(int) => in_range(*int, length),
        Value::Nil => Err("cannot index slice/array with nil".to_owned()),
        other => Err(format!("cannot index slice/array with type {}", other.type_name())),
    }
}

fn in_range(int: Int, length: usize) -> Result<usize, String> {
    let position = usize::try_from(int.bits()).ok().filter(|position| *position <= length);
    position.ok_or_else(|| format!("index out of range: {}", int.bits()))
}

/// `slice x 1 2` is `x[1:2]`.
pub(crate) fn slice(item: &Operand, indexes: &[Operand]) -> Result<Value, String> {
    if indexes.len() > 3 && !matches!(item.value, Value::Nil) {
        return Err(format!("too many slice indexes: {}", indexes.len()));
    }
    let length = match &item.value {
        Value::Nil => return Err("slice of untyped nil".to_owned()),
        Value::String(_) if indexes.len() == 3 => return Err("cannot 3-index slice a string".to_owned()),
        Value::String(bytes) | Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let mut positions = [0, length, length];
    for (position_, index) in positions.iter_mut().zip(indexes) {
        *position_ = position(&index.value, length)?;
    }
    let [from, to, end] = positions;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    if to > end {
        return Err(format!("invalid slice index: {to} > {end}"));
    }
    Ok(match &item.value {
        Value::String(text) => Value::string(text.get(from..to).unwrap_or_default()),
        Value::Bytes(bytes) => Value::Bytes(bytes.get(from..to).unwrap_or_default().into()),
        Value::List(list) => Value::List(List::new(list.elem(), list.get(from..to).unwrap_or_default().to_vec())),
        _ => Value::Nil,
    })
}

/// The length of a string, list or map.
pub(crate) fn len(item: &Operand) -> Result<Value, String> {
    let length = match &item.value {
        Value::Nil if item.is_none() => {
            return Err("reflect: call of reflect.Value.Type on zero Value".to_owned());
        }
        Value::Nil => return Err("len of nil pointer".to_owned()),
        Value::String(bytes) | Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Object(object) if matches!(object.kind(), Kind::Map | Kind::Slice) => {
            object.entries().unwrap_or_default().len()
        }
        other => return Err(format!("len of type {}", pointed_type(other))),
    };
    Ok(Value::int(i64::try_from(length).unwrap_or(i64::MAX)))
}
