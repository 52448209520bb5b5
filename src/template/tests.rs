use std::sync::Arc;

use crate::template::function::{Function, FunctionError, Functions};
use crate::template::set::Run;
use crate::template::{Limit, Limits, Set};
use crate::value::Value;

fn functions() -> Arc<Functions> {
    let mut functions = Functions::default();
    functions.insert(Function::new("boom", || Err::<Value, FunctionError>("boom!".into())));
    Arc::new(functions)
}

fn run(text: &str, dot: &serde_json::Value) -> (String, String) {
    let mut set = Set::new(functions());
    if let Err(error) = set.parse("t", text) {
        return (String::new(), error.to_string());
    }
    let mut out = Vec::new();
    let run = Run { host: &(), limits: Limits::UNLIMITED };
    let result = set.execute("t", Value::from_json(dot), run, &mut out);
    (String::from_utf8_lossy(&out).into_owned(), result.err().map(|error| error.to_string()).unwrap_or_default())
}

#[test]
fn the_oracle_of_text_template() {
    let dot = serde_json::json!({
        "a": 1.0, "b": "text", "nil": null, "empty": "", "f": 3.0, "big": 12_345_678.0,
        "nums": [1.0, 0.1, 100_000.0, 1_000_000.0, 20_999_999.0, 21_000_000.0, 1e21, 1e-7, 1_234_567_890_123.0, -5.0, 0.300_000_000_000_000_04, 1e100],
        "m": {"b": 2.0, "a": 1.0, "B": "x", "10": "ten", "2": "two"},
        "l": [{"name": "n0", "v": 1.0}, {"name": "n1", "v": 2.0}],
        "s": ["x", "y", "z"],
        "deep": {"x": {"y": {"z": "hi"}, "n": null}, "t": true},
        "no": null, "yes": "val", "multi": "line1\nline2\n", "uni": "héllo €",
    });
    let mut failed = Vec::new();
    for line in include_str!("../../tests/golden/oracle/text-template.jsonl").lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let (want, error) = (case["want"].as_str().unwrap(), case["error"].as_str().unwrap());
        let found = run(case["template"].as_str().unwrap(), &dot);
        if found != (want.to_owned(), error.to_owned()) {
            failed.push(format!(
                "{}: {}\n  want {want:?} {error}\n  found {:?} {}",
                case["id"], case["template"], found.0, found.1
            ));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// On the stack that renders have.
fn on_large_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap().join().unwrap()
}

fn within(text: String, limits: Limits) -> Option<Limit> {
    on_large_stack(move || {
        let mut set = Set::new(functions());
        set.parse("t", text).unwrap();
        let mut out = Vec::new();
        set.execute("t", Value::Nil, Run { host: &(), limits }, &mut out).err().and_then(|error| error.limit().copied())
    })
}

#[test]
fn an_execution_ends_at_its_limits_and_never_at_the_end_of_the_stack() {
    let depth = Some(Limit::Depth(Limits::MAX_DEPTH));
    let own = r#"{{define "r"}}{{template "r"}}{{end}}{{template "r"}}"#;
    let dense = r#"{{define "r"}}{{if true}}{{with 1}}{{range 1}}{{template "r" (print ((1)))}}{{end}}{{end}}{{end}}{{end}}{{template "r"}}"#;
    for text in [own, dense] {
        assert_eq!(within(text.to_owned(), Limits::UNLIMITED), depth, "{text}");
    }
    let parens = format!("{{{{{}1{}}}}}", "(".repeat(900), ")".repeat(900));
    assert_eq!(within(parens, Limits::UNLIMITED), None);
    let endless = "{{range 100000}}{{range 100000}}x{{end}}{{end}}".to_owned();
    assert_eq!(within(endless.clone(), Limits { steps: 1_000, ..Limits::UNLIMITED }), Some(Limit::Steps(1_000)));
    assert_eq!(within(endless, Limits { output: 1_000, ..Limits::UNLIMITED }), Some(Limit::Output(1_000)));
}

#[test]
fn what_is_nested_too_deep_is_refused_and_not_parsed() {
    let error = on_large_stack(|| {
        let blocks = format!("{}{}", "{{if true}}".repeat(10_000), "{{end}}".repeat(10_000));
        run(&blocks, &serde_json::Value::Null).1
    });
    assert_eq!(error, "template: t:1: max expression depth exceeded");
}

#[test]
fn a_diagnostic_points_at_the_node() {
    let mut set = Set::new(functions());
    set.parse("t", "a\n  {{ print (boom) }}").unwrap();
    let error = set.execute("t", Value::Nil, Run { host: &(), limits: Limits::default() }, &mut Vec::new());
    insta::assert_snapshot!(format!("{:#}", error.unwrap_err()), @"
    error: error calling boom: boom!
      --> t:2:13
       |
     2 |   {{ print (boom) }}
       |             ^^^^
    ");
}
