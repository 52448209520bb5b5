//! Names of projects and kinds: what Kubernetes takes for one.
//!
//! Mirrors kubebuilder v4.6, `pkg/model/resource` and `pkg/plugins/common/kustomize/v2/init.go`, whose rules operator-sdk v1.42
//! keeps; where those would end in a name that the API server refuses, the limit is ours.

use std::sync::LazyLock;

use regex::Regex;

use crate::analysis::plural;
use crate::scaffold::Error;

/// What kustomize puts behind a project's name in the longest name of a Service.
const LONGEST_SUFFIX: &str = "-controller-manager-metrics-service";

/// Longest label of a DNS name.
const LABEL: usize = 63;

static VERSION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^v[1-9][0-9]*((alpha|beta)[1-9][0-9]*)?$").ok());

/// A kind that a project serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The group below the project's domain; may be empty.
    pub group: String,
    /// The project's domain; may be empty.
    pub domain: String,
    /// For instance `v1alpha1`.
    pub version: String,
    /// For instance `Memcached`.
    pub kind: String,
}

impl Kind {
    /// Checks every part.
    ///
    /// # Errors
    /// [`Error::Name`]
    pub fn check(&self) -> Result<(), Error> {
        if self.group.is_empty() && self.domain.is_empty() {
            return Err(fault(
                "group",
                "",
                "a group, or a project with a domain: the kinds of Kubernetes have no group",
            ));
        }
        if !self.group.is_empty() {
            subdomain("group", &self.group)?;
        }
        if !self.domain.is_empty() {
            subdomain("domain", &self.domain)?;
        }
        if self.full_group().len() > 253 - LABEL {
            return Err(fault("group", &self.full_group(), "at most 190 characters together with the domain"));
        }
        if !VERSION.as_ref().is_some_and(|version| version.is_match(&self.version)) {
            return Err(fault("version", &self.version, "`v1`, `v1alpha1`, `v2beta1` or the like"));
        }
        let is_kind = self.kind.starts_with(|c: char| c.is_ascii_uppercase())
            && self.kind.bytes().all(|b| b.is_ascii_alphanumeric())
            && self.plural().len() <= LABEL;
        if !is_kind {
            return Err(fault("kind", &self.kind, "a capital letter, then letters and digits, such as `Memcached`"));
        }
        Ok(())
    }

    /// The group as the API server knows it.
    pub fn full_group(&self) -> String {
        match (self.group.as_str(), self.domain.as_str()) {
            (group, "") => group.to_owned(),
            ("", domain) => domain.to_owned(),
            (group, domain) => format!("{group}.{domain}"),
        }
    }

    /// What stands for the group in names of files.
    pub fn short_group(&self) -> &str {
        let group = if self.group.is_empty() { &self.domain } else { &self.group };
        group.split('.').next().unwrap_or_default()
    }

    /// `apiVersion` of its resources.
    pub fn api_version(&self) -> String {
        format!("{}/{}", self.full_group(), self.version)
    }

    /// In lower case.
    pub fn singular(&self) -> String {
        self.kind.to_lowercase()
    }

    /// By which the API server serves it.
    pub fn plural(&self) -> String {
        plural(&self.kind)
    }

    /// The capital letters of a kind of several words, in lower case.
    pub fn initials(&self) -> Option<String> {
        let initials: String = self.kind.chars().filter(char::is_ascii_uppercase).collect();
        (initials.len() > 1).then(|| initials.to_lowercase())
    }
}

/// Checks the name of a project.
///
/// # Errors
/// [`Error::Name`]
pub(super) fn check_project(name: &str) -> Result<(), Error> {
    let longest = LABEL - LONGEST_SUFFIX.len();
    if !is_label(name) || name.len() > longest {
        let wanted = format!(
            "at most {longest} characters `a` to `z`, `0` to `9` and `-`, beginning and ending with a letter or digit"
        );
        return Err(fault("project name", name, &wanted));
    }
    Ok(())
}

/// Checks the domain of a project.
///
/// # Errors
/// [`Error::Name`]
pub(super) fn check_domain(domain: &str) -> Result<(), Error> {
    subdomain("domain", domain)
}

/// The kind that a chart gets where nobody names one: `my-chart` is `MyChart`.
pub fn kind_of_chart(name: &str) -> String {
    let mut kind = String::new();
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut chars = word.chars();
        kind.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        kind.push_str(chars.as_str());
    }
    kind
}

fn subdomain(what: &'static str, name: &str) -> Result<(), Error> {
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(fault(what, name, "labels of a DNS name in lower case, such as `cache` or `example.com`"));
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    let is_end = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = label.as_bytes();
    bytes.len() <= LABEL
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|b| is_end(Some(b)) || *b == b'-')
}

fn fault(what: &'static str, found: &str, expected: &str) -> Error {
    Error::Name { what, found: found.to_owned(), expected: expected.to_owned() }
}
