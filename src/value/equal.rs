//! Go's `reflect.DeepEqual`.

use std::collections::BTreeSet;

use crate::value::{List, Map, Value, meter};

/// Below this depth it is noted which collections are compared: what contains itself, or the same thing often, is as deep
/// at some time, and little else is.
const NOTED: usize = 2;

/// Pairs of collections that are compared or have been found equal; Go takes them for equal where it meets them again.
type Pairs = BTreeSet<(usize, usize)>;

impl Value {
    /// `reflect.DeepEqual`: same type and same content all the way down; `1` is not `1.0`, NaN equals nothing.
    pub fn deep_equal(&self, other: &Self) -> bool {
        equal(self, other, 0, &mut Pairs::new())
    }
}

/// Once nothing more is granted all are equal, so that whoever searches comes to an end.
fn equal(a: &Value, b: &Value, depth: usize, pairs: &mut Pairs) -> bool {
    if !meter::visit(0) || !meter::enter(depth) {
        return true;
    }
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        #[expect(clippy::float_cmp, reason = "DeepEqual compares floats by ==")]
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::String(a), Value::String(b)) | (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => a.ptr_eq(b) || lists_equal(a, b, depth + 1, pairs),
        (Value::Map(a), Value::Map(b)) => a.ptr_eq(b) || maps_equal(a, b, depth + 1, pairs),
        (Value::Object(a), Value::Object(b)) => a.type_name() == b.type_name() && a.deep_equal(b.as_ref()),
        _ => false,
    }
}

fn lists_equal(a: &List, b: &List, depth: usize, pairs: &mut Pairs) -> bool {
    if a.elem() != b.elem() || a.is_nil() != b.is_nil() || a.len() != b.len() {
        return false;
    }
    let known = depth > NOTED && !pairs.insert((a.address(), b.address()));
    known || a.iter().zip(b.iter()).all(|(a, b)| equal(a, b, depth, pairs))
}

fn maps_equal(a: &Map, b: &Map, depth: usize, pairs: &mut Pairs) -> bool {
    if a.map_type() != b.map_type() || a.is_nil() != b.is_nil() || a.len() != b.len() {
        return false;
    }
    let known = depth > NOTED && !pairs.insert((a.address(), b.address()));
    known || a.entries().iter().all(|(key, value)| b.get(key).is_some_and(|other| equal(value, &other, depth, pairs)))
}
