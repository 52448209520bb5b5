//! Which parts of an object or of values may be secret, and texts without them.
//!
//! The API server repeats in its errors what it was sent, and a template what it was given. Values of Secrets and
//! `ConfigMaps`, of environment variables and arguments, and whatever is named like a secret are masked there.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::release::Json;

/// What stands in place of a secret.
const MASK: &str = "***";

/// Shorter values are not masked: they would hit ordinary words and tell more than they hide.
const SHORTEST: usize = 4;

/// How names of fields end whose values are secret, in lower case and without what separates words. `secretName` and
/// `tokenRef` only point at one.
const NAMES: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "token",
    "secret",
    "credentials",
    "apikey",
    "secretkey",
    "accesskey",
    "privatekey",
    "connectionstring",
];

/// Ends of names of fields that hold the name of a Secret.
const POINTERS: [&str; 2] = ["existingsecret", "tlssecret"];

/// Fields of containers with texts of users.
const OF_CONTAINERS: [&str; 2] = ["args", "command"];

/// Texts that must not be shown.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Longest first, so that a secret that contains another is masked whole.
    texts: Vec<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.texts.len())
    }
}

impl Secrets {
    /// Those of an object, or of values.
    pub fn of(object: &Json) -> Self {
        let mut texts = BTreeSet::new();
        let text = |field| object.get(field).and_then(Json::as_str);
        if text("apiVersion") == Some("v1") && matches!(text("kind"), Some("Secret" | "ConfigMap")) {
            for field in ["data", "stringData", "binaryData"] {
                object.get(field).into_iter().for_each(|values| add_all(&mut texts, values));
            }
            let values = object.get("data").and_then(Json::as_object).into_iter().flat_map(|data| data.values());
            for value in values.filter_map(Json::as_str) {
                let decoded = STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                add(&mut texts, decoded.as_deref().unwrap_or_default());
            }
        }
        search(&mut texts, object);
        let mut texts: Vec<_> = texts.into_iter().collect();
        texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        Self { texts }
    }

    /// The text with every secret masked.
    pub fn redact(&self, text: &str) -> String {
        let found = self.texts.iter().filter(|secret| text.contains(secret.as_str()));
        found.fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
    }
}

/// Adds what is named like a secret, at any depth.
fn search(texts: &mut BTreeSet<String>, value: &Json) {
    match value {
        Json::Array(items) => items.iter().for_each(|item| search(texts, item)),
        Json::Object(map) => {
            for (name, value) in map {
                if is_secret(name) || OF_CONTAINERS.contains(&name.as_str()) {
                    add_all(texts, value);
                } else if name == "env" {
                    let variables = value.as_array().into_iter().flatten();
                    variables.filter_map(|variable| variable.get("value")).for_each(|value| add_all(texts, value));
                }
                search(texts, value);
            }
        }
        _ => {}
    }
}

fn is_secret(name: &str) -> bool {
    let mut name = name.to_lowercase();
    name.retain(char::is_alphanumeric);
    NAMES.iter().any(|end| name.ends_with(end)) && !POINTERS.iter().any(|end| name.ends_with(end))
}

fn add_all(texts: &mut BTreeSet<String>, value: &Json) {
    match value {
        Json::String(text) => add(texts, text),
        Json::Number(number) => add(texts, &number.to_string()),
        Json::Array(items) => items.iter().for_each(|item| add_all(texts, item)),
        Json::Object(map) => map.values().for_each(|item| add_all(texts, item)),
        Json::Null | Json::Bool(_) => {}
    }
}

/// A secret can come back whole, as one of its lines, in base64, or quoted.
fn add(texts: &mut BTreeSet<String>, secret: &str) {
    let lines = secret.lines().chain([secret]).map(str::trim).filter(|line| line.len() >= SHORTEST);
    for text in lines {
        texts.insert(text.to_owned());
        texts.insert(STANDARD.encode(text));
        let quoted = Json::from(text).to_string();
        let inside = quoted.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"'));
        texts.extend(inside.map(str::to_owned));
    }
    if secret.len() >= SHORTEST {
        texts.insert(STANDARD.encode(secret));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_secrets_are_masked_in_every_form() {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "data": {"a": "aHVudGVyMg==", "n": 12_345_678}, "stringData": {"b": "say \"psst\"\nsecond line", "c": "abc"},
        });
        let secrets = Secrets::of(&secret);
        for (text, expected) in [
            ("password is hunter2", "password is ***"),
            ("data: aHVudGVyMg==", "data: ***"),
            ("found \"say \\\"psst\\\"\"", "found \"***\""),
            ("at `second line`", "at `***`"),
            (
                ".data.n: expected string, got &value.valueUnstructured{Value:12345678}",
                ".data.n: expected string, got &value.valueUnstructured{Value:***}",
            ),
            ("public abc", "public abc"),
        ] {
            assert_eq!(secrets.redact(text), expected, "{text}");
        }
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_masked_of_other_objects_is_what_users_put_there() {
        let container = json!({"name": "main", "image": "registry/main", "env": [{"name": "DSN", "value": "pg://x"}], "args": ["--key=abcd"]});
        let objects = json!([
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}, "data": {"a": "content"}},
            {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"containers": [container], "secretName": "points"}},
            {"apiVersion": "db.io/v1", "kind": "Db", "spec": {"adminPassword": "topsecret", "api_key": 987_654, "existingSecret": "named", "port": 99_999}},
        ]);
        for (secret, text) in [
            (true, "content"),
            (true, "pg://x"),
            (true, "--key=abcd"),
            (true, "topsecret"),
            (true, "987654"),
            (false, "config"),
            (false, "registry/main"),
            (false, "points"),
            (false, "named"),
            (false, "99999"),
            (false, "DSN"),
        ] {
            let masked = objects.as_array().unwrap().iter().any(|object| Secrets::of(object).redact(text) == "***");
            assert_eq!(masked, secret, "{text}");
        }
    }
}
