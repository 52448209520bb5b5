//! What templates look up: read from the cluster, and kept as digests, never as objects.

use std::collections::BTreeMap;

use kube::core::params::ListParams;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::cluster::discovery::Served;
use crate::cluster::objects::Target;
use crate::cluster::{Cluster, Error, fields};
use crate::functions::Selection;
use crate::release::{Digest, Gvk};

/// The type of the Secrets that Helm, and we, keep records of releases in (Helm v4.3.1, `pkg/storage/driver/secrets.go`).
const RECORD: &str = "helm.sh/release.v1";

/// Names an object, or with an empty name a list of objects, of a kind that is served.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lookup {
    /// For instance `apps/v1`.
    pub api_version: String,
    /// For instance `Deployment`.
    pub kind: String,
    /// Empty for a cluster-scoped kind, and for a list over all namespaces.
    pub namespace: String,
    /// Empty for a list.
    pub name: String,
    /// What of a list is meant.
    pub filter: Filter,
}

/// What of a list is meant; the default is all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Filter {
    /// A label selector; empty for all objects.
    pub selector: String,
    /// Which fields of them, as in [`crate::functions::Selection`]; empty for all.
    pub fields: Vec<String>,
}

impl Lookup {
    /// Names an object, or with an empty name all objects.
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        let text = str::to_owned;
        let (api_version, kind) = (text(api_version), text(kind));
        Self { api_version, kind, namespace: text(namespace), name: text(name), filter: Filter::default() }
    }

    /// Names the objects that a template selects.
    pub fn selected(wanted: &Selection) -> Self {
        let filter = Filter { selector: wanted.selector.clone(), fields: wanted.fields.clone() };
        Self { filter, ..Self::new(&wanted.api_version, &wanted.kind, &wanted.namespace, "") }
    }

    /// Its kind, to be asked for.
    pub fn gvk(&self) -> Gvk {
        Gvk::new(&self.api_version, &self.kind)
    }

    /// Whether what is said of the object `name` of its kind in `namespace` is said of it.
    pub fn covers(&self, namespace: &str, name: &str) -> bool {
        if self.name.is_empty() {
            self.namespace.is_empty() || self.namespace == namespace
        } else {
            self.namespace == namespace && self.name == name
        }
    }
}

/// What a look-up found, as digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// An object; `None` where there is none.
    Object(Option<Digest>),
    /// Objects by namespace and name.
    List(BTreeMap<(String, String), Digest>),
}

impl Contents {
    /// Of what a look-up gave: an object, a list, or an empty map.
    pub fn of(lookup: &Lookup, found: &Json) -> Self {
        if !lookup.name.is_empty() {
            return Self::Object(digest(found));
        }
        let items = found.get("items").and_then(Json::as_array).into_iter().flatten();
        let text = |item: &Json, field| {
            let metadata = item.get("metadata").and_then(|metadata| metadata.get(field));
            metadata.and_then(Json::as_str).unwrap_or_default().to_owned()
        };
        let fields = &lookup.filter.fields;
        let named = |item: &Json| Some(((text(item, "namespace"), text(item, "name")), digest_in_list(item, fields)?));
        Self::List(items.filter_map(named).collect())
    }

    /// One digest of all of it.
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        match self {
            Self::Object(None) => hash.update("none"),
            Self::Object(Some(digest)) => hash.update(digest.0),
            Self::List(items) => {
                for ((namespace, name), digest) in items {
                    hash.update(format!("{namespace}/{name}/"));
                    hash.update(digest.0);
                }
            }
        }
        Digest::of(hash.finalize())
    }
}

/// Digest of all that an object says, whoever wrote it: not its version, nor who owns which field, which change without
/// anything else, nor its kind, which lists leave out. `None` for an empty map, which stands for no object.
pub fn digest(object: &Json) -> Option<Digest> {
    let fields = object.as_object().filter(|fields| !fields.is_empty())?;
    let mut hash = Sha256::new();
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("apiVersion" | "kind", _) => {}
            ("metadata", Json::Object(metadata)) => {
                let told = metadata.iter().filter(|(name, _)| !matches!(&***name, "resourceVersion" | "managedFields"));
                told.for_each(|(name, value)| hash.update(format!("{name}:{value},")));
            }
            _ => hash.update(format!("{name}:{value};")),
        }
    }
    Some(Digest::of(hash.finalize()))
}

/// As [`digest`], for an object in a list of which only `fields` are meant. Records of releases do not count there: writing one would change what the
/// record says was read.
pub fn digest_in_list(object: &Json, fields: &[String]) -> Option<Digest> {
    if object.get("type").and_then(Json::as_str) == Some(RECORD) { None } else { digest(&fields::only(object, fields)) }
}

impl Cluster {
    /// What `lookup`, whose kind is `served`, finds; an empty map where there is nothing.
    ///
    /// # Errors
    /// That of the call.
    pub async fn look_up(&self, served: &Served, lookup: &Lookup) -> Result<Json, Error> {
        if !lookup.name.is_empty() {
            let target = Target { served, namespace: &lookup.namespace, name: &lookup.name };
            return Ok(self.get(target).await?.unwrap_or_else(|| json!({})));
        }
        let mut params = ListParams::default();
        if !lookup.filter.selector.is_empty() {
            params = params.labels(&lookup.filter.selector);
        }
        let items = self.list(served, &lookup.namespace, &params).await?;
        let kind = format!("{}List", lookup.kind);
        Ok(json!({"apiVersion": lookup.api_version, "kind": kind, "metadata": {}, "items": items}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(namespace: &str, name: &str) -> Lookup {
        Lookup::new("v1", "Secret", namespace, name)
    }

    fn object(version: &str, value: &str) -> Json {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"key": value},
            "metadata": {"name": "a", "namespace": "shop", "resourceVersion": version, "managedFields": [version]},
        })
    }

    #[test]
    fn only_what_an_object_says_counts() {
        let of = |object: &Json| Contents::of(&lookup("shop", "a"), object).digest();
        let mut untyped = object("1", "x");
        untyped.as_object_mut().unwrap().retain(|name, _| name != "kind" && name != "apiVersion");
        assert_eq!(of(&object("1", "x")), of(&object("2", "x")));
        assert_eq!(of(&object("1", "x")), of(&untyped));
        assert_ne!(of(&object("1", "x")), of(&object("1", "y")));
        assert_ne!(of(&json!({})), of(&object("1", "x")));
    }

    #[test]
    fn a_list_changes_with_its_objects_and_not_with_records_of_releases() {
        let of = |items: &[Json]| Contents::of(&lookup("shop", ""), &json!({"items": items})).digest();
        let mut record = object("1", "z");
        record["type"] = json!(RECORD);
        assert_eq!(of(&[object("1", "x")]), of(&[object("2", "x"), record]));
        assert_ne!(of(&[object("1", "x")]), of(&[object("1", "y")]));
        assert_ne!(of(&[object("1", "x")]), of(&[]));
    }

    #[test]
    fn of_selected_fields_only_these_count() {
        let lookup =
            Lookup { filter: Filter { fields: vec!["data.other".into()], ..Filter::default() }, ..lookup("shop", "") };
        let of = |object: &Json| Contents::of(&lookup, &json!({"items": [object]})).digest();
        let mut changed = object("2", "y");
        assert_eq!(of(&object("1", "x")), of(&changed));
        changed["data"]["other"] = json!("z");
        assert_ne!(of(&object("1", "x")), of(&changed));
        let mut record = object("1", "x");
        record["type"] = json!(RECORD);
        assert_eq!(Contents::of(&lookup, &json!({"items": [record]})), Contents::List(BTreeMap::new()));
    }

    #[test]
    fn a_list_covers_its_namespace_and_an_object_only_itself() {
        for (lookup, want) in [
            (lookup("shop", "a"), [true, false, false]),
            (lookup("shop", ""), [true, true, false]),
            (lookup("", ""), [true, true, true]),
        ] {
            let said = [("shop", "a"), ("shop", "b"), ("other", "a")];
            assert_eq!(said.map(|(namespace, name)| lookup.covers(namespace, name)), want, "{lookup:?}");
        }
    }
}
