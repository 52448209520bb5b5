//! The `crds/` of a chart: created once, never changed and never deleted, as Helm does.

use kube::core::GroupVersionKind;
use serde_json::Value as Json;

use crate::cluster::Error;
use crate::cluster::objects::Target;
use crate::reconcile::pass::{Cause, Failure, Pass, log};
use crate::release::{Gvk, ObjectId};

impl Pass<'_> {
    /// Creates those of `definitions` that are not there yet. They belong to nobody: other resources use them too.
    pub(crate) async fn create_definitions(&self, definitions: &[Json]) -> Result<(), Failure> {
        for definition in definitions {
            let text = |field: &str| definition.get(field).and_then(Json::as_str).unwrap_or_default();
            let Gvk { group, version, kind } = Gvk::new(text("apiVersion"), text("kind"));
            let gvk = GroupVersionKind::gvk(&group, &version, &kind);
            let served = self.context.discovery.resolve(&gvk).await?;
            let Some(id) = ObjectId::of(definition) else {
                let message = "expected an object with apiVersion, kind and metadata.name in crds/";
                return Err(Failure::refused(Cause::Render, message));
            };
            let target = Target { served: &served, namespace: &self.release.namespace, name: &id.name };
            if self.cluster.get(target).await?.is_some() {
                continue;
            }
            match self.cluster.create(target, definition).await {
                // Another resource of the chart was faster.
                Err(error) if error.is_conflict() => {}
                answer => drop(answer?),
            }
            self.count("create");
            log!(info, self, "Created definition", object = id.to_string());
            self.forget_group(definition);
        }
        if self.are_served(definitions).await? { Ok(()) } else { Err(Failure::NotServedYet) }
    }

    /// What a definition adds to a group must be asked for again.
    fn forget_group(&self, definition: &Json) {
        let group = definition.pointer("/spec/group").and_then(Json::as_str).unwrap_or_default();
        let versions = definition.pointer("/spec/versions").and_then(Json::as_array).into_iter().flatten();
        for version in versions.filter_map(|version| version.get("name")?.as_str()) {
            self.context.discovery.forget(&format!("{group}/{version}"));
        }
    }

    /// Whether every kind that `definitions` define is served yet.
    async fn are_served(&self, definitions: &[Json]) -> Result<bool, Error> {
        for definition in definitions {
            let text = |pointer| definition.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
            let versions = definition.pointer("/spec/versions").and_then(Json::as_array).into_iter().flatten();
            for version in versions.filter(|version| version["served"] == true) {
                let version = version.get("name").and_then(Json::as_str).unwrap_or_default();
                let gvk = GroupVersionKind::gvk(text("/spec/group"), version, text("/spec/names/kind"));
                match self.context.discovery.resolve(&gvk).await {
                    Ok(_) => {}
                    Err(Error::NotServed { .. }) => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(true)
    }
}
