use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::*;

fn told(schema: &str, values: &Json) -> String {
    let schema = Schema::from(Arc::from(schema.as_bytes()));
    match schema.check(values) {
        Ok(()) => String::new(),
        Err(Failure::NoSchema(fault)) => fault.to_string(),
        Err(Failure::NotMet(violation)) => {
            let lines: Vec<String> = violation.causes.iter().map(|cause| cause.to_lines(Shown::Everything)).collect();
            lines.join("\n")
        }
    }
}

#[test]
fn schemas_of_schemas_are_schemas() {
    use metaschemas::Draft;
    for draft in [Draft::Four, Draft::Six, Draft::Seven, Draft::Y2019, Draft::Y2020] {
        let compiled = draft.compiled();
        assert!(compiled.nodes.len() > 20, "{draft:?}: {}", compiled.nodes.len());
        let itself = metaschemas::document(draft.url()).unwrap();
        assert!(walk::check(compiled, &itself).is_ok(), "{draft:?}");
    }
}

#[test]
fn what_is_compiled_is_shared_by_clones() {
    let schema = Schema::from(Arc::from(&br#"{"type": "object"}"#[..]));
    let clone = schema.clone();
    assert!(schema.check(&json!({})).is_ok());
    assert!(clone.compiled.get().is_some());
}

#[test]
fn a_chain_of_schemas_is_followed_only_so_far() {
    let links = (0..5_000).map(|n| format!(r##""s{n}": {{"$ref": "#/$defs/s{}"}}"##, n + 1));
    let links: Vec<String> = links.collect();
    let schema = format!(r##"{{"$ref": "#/$defs/s0", "$defs": {{{}, "s5000": {{}}}}}}"##, links.join(","));
    let told = std::thread::Builder::new().stack_size(16 << 20).spawn(move || told(&schema, &json!({})));
    assert_eq!(told.unwrap().join().unwrap(), "- at '': nested too deep to be checked");
}
