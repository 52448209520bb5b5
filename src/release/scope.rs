//! Where objects of Kubernetes' own kinds live, for those who cannot ask an API server.

use crate::release::{Gvk, Scope};

/// Groups whose kinds are all Kubernetes' own and do not end in `.k8s.io`.
const PLAIN_GROUPS: [&str; 5] = ["", "apps", "autoscaling", "batch", "policy"];

/// The kinds of Kubernetes 1.33 that live in no namespace, by group and in all versions.
const CLUSTER_SCOPED: [(&str, &[&str]); 15] = [
    ("", &["ComponentStatus", "Namespace", "Node", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("authentication.k8s.io", &["SelfSubjectReview", "TokenReview"]),
    ("authorization.k8s.io", &["SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"]),
    ("certificates.k8s.io", &["CertificateSigningRequest", "ClusterTrustBundle"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("internal.apiserver.k8s.io", &["StorageVersion"]),
    ("networking.k8s.io", &["IPAddress", "IngressClass", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "DeviceTaintRule", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("storage.k8s.io", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"]),
];

/// The kinds of the core group, to which none is added any more (Kubernetes 1.35).
const CORE: [&str; 17] = [
    "Binding",
    "ComponentStatus",
    "ConfigMap",
    "Endpoints",
    "Event",
    "LimitRange",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodTemplate",
    "ReplicationController",
    "ResourceQuota",
    "Secret",
    "Service",
    "ServiceAccount",
];

/// Whether the core group has a kind.
pub fn is_core(kind: &str) -> bool {
    CORE.contains(&kind)
}

/// The scope of a kind of Kubernetes itself; `None` for kinds that somebody else defines.
pub fn builtin(gvk: &Gvk) -> Option<Scope> {
    let group = gvk.group.as_str();
    let cluster_scoped =
        CLUSTER_SCOPED.iter().any(|(in_group, kinds)| *in_group == group && kinds.contains(&gvk.kind.as_str()));
    if cluster_scoped {
        return Some(Scope::Cluster);
    }
    let known = PLAIN_GROUPS.contains(&group) || CLUSTER_SCOPED.iter().any(|(in_group, _)| *in_group == group);
    known.then_some(Scope::Namespaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_kubernetes_have_their_scope_and_others_none() {
        for (api_version, kind, scope) in [
            ("v1", "Namespace", Some(Scope::Cluster)),
            ("v1", "ConfigMap", Some(Scope::Namespaced)),
            ("apps/v1", "Deployment", Some(Scope::Namespaced)),
            ("rbac.authorization.k8s.io/v1", "ClusterRole", Some(Scope::Cluster)),
            ("rbac.authorization.k8s.io/v1beta1", "RoleBinding", Some(Scope::Namespaced)),
            ("networking.k8s.io/v1", "Ingress", Some(Scope::Namespaced)),
            ("networking.k8s.io/v1", "IngressClass", Some(Scope::Cluster)),
            ("example.com/v1", "Namespace", None),
            ("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass", None),
        ] {
            assert_eq!(builtin(&Gvk::new(api_version, kind)), scope, "{api_version} {kind}");
        }
    }
}
