//! Go's `reflect.DeepEqual`.

use crate::value::Value;

impl Value {
    /// `reflect.DeepEqual`: same type and same content all the way down; `1` is not `1.0`, NaN equals nothing.
    pub fn deep_equal(&self, other: &Self) -> bool {
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
                        && a.len() == b.len()
                        && a.iter().zip(b.iter()).all(|(a, b)| a.deep_equal(b))
            }
            (Self::Map(a), Self::Map(b)) => a.ptr_eq(b) || maps_equal(a, b),
            (Self::Object(a), Self::Object(b)) => a.type_name() == b.type_name() && a.deep_equal(b.as_ref()),
            _ => false,
        }
    }
}

fn maps_equal(a: &crate::value::Map, b: &crate::value::Map) -> bool {
    a.map_type() == b.map_type()
        && a.len() == b.len()
        && a.entries().iter().all(|(key, value)| b.get(key).is_some_and(|other| value.deep_equal(&other)))
}
