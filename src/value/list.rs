//! Go's slices.

use std::ops::Deref;
use std::rc::Rc;

use crate::value::Value;

/// What a slice holds; visible to `typeOf`, `printf "%T"` and in error texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elem {
    /// `[]interface {}`
    Any,
    /// `[]string`
    String,
    /// `[]int`
    Int,
    /// `[]map[string]interface {}`
    Map,
    /// `[][]interface {}`
    List,
}

impl Elem {
    /// The slice's type as Go prints it.
    pub fn list_type_name(self) -> &'static str {
        match self {
            Self::Any => "[]interface {}",
            Self::String => "[]string",
            Self::Int => "[]int",
            Self::Map => "[]map[string]interface {}",
            Self::List => "[][]interface {}",
        }
    }
}

/// An immutable, shared slice; it reads as `&[Value]`.
#[derive(Clone, Debug)]
pub struct List(Rc<(Elem, Vec<Value>)>);

impl List {
    /// A slice of `items`, all of which are of the type `elem` names.
    pub fn new(elem: Elem, items: Vec<Value>) -> Self {
        Self(Rc::new((elem, items)))
    }

    /// The type of its elements.
    pub fn elem(&self) -> Elem {
        self.0.0
    }

    /// Whether both are the very same slice.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for List {
    type Target = [Value];
    fn deref(&self) -> &[Value] {
        &self.0.1
    }
}
