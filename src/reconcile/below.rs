//! Looks below an object that keeps its resource from being ready: at its Pods, and at what events tell of them. Costs calls,
//! so it is done rarely, and never while all is ready.

use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::params::ListParams;
use kube::core::{ApiResource, GroupVersionKind, Selector};
use serde_json::Value as Json;
use tokio::time::Instant;

use crate::cluster::Error;
use crate::cluster::discovery::Served;
use crate::cluster::objects::Target;
use crate::readiness::Readiness;
use crate::readiness::cause::{self, Cause};
use crate::reconcile::looks::Sight;
use crate::reconcile::pass::{Pass, log};
use crate::release::ObjectId;

/// How many Pods, and how many events, are looked at.
const MOST: u32 = 100;

impl Pass<'_> {
    /// Why the object is not ready, as far as it is known, and when to look again.
    pub(crate) async fn look_below(&self, id: &ObjectId, readiness: &Readiness) -> Sight {
        let looks = &self.context.looks;
        let sight = looks.sight(&self.set, id, readiness, Instant::now());
        if !sight.wait.is_zero() {
            return sight;
        }
        let found = self.search(id).await;
        let cause = found.unwrap_or_else(|error| {
            log!(debug, self, "Cause not looked for", object = id.to_string(), error = error.message());
            sight.cause
        });
        looks.found(&self.set, cause, Instant::now())
    }

    async fn search(&self, id: &ObjectId) -> Result<Option<Cause>, Error> {
        let served = self.context.discovery.resolve_preferred(&id.group, &id.kind).await?;
        let target = Target { served: &served, namespace: &id.namespace, name: &id.name };
        let Some(object) = self.cluster.get(target).await? else { return Ok(None) };
        let pods = match selector(&object) {
            Some(selector) => {
                let params = ListParams::default().labels_from(&selector).limit(MOST);
                self.list(&core::<Pod>(), "pods", &id.namespace, &params).await?
            }
            None => Vec::new(),
        };
        let cause = cause::cause(&object, &pods);
        let Some(uid) = &cause.ask else { return Ok(cause::told(cause, &[])) };
        let params = ListParams::default().fields(&format!("involvedObject.uid={uid}")).limit(MOST);
        let events = self.list(&core::<Event>(), "events", &id.namespace, &params).await?;
        Ok(cause::told(cause, &events))
    }

    /// What is there; nothing where we may not look, which is told once.
    pub(crate) async fn list(
        &self,
        served: &Served,
        plural: &'static str,
        namespace: &str,
        params: &ListParams,
    ) -> Result<Vec<Json>, Error> {
        let looks = &self.context.looks;
        if looks.is_forbidden(plural, namespace, Instant::now()) {
            return Ok(Vec::new());
        }
        match self.cluster.list(served, namespace, params).await {
            Err(error) if error.is_forbidden() => {
                if looks.forbid(plural, namespace, Instant::now()) {
                    log!(warn, self, "Causes below objects stay unknown", error = error.message());
                }
                Ok(Vec::new())
            }
            answer => answer,
        }
    }
}

/// A kind of the core group.
pub(crate) fn core<K: k8s_openapi::Resource>() -> Served {
    let resource =
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(K::GROUP, K::VERSION, K::KIND), K::URL_PATH_SEGMENT);
    Served { resource, namespaced: true, status: true, watchable: true }
}

/// What selects the Pods of a workload.
pub(crate) fn selector(object: &Json) -> Option<Selector> {
    let selector = object.pointer("/spec/selector")?;
    let selector: LabelSelector = serde_json::from_value(selector.clone()).ok()?;
    // An empty one selects everything: that is no workload's.
    let empty = selector.match_labels.is_none() && selector.match_expressions.is_none();
    Selector::try_from(selector).ok().filter(|_| !empty)
}
