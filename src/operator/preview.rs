//! What the operator would do to a cluster, found without a write: for `diff`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use kube::core::params::ListParams;
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use crate::catalog::{Catalog, Entry};
use crate::cluster::discovery::{Discovery, Served};
use crate::cluster::lookup::Lookup;
use crate::cluster::objects::Target;
use crate::cluster::survey::Survey;
use crate::cluster::{Cluster, Error};
use crate::metrics::Metrics;
use crate::reconcile::preview::{Difference, preview};
use crate::reconcile::resource::Resource;
use crate::reconcile::{Context, Controller, Shared, WatchState, Watching, part_of};
use crate::release::{Gvk, ObjectId, labels};

/// What a pass over one resource would do.
#[derive(Debug)]
pub struct Previewed {
    /// The resource for people: `Minimart shop/first`.
    pub resource: String,
    /// The objects that would change; or why nothing can be carried out.
    pub differences: Result<Vec<Difference>, String>,
}

/// Which resources are asked about.
#[derive(Debug, Default)]
pub struct Wanted {
    /// These, as they would be; all of the cluster's if there are none.
    pub resources: Vec<Json>,
    /// Only those in this namespace.
    pub namespace: Option<String>,
}

/// Asks the cluster what would change, were `catalog` and `wanted` carried out.
///
/// # Errors
/// The cluster cannot be asked.
pub async fn previews(
    cluster: Cluster,
    metrics: Metrics,
    catalog: &Catalog,
    wanted: &Wanted,
) -> Result<Vec<Previewed>, Error> {
    let discovery = Discovery::new(cluster.clone());
    let capabilities = Survey::new(cluster.clone()).look().await?.unwrap_or_default();
    let capabilities = watch::channel(Arc::new(capabilities)).1;
    let listing = Arc::new(Listing::new(cluster.clone()));
    let context = Arc::new(Context::new(Shared {
        namespace: cluster.default_namespace().to_owned(),
        operator: cluster,
        discovery,
        capabilities,
        metrics,
        watching: Arc::clone(&listing) as _,
        reconcile_period: None,
        suppress_override_values: false,
        version: None,
    }));
    // Nobody else sets it: this listing is ours.
    let _set = listing.context.set(Arc::downgrade(&context));
    let mut found = Vec::new();
    for entry in &catalog.entries {
        let gvk = &entry.watch.gvk;
        let served = match context.discovery.resolve(&Gvk::new(&gvk.api_version(), &gvk.kind)).await {
            // Without its CRD there are no resources.
            Err(Error::NotServed { .. }) => continue,
            served => served?,
        };
        let (_unchanged, followed) = watch::channel(Arc::clone(entry));
        let controller = Arc::new(Controller::new(followed, Arc::clone(&served), 1, &context.metrics));
        for resource in resources(&context, entry, &served, wanted).await? {
            let name = format!("{} {}", gvk.kind, resource.key());
            let differences = preview(&context, &controller, resource).await;
            found.push(Previewed { resource: name, differences });
        }
    }
    Ok(found)
}

/// The resources of a watch that are asked about, as they would be.
async fn resources(context: &Context, entry: &Entry, served: &Served, wanted: &Wanted) -> Result<Vec<Resource>, Error> {
    let mut found = Vec::new();
    if wanted.resources.is_empty() {
        let namespace = wanted.namespace.as_deref().unwrap_or_default();
        let selector = entry.watch.selector.to_string();
        for resource in context.operator.list(served, namespace, &ListParams::default().labels(&selector)).await? {
            found.push(Resource::new(resource));
        }
    }
    for given in &wanted.resources {
        let resource = &served.resource;
        if given["apiVersion"] == resource.api_version.as_str() && given["kind"] == resource.kind.as_str() {
            found.push(Resource::new(written(&context.operator, served, given).await?));
        }
    }
    found.retain(|resource| !resource.is_deleting());
    Ok(found)
}

/// The resource as it would be after `given` was applied.
async fn written(cluster: &Cluster, served: &Served, given: &Json) -> Result<Json, Error> {
    let text = |field: &str| given.pointer("/metadata").and_then(|metadata| metadata.get(field)?.as_str());
    let target = Target {
        served,
        namespace: text("namespace").unwrap_or_else(|| cluster.default_namespace()),
        name: text("name").unwrap_or_default(),
    };
    let Some(mut live) = cluster.get(target).await? else {
        // The API server gives it the uid that its objects name as their owner.
        return cluster.try_create(target, given).await;
    };
    if let Some(live) = live.as_object_mut() {
        live.insert("spec".to_owned(), given.get("spec").cloned().unwrap_or_else(|| json!({})));
    }
    for field in ["labels", "annotations"] {
        let given = given.pointer("/metadata").and_then(|metadata| metadata.get(field)).and_then(Json::as_object);
        let Some(metadata) = live.pointer_mut("/metadata").and_then(Json::as_object_mut) else { continue };
        let present = metadata.entry(field).or_insert_with(|| json!({}));
        if let (Some(given), Some(present)) = (given, present.as_object_mut()) {
            present.extend(given.clone());
        }
    }
    Ok(live)
}

/// Instead of watches: each kind is listed once.
struct Listing {
    cluster: Cluster,
    context: OnceLock<Weak<Context>>,
    begun: Mutex<BTreeMap<(String, String), watch::Receiver<WatchState>>>,
}

impl Listing {
    fn new(cluster: Cluster) -> Self {
        Self { cluster, context: OnceLock::new(), begun: Mutex::default() }
    }
}

impl Watching for Listing {
    fn ensure(&self, served: &Arc<Served>) -> Vec<watch::Receiver<WatchState>> {
        let key = (served.resource.api_version.clone(), served.resource.kind.clone());
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let state = begun.entry(key).or_insert_with(|| {
            let (sender, state) = watch::channel(WatchState::Starting);
            let context = self.context.get().cloned().unwrap_or_default();
            let (cluster, served) = (self.cluster.clone(), Arc::clone(served));
            tokio::spawn(async move { sender.send_replace(list(&cluster, &served, &context).await) });
            state
        });
        vec![state.clone()]
    }

    /// Nothing is run for a preview.
    fn ensure_hooks(&self, _served: &Arc<Served>) -> Vec<watch::Receiver<WatchState>> {
        Vec::new()
    }

    fn look(&self, _served: &Arc<Served>) {
        // What was looked up is read once more.
    }

    fn looking(&self, _lookup: &Lookup) -> Option<watch::Receiver<WatchState>> {
        None
    }
}

/// Notes every object of a kind that belongs to some resource.
async fn list(cluster: &Cluster, served: &Served, context: &Weak<Context>) -> WatchState {
    let params = ListParams::default().labels(&format!("{},{}", labels::PART_OF, labels::CHART));
    let listed = cluster.list(served, "", &params).await;
    let objects = match listed {
        Ok(objects) => objects,
        Err(error) => return WatchState::Failing(error.message()),
    };
    let Some(context) = context.upgrade() else { return WatchState::Failing("nobody asks any more".to_owned()) };
    for object in objects {
        if let (Some(id), Some(set)) = (ObjectId::of(&object), part_of(&object)) {
            // Nobody waits for such news here.
            let _news = context.objects.observe(&id, set, &object);
        }
    }
    WatchState::Synced
}
