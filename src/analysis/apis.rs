//! Versions of Kubernetes' own kinds that are no longer served, as data, and where a chart still writes them.
//!
//! Releases and replacements are those of Kubernetes' deprecated API migration guide
//! (<https://kubernetes.io/docs/reference/using-api/deprecation-guide/>) and of k8s.io/api v0.37.1
//! (`zz_generated.prerelease-lifecycle.go`).

use crate::diagnostic::{Diagnostic, Place};

/// The newest minor version of Kubernetes 1 that this table knows: what goes later is deprecated.
const NEWEST: u32 = 37;

/// A version of kinds that went, or will go.
#[derive(Debug)]
pub(crate) struct Removed {
    version: &'static str,
    kinds: &'static [&'static str],
    /// The minor version of Kubernetes 1 that does not serve it any more.
    pub(crate) minor: u32,
    /// What is served instead; nothing if there is no such kind any more.
    instead: Option<&'static str>,
}

const fn removed(
    version: &'static str,
    kinds: &'static [&'static str],
    minor: u32,
    instead: Option<&'static str>,
) -> Removed {
    Removed { version, kinds, minor, instead }
}

const WEBHOOKS: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];
const RBAC: &[&str] = &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
const FLOW_CONTROL: &[&str] = &["FlowSchema", "PriorityLevelConfiguration"];
const WORKLOADS: &[&str] = &["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"];

const POLICIES: &[&str] = &["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
const MUTATING_POLICIES: &[&str] = &["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"];
const CLAIMS: &[&str] = &["DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice"];

/// Every one that went, and those whose end is announced.
const REMOVED: &[Removed] = &[
    removed("extensions/v1beta1", WORKLOADS, 16, Some("apps/v1")),
    removed("apps/v1beta1", WORKLOADS, 16, Some("apps/v1")),
    removed("apps/v1beta2", WORKLOADS, 16, Some("apps/v1")),
    removed("apps/v1beta1", &["ControllerRevision"], 16, Some("apps/v1")),
    removed("apps/v1beta2", &["ControllerRevision"], 16, Some("apps/v1")),
    removed("extensions/v1beta1", &["NetworkPolicy"], 16, Some("networking.k8s.io/v1")),
    removed("extensions/v1beta1", &["PodSecurityPolicy"], 16, None),
    removed("extensions/v1beta1", &["Ingress"], 22, Some("networking.k8s.io/v1")),
    removed("networking.k8s.io/v1beta1", &["Ingress", "IngressClass"], 22, Some("networking.k8s.io/v1")),
    removed("admissionregistration.k8s.io/v1beta1", WEBHOOKS, 22, Some("admissionregistration.k8s.io/v1")),
    removed("apiextensions.k8s.io/v1beta1", &["CustomResourceDefinition"], 22, Some("apiextensions.k8s.io/v1")),
    removed("apiregistration.k8s.io/v1beta1", &["APIService"], 22, Some("apiregistration.k8s.io/v1")),
    removed("authentication.k8s.io/v1beta1", &["TokenReview"], 22, Some("authentication.k8s.io/v1")),
    removed(
        "authorization.k8s.io/v1beta1",
        &["LocalSubjectAccessReview", "SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"],
        22,
        Some("authorization.k8s.io/v1"),
    ),
    removed("certificates.k8s.io/v1beta1", &["CertificateSigningRequest"], 22, Some("certificates.k8s.io/v1")),
    removed("coordination.k8s.io/v1beta1", &["Lease"], 22, Some("coordination.k8s.io/v1")),
    removed("rbac.authorization.k8s.io/v1beta1", RBAC, 22, Some("rbac.authorization.k8s.io/v1")),
    removed("rbac.authorization.k8s.io/v1alpha1", RBAC, 22, Some("rbac.authorization.k8s.io/v1")),
    removed("scheduling.k8s.io/v1beta1", &["PriorityClass"], 22, Some("scheduling.k8s.io/v1")),
    removed(
        "storage.k8s.io/v1beta1",
        &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"],
        22,
        Some("storage.k8s.io/v1"),
    ),
    removed("batch/v1beta1", &["CronJob"], 25, Some("batch/v1")),
    removed("batch/v2alpha1", &["CronJob"], 21, Some("batch/v1")),
    removed("discovery.k8s.io/v1beta1", &["EndpointSlice"], 25, Some("discovery.k8s.io/v1")),
    removed("events.k8s.io/v1beta1", &["Event"], 25, Some("events.k8s.io/v1")),
    removed("autoscaling/v2beta1", &["HorizontalPodAutoscaler"], 25, Some("autoscaling/v2")),
    removed("policy/v1beta1", &["PodDisruptionBudget"], 25, Some("policy/v1")),
    removed("policy/v1beta1", &["PodSecurityPolicy"], 25, None),
    removed("node.k8s.io/v1beta1", &["RuntimeClass"], 25, Some("node.k8s.io/v1")),
    removed("autoscaling/v2beta2", &["HorizontalPodAutoscaler"], 26, Some("autoscaling/v2")),
    removed("flowcontrol.apiserver.k8s.io/v1beta1", FLOW_CONTROL, 26, Some("flowcontrol.apiserver.k8s.io/v1")),
    removed("storage.k8s.io/v1beta1", &["CSIStorageCapacity"], 27, Some("storage.k8s.io/v1")),
    removed("flowcontrol.apiserver.k8s.io/v1beta2", FLOW_CONTROL, 29, Some("flowcontrol.apiserver.k8s.io/v1")),
    removed("flowcontrol.apiserver.k8s.io/v1beta3", FLOW_CONTROL, 32, Some("flowcontrol.apiserver.k8s.io/v1")),
    removed("storage.k8s.io/v1alpha1", &["CSIStorageCapacity", "VolumeAttachment"], 24, Some("storage.k8s.io/v1")),
    removed("admissionregistration.k8s.io/v1alpha1", POLICIES, 32, Some("admissionregistration.k8s.io/v1")),
    removed("admissionregistration.k8s.io/v1beta1", POLICIES, 34, Some("admissionregistration.k8s.io/v1")),
    removed("storage.k8s.io/v1alpha1", &["VolumeAttributesClass"], 35, Some("storage.k8s.io/v1")),
    removed("storage.k8s.io/v1beta1", &["VolumeAttributesClass"], 37, Some("storage.k8s.io/v1")),
    removed("networking.k8s.io/v1beta1", &["IPAddress", "ServiceCIDR"], 37, Some("networking.k8s.io/v1")),
    removed("certificates.k8s.io/v1alpha1", &["ClusterTrustBundle"], 37, Some("certificates.k8s.io/v1")),
    removed("admissionregistration.k8s.io/v1alpha1", MUTATING_POLICIES, 38, Some("admissionregistration.k8s.io/v1")),
    removed("resource.k8s.io/v1beta1", CLAIMS, 38, Some("resource.k8s.io/v1")),
    removed("resource.k8s.io/v1beta2", CLAIMS, 39, Some("resource.k8s.io/v1")),
    removed("admissionregistration.k8s.io/v1beta1", MUTATING_POLICIES, 40, Some("admissionregistration.k8s.io/v1")),
    removed("certificates.k8s.io/v1beta1", &["ClusterTrustBundle"], 40, Some("certificates.k8s.io/v1")),
];

impl Removed {
    /// The entry for a kind in a version.
    pub(crate) fn find(api_version: &str, kind: &str) -> Option<&'static Self> {
        REMOVED.iter().find(|removed| removed.version == api_version && removed.kinds.contains(&kind))
    }

    /// Whether `api_version`, or one of its kinds (`batch/v1beta1/CronJob`), is among what went.
    pub(crate) fn is_gone(api_version: &str) -> bool {
        REMOVED.iter().filter(|removed| removed.minor <= NEWEST).any(|removed| {
            let rest = api_version.strip_prefix(removed.version);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// A fault or a warning of that, still without a place.
    pub(crate) fn tell(&self, kind: &str, new: fn(String) -> Diagnostic) -> Diagnostic {
        let Self { version, minor, .. } = self;
        let diagnostic = if *minor > NEWEST {
            Diagnostic::warning(format!("`{version} {kind}` is deprecated: Kubernetes 1.{minor} will not serve it"))
        } else {
            new(format!("`{version} {kind}` is not served any more since Kubernetes 1.{minor}"))
        };
        match self.instead {
            Some(instead) => diagnostic.hint(format!("use `{instead}`")),
            None => diagnostic.hint("there is no replacement of that kind"),
        }
    }
}

/// An `apiVersion:` and the `kind:` beside it, as they are written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written<'t> {
    pub(crate) api_version: &'t str,
    pub(crate) kind: &'t str,
    /// Of the version.
    pub(crate) place: Place,
}

/// The pairs in a text that may be a template: keys in the same column of one document, with nothing else of less
/// indentation between them.
pub(crate) fn written(text: &str) -> Vec<Written<'_>> {
    let mut pairs = Vec::new();
    let (mut version, mut kind) = (None::<Field<'_>>, None::<Field<'_>>);
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        if line.starts_with("---") {
            (version, kind) = (None, None);
            continue;
        }
        let deeper = |field: &Field<'_>| field.indent <= indent;
        if !line.trim().is_empty() && !line.trim_start().starts_with(['#', '{']) {
            version = version.filter(deeper);
            kind = kind.filter(deeper);
        }
        let field = |value| Field { indent, value, line: number + 1, column: column(line, value) };
        if let Some(value) = literal(line, "apiVersion:") {
            version = Some(field(value));
        } else if let Some(value) = literal(line, "kind:") {
            kind = Some(field(value));
        } else {
            continue;
        }
        if let (Some(found), Some(of)) = (&version, &kind)
            && found.indent == of.indent
        {
            let place = Place { line: found.line, column: found.column, width: found.value.chars().count() };
            pairs.push(Written { api_version: found.value, kind: of.value, place });
            (version, kind) = (None, None);
        }
    }
    pairs
}

struct Field<'t> {
    indent: usize,
    value: &'t str,
    line: usize,
    column: usize,
}

/// The value of a key in its line, if it is plain.
fn literal<'t>(line: &'t str, key: &str) -> Option<&'t str> {
    let value = line.trim_start_matches([' ', '-']).strip_prefix(key)?;
    let value = value.split(" #").next()?.trim().trim_matches(['"', '\'']);
    (!value.is_empty() && !value.contains(['{', ' '])).then_some(value)
}

/// The column of `value`, a part of `line`, from 1.
fn column(line: &str, value: &str) -> usize {
    line.find(value).map_or(1, |at| line.get(..at).unwrap_or_default().chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_of_a_kind_is_there_once_and_is_no_replacement_of_another() {
        let mut seen = std::collections::BTreeSet::new();
        for removed in REMOVED {
            for kind in removed.kinds {
                assert!(seen.insert((removed.version, kind)), "{removed:?}");
                let instead = removed.instead.and_then(|instead| Removed::find(instead, kind));
                assert!(instead.is_none(), "{removed:?}");
            }
            assert!((16..=NEWEST + 3).contains(&removed.minor), "{removed:?}");
        }
        assert!(seen.len() > 50, "{}", seen.len());
    }

    #[test]
    fn pairs_are_found_in_what_is_no_yaml_yet() {
        let text = "{{- if .a }}\napiVersion: policy/v1beta1\nkind: PodDisruptionBudget # old\nmetadata:\n  name: x\n\
                    ---\nkind: CronJob\napiVersion: \"batch/v1beta1\"\nspec:\n  ref:\n    apiVersion: apps/v1\n    \
                    kind: Deployment\n---\napiVersion: {{ .v }}\nkind: Ingress\n---\napiVersion: v1\n---\nkind: Pod\n";
        let pairs: Vec<_> =
            written(text).iter().map(|w| (w.api_version, w.kind, w.place.line, w.place.column)).collect();
        assert_eq!(
            pairs,
            [
                ("policy/v1beta1", "PodDisruptionBudget", 2, 13),
                ("batch/v1beta1", "CronJob", 8, 14),
                ("apps/v1", "Deployment", 11, 17),
            ]
        );
    }

    #[test]
    fn what_went_is_told_with_what_is_there_instead() {
        let tell = |version, kind| {
            let found = Removed::find(version, kind)?.tell(kind, Diagnostic::error);
            Some((found.message, found.hint.unwrap()))
        };
        assert_eq!(
            tell("batch/v1beta1", "CronJob"),
            Some((
                "`batch/v1beta1 CronJob` is not served any more since Kubernetes 1.25".to_owned(),
                "use `batch/v1`".to_owned()
            ))
        );
        assert_eq!(
            tell("policy/v1beta1", "PodSecurityPolicy").map(|(_, hint)| hint),
            Some("there is no replacement of that kind".to_owned())
        );
        assert_eq!(tell("batch/v1", "CronJob"), None);
    }
}
