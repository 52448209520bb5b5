//! Any bytes as a template: it parses or says why not, does the same twice, and the same inside of another one.

use chart_operator::template::{Error, ErrorKind, Set};
use chart_operator::value::Value;
use serde_json::json;

use crate::targets::evaluate::{execute, set};

pub(crate) fn run(data: &[u8]) {
    let mut parsed = set();
    if let Err(error) = parsed.parse("t", data) {
        check_refusal(&error, data);
        assert_eq!(parsed.names().count(), 0, "a text that does not parse leaves no template");
        return;
    }
    let first = outcome(&parsed);
    let second = outcome(&parsed);
    assert_eq!(first, second, "a template does the same twice");
    check_error(&first.2);
    // What stands around would become a part of these.
    let defines = [&b"define"[..], b"block"].iter().any(|word| data.windows(word.len()).any(|found| found == *word));
    if !defines && !data.ends_with(b"{") && !first.2.limited {
        check_inside(&first, data, b"{{if true}}", b"{{end}}");
        check_inside(&first, data, b"{{define \"inner\"}}", b"{{end}}{{template \"inner\" .}}");
    }
}

/// Text, whether it failed, and what the error says.
type Outcome = (Vec<u8>, bool, Told);

/// An error's texts.
#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    line: String,
    message: String,
    excerpt: String,
    limited: bool,
}

fn outcome(set: &Set) -> Outcome {
    let (out, error) = execute(set, "t", data());
    let told = error.as_ref().map(|error| Told {
        line: error.to_string(),
        message: error.message(),
        excerpt: format!("{error:#}"),
        limited: error.limit().is_some(),
    });
    (out, error.is_some(), told.unwrap_or_default())
}

fn check_refusal(error: &Error, data: &[u8]) {
    let ErrorKind::Parse { line, message, .. } = error.kind() else { panic!("{error}: no error of the parser") };
    let lines = data.split(|byte| *byte == b'\n').count();
    assert!((1..=lines).contains(line), "line {line} of {lines}: {message}");
    assert!(error.to_string().starts_with(&format!("template: t:{line}: ")), "{error}");
    assert!(!format!("{error:#}").is_empty(), "an error has an excerpt");
}

fn check_error(told: &Told) {
    if !told.line.is_empty() {
        assert!(told.line.contains(&told.message), "{told:?}");
        assert!(!told.excerpt.is_empty(), "{told:?}");
    }
}

fn check_inside(alone: &Outcome, data: &[u8], before: &[u8], after: &[u8]) {
    let mut inside = set();
    if let Err(error) = inside.parse("t", [before, data, after].concat()) {
        panic!("parses alone, but not inside: {error}");
    }
    let (out, failed, told) = outcome(&inside);
    if !told.limited {
        assert_eq!((&alone.0, alone.1, &alone.2.message), (&out, failed, &told.message), "inside it does the same");
    }
}

/// What templates are given: something of every kind.
fn data() -> Value {
    Value::from_json(&json!({
        "Values": {"a": 1.0, "b": "text", "c": [1.0, "two", null, {"x": "y"}], "d": {"e": {"f": true}}, "n": null, "": "e"},
        "Release": {"Name": "rel", "Revision": 1},
        "list": ["c", "a", "b"],
        "map": {"x": 1, "y": 2.5, "z": "3"},
        "s": "A text, with: signs\nand lines\u{e9}",
        "t": true,
    }))
}
