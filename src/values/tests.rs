use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::*;
use crate::chart::{Chart, File, load};

fn chart(files: &[(&str, Json)]) -> Chart {
    let metadata = ("Chart.yaml", json!({"apiVersion": "v2", "name": "web", "version": "0.1.0"}));
    let given = files.iter().any(|(name, _)| *name == "Chart.yaml");
    let files = files.iter().chain((!given).then_some(&metadata));
    load::from_files(files.map(|(name, json)| File::new(*name, json.to_string().into_bytes())).collect()).unwrap()
}

#[test]
fn nulls_delete_defaults_and_are_dropped_from_them() {
    for (defaults, user, want) in [
        (json!({"a": 1.0}), json!({"a": null}), json!({})),
        (json!({}), json!({"a": null}), json!({"a": null})),
        (json!({"a": null}), json!({}), json!({})),
        (json!({"a": {"b": 1.0, "c": null}}), json!({"a": {"b": null}}), json!({"a": {}})),
        (json!({"a": {"b": null}}), json!({"a": {"b": null}}), json!({"a": {"b": null}})),
        (json!({"a": 1.0}), json!({"a": {"b": 2.0}}), json!({"a": {"b": 2.0}})),
        (json!({"a": {"b": 1.0}}), json!({"a": [1.0]}), json!({"a": [1.0]})),
    ] {
        let found = coalesce(&chart(&[("values.yaml", defaults.clone())]), &user).unwrap().values;
        assert_eq!(found, want, "{defaults} ← {user}");
    }
}

#[test]
fn what_does_not_fit_is_warned_about_without_its_value() {
    let web = chart(&[("values.yaml", json!({"a": {"b": {"c": 1}}, "d": "secret", "e": {"f": "secret"}}))]);
    let found = coalesce(&web, &json!({"a": {"b": "secret"}, "d": {}, "e": {"f": {}}})).unwrap();
    assert_eq!(
        found.warnings,
        [
            "cannot overwrite table with non table for web.a.b",
            "skipped value for web.d: Not a table.",
            "destination for web.e.f is a table. Ignoring non-table value",
        ]
    );
}

#[test]
fn a_subcharts_values_must_be_a_table() {
    let web = chart(&[("charts/db/Chart.yaml", json!({"name": "db", "version": "1"}))]);
    let error = coalesce(&web, &json!({"db": "secret"})).unwrap_err();
    assert_eq!(error.to_string(), "type mismatch on db: expected a table, found string");
}

#[test]
fn a_user_sees_globals_in_every_chart() {
    let web = chart(&[
        ("values.yaml", json!({"global": {"region": "eu"}})),
        ("charts/db/Chart.yaml", json!({"name": "db", "version": "1"})),
        ("charts/db/values.yaml", json!({"port": 1.5, "global": {"region": "us", "zone": "a"}})),
    ]);
    let found = coalesce(&web, &json!({"global": {"x": true}})).unwrap().values;
    assert_eq!(
        found,
        json!({"global": {"region": "eu", "x": true}, "db": {"port": 1.5, "global": {"region": "eu", "x": true, "zone": "a"}}})
    );
}

#[test]
fn overrides_are_expanded_as_by_gos_os_package() {
    let env = |name: &str| match name {
        "IMG" => Some("repo:1".to_owned()),
        "_a1" => Some("x".to_owned()),
        "1" => Some("one".to_owned()),
        "a b" => Some("spaced".to_owned()),
        _ => None,
    };
    for (text, want) in [
        ("", ""),
        ("$", "$"),
        ("$$", ""),
        ("a$", "a$"),
        ("$IMG", "repo:1"),
        ("${IMG}", "repo:1"),
        ("$IMG/x", "repo:1/x"),
        ("$IMGx|", "|"),
        ("$_a1-", "x-"),
        ("$12", "one2"),
        ("${1}2", "one2"),
        ("${12}", ""),
        ("${a b}", "spaced"),
        ("${}x", "x"),
        ("${x", "x"),
        ("$ {", "$ {"),
        ("$é", "$é"),
        ("${é}", ""),
        ("a$IMG$IMG", "arepo:1repo:1"),
        ("$*x", "x"),
        ("${*x}", ""),
    ] {
        assert_eq!(overrides::expand(text, &env), want, "{text}");
    }
    let typed = json!({"a": ["$IMG", 1, {"$IMG": null}]});
    assert_eq!(overrides::expand_all(&typed, &env), json!({"a": ["repo:1", 1, {"$IMG": null}]}));
}

#[test]
fn override_values_are_strings_over_the_spec_and_overrides_come_last() {
    let values = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let spec = json!({"image": {"tag": "1", "repo": "r"}, "n": 1, "list": [1, 2]});
    let over = values(&[("image.tag", "2"), ("on", "true"), ("list[1]", "x"), ("c", "a,d={x,y}")]);
    let typed = json!({"on": true, "image": {"pull": null}});
    assert_eq!(
        overrides::apply(&spec, &over, &typed).unwrap(),
        json!({"image": {"tag": "2", "repo": "r", "pull": null}, "n": 1, "list": [null, "x"], "on": true, "c": "a",
            "d": ["x", "y"]})
    );
    let error = overrides::apply(&spec, &values(&[("a[x]", "1")]), &Json::Null).unwrap_err();
    assert_eq!(error.to_string(), "cannot apply override `a[x]`");

    let upper = |text: &str| if text.contains("{{") { Err(std::fmt::Error) } else { Ok(text.to_uppercase()) };
    let env = |_: &str| Some("v".to_owned());
    let raw = values(&[("a", "$X"), ("b", "c")]);
    assert_eq!(overrides::evaluate(&raw, &env, &upper).unwrap(), values(&[("a", "V"), ("b", "C")]));
    let errors = overrides::evaluate(&values(&[("a", "{{"), ("b", "{{"), ("c", "")]), &env, &upper).unwrap_err();
    assert_eq!(errors.len(), 2);
}

#[test]
fn a_schema_that_is_none_or_lies_elsewhere_is_told() {
    let told = |schema: Json| {
        let web = chart(&[("values.schema.json", schema)]);
        schema::validate(&web, &json!({"a": "secret"})).unwrap_err().to_string()
    };
    for (schema, wanted) in [
        (json!({"type": "integr"}), "values.schema.json is no JSON schema"),
        (json!({"$schema": "https://example.com/own"}), "unknown dialect"),
        (json!({"properties": {"a": {"$ref": "https://example.com/x"}}}), "`https://example.com/x` is not loaded"),
        (json!({"properties": {"a": {"pattern": "^[0-9]+$"}}}), "- at '/a': does not match pattern '^[0-9]+$'"),
        (
            json!({"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"format": "ipv4"}}}),
            "- at '/a': is not valid ipv4",
        ),
    ] {
        let told = told(schema);
        assert!(
            told.starts_with(
                "values don't meet the specifications of the schema(s) in the following chart(s):\nweb:\n"
            )
        );
        assert!(told.contains(wanted), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}

#[test]
fn values_that_name_files_become_what_the_files_hold() {
    let mut asked = Vec::new();
    let mut read = |name: &str| {
        asked.push(name.to_owned());
        if name == "absent" {
            Err("open absent: no such file or directory".to_owned())
        } else {
            Ok(format!("<{name}>"))
        }
    };
    let mut values = Map::new();
    strvals::parse_files_into(r"a.b=x,c={y,z\,1},d[1]=x,e=", &mut read, &mut values).unwrap();
    assert_eq!(Json::Object(values), json!({"a": {"b": "<x>"}, "c": ["<y>", "<z,1>"], "d": [null, "<x>"], "e": ""}));
    for (text, error) in [
        ("a=absent", "open absent: no such file or directory"),
        ("a={x,absent", "list must terminate with '}'"),
        ("a", "key \"a\" has no value"),
    ] {
        assert_eq!(
            strvals::parse_files_into(text, &mut read, &mut Map::new()).unwrap_err().to_string(),
            error,
            "{text}"
        );
    }
    assert_eq!(
        asked,
        ["x", "y", "z,1", "x", "absent", "x"],
        "each file is read where it stands, an open list to its end"
    );
}
