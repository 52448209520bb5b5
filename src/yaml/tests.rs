use std::fmt::Write as _;

use serde_json::json;

use crate::diagnostic::Place;
use crate::value::{Int, Value};
use crate::yaml::{
    Document, Error, Fault, MAX_DEPTH, NodeValue, Numbers, documents, emit, emit_json, emit_pretty, parse, to_json,
};

fn place(line: usize, column: usize, width: usize) -> Place {
    Place { line, column, width }
}

fn emitted(value: &Value) -> String {
    String::from_utf8(emit(value).unwrap()).unwrap()
}

#[test]
fn nodes_know_where_they_are() {
    let root = parse("group: apps\nwatch:\n  - kind: Ünï # c\n    flags: {on: yes}\n").unwrap().unwrap();
    assert_eq!(root.place, place(1, 1, 1));
    let (key, value) = root.entry("group").unwrap();
    assert_eq!((key.place, value.place), (place(1, 1, 5), place(1, 8, 4)));
    let item = &root.get("watch").unwrap().items()[0];
    assert_eq!(item.get("kind").unwrap().place, place(3, 11, 3));
    let flags = item.get("flags").unwrap();
    assert_eq!(flags.place, place(4, 12, 1));
    assert_eq!(flags.entries()[0].0.value, NodeValue::Bool(true));
    assert_eq!(flags.entries()[0].1.as_bool(), Some(true));
}

#[test]
fn nodes_say_what_they_are() {
    for (text, kind) in [
        ("~", "null"),
        ("off", "a boolean"),
        ("1", "an integer"),
        ("1.5", "a number"),
        ("x", "a string"),
        ("2001-01-01", "a string"),
        ("[]", "a list"),
        ("{}", "a mapping"),
    ] {
        assert_eq!(parse(text).unwrap().unwrap().kind_name(), kind, "{text}");
    }
    assert_eq!(parse("# nothing\n"), Ok(None));
    assert_eq!(parse("x: &a [1]\nz: *a\n").unwrap().unwrap().get("z").unwrap().items()[0].as_int(), Some(1));
}

#[test]
fn an_error_names_the_line_as_the_original_does_and_knows_the_true_one() {
    for (text, message, line) in [
        ("a: [1\n", "yaml: line 1: did not find expected ',' or ']'", Some(2)),
        ("a: b: c\n", "yaml: mapping values are not allowed in this context", Some(1)),
        ("a: 1\n b: 2\n", "yaml: line 2: mapping values are not allowed in this context", Some(2)),
        ("a: 1\nb: *c\n", "yaml: unknown anchor 'c' referenced", Some(2)),
        ("a: \x07\n", "yaml: control characters are not allowed", None),
        ("\n\nnull: 1\n", "unsupported map key of type: %!s(<nil>), key: <nil>, value: 1", Some(3)),
    ] {
        let error = to_json(text, Numbers::Float).unwrap_err();
        assert_eq!(error.to_string(), format!("error converting YAML to JSON: {message}"));
        assert_eq!(error.line(), line, "{text:?}");
    }
}

#[test]
fn numbers_stay_integers_where_they_should() {
    let text = "[1, 18446744073709551615, 2.0, 2.5, 1e3, 1e30]";
    assert_eq!(to_json(text, Numbers::Exact).unwrap(), json!([1, u64::MAX, 2, 2.5, 1000, 1e30]));
    assert_eq!(
        to_json(text, Numbers::Float).unwrap(),
        json!([1.0, 18_446_744_073_709_551_615.0, 2.0, 2.5, 1000.0, 1e30])
    );
}

#[test]
fn the_last_of_equal_keys_counts_however_many_there_are() {
    let many = (0..1000).fold(String::new(), |mut text, n| {
        let _infallible = writeln!(text, "k{}: {n}", n % 100);
        text
    });
    let json = to_json(&many, Numbers::Exact).unwrap();
    assert_eq!(json.as_object().unwrap().len(), 100);
    assert_eq!(json["k7"], json!(907));
    assert_eq!(to_json("{a: 1, b: 2, a: 3}", Numbers::Exact).unwrap(), json!({"a": 3, "b": 2}));
}

#[test]
fn documents_are_split_as_helm_splits_values() {
    let text = "---\na: 1\n--- # two\nb: 2\n---\n";
    let found = documents(text).unwrap();
    assert_eq!(found, [Document { line_offset: 0, text: "---\na: 1\n" }, Document { line_offset: 3, text: "b: 2\n" }]);
    assert_eq!(documents("").unwrap(), []);
    let error = documents("a: 1\n--- b\n").unwrap_err();
    assert_eq!(error, Error::Separator { found: "b".to_owned(), line: 2 });
    assert_eq!(error.to_string(), "invalid Yaml document separator: b");
}

#[test]
fn collections_nest_to_the_limit_and_no_further() {
    // The stack of a test is as small as that of any thread here.
    let flow = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let block = |depth: usize| "- ".repeat(depth) + "x";
    let deepest = to_json(&flow(MAX_DEPTH - 1), Numbers::Exact).unwrap();
    assert_eq!(emit_json(&deepest).unwrap(), block(MAX_DEPTH - 2).trim_end_matches('x').to_owned() + "[]\n");
    assert_eq!(emitted(&Value::from_json(&deepest)), emit_json(&deepest).unwrap());
    assert!(to_json(&block(MAX_DEPTH - 1), Numbers::Exact).is_ok());
    for text in [flow(MAX_DEPTH + 1), flow(1_000_000), block(MAX_DEPTH + 1), "{a: ".repeat(100_000)] {
        let error = to_json(&text, Numbers::Exact).unwrap_err();
        assert!(error.to_string().ends_with("exceeded max depth of 400"), "{error}");
    }
}

#[test]
fn aliases_cannot_blow_a_document_up() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..20 {
        let items = vec![format!("*a{}", n - 1); 9].join(", ");
        let _infallible = writeln!(laughs, "a{n}: &a{n} [{items}]");
    }
    let mut long = format!("a: &a {}\nb:\n", "x".repeat(1 << 20));
    long.push_str(&"- *a\n".repeat(100_000));
    for text in [laughs, long] {
        let error = to_json(&text, Numbers::Exact).unwrap_err();
        assert!(matches!(&error, Error::Read(fault) if matches!(**fault, Fault::Aliasing { .. })), "{error}");
    }
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for n in 1..5_000 {
        let _infallible = writeln!(chain, "a{n}: &a{n} [*a{}]", n - 1);
    }
    assert!(to_json(&chain, Numbers::Exact).is_err());
}

#[test]
fn a_value_that_contains_itself_is_an_error() {
    let map = Value::dict();
    map.as_map().unwrap().insert("self", map.clone());
    let message =
        "error marshaling into JSON: json: unsupported value: encountered a cycle via map[string]interface {}";
    assert_eq!(emit(&map).unwrap_err().to_string(), message);
    assert_eq!(emit_pretty(&map).unwrap_err().to_string(), message);
    map.as_map().unwrap().remove("self");
}

#[test]
fn values_are_written_as_json_would_pass_them_on() {
    for (value, want) in [
        (Value::Nil, "null\n"),
        (Value::int(-3), "-3\n"),
        (Value::Int(Int::uint64(u64::MAX)), "18446744073709551615\n"),
        (Value::Float(-0.0), "0\n"),
        (Value::Float(1e21), "1e+21\n"),
        (Value::Bytes("hello".into()), "aGVsbG8=\n"),
        (Value::string(&b"a\xff\xfeb"[..]), "a\u{FFFD}\u{FFFD}b\n"),
        (Value::string("true"), "\"true\"\n"),
        (Value::list(vec![Value::dict(), Value::list(vec![])]), "- {}\n- []\n"),
    ] {
        assert_eq!(emitted(&value), want);
    }
    let error = emit(&Value::list(vec![Value::Float(f64::INFINITY)])).unwrap_err();
    assert_eq!(error.to_string(), "error marshaling into JSON: json: unsupported value: +Inf");
}

#[test]
fn keys_without_a_natural_order_are_written_in_the_same_one_always() {
    let keys = json!({"a1b": 1, "a10": 2, "a2": 3, "a1": 4});
    let written = emit_json(&keys).unwrap();
    assert_eq!(written.lines().count(), 4);
    assert_eq!(emit_json(&keys).unwrap(), written);
}

#[test]
fn what_is_written_reads_back_the_same() {
    let value = json!({
        "text": "two\nlines\n", "kept": "a\n\n", "spaced": " x ", "folded": "word ".repeat(60), "date": "2001-01-01",
        "odd": ["", "~", "- x", "a: b", "#", "\t", "\u{1F600}", "'", "\"", "0x1f", "\r\n", "\u{2028}"],
        "nested": {"list": [[1, [2]], {"a": {}}]},
    });
    assert_eq!(to_json(&emit_json(&value).unwrap(), Numbers::Exact).unwrap(), value);
}
