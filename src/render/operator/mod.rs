//! What a chart's templates see and call beside what Helm gives them: of the resource they are rendered for, and of the
//! cluster.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

mod context;
mod selection;

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

pub use context::Context;

use crate::functions::{self, Host};
use crate::policy::Probes;
use crate::template::function::{Engine, Function, FunctionError, Functions, Rest, Wait};
use crate::template::quote;
use crate::value::{Elem, List, Str, Value, meter};

/// Adds these functions to Helm's.
pub(crate) fn extend(table: &mut Functions) {
    table.extend([
        // Costs nothing but time: the clock is looked at.
        Function::new("lookupSelector", lookup_selector).priced(|_| Duration::ZERO),
        Function::new("sortByPath", sort_by_path),
        Function::new("conditionTrue", condition_true),
        Function::new("probe", probe),
        Function::new("elapsed", elapsed),
        Function::new("wait", wait),
    ]);
}

/// `lookupSelector API KIND NAMESPACE SELECTOR [FIELDS]`: a list of objects, by namespace and name.
#[expect(clippy::too_many_arguments, reason = "by its signature the evaluator checks the arguments")]
fn lookup_selector(
    engine: &mut dyn Engine,
    api_version: Str,
    kind: Str,
    namespace: Str,
    selector: Value,
    Rest(fields): Rest<Value>,
) -> Result<Value, String> {
    let in_tpl = engine.in_text();
    let world = &Host::of(engine)?.world;
    let selection = selection::selection([api_version, kind, namespace], &selector, &fields)?;
    let mut found = if in_tpl { world.select_in_tpl(&selection) } else { world.select(&selection) }?;
    let text = |object: &Json, field: &str| {
        let metadata = object.get("metadata").and_then(|metadata| metadata.get(field)?.as_str());
        metadata.unwrap_or_default().to_owned()
    };
    found.sort_by_cached_key(|object| (text(object, "namespace"), text(object, "name")));
    Ok(Value::list(found.iter().map(Value::from_json).collect()))
}

/// What an element is sorted by. What is missing comes first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum SortKey {
    Missing,
    Number(i128),
    Text(Vec<u8>),
}

impl SortKey {
    fn of(value: Option<&Value>) -> Self {
        let text = match value {
            None | Some(Value::Nil) => return Self::Missing,
            Some(value) => functions::text_of(value),
        };
        let number = str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
        number.map_or_else(|| Self::Text(text.to_vec()), Self::Number)
    }
}

/// `sortByPath LIST KEY…`: by what the keys lead to in each element.
fn sort_by_path(list: Value, Rest(keys): Rest<Str>) -> Result<Value, String> {
    let list = match &list {
        Value::Nil => List::nil(Elem::Any),
        Value::List(list) => list.clone(),
        other => return Err(format!("Cannot sort type {}", other.kind())),
    };
    let at = |item: &Value| keys.iter().try_fold(item.clone(), |value, key| value.as_map()?.get(key));
    let mut items: Vec<(SortKey, Value)> = Vec::with_capacity(list.len());
    for item in list.iter() {
        if !meter::visit(0) {
            break;
        }
        items.push((SortKey::of(at(item).as_ref()), item.clone()));
    }
    items.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(Value::List(List::new(list.elem(), items.into_iter().map(|(_, item)| item).collect())))
}

/// `conditionTrue OBJECT TYPE`: whether `status.conditions` say so.
fn condition_true(object: Value, condition: Str) -> Result<bool, String> {
    if !matches!(object, Value::Nil | Value::Map(_)) {
        return Err(format!("expected an object; found {}", object.type_name()));
    }
    let field = |value: Option<Value>, name: &str| value?.as_map()?.get(name);
    let conditions = field(field(Some(object), "status"), "conditions");
    let is = |item: &Value, name: &str, text: &[u8]| {
        item.as_map()
            .and_then(|item| item.get(name))
            .is_some_and(|value| value.as_str().is_some_and(|value| **value == *text))
    };
    let mut conditions = conditions.iter().filter_map(Value::as_list).flat_map(|list| list.iter());
    Ok(conditions.any(|item| is(item, "type", &condition) && is(item, "status", b"True")))
}

/// `probe OBJECT PROBES`: the messages of the probes that fail, as in a policy; "" when all pass.
fn probe(object: Value, probes: Value) -> Result<String, String> {
    let object = match &object {
        Value::Nil => Json::Object(serde_json::Map::new()),
        Value::Map(_) => object.to_json().ok_or("the object is no JSON")?,
        other => return Err(format!("expected an object; found {}", other.type_name())),
    };
    let probes = probes.to_json().ok_or("the probes are no JSON")?;
    let probes = Probes::of_list(&probes).map_err(|error| error.to_string())?;
    Ok(probes.judge(&object).join(", "))
}

/// `elapsed DURATION TIMESTAMP`: whether so much time has passed since then.
fn elapsed(engine: &mut dyn Engine, duration: Str, since: Value) -> Result<bool, String> {
    let duration = functions::parse_duration(&duration.to_text())?;
    let since = match &since {
        Value::Nil => return Ok(false),
        Value::String(text) if text.is_empty() => return Ok(false),
        Value::String(text) => functions::parse_timestamp(&text.to_text())?,
        other => return Err(format!("expected a timestamp; found {}", other.type_name())),
    };
    let instant = since.saturating_add(SignedDuration::from_nanos(duration)).unwrap_or(Timestamp::MAX);
    Ok(Host::of(engine)?.world.has_come(instant))
}

/// What Kubernetes takes for the reason of a condition (`metav1.Condition`).
fn is_reason(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 1_024
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.ends_with(word)
        && text.chars().all(|c| word(c) || matches!(c, ',' | ':'))
}

/// `wait REASON MESSAGE`: ends the render until something it read changes.
fn wait(reason: Str, message: Str) -> Result<Str, FunctionError> {
    let (reason, message) = (reason.to_text().into_owned(), message.to_text().into_owned());
    if !is_reason(&reason) {
        return Err(format!("{} is no reason of a condition: expected one word", quote(reason.as_bytes())).into());
    }
    Err(FunctionError::Wait(Wait { reason, message }))
}
