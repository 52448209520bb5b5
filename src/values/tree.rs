//! Values while they are being coalesced.
//!
//! Helm coalesces Go maps in place, and maps are shared while it does: a parent's `global.a.b` is the very map its
//! sub-chart sees, so that defaults of the sub-chart below it show up in the parent and in later sub-charts. Charts are
//! rendered with such values, so tables are shared by reference here too; nothing of it leaves the module.
//!
//! Most tables are never looked into: each is taken apart only then, and until then borrowed from the data at rest.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

/// A value: a table, or anything else.
#[derive(Clone, Debug)]
pub(crate) enum Tree<'a> {
    Table(Table<'a>),
    /// Everything that is no object: it is replaced as a whole, never merged.
    Leaf(&'a Json),
}

/// A table, shared by reference.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table<'a>(Rc<RefCell<State<'a>>>);

#[derive(Clone, Debug, Default)]
struct State<'a> {
    /// What is in it, until it is looked into.
    at_rest: Option<AtRest<'a>>,
    entries: BTreeMap<&'a str, Tree<'a>>,
}

/// An object of which nothing was taken apart.
#[derive(Clone, Copy, Debug)]
struct AtRest<'a> {
    entries: &'a Map<String, Json>,
    /// Whether its nulls, and those of the objects in it, count as not there.
    without_nulls: bool,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(json: &'a Json) -> Self {
        match json {
            Json::Object(entries) => Self::Table(Table::at_rest(AtRest { entries, without_nulls: false })),
            leaf => Self::Leaf(leaf),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Leaf(Json::Null))
    }

    pub(crate) fn table(&self) -> Option<&Table<'a>> {
        if let Self::Table(table) = self { Some(table) } else { None }
    }

    fn to_json(&self) -> Json {
        match self {
            Self::Table(table) => table.to_json(),
            Self::Leaf(json) => (*json).clone(),
        }
    }
}

impl<'a> AtRest<'a> {
    fn entries(self) -> impl Iterator<Item = (&'a String, &'a Json)> {
        self.entries.iter().filter(move |(_, value)| !(self.without_nulls && value.is_null()))
    }

    fn tree(self, json: &'a Json) -> Tree<'a> {
        match json {
            Json::Object(entries) => Tree::Table(Table::at_rest(AtRest { entries, ..self })),
            leaf => Tree::Leaf(leaf),
        }
    }

    fn to_json(self) -> Json {
        if !self.without_nulls {
            return Json::Object(self.entries.clone());
        }
        let value = |value: &'a Json| match value {
            Json::Object(entries) => AtRest { entries, ..self }.to_json(),
            leaf => leaf.clone(),
        };
        Json::Object(self.entries().map(|(key, json)| (key.clone(), value(json))).collect())
    }
}

impl<'a> Table<'a> {
    /// A table of its own with what `json` holds; empty where that is no object.
    pub(crate) fn new(json: &'a Json) -> Self {
        if let Tree::Table(table) = Tree::new(json) { table } else { Self::default() }
    }

    fn at_rest(at_rest: AtRest<'a>) -> Self {
        Self(Rc::new(RefCell::new(State { at_rest: Some(at_rest), entries: BTreeMap::new() })))
    }

    /// The entries, now taken apart: whoever gets a nested table gets the same.
    fn open(&self) -> RefMut<'_, BTreeMap<&'a str, Tree<'a>>> {
        let mut state = self.0.borrow_mut();
        if let Some(at_rest) = state.at_rest.take() {
            state.entries = at_rest.entries().map(|(key, json)| (key.as_str(), at_rest.tree(json))).collect();
        }
        RefMut::map(state, |state| &mut state.entries)
    }

    pub(crate) fn get(&self, key: &str) -> Option<Tree<'a>> {
        self.open().get(key).cloned()
    }

    pub(crate) fn insert(&self, key: &'a str, value: Tree<'a>) {
        self.open().insert(key, value);
    }

    pub(crate) fn remove(&self, key: &str) {
        self.open().remove(key);
    }

    /// The entries as they are now: the table may change while they are walked.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Tree<'a>)> {
        self.open().iter().map(|(key, value)| (*key, value.clone())).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open().is_empty()
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// A table of its own with the same entries; nested tables stay shared.
    pub(crate) fn shallow_copy(&self) -> Self {
        let entries = self.open().clone();
        Self(Rc::new(RefCell::new(State { at_rest: None, entries })))
    }

    /// Removes every null, here and in nested tables.
    pub(crate) fn remove_nulls(&self) {
        if let Some(at_rest) = &mut self.0.borrow_mut().at_rest {
            at_rest.without_nulls = true;
            return;
        }
        self.open().retain(|_, value| !value.is_null());
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
        let state = self.0.borrow();
        match state.at_rest {
            Some(at_rest) => at_rest.to_json(),
            None => {
                Json::Object(state.entries.iter().map(|(key, value)| ((*key).to_owned(), value.to_json())).collect())
            }
        }
    }
}
