//! The recorded answers of the original: `tests/golden/oracle/yaml-*.jsonl` and `tests/golden/yaml/*.jsonl`.

use chart_operator::value::Value;
use chart_operator::yaml::{self, Numbers};
use serde_json::Value as Json;

/// Runs every case of `lines`; `answer` gives the text or the error. Fails with all cases that differ.
fn check(lines: &str, answer: impl Fn(&str) -> Result<String, String>) {
    let mut failures = Vec::new();
    let mut cases = 0;
    for line in lines.lines().filter(|line| !line.is_empty()) {
        let case: Json = serde_json::from_str(line).unwrap();
        let text = |key: &str| case[key].as_str().unwrap_or_default().to_owned();
        let want = if text("error").is_empty() { Ok(text("want")) } else { Err(text("error")) };
        let found = answer(&text("values"));
        cases += 1;
        if found != want {
            failures.push(format!("{}:\n  want  {want:?}\n  found {found:?}", text("id")));
        }
    }
    assert!(cases > 0, "no cases");
    assert!(failures.is_empty(), "{} of {cases} cases differ\n{}", failures.len(), failures.join("\n"));
}

/// Reads YAML and answers JSON. The recorded JSON is read and written once more, so that only its data counts.
fn read(text: &str) -> Result<String, String> {
    yaml::to_json(text, Numbers::Float).map(|json| json.to_string()).map_err(|error| error.to_string())
}

fn with_normal_json(lines: &str) -> String {
    let normal = |line: &str| {
        let mut case: Json = serde_json::from_str(line).unwrap();
        if let Some(want) = case["want"].as_str().filter(|want| !want.is_empty()) {
            let mut want: Json = serde_json::from_str(want).unwrap();
            floats(&mut want);
            case["want"] = want.to_string().into();
        }
        case.to_string()
    };
    lines.lines().map(normal).collect::<Vec<_>>().join("\n")
}

fn floats(json: &mut Json) {
    match json {
        Json::Number(number) => *json = number.as_f64().into(),
        Json::Array(items) => items.iter_mut().for_each(floats),
        Json::Object(entries) => entries.values_mut().for_each(floats),
        _ => {}
    }
}

#[test]
fn helms_recorded_reading_is_ours() {
    check(&with_normal_json(include_str!("../golden/oracle/yaml-parse.jsonl")), read);
}

/// Reads JSON and answers YAML.
fn written(text: &str) -> Result<String, String> {
    let mut json: Json = serde_json::from_str(text).unwrap_or_default();
    // Helm's values are floats.
    floats(&mut json);
    let value = Value::from_json(&json);
    let direct = yaml::emit_json(&json);
    let emitted = yaml::emit(&value).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert_eq!(direct, emitted, "data at rest and values are written alike");
    emitted.map_err(|error| error.to_string())
}

#[test]
fn helms_recorded_writing_is_ours() {
    check(include_str!("../golden/oracle/yaml-emit.jsonl"), written);
}

#[test]
fn answers_of_the_original_to_our_own_questions_are_ours() {
    check(&with_normal_json(include_str!("../golden/yaml/parse.jsonl")), read);
    check(include_str!("../golden/yaml/emit.jsonl"), written);
    check(include_str!("../golden/yaml/pretty.jsonl"), |text| {
        let mut json: Json = serde_json::from_str(text).unwrap_or_default();
        floats(&mut json);
        let text = yaml::emit_pretty(&Value::from_json(&json)).map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    });
}
