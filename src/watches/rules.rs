//! Reading the fields that bend what a chart rendered: `patches` and `restrict`.

use std::collections::BTreeSet;

use json_patch::PatchOperation;
use serde_json::Value as Json;

use crate::diagnostic::suggestion;
use crate::release::ignore::{Ignore, is_ours};
use crate::release::patches::{Patch, is_identity};
use crate::release::restrict::{GroupKind, Namespaces, Restrict};
use crate::release::scope::is_core;
use crate::release::target::{Pattern, Target};
use crate::watches::Drift;
use crate::watches::fields::{Field, Fields, Findings, scalar};
use crate::watches::shape;
use crate::yaml::{self, Node, Numbers};

/// The operations of RFC 6902, and the members that each needs beside `op` and `path`.
const OPERATIONS: [(&str, Option<&str>); 6] = [
    ("add", Some("value")),
    ("remove", None),
    ("replace", Some("value")),
    ("move", Some("from")),
    ("copy", Some("from")),
    ("test", Some("value")),
];

/// The items of a list of mappings; what is none of them is a fault.
pub(crate) fn mappings<'a>(field: Option<Field<'a>>, wanted: &str, findings: &mut Findings) -> Vec<&'a Node> {
    let Some(field) = field else { return Vec::new() };
    if !field.value.is_sequence() {
        findings.mismatch(field, "a list");
        return Vec::new();
    }
    let mut found = Vec::new();
    for item in field.value.items() {
        if item.is_mapping() {
            found.push(item);
        } else {
            let message = format!("expected {wanted} in `{}`, found {}", field.name, item.kind_name());
            findings.fault(item.place, message);
        }
    }
    found
}

/// Reads the field `patches`.
pub(crate) fn patches(field: Option<Field<'_>>, findings: &mut Findings) -> Vec<Patch> {
    mappings(field, "`target` and `patch`", findings).into_iter().filter_map(|item| patch(item, findings)).collect()
}

fn patch(item: &Node, findings: &mut Findings) -> Option<Patch> {
    let fields = findings.fields(item, &shape::PATCH);
    let target = fields.field("target").and_then(|field| target(field, findings));
    let operations = fields.field("patch").map(|field| operations(field, findings));
    for name in ["target", "patch"] {
        if fields.field(name).is_none() {
            let hint = "write `target: {kind: Deployment}` and `patch: [{op: remove, path: /spec/replicas}]`";
            findings.fault_with(item.place, format!("`{name}` is missing"), hint);
        }
    }
    Some(Patch { target: target?, operations: operations? })
}

/// Reads a `target`, each part of which may be missing.
fn target(field: Field<'_>, findings: &mut Findings) -> Option<Target> {
    if !field.value.is_mapping() {
        findings.mismatch(field, "a mapping");
        return None;
    }
    let fields = findings.fields(field.value, &shape::TARGET);
    Some(named(&fields, findings))
}

/// The parts of a target among `fields`.
pub(crate) fn named(fields: &Fields<'_>, findings: &mut Findings) -> Target {
    let mut pattern = |name| {
        let field = fields.field(name)?;
        let text = findings.string(Some(field))?;
        let pattern = Pattern::parse(&text);
        if pattern.is_err() {
            let message = format!("`{text}` is no regular expression for `{name}`");
            findings.fault_with(
                field.value.place,
                message,
                "letters, digits and `-` stand for themselves, `.*` for any text",
            );
        }
        pattern.ok()
    };
    Target { group: pattern("group"), kind: pattern("kind"), name: pattern("name") }
}

/// A list of operations, or a text that holds one, as kustomize takes it.
fn operations(field: Field<'_>, findings: &mut Findings) -> Vec<PatchOperation> {
    if let Some(text) = field.value.as_str() {
        return inline(field, text, findings);
    }
    if !field.value.is_sequence() {
        let message = format!("expected a list of operations for `patch`, found {}", field.value.kind_name());
        findings.fault_with(field.value.place, message, "only JSON 6902 patches are taken, no merge patches");
        return Vec::new();
    }
    field.value.items().iter().filter_map(|item| operation(item, findings)).collect()
}

/// What stands in a text has no place of its own: its faults are told at the text.
fn inline(field: Field<'_>, text: &str, findings: &mut Findings) -> Vec<PatchOperation> {
    let parsed = match yaml::parse(text) {
        Ok(Some(node)) if node.is_sequence() => node,
        Ok(_) => {
            let hint = "only JSON 6902 patches are taken, no merge patches";
            findings.fault_with(field.value.place, "expected a list of operations in the text of `patch`", hint);
            return Vec::new();
        }
        Err(error) => {
            findings.fault(field.value.place, format!("the text of `patch` is no YAML: {error}"));
            return Vec::new();
        }
    };
    let before = findings.found.len();
    let operations = parsed.items().iter().filter_map(|item| operation(item, findings)).collect();
    for fault in findings.found.iter_mut().skip(before) {
        fault.place = Some(field.value.place);
    }
    operations
}

fn operation(item: &Node, findings: &mut Findings) -> Option<PatchOperation> {
    if !item.is_mapping() {
        findings.fault(item.place, format!("expected an operation with `op` and `path`, found {}", item.kind_name()));
        return None;
    }
    let member = |name| item.get(name).filter(|node| name == "value" || !node.is_null());
    let names = || OPERATIONS.iter().map(|(name, _)| *name);
    let known = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let Some(op) = member("op").and_then(scalar) else {
        findings.fault_with(item.place, "`op` is missing", format!("use one of {known}"));
        return None;
    };
    let Some((_, needed)) = OPERATIONS.iter().find(|(name, _)| *name == op) else {
        let meant = suggestion(&op, names());
        let hint = meant.map_or_else(|| format!("use one of {known}"), |name| format!("did you mean `{name}`?"));
        findings.fault_with(member("op")?.place, format!("unknown operation `{op}`"), hint);
        return None;
    };
    for name in ["path"].into_iter().chain(*needed) {
        if member(name).is_none() {
            findings.fault(item.place, format!("`{op}` needs `{name}`"));
            return None;
        }
    }
    // Copying from a place, and looking at it, leaves it as it is.
    let changed = [("path", op != "test"), ("from", op == "move")];
    for (name, changes) in changed {
        if let Some(node) = member(name) {
            let text = pointer(node, name, findings)?;
            if changes && is_identity(&text) {
                let message =
                    format!("a patch must leave `apiVersion`, `kind` and `metadata.name` as they are: `{text}`");
                findings.fault(node.place, message);
                return None;
            }
        }
    }
    let json = item.to_json(Numbers::Exact).ok()?;
    serde_json::from_value(json).ok()
}

/// A JSON pointer (RFC 6901).
pub(crate) fn pointer(node: &Node, name: &str, findings: &mut Findings) -> Option<String> {
    let Some(text) = node.as_str() else {
        findings.fault(node.place, format!("expected a JSON pointer for `{name}`, found {}", node.kind_name()));
        return None;
    };
    let escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if (text.is_empty() || text.starts_with('/')) && escaped {
        return Some(text.to_owned());
    }
    let hint = "write for instance `/spec/replicas`; `/` in a name is `~1`, and `~` is `~0`";
    findings.fault_with(node.place, format!("`{text}` is no JSON pointer"), hint);
    None
}

/// Reads the field `restrict`.
pub(crate) fn restrict(field: Option<Field<'_>>, findings: &mut Findings) -> Option<Restrict> {
    let field = field?;
    if !field.value.is_mapping() {
        findings.mismatch(field, "a mapping");
        return None;
    }
    let fields = findings.fields(field.value, &shape::RESTRICT);
    Some(Restrict {
        namespaces: fields.field("namespaces").map(|field| namespaces(field, findings)),
        cluster_scoped: findings.bool(fields.field("clusterScoped")),
        kinds: fields.field("kinds").map(|field| kinds(field, findings)),
    })
}

fn kinds(field: Field<'_>, findings: &mut Findings) -> BTreeSet<GroupKind> {
    for item in field.value.items() {
        if let Some(text) = item.as_str().filter(|text| !text.contains('.') && !is_core(text)) {
            let message = format!("`{text}` is no core kind: no object will be of it");
            findings.warning(item.place, message, Some("write its group too, as in `Deployment.apps`".to_owned()));
        }
    }
    texts(field, "a kind", findings).map(|text| GroupKind::parse(&text)).collect()
}

fn namespaces(field: Field<'_>, findings: &mut Findings) -> Namespaces {
    match field.value.as_str() {
        Some("own") => Namespaces::Own,
        Some(text) => {
            let message = format!("expected `own` or a list for `namespaces`, found `{text}`");
            findings.fault_with(field.value.place, message, format!("write `namespaces: [{text}]`"));
            Namespaces::Own
        }
        None => Namespaces::Listed(texts(field, "a namespace", findings).collect()),
    }
}

/// A list of texts.
fn texts(field: Field<'_>, wanted: &str, findings: &mut Findings) -> impl Iterator<Item = String> + use<> {
    let mut texts = BTreeSet::new();
    if !field.value.is_sequence() {
        findings.mismatch(field, "a list");
    }
    for item in field.value.items() {
        if let Some(text) = scalar(item).filter(|text| !text.is_empty()) {
            texts.insert(text);
        } else {
            let message = format!("expected {wanted} in `{}`, found {}", field.name, item.kind_name());
            findings.fault(item.place, message);
        }
    }
    texts.into_iter()
}

/// Reads the field `ignoreFields`.
pub(crate) fn ignore_fields(field: Option<Field<'_>>, findings: &mut Findings) -> Vec<Ignore> {
    let items = mappings(field, "`kind` and `paths`", findings);
    items.into_iter().map(|item| ignored(item, findings)).collect()
}

fn ignored(item: &Node, findings: &mut Findings) -> Ignore {
    let fields = findings.fields(item, &shape::IGNORED);
    let target = named(&fields, findings);
    let mut paths = Vec::new();
    match fields.field("paths") {
        None => findings.fault_with(item.place, "`paths` is missing", "write for instance `paths: [/spec/replicas]`"),
        Some(field) if !field.value.is_sequence() => findings.mismatch(field, "a list"),
        Some(field) => {
            for item in field.value.items() {
                let Some(path) = pointer(item, "paths", findings) else { continue };
                if is_ours(&path) {
                    let message = format!("`{path}` cannot be ignored: it is what makes the object the resource's own");
                    findings.fault(item.place, message);
                }
                paths.push(path);
            }
        }
    }
    Ignore { target, paths }
}

/// Reads the field `drift`.
pub(crate) fn drift(field: Option<Field<'_>>, findings: &mut Findings) -> Drift {
    const WORDS: [(&str, Drift); 3] = [("correct", Drift::Correct), ("warn", Drift::Warn), ("ignore", Drift::Ignore)];
    let Some(field) = field else { return Drift::default() };
    let Some(text) = findings.string(Some(field)) else { return Drift::default() };
    let found = WORDS.iter().find(|(word, _)| *word == text);
    if found.is_none() {
        let message = format!("expected one of `correct`, `warn`, `ignore` for `drift`, found `{text}`");
        let meant = suggestion(&text, WORDS.iter().map(|(word, _)| *word));
        let hint = meant.map_or_else(
            || "leave it out to have drift corrected".to_owned(),
            |word| format!("did you mean `{word}`?"),
        );
        findings.fault_with(field.value.place, message, hint);
    }
    found.map(|(_, drift)| *drift).unwrap_or_default()
}

/// Reads a field that holds the name of a Namespace or a `ServiceAccount`.
pub(crate) fn name(field: Option<Field<'_>>, longest: usize, findings: &mut Findings) -> Option<String> {
    let field = field?;
    let text = findings.string(Some(field))?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || (c == '.' && longest > 63);
    let ends = [text.chars().next(), text.chars().next_back()];
    let is_word = ends.iter().all(|end| end.is_some_and(|c| c.is_ascii_alphanumeric()));
    if text.len() > longest || !is_word || !text.chars().all(allowed) {
        let hint = format!(
            "a name here is at most {longest} lower case letters, digits and `-`, with a letter or digit at both ends"
        );
        findings.fault_with(field.value.place, format!("`{text}` is no name for `{}`", field.name), hint);
    }
    Some(text)
}

/// What all of these fields say, for whoever asks whether they have changed.
pub(crate) fn text<'a>(fields: impl IntoIterator<Item = Option<Field<'a>>>) -> String {
    let json = fields.into_iter().map(|field| field.and_then(|field| field.value.to_json(Numbers::Exact).ok()));
    Json::from(json.map(Option::unwrap_or_default).collect::<Vec<_>>()).to_string()
}
