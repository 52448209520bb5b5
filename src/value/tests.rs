use crate::value::meter::{self, Allowance, Meter, Spent};
use crate::value::{Int, IntKind, List, Map, MapType, Str, Value, format_float};
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

fn meter(steps: u64, memory: usize) -> Meter {
    Meter::open(Allowance { steps, memory, late: Box::new(|| false) }).unwrap()
}

#[test]
fn what_values_hold_is_given_back_when_they_go() {
    let before = meter::held();
    let value = Value::from_json(&json!({"a": ["text", {"b": 1}], "c": null, "d": {"e": {}, "f": []}}));
    let copies = (value.clone(), value.deep_copy());
    assert!(meter::held() > before + 500);
    let map = value.as_map().unwrap();
    for key in ["x", "y", "x"] {
        map.insert(key, Value::string("another"));
    }
    (0..100).for_each(|n| map.insert(n.to_string(), Value::int(n)));
    (0..50).for_each(|n| map.remove(n.to_string()));
    map.remove("never there");
    drop((value, copies));
    assert_eq!(meter::held(), before);
}

#[test]
fn maps_that_contain_themselves_go_with_the_meter() {
    let before = meter::held();
    let open = meter(1_000, 1 << 20);
    let (direct, by_list, pair) = (Value::dict(), Value::dict(), (Value::dict(), Value::dict()));
    direct.as_map().unwrap().insert("self", direct.clone());
    by_list.as_map().unwrap().insert("self", Value::list(vec![by_list.clone()]));
    pair.0.as_map().unwrap().insert("other", pair.1.clone());
    pair.1.as_map().unwrap().insert("other", pair.0.clone());
    let values = Map::new(MapType::Values);
    let root: Map = [(Str::from("Values"), Value::Map(values.clone()))].into_iter().collect();
    values.insert("root", root.clone());
    drop((direct, by_list, pair, values, root));
    assert!(meter::held() > before);
    drop(open);
    assert_eq!(meter::held(), before);
}

#[test]
fn what_is_spent_stays_spent_until_the_meter_goes() {
    let open = meter(10, 1_000);
    assert!(meter::spend(10) && meter::spent().is_none());
    assert!(!meter::spend(1) && !meter::claim(0) | !meter::visit(0));
    assert_eq!(meter::spent(), Some(Spent::Steps));
    drop(open);
    let open = meter(10, 1_000);
    // It may be there twice while it is copied.
    assert!(meter::claim(400) && !meter::claim(600));
    assert_eq!(meter::spent(), Some(Spent::Memory));
    assert!(!meter::spend(1));
    drop(open);
    let open = meter(10, 1_000);
    let held = Value::string(vec![b'a'; 1_000]);
    assert_eq!(meter::spent(), Some(Spent::Memory));
    drop((held, open));
    let late = Meter::open(Allowance { steps: 5_000, memory: 0, late: Box::new(|| true) }).unwrap();
    assert!((0..meter::SLICE).all(|_| meter::spend(1)) && !meter::spend(1));
    assert_eq!(meter::spent(), Some(Spent::Time));
    drop(late);
    assert!(meter::spend(u64::MAX - 1) && meter::claim(usize::MAX) && meter::spent().is_none());
}

#[test]
fn only_the_outermost_meter_counts() {
    let outer = meter(10, 1_000);
    assert!(Meter::open(Allowance { steps: 1, memory: 1, late: Box::new(|| true) }).is_none());
    assert!(meter::spend(5));
    drop(outer);
}

#[test]
fn values_deeper_than_any_stack_are_dropped() {
    let mut list = Value::Nil;
    let mut map = Value::Nil;
    for _ in 0..1_000_000 {
        list = Value::List(List::new(crate::value::Elem::Any, vec![Value::Nil, list]));
    }
    for _ in 0..200_000 {
        map = Value::Map([(Str::from("k"), map)].into_iter().collect());
    }
    let before = meter::held();
    drop((list, map));
    assert!(meter::held() < before);
}

#[test]
fn equal_values_that_contain_themselves_are_equal() {
    let cyclic = |tail: i64| {
        let map = Value::dict();
        map.as_map().unwrap().insert("tail", Value::int(tail));
        map.as_map().unwrap().insert("self", Value::list(vec![map.clone(), map.clone()]));
        map
    };
    let open = meter(100_000, 1 << 20);
    assert!(cyclic(1).deep_equal(&cyclic(1)));
    assert!(!cyclic(1).deep_equal(&cyclic(2)));
    assert_eq!(meter::spent(), None);
    drop(open);
}
