//! A shape as a JSON Schema.

use serde_json::{Map, Value as Json, json};

use crate::shape::{Field, Keys, Shape};

/// What [`crate::shape::path`] takes.
const PATH: &str = r"^\.?[^.]+(\.[^.]+)*$";

/// The schema of a document, by which editors check and complete it.
pub fn document(shape: &Shape, title: &str) -> Json {
    let mut schema = of(shape);
    let head = json!({"$schema": "http://json-schema.org/draft-07/schema#", "title": title});
    if let (Json::Object(schema), Json::Object(head)) = (&mut schema, head) {
        schema.extend(head);
    }
    nullable(schema)
}

/// [`document`] as text.
pub fn text(shape: &Shape, title: &str) -> String {
    format!("{:#}\n", document(shape, title))
}

fn of(shape: &Shape) -> Json {
    match shape {
        Shape::Text => json!({"type": "string", "minLength": 1}),
        Shape::AnyText => json!({"type": "string"}),
        Shape::Path => json!({"type": "string", "pattern": PATH}),
        Shape::Choice(choices) => json!({"enum": choices}),
        Shape::List(item) => json!({"type": "array", "items": of(item)}),
        Shape::Names => json!({"type": "array", "items": of(&Shape::Text), "uniqueItems": true}),
        Shape::Texts => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        Shape::Object(fields, keys) => object(fields, *keys),
        Shape::Ignored => json!({}),
        Shape::Either(shapes) => json!({"anyOf": shapes.iter().map(of).collect::<Vec<_>>()}),
        Shape::Own(schema) => serde_json::from_str(schema).unwrap_or_default(),
    }
}

fn object(fields: &[Field], keys: Keys) -> Json {
    let properties: Map<_, _> = fields.iter().map(|field| (field.name.to_owned(), property(field))).collect();
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    let required: Vec<_> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let Json::Object(entries) = &mut schema else { return schema };
    if !required.is_empty() {
        entries.insert("required".to_owned(), json!(required));
    }
    if keys == Keys::One {
        let meant = fields.iter().filter(|field| !matches!(field.shape, Shape::Ignored));
        let one: Vec<_> = meant.map(|field| json!({"required": [field.name]})).collect();
        entries.insert("oneOf".to_owned(), Json::from(one));
    }
    schema
}

fn property(field: &Field) -> Json {
    let schema = of(&field.shape);
    let mut schema = if field.required { schema } else { nullable(schema) };
    if let Json::Object(entries) = &mut schema {
        entries.insert("description".to_owned(), Json::from(field.about));
    }
    schema
}

/// Nothing is as good as no key.
fn nullable(mut schema: Json) -> Json {
    let Json::Object(entries) = &mut schema else { return schema };
    match entries.get_mut("type") {
        Some(Json::Array(types)) => types.push(json!("null")),
        Some(kind) => *kind = json!([kind, "null"]),
        None => {}
    }
    if let Some(Json::Array(choices)) = entries.get_mut("enum") {
        choices.push(Json::Null);
    }
    if let Some(Json::Array(choices)) = entries.get_mut("anyOf") {
        choices.push(json!({"type": "null"}));
    }
    schema
}
