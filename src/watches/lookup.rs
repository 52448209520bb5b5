//! `lookup`: what the templates of a watch may look up in the cluster.

use crate::watches::fields::{Field, Findings};
use crate::watches::shape;
use crate::yaml::{Node, NodeValue};

/// What may be looked up. The default lets a resource see its own namespace and cluster-scoped kinds, a cluster-scoped
/// resource everything but Secrets, and text that `tpl` renders nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookupRules {
    /// Where.
    pub scope: Scope,
    /// Whether a text that `tpl` renders may look up too.
    pub in_tpl: bool,
}

/// Where may be looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// See [`LookupRules`].
    #[default]
    Default,
    /// Nowhere.
    None,
    /// In the resource's own namespace.
    Own,
    /// At what one of these names.
    Allow(Vec<Allowed>),
}

/// An entry of an allow-list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The API group, empty for the core; `*` is all of them.
    pub group: String,
    /// The kind; `*` is all of them, but for Secrets elsewhere.
    pub kind: String,
    /// The namespace of a namespaced kind: `*` is every namespace, `None` the resource's own.
    pub namespace: Option<String>,
}

/// What a template wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The API group, empty for the core.
    pub group: &'a str,
    /// The kind.
    pub kind: &'a str,
    /// The namespace; empty for all of them. `None` where the kind is cluster-scoped.
    pub namespace: Option<&'a str>,
}

impl LookupRules {
    /// Whether `wanted` may be looked up for a resource of the namespace `own`, which is empty for a cluster-scoped one.
    pub fn permits(&self, own: &str, wanted: Wanted<'_>) -> bool {
        let is_own = !own.is_empty() && wanted.namespace == Some(own);
        match &self.scope {
            Scope::Default if own.is_empty() => !wanted.is_secret(),
            Scope::Default => is_own || wanted.namespace.is_none(),
            Scope::None => false,
            Scope::Own => is_own,
            Scope::Allow(list) => list.iter().any(|allowed| allowed.permits(is_own, wanted)),
        }
    }
}

impl Allowed {
    fn permits(&self, is_own: bool, wanted: Wanted<'_>) -> bool {
        let kind = self.kind == wanted.kind || self.kind == "*" && (is_own || !wanted.is_secret());
        let namespace = match (&self.namespace, wanted.namespace) {
            (_, None) => true,
            (None, Some(_)) => is_own,
            (Some(allowed), Some(namespace)) => allowed == "*" || allowed == namespace,
        };
        kind && namespace && (self.group == "*" || self.group == wanted.group)
    }
}

impl Wanted<'_> {
    fn is_secret(&self) -> bool {
        self.group.is_empty() && self.kind == "Secret"
    }
}

const HINT: &str =
    "write `none`, `own`, or for instance `{allow: [{kind: ConfigMap, namespace: shared}], inTpl: true}`";

/// Reads the field `lookup`.
pub(crate) fn read(field: Option<Field<'_>>, findings: &mut Findings) -> LookupRules {
    let Some(field) = field else { return LookupRules::default() };
    if !field.value.is_mapping() {
        let scope = scope(field, "`none`, `own` or a mapping", findings);
        return LookupRules { scope, in_tpl: false };
    }
    let fields = findings.fields(field.value, &shape::LOOKUP);
    let in_tpl = findings.bool(fields.field("inTpl")).unwrap_or_default();
    let Some(allow) = fields.field("allow") else { return LookupRules { in_tpl, ..LookupRules::default() } };
    let scope = if allow.value.is_sequence() {
        Scope::Allow(allow.value.items().iter().filter_map(|item| allowed(item, findings)).collect())
    } else {
        scope(allow, "`none`, `own` or a list", findings)
    };
    LookupRules { scope, in_tpl }
}

fn scope(field: Field<'_>, wanted: &str, findings: &mut Findings) -> Scope {
    match field.value.as_str() {
        Some("none") => return Scope::None,
        Some("own") => return Scope::Own,
        _ => {}
    }
    let found = match &field.value.value {
        NodeValue::String(text) => format!("`{text}`"),
        _ => field.value.kind_name().to_owned(),
    };
    findings.fault_with(field.value.place, format!("expected {wanted} for `{}`, found {found}", field.name), HINT);
    Scope::None
}

fn allowed(item: &Node, findings: &mut Findings) -> Option<Allowed> {
    if !item.is_mapping() {
        let message = format!("expected a mapping in `lookup.allow`, found {}", item.kind_name());
        findings.fault_with(item.place, message, HINT);
        return None;
    }
    let fields = findings.fields(item, &shape::ALLOWED);
    let group = findings.string(fields.field("group")).unwrap_or_default();
    let namespace = findings.string(fields.field("namespace"));
    let kind = findings.string(fields.field("kind")).unwrap_or_default();
    if kind.is_empty() {
        findings.fault_with(item.place, "`kind` must not be empty in `lookup.allow`", "`*` stands for every kind");
    }
    Some(Allowed { group, kind, namespace })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted<'a>(group: &'a str, kind: &'a str, namespace: Option<&'a str>) -> Wanted<'a> {
        Wanted { group, kind, namespace }
    }

    /// Which of seven look-ups `scope` permits a resource of the namespace `own`.
    fn permitted(scope: &Scope, own: &str) -> Vec<&'static str> {
        let asked = [
            ("own secret", wanted("", "Secret", Some("shop"))),
            ("own map", wanted("", "ConfigMap", Some("shop"))),
            ("other map", wanted("", "ConfigMap", Some("shared"))),
            ("other secret", wanted("", "Secret", Some("shared"))),
            ("all maps", wanted("", "ConfigMap", Some(""))),
            ("node", wanted("", "Node", None)),
            ("role", wanted("rbac.authorization.k8s.io", "ClusterRole", None)),
        ];
        let lookup = LookupRules { scope: scope.clone(), in_tpl: false };
        asked.iter().filter(|(_, wanted)| lookup.permits(own, *wanted)).map(|(name, _)| *name).collect()
    }

    fn allow(group: &str, kind: &str, namespace: Option<&str>) -> Scope {
        Scope::Allow(vec![Allowed {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
        }])
    }

    #[test]
    fn what_may_be_looked_up_follows_from_rule_and_namespace() {
        for (scope, own, want) in [
            (Scope::Default, "shop", "own secret, own map, node, role"),
            (Scope::Default, "", "own map, other map, all maps, node, role"),
            (Scope::None, "shop", ""),
            (Scope::Own, "shop", "own secret, own map"),
            (Scope::Own, "", ""),
            (allow("", "ConfigMap", Some("shared")), "shop", "other map"),
            (allow("", "Secret", Some("shared")), "shop", "other secret"),
            (allow("", "*", Some("*")), "shop", "own secret, own map, other map, all maps, node"),
            (allow("", "*", None), "shop", "own secret, own map, node"),
            (allow("", "*", Some("shared")), "", "other map, node"),
            (allow("*", "ClusterRole", None), "shop", "role"),
        ] {
            assert_eq!(permitted(&scope, own).join(", "), want, "{scope:?} for `{own}`");
        }
    }
}
