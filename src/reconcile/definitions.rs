//! The `crds/` of a chart: created once as Helm does, or kept as the chart has them, as the watch says; never deleted.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::cluster::Error;
use crate::cluster::discovery::Served;
use crate::cluster::objects::Target;
use crate::reconcile::pass::{Cause, Failure, Pass, log};
use crate::release::{Digest, Gvk, ObjectId, labels, migrate, prepare};
use crate::watches::Crds;

impl Pass<'_> {
    /// Brings what `definitions` define, as the watch wants it. They belong to nobody: other resources use them too.
    ///
    /// Where definitions may not be read or written, those that are served already will do.
    pub(crate) async fn bring_definitions(&self, definitions: &[Json]) -> Result<(), Failure> {
        let crds = self.entry.watch.crds;
        if crds == Crds::Skip || definitions.is_empty() {
            return Ok(());
        }
        // A resource that has gone since, or was edited, must not bring what nobody wants any more.
        self.confirm(&self.resource).await?;
        for definition in definitions {
            let brought = match crds {
                Crds::CreateReplace => self.replace_definition(definition).await,
                Crds::Create | Crds::Skip => self.create_definition(definition).await,
            };
            match brought {
                Err(Failure::Call(error)) if error.is_forbidden() => {
                    if !self.are_served(std::slice::from_ref(definition)).await? {
                        return Err(Failure::Call(error));
                    }
                    log!(warn, self, "Definition stays as it is", error = error.message());
                }
                brought => brought?,
            }
        }
        if self.are_served(definitions).await? { Ok(()) } else { Err(Failure::NotServedYet) }
    }

    /// Creates a definition that is not there yet.
    async fn create_definition(&self, definition: &Json) -> Result<(), Failure> {
        let (id, served) = self.kind_of(definition).await?;
        let target = Target { served: &served, namespace: &self.release.namespace, name: &id.name };
        match self.cluster.get(target).await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => {}
            // Helm only creates, and is content if there is one.
            Err(error) if error.is_forbidden() => {}
            Err(error) => return Err(error.into()),
        }
        match self.cluster.create(target, definition).await {
            // Another resource of the chart was faster.
            Err(error) if error.is_conflict() => return Ok(()),
            answer => drop(answer?),
        }
        self.count("create");
        log!(info, self, "Created definition", object = id.to_string());
        self.forget_group(definition);
        Ok(())
    }

    /// Makes a definition what the chart has, unless it was made so before.
    async fn replace_definition(&self, definition: &Json) -> Result<(), Failure> {
        let (id, served) = self.kind_of(definition).await?;
        let target = Target { served: &served, namespace: &self.release.namespace, name: &id.name };
        let mut body = prepare::unowned(definition);
        let digest = Digest::of_json(&body).to_base64();
        annotate(&mut body, labels::DEFINITION, &digest);
        if let Some(live) = self.cluster.get(target).await? {
            let applied = live.pointer("/metadata/annotations").and_then(|all| all.get(labels::DEFINITION));
            if applied == Some(&json!(digest)) {
                return Ok(());
            }
            if let Some(fields) = migrate::migrated(&live) {
                let version = live.pointer("/metadata/resourceVersion").and_then(Json::as_str).unwrap_or_default();
                self.migrate(target, version, &fields).await?;
            }
        }
        self.cluster.apply(target, &body).await?;
        self.count("apply");
        log!(info, self, "Applied definition", object = id.to_string());
        self.forget_group(definition);
        Ok(())
    }

    async fn kind_of(&self, definition: &Json) -> Result<(ObjectId, Arc<Served>), Failure> {
        let text = |field: &str| definition.get(field).and_then(Json::as_str).unwrap_or_default();
        let served = self.context.discovery.resolve(&Gvk::new(text("apiVersion"), text("kind"))).await?;
        let message = "expected an object with apiVersion, kind and metadata.name in crds/";
        let id = ObjectId::of(definition).ok_or_else(|| Failure::refused(Cause::Render, message))?;
        Ok((id, served))
    }

    /// What a definition adds to a group must be asked for again.
    fn forget_group(&self, definition: &Json) {
        let group = definition.pointer("/spec/group").and_then(Json::as_str).unwrap_or_default();
        let versions = definition.pointer("/spec/versions").and_then(Json::as_array).into_iter().flatten();
        for version in versions.filter_map(|version| version.get("name")?.as_str()) {
            self.context.discovery.forget(&format!("{group}/{version}"));
        }
        self.context.discovery.doubt();
    }

    /// Whether every kind that `definitions` define is served yet.
    async fn are_served(&self, definitions: &[Json]) -> Result<bool, Error> {
        for definition in definitions {
            let text = |pointer| definition.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
            let versions = definition.pointer("/spec/versions").and_then(Json::as_array).into_iter().flatten();
            for version in versions.filter(|version| version["served"] == true) {
                let version = version.get("name").and_then(Json::as_str).unwrap_or_default();
                let gvk = Gvk::new(&format!("{}/{version}", text("/spec/group")), text("/spec/names/kind"));
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

fn annotate(object: &mut Json, name: &str, value: &str) {
    let metadata = object.get_mut("metadata").and_then(Json::as_object_mut);
    let annotations = metadata.map(|metadata| metadata.entry("annotations").or_insert_with(|| json!({})));
    if let Some(annotations) = annotations.and_then(Json::as_object_mut) {
        annotations.insert(name.to_owned(), json!(value));
    }
}
