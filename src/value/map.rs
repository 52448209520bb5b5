//! Go's maps with string keys.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;

use crate::value::reads::Traced;
use crate::value::{Method, Signature, Str, Type, Value, meter};

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
    /// Nothing in a map that was never made.
    entries: Option<Rc<Entries>>,
}

/// What all clones of a map share.
#[derive(Debug)]
pub(in crate::value) struct Entries {
    cell: RefCell<BTreeMap<Str, Value>>,
    /// Who is told of every read.
    traced: Option<Box<Traced>>,
}

impl Deref for Entries {
    type Target = RefCell<BTreeMap<Str, Value>>;
    fn deref(&self) -> &Self::Target {
        &self.cell
    }
}

impl Map {
    /// An empty map.
    pub fn new(map_type: MapType) -> Self {
        Self::from_entries(map_type, BTreeMap::new())
    }

    /// A map of these entries.
    pub fn from_entries(map_type: MapType, entries: BTreeMap<Str, Value>) -> Self {
        Self::made(map_type, entries, None)
    }

    /// A map of these entries, whose reads `traced` is told of.
    pub(in crate::value) fn traced(map_type: MapType, entries: BTreeMap<Str, Value>, traced: Traced) -> Self {
        Self::made(map_type, entries, Some(Box::new(traced)))
    }

    fn made(map_type: MapType, entries: BTreeMap<Str, Value>, traced: Option<Box<Traced>>) -> Self {
        meter::hold_map(entries.len());
        Self { map_type, entries: Some(Rc::new(Entries { cell: RefCell::new(entries), traced })) }
    }

    /// Go's nil map: it reads as an empty one, but is `null` in JSON and equal to nil, and nothing can be put into it.
    pub const fn nil(map_type: MapType) -> Self {
        Self { map_type, entries: None }
    }

    /// Whether it is Go's nil map, which an empty one is not.
    pub fn is_nil(&self) -> bool {
        self.entries.is_none()
    }

    /// What `read` makes of the entries; of no entries where the map is nil.
    fn read<T>(&self, read: impl FnOnce(&BTreeMap<Str, Value>) -> T) -> T {
        match &self.entries {
            Some(entries) => read(&entries.borrow()),
            None => read(&BTreeMap::new()),
        }
    }

    fn reads_key(&self, key: &[u8]) {
        if let Some(traced) = self.entries.as_ref().and_then(|entries| entries.traced.as_ref()) {
            traced.key(key);
        }
    }

    fn reads_keys(&self) {
        if let Some(traced) = self.entries.as_ref().and_then(|entries| entries.traced.as_ref()) {
            traced.keys();
        }
    }

    fn reads_all(&self) {
        if let Some(traced) = self.entries.as_ref().and_then(|entries| entries.traced.as_ref()) {
            traced.keys();
            self.read(|entries| entries.keys().for_each(|key| traced.key(key)));
        }
    }

    /// Which Go type it is of.
    pub fn map_type(&self) -> MapType {
        self.map_type
    }

    /// The same map, converted to another type: what is changed in one is changed in both.
    #[must_use]
    pub fn converted(&self, map_type: MapType) -> Self {
        Self { map_type, entries: self.entries.clone() }
    }

    /// The value at `key`, or `None` where there is none (a `nil` value is `Some(Nil)`).
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        self.reads_key(key.as_ref());
        self.read(|entries| entries.get(key.as_ref()).cloned())
    }

    /// Whether `key` is there.
    pub fn contains(&self, key: impl AsRef<[u8]>) -> bool {
        self.reads_key(key.as_ref());
        self.read(|entries| entries.contains_key(key.as_ref()))
    }

    /// Sets `key`, for everyone who holds this map. A nil map stays as it is: where Go would panic, the caller asks
    /// [`Map::is_nil`] first.
    pub fn insert(&self, key: impl Into<Str>, value: impl Into<Value>) {
        let Some(entries) = &self.entries else { return };
        let value = value.into();
        meter::changed(entries, &value);
        let old = entries.borrow_mut().insert(key.into(), value);
        if old.is_none() {
            meter::hold_entry(self.size());
        }
        // Dropped only now: its drop may reach this very map.
        drop(old);
    }

    /// Removes `key`, for everyone who holds this map.
    pub fn remove(&self, key: impl AsRef<[u8]>) {
        let Some(entries) = &self.entries else { return };
        let old = entries.borrow_mut().remove(key.as_ref());
        if old.is_some() {
            meter::release_entry(self.size());
        }
        drop(old);
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.reads_keys();
        self.size()
    }

    /// [`Map::len`], of which nobody is told: for who only counts what work costs.
    pub fn size(&self) -> usize {
        self.read(BTreeMap::len)
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys in byte order.
    pub fn keys(&self) -> Vec<Str> {
        self.reads_keys();
        self.read(|entries| entries.keys().cloned().collect())
    }

    /// A snapshot of the entries in byte order of keys: the map may change while it is walked, as in Go.
    pub fn entries(&self) -> Vec<(Str, Value)> {
        self.reads_all();
        self.read(|entries| entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// The method `name` of Helm's `common.Values`: `AsMap`, `Encode`, `PathValue` and `Table`.
    pub(crate) fn method(&self, name: &[u8]) -> Option<Method> {
        if self.map_type != MapType::Values {
            return None;
        }
        let values = self.clone();
        match name {
            b"AsMap" => Some(Method {
                signature: Signature { params: Vec::new(), variadic: None },
                call: Box::new(move |_| Ok(Value::Map(values.converted(MapType::Any)))),
            }),
            b"Table" => Some(Method {
                signature: Signature { params: vec![Type::String], variadic: None },
                call: Box::new(move |args| values.table(args.first().and_then(Value::as_str))),
            }),
            // Nothing that a template can reach is a writer.
            b"Encode" => Some(Method {
                signature: Signature { params: vec![Type::Named("io.Writer")], variadic: None },
                call: Box::new(|_| Err("runtime error: invalid memory address or nil pointer dereference".to_owned())),
            }),
            b"PathValue" => Some(Method {
                signature: Signature { params: vec![Type::String], variadic: None },
                call: Box::new(move |args| values.path_value(args.first().and_then(Value::as_str))),
            }),
            _ => None,
        }
    }

    /// The value at a path of keys with dots between them, which is no map.
    fn path_value(&self, path: Option<&Str>) -> Result<Value, String> {
        let path = path.filter(|path| !path.is_empty()).ok_or("YAML path cannot be empty")?;
        let (way, key) = match path.iter().rposition(|byte| *byte == b'.') {
            Some(dot) => (path.get(..dot), path.get(dot + 1..).unwrap_or_default()),
            None => (None, &**path),
        };
        let table = match way {
            Some(way) => self.table(Some(&way.into())).ok(),
            None => Some(Value::Map(self.clone())),
        };
        match table.as_ref().and_then(|table| table.as_map()?.get(key)) {
            Some(Value::Map(_)) | None => Err(format!("{:?} is not a value", Str::from(key))),
            Some(value) => Ok(value),
        }
    }

    /// The map at a path of keys with dots between them.
    fn table(&self, path: Option<&Str>) -> Result<Value, String> {
        let mut table = self.clone();
        for key in path.into_iter().flat_map(|path| path.split(|byte| *byte == b'.')) {
            match table.get(key) {
                Some(Value::Map(inner)) => table = inner,
                _ => return Err(format!("{:?} is not a table", Str::from(key))),
            }
        }
        Ok(Value::Map(table.converted(MapType::Values)))
    }

    /// Where it is: the same for the very same map only, as long as it is there.
    pub(in crate::value) fn address(&self) -> usize {
        self.entries.as_ref().map_or(0, |entries| Rc::as_ptr(entries).addr())
    }

    /// Whether both are the very same map.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        match (&self.entries, &other.entries) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// A map of its own with the same entries; nested maps stay shared.
    #[must_use]
    pub fn shallow_copy(&self) -> Self {
        self.reads_all();
        Self::from_entries(self.map_type, self.read(Clone::clone))
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        let Some(entries) = self.entries.as_ref().filter(|entries| Rc::strong_count(entries) == 1) else { return };
        let entries = entries.try_borrow_mut().map(|mut entries| std::mem::take(&mut *entries));
        if let Ok(entries) = entries {
            meter::release_map();
            meter::release_entries(&entries);
            meter::bury(meter::Remains::Map(entries));
        }
    }
}

impl FromIterator<(Str, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (Str, Value)>>(entries: I) -> Self {
        Self::from_entries(MapType::Any, entries.into_iter().collect())
    }
}
