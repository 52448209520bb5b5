//! Label selectors: which resources a watch means, and what a template looks up.
//!
//! Mirrors Kubernetes' `metav1.LabelSelector`, `LabelSelectorAsSelector` and `pkg/labels` (text, matching, validation).

mod parse;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use parse::Error;

/// A label selector; the default one means everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Labels that must have exactly these values.
    pub match_labels: BTreeMap<String, String>,
    /// Requirements that must hold too.
    pub match_expressions: Vec<Requirement>,
}

/// What one label must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's name.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what; empty for [`Operator::Exists`] and [`Operator::DoesNotExist`].
    pub values: BTreeSet<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// It is there, with one of the values.
    In,
    /// It is not there, or with none of the values.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

impl Operator {
    /// As it is written, with what it is.
    pub(crate) const ALL: [(&'static str, Self); 4] =
        [("In", Self::In), ("NotIn", Self::NotIn), ("Exists", Self::Exists), ("DoesNotExist", Self::DoesNotExist)];

    /// Whether it compares with values.
    pub fn takes_values(self) -> bool {
        matches!(self, Self::In | Self::NotIn)
    }
}

impl Selector {
    /// Whether it means everything.
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// What keeps the API server from reading it.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<(), String> {
        let fault = |what: &str, fault: &str| format!("`{what}`: {fault}");
        let values = |values: &BTreeSet<String>| {
            values.iter().find_map(|value| value_fault(value).map(|found| fault(value, found)))
        };
        for (key, value) in &self.match_labels {
            let found = key_fault(key).map(|found| fault(key, found));
            found.or_else(|| value_fault(value).map(|found| fault(value, found))).map_or(Ok(()), Err)?;
        }
        for Requirement { key, operator, values: given } in &self.match_expressions {
            let found = key_fault(key).map(|found| fault(key, found)).or_else(|| values(given));
            let count = match (operator.takes_values(), given.is_empty()) {
                (true, true) => Some(fault(key, "`In` and `NotIn` need at least one value")),
                (false, false) => Some(fault(key, "`Exists` and `DoesNotExist` take no values")),
                _ => None,
            };
            found.or(count).map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// Whether it means a resource with these labels.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.matches(labels))
    }
}

impl Requirement {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let found = labels.get(&self.key);
        match self.operator {
            Operator::In => found.is_some_and(|value| self.values.contains(value)),
            Operator::NotIn => found.is_none_or(|value| !self.values.contains(value)),
            Operator::Exists => found.is_some(),
            Operator::DoesNotExist => found.is_none(),
        }
    }
}

impl fmt::Display for Selector {
    /// As the API server reads it: `app=web,tier in (a,b),!legacy`; empty where it means everything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.match_labels.iter().map(|(key, value)| (key, format!("{key}={value}")));
        let requirements = self.match_expressions.iter().map(|requirement| (&requirement.key, requirement.to_string()));
        let mut all: Vec<(&String, String)> = labels.chain(requirements).collect();
        all.sort_by_key(|(key, _)| *key);
        let texts: Vec<String> = all.into_iter().map(|(_, text)| text).collect();
        f.write_str(&texts.join(","))
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        match self.operator {
            Operator::In => write!(f, "{} in ({})", self.key, values.join(",")),
            Operator::NotIn => write!(f, "{} notin ({})", self.key, values.join(",")),
            Operator::Exists => f.write_str(&self.key),
            Operator::DoesNotExist => write!(f, "!{}", self.key),
        }
    }
}

/// What is wrong with the name of a label; `None` where nothing is.
pub fn key_fault(key: &str) -> Option<&'static str> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if name.is_empty() || name.len() > 63 || !is_word(name) {
        return Some(
            "a label's name is at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends",
        );
    }
    let domain = |prefix: &str| {
        let part = |part: &str| {
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            is_word(part) && part.chars().all(allowed)
        };
        prefix.len() <= 253 && prefix.split('.').all(part)
    };
    match prefix {
        Some(prefix) if !domain(prefix) => {
            Some("what stands before the `/` of a label's name is a domain in lower case")
        }
        _ => None,
    }
}

/// What is wrong with the value of a label; `None` where nothing is.
pub fn value_fault(value: &str) -> Option<&'static str> {
    let fits = value.is_empty() || (value.len() <= 63 && is_word(value));
    (!fits).then_some(
        "a label's value is at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends",
    )
}

fn is_word(text: &str) -> bool {
    let ends = [text.chars().next(), text.chars().next_back()];
    ends.iter().all(|end| end.is_some_and(|c| c.is_ascii_alphanumeric()))
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(key: &str, operator: Operator, values: &[&str]) -> Requirement {
        Requirement { key: key.into(), operator, values: values.iter().copied().map(String::from).collect() }
    }

    #[test]
    fn a_selector_prints_as_the_api_server_reads_it_and_means_the_same() {
        let labels = |text: &str| -> BTreeMap<String, String> {
            let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
            pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let app = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
        for (match_labels, match_expressions, text, meant, not_meant) in [
            (BTreeMap::new(), vec![], "", vec!["", "a=b"], vec![]),
            (app.clone(), vec![], "app=web", vec!["app=web", "app=web a=b"], vec!["", "app=db"]),
            (
                app,
                vec![requirement("tier", Operator::In, &["b", "a"]), requirement("aaa", Operator::DoesNotExist, &[])],
                "!aaa,app=web,tier in (a,b)",
                vec!["app=web tier=a"],
                vec!["app=web tier=c", "app=web", "app=web tier=a aaa=x"],
            ),
            (
                BTreeMap::new(),
                vec![requirement("x", Operator::NotIn, &["1"]), requirement("y", Operator::Exists, &[])],
                "x notin (1),y",
                vec!["y=", "y=2 x=2"],
                vec!["x=2", "x=1 y=1"],
            ),
        ] {
            let selector = Selector { match_labels, match_expressions };
            assert_eq!(selector.to_string(), text);
            assert_eq!(selector.is_empty(), text.is_empty());
            for text in meant {
                assert!(selector.matches(&labels(text)), "{selector} means {text:?}");
            }
            for text in not_meant {
                assert!(!selector.matches(&labels(text)), "{selector} does not mean {text:?}");
            }
        }
    }

    #[test]
    fn names_and_values_of_labels_are_checked() {
        for key in ["app", "app.kubernetes.io/name", "A_b.c-d", "x"] {
            assert_eq!(key_fault(key), None, "{key}");
        }
        for key in ["", "-a", "a b", "/a", "A.b/c", "a/b/c", "a/", &"x".repeat(64)] {
            assert!(key_fault(key).is_some(), "{key}");
        }
        for value in ["", "v1.2", "a_b"] {
            assert_eq!(value_fault(value), None, "{value}");
        }
        for value in ["-", "a b", "a/b", &"x".repeat(64)] {
            assert!(value_fault(value).is_some(), "{value}");
        }
    }
}
