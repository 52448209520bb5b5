//! Values while they are being coalesced.
//!
//! Helm coalesces Go maps in place, and maps are shared while it does: a parent's `global.a.b` is the very map its
//! sub-chart sees, so that defaults of the sub-chart below it show up in the parent and in later sub-charts. Charts are
//! rendered with such values, so tables are shared by reference here too; nothing of it leaves the module.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value as Json;

/// A value: a table, or anything else.
#[derive(Clone, Debug)]
pub(crate) enum Tree {
    Table(Table),
    /// Everything that is no object: it is replaced as a whole, never merged.
    Leaf(Json),
}

/// A table, shared by reference.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table(Rc<RefCell<BTreeMap<Rc<str>, Tree>>>);

impl Tree {
    pub(crate) fn new(json: &Json) -> Self {
        match json {
            Json::Object(_) => Self::Table(Table::new(json)),
            leaf => Self::Leaf(leaf.clone()),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Leaf(Json::Null))
    }

    pub(crate) fn table(&self) -> Option<&Table> {
        if let Self::Table(table) = self { Some(table) } else { None }
    }

    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::Table(table) => table.to_json(),
            Self::Leaf(json) => json.clone(),
        }
    }
}

impl Table {
    /// A table of its own with what `json` holds; empty where that is no object.
    pub(crate) fn new(json: &Json) -> Self {
        let entries = json.as_object().into_iter().flatten();
        Self(Rc::new(RefCell::new(entries.map(|(key, value)| (Rc::from(key.as_str()), Tree::new(value))).collect())))
    }

    pub(crate) fn get(&self, key: &str) -> Option<Tree> {
        self.0.borrow().get(key).cloned()
    }

    pub(crate) fn insert(&self, key: impl Into<Rc<str>>, value: Tree) {
        self.0.borrow_mut().insert(key.into(), value);
    }

    pub(crate) fn remove(&self, key: &str) {
        self.0.borrow_mut().remove(key);
    }

    /// The entries as they are now: the table may change while they are walked.
    pub(crate) fn entries(&self) -> Vec<(Rc<str>, Tree)> {
        self.0.borrow().iter().map(|(key, value)| (Rc::clone(key), value.clone())).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// A table of its own with the same entries; nested tables stay shared.
    pub(crate) fn shallow_copy(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    /// Removes every null, here and in nested tables.
    pub(crate) fn remove_nulls(&self) {
        self.0.borrow_mut().retain(|_, value| !value.is_null());
        for (_, value) in self.entries() {
            if let Tree::Table(table) = value {
                table.remove_nulls();
            }
        }
    }

    /// The nested table at a dotted path.
    pub(crate) fn at(&self, path: &str) -> Option<Self> {
        path.split('.').try_fold(self.clone(), |table, key| table.get(key)?.table().cloned())
    }

    pub(crate) fn to_json(&self) -> Json {
        Json::Object(self.0.borrow().iter().map(|(key, value)| (String::from(&**key), value.to_json())).collect())
    }
}
