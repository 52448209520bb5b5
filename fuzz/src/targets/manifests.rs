//! Any text as what a template rendered: sorted into objects and hooks, stored, and read again.

use std::collections::BTreeMap;

use chart_operator::release::manifest::{Document, hook_objects, sort, stored};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Of four hyphens Helm takes three for the separator, once when it splits the file, and again what it stored.
    if text.lines().any(|line| line.starts_with("----")) {
        return;
    }
    let files = BTreeMap::from([
        ("demo/templates/a.yaml".to_owned(), text.to_owned()),
        ("demo/templates/b.yaml".to_owned(), "kind: Namespace\nmetadata: {name: n}\n".to_owned()),
    ]);
    let sorted = match sort(&files) {
        Ok(sorted) => sorted,
        Err(error) => return assert!(!error.to_string().is_empty(), "an error says something"),
    };
    let objects = sorted.objects().map_err(|error| error.to_string());
    assert_eq!(objects, sorted.objects().map_err(|error| error.to_string()), "the same twice");
    for hook in &sorted.hooks {
        if let Err(error) = hook_objects(hook) {
            assert!(!error.to_string().is_empty(), "an error says something");
        }
    }
    let read = stored(&sorted.text()).unwrap_or_else(|error| panic!("{error}: the stored manifest reads"));
    // A document that begins with its own `---` leaves one behind that has nothing but the comment.
    let bodies = |documents: &[Document]| {
        let bodies = documents.iter().map(|document| document.json.clone());
        bodies.filter(|body| !body.is_null()).collect::<Vec<_>>()
    };
    assert_eq!(bodies(&read), bodies(&sorted.documents), "the stored manifest has the same documents");
}
