//! What may be shown of a text that may hold secrets, and how much of it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

/// The longest message that the API server takes in a condition, in bytes (Kubernetes, `metav1.Condition`).
pub const LONGEST_MESSAGE: usize = 32 * 1024;

/// What stands where a message was cut.
const CUT: &str = "… (cut)";

/// What stands in place of a secret.
const MASK: &str = "***";

/// Shorter values are not masked: they would hit ordinary words and tell more than they hide.
const SHORTEST_SECRET: usize = 4;

/// Cuts a message to [`LONGEST_MESSAGE`], between two characters.
pub fn cut(message: &str) -> String {
    if message.len() <= LONGEST_MESSAGE {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(LONGEST_MESSAGE - CUT.len());
    format!("{}{CUT}", message.get(..end).unwrap_or_default())
}

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
    /// The values of all Secrets among `objects` (`data` as written and decoded, `stringData`), and all strings in
    /// `values`; each also line by line and base64-encoded.
    pub fn of<'a>(objects: impl IntoIterator<Item = &'a Json>, values: impl IntoIterator<Item = &'a Json>) -> Self {
        let mut texts = BTreeSet::new();
        for object in objects {
            let text = |field| object.get(field).and_then(Json::as_str);
            if text("kind") != Some("Secret") || text("apiVersion") != Some("v1") {
                continue;
            }
            for value in strings_of(object.get("data")) {
                let decoded = STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                add(&mut texts, value);
                add(&mut texts, decoded.as_deref().unwrap_or_default());
            }
            strings_of(object.get("stringData")).for_each(|text| add(&mut texts, text));
        }
        values.into_iter().for_each(|value| add_all(&mut texts, value));
        let mut texts: Vec<_> = texts.into_iter().collect();
        texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        Self { texts }
    }

    /// The text with every secret masked.
    pub fn redact(&self, text: &str) -> String {
        self.texts.iter().fold(
            text.to_owned(),
            |text, secret| {
                if text.contains(secret) { text.replace(secret, MASK) } else { text }
            },
        )
    }

    /// Whether there is nothing to mask.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

fn strings_of(value: Option<&Json>) -> impl Iterator<Item = &str> {
    value.and_then(Json::as_object).into_iter().flat_map(|map| map.values()).filter_map(Json::as_str)
}

fn add_all(texts: &mut BTreeSet<String>, value: &Json) {
    match value {
        Json::String(text) => add(texts, text),
        Json::Array(items) => items.iter().for_each(|item| add_all(texts, item)),
        Json::Object(map) => map.values().for_each(|item| add_all(texts, item)),
        _ => {}
    }
}

/// A secret can come back whole, as one of its lines, in base64, or quoted.
fn add(texts: &mut BTreeSet<String>, secret: &str) {
    let lines = secret.lines().chain([secret]).map(str::trim).filter(|line| line.len() >= SHORTEST_SECRET);
    for text in lines {
        texts.insert(text.to_owned());
        texts.insert(STANDARD.encode(text));
        let quoted = Json::from(text).to_string();
        let inside = quoted.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"'));
        texts.extend(inside.map(str::to_owned));
    }
    if secret.len() >= SHORTEST_SECRET {
        texts.insert(STANDARD.encode(secret));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_secrets_are_masked_in_every_form() {
        let objects = [
            json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "aHVudGVyMg=="}, "stringData": {"b": "say \"psst\"\nsecond line", "c": "abc"}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "public"}}),
        ];
        let secrets = Secrets::of(&objects, [&json!({"deep": ["token-1"]})]);
        let cases = [
            ("password is hunter2", "password is ***"),
            ("data: aHVudGVyMg==", "data: ***"),
            ("found \"say \\\"psst\\\"\"", "found \"***\""),
            ("at `second line`", "at `***`"),
            ("token-1-x public abc", "***-x public abc"),
            ("dG9rZW4tMQ==", "***"),
        ];
        for (text, expected) in cases {
            assert_eq!(secrets.redact(text), expected, "{text}");
        }
        assert!(Secrets::default().is_empty());
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }

    #[test]
    fn a_long_message_is_cut_between_two_characters() {
        assert_eq!(cut("short"), "short");
        let long = cut(&"ä".repeat(LONGEST_MESSAGE));
        assert!(long.len() <= LONGEST_MESSAGE && long.ends_with("ä… (cut)"), "{}", long.len());
    }
}
