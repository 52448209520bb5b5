//! What `watches.yaml` puts over a resource's `spec`: `overrideValues`, whose leaves are always strings, and the typed
//! `overrides`.
//!
//! Mirrors operator-sdk v1.42.3: `internal/helm/watches/watches.go` (expansion), `internal/helm/release/manager_factory.go`
//! (merging), and Go's `os.Expand`.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::values::strvals;

/// Looks up an environment variable.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Why an entry of `overrideValues` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error<T: std::error::Error + 'static> {
    /// Its template fails.
    #[error("cannot evaluate the template of override `{key}`")]
    Template {
        /// The entry.
        key: String,
        /// What the template engine says.
        #[source]
        source: T,
    },
}

/// An override that [`strvals`] cannot read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("cannot apply override `{key}`")]
pub struct Unreadable {
    /// The entry.
    pub key: String,
    /// What is wrong with it.
    #[source]
    pub source: strvals::Error,
}

/// `overrideValues` as they are applied: the environment is put in first, then `template` evaluates the result as a
/// template. Done once, when the file is read.
///
/// # Errors
/// [`Error::Template`] for every entry whose template fails.
pub fn evaluate<T: std::error::Error + 'static>(
    raw: &BTreeMap<String, String>,
    env: Env<'_>,
    template: &dyn Fn(&str) -> Result<String, T>,
) -> Result<BTreeMap<String, String>, Vec<Error<T>>> {
    let mut values = BTreeMap::new();
    let mut errors = Vec::new();
    for (key, text) in raw {
        match template(&expand(text, env)) {
            Ok(value) => {
                values.insert(key.clone(), value);
            }
            Err(source) => errors.push(Error::Template { key: key.clone(), source }),
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}

/// `spec` with the evaluated `overrideValues` on top and `overrides` on top of those. Maps are merged, all else replaced.
///
/// # Errors
/// [`Unreadable`] for the first override that is none.
pub fn apply(spec: &Json, values: &BTreeMap<String, String>, overrides: &Json) -> Result<Json, Unreadable> {
    let mut merged = spec.as_object().cloned().unwrap_or_default();
    merge(&mut merged, as_map(values)?);
    if let Json::Object(overrides) = overrides {
        merge(&mut merged, overrides.clone());
    }
    Ok(Json::Object(merged))
}

/// The map that `key=value` assignments make, every leaf a string.
///
/// # Errors
/// [`Unreadable`] for the first that is none.
pub fn as_map(values: &BTreeMap<String, String>) -> Result<Map<String, Json>, Unreadable> {
    let mut map = Map::new();
    for (key, value) in values {
        strvals::parse_into(&format!("{key}={value}"), strvals::Kind::String, &mut map)
            .map_err(|source| Unreadable { key: key.clone(), source })?;
    }
    Ok(map)
}

/// `overrides` with the environment put into every string; keys stay as they are.
pub fn expand_all(overrides: &Json, env: Env<'_>) -> Json {
    match overrides {
        Json::String(text) => Json::String(expand(text, env)),
        Json::Array(items) => Json::Array(items.iter().map(|item| expand_all(item, env)).collect()),
        Json::Object(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.clone(), expand_all(value, env))).collect())
        }
        other => other.clone(),
    }
}

/// `text` with `$NAME` and `${NAME}` replaced; an unset variable is empty. There is no escape: `$$` is the variable `$`.
pub fn expand(text: &str, env: Env<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (reference, tail) = variable(after);
        match reference {
            Reference::Name(name) => out.push_str(&env(name).unwrap_or_default()),
            Reference::Dollar => out.push('$'),
            Reference::Malformed => {}
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// What a `$` introduces.
enum Reference<'a> {
    Name(&'a str),
    /// Nothing: it stays.
    Dollar,
    /// `${}`, or a brace that is never closed: it goes.
    Malformed,
}

/// Reads the name after a `$`; also what comes after it.
fn variable(text: &str) -> (Reference<'_>, &str) {
    if let Some(braced) = text.strip_prefix('{') {
        return match special(braced).filter(|(_, rest)| rest.starts_with('}')).or_else(|| split_at_brace(braced)) {
            None => (Reference::Malformed, braced),
            Some(("", rest)) => (Reference::Malformed, rest.strip_prefix('}').unwrap_or(rest)),
            Some((name, rest)) => (Reference::Name(name), rest.strip_prefix('}').unwrap_or(rest)),
        };
    }
    if let Some((name, rest)) = special(text) {
        return (Reference::Name(name), rest);
    }
    let end = text.find(|c: char| !(c == '_' || c.is_ascii_alphanumeric())).unwrap_or(text.len());
    match text.split_at(end) {
        ("", rest) => (Reference::Dollar, rest),
        (name, rest) => (Reference::Name(name), rest),
    }
}

/// One of the shell's one-letter variables.
fn special(text: &str) -> Option<(&str, &str)> {
    let first = text.chars().next()?;
    let known = first.is_ascii_digit() || "*#$@!?-".contains(first);
    known.then(|| text.split_at(first.len_utf8()))
}

fn split_at_brace(text: &str) -> Option<(&str, &str)> {
    Some(text.split_at(text.find('}')?))
}

/// Puts `over` on top of `values`.
fn merge(values: &mut Map<String, Json>, over: Map<String, Json>) {
    for (key, value) in over {
        match (values.get_mut(&key), value) {
            (Some(Json::Object(below)), Json::Object(above)) => merge(below, above),
            (_, value) => {
                values.insert(key, value);
            }
        }
    }
}
