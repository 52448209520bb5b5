//! Operators.

use std::cmp::Ordering;

use crate::policy::cel::eval::overload;
use crate::policy::cel::tree::Operator;
use crate::policy::cel::value::{Map, Value};
use crate::policy::cel::{Error, Purse};

/// The value of an operator with two operands.
pub(super) fn binary<'a>(
    operator: Operator,
    left: &Value<'a>,
    right: &Value<'a>,
    purse: &Purse,
) -> Result<Value<'a>, Error> {
    let ordered =
        |wanted: fn(Ordering) -> bool| compare(operator, left, right, purse).map(|order| order.is_some_and(wanted));
    let truth = match operator {
        Operator::Equal => equal(left, right, purse),
        Operator::Unequal => equal(left, right, purse).map(|equal| !equal),
        Operator::Less => ordered(Ordering::is_lt),
        Operator::AtMost => ordered(Ordering::is_le),
        Operator::Greater => ordered(Ordering::is_gt),
        Operator::AtLeast => ordered(Ordering::is_ge),
        Operator::In => contains(right, left, purse),
        _ => return calculate(operator, left, right, purse),
    };
    truth.map(Value::Bool)
}

/// `None` where nothing is true of the order, as with NaN.
fn compare(operator: Operator, left: &Value<'_>, right: &Value<'_>, purse: &Purse) -> Result<Option<Ordering>, Error> {
    let numbers = left.is_number() && right.is_number();
    match (left, right) {
        (Value::Text(one), Value::Text(two)) => purse.pay_bytes(one.len().min(two.len()))?,
        (Value::Bool(_), Value::Bool(_)) => {}
        _ if numbers => {}
        _ => return Err(overload(operator.sign(), [left, right])),
    }
    Ok(left.order(right))
}

/// Whether two values are the same; those of different types are not, but for numbers.
pub(super) fn equal(left: &Value<'_>, right: &Value<'_>, purse: &Purse) -> Result<bool, Error> {
    purse.pay(1)?;
    match (left, right) {
        (Value::Null, Value::Null) | (Value::Optional(None), Value::Optional(None)) => Ok(true),
        (Value::Type(one), Value::Type(two)) => Ok(one == two),
        (Value::Text(one), Value::Text(two)) => {
            purse.pay_bytes(if one.len() == two.len() { one.len() } else { 0 })?;
            Ok(**one == **two)
        }
        (Value::List(one), Value::List(two)) => {
            let different = |(one, two): &(Value<'_>, Value<'_>)| equal(one, two, purse).map(|same| !same);
            Ok(one.len() == two.len() && !any(one.iter().zip(two.iter()), different)?)
        }
        (Value::Map(one), Value::Map(two)) => equal_maps(one, two, purse),
        (Value::Optional(Some(one)), Value::Optional(Some(two))) => equal(one, two, purse),
        _ => Ok(left.order(right) == Some(Ordering::Equal)),
    }
}

fn equal_maps(one: &Map<'_>, two: &Map<'_>, purse: &Purse) -> Result<bool, Error> {
    if one.len() != two.len() {
        return Ok(false);
    }
    purse.pay(one.len() + two.len())?;
    let others = two.entries();
    for (key, value) in one.entries() {
        let mut same = false;
        for (other, found) in &others {
            if equal(&key, other, purse)? {
                same = equal(&value, found, purse)?;
                break;
            }
        }
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

fn contains(container: &Value<'_>, item: &Value<'_>, purse: &Purse) -> Result<bool, Error> {
    let equal_to = |found: &Value<'_>| equal(found, item, purse);
    match container {
        Value::List(items) => any(items.iter(), equal_to),
        Value::Map(Map::Part(entries)) => match item {
            Value::Text(key) => purse.pay_bytes(key.len()).map(|()| entries.contains_key(&**key)),
            _ => Ok(false),
        },
        Value::Map(Map::Made(entries)) => any(entries.iter().map(|(key, _)| key.clone()), equal_to),
        _ => Err(overload("in", [item, container])),
    }
}

fn any<T>(items: impl Iterator<Item = T>, wanted: impl Fn(&T) -> Result<bool, Error>) -> Result<bool, Error> {
    for item in items {
        if wanted(&item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn calculate<'a>(operator: Operator, left: &Value<'a>, right: &Value<'a>, purse: &Purse) -> Result<Value<'a>, Error> {
    match (operator, left, right) {
        (_, Value::Int(one), Value::Int(two)) => int(operator, *one, *two).map(Value::Int),
        (_, Value::Uint(one), Value::Uint(two)) => uint(operator, *one, *two).map(Value::Uint),
        (Operator::Add, Value::Double(one), Value::Double(two)) => Ok(Value::Double(one + two)),
        (Operator::Subtract, Value::Double(one), Value::Double(two)) => Ok(Value::Double(one - two)),
        (Operator::Multiply, Value::Double(one), Value::Double(two)) => Ok(Value::Double(one * two)),
        (Operator::Divide, Value::Double(one), Value::Double(two)) => Ok(Value::Double(one / two)),
        (Operator::Add, Value::Text(one), Value::Text(two)) => {
            purse.pay_bytes(one.len() + two.len())?;
            Ok(Value::text([&**one, &**two].concat()))
        }
        (Operator::Add, Value::List(one), Value::List(two)) => {
            purse.pay(one.len() + two.len())?;
            Ok(Value::list(one.iter().chain(two.iter()).collect::<Vec<_>>()))
        }
        _ => Err(overload(operator.sign(), [left, right])),
    }
}

fn int(operator: Operator, one: i64, two: i64) -> Result<i64, Error> {
    let result = match operator {
        Operator::Add => one.checked_add(two),
        Operator::Subtract => one.checked_sub(two),
        Operator::Multiply => one.checked_mul(two),
        _ if two == 0 => return Err(Error::Division),
        Operator::Divide => one.checked_div(two),
        _ => one.checked_rem(two),
    };
    result.ok_or(Error::Overflow)
}

fn uint(operator: Operator, one: u64, two: u64) -> Result<u64, Error> {
    let result = match operator {
        Operator::Add => one.checked_add(two),
        Operator::Subtract => one.checked_sub(two),
        Operator::Multiply => one.checked_mul(two),
        _ if two == 0 => return Err(Error::Division),
        Operator::Divide => one.checked_div(two),
        _ => one.checked_rem(two),
    };
    result.ok_or(Error::Overflow)
}

/// `-value`
pub(super) fn negate<'a>(value: &Value<'a>) -> Result<Value<'a>, Error> {
    match value {
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or(Error::Overflow),
        Value::Double(number) => Ok(Value::Double(-number)),
        other => Err(overload("-", [other])),
    }
}

/// A number as an index of a list.
pub(super) fn index(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(index) => Some(*index),
        Value::Uint(index) => i64::try_from(*index).ok(),
        _ => None,
    }
}
