//! Calls on single objects, whatever their kind, as plain JSON: what is applied is never squeezed through a type.

use kube::Resource as _;
use kube::core::params::{
    DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy,
};
use kube::core::{DynamicObject, Request};
use serde_json::{Value as Json, json};

use crate::cluster::discovery::Served;
use crate::cluster::{Cluster, Error};
use crate::release::FIELD_MANAGER;

/// Field manager of [`Cluster::replace_lists`], for as long as that takes.
const REPAIRER: &str = "chart-operator-repair";

/// One object of a served kind.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its kind.
    pub served: &'a Served,
    /// Its namespace; ignored for a cluster-scoped kind.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// What a DELETE found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is being deleted, or is gone.
    Accepted,
    /// There was no such object.
    Absent,
    /// An object of this name is there, but not the one meant: another UID or a newer version.
    Changed,
}

/// Which part of an object a patch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The object itself.
    Main,
    /// Its status subresource.
    Status,
}

impl Target<'_> {
    fn request(&self) -> Request {
        let namespace = self.served.namespaced.then_some(self.namespace).filter(|namespace| !namespace.is_empty());
        Request::new(DynamicObject::url_path(&self.served.resource, namespace))
    }

    /// That the object cannot be applied as its watch wants.
    pub fn refused(&self, source: crate::release::ignore::Error) -> Error {
        Error::Impossible { call: format!("apply {}", self.describe()), source }
    }

    /// For people: ``apps/Deployment shop/web``.
    fn describe(&self) -> String {
        let resource = &self.served.resource;
        let group = if resource.group.is_empty() { String::new() } else { format!("{}/", resource.group) };
        let namespace = if self.served.namespaced { format!("{}/", self.namespace) } else { String::new() };
        format!("`{group}{} {namespace}{}`", resource.kind, self.name)
    }
}

/// kube builds requests fallibly; what it refuses (a name that makes no path) is reported like any other failed call.
fn built<T>(request: Result<T, kube::core::request::Error>) -> Result<T, kube::Error> {
    request.map_err(kube::Error::BuildRequest)
}

impl Cluster {
    /// Server-side applies `object` with force, as our field manager, and gives the object as it is then.
    ///
    /// # Errors
    /// That of the call.
    pub async fn apply(&self, target: Target<'_>, object: &Json) -> Result<Json, Error> {
        let call = async {
            let params = PatchParams::apply(FIELD_MANAGER).force();
            let request = built(target.request().patch(target.name, &params, &Patch::Apply(object)))?;
            self.client().request(request).await
        };
        self.write(|| format!("apply {}", target.describe()), call).await.map_err(|error| error.without_secrets(object))
    }

    /// What [`Cluster::apply`] would answer; nothing is written.
    ///
    /// # Errors
    /// That of the call.
    pub async fn try_apply(&self, target: Target<'_>, object: &Json) -> Result<Json, Error> {
        let call = async {
            let params = PatchParams { dry_run: true, ..PatchParams::apply(FIELD_MANAGER).force() };
            let request = built(target.request().patch(target.name, &params, &Patch::Apply(object)))?;
            self.client().request(request).await
        };
        self.call(|| format!("try to apply {}", target.describe()), call)
            .await
            .map_err(|error| error.without_secrets(object))
    }

    /// The object as it would be were `object` created: nothing is written.
    ///
    /// # Errors
    /// That of the call.
    pub async fn try_create(&self, target: Target<'_>, object: &Json) -> Result<Json, Error> {
        let call = async {
            let body = serde_json::to_vec(object).map_err(kube::Error::SerdeError)?;
            let params = PostParams { dry_run: true, ..PostParams::default() };
            let request = built(target.request().create(&params, body))?;
            self.client().request(request).await
        };
        let answer = self.call(|| format!("try to create {}", target.describe()), call).await;
        answer.map_err(|error| error.without_secrets(object))
    }

    /// The objects of a kind that `params` select; all namespaces if `namespace` is empty.
    ///
    /// # Errors
    /// That of the call.
    pub async fn list(&self, served: &Served, namespace: &str, params: &ListParams) -> Result<Vec<Json>, Error> {
        let call = async {
            let target = Target { served, namespace, name: "" };
            let request = built(target.request().list(params))?;
            self.client().request::<Json>(request).await
        };
        let what = || format!("list `{}`", served.resource.plural);
        let mut list = self.call(what, call).await?;
        let items = list.get_mut("items").and_then(Json::as_array_mut).map(std::mem::take).unwrap_or_default();
        // The items of a list do not say what they are.
        let named = items.into_iter().map(|mut item| {
            if let Some(item) = item.as_object_mut() {
                item.insert("apiVersion".to_owned(), json!(served.resource.api_version));
                item.insert("kind".to_owned(), json!(served.resource.kind));
            }
            item
        });
        Ok(named.collect())
    }

    /// The object, or `None` if there is none.
    ///
    /// # Errors
    /// That of the call.
    pub async fn get(&self, target: Target<'_>) -> Result<Option<Json>, Error> {
        let call = async {
            let request = built(target.request().get(target.name, &GetParams::default()))?;
            self.client().request(request).await
        };
        match self.call(|| format!("read {}", target.describe()), call).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates `object`; its name comes from its metadata.
    ///
    /// # Errors
    /// That of the call.
    pub async fn create(&self, target: Target<'_>, object: &Json) -> Result<Json, Error> {
        let call = async {
            let body = serde_json::to_vec(object).map_err(kube::Error::SerdeError)?;
            let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
            let request = built(target.request().create(&params, body))?;
            self.client().request(request).await
        };
        self.write(|| format!("create {}", target.describe()), call)
            .await
            .map_err(|error| error.without_secrets(object))
    }

    /// Merge-patches the object or its status. Put the resource version into `patch` where it must not have changed.
    ///
    /// # Errors
    /// That of the call.
    pub async fn merge_patch(&self, target: Target<'_>, part: Part, patch: &Json) -> Result<Json, Error> {
        self.merge_patch_as(FIELD_MANAGER, target, part, patch).await
    }

    /// Makes the object's lists those of `object`, foreign elements gone, and applies it.
    ///
    /// Server-side apply only adds to a list with keys: where somebody changed the key of an element (a Service's port),
    /// it adds the old one beside it, and both together may be refused. A merge patch replaces lists. It is sent under
    /// another name, whose ownership is then taken off, so that what a chart drops later is dropped.
    ///
    /// # Errors
    /// That of a call.
    pub async fn replace_lists(&self, target: Target<'_>, object: &Json) -> Result<Json, Error> {
        let mut content = object.clone();
        content.as_object_mut().map(|content| content.remove("metadata"));
        self.merge_patch_as(REPAIRER, target, Part::Main, &content).await?;
        let answer = self.apply(target, object).await?;
        let managers = answer.pointer("/metadata/managedFields").and_then(Json::as_array).into_iter().flatten();
        let others: Vec<_> = managers.filter(|entry| entry["manager"] != REPAIRER).collect();
        let version = answer.pointer("/metadata/resourceVersion");
        let patch = json!({"metadata": {"resourceVersion": version, "managedFields": others}});
        self.merge_patch(target, Part::Main, &patch).await
    }

    async fn merge_patch_as(&self, manager: &str, target: Target<'_>, part: Part, patch: &Json) -> Result<Json, Error> {
        let call = async {
            let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
            let patch = Patch::Merge(patch);
            let request = match part {
                Part::Main => target.request().patch(target.name, &params, &patch),
                Part::Status => target.request().patch_subresource("status", target.name, &params, &patch),
            };
            self.client().request(built(request)?).await
        };
        self.write(|| format!("patch {}", target.describe()), call).await.map_err(|error| error.without_secrets(patch))
    }

    /// Deletes the object in the background, if it still is the one with this UID (and version, where given).
    ///
    /// # Errors
    /// That of the call; that it is gone or another one is no error.
    pub async fn delete(&self, target: Target<'_>, only: Preconditions) -> Result<Deleted, Error> {
        let call = async {
            let params = DeleteParams {
                propagation_policy: Some(PropagationPolicy::Background),
                preconditions: Some(only),
                ..DeleteParams::default()
            };
            let request = built(target.request().delete(target.name, &params))?;
            self.client().request_status::<Json>(request).await
        };
        match self.write(|| format!("delete {}", target.describe()), call).await {
            Ok(_) => Ok(Deleted::Accepted),
            Err(error) if error.is_not_found() => Ok(Deleted::Absent),
            Err(error) if error.is_conflict() => Ok(Deleted::Changed),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::ApiResource;

    fn served(group: &str, kind: &str, plural: &str, namespaced: bool) -> Served {
        let version = "v1".to_owned();
        let api_version = if group.is_empty() { version.clone() } else { format!("{group}/{version}") };
        let resource = ApiResource {
            group: group.to_owned(),
            version,
            api_version,
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        };
        Served { resource, namespaced, status: true, watchable: true }
    }

    #[test]
    fn a_target_is_named_by_group_kind_namespace_and_name() {
        let deployment = served("apps", "Deployment", "deployments", true);
        let target = Target { served: &deployment, namespace: "shop", name: "web" };
        assert_eq!(target.describe(), "`apps/Deployment shop/web`");
        assert_eq!(target.request().url_path, "/apis/apps/v1/namespaces/shop/deployments");
        let namespace = served("", "Namespace", "namespaces", false);
        let target = Target { served: &namespace, namespace: "ignored", name: "shop" };
        assert_eq!(target.describe(), "`Namespace shop`");
        assert_eq!(target.request().url_path, "/api/v1/namespaces");
    }
}
