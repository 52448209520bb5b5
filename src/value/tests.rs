use crate::value::{Int, IntKind, Value, format_float};
use serde_json::json;

#[test]
fn floats_print_as_strconv_prints_them() {
    for (f, want) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (0.1, "0.1"),
        (100_000.0, "100000"),
        (100_000.5, "100000.5"),
        (1e6, "1e+06"),
        (12_345_678.0, "1.2345678e+07"),
        (1e21, "1e+21"),
        (0.0001, "0.0001"),
        (0.000_01, "1e-05"),
        (1.5e-7, "1.5e-07"),
        (1e100, "1e+100"),
        (-2.5, "-2.5"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
    ] {
        assert_eq!(format_float(f), want);
    }
}

#[test]
fn values_print_as_fmt_prints_them() {
    let value = Value::from_json(&json!({"b": [1, "x", null, 1.5], "a": {"k": true}}));
    assert_eq!(value.print(), "map[a:map[k:true] b:[1 x <nil> 1.5]]");
    assert_eq!(Value::Bytes("hi".into()).print(), "[104 105]");
    for (nanos, want) in [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (2_000_000, "2ms"),
        (95_000_000_000, "1m35s"),
        (-3_723_500_000_000, "-1h2m3.5s"),
        (3_600_000_000_000, "1h0m0s"),
    ] {
        assert_eq!(Value::Int(Int::new(IntKind::Duration, nanos)).print(), want);
    }
}

#[test]
fn a_map_is_shared_until_it_is_copied() {
    let value = Value::from_json(&json!({"inner": {"a": 1}}));
    let copy = value.deep_copy();
    let shared = value.clone();
    value.as_map().unwrap().get("inner").unwrap().as_map().unwrap().insert("a", Value::int64(2));
    assert!(shared.deep_equal(&value));
    assert!(!copy.deep_equal(&value));
    assert_eq!(shared.to_json(), Some(json!({"inner": {"a": 2}})));
}

#[test]
fn a_number_keeps_the_type_it_had_at_rest() {
    assert_eq!(Value::from_json(&json!(1)).type_name(), "int64");
    assert_eq!(Value::from_json(&json!(1.0)).type_name(), "float64");
    assert_eq!(Value::from_json(&json!(u64::MAX)).print(), "18446744073709551615");
    assert!(!Value::int(1).deep_equal(&Value::int64(1)));
}

#[test]
fn a_value_that_contains_itself_has_no_json() {
    let has_json = || {
        let map = Value::dict();
        map.as_map().unwrap().insert("self", map.clone());
        let json = map.to_json();
        map.as_map().unwrap().remove("self");
        json.is_some()
    };
    // Renders run on stacks of this size.
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(has_json).unwrap();
    assert!(!thread.join().unwrap());
}
