//! Whether values meet a chart's `values.schema.json`, and its sub-charts' theirs.
//!
//! Every violation is told, in the words of Helm's validator as far as ours knows what it needs for them. Values are left
//! out of them: they may be secret. A `$ref` to another machine is refused; one to a `urn:` allows anything, as in Helm.
//! Mirrors Helm v4.3.1, `pkg/chart/common/util/jsonschema.go`, and santhosh-tekuri/jsonschema v6 (`kind`).

use std::fmt;
use std::fmt::Write as _;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, Retrieve, Uri, ValidationError};
use serde_json::Value as Json;

use crate::chart::Chart;
use crate::values::go_type;

/// Violations of one chart's schema, or why it is no schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// The chart.
    pub chart: String,
    /// One text each, without a line end; nested ones are lines of it.
    pub faults: Vec<String>,
}

/// Values that do not meet their schemas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(
    /// The charts in question, parents first.
    pub Vec<Faults>,
);

impl Error {
    /// Helm's text, to the letter: every chart's ends with a line break.
    #[must_use]
    pub fn helm_text(&self) -> String {
        format!("{self}\n")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("values don't meet the specifications of the schema(s) in the following chart(s):")?;
        for Faults { chart, faults } in &self.0 {
            write!(f, "\n{chart}:")?;
            faults.iter().try_for_each(|fault| write!(f, "\n{fault}"))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Checks coalesced `values` against the schemas of a processed chart and its sub-charts.
///
/// # Errors
/// [`Error`] with every violation.
pub fn validate(chart: &Chart, values: &Json) -> Result<(), Error> {
    let mut found = Vec::new();
    if has_schema(chart) {
        check(chart, &whole_numbers(values), &mut found);
    }
    if found.is_empty() { Ok(()) } else { Err(Error(found)) }
}

fn has_schema(chart: &Chart) -> bool {
    chart.schema.is_some() || chart.dependencies.iter().any(has_schema)
}

fn check(chart: &Chart, values: &Json, found: &mut Vec<Faults>) {
    if let Some(schema) = &chart.schema {
        let faults = check_one(schema, values);
        if !faults.is_empty() {
            found.push(Faults { chart: chart.name().to_owned(), faults });
        }
    }
    for dependency in &chart.dependencies {
        match values.get(dependency.name()) {
            None | Some(Json::Null) => {}
            Some(values @ Json::Object(_)) => check(dependency, values, found),
            Some(other) => {
                let fault = format!("invalid type for values: expected object (map), got {}", go_type(other));
                found.push(Faults { chart: dependency.name().to_owned(), faults: vec![fault] });
            }
        }
    }
}

fn check_one(schema: &[u8], values: &Json) -> Vec<String> {
    let mut schema: Json = match serde_json::from_slice(schema) {
        Ok(schema) => schema,
        Err(error) => return vec![format!("values.schema.json is not JSON: {error}")],
    };
    let draft = match draft(&mut schema) {
        Ok(draft) => draft,
        Err(fault) => return vec![fault],
    };
    match jsonschema::options().with_draft(draft).with_retriever(Elsewhere).build(&schema) {
        Err(error) => vec![format!("values.schema.json is no JSON schema: {}", error.masked())],
        Ok(validator) => lines(&validator.iter_errors(values).collect::<Vec<_>>(), 0),
    }
}

/// The draft that `$schema` names; the newest where it names none. The name is taken out: it has done its work.
fn draft(schema: &mut Json) -> Result<Draft, String> {
    let Some(Json::String(name)) = schema.as_object_mut().and_then(|schema| schema.remove("$schema")) else {
        return Ok(Draft::Draft202012);
    };
    let path = name.trim_end_matches('#').trim_start_matches("https://").trim_start_matches("http://");
    match path {
        "json-schema.org/draft-04/schema" => Ok(Draft::Draft4),
        "json-schema.org/draft-06/schema" => Ok(Draft::Draft6),
        "json-schema.org/draft-07/schema" => Ok(Draft::Draft7),
        "json-schema.org/draft/2019-09/schema" => Ok(Draft::Draft201909),
        "json-schema.org/schema" | "json-schema.org/draft/2020-12/schema" => Ok(Draft::Draft202012),
        _ => Err(format!("values.schema.json is in an unknown dialect: {name:?}")),
    }
}

/// Schemas that lie elsewhere.
struct Elsewhere;

impl Retrieve for Elsewhere {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Json, Box<dyn std::error::Error + Send + Sync>> {
        match uri.scheme().as_str() {
            "urn" => Ok(Json::Bool(true)),
            _ => Err(format!("`{uri}` is not loaded: put what it holds under `$defs` of the schema").into()),
        }
    }
}

/// Every float that is a whole number as an integer: YAML's numbers are floats, and an old draft tells them apart.
fn whole_numbers(json: &Json) -> Json {
    /// Below it, every whole float is exactly the integer it looks like.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match json {
        Json::Number(number) => {
            match number.as_f64().filter(|f| number.is_f64() && f.fract() == 0.0 && f.abs() < EXACT) {
                #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53 fits")]
                Some(whole) => Json::from(whole as i64),
                None => json.clone(),
            }
        }
        Json::Array(items) => Json::Array(items.iter().map(whole_numbers).collect()),
        Json::Object(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.clone(), whole_numbers(value))).collect())
        }
        other => other.clone(),
    }
}

// === Texts ===

fn lines(errors: &[ValidationError<'_>], indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = errors;
    while let Some((first, others)) = rest.split_first() {
        let mut message = message(first);
        rest = others;
        if let ValidationErrorKind::Required { property } = first.kind() {
            let more = others.iter().map_while(|other| also_missing(first, other));
            let missing: Vec<&Json> = std::iter::once(property).chain(more).collect();
            rest = others.get(missing.len() - 1..).unwrap_or_default();
            let noun = if missing.len() == 1 { "property" } else { "properties" };
            message = format!("missing {noun} {}", list(missing));
        }
        let pad = "  ".repeat(indent);
        let mut line = format!("{pad}- at {}: {message}", quote(&first.instance_path().to_string()));
        for nested in nested(first.kind()) {
            for nested in lines_of(nested, indent) {
                line.push('\n');
                line.push_str(&nested);
            }
        }
        lines.push(line);
    }
    lines
}

/// How deep alternatives within alternatives are told.
const MAX_INDENT: usize = 8;

fn lines_of(errors: &[ValidationError<'_>], indent: usize) -> Vec<String> {
    if indent < MAX_INDENT { lines(errors, indent + 1) } else { Vec::new() }
}

fn also_missing<'a>(first: &ValidationError<'_>, other: &'a ValidationError<'_>) -> Option<&'a Json> {
    match other.kind() {
        ValidationErrorKind::Required { property } if first.instance_path() == other.instance_path() => Some(property),
        _ => None,
    }
}

fn nested(kind: &ValidationErrorKind) -> &[Vec<ValidationError<'static>>] {
    match kind {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => context,
        _ => &[],
    }
}

fn message(error: &ValidationError<'_>) -> String {
    use ValidationErrorKind as Kind;
    let instance = error.instance();
    let limits = |name: &str, got: usize, want: u64| format!("{name}: got {got}, want {want}");
    match error.kind() {
        Kind::Type { kind } => format!("got {}, want {}", json_type(instance), types(kind)),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let names: Vec<String> = unexpected.iter().map(|name| quote(name)).collect();
            format!("additional properties {} not allowed", names.join(", "))
        }
        Kind::AnyOf { .. } => "'anyOf' failed".to_owned(),
        Kind::OneOfNotValid { .. } => "'oneOf' failed, none matched".to_owned(),
        Kind::OneOfMultipleValid { .. } => "'oneOf' failed, more than one matched".to_owned(),
        Kind::Not { .. } => "'not' failed".to_owned(),
        Kind::FalseSchema => "false schema".to_owned(),
        Kind::Constant { expected_value } => one_of("const", std::slice::from_ref(expected_value)),
        Kind::Enum { options } => one_of("enum", options.as_array().map_or(&[], Vec::as_slice)),
        Kind::Minimum { limit } => format!("minimum: got {instance}, want {limit}"),
        Kind::Maximum { limit } => format!("maximum: got {instance}, want {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("exclusiveMinimum: got {instance}, want {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("exclusiveMaximum: got {instance}, want {limit}"),
        Kind::MultipleOf { multiple_of } => format!("multipleOf: got {instance}, want {multiple_of}"),
        Kind::MinLength { limit } => limits("minLength", size(instance), *limit),
        Kind::MaxLength { limit } => limits("maxLength", size(instance), *limit),
        Kind::MinItems { limit } => limits("minItems", size(instance), *limit),
        Kind::MaxItems { limit } => limits("maxItems", size(instance), *limit),
        Kind::MinProperties { limit } => limits("minProperties", size(instance), *limit),
        Kind::MaxProperties { limit } => limits("maxProperties", size(instance), *limit),
        Kind::Pattern { pattern } => format!("does not match pattern {}", quote(pattern)),
        Kind::Format { format } => format!("is not valid {format}"),
        Kind::Contains => "no items match contains schema".to_owned(),
        Kind::UniqueItems => "two items are equal".to_owned(),
        Kind::PropertyNames { error } => format!("invalid propertyName {}", display(error.instance())),
        _ => error.masked().to_string(),
    }
}

fn one_of(keyword: &str, options: &[impl std::borrow::Borrow<Json>]) -> String {
    let options: Vec<&Json> = options.iter().map(std::borrow::Borrow::borrow).collect();
    if options.iter().any(|option| option.is_array() || option.is_object()) {
        return format!("'{keyword}' failed");
    }
    let one_of = if options.len() == 1 { "" } else { "one of " };
    format!("value must be {one_of}{}", list(options))
}

fn list<'a>(items: impl IntoIterator<Item = &'a Json>) -> String {
    items.into_iter().map(display).collect::<Vec<_>>().join(", ")
}

fn display(json: &Json) -> String {
    match json {
        Json::String(text) => quote(text),
        other => other.to_string(),
    }
}

fn quote(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("\\'"),
            c if c.is_control() => quoted.extend(c.escape_default()),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

fn json_type(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(wanted) => wanted.to_string(),
        TypeKind::Multiple(wanted) => {
            let mut text = String::new();
            for wanted in *wanted {
                let or = if text.is_empty() { "" } else { " or " };
                // Writing to a string does not fail.
                let _written = write!(text, "{or}{wanted}");
            }
            text
        }
    }
}

/// Characters, items or properties.
fn size(json: &Json) -> usize {
    match json {
        Json::String(text) => text.chars().count(),
        Json::Array(items) => items.len(),
        Json::Object(entries) => entries.len(),
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
    }
}
