//! Reads: what is remembered of a release, which of its objects are there, and who has those that are not ours.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::Value as Json;

use crate::cluster::Error;
use crate::cluster::objects::Target;
use crate::reconcile::context::{Memo, WatchState};
use crate::reconcile::desire::Desired;
use crate::reconcile::objects::known;
use crate::reconcile::pass::{Pass, ServedKinds};
use crate::reconcile::rendering;
use crate::release::plan::{Controller, Foreign, Observed};
use crate::release::{Gvk, ReleaseId, labels, migrate};

/// How long a first list of a kind is waited for; after that its objects are read one by one.
pub(crate) const SYNC_DEADLINE: Duration = Duration::from_secs(10);

/// How many objects are read at once.
pub(crate) const IN_FLIGHT: usize = 16;

impl Pass<'_> {
    /// How each of these kinds that is served is served.
    pub(crate) async fn resolve(&self, kinds: &BTreeSet<Gvk>) -> Result<ServedKinds, Error> {
        let mut served = ServedKinds::new();
        for gvk in kinds {
            match self.context.discovery.resolve(gvk).await {
                Ok(found) => drop(served.insert(gvk.clone(), found)),
                Err(Error::NotServed { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(served)
    }

    /// Sees to it that the kinds are watched, and waits until their first lists are complete: what can be watched is then
    /// known completely. Gives those that are served; whoever wants to apply an object of another will be told.
    pub(crate) async fn watch(&self, kinds: &BTreeSet<Gvk>) -> Result<ServedKinds, Error> {
        let served = self.resolve(kinds).await?;
        let watchable = served.values().filter(|served| served.watchable);
        let mut states: Vec<_> = watchable.flat_map(|served| self.context.watching.ensure(served)).collect();
        let synced = async {
            for state in &mut states {
                // A watch that fails tells nothing; its objects are then read one by one.
                let _known = state.wait_for(|state| *state != WatchState::Starting).await;
            }
        };
        // Not in time: read one by one too.
        let _in_time = tokio::time::timeout(SYNC_DEADLINE, synced).await;
        Ok(served)
    }

    /// What the cluster has under the names of `desired`, and what else is ours.
    pub(crate) async fn observe(
        &self,
        desired: &Desired,
        served: &ServedKinds,
        memo: &Memo,
    ) -> Result<Observed, Error> {
        let ours = self.context.objects.of(&self.set);
        let objects = &self.context.objects;
        let unknown = desired.iter().filter(|object| !ours.contains_key(&object.id) || objects.is_unjudged(&object.id));
        let reads: Vec<_> =
            unknown.filter_map(|object| Some((object.id.clone(), Arc::clone(served.get(&object.gvk())?)))).collect();
        let reads = reads.into_iter().map(|(id, served)| async move {
            let target = Target { served: &served, namespace: &id.namespace, name: &id.name };
            let found = self.cluster.get(target).await;
            found.map(|object| (id, object))
        });
        let found: Vec<_> = futures::stream::iter(reads).buffer_unordered(IN_FLIGHT).collect().await;
        let mut others = BTreeMap::new();
        for answer in found {
            let (id, object) = answer?;
            let Some(object) = object else { continue };
            match part_of(&object) {
                Some(set) if *set == *self.set => drop(self.context.objects.observe(&id, set, &object)),
                _ => drop(others.insert(id, self.foreign(&object))),
            }
        }
        let ours = self.context.objects.of(&self.set).into_iter().map(|(id, known)| (id, known.live)).collect();
        Ok(Observed { ours, foreign: others, applied: memo.applied.clone() })
    }
}

/// The set that an object says it belongs to.
pub fn part_of(object: &Json) -> Option<&str> {
    object.pointer("/metadata/labels")?.get(labels::PART_OF)?.as_str()
}

impl Pass<'_> {
    /// What is known of an object that is not known to be ours.
    pub(crate) fn foreign(&self, object: &Json) -> Foreign {
        let known = known(object);
        let annotation = |name| object.pointer("/metadata/annotations")?.get(name)?.as_str();
        let helm_release = annotation(labels::RELEASE_NAME).map(|name| ReleaseId {
            name: name.to_owned(),
            namespace: annotation(labels::RELEASE_NAMESPACE).unwrap_or_default().to_owned(),
        });
        let (primary, kind) = rendering::context(&self.entry, &self.resource, self.release.clone()).owner.primary();
        Foreign {
            uid: known.live.uid,
            resource_version: known.live.resource_version,
            part_of: part_of(object).map(str::to_owned),
            controller: controller_of(object),
            helm_release,
            names_us: annotation(labels::PRIMARY_RESOURCE) == Some(&primary)
                && annotation(labels::PRIMARY_RESOURCE_TYPE) == Some(&kind),
            applied_by_us: known.live.projection.is_some(),
            managed_fields: migrate::migrated(object),
            deleting: known.live.deleting,
        }
    }
}

/// The controlling owner of an object.
pub(crate) fn controller_of(object: &Json) -> Option<Controller> {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Json::as_array).into_iter().flatten();
    let text = |owner: &Json, field| owner.get(field).and_then(Json::as_str).unwrap_or_default().to_owned();
    let mut controllers = owners.filter(|owner| owner["controller"] == true);
    controllers.next().map(|owner| Controller {
        uid: text(owner, "uid"),
        description: format!("{} {}", text(owner, "kind"), text(owner, "name")),
    })
}
