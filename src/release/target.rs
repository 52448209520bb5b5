//! Which rendered objects a rule of `watches.yaml` means.
//!
//! Mirrors kustomize v5, `api/types/selector.go`: each part is a regular expression that must match the whole of its text,
//! and a part that is not written matches everything.

use regex::Regex;

use crate::release::Gvk;

/// Names objects by group, kind and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The API group; the empty text is the core group.
    pub group: Option<Pattern>,
    /// The kind.
    pub kind: Option<Pattern>,
    /// The name.
    pub name: Option<Pattern>,
}

/// A regular expression for a whole text.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// Reads one.
    ///
    /// # Errors
    /// If it is no regular expression.
    pub fn parse(text: &str) -> Result<Self, regex::Error> {
        // Read alone first, so that a parenthesis too many is a fault.
        Regex::new(text)?;
        Regex::new(&format!("^(?:{text})$")).map(Self)
    }
}

impl Target {
    /// Whether the object of this kind and name is meant.
    pub fn matches(&self, gvk: &Gvk, name: &str) -> bool {
        let fits = |pattern: &Option<Pattern>, text| pattern.as_ref().is_none_or(|pattern| pattern.0.is_match(text));
        fits(&self.group, &gvk.group) && fits(&self.kind, &gvk.kind) && fits(&self.name, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_matches_the_whole_text_and_a_missing_one_everything() {
        let target = |group: Option<&str>, kind: Option<&str>, name: Option<&str>| {
            let pattern = |text: Option<&str>| text.map(|text| Pattern::parse(text).unwrap());
            Target { group: pattern(group), kind: pattern(kind), name: pattern(name) }
        };
        let deployment = Gvk::new("apps/v1", "Deployment");
        for (target, matches) in [
            (target(None, None, None), true),
            (target(Some("apps"), Some("Deployment"), Some("web")), true),
            (target(None, Some("Deployment|StatefulSet"), Some("w.*")), true),
            (target(Some(""), None, None), false),
            (target(None, Some("Deploy"), None), false),
            (target(None, None, Some("eb")), false),
        ] {
            assert_eq!(target.matches(&deployment, "web"), matches, "{target:?}");
        }
        assert!(target(Some(""), None, None).matches(&Gvk::new("v1", "Service"), "web"));
        assert!(Pattern::parse("a)(b").is_err());
    }
}
