//! Any text as assignments of `--set` and its kin: read twice it is the same, and only leaves tell the kinds apart.

use chart_operator::values::strvals::{Error, Kind, parse, parse_into};
use serde_json::{Map, Value as Json, json};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for kind in [Kind::Typed, Kind::String, Kind::Json, Kind::Literal] {
        let once = parse(text, kind);
        assert_eq!(once, parse(text, kind), "the same twice");
        let mut values = base();
        let into = parse_into(text, kind, &mut values);
        assert!(
            into.is_err() || once.is_ok() || matches!(once, Err(Error::Shape { .. })) || has_base(text),
            "{into:?}"
        );
        if let Err(error) = into {
            assert!(!error.to_string().is_empty(), "an error says something");
        }
    }
    // A null holds the place of a list or a map, which no text does.
    if !text.to_ascii_lowercase().contains("null") {
        let [typed, strings] = [Kind::Typed, Kind::String].map(|kind| parse(text, kind));
        assert_eq!(typed.is_ok(), strings.is_ok(), "{typed:?} {strings:?}");
        assert_eq!(typed.ok().map(shape), strings.ok().map(shape), "only leaves differ");
    }
}

fn base() -> Map<String, Json> {
    let base = json!({"a": 1.0, "b": {"c": ["x", {"d": null}]}, "l": [[1.0], null]});
    base.as_object().cloned().unwrap_or_default()
}

/// Whether the text names what [`base`] holds, which makes some assignments possible.
fn has_base(text: &str) -> bool {
    ["a", "b", "l"].into_iter().any(|name| text.contains(name))
}

/// The values with every leaf forgotten.
fn shape(values: Map<String, Json>) -> Json {
    fn strip(json: Json) -> Json {
        match json {
            Json::Array(items) => items.into_iter().map(strip).collect(),
            Json::Object(entries) => entries.into_iter().map(|(key, value)| (key, strip(value))).collect(),
            _ => Json::Null,
        }
    }
    strip(Json::Object(values))
}
