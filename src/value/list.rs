//! Go's slices.

use std::ops::Deref;
use std::rc::Rc;

use crate::value::{Value, meter};

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
    /// `[]uint8`: only nil; one with bytes is [`Value::Bytes`].
    Byte,
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
            Self::Byte => "[]uint8",
        }
    }
}

/// An immutable, shared slice; it reads as `&[Value]`.
#[derive(Clone, Debug)]
pub struct List {
    elem: Elem,
    /// Nothing in a slice that was never made: it is empty, but `null` in JSON and equal to nil.
    items: Option<Rc<Vec<Value>>>,
}

impl List {
    /// A slice of `items`, all of which are of the type `elem` names.
    pub fn new(elem: Elem, items: Vec<Value>) -> Self {
        meter::hold_list(items.len());
        Self { elem, items: Some(Rc::new(items)) }
    }

    /// Go's nil slice: what `append` to nothing, or a variable without a value, gives.
    pub const fn nil(elem: Elem) -> Self {
        Self { elem, items: None }
    }

    /// Whether it is Go's nil slice, which an empty one is not.
    pub fn is_nil(&self) -> bool {
        self.items.is_none()
    }

    /// The type of its elements.
    pub fn elem(&self) -> Elem {
        self.elem
    }

    /// Where it is: the same for the very same slice only, as long as it is there.
    pub(in crate::value) fn address(&self) -> usize {
        self.items.as_ref().map_or(0, |items| Rc::as_ptr(items).addr())
    }

    /// Whether both are the very same slice.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        match (&self.items, &other.items) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if let Some(items) = self.items.as_mut().and_then(Rc::get_mut) {
            let items = std::mem::take(items);
            meter::release_list(items.len());
            meter::bury(meter::Remains::List(items));
        }
    }
}

impl Deref for List {
    type Target = [Value];
    fn deref(&self) -> &[Value] {
        self.items.as_deref().map_or(&[], Vec::as_slice)
    }
}
