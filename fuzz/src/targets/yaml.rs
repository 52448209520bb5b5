//! Any text as YAML: what is read is written so that it reads the same, by every way of writing.

use chart_operator::value::Value;
use chart_operator::yaml::{self, Numbers};
use serde_json::Value as Json;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    check_documents(text);
    let tree = yaml::parse(text);
    for numbers in [Numbers::Exact, Numbers::Float] {
        match yaml::to_json(text, numbers) {
            Ok(json) => check_writing(&json, numbers),
            Err(error) => {
                let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
                assert!(error.line().is_none_or(|line| (1..=lines + 1).contains(&line)), "{error}: of {lines} lines");
                assert!(!error.to_string().is_empty(), "an error says something");
            }
        }
    }
    if let Err(error) = tree {
        assert_eq!(yaml::to_json(text, Numbers::Exact), Err(error), "reading fails the same way");
    }
}

fn check_documents(text: &str) {
    let Ok(documents) = yaml::documents(text) else { return };
    for document in documents {
        assert!(text.contains(document.text), "a document is a part of the text");
        assert!(document.line_offset <= text.lines().count(), "a document stands in the text");
    }
}

fn check_writing(json: &Json, numbers: Numbers) {
    let written = yaml::emit_json(json);
    let value = Value::from_json(json);
    let direct = yaml::emit(&value).map(|bytes| String::from_utf8(bytes).unwrap());
    if numbers == Numbers::Float {
        assert_eq!(written, direct, "data at rest and values are written alike");
    }
    // Go writes these line ends as they are, and reads them back as blanks; so it does with `<<`, which then merges.
    let text = json.to_string();
    if text.contains(['\u{85}', '\u{2028}', '\u{2029}']) || text.contains("\"<<\"") {
        return;
    }
    let pretty = yaml::emit_pretty(&value).map(|bytes| String::from_utf8(bytes).unwrap());
    // Written by another library, a block may begin with a tab, and then Helm cannot read it.
    let pretty = pretty.ok().filter(|_| !text.contains("\\t"));
    for text in [written.ok(), direct.ok(), pretty].into_iter().flatten() {
        let again = yaml::to_json(&text, numbers).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(same(&again, json), "{json} is written and reads as {again}:\n{text}");
    }
}

/// Equal, where a float without a fraction is the integer it is written as.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a == b || a.is_f64() != b.is_f64() && a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
