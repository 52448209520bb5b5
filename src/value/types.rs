//! Go's kinds, and the types of parameters that argument conversion needs to know.

use std::fmt;

/// Go's `reflect.Kind`; `Display` is its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is Go's kind of the same name")]
pub enum Kind {
    Invalid,
    Bool,
    Int,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Float64,
    Complex128,
    Func,
    Map,
    Ptr,
    Slice,
    String,
    Struct,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", format!("{self:?}").to_ascii_lowercase())
    }
}

/// The type of a function's parameter, as far as templates can pass one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`
    Any,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `int64`
    Int64,
    /// `uint32`
    Uint32,
    /// `float64`
    Float64,
    /// `string`
    String,
    /// `[]interface {}`
    AnyList,
    /// `map[string]interface {}`
    AnyMap,
    /// Any other, by the name Go prints: a struct that only other functions produce.
    Named(&'static str),
}

impl Type {
    /// The type as Go prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint32 => "uint32",
            Self::Float64 => "float64",
            Self::String => "string",
            Self::AnyList => "[]interface {}",
            Self::AnyMap => "map[string]interface {}",
            Self::Named(name) => name,
        }
    }

    /// Whether `nil` may be passed for it (`text/template`'s `canBeNil`).
    pub fn can_be_nil(self) -> bool {
        match self {
            Self::Any | Self::AnyList | Self::AnyMap => true,
            Self::Named(name) => name.starts_with('*') || name == "io.Writer",
            _ => false,
        }
    }
}

/// What a function or method takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Types of the fixed parameters.
    pub params: Vec<Type>,
    /// Type of each further argument of a variadic function.
    pub variadic: Option<Type>,
}
