//! Sprig's `reflect.go`: types and kinds by Go's names.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use crate::value::{Str, Value};

/// `typeOf`: the type as `%T` prints it.
pub(crate) fn type_of(value: Value) -> Str {
    value.type_name().into()
}

/// `typeIs`
pub(crate) fn type_is(target: Str, value: Value) -> bool {
    target == value.type_name()
}

/// `typeIsLike`: like `typeIs`, pointers to the type included.
pub(crate) fn type_is_like(target: Str, value: Value) -> bool {
    let name = value.type_name();
    target == name || name.strip_prefix('*').is_some_and(|pointed| target == pointed)
}

/// `kindOf`: the name of `reflect`'s kind.
pub(crate) fn kind_of(value: Value) -> String {
    value.kind().to_string()
}

/// `kindIs`
pub(crate) fn kind_is(target: Str, value: Value) -> bool {
    target == value.kind().to_string().as_str()
}

/// `deepEqual`
pub(crate) fn deep_equal(a: Value, b: Value) -> bool {
    a.deep_equal(&b)
}
