//! Go's `reflect.DeepEqual`.

use crate::value::Value;

/// How deep values are compared. Two that contain themselves have no end; where Go meets them again it takes them for equal.
const MAX_DEPTH: usize = 1_000;

impl Value {
    /// `reflect.DeepEqual`: same type and same content all the way down; `1` is not `1.0`, NaN equals nothing.
    pub fn deep_equal(&self, other: &Self) -> bool {
        self.equal_within(other, MAX_DEPTH)
    }

    fn equal_within(&self, other: &Self, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return true };
        match (self, other) {
            (Self::Nil, Self::Nil) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            #[expect(clippy::float_cmp, reason = "DeepEqual compares floats by ==")]
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::String(a), Self::String(b)) | (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::List(a), Self::List(b)) => {
                a.ptr_eq(b)
                    || a.elem() == b.elem()
                        && a.is_nil() == b.is_nil()
                        && a.len() == b.len()
                        && a.iter().zip(b.iter()).all(|(a, b)| a.equal_within(b, depth))
            }
            (Self::Map(a), Self::Map(b)) => a.ptr_eq(b) || maps_equal(a, b, depth),
            (Self::Object(a), Self::Object(b)) => a.type_name() == b.type_name() && a.deep_equal(b.as_ref()),
            _ => false,
        }
    }
}

fn maps_equal(a: &crate::value::Map, b: &crate::value::Map, depth: usize) -> bool {
    a.map_type() == b.map_type()
        && a.is_nil() == b.is_nil()
        && a.len() == b.len()
        && a.entries().iter().all(|(key, value)| b.get(key).is_some_and(|other| value.equal_within(&other, depth)))
}
