//! `restrict`: what a chart may render, whoever may write its resources.

use std::collections::BTreeSet;
use std::fmt;

use crate::release::{Gvk, Scope};

/// The limits of a watch. What is not limited is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restrict {
    /// The namespaces that objects may be in.
    pub namespaces: Option<Namespaces>,
    /// Whether objects may be in no namespace. Not said, they may only where `namespaces` sets no limit either: who names
    /// namespaces does not mean the whole cluster.
    pub cluster_scoped: Option<bool>,
    /// The kinds that objects may be of.
    pub kinds: Option<BTreeSet<GroupKind>>,
}

/// Where objects may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespaces {
    /// Only in the namespace of the release.
    Own,
    /// In these.
    Listed(BTreeSet<String>),
}

/// A kind as `kubectl` names it: `Deployment.apps`, `Service`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupKind {
    /// Empty for a core kind.
    pub group: String,
    /// The kind.
    pub kind: String,
}

impl GroupKind {
    /// Reads `Kind` or `Kind.group`.
    pub fn parse(text: &str) -> Self {
        let (kind, group) = text.split_once('.').unwrap_or((text, ""));
        Self { group: group.to_owned(), kind: kind.to_owned() }
    }
}

impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.group.is_empty() { "" } else { "." };
        write!(f, "{}{dot}{}", self.kind, self.group)
    }
}

/// An object as far as limits concern it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its kind.
    pub gvk: &'a Gvk,
    /// Where objects of the kind live; one that nobody knows is taken for namespaced.
    pub scope: Option<Scope>,
    /// As rendered; empty for that of the release.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The template that rendered it.
    pub path: &'a str,
}

/// An object that may not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    object: String,
    path: String,
    rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}) violates {}", self.object, self.path, self.rule)
    }
}

impl Restrict {
    /// Everything that is not allowed in a release whose namespace is `own`.
    pub fn violations<'a>(&self, objects: impl IntoIterator<Item = Candidate<'a>>, own: &str) -> Vec<Violation> {
        objects.into_iter().filter_map(|object| self.violation(object, own)).collect()
    }

    fn violation(&self, object: Candidate<'_>, own: &str) -> Option<Violation> {
        let namespace = match object.scope {
            Some(Scope::Cluster) => None,
            _ => Some(if object.namespace.is_empty() { own } else { object.namespace }),
        };
        let kind = GroupKind { group: object.gvk.group.clone(), kind: object.gvk.kind.clone() };
        let rule = self.broken(&kind, namespace, own)?;
        let slash = if kind.group.is_empty() { "" } else { "/" };
        let place = namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let name = format!("{}{slash}{} {place}{}", kind.group, kind.kind, object.name);
        Some(Violation { object: name, path: object.path.to_owned(), rule })
    }

    /// The rule that an object breaks.
    fn broken(&self, kind: &GroupKind, namespace: Option<&str>, own: &str) -> Option<String> {
        if self.kinds.as_ref().is_some_and(|kinds| !kinds.contains(kind)) {
            return Some(format!("`restrict.kinds`, which does not list `{kind}`"));
        }
        let Some(namespace) = namespace else {
            let allowed = self.cluster_scoped.unwrap_or_else(|| self.namespaces.is_none());
            let rule = "`restrict.clusterScoped`: objects in no namespace are not allowed";
            return (!allowed).then(|| rule.to_owned());
        };
        match &self.namespaces {
            Some(Namespaces::Own) if namespace != own => Some(format!("`restrict.namespaces: own`, which is `{own}`")),
            Some(Namespaces::Listed(allowed)) if !allowed.contains(namespace) => {
                Some(format!("`restrict.namespaces`, which does not list `{namespace}`"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(restrict: &Restrict, api_version: &str, kind: &str, namespace: &str) -> Option<String> {
        let gvk = Gvk::new(api_version, kind);
        let scope = crate::release::scope::builtin(&gvk);
        let object = Candidate { gvk: &gvk, scope, namespace, name: "x", path: "web/templates/x.yaml" };
        restrict.violations([object], "shop").first().map(ToString::to_string)
    }

    fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
        items.into_iter().collect()
    }

    #[test]
    fn each_limit_names_the_object_its_template_and_the_rule() {
        let free = Restrict { namespaces: None, cluster_scoped: None, kinds: None };
        let own = Restrict { namespaces: Some(Namespaces::Own), ..free.clone() };
        let listed = Restrict { namespaces: Some(Namespaces::Listed(set(["a".to_owned()]))), ..free.clone() };
        let wide = Restrict { cluster_scoped: Some(true), ..own.clone() };
        let narrow = Restrict { cluster_scoped: Some(false), ..free.clone() };
        let kinds = Restrict { kinds: Some(set(["Deployment.apps", "Service"].map(GroupKind::parse))), ..free.clone() };
        let role = "rbac.authorization.k8s.io/v1";
        for (restrict, api_version, kind, namespace, rule) in [
            (&free, role, "ClusterRole", "", None),
            (&free, "v1", "Secret", "kube-system", None),
            (&own, "v1", "Secret", "", None),
            (&own, "v1", "Secret", "shop", None),
            (
                &own,
                "v1",
                "Secret",
                "b",
                Some("`Secret b/x` (web/templates/x.yaml) violates `restrict.namespaces: own`, which is `shop`"),
            ),
            (
                &own,
                "example.com/v1",
                "Thing",
                "b",
                Some(
                    "`example.com/Thing b/x` (web/templates/x.yaml) violates `restrict.namespaces: own`, which is `shop`",
                ),
            ),
            (
                &own,
                role,
                "ClusterRole",
                "",
                Some(
                    "`rbac.authorization.k8s.io/ClusterRole x` (web/templates/x.yaml) violates `restrict.clusterScoped`: objects in no namespace are not allowed",
                ),
            ),
            (&wide, role, "ClusterRole", "", None),
            (
                &narrow,
                "v1",
                "Namespace",
                "",
                Some(
                    "`Namespace x` (web/templates/x.yaml) violates `restrict.clusterScoped`: objects in no namespace are not allowed",
                ),
            ),
            (&listed, "v1", "Secret", "a", None),
            (
                &listed,
                "v1",
                "Secret",
                "",
                Some(
                    "`Secret shop/x` (web/templates/x.yaml) violates `restrict.namespaces`, which does not list `shop`",
                ),
            ),
            (&kinds, "apps/v1", "Deployment", "", None),
            (&kinds, "apps/v1beta1", "Deployment", "", None),
            (&kinds, "v1", "Service", "", None),
            (
                &kinds,
                "v1",
                "Deployment",
                "",
                Some(
                    "`Deployment shop/x` (web/templates/x.yaml) violates `restrict.kinds`, which does not list `Deployment`",
                ),
            ),
            (
                &kinds,
                "apps/v1",
                "DaemonSet",
                "",
                Some(
                    "`apps/DaemonSet shop/x` (web/templates/x.yaml) violates `restrict.kinds`, which does not list `DaemonSet.apps`",
                ),
            ),
        ] {
            assert_eq!(shown(restrict, api_version, kind, namespace).as_deref(), rule, "{restrict:?} {kind}");
        }
    }
}
