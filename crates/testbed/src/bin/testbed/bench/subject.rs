//! What is measured: a kind of resource, and the objects that its chart makes of one.

use kube::api::DynamicObject;
use kube::core::ApiResource;
use serde_json::{Value as Json, json};

use crate::objects::{children, resource, web};
use crate::observer::{Id, Seen};

/// A kind of resource.
pub(crate) struct Subject {
    /// Its kind.
    pub(crate) kind: ApiResource,
    /// Each of its objects: the kind, and what follows the resource's name in its own.
    objects: Vec<(ApiResource, &'static str)>,
    /// What follows the resource's name in that of the Deployment that `replicaCount` is for.
    deployment: &'static str,
}

impl Subject {
    /// `Web`: this repository's chart of four objects.
    pub(crate) fn web() -> Self {
        let objects = children().into_iter().map(|kind| (kind, "")).collect();
        Self { kind: web(), objects, deployment: "" }
    }

    /// `Shop`: 21 objects of twelve kinds, a sub-chart's among them.
    pub(crate) fn shop() -> Self {
        let rows: [(&str, &str, &str, &str, &[&'static str]); 12] = [
            ("apps", "v1", "Deployment", "deployments", &["-front", "-api", "-worker"]),
            ("apps", "v1", "StatefulSet", "statefulsets", &["-store"]),
            ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", &["-worker"]),
            ("networking.k8s.io", "v1", "Ingress", "ingresses", &["-front"]),
            ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", &["-api", "-store"]),
            ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", &["-store"]),
            ("rbac.authorization.k8s.io", "v1", "Role", "roles", &["-shop"]),
            ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", &["-shop"]),
            ("", "v1", "ConfigMap", "configmaps", &["-front", "-api", "-worker"]),
            ("", "v1", "Secret", "secrets", &["-shop", "-store"]),
            ("", "v1", "Service", "services", &["-front", "-api", "-store"]),
            ("", "v1", "ServiceAccount", "serviceaccounts", &["-shop", "-store"]),
        ];
        let of_row = |(group, version, kind, plural, suffixes): (&str, &str, &str, &str, &[&'static str])| {
            let kind = resource(group, version, kind, plural);
            suffixes.iter().map(|suffix| (kind.clone(), *suffix)).collect::<Vec<_>>()
        };
        let objects = rows.into_iter().flat_map(of_row).collect();
        Self { kind: resource("bench.samutup.com", "v1alpha1", "Shop", "shops"), objects, deployment: "-front" }
    }

    /// `Oddity`: what its `mode` says.
    pub(crate) fn oddity() -> Self {
        let kind = resource("bench.samutup.com", "v1alpha1", "Oddity", "oddities");
        Self { kind, objects: Vec::new(), deployment: "" }
    }

    /// How many objects one resource makes.
    pub(crate) fn count(&self) -> usize {
        self.objects.len()
    }

    /// The kinds of the resource and of its objects.
    pub(crate) fn kinds(&self) -> Vec<ApiResource> {
        let mut kinds = vec![self.kind.clone()];
        for (kind, _) in &self.objects {
            if !kinds.contains(kind) {
                kinds.push(kind.clone());
            }
        }
        kinds
    }

    /// A resource.
    pub(crate) fn resource(&self, name: &str, spec: &Json) -> Json {
        json!({
            "apiVersion": self.kind.api_version,
            "kind": self.kind.kind,
            "metadata": {"name": name},
            "spec": spec,
        })
    }

    /// The objects of the resource `name`.
    pub(crate) fn objects<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Id> + 'a {
        self.objects.iter().map(move |(kind, suffix)| (kind.kind.clone(), format!("{name}{suffix}")))
    }

    /// The Deployment of the resource `name` that `replicaCount` is for.
    pub(crate) fn deployment<'a>(&self, seen: &'a Seen, name: &str) -> Option<&'a DynamicObject> {
        seen.object("Deployment", &format!("{name}{}", self.deployment))
    }

    /// The resource `name`.
    pub(crate) fn found<'a>(&self, seen: &'a Seen, name: &str) -> Option<&'a DynamicObject> {
        seen.object(&self.kind.kind, name)
    }
}

#[cfg(test)]
mod tests {
    use crate::bench::subject::Subject;

    #[test]
    fn a_shop_is_twenty_one_objects_of_twelve_kinds() {
        let shop = Subject::shop();
        assert_eq!((shop.count(), shop.kinds().len()), (21, 13));
        let ids: std::collections::BTreeSet<_> = shop.objects("s").collect();
        assert_eq!(ids.len(), 21);
        assert!(ids.contains(&("StatefulSet".to_owned(), "s-store".to_owned())));
    }
}
