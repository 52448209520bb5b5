//! A custom resource as a watch or a call gave it.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::jiff::Timestamp;
use serde_json::Value as Json;

use crate::release::{Digest, labels};

/// Finalizer of a resource that is deleted with `kubectl delete --cascade=orphan`.
const ORPHAN: &str = "orphan";

/// Names a resource among those of one watch. `Display` is `namespace/name`, or the name alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Empty for a cluster-scoped resource.
    pub namespace: String,
    /// Also the name of its release.
    pub name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => f.write_str(&self.name),
            namespace => write!(f, "{namespace}/{}", self.name),
        }
    }
}

/// A custom resource, without `managedFields`.
#[derive(Clone, Debug)]
pub struct Resource(Json);

impl Resource {
    /// The resource that `json` is.
    pub fn new(mut json: Json) -> Self {
        if let Some(metadata) = json.get_mut("metadata").and_then(Json::as_object_mut) {
            metadata.remove("managedFields");
        }
        Self(json)
    }

    /// The whole resource.
    pub fn json(&self) -> &Json {
        &self.0
    }

    /// Its key.
    pub fn key(&self) -> Key {
        Key { namespace: self.metadata("namespace").to_owned(), name: self.metadata("name").to_owned() }
    }

    /// `metadata.name`
    pub fn name(&self) -> &str {
        self.metadata("name")
    }

    /// `metadata.namespace`; empty for a cluster-scoped resource.
    pub fn namespace(&self) -> &str {
        self.metadata("namespace")
    }

    /// `metadata.uid`
    pub fn uid(&self) -> &str {
        self.metadata("uid")
    }

    /// `apiVersion`
    pub fn api_version(&self) -> &str {
        self.0.get("apiVersion").and_then(Json::as_str).unwrap_or_default()
    }

    /// `kind`
    pub fn kind(&self) -> &str {
        self.0.get("kind").and_then(Json::as_str).unwrap_or_default()
    }

    /// `metadata.resourceVersion`
    pub fn resource_version(&self) -> &str {
        self.metadata("resourceVersion")
    }

    /// `metadata.generation`
    pub fn generation(&self) -> Option<i64> {
        self.0.pointer("/metadata/generation").and_then(Json::as_i64)
    }

    /// When it was created, in Unix time; 0 where that is not told.
    fn created(&self) -> i64 {
        let created = self.metadata("creationTimestamp").parse::<Timestamp>();
        created.map_or(0, Timestamp::as_second)
    }

    /// Whether it is being deleted.
    pub fn is_deleting(&self) -> bool {
        self.0.pointer("/metadata/deletionTimestamp").is_some()
    }

    /// The finalizers.
    pub fn finalizers(&self) -> impl Iterator<Item = &str> {
        self.0.pointer("/metadata/finalizers").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
    }

    /// The annotation `name`.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.0.pointer("/metadata/annotations")?.get(name)?.as_str()
    }

    /// The label `name`.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.0.pointer("/metadata/labels")?.get(name)?.as_str()
    }

    /// `spec`, as it was written.
    pub fn spec(&self) -> Option<&Json> {
        self.0.get("spec")
    }

    /// `status`; null where there is none.
    pub fn status(&self) -> &Json {
        self.0.get("status").unwrap_or(&Json::Null)
    }

    fn metadata(&self, field: &str) -> &str {
        self.0.pointer("/metadata").and_then(|metadata| metadata.get(field)).and_then(Json::as_str).unwrap_or_default()
    }

    /// Digest of everything that only users write.
    fn asked(&self) -> Digest {
        let annotations = self.0.pointer("/metadata/annotations").and_then(Json::as_object).into_iter().flatten();
        let is_ours = |name: &str| name.starts_with("applyset.kubernetes.io/") || name == labels::ACTIONS;
        let theirs = annotations.filter(|(name, _)| !is_ours(name));
        let asked = (theirs.collect::<Vec<_>>(), self.is_deleting(), self.spec());
        // JSON always serialises.
        Digest::of(serde_json::to_vec(&asked).unwrap_or_default())
    }
}

/// Whether resource version `a` is newer than `b`. They are numbers of one counter (KEP-5504); what is none is taken for
/// newer, so that nothing is ever missed.
pub fn is_newer(a: &str, b: &str) -> bool {
    match (a.parse::<u128>(), b.parse::<u128>()) {
        (Ok(a), Ok(b)) => a.cmp(&b) == Ordering::Greater,
        _ => a != b,
    }
}

/// What a sight of a resource tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing: it is known as new as that, or newer.
    None,
    /// Only what is told about it has changed: its status, its finalizers, our own annotations.
    Told,
    /// Something else is asked for.
    Asked,
}

/// The resources of one watch, each as new as anything has shown it. They are kept as text, which takes a sixth of the room,
/// and read when a pass needs one.
#[derive(Debug, Default)]
pub struct Resources(Mutex<BTreeMap<Key, AtRest>>);

#[derive(Debug)]
struct AtRest {
    uid: Box<str>,
    version: Box<str>,
    asked: Digest,
    /// Whether its objects are to outlive it: the garbage collector, which is asked for the same, takes its finalizer off.
    orphans: bool,
    /// When it was created, in Unix time.
    created: i64,
    json: Box<[u8]>,
}

impl AtRest {
    fn new(resource: &Resource, asked: Digest) -> Self {
        // JSON always serialises.
        let json = serde_json::to_vec(&resource.0).unwrap_or_default().into();
        let created = resource.created();
        let orphans = resource.is_deleting() && resource.finalizers().any(|finalizer| finalizer == ORPHAN);
        let (uid, version) = (resource.uid().into(), resource.resource_version().into());
        Self { uid, version, asked, orphans, created, json }
    }
}

impl Resources {
    /// The resource, if there is one.
    pub fn find(&self, key: &Key) -> Option<Arc<Resource>> {
        let resources = self.lock();
        serde_json::from_slice(&resources.get(key)?.json).ok().map(|json| Arc::new(Resource(json)))
    }

    /// Whether the resource was ever seen to be deleted with `kubectl delete --cascade=orphan`.
    pub fn is_orphaning(&self, key: &Key) -> bool {
        self.lock().get(key).is_some_and(|known| known.orphans)
    }

    /// Tells of each when it was created, in Unix time.
    pub fn each_created(&self, mut tell: impl FnMut(&Key, i64)) {
        self.lock().iter().for_each(|(key, resource)| tell(key, resource.created));
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Keys of all.
    pub fn keys(&self) -> Vec<Key> {
        self.lock().keys().cloned().collect()
    }

    /// Takes what a watch told.
    pub fn observe(&self, resource: &Resource) -> News {
        let (key, asked) = (resource.key(), resource.asked());
        let mut resources = self.lock();
        let news = match resources.get(&key) {
            Some(known) if *known.uid != *resource.uid() => News::Asked,
            Some(known) if !is_newer(resource.resource_version(), &known.version) => News::None,
            Some(known) if known.asked == asked => News::Told,
            Some(_) | None => News::Asked,
        };
        if news != News::None {
            let orphaned = resources.get(&key).is_some_and(|known| known.orphans && *known.uid == *resource.uid());
            let mut new = AtRest::new(resource, asked);
            new.orphans |= orphaned;
            resources.insert(key, new);
        }
        news
    }

    /// Takes the answer to a write of our own. `true` if it shows that somebody asks for something else than `before`
    /// did: the event that told so will be taken for old.
    pub fn written(&self, before: &Resource, answer: &Resource) -> bool {
        self.observe(answer) != News::None && answer.asked() != before.asked()
    }

    /// Forgets a resource that is gone.
    pub fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, AtRest>> {
        // Single inserts and removes cannot be left half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resource(version: &str, replicas: i64) -> Resource {
        Resource::new(json!({
            "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": version, "managedFields": []},
            "spec": {"replicas": replicas},
        }))
    }

    #[test]
    fn only_what_is_newer_is_news() {
        let resources = Resources::default();
        for (version, replicas, news) in [
            ("99", 1, News::Asked),
            ("99", 1, News::None),
            ("98", 2, News::None),
            ("100", 2, News::Asked),
            ("101", 2, News::Told),
        ] {
            assert_eq!(resources.observe(&resource(version, replicas)), news, "{version}");
        }
        let key = resource("1", 1).key();
        assert_eq!(resources.find(&key).unwrap().spec(), Some(&json!({"replicas": 2})));
        assert_eq!(resources.find(&key).unwrap().json().pointer("/metadata/managedFields"), None);
    }

    #[test]
    fn a_recreated_resource_is_news_whatever_its_version() {
        let resources = Resources::default();
        resources.observe(&resource("99", 1));
        let mut again = resource("98", 1).json().clone();
        again["metadata"]["uid"] = json!("u2");
        assert_eq!(resources.observe(&Resource::new(again)), News::Asked);
    }

    #[test]
    fn that_its_objects_outlive_a_resource_is_known_when_the_finalizer_that_says_so_has_gone() {
        let (resources, key) = (Resources::default(), resource("1", 1).key());
        let deleted = |version: &str, uid: &str, finalizers: Json| {
            let mut json = resource(version, 1).json().clone();
            json["metadata"]["uid"] = json!(uid);
            json["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            json["metadata"]["finalizers"] = finalizers;
            resources.observe(&Resource::new(json));
            resources.is_orphaning(&key)
        };
        assert!(!deleted("1", "u1", json!(["a/b"])));
        assert!(deleted("2", "u1", json!(["orphan", "a/b"])));
        assert!(deleted("3", "u1", json!(["a/b"])));
        assert!(!deleted("4", "u2", json!(["a/b"])));
    }

    #[test]
    fn the_answer_to_a_write_shows_an_edit_that_came_between() {
        let resources = Resources::default();
        let before = resource("5", 1);
        resources.observe(&before);
        assert!(!resources.written(&before, &resource("6", 1)));
        assert!(resources.written(&before, &resource("8", 2)));
        // The event of that edit, version 7, is old news now.
        assert_eq!(resources.observe(&resource("7", 2)), News::None);
    }
}
