//! The world that templates see when they are rendered for a resource.

use std::cell::Cell;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use kube::core::GroupVersionKind;
use kube::core::params::ListParams;
use kube::{Api, core::DynamicObject};
use rand::Rng as _;
use serde_json::{Value as Json, json};
use tokio::runtime::Handle;

use crate::cluster::discovery::{Discovery, Served};
use crate::cluster::objects::Target;
use crate::cluster::{Cluster, Error};
use crate::functions::World;

/// Where a resource's templates may look.
#[derive(Clone, Debug)]
pub enum Scope {
    /// A namespaced resource: its own namespace and cluster-scoped kinds.
    Namespace(String),
    /// A cluster-scoped resource: everything but Secrets.
    Cluster,
}

/// The cluster, the clock and chance. Its look-ups block the thread: renders have threads of their own.
#[derive(Debug)]
pub struct ClusterWorld {
    cluster: Cluster,
    discovery: Discovery,
    runtime: Handle,
    scope: Scope,
    start: Instant,
    /// How long calls took.
    waited: Cell<Duration>,
}

impl ClusterWorld {
    /// The world as `scope` may see it; calls run on `runtime`.
    pub fn new(cluster: Cluster, discovery: Discovery, runtime: Handle, scope: Scope) -> Self {
        Self { cluster, discovery, runtime, scope, start: Instant::now(), waited: Cell::new(Duration::ZERO) }
    }

    async fn find(&self, gvk: &GroupVersionKind, namespace: &str, name: &str) -> Result<Json, Error> {
        let served = match self.discovery.resolve(gvk).await {
            Ok(served) => served,
            // As in Helm, what is not served is not there.
            Err(Error::NotServed { .. }) => return Ok(json!({})),
            Err(error) => return Err(error),
        };
        if !self.may_see(&served, namespace) {
            return Ok(json!({}));
        }
        if name.is_empty() {
            return self.list(&served, namespace).await;
        }
        let target = Target { served: &served, namespace, name };
        Ok(self.cluster.get(target).await?.unwrap_or_else(|| json!({})))
    }

    async fn list(&self, served: &Served, namespace: &str) -> Result<Json, Error> {
        let client = self.cluster.client();
        let api: Api<DynamicObject> = match (served.namespaced, namespace) {
            (true, namespace) if !namespace.is_empty() => Api::namespaced_with(client, namespace, &served.resource),
            _ => Api::all_with(client, &served.resource),
        };
        let params = ListParams::default();
        let what = || format!("list `{}` for a template", served.resource.plural);
        let list = self.cluster.call(what, api.list(&params)).await?;
        let items = list.items.into_iter().filter_map(|item| serde_json::to_value(item).ok());
        Ok(json!({
            "apiVersion": served.resource.api_version,
            "kind": format!("{}List", served.resource.kind),
            "metadata": {"resourceVersion": list.metadata.resource_version},
            "items": items.collect::<Vec<_>>(),
        }))
    }

    fn may_see(&self, served: &Served, namespace: &str) -> bool {
        let is_secret = served.resource.group.is_empty() && served.resource.kind == "Secret";
        match &self.scope {
            Scope::Namespace(own) => !served.namespaced || namespace == own,
            Scope::Cluster => !is_secret,
        }
    }
}

impl World for ClusterWorld {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Option<Duration> {
        Some(self.start.elapsed().saturating_sub(self.waited.get()))
    }

    fn random(&self, buffer: &mut [u8]) {
        rand::rng().fill_bytes(buffer);
    }

    fn resolve_host(&self, _name: &str) -> Option<String> {
        // As in Helm without --enable-dns.
        None
    }

    fn lookup(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Json, String> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let start = Instant::now();
        let found = self.runtime.block_on(self.find(&gvk, namespace, name));
        self.waited.set(self.waited.get() + start.elapsed());
        found.map_err(|error| error.message())
    }
}
