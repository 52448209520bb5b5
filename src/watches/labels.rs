//! Reading the `selector` of a watch.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::suggestion;
use crate::release::selector::{Operator, Requirement, Selector, key_fault, value_fault};
use crate::watches::fields::{Field, Fields, Findings, scalar};
use crate::watches::shape;
use crate::yaml::Node;

pub(crate) fn selector(field: Field<'_>, findings: &mut Findings) -> Selector {
    if !field.value.is_mapping() {
        findings.mismatch(field, "a mapping");
        return Selector::default();
    }
    let fields = findings.fields(field.value, &shape::SELECTOR);
    Selector {
        match_labels: match_labels(fields.field("matchLabels"), findings),
        match_expressions: match_expressions(fields.field("matchExpressions"), findings),
    }
}

fn match_labels(field: Option<Field<'_>>, findings: &mut Findings) -> BTreeMap<String, String> {
    let Some(field) = field else { return BTreeMap::new() };
    let entries = findings.string_map(field, "a label has one string as its value");
    for entry in &entries {
        if let Some(fault) = key_fault(&entry.key) {
            findings.fault_with(entry.node.place, format!("`{}` is no name of a label", entry.key), fault);
        }
        if let Some(fault) = value_fault(&entry.value) {
            findings.fault_with(entry.value_node.place, format!("`{}` is no value of a label", entry.value), fault);
        }
    }
    entries.into_iter().map(|entry| (entry.key, entry.value)).collect()
}

fn match_expressions(field: Option<Field<'_>>, findings: &mut Findings) -> Vec<Requirement> {
    let Some(field) = field else { return Vec::new() };
    if !field.value.is_sequence() {
        findings.mismatch(field, "a list");
        return Vec::new();
    }
    field.value.items().iter().filter_map(|item| requirement(item, findings)).collect()
}

fn requirement(item: &Node, findings: &mut Findings) -> Option<Requirement> {
    if !item.is_mapping() {
        findings.fault(item.place, format!("expected `key`, `operator` and `values`, found {}", item.kind_name()));
        return None;
    }
    let fields = findings.fields(item, &shape::REQUIREMENT);
    let key = key(item, &fields, findings);
    let operator = operator(item, &fields, findings);
    let values = values(fields.field("values"), findings);
    let (key, operator) = (key?, operator?);
    let place = fields.field("values").map_or(item.place, |field| field.value.place);
    match (operator.takes_values(), values.is_empty()) {
        (true, true) => findings.fault(place, "`values` must not be empty where the operator is `In` or `NotIn`"),
        (false, false) => {
            findings.fault(place, "`values` must be empty where the operator is `Exists` or `DoesNotExist`");
        }
        _ => {}
    }
    Some(Requirement { key, operator, values })
}

fn key(item: &Node, fields: &Fields<'_>, findings: &mut Findings) -> Option<String> {
    let Some(field) = fields.field("key") else {
        findings.fault(item.place, "`key` is missing: it names the label");
        return None;
    };
    let key = findings.string(Some(field))?;
    if let Some(fault) = key_fault(&key) {
        findings.fault_with(field.value.place, format!("`{key}` is no name of a label"), fault);
    }
    Some(key)
}

fn operator(item: &Node, fields: &Fields<'_>, findings: &mut Findings) -> Option<Operator> {
    let names = || Operator::ALL.iter().map(|(name, _)| *name);
    let known = || names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let Some(field) = fields.field("operator") else {
        findings.fault_with(item.place, "`operator` is missing", format!("use one of {}", known()));
        return None;
    };
    let text = findings.string(Some(field))?;
    let found = Operator::ALL.iter().find(|(name, _)| *name == text);
    if found.is_none() {
        let meant = suggestion(&text, names());
        let hint = meant.map_or_else(|| format!("use one of {}", known()), |name| format!("did you mean `{name}`?"));
        findings.fault_with(field.value.place, format!("unknown operator `{text}`"), hint);
    }
    found.map(|(_, operator)| *operator)
}

fn values(field: Option<Field<'_>>, findings: &mut Findings) -> BTreeSet<String> {
    let Some(field) = field else { return BTreeSet::new() };
    if !field.value.is_sequence() {
        findings.mismatch(field, "a list");
        return BTreeSet::new();
    }
    let mut values = BTreeSet::new();
    for item in field.value.items() {
        let Some(text) = scalar(item) else {
            findings.fault(item.place, format!("expected a string in `values`, found {}", item.kind_name()));
            continue;
        };
        if let Some(fault) = value_fault(&text) {
            findings.fault_with(item.place, format!("`{text}` is no value of a label"), fault);
        }
        values.insert(text);
    }
    values
}
