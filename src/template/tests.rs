use std::sync::Arc;

use crate::template::function::{Function, FunctionError, Functions};
use crate::template::set::Run;
use crate::template::{Limits, Set};
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
