//! Values against Helm's own answers (`tests/golden/values`).

use std::fs;
use std::path::Path;

use chart_operator::chart::{Chart, File, load, version};
use chart_operator::values::{self, schema, strvals};
use serde_json::{Value as Json, json};

fn cases(file: &str) -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/values").join(file);
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(case: &'a Json, key: &str) -> &'a str {
    case.get(key).and_then(Json::as_str).unwrap_or("")
}

/// Go reads every number of JSON as a float.
fn floats(json: &Json) -> Json {
    match json {
        Json::Number(number) => json!(number.as_f64()),
        Json::Array(items) => items.iter().map(floats).collect(),
        Json::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), floats(value))).collect(),
        other => other.clone(),
    }
}

/// Tells every case that differs, not only the first.
fn assert_none(differences: &[String], of: usize) {
    assert!(differences.is_empty(), "{} of {of} cases differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn assignments_are_read_as_by_helm() {
    let cases = cases("strvals.jsonl");
    let mut differences = Vec::new();
    for case in &cases {
        let kind = match text(case, "mode") {
            "typed" => strvals::Kind::Typed,
            "string" => strvals::Kind::String,
            "json" => strvals::Kind::Json,
            _ => strvals::Kind::Literal,
        };
        let mut into = floats(&case["into"]).as_object().cloned().unwrap_or_default();
        let found = match strvals::parse_into(text(case, "text"), kind, &mut into) {
            Ok(()) => (Json::Object(into), String::new()),
            Err(error) => (Json::Null, error.to_string()),
        };
        // What is no JSON is told in the words of another library.
        let no_json = kind == strvals::Kind::Json && text(case, "error").starts_with("invalid character");
        let same_error = found.1 == text(case, "error") || (no_json && !found.1.is_empty());
        if found.0 != case["want"] || !same_error {
            differences.push(format!("{case}\n  found {} {:?}", found.0, found.1));
        }
    }
    assert_none(&differences, cases.len());
}

fn load_case(case: &Json) -> Result<Chart, String> {
    let files = case["files"].as_object().unwrap().iter();
    let files = files.map(|(name, text)| File::new(name.as_str(), text.as_str().unwrap().as_bytes()));
    load::from_files(files.collect()).map_err(|error| error.to_string())
}

fn names(chart: &Chart) -> Json {
    chart.dependencies.iter().map(|chart| json!({"name": chart.name(), "charts": names(chart)})).collect()
}

fn process(case: &Json) -> Result<(Chart, Json), String> {
    let chart = load_case(case)?;
    let user = floats(&case["values"]);
    let chart = values::dependency::process(&chart, &user).map_err(|error| error.to_string())?;
    let values = values::coalesce(&chart, &user).map_err(|error| error.to_string())?.values;
    Ok((chart, values))
}

#[test]
fn charts_and_their_values_come_out_as_by_helm() {
    let cases = cases("charts.jsonl");
    let mut differences = Vec::new();
    for case in &cases {
        // Helm's text goes on with the value, which may be secret.
        let wanted = text(case, "error").split(": ").next().unwrap_or("");
        let found = match process(case) {
            Ok((chart, values)) => (values, names(&chart), String::new()),
            Err(error) => (Json::Null, Json::Null, error.split(": ").next().unwrap_or("").to_owned()),
        };
        if found != (case["want"].clone(), case["charts"].clone(), wanted.to_owned()) {
            differences.push(format!("{case}\n  found {} {} {:?}", found.0, found.1, found.2));
        }
    }
    assert_none(&differences, cases.len());
}

#[test]
fn versions_meet_constraints_as_in_helm() {
    let cases = cases("versions.jsonl");
    let mut differences = Vec::new();
    for case in &cases {
        let (constraint, found) = text(case, "text").split_once("|||").unwrap();
        if version::meets(constraint, found) != (case["want"] == json!(true)) {
            differences.push(case.to_string());
        }
    }
    assert_none(&differences, cases.len());
}

#[test]
fn violations_of_a_schema_are_told_as_by_helm() {
    let cases = cases("schemas.jsonl");
    let mut differences = Vec::new();
    for case in &cases {
        let (chart, values) = process(case).unwrap();
        let found = schema::validate(&chart, &values).err().map_or_else(String::new, |error| error.to_string());
        let wanted = text(case, "error").trim_end();
        let found = found.split_once('\n').map_or("", |(_, found)| found);
        if found != wanted {
            differences.push(format!("{}\n  found {found:?}\n wanted {wanted:?}", text(case, "id")));
        }
    }
    assert_none(&differences, cases.len());
}

#[test]
fn violations_of_a_schema_are_told_to_the_letter_of_helm() {
    let cases = cases("schema-texts.jsonl");
    let mut differences = Vec::new();
    for case in &cases {
        let (chart, values) = process(case).unwrap();
        let found = schema::validate(&chart, &values).err().map_or_else(String::new, |error| error.helm_text());
        let found = found.split_once('\n').map_or("", |(_, found)| found);
        let wanted = text(case, "error");
        if found != wanted {
            differences.push(format!("{}\n  found {found:?}\n wanted {wanted:?}", text(case, "id")));
        }
    }
    assert_none(&differences, cases.len());
    assert!(cases.len() > 170, "only {} cases", cases.len());
}
