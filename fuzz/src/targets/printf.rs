//! Any format of `printf` with values of every kind.

use chart_operator::template::{sprint, sprintf, sprintln};
use chart_operator::value::Value;
use serde_json::json;

pub(crate) fn run(data: &[u8]) {
    let args: Vec<Value> = [
        json!(1.5),
        json!("te\u{e9}\u{0}xt"),
        json!(null),
        json!([1.0, "a", null]),
        json!({"k": [true], "": -0.0}),
        json!(9_007_199_254_740_993_i64),
        json!(false),
    ]
    .iter()
    .map(Value::from_json)
    .chain([Value::int(-42), Value::string(data)])
    .collect();
    for count in [0, 1, args.len()] {
        let args = args.get(args.len() - count..).unwrap_or_default();
        assert_eq!(sprintf(data, args), sprintf(data, args), "the same twice");
    }
    if !data.contains(&b'%') {
        assert_eq!(&*sprintf(data, &[]), data, "a text without verbs stays as it is");
    }
    let text = [Value::string(data)];
    assert_eq!(&*sprint(&text), data, "a text prints as it is");
    assert_eq!(&*sprintln(&text), [data, b"\n"].concat(), "a text prints as it is, with a line end");
    assert_eq!(&*sprintf(b"%s", &text), data, "a text prints as it is");
}
