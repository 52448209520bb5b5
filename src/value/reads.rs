//! What is read of a tree of maps: whoever made it can tell what its reader depends on.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use serde_json::Value as Json;

use crate::value::{Map, MapType, Str, Value};

/// Where something lies in a tree: the keys that lead there.
pub type Path = Vec<Str>;

/// One thing that was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Read {
    /// What lies there, or that nothing does; of a map only that it is one.
    Value(Path),
    /// Which keys the map there has.
    Keys(Path),
}

/// What has been read until now. Lists are read as a whole.
#[derive(Debug, Default)]
pub struct Reads(RefCell<BTreeSet<Read>>);

impl Reads {
    /// What has been read until now.
    pub fn all(&self) -> BTreeSet<Read> {
        self.0.borrow().clone()
    }

    fn add(&self, read: Read) {
        self.0.borrow_mut().insert(read);
    }
}

/// A map's place in a tree whose reads are noted.
#[derive(Debug)]
pub(in crate::value) struct Traced {
    path: Path,
    reads: Rc<Reads>,
}

impl Traced {
    pub(in crate::value) fn key(&self, key: &[u8]) {
        let path = self.path.iter().cloned().chain([key.into()]).collect();
        self.reads.add(Read::Value(path));
    }

    pub(in crate::value) fn keys(&self) {
        self.reads.add(Read::Keys(self.path.clone()));
    }
}

impl Value {
    /// As [`Value::from_json`]; what is read of it is noted in `reads`, below `path`. What a template changes in it is noted
    /// as if it had not been changed.
    pub fn traced(json: &Json, path: &Path, reads: &Rc<Reads>) -> Self {
        let Json::Object(fields) = json else { return Self::from_json(json) };
        let entry = |(key, value): (&String, &Json)| {
            let key = Str::from(key.as_str());
            let path = path.iter().cloned().chain([key.clone()]).collect();
            (key, Self::traced(value, &path, reads))
        };
        let entries = fields.iter().map(entry).collect();
        let traced = Traced { path: path.clone(), reads: Rc::clone(reads) };
        Self::Map(Map::traced(MapType::Any, entries, traced))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What is noted when `reader` reads.
    fn noted(reader: impl Fn(&Map)) -> Vec<String> {
        let reads = Rc::new(Reads::default());
        let json = json!({"a": {"b": 1, "c": {}}, "l": [{"x": 1}], "n": null});
        let tree = Value::traced(&json, &Vec::new(), &reads);
        reader(tree.as_map().unwrap());
        let text = |path: &Path| path.iter().fold(String::new(), |text, key| text + "/" + &key.to_text());
        let read = |read: &Read| match read {
            Read::Value(path) => text(path),
            Read::Keys(path) => format!("{}/*", text(path)),
        };
        reads.all().iter().map(read).collect()
    }

    fn map(map: &Map, key: &str) -> Map {
        map.get(key).unwrap().as_map().unwrap().clone()
    }

    #[test]
    fn what_is_read_of_a_tree_is_noted_and_nothing_else() {
        type Reader = fn(&Map);
        let cases: [(Reader, &str); 9] = [
            (|_| {}, ""),
            (|tree| drop(map(tree, "a").get("b")), "/a /a/b"),
            (|tree| drop(map(tree, "a").get("z")), "/a /a/z"),
            (|tree| _ = tree.contains("n"), "/n"),
            (|tree| drop(tree.get("l")), "/l"),
            (|tree| _ = map(tree, "a").is_empty(), "/a /a/*"),
            (|tree| drop(map(tree, "a").entries()), "/a /a/b /a/c /a/*"),
            (|tree| drop(Value::Map(map(tree, "a")).to_json()), "/a /a/b /a/c /a/* /a/c/*"),
            (
                |tree| drop(Value::Map(map(tree, "a")).deep_copy().as_map().unwrap().get("b")),
                "/a /a/b /a/c /a/* /a/c/*",
            ),
        ];
        for (index, (reader, want)) in cases.into_iter().enumerate() {
            assert_eq!(noted(reader).join(" "), want, "case {index}");
        }
    }

    #[test]
    fn a_map_that_shares_its_entries_is_noted_too_and_a_changed_key_is_noted_where_it_is_read() {
        assert_eq!(noted(|tree| drop(tree.converted(MapType::Values).get("a"))), ["/a"]);
        assert_eq!(noted(|tree| tree.insert("new", 1.0)), [""; 0]);
    }
}
