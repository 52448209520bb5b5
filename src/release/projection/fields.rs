//! The keys of `fieldsV1` (structured-merge-diff v6, `fieldpath/serialize-pe.go`).

use std::fmt;

use serde_json::Map;

use crate::release::Json;

/// One step of a path in an owned set.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::release) enum Key {
    /// `.`: the thing itself, beside what is in it.
    Itself,
    /// `f:name`: a field of a map.
    Field(String),
    /// `k:{…}`: the item of a list that has all these fields.
    Item(Map<String, Json>),
    /// `v:…`: a member of a set.
    Member(Json),
    /// `i:0`: the item of a list at a place.
    Index(usize),
}

impl Key {
    /// Reads a key; `None` for one that nobody knows.
    pub(in crate::release) fn parse(text: &str) -> Option<Self> {
        if text == "." {
            return Some(Self::Itself);
        }
        let (kind, rest) = text.split_once(':')?;
        Some(match kind {
            "f" => Self::Field(rest.to_owned()),
            "k" => Self::Item(serde_json::from_str(rest).ok()?),
            "v" => Self::Member(serde_json::from_str(rest).ok()?),
            "i" => Self::Index(rest.parse().ok()?),
            _ => return None,
        })
    }

    /// What it stands for in a live value.
    pub(super) fn of<'a>(&self, live: Option<&'a Json>) -> Option<&'a Json> {
        let live = live?;
        match self {
            Self::Itself => Some(live),
            Self::Field(name) => live.get(name),
            _ => live.as_array()?.get(self.position(live)?),
        }
    }

    /// As [`Key::of`], to be changed.
    pub(super) fn of_mut<'a>(&self, live: &'a mut Json) -> Option<&'a mut Json> {
        match self {
            Self::Itself => Some(live),
            Self::Field(name) => live.get_mut(name),
            _ => {
                let position = self.position(live)?;
                live.as_array_mut()?.get_mut(position)
            }
        }
    }

    /// Removes what it stands for.
    pub(super) fn remove_from(&self, live: &mut Json) {
        match (self, live) {
            (Self::Field(name), Json::Object(map)) => {
                map.remove(name);
            }
            (key, live) => {
                if let (Some(position), Json::Array(items)) = (key.position(live), live) {
                    items.remove(position);
                }
            }
        }
    }

    /// The place of an item in a list.
    fn position(&self, live: &Json) -> Option<usize> {
        let items = live.as_array()?;
        match self {
            Self::Item(fields) => {
                items.iter().position(|item| fields.iter().all(|(name, value)| item.get(name) == Some(value)))
            }
            Self::Member(value) => items.iter().position(|item| item == value),
            Self::Index(index) => (*index < items.len()).then_some(*index),
            Self::Itself | Self::Field(_) => None,
        }
    }
}

/// As users read it, behind what is above it: `.image`, `[name=web]`, `[app.kubernetes.io/name]`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itself => Ok(()),
            Self::Field(name) if name.contains(['.', '/']) => write!(f, "[{name}]"),
            Self::Field(name) => write!(f, ".{name}"),
            Self::Item(fields) => {
                let parts = fields.iter().map(|(name, value)| match value {
                    Json::String(text) => format!("{name}={text}"),
                    other => format!("{name}={other}"),
                });
                write!(f, "[{}]", parts.collect::<Vec<_>>().join(","))
            }
            Self::Member(value) => write!(f, "[{value}]"),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// Whether a node of a set has nothing below it.
pub(in crate::release) fn is_leaf(node: &Json) -> bool {
    node.as_object().is_none_or(|node| node.keys().all(|key| key == "."))
}

/// What is below a node of a set.
pub(super) fn children(node: &Json) -> impl Iterator<Item = (&String, &Json)> {
    node.as_object().into_iter().flatten()
}
