//! In which order kinds are installed and uninstalled, and which of them may be applied at once.
//!
//! Mirrors Helm v4.3.1, `pkg/release/v1/util/kind_sorter.go`.

use std::cmp::{Ordering, Reverse};

/// Kinds in the order in which Helm installs them; a kind that is not listed comes last.
const INSTALL_ORDER: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    FIRST_OF_LAST_WAVE,
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// The first kind of the install order that runs something, and so may need what stands before it.
const FIRST_OF_LAST_WAVE: &str = "DaemonSet";

/// Kinds in the order in which Helm uninstalls them; a kind that is not listed comes last.
///
/// It is not the reverse of the install order: webhooks go first, and Services stand elsewhere.
const UNINSTALL_ORDER: [&str; 38] = [
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "APIService",
    "Ingress",
    "IngressClass",
    "Service",
    "CronJob",
    "Job",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "DaemonSet",
    "RoleBindingList",
    "RoleBinding",
    "RoleList",
    "Role",
    "ClusterRoleBindingList",
    "ClusterRoleBinding",
    "ClusterRoleList",
    "ClusterRole",
    "CustomResourceDefinition",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "ConfigMap",
    "SecretList",
    "Secret",
    "ServiceAccount",
    "PodDisruptionBudget",
    "PodSecurityPolicy",
    "LimitRange",
    "ResourceQuota",
    "NetworkPolicy",
    "Namespace",
    "PriorityClass",
];

/// Compares two kinds by Helm's install order. Kinds that Helm does not know come last, by name.
///
/// Equal kinds are equal, so that a stable sort keeps the order of the templates.
pub fn install(a: &str, b: &str) -> Ordering {
    by_order(&INSTALL_ORDER, a, b)
}

/// Compares two kinds by Helm's uninstall order. Kinds that Helm does not know come last, by name.
pub fn uninstall(a: &str, b: &str) -> Ordering {
    by_order(&UNINSTALL_ORDER, a, b)
}

fn by_order(order: &[&str], a: &str, b: &str) -> Ordering {
    // A known kind is `Some`, which must come before `None`: hence the double reversal.
    let place = |kind| Reverse(order.iter().position(|known| *known == kind).map(Reverse));
    place(a).cmp(&place(b)).then_with(|| if place(a).0.is_none() { a.cmp(b) } else { Ordering::Equal })
}

/// A group of objects that are applied at the same time; a wave starts when the one before it has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wave {
    /// What others live in or are instances of: Namespaces and `CustomResourceDefinitions`.
    Definitions,
    /// What stands before the first workload in Helm's install order: accounts, rights, configuration, Services.
    Foundations,
    /// Workloads, everything after them, and kinds that Helm does not know.
    Workloads,
}

/// The wave of a kind.
pub fn wave(kind: &str) -> Wave {
    if matches!(kind, "Namespace" | "CustomResourceDefinition") {
        Wave::Definitions
    } else if install(kind, FIRST_OF_LAST_WAVE).is_lt() {
        Wave::Foundations
    } else {
        Wave::Workloads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_kinds_come_last_and_by_name() {
        let mut kinds = ["Zebra", "Deployment", "Ape", "Namespace", "Service", "ValidatingWebhookConfiguration"];
        kinds.sort_by(|a, b| install(a, b));
        assert_eq!(kinds, ["Namespace", "Service", "Deployment", "ValidatingWebhookConfiguration", "Ape", "Zebra"]);
        kinds.sort_by(|a, b| uninstall(a, b));
        assert_eq!(kinds, ["ValidatingWebhookConfiguration", "Service", "Deployment", "Namespace", "Ape", "Zebra"]);
    }

    #[test]
    fn both_orders_know_the_same_kinds() {
        let sorted = |mut kinds: Vec<&'static str>| {
            kinds.sort_unstable();
            kinds
        };
        assert_eq!(sorted(INSTALL_ORDER.to_vec()), sorted(UNINSTALL_ORDER.to_vec()));
    }

    #[test]
    fn waves_never_go_back() {
        let cases = [
            ("Namespace", Wave::Definitions),
            ("CustomResourceDefinition", Wave::Definitions),
            ("PriorityClass", Wave::Foundations),
            ("Secret", Wave::Foundations),
            ("Service", Wave::Foundations),
            ("DaemonSet", Wave::Workloads),
            ("Ingress", Wave::Workloads),
            ("Web", Wave::Workloads),
        ];
        for (kind, expected) in cases {
            assert_eq!(wave(kind), expected, "{kind}");
        }
    }
}
