//! The arguments of `lookupSelector`: which objects, and which of their fields.

use std::collections::{BTreeMap, BTreeSet};

use crate::functions::Selection;
use crate::release::selector::{Operator, Requirement, Selector};
use crate::template::quote;
use crate::value::{Str, Value};

/// The selector that an argument stands for: a text, a map as `metav1.LabelSelector`, or nothing, which means all.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn selector(value: &Value) -> Result<Selector, String> {
    match value {
        Value::Nil => Ok(Selector::default()),
        Value::String(text) => Selector::parse(&text.to_text()).map_err(|error| error.to_string()),
        Value::Map(map) => {
            let mut selector = Selector::default();
            for (key, value) in map.entries() {
                match (&*key, value) {
                    (_, Value::Nil) => {}
                    (b"matchLabels", labels) => selector.match_labels = match_labels(&labels)?,
                    (b"matchExpressions", requirements) => {
                        selector.match_expressions = items(&requirements, "matchExpressions")?
                            .iter()
                            .map(requirement)
                            .collect::<Result<_, _>>()?;
                    }
                    _ => return Err(format!("unknown field {} in a label selector", quote(&key))),
                }
            }
            selector.check()?;
            Ok(selector)
        }
        other => Err(format!("expected a text or a map as label selector; found {}", other.type_name())),
    }
}

fn match_labels(labels: &Value) -> Result<BTreeMap<String, String>, String> {
    let Value::Map(labels) = labels else { return Err(expected("a map", "matchLabels", labels)) };
    labels.entries().iter().map(|(key, value)| Ok((key.to_text().into_owned(), text(value, "matchLabels")?))).collect()
}

fn requirement(value: &Value) -> Result<Requirement, String> {
    let Value::Map(map) = value else { return Err(expected("a map", "matchExpressions", value)) };
    let field = |name: &str| map.get(name).filter(|value| !value.is_nil());
    let operator = text(&field("operator").unwrap_or_default(), "operator")?;
    let known = Operator::ALL.iter().find(|(name, _)| *name == operator);
    let values = field("values").map(|values| texts(&values, "values")).transpose()?;
    Ok(Requirement {
        key: text(&field("key").unwrap_or_default(), "key")?,
        operator: known
            .ok_or_else(|| format!("{} is not a valid label selector operator", quote(operator.as_bytes())))?
            .1,
        values: values.unwrap_or_default().into_iter().collect::<BTreeSet<_>>(),
    })
}

fn items(value: &Value, field: &str) -> Result<Vec<Value>, String> {
    value.as_list().map(|list| list.to_vec()).ok_or_else(|| expected("a list", field, value))
}

fn text(value: &Value, field: &str) -> Result<String, String> {
    value.as_str().map(|text| text.to_text().into_owned()).ok_or_else(|| expected("a string", field, value))
}

fn texts(value: &Value, field: &str) -> Result<Vec<String>, String> {
    items(value, field)?.iter().map(|item| text(item, field)).collect()
}

fn expected(what: &str, field: &str, found: &Value) -> String {
    format!("expected {what} for {field}; found {}", found.type_name())
}

/// What `lookupSelector` was called with.
///
/// # Errors
/// Which argument does not fit.
pub(crate) fn selection(
    [api_version, kind, namespace]: [Str; 3],
    wanted: &Value,
    rest: &[Value],
) -> Result<Selection, String> {
    let fields = match rest {
        [] | [Value::Nil] => BTreeSet::new(),
        [fields] => texts(fields, "the fields")?.into_iter().collect(),
        more => return Err(format!("wrong number of args for lookupSelector: want at most 5 got {}", 4 + more.len())),
    };
    if let Some(field) = fields.iter().find(|field| field.split('.').any(|step| step.is_empty() || step == "[]")) {
        return Err(format!("{} is no path of fields", quote(field.as_bytes())));
    }
    let text = |text: Str| text.to_text().into_owned();
    Ok(Selection {
        api_version: text(api_version),
        kind: text(kind),
        namespace: text(namespace),
        selector: selector(wanted)?.to_string(),
        fields: fields.into_iter().collect(),
    })
}
