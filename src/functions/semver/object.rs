//! `semver.Version` as templates see it.

use std::any::Any;
use std::rc::Rc;

use serde_json::Value as Json;

use crate::functions::semver::Version;
use crate::functions::semver::version::{Held, check_metadata, check_prerelease};
use crate::value::{Int, IntKind, Kind, Method, Object, Signature, Str, Type, Value};

/// The type `semver` returns.
const POINTER: &str = "*semver.Version";

type Body = Box<dyn FnOnce(&[Value]) -> Result<Value, String>>;

fn signature(params: Vec<Type>) -> Signature {
    Signature { params, variadic: None }
}

fn method(params: Vec<Type>, call: impl FnOnce(&[Value]) -> Result<Value, String> + 'static) -> Method {
    let call: Body = Box::new(call);
    Method { signature: signature(params), call }
}

/// A method that only tells something.
fn tells(value: Value) -> Method {
    method(Vec::new(), move |_| Ok(value))
}

fn uint64(n: u64) -> Value {
    Value::Int(Int::new(IntKind::Uint64, n.cast_signed()))
}

impl Version {
    /// Methods that Go finds on the value and the pointer alike.
    fn value_method(self: &Rc<Self>, name: &str) -> Option<Method> {
        match name {
            "Major" => Some(tells(uint64(self.major))),
            "Minor" => Some(tells(uint64(self.minor))),
            "Patch" => Some(tells(uint64(self.patch))),
            "Prerelease" => Some(tells(self.prerelease.as_str().into())),
            "Metadata" => Some(tells(self.metadata.as_str().into())),
            "String" => Some(tells(self.to_string().into())),
            "IncPatch" | "IncMinor" | "IncMajor" => {
                let (version, part) = (Rc::clone(self), name.to_owned());
                Some(method(Vec::new(), move |_| version.incremented(&part)))
            }
            "SetPrerelease" | "SetMetadata" => {
                let (version, part) = (Rc::clone(self), name.to_owned());
                Some(method(vec![Type::String], move |args| version.with(&part, args)))
            }
            _ => None,
        }
    }

    /// Methods that need the pointer.
    fn pointer_method(self: &Rc<Self>, name: &str) -> Option<Method> {
        if name == "Original" {
            return Some(tells(self.original.as_str().into()));
        }
        let answer: fn(std::cmp::Ordering) -> Value = match name {
            "Compare" => |order| Value::int(order as i64),
            "Equal" => |order| Value::Bool(order.is_eq()),
            "GreaterThan" => |order| Value::Bool(order.is_gt()),
            "GreaterThanEqual" => |order| Value::Bool(order.is_ge()),
            "LessThan" => |order| Value::Bool(order.is_lt()),
            "LessThanEqual" => |order| Value::Bool(order.is_le()),
            _ => return None,
        };
        let version = Rc::clone(self);
        Some(method(vec![Type::Named(POINTER)], move |args| match args.first().and_then(Value::downcast::<Self>) {
            Some(other) => Ok(answer(version.precedence(other))),
            None => Err(crate::functions::cast::NIL_DEREFERENCE.to_owned()),
        }))
    }

    fn incremented(&self, part: &str) -> Result<Value, String> {
        let next = |number: u64, name: &str| {
            number.checked_add(1).ok_or_else(|| format!("{name} version increment would overflow uint64"))
        };
        let mut changed = Self { prerelease: String::new(), metadata: String::new(), ..self.clone() };
        match part {
            "IncPatch" if !self.prerelease.is_empty() => {}
            "IncPatch" => changed.patch = next(self.patch, "patch")?,
            "IncMinor" => (changed.minor, changed.patch) = (next(self.minor, "minor")?, 0),
            _ => (changed.major, changed.minor, changed.patch) = (next(self.major, "major")?, 0, 0),
        }
        Ok(Value::object(Self::derived(self, changed)))
    }

    fn with(&self, part: &str, args: &[Value]) -> Result<Value, String> {
        let text = args.first().and_then(Value::as_str).map(ToString::to_string).unwrap_or_default();
        let changed = if part == "SetPrerelease" {
            check_prerelease(&text)?;
            Self { prerelease: text, ..self.clone() }
        } else {
            check_metadata(&text)?;
            Self { metadata: text, ..self.clone() }
        };
        Ok(Value::object(Self::derived(self, changed)))
    }
}

impl Object for Version {
    fn type_name(&self) -> &str {
        match self.held {
            Held::ByPointer => POINTER,
            Held::ByValue => "semver.Version",
        }
    }

    fn kind(&self) -> Kind {
        match self.held {
            Held::ByPointer => Kind::Ptr,
            Held::ByValue => Kind::Struct,
        }
    }

    fn print(&self) -> Str {
        self.to_string().into()
    }

    fn printed_fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("major", uint64(self.major)),
            ("minor", uint64(self.minor)),
            ("patch", uint64(self.patch)),
            ("pre", self.prerelease.as_str().into()),
            ("metadata", self.metadata.as_str().into()),
            ("original", self.original.as_str().into()),
        ]
    }

    fn is_stringer(&self) -> bool {
        true
    }

    fn method(self: Rc<Self>, name: &str) -> Option<Method> {
        self.value_method(name).or_else(|| match self.held {
            Held::ByPointer => self.pointer_method(name),
            Held::ByValue => None,
        })
    }

    fn to_json(&self) -> Json {
        Json::String(self.to_string())
    }

    fn deep_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| {
            self.precedence(other).is_eq() && self.metadata == other.metadata && self.original == other.original
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
