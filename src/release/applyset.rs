//! The ApplySet of a resource (KEP-3659): the label that says which objects are its own.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::release::ObjectId;

/// The id of a resource's ApplySet, the value of the label `applyset.kubernetes.io/part-of` of its objects.
///
/// It is a function of the resource's name, namespace, kind and group, so that anybody can tell an owner without a call.
pub fn id(parent: &ObjectId) -> String {
    let text = format!("{}.{}.{}.{}", parent.name, parent.namespace, parent.kind, parent.group);
    format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(Sha256::digest(text)))
}

/// The value of `applyset.kubernetes.io/contains-group-kinds`: `Deployment.apps,Service`, sorted.
pub fn contains_group_kinds<'a>(objects: impl IntoIterator<Item = &'a ObjectId>) -> String {
    let kinds = objects.into_iter().map(|id| match id.group.as_str() {
        "" => id.kind.clone(),
        group => format!("{}.{group}", id.kind),
    });
    joined(kinds)
}

/// The value of `applyset.kubernetes.io/additional-namespaces`: those of the objects beside the resource's own, sorted.
pub fn additional_namespaces<'a>(objects: impl IntoIterator<Item = &'a ObjectId>, own: &str) -> String {
    let namespaces = objects.into_iter().map(|id| &id.namespace).filter(|namespace| !namespace.is_empty());
    joined(namespaces.filter(|namespace| *namespace != own).cloned())
}

/// The kinds of an annotation `contains-group-kinds` as pairs of group and kind; unreadable items are left out.
pub fn group_kinds(annotation: &str) -> Vec<(String, String)> {
    let items = annotation.split(',').map(str::trim).filter(|item| !item.is_empty());
    items
        .map(|item| match item.split_once('.') {
            Some((kind, group)) => (group.to_owned(), kind.to_owned()),
            None => (String::new(), item.to_owned()),
        })
        .collect()
}

fn joined(items: impl Iterator<Item = String>) -> String {
    items.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(texts: &[&str]) -> Vec<ObjectId> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_id_is_the_one_that_kubectl_computes() {
        let parent = "bench.example.com/Web e/web".parse().unwrap();
        assert_eq!(id(&parent), "applyset-_9cVVuYPItOlToRPd2Bum1ONIDsCgVXq1oBu1cqNH-Q-v1");
    }

    #[test]
    fn kinds_and_namespaces_are_listed_once_and_sorted() {
        let objects = ids(&["Service b/x", "apps/Deployment a/x", "apps/Deployment b/x", "x.io/Cluster y"]);
        let kinds = contains_group_kinds(&objects);
        assert_eq!(kinds, "Cluster.x.io,Deployment.apps,Service");
        assert_eq!(additional_namespaces(&objects, "b"), "a");
        assert_eq!(additional_namespaces(&ids(&["Service b/x"]), "b"), "");
        let expected = [("x.io", "Cluster"), ("apps", "Deployment"), ("", "Service")];
        assert_eq!(group_kinds(&kinds), expected.map(|(group, kind)| (group.to_owned(), kind.to_owned())));
        assert!(group_kinds("").is_empty());
    }
}
