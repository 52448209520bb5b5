//! Which kinds the API server serves. Read when first asked for and kept; forgotten when a call shows it to be wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResource;
use kube::core::ApiResource;
use tokio::sync::Notify;

use crate::cluster::{Cluster, Error};
use crate::release::{Gvk, Scope};

/// A kind as it is served.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// Group, version, kind and plural.
    pub resource: ApiResource,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether it has a status subresource.
    pub status: bool,
    /// Whether it can be watched.
    pub watchable: bool,
}

impl Served {
    /// Where its objects live.
    #[must_use]
    pub fn scope(&self) -> Scope {
        if self.namespaced { Scope::Namespaced } else { Scope::Cluster }
    }
}

/// The kinds of one group version.
type Kinds = Arc<BTreeMap<String, Arc<Served>>>;

/// The served kinds known so far. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Discovery {
    cluster: Cluster,
    known: Arc<Mutex<BTreeMap<String, Kinds>>>,
    /// The versions of each group, the preferred one first.
    versions: Arc<Mutex<BTreeMap<String, Vec<String>>>>,
    doubts: Arc<Notify>,
}

impl Discovery {
    /// Nothing is known yet, and no call is made.
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, known: Arc::default(), versions: Arc::default(), doubts: Arc::default() }
    }

    /// How `gvk` is served.
    ///
    /// # Errors
    /// [`Error::NotServed`], or that of the call.
    pub async fn resolve(&self, gvk: &Gvk) -> Result<Arc<Served>, Error> {
        let api_version = gvk.api_version();
        let known = self.known().get(&api_version).cloned();
        if let Some(served) = known.and_then(|kinds| kinds.get(&gvk.kind).cloned()) {
            return Ok(served);
        }
        // Unknown, or known before the kind was added: ask (again).
        let kinds = self.read(&api_version).await?;
        let served = kinds.get(&gvk.kind).cloned();
        self.known().insert(api_version.clone(), kinds);
        served.ok_or_else(|| Error::NotServed { api_version, kind: gvk.kind.clone() })
    }

    /// How the kind is served in the version its group prefers: for objects of which only group and kind are known.
    ///
    /// # Errors
    /// [`Error::NotServed`], or that of a call.
    pub async fn resolve_preferred(&self, group: &str, kind: &str) -> Result<Arc<Served>, Error> {
        if group.is_empty() {
            return self.resolve(&Gvk::new("v1", kind)).await;
        }
        for version in self.group_versions(group).await? {
            match self.resolve(&Gvk::new(&format!("{group}/{version}"), kind)).await {
                Err(Error::NotServed { .. }) => {}
                answer => return answer,
            }
        }
        // The group may have changed since it was read.
        self.versions().remove(group);
        Err(Error::NotServed { api_version: group.to_owned(), kind: kind.to_owned() })
    }

    async fn group_versions(&self, group: &str) -> Result<Vec<String>, Error> {
        if let Some(versions) = self.versions().get(group) {
            return Ok(versions.clone());
        }
        let client = self.cluster.client();
        let list = self.cluster.call(|| "read the API groups".to_owned(), client.list_api_groups()).await?;
        let mut known = self.versions();
        for group in list.groups {
            let versions = group.preferred_version.into_iter().chain(group.versions);
            known.insert(group.name, versions.map(|version| version.version).collect());
        }
        Ok(known.get(group).cloned().unwrap_or_default())
    }

    fn versions(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<String>>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a group version: something has shown that what is known of it is no longer true.
    pub fn forget(&self, api_version: &str) {
        self.known().remove(api_version);
        self.versions().remove(api_version.rsplit_once('/').map_or("", |(group, _)| group));
    }

    /// What is served has changed, or will in a moment: somebody should look.
    pub fn doubt(&self) {
        self.doubts.notify_one();
    }

    /// Waits until somebody doubts what is known.
    pub async fn doubted(&self) {
        self.doubts.notified().await;
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Kinds>> {
        // The map is consistent after every statement, so a panic elsewhere leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, api_version: &str) -> Result<Kinds, Error> {
        let client = self.cluster.client();
        let what = || format!("read what `{api_version}` serves");
        let list = async {
            if api_version.contains('/') {
                client.list_api_group_resources(api_version).await
            } else {
                client.list_core_api_resources(api_version).await
            }
        };
        match self.cluster.call(what, list).await {
            Ok(list) => Ok(Arc::new(kinds(api_version, &list.resources))),
            Err(error) if error.is_not_found() => Ok(Kinds::default()),
            Err(error) => Err(error),
        }
    }
}

fn kinds(api_version: &str, resources: &[APIResource]) -> BTreeMap<String, Arc<Served>> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let is_status = |plural: &str| {
        let path = format!("{plural}/status");
        resources.iter().any(|resource| resource.name == path)
    };
    let served = |resource: &APIResource| Served {
        resource: ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: api_version.to_owned(),
            kind: resource.kind.clone(),
            plural: resource.name.clone(),
        },
        namespaced: resource.namespaced,
        status: is_status(&resource.name),
        watchable: resource.verbs.iter().any(|verb| verb == "watch"),
    };
    let own = resources.iter().filter(|resource| !resource.name.contains('/'));
    own.map(|resource| (resource.kind.clone(), Arc::new(served(resource)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(name: &str, kind: &str, namespaced: bool) -> APIResource {
        APIResource { name: name.to_owned(), kind: kind.to_owned(), namespaced, ..APIResource::default() }
    }

    #[test]
    fn a_subresource_is_no_kind_and_tells_that_there_is_a_status() {
        let resources = [
            resource("widgets", "Widget", true),
            resource("widgets/status", "Widget", true),
            resource("things", "Thing", false),
        ];
        let kinds = kinds("example.com/v1", &resources);
        let widget = &kinds["Widget"];
        assert_eq!((widget.resource.plural.as_str(), widget.namespaced, widget.status), ("widgets", true, true));
        let thing = &kinds["Thing"];
        assert_eq!((thing.resource.group.as_str(), thing.namespaced, thing.status), ("example.com", false, false));
        assert_eq!(kinds.len(), 2);
    }
}
