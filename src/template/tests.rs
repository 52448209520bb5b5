use std::sync::Arc;
use std::time::Duration;

use crate::template::function::{Engine, Function, FunctionError, Functions};
use crate::template::set::Run;
use crate::template::{Budget, Limit, Limits, Set};
use crate::value::{Str, Value};

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
fn every_limit_names_itself_and_the_place() {
    let mut functions = Functions::default();
    functions.insert(Function::new("key", || "key").priced(|_| Duration::from_millis(100)));
    functions
        .insert(Function::new("tpl", |engine: &mut dyn Engine, text: Str| engine.execute_text("t", &text, Value::Nil)));
    let functions = Arc::new(functions);
    let run = |text: &str, limits: Limits, elapsed: Duration| {
        let _budget = Budget::open(limits, move || Some(elapsed));
        let mut set = Set::new(Arc::clone(&functions));
        set.parse("t", format!("\n  {text}")).unwrap();
        let result = set.execute("t", Value::Nil, Run { host: &(), limits: Limits::UNLIMITED }, &mut Vec::new());
        let error = result.unwrap_err();
        assert_eq!(error.limit().copied(), Budget::reached(), "{text}");
        (error.limit().map(Limit::name).unwrap(), error.chain().last().unwrap().to_string())
    };
    let second = Duration::from_secs(1);
    let doubling = r#"{{$x := "12345678"}}{{range 30}}{{$x = print $x $x}}{{end}}"#;
    let limits = Limits { memory: 1 << 20, ..Limits::UNLIMITED };
    let (name, error) = run(doubling, limits, Duration::ZERO);
    assert_eq!(name, "memory");
    assert_eq!(
        error,
        "template: t:2:41: executing \"t\" at <print $x $x>: exceeded the limit of 1048576 bytes of memory"
    );
    for (text, limits, elapsed, want) in [
        ("{{range 10}}{{key}}{{end}}", Limits { crypto: second, ..Limits::UNLIMITED }, second, None),
        ("{{range 11}}{{key}}{{end}}", Limits { crypto: second, ..Limits::UNLIMITED }, second, Some("crypto")),
        ("{{range 100000}}{{end}}", Limits { time: second, ..Limits::UNLIMITED }, second, None),
        ("{{range 100000}}{{end}}", Limits { time: second, ..Limits::UNLIMITED }, 2 * second, Some("time")),
        ("{{key}}", Limits { time: second, ..Limits::UNLIMITED }, 2 * second, Some("time")),
        (
            "{{tpl `{{printf `%v` 1 2 3 4 5}}`}}{{range 9}}{{end}}",
            Limits { steps: 15, ..Limits::UNLIMITED },
            second,
            Some("steps"),
        ),
        ("{{tpl `{{range 9}}12345{{end}}`}}", Limits { output: 40, ..Limits::UNLIMITED }, second, Some("output")),
    ] {
        if let Some(want) = want {
            assert_eq!(run(&text.replace("`%v`", r#""%v""#), limits, elapsed).0, want, "{text}");
            continue;
        }
        let _budget = Budget::open(limits, move || Some(elapsed));
        let mut set = Set::new(Arc::clone(&functions));
        set.parse("t", text).unwrap();
        set.execute("t", Value::Nil, Run { host: &(), limits }, &mut Vec::new()).unwrap();
        assert_eq!(Budget::reached(), None);
    }
}

#[test]
fn output_counts_over_all_executions_of_a_budget() {
    let _budget = Budget::open(Limits { output: 10, ..Limits::UNLIMITED }, || None);
    let mut set = Set::new(functions());
    set.parse("t", "12345").unwrap();
    let mut out = Vec::new();
    let run = Run { host: &(), limits: Limits::UNLIMITED };
    set.execute("t", Value::Nil, run, &mut out).unwrap();
    set.execute("t", Value::Nil, run, &mut out).unwrap();
    let error = set.execute("t", Value::Nil, run, &mut out).unwrap_err();
    assert_eq!(error.limit(), Some(&Limit::Output(10)));
}

#[test]
fn the_texts_of_an_error_are_cut_before_they_fill_the_memory() {
    let mut functions = Functions::default();
    functions.insert(Function::new("again", |engine: &mut dyn Engine, text: Str| {
        match engine.execute(&"r".into(), Value::String(text.clone())) {
            Err(FunctionError::Template(error)) => {
                Err(FunctionError::Template(Box::new(error.within(text.to_text().into_owned()))))
            }
            other => other,
        }
    }));
    let error = on_large_stack(move || {
        let mut set = Set::new(Arc::new(functions));
        set.parse("r", "{{again .}}").unwrap();
        let dot = Value::string("x".repeat(100_000));
        let limits = Limits { depth: 1_000, ..Limits::default() };
        set.execute("r", dot, Run { host: &(), limits }, &mut Vec::new()).unwrap_err().to_string()
    });
    assert!((1_000_000..2_000_000).contains(&error.len()), "{}", error.len());
    assert!(error.ends_with("exceeded maximum template depth (1000)"));
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
