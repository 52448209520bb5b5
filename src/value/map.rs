//! Go's maps with string keys.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::value::{Str, Value};

/// Which Go type the map is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapType {
    /// `map[string]interface {}`
    Any,
    /// `map[string]string`: what `split` returns.
    String,
    /// Helm's `common.Values`: `$` and `.Values`.
    Values,
}

impl MapType {
    /// The type as Go prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "map[string]interface {}",
            Self::String => "map[string]string",
            Self::Values => "common.Values",
        }
    }
}

/// A map that is shared by reference: a change is seen through every clone. Keys are kept in byte order, which is the order
/// in which Go's templates range over them.
#[derive(Clone, Debug)]
pub struct Map {
    map_type: MapType,
    entries: Rc<RefCell<BTreeMap<Str, Value>>>,
}

impl Map {
    /// An empty map.
    pub fn new(map_type: MapType) -> Self {
        Self::from_entries(map_type, BTreeMap::new())
    }

    /// A map of these entries.
    pub fn from_entries(map_type: MapType, entries: BTreeMap<Str, Value>) -> Self {
        Self { map_type, entries: Rc::new(RefCell::new(entries)) }
    }

    /// Which Go type it is of.
    pub fn map_type(&self) -> MapType {
        self.map_type
    }

    /// The same map, converted to another type: what is changed in one is changed in both.
    #[must_use]
    pub fn converted(&self, map_type: MapType) -> Self {
        Self { map_type, entries: Rc::clone(&self.entries) }
    }

    /// The value at `key`, or `None` where there is none (a `nil` value is `Some(Nil)`).
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        self.entries.borrow().get(key.as_ref()).cloned()
    }

    /// Whether `key` is there.
    pub fn contains(&self, key: impl AsRef<[u8]>) -> bool {
        self.entries.borrow().contains_key(key.as_ref())
    }

    /// Sets `key`, for everyone who holds this map.
    pub fn insert(&self, key: impl Into<Str>, value: impl Into<Value>) {
        let old = self.entries.borrow_mut().insert(key.into(), value.into());
        // Dropped only now: its drop may reach this very map.
        drop(old);
    }

    /// Removes `key`, for everyone who holds this map.
    pub fn remove(&self, key: impl AsRef<[u8]>) {
        let old = self.entries.borrow_mut().remove(key.as_ref());
        drop(old);
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys in byte order.
    pub fn keys(&self) -> Vec<Str> {
        self.entries.borrow().keys().cloned().collect()
    }

    /// A snapshot of the entries in byte order of keys: the map may change while it is walked, as in Go.
    pub fn entries(&self) -> Vec<(Str, Value)> {
        self.entries.borrow().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Whether both are the very same map.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.entries, &other.entries)
    }

    /// A map of its own with the same entries; nested maps stay shared.
    #[must_use]
    pub fn shallow_copy(&self) -> Self {
        Self::from_entries(self.map_type, self.entries.borrow().clone())
    }
}

impl FromIterator<(Str, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (Str, Value)>>(entries: I) -> Self {
        Self::from_entries(MapType::Any, entries.into_iter().collect())
    }
}
