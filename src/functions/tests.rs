use crate::functions::table;
use crate::value::Type;

/// What render adds, because it needs the engine and the chart.
const ELSEWHERE: &[&str] = &["fail", "include", "lookup", "required", "tpl"];

/// The Go types of a function's parameters, the variadic one with its dots, as `tests/golden/oracle/funcs.txt` has them.
fn parameters(go: &str) -> Vec<&str> {
    let inside = go.strip_prefix("func(").unwrap();
    let mut depth = 0;
    let end = inside
        .char_indices()
        .find(|(_, c)| {
            depth += i32::from(*c == '(') - i32::from(*c == ')');
            depth < 0
        })
        .unwrap()
        .0;
    inside.get(..end).unwrap().split(", ").filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_function_takes_what_go_s_takes() {
    let functions = table();
    let mut missing = Vec::new();
    for line in include_str!("../../tests/golden/oracle/funcs.txt").lines() {
        let (name, go) = line.split_once('\t').unwrap();
        let Some(function) = functions.get(name) else {
            missing.push(name);
            continue;
        };
        let signature = function.signature();
        let mut ours: Vec<String> = signature.params.iter().map(|param| param.name().to_owned()).collect();
        ours.extend(signature.variadic.map(|param: Type| format!("...{}", param.name())));
        assert_eq!(ours, parameters(go), "{name}");
    }
    missing.retain(|name| !ELSEWHERE.contains(name));
    assert_eq!(missing, NOT_YET);
}

const NOT_YET: &[&str] = &[];
