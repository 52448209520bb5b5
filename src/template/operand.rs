//! What an expression evaluates to.

use crate::value::{Elem, Int, IntKind, List, Map, MapType, Type, Value};

/// A value, and whether it is still inside an `interface {}` as an element of a map or slice is. That shows in error texts,
/// and tells the nil a map gives for a missing key (an interface that holds nothing) from no value at all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operand {
    pub(crate) value: Value,
    pub(crate) boxed: bool,
}

impl Operand {
    /// No value at all (Go's zero `reflect.Value`).
    pub(crate) const NONE: Self = Self { value: Value::Nil, boxed: false };

    /// A value of its own type.
    pub(crate) fn plain(value: Value) -> Self {
        Self { value, boxed: false }
    }

    /// A value in an `interface {}`.
    pub(crate) fn boxed(value: Value) -> Self {
        Self { value, boxed: true }
    }

    /// The value out of its interface, as at the end of each command of a pipeline.
    pub(crate) fn unboxed(self) -> Self {
        Self { value: self.value, boxed: false }
    }

    /// Whether it is no value at all.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self.value, Value::Nil) && !self.boxed
    }

    /// Whether it is an interface that holds nothing.
    pub(crate) fn is_nil_interface(&self) -> bool {
        matches!(self.value, Value::Nil) && self.boxed
    }

    /// Its static type as Go prints it.
    pub(crate) fn type_name(&self) -> &str {
        if self.boxed { "interface {}" } else { self.value.type_name() }
    }
}

/// What a map gives for a key: nil, or `""` of a `map[string]string`, where there is none.
pub(crate) fn map_element(map: &Map, key: &[u8]) -> Operand {
    let value = map.get(key);
    match map.map_type() {
        MapType::String => Operand::plain(value.unwrap_or_else(|| Value::from(""))),
        MapType::Any | MapType::Values => Operand::boxed(value.unwrap_or_default()),
    }
}

/// The element of a list.
pub(crate) fn list_element(list: &List, index: usize) -> Option<Operand> {
    let value = list.get(index)?.clone();
    Some(Operand { value, boxed: list.elem() == Elem::Any })
}

/// An element of a `[]byte`, or of a string that is indexed.
pub(crate) fn byte(byte: u8) -> Value {
    Value::Int(Int::new(IntKind::Uint8, i64::from(byte)))
}

/// Whether Go lets the value be assigned to a parameter of type `to`.
pub(crate) fn is_assignable(value: &Value, to: Type) -> bool {
    match (to, value) {
        (Type::Any, _)
        | (Type::Bool, Value::Bool(_))
        | (Type::Float64, Value::Float(_))
        | (Type::String, Value::String(_)) => true,
        (Type::Int, Value::Int(int)) => int.kind() == IntKind::Int,
        (Type::Int64, Value::Int(int)) => int.kind() == IntKind::Int64,
        (Type::Uint32, Value::Int(int)) => int.kind() == IntKind::Uint32,
        (Type::AnyList, Value::List(list)) => list.elem() == Elem::Any,
        (Type::AnyMap, Value::Map(map)) => map.map_type() != MapType::String,
        (Type::Named(name), value) => {
            let found = value.type_name();
            // A pointer is followed once where the value is asked for.
            found == name || found.strip_prefix('*') == Some(name)
        }
        _ => false,
    }
}
