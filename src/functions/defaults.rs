//! Sprig's `defaults.go`: what counts as empty, and choosing by it.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use crate::template::function::Rest;
use crate::value::{Kind, Value};

/// `empty`: nil, false, 0, and what has no elements. A struct is never empty.
pub(crate) fn empty(given: Value) -> bool {
    is_empty(&given)
}

/// [`empty`] for the functions of this module.
pub(crate) fn is_empty(given: &Value) -> bool {
    match given {
        Value::Object(object) => match object.kind() {
            Kind::Struct | Kind::Ptr | Kind::Func => false,
            _ => !object.truth(),
        },
        other => !other.truth(),
    }
}

/// `default`: `given` unless it is missing or empty.
pub(crate) fn default(fallback: Value, Rest(given): Rest<Value>) -> Value {
    given.into_iter().next().filter(|given| !is_empty(given)).unwrap_or(fallback)
}

/// `coalesce`: the first that is not empty.
pub(crate) fn coalesce(Rest(values): Rest<Value>) -> Value {
    values.into_iter().find(|value| !is_empty(value)).unwrap_or_default()
}

/// `all`: none is empty.
pub(crate) fn all(Rest(values): Rest<Value>) -> bool {
    !values.iter().any(is_empty)
}

/// `any`: one is not empty.
pub(crate) fn any(Rest(values): Rest<Value>) -> bool {
    !values.iter().all(is_empty)
}

/// `ternary`: the first if the last is true, else the second.
pub(crate) fn ternary(yes: Value, no: Value, condition: bool) -> Value {
    if condition { yes } else { no }
}

/// `deepCopy` and `mustDeepCopy`.
pub(crate) fn deep_copy(value: Value) -> Result<Value, &'static str> {
    match value {
        Value::Nil => Err("reflect: call of reflect.Value.Type on zero Value"),
        other => Ok(other.deep_copy()),
    }
}
