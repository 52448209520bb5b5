//! Files of a chart that are no templates: `values.yaml`, `values.schema.json`, `crds/`.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::analysis::apis::Removed;
use crate::analysis::level::Level;
use crate::analysis::places;
use crate::chart::{File, load};
use crate::diagnostic::{Diagnostic, Place, Source, suggestion};
use crate::render;
use crate::values::schema;
use crate::yaml::{self, Document, Node};

/// Says what is wrong with `values.yaml`, in every document of it.
pub(crate) fn values(level: &Level, found: &mut Vec<Diagnostic>) {
    let Some((source, documents)) = level.file("values.yaml").and_then(|file| read(level, file, found)) else { return };
    for (node, lines) in documents {
        if !node.is_mapping() && !node.is_null() {
            let message = format!("expected a mapping of values, found {}", node.kind_name());
            found.push(Diagnostic::error(message).at(&source, places::shifted(node.place, lines)));
        }
    }
}

/// Refuses files in `operator/` that nobody reads.
pub(crate) fn operator(level: &Level, found: &mut Vec<Diagnostic>) {
    const FILES: [&str; 2] = [render::POLICY, render::STATUS];
    for file in level.files.iter().filter(|file| file.name.starts_with("operator/") && !FILES.contains(&&*file.name)) {
        let source = level.source(file);
        let fault =
            Diagnostic::error(format!("expected `{}` or `{}`, found `{}`", render::POLICY, render::STATUS, file.name));
        let hint = suggestion(&file.name, FILES).map_or_else(
            || "what templates include belongs to `templates/`, what they read elsewhere".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        found.push(fault.hint(hint).within(&source));
    }
}

/// A chart's own values; null where they cannot be read, which is told elsewhere.
pub(crate) fn own_values(level: &Level) -> Json {
    let text = level.file("values.yaml").map(|file| level.source(file).text.clone()).unwrap_or_default();
    yaml::to_json(&text, yaml::Numbers::Exact).unwrap_or_default()
}

/// Says whether `values.schema.json` is a schema.
pub(crate) fn values_schema(level: &Level, found: &mut Vec<Diagnostic>) {
    let Some(file) = level.file("values.schema.json") else { return };
    let source = level.source(file);
    if let Err(error) = serde_json::from_slice::<Json>(&file.data) {
        let place = Place { line: error.line().max(1), column: error.column().max(1), width: 1 };
        let text = error.to_string();
        // The place is told beside it.
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
        found.push(Diagnostic::error(format!("values.schema.json is not JSON: {text}")).at(&source, place));
        return;
    }
    // Any chart will do: its values are not looked at where the schema is none.
    let metadata = File::new("Chart.yaml", &b"apiVersion: v2\nname: chart\nversion: 0.0.0\n"[..]);
    let Ok(chart) = load::from_files(vec![metadata, file.clone()]) else { return };
    let Err(schema::Error(faults)) = schema::validate(&chart, &Json::Object(serde_json::Map::new())) else { return };
    for fault in faults.into_iter().flat_map(|of| of.faults).filter(|fault| is_about_schema(fault)) {
        found.push(Diagnostic::error(fault).within(&source));
    }
}

/// Whether a fault says that the schema is none, and not that values do not meet it.
pub(crate) fn is_about_schema(fault: &str) -> bool {
    fault.starts_with("values.schema.json is ")
}

/// Says what in `crds/` can never be created.
pub(crate) fn definitions(level: &Level, found: &mut Vec<Diagnostic>) {
    let is_manifest = |name: &str| {
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    };
    for file in level.files.iter().filter(|file| file.name.starts_with("crds/") && is_manifest(&file.name)) {
        let Some((source, documents)) = read(level, file, found) else { continue };
        for (node, lines) in documents.iter().filter(|(node, _)| !node.is_null()) {
            if let Some((fault, place)) = definition_fault(node) {
                found.push(fault.at(&source, places::shifted(place, *lines)));
            }
        }
    }
}

fn definition_fault(node: &Node) -> Option<(Diagnostic, Place)> {
    if !node.is_mapping() {
        let message = format!("expected a CustomResourceDefinition, found {}", node.kind_name());
        return Some((Diagnostic::error(message), node.place));
    }
    for field in ["/apiVersion", "/kind", "/metadata/name"] {
        let (place, there) = places::at_pointer(node, field);
        if !there {
            let field = field.trim_start_matches('/').replace('/', ".");
            return Some((Diagnostic::error(format!("an object in crds/ must have `{field}`")), place));
        }
    }
    let text = |field| node.get(field).and_then(Node::as_str).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if kind != "CustomResourceDefinition" {
        let message = format!("expected a CustomResourceDefinition in crds/, found `{kind}`");
        let hint =
            "what lies in crds/ is created once, and never changed or deleted: put other objects into templates/";
        return Some((Diagnostic::warning(message).hint(hint), places::at_pointer(node, "/kind").0));
    }
    let removed = Removed::find(version, kind)?;
    Some((removed.tell(kind, Diagnostic::error), places::at_pointer(node, "/apiVersion").0))
}

/// A text and its documents, each with the number of lines above it.
type Documents = (Arc<Source>, Vec<(Node, usize)>);

/// The documents of a file that can be read; what cannot is told.
fn read(level: &Level, file: &File, found: &mut Vec<Diagnostic>) -> Option<Documents> {
    let source = level.source(file);
    if let Err(error) = str::from_utf8(&file.data) {
        found.push(Diagnostic::error(format!("the file is not UTF-8: {error}")).within(&source));
        return None;
    }
    let documents = documents(&source, found);
    Some((source, documents))
}

/// The documents of a text that can be read; what cannot is told.
pub(crate) fn documents(source: &Arc<Source>, found: &mut Vec<Diagnostic>) -> Vec<(Node, usize)> {
    let documents = match yaml::documents(&source.text) {
        Ok(documents) => documents,
        Err(error) => {
            found.push(places::fault(&error, source, 0));
            return Vec::new();
        }
    };
    let mut nodes = Vec::new();
    for Document { text, line_offset } in documents {
        match yaml::parse(text) {
            Ok(node) => nodes.extend(node.map(|node| (node, line_offset))),
            Err(error) => found.push(places::fault(&error, source, line_offset)),
        }
    }
    nodes
}
