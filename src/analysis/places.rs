//! Where something stands in a YAML file.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Place, Source};
use crate::yaml::{self, Node};

/// A place in a document as one in the whole text.
pub(crate) fn shifted(place: Place, lines: usize) -> Place {
    Place { line: place.line + lines, ..place }
}

/// What YAML says against a document that stands `lines` lines below the start of `source`.
pub(crate) fn fault(error: &yaml::Error, source: &Arc<Source>, lines: usize) -> Diagnostic {
    let diagnostic = Diagnostic::error(error.to_string());
    match error.place() {
        Some(place) => diagnostic.at(source, shifted(place, lines)),
        None => diagnostic.within(source),
    }
}

/// The value at `pointer` (`/image/tag`, `/ports/0`): where it stands, or where as much of the way as there is ends.
/// `bool`: whether all of it is there.
pub(crate) fn at_pointer(node: &Node, pointer: &str) -> (Place, bool) {
    let (mut node, mut place) = (node, node.place);
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let item = part.parse().ok().and_then(|index: usize| node.items().get(index)).map(|item| (item.place, item));
        let entry = node.entries().iter().find(|(key, _)| is_named(key, &part));
        // A table stands where its key does: it has no line of its own.
        let entry = entry.map(|(key, value)| (if is_table(value) { key.place } else { value.place }, value));
        let Some((found, next)) = item.or(entry) else { return (place, false) };
        (node, place) = (next, found);
    }
    (place, true)
}

/// The key of an entry, in any letter case as Go reads fields.
pub(crate) fn key(node: &Node, name: &str) -> Option<Place> {
    let mut entries = node.entries().iter();
    entries.find(|(key, _)| key.as_str().is_some_and(|key| key.eq_ignore_ascii_case(name))).map(|(key, _)| key.place)
}

/// The value of an entry, as [`key`].
pub(crate) fn value<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    let mut entries = node.entries().iter();
    entries.find(|(key, _)| key.as_str().is_some_and(|key| key.eq_ignore_ascii_case(name))).map(|(_, value)| value)
}

fn is_named(key: &Node, name: &str) -> bool {
    key.as_str() == Some(name) || key.as_int().is_some_and(|key| key.to_string() == name)
}

fn is_table(node: &Node) -> bool {
    node.is_mapping() || node.is_sequence()
}
