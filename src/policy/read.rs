//! From the text of `operator/policy.yaml` to a policy.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::diagnostic::{Diagnostic, Place, Source};
use crate::policy::cel::Rule;
use crate::policy::probes::{Entry, GroupKind, Probe, Probes, Selector};
use crate::policy::{Collision, Policy, Reference};
use crate::shape::{Faults, Field, Keys, Shape};
use crate::yaml::{self, Node, NodeValue};

/// The file.
pub(super) const POLICY: Shape = Shape::Object(
    &[
        Field::optional("phases", Shape::Names, "Phases in their order: one is entered when all before it are ready."),
        Field::optional(
            "probes",
            Shape::List(&ENTRY),
            "What ready means. Present, even empty, it replaces the built-in rules.",
        ),
        Field::optional(
            "collision",
            Shape::Choice(&Collision::NAMES),
            "Which objects that nobody known to the operator applied may be taken over.",
        ),
        Field::optional("adoptFrom", Shape::List(&REFERENCE), "Resources whose objects this one may take over."),
    ],
    Keys::Required,
);

const ENTRY: Shape = Shape::Object(
    &[
        Field::optional("selector", SELECTOR, "The objects that are probed; what is left out matches all."),
        Field::required("probes", PROBES, "All of them must pass."),
    ],
    Keys::Required,
);

const SELECTOR: Shape = Shape::Object(
    &[
        Field::optional("kind", KIND, "The kind of the objects."),
        Field::optional("matchLabels", Shape::Texts, "Labels that the objects have."),
        IGNORED_TYPE,
    ],
    Keys::Required,
);

const KIND: Shape = Shape::Object(
    &[
        Field::optional("group", Shape::AnyText, "The API group; empty for the core group, left out for any."),
        Field::optional("kind", Shape::Text, "The kind, such as `Deployment`."),
    ],
    Keys::Required,
);

const PROBES: Shape = Shape::List(&PROBE);

const PROBE: Shape = Shape::Object(
    &[
        Field::optional("condition", CONDITION, "A condition of the status."),
        Field::optional("fieldsEqual", FIELDS_EQUAL, "Two fields that must be there and be equal."),
        Field::optional("cel", CEL, "A rule in the Common Expression Language."),
        IGNORED_TYPE,
    ],
    Keys::One,
);

const IGNORED_TYPE: Field = Field::optional("type", Shape::Ignored, "Allowed, and means nothing.");

const CONDITION: Shape = Shape::Object(
    &[
        Field::required("type", Shape::Text, "The type of the condition, such as `Available`."),
        Field::required("status", Shape::Text, "The status that it must have, such as \"True\"."),
    ],
    Keys::Required,
);

const FIELDS_EQUAL: Shape = Shape::Object(
    &[
        Field::required("fieldA", Shape::Path, "The path of a field, such as `.status.updatedReplicas`."),
        Field::required("fieldB", Shape::Path, "The path of another field, such as `.status.replicas`."),
    ],
    Keys::Required,
);

const CEL: Shape = Shape::Object(
    &[
        Field::required("rule", Shape::Text, "An expression that is true of `self`, the object, when it is ready."),
        Field::required("message", Shape::Text, "What is said when it is not."),
    ],
    Keys::Required,
);

const REFERENCE: Shape = Shape::Object(
    &[
        Field::optional("group", Shape::AnyText, "The API group of the resource; empty for the core group."),
        Field::required("kind", Shape::Text, "The kind of the resource."),
        Field::optional("namespace", Shape::AnyText, "Its namespace; by default that of the resource that takes over."),
        Field::required("name", Shape::Text, "Its name."),
    ],
    Keys::Required,
);

/// See [`Policy::read`].
pub(super) fn policy(text: &str, path: &str) -> Result<Policy, Vec<Diagnostic>> {
    let source = Arc::new(Source { name: path.to_owned(), text: text.to_owned() });
    let document = yaml::parse(text).map_err(|error| {
        let fault = Diagnostic::error(error.to_string());
        vec![match error.place() {
            Some(place) => fault.at(&source, place),
            None => fault.within(&source),
        }]
    })?;
    let Some(document) = document.filter(|document| !document.is_null()) else { return Ok(Policy::default()) };
    let mut reader = Reader { faults: Faults::new(source), patterns: 0 };
    reader.faults.check(&document, &POLICY, "operator/policy.yaml");
    let policy = reader.policy(&document);
    let faults = reader.faults.into_diagnostics();
    if faults.is_empty() { Ok(policy) } else { Err(faults) }
}

/// Probes for any object, as a template holds them.
pub(super) fn probes(list: &Json) -> Result<Probes, Vec<Diagnostic>> {
    let source = Arc::new(Source { name: String::new(), text: String::new() });
    let list = node(list);
    let mut reader = Reader { faults: Faults::new(source), patterns: 0 };
    reader.faults.check(&list, &PROBES, "probes");
    let probes = reader.probes(&list);
    let faults = reader.faults.into_diagnostics();
    if faults.is_empty() { Ok(Probes(vec![Entry { selector: Selector::default(), probes }])) } else { Err(faults) }
}

/// Takes what is right, after the rest has been told.
struct Reader {
    faults: Faults,
    patterns: usize,
}

impl Reader {
    fn policy(&mut self, document: &Node) -> Policy {
        let mut phases: Vec<String> =
            items(document, "phases").iter().filter_map(Node::as_str).map(str::to_owned).collect();
        if phases.is_empty() {
            phases.push(String::new());
        }
        let probes = document.get("probes").filter(|probes| !probes.is_null());
        let probes =
            probes.map(|probes| Arc::new(Probes(probes.items().iter().map(|entry| self.entry(entry)).collect())));
        let collision = text(document, "collision").and_then(|name| name.parse().ok()).unwrap_or_default();
        Policy { phases, probes, collision, adopt_from: items(document, "adoptFrom").iter().map(reference).collect() }
    }

    fn entry(&mut self, entry: &Node) -> Entry {
        let selector = entry.get("selector").map(selector).unwrap_or_default();
        let probes = entry.get("probes").map(|probes| self.probes(probes)).unwrap_or_default();
        Entry { selector, probes }
    }

    fn probes(&mut self, list: &Node) -> Vec<Probe> {
        list.items().iter().filter_map(|probe| self.probe(probe)).collect()
    }

    fn probe(&mut self, probe: &Node) -> Option<Probe> {
        if let Some(condition) = probe.get("condition") {
            return Some(Probe::condition(text(condition, "type")?, text(condition, "status")?));
        }
        if let Some(fields) = probe.get("fieldsEqual") {
            return Some(Probe::fields_equal(text(fields, "fieldA")?, text(fields, "fieldB")?));
        }
        let cel = probe.get("cel")?;
        let (rule, message) = (cel.get("rule")?, text(cel, "message")?);
        match Rule::compile(rule.as_str()?, &mut self.patterns) {
            Ok(rule) => Some(Probe::Cel { rule, message: message.to_owned() }),
            Err(fault) => {
                self.faults.add(rule.place, format!("`rule` does not compile: {fault}"), None);
                None
            }
        }
    }
}

fn selector(node: &Node) -> Selector {
    let kind = node.get("kind").map(|kind| GroupKind {
        group: text(kind, "group").map(str::to_owned),
        kind: text(kind, "kind").map(str::to_owned),
    });
    let labels = node.get("matchLabels").map(Node::entries).unwrap_or_default().iter();
    let labels = labels.filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value.as_str()?.to_owned())));
    Selector { kind: kind.unwrap_or_default(), labels: labels.collect() }
}

fn reference(node: &Node) -> Reference {
    let owned = |name| text(node, name).unwrap_or_default().to_owned();
    let namespace = text(node, "namespace").filter(|namespace| !namespace.is_empty()).map(str::to_owned);
    Reference { group: owned("group"), kind: owned("kind"), namespace, name: owned("name") }
}

fn text<'a>(node: &'a Node, name: &str) -> Option<&'a str> {
    node.get(name).and_then(Node::as_str)
}

fn items<'a>(node: &'a Node, name: &str) -> &'a [Node] {
    node.get(name).map(Node::items).unwrap_or_default()
}

/// Data as if it had been written; its places mean nothing.
fn node(json: &Json) -> Node {
    let value = match json {
        Json::Null => NodeValue::Null,
        Json::Bool(truth) => NodeValue::Bool(*truth),
        Json::Number(number) => number.as_i64().map_or(NodeValue::Float(0.0), NodeValue::Int),
        Json::String(text) => NodeValue::String(text.clone()),
        Json::Array(items) => NodeValue::Sequence(items.iter().map(node).collect()),
        Json::Object(entries) => NodeValue::Mapping(
            entries.iter().map(|(key, value)| (node(&Json::String(key.clone())), node(value))).collect(),
        ),
    };
    Node { value, place: Place { line: 1, column: 1, width: 1 } }
}
