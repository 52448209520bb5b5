//! Resources to try a chart with.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::analysis::files::documents;
use crate::analysis::places;
use crate::diagnostic::{Diagnostic, Place, Source};
use crate::yaml::{Node, Numbers};

/// A resource in a file.
#[derive(Clone, Debug)]
pub struct Sample {
    source: Arc<Source>,
    node: Node,
    /// Lines above its document.
    lines: usize,
    /// For instance `example.com/v1alpha1`.
    pub api_version: String,
    /// For instance `Web`.
    pub kind: String,
    /// Its name; never empty.
    pub name: String,
    /// Its namespace, maybe empty.
    pub namespace: String,
    /// Its `spec`: an object.
    pub spec: Json,
    /// All of it.
    pub resource: Json,
}

/// The resources in `text`, a file called `name`, and what is wrong with it.
pub fn samples(name: &str, text: &str) -> (Vec<Sample>, Vec<Diagnostic>) {
    let source = Arc::new(Source { name: name.to_owned(), text: text.to_owned() });
    let mut found = Vec::new();
    let mut samples = Vec::new();
    for (node, lines) in documents(&source, &mut found) {
        if node.is_null() {
            continue;
        }
        match sample(&source, node, lines) {
            Ok(sample) => samples.push(sample),
            Err(fault) => found.push(*fault),
        }
    }
    (samples, found)
}

fn sample(source: &Arc<Source>, node: Node, lines: usize) -> Result<Sample, Box<Diagnostic>> {
    let refuse =
        |message: String, place: Place| Box::new(Diagnostic::error(message).at(source, places::shifted(place, lines)));
    let text = |pointer: &str| {
        let field = pointer.trim_start_matches('/').replace('/', ".");
        let found = pointer.split('/').skip(1).try_fold(&node, |node, part| node.get(part));
        match found.and_then(Node::as_str).filter(|text| !text.is_empty()) {
            Some(text) => Ok(text.to_owned()),
            None => Err(refuse(format!("a resource must have `{field}`"), places::at_pointer(&node, pointer).0)),
        }
    };
    let (api_version, kind, name) = (text("/apiVersion")?, text("/kind")?, text("/metadata/name")?);
    let namespace = text("/metadata/namespace").unwrap_or_default();
    if let Some(spec) = node.get("spec").filter(|spec| !spec.is_mapping()) {
        return Err(refuse(format!("expected a mapping for `spec`, found {}", spec.kind_name()), spec.place));
    }
    let resource = node.to_json(Numbers::Exact).map_err(|error| Box::new(places::fault(&error, source, lines)))?;
    let spec = resource.get("spec").cloned().unwrap_or_else(|| json!({}));
    Ok(Sample { source: Arc::clone(source), node, lines, api_version, kind, name, namespace, spec, resource })
}

impl Sample {
    /// A fault of it as a whole.
    pub fn fault(&self, fault: Diagnostic) -> Diagnostic {
        let (place, _) = places::at_pointer(&self.node, "/kind");
        fault.at(&self.source, places::shifted(place, self.lines))
    }

    /// A fault of the value at `pointer` of its `spec`; false if the value does not stand in it.
    pub(crate) fn value_fault(&self, fault: Diagnostic, pointer: &str) -> (Diagnostic, bool) {
        let (place, there) = places::at_pointer(&self.node, &format!("/spec{pointer}"));
        (fault.at(&self.source, places::shifted(place, self.lines)), there)
    }
}
