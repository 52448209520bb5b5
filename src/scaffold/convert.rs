//! The schema of a definition from a chart's `values.schema.json`.
//!
//! A definition's schema must be structural: no references, no types that depend on values, one type or none. And the chart's
//! schema is about the chart's defaults and the resource's `spec` together, the definition's about `spec` alone. So what cannot
//! be said, or need not hold for `spec`, is left out; Helm's own check of the whole still follows when the chart is rendered.
//! Nothing that fits the chart's schema is refused, with one exception: a null, by which `spec` deletes a default, where the
//! schema lists what there may be; the API server takes no null there, whatever is listed.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Map, Value as Json, json};

use crate::scaffold::infer::{OPEN, anything};

/// How deep schemas may lie in schemas, references followed.
const MAX_DEPTH: usize = 40;

/// How many schemas are converted at most: references may multiply them.
const MAX_SCHEMAS: usize = 20_000;

/// Keywords that bear on values of one type, and that a definition has too.
const OF_TYPE: [(&str, &[&str]); 4] = [
    ("string", &["maxLength", "minLength"]),
    ("integer", NUMBER),
    ("number", NUMBER),
    ("array", &["maxItems", "minItems"]),
];
const NUMBER: &[&str] = &["maximum", "minimum", "multipleOf"];

/// Keywords that say nothing about values, or that are read here.
const READ: [&str; 18] = [
    "$comment",
    "$defs",
    "$id",
    "$ref",
    "$schema",
    "const",
    "default",
    "definitions",
    "description",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "items",
    "pattern",
    "properties",
    "title",
    "type",
];

/// A conversion, and what it had to leave out.
pub(super) struct Conversion<'a> {
    root: &'a Json,
    /// References being followed.
    following: Vec<&'a str>,
    schemas: usize,
    /// Keywords that are in the chart's schema and not in the definition's.
    pub(super) left_out: BTreeSet<&'a str>,
}

impl<'a> Conversion<'a> {
    pub(super) fn of(root: &'a Json) -> Self {
        Self { root, following: Vec::new(), schemas: 0, left_out: BTreeSet::new() }
    }

    /// What the whole schema says of the properties of values.
    pub(super) fn properties(&mut self) -> Map<String, Json> {
        let mut schema = self.schema(self.root, 0);
        match schema.remove("properties") {
            Some(Json::Object(properties)) => properties,
            _ => Map::new(),
        }
    }

    fn schema(&mut self, schema: &'a Json, depth: usize) -> Map<String, Json> {
        self.schemas += 1;
        let Json::Object(said) = schema else { return anything() };
        if depth > MAX_DEPTH || self.schemas > MAX_SCHEMAS {
            self.left_out.insert("$ref");
            return anything();
        }
        if let Some(reference) = said.get("$ref").and_then(Json::as_str) {
            return self.reference(reference, depth);
        }
        let known = |key: &&str| READ.contains(key) || OF_TYPE.iter().any(|(_, keywords)| keywords.contains(key));
        self.left_out.extend(said.keys().map(String::as_str).filter(|key| !known(key)));
        let mut converted = self.typed(said, depth);
        converted.extend(description(said));
        converted
    }

    fn reference(&mut self, reference: &'a str, depth: usize) -> Map<String, Json> {
        let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        match target {
            Some(target) if !self.following.contains(&reference) => {
                self.following.push(reference);
                let converted = self.schema(target, depth + 1);
                self.following.pop();
                converted
            }
            _ => {
                self.left_out.insert("$ref");
                anything()
            }
        }
    }

    fn typed(&mut self, said: &'a Map<String, Json>, depth: usize) -> Map<String, Json> {
        let kind = kind(said);
        let mut schema = match kind {
            Some("int-or-string") => Map::from_iter([("x-kubernetes-int-or-string".to_owned(), Json::Bool(true))]),
            Some(kind) => Map::from_iter([("type".to_owned(), json!(kind))]),
            None => Map::from_iter([(OPEN.to_owned(), Json::Bool(true))]),
        };
        schema.insert("nullable".to_owned(), Json::Bool(true));
        match kind {
            Some("object") => {
                schema.insert(OPEN.to_owned(), Json::Bool(true));
                schema.extend(self.members(said, depth));
            }
            Some("array") => {
                let items = match said.get("items") {
                    Some(items @ Json::Object(_)) => self.schema(items, depth + 1),
                    _ => anything(),
                };
                schema.insert("items".to_owned(), Json::Object(items));
            }
            None if !said.contains_key("type") => schema.extend(self.members(said, depth)),
            _ => {}
        }
        self.limits(kind, said, &mut schema);
        schema
    }

    fn members(&mut self, said: &'a Map<String, Json>, depth: usize) -> Option<(String, Json)> {
        let properties = said.get("properties")?.as_object()?;
        let of = |(name, schema): (&String, &'a Json)| (name.clone(), Json::Object(self.schema(schema, depth + 1)));
        let converted: Map<String, Json> = properties.iter().map(of).collect();
        (!converted.is_empty()).then(|| ("properties".to_owned(), Json::Object(converted)))
    }

    /// What a value of that type must keep to.
    fn limits(&mut self, kind: Option<&str>, said: &'a Map<String, Json>, schema: &mut Map<String, Json>) {
        let of_kind = OF_TYPE.iter().find(|(known, _)| kind == Some(*known)).map_or(&[][..], |(_, keywords)| keywords);
        for keyword in of_kind {
            schema.extend(
                said.get(*keyword)
                    .filter(|limit| limit.is_number())
                    .map(|limit| ((*keyword).to_owned(), limit.clone())),
            );
        }
        if of_kind == NUMBER {
            exclusive(said, schema);
        }
        if let Some(pattern) = said.get("pattern").and_then(Json::as_str) {
            // The API server's expressions are Go's, which know no looking around; neither do those of this crate.
            if kind == Some("string") && Regex::new(pattern).is_ok() {
                schema.insert("pattern".to_owned(), json!(pattern));
            } else {
                self.left_out.insert("pattern");
            }
        }
        let choices = said.get("enum").and_then(Json::as_array).cloned();
        let choices = choices.or_else(|| said.get("const").map(|only| vec![only.clone()]));
        if let Some(choices) = choices.filter(|choices| !choices.is_empty()) {
            schema.insert("enum".to_owned(), Json::Array(choices));
        }
    }
}

/// The one type that a definition can ask for; none where there are several, or none is said.
fn kind(said: &Map<String, Json>) -> Option<&str> {
    let types: BTreeSet<&str> = match said.get("type")? {
        Json::String(only) => BTreeSet::from([only.as_str()]),
        Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
        _ => return None,
    };
    let mut types = types.into_iter().filter(|kind| *kind != "null");
    match (types.next()?, types.next(), types.next()) {
        (only @ ("array" | "boolean" | "integer" | "number" | "object" | "string"), None, _) => Some(only),
        ("integer", Some("number"), None) => Some("number"),
        ("integer", Some("string"), None) => Some("int-or-string"),
        _ => None,
    }
}

/// JSON Schema's limits that are not reached themselves were marks beside the limit once, as in a definition, and are numbers.
fn exclusive(said: &Map<String, Json>, schema: &mut Map<String, Json>) {
    for (limit, exclusive, is_nearer) in
        [("minimum", "exclusiveMinimum", f64::gt as fn(&f64, &f64) -> bool), ("maximum", "exclusiveMaximum", f64::lt)]
    {
        match said.get(exclusive) {
            Some(Json::Bool(true)) if schema.contains_key(limit) => {
                schema.insert(exclusive.to_owned(), Json::Bool(true));
            }
            Some(Json::Number(number)) => {
                let both = number.as_f64().zip(schema.get(limit).and_then(Json::as_f64));
                if both.is_none_or(|(ours, other)| is_nearer(&ours, &other) || ours.total_cmp(&other).is_eq()) {
                    schema.insert(limit.to_owned(), Json::Number(number.clone()));
                    schema.insert(exclusive.to_owned(), Json::Bool(true));
                }
            }
            _ => {}
        }
    }
}

fn description(said: &Map<String, Json>) -> Option<(String, Json)> {
    let text = said.get("description").or_else(|| said.get("title"))?.as_str()?;
    Some(("description".to_owned(), json!(text)))
}

/// Puts `over` on `below`: what both say of a key is as `over` says, but for what only `below` knows.
pub(super) fn overlay(below: &mut Map<String, Json>, over: Map<String, Json>) {
    for (name, mut schema) in over {
        let known = below.remove(&name);
        if let (Some(Json::Object(known)), Json::Object(schema)) = (known, &mut schema) {
            if let Some(description) = known.get("description") {
                schema.entry("description").or_insert_with(|| description.clone());
            }
            let takes_members = schema.contains_key(OPEN);
            if let (Some(Json::Object(mut members)), true) = (known.get("properties").cloned(), takes_members) {
                if let Some(Json::Object(own)) = schema.remove("properties") {
                    overlay(&mut members, own);
                }
                schema.insert("properties".to_owned(), Json::Object(members));
            }
        }
        below.insert(name, schema);
    }
}
