//! A namespace for one test, and the calls a user would make in it.

use chart_operator::release::record::{Record, parse_secret_name, part_names, secret_name};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value as Json, json};

use crate::support::{eventually, plane};

/// A namespace of a random name. It stays after the test: the control plane is thrown away.
pub(crate) struct Namespace {
    pub client: kube::Client,
    pub name: String,
}

/// The kinds that tests speak of, by name.
fn resource(kind: &str) -> ApiResource {
    let (group, version) = match kind {
        "Minimart" | "Page" | "Web" => ("charts.samutup.com", "v1alpha1"),
        "Deployment" | "StatefulSet" => ("apps", "v1"),
        "Memcached" => ("cache.example.com", "v1alpha1"),
        "PriorityClass" => ("scheduling.k8s.io", "v1"),
        "Job" => ("batch", "v1"),
        "HorizontalPodAutoscaler" => ("autoscaling", "v2"),
        "Ingress" => ("networking.k8s.io", "v1"),
        "Lease" => ("coordination.k8s.io", "v1"),
        "Widget" => ("test.example.com", "v1"),
        "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding" => ("rbac.authorization.k8s.io", "v1"),
        "CustomResourceDefinition" => ("apiextensions.k8s.io", "v1"),
        "PackageDeployment" | "PackageSet" | "ClusterPackageDeployment" | "ClusterPackageSet" => {
            ("packages.thetechnick.ninja", "v1alpha1")
        }
        "Adoption" | "ClusterAdoption" | "ClusterHandover" | "Handover" => {
            ("coordination.thetechnick.ninja", "v1alpha1")
        }
        "DatabaseTable" => ("kopf.demo", "v1"),
        "KopfExample" | "NatsExample" => ("kopf.dev", "v1"),
        "Nginx" => ("example.thetechnick.ninja", "v1alpha1"),
        "Latecomer" | "Returner" | "Newcomer" | "Chosen" | "Mounted" | "Region" => ("tests.samutup.com", "v1"),
        "LeftTwin" => ("left.example.com", "v1"),
        "RightTwin" => ("right.example.com", "v1"),
        _ => ("", "v1"),
    };
    let kind = if kind.ends_with("Twin") { "Twin" } else { kind };
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

impl Namespace {
    /// A new namespace, named after `test`.
    pub(crate) async fn create(test: &str) -> Self {
        Self::create_in(plane().client().await.unwrap(), test).await
    }

    /// As [`Namespace::create`], in another cluster.
    pub(crate) async fn create_in(client: kube::Client, test: &str) -> Self {
        Self::named(client, &format!("{test}-{}", &uuid::Uuid::new_v4().simple().to_string()[..6])).await
    }

    /// A namespace of just this name, which no other test may use.
    pub(crate) async fn named(client: kube::Client, name: &str) -> Self {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource("Namespace"));
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
        Self { client, name: name.to_owned() }
    }

    /// Deletes it, and waits until it has gone.
    pub(crate) async fn end(&self) {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource("Namespace"));
        api.delete(&self.name, &DeleteParams::default()).await.unwrap();
        let gone = || async { api.get_opt(&self.name).await.unwrap().is_none().then_some(()) };
        eventually(&format!("the end of namespace {}", self.name), gone).await;
    }

    pub(crate) fn api(&self, kind: &str) -> Api<DynamicObject> {
        match kind {
            "ClusterAdoption"
            | "ClusterHandover"
            | "ClusterPackageDeployment"
            | "ClusterPackageSet"
            | "ClusterRole"
            | "ClusterRoleBinding"
            | "CustomResourceDefinition"
            | "Namespace"
            | "PriorityClass"
            | "Region" => Api::all_with(self.client.clone(), &resource(kind)),
            _ => Api::namespaced_with(self.client.clone(), &self.name, &resource(kind)),
        }
    }

    /// The object, if there is one.
    pub(crate) async fn find(&self, kind: &str, name: &str) -> Option<Json> {
        let found = self.api(kind).get_opt(name).await.unwrap();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    /// Names of all objects of a kind, sorted.
    pub(crate) async fn names(&self, kind: &str) -> Vec<String> {
        let list = self.api(kind).list(&ListParams::default()).await.unwrap();
        let mut names: Vec<_> = list.items.into_iter().filter_map(|object| object.metadata.name).collect();
        names.sort();
        names
    }

    /// Creates a custom resource.
    pub(crate) async fn create_resource(&self, kind: &str, name: &str, spec: Json) -> Json {
        self.create_named(kind, name, json!({"spec": spec})).await
    }

    /// Creates an object of any kind; `body` is all of it but its kind, name and namespace.
    pub(crate) async fn create_named(&self, kind: &str, name: &str, mut body: Json) -> Json {
        let resource = resource(kind);
        body["apiVersion"] = json!(resource.api_version);
        body["kind"] = json!(resource.kind);
        body["metadata"]["name"] = json!(name);
        let created = self.api(kind).create(&PostParams::default(), &serde_json::from_value(body).unwrap()).await;
        serde_json::to_value(created.unwrap()).unwrap()
    }

    /// Creates any other object.
    pub(crate) async fn create_object(&self, kind: &str, object: Json) {
        let object = serde_json::from_value(object).unwrap();
        self.api(kind).create(&PostParams::default(), &object).await.unwrap();
    }

    /// Merge-patches an object as another manager than the operator.
    pub(crate) async fn patch(&self, kind: &str, name: &str, patch: Json) -> Json {
        let params = PatchParams { field_manager: Some("jane".to_owned()), ..PatchParams::default() };
        let patched = self.api(kind).patch(name, &params, &Patch::Merge(patch)).await.unwrap();
        serde_json::to_value(patched).unwrap()
    }

    /// Ends the Pod of a Job as a kubelet would; the Job's controller then ends the Job.
    pub(crate) async fn end_job(&self, job: &str, phase: &str) {
        self.end_job_with(job, json!({"phase": phase})).await;
    }

    /// As [`Namespace::end_job`], with a termination message of its first container.
    pub(crate) async fn end_job_saying(&self, job: &str, code: i32, message: &str) {
        let phase = if code == 0 { "Succeeded" } else { "Failed" };
        let terminated = json!({"exitCode": code, "message": message, "finishedAt": "2026-01-01T00:00:00Z"});
        let container = json!({
            "name": "main", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": {"terminated": terminated},
        });
        self.end_job_with(job, json!({"phase": phase, "containerStatuses": [container]})).await;
    }

    async fn end_job_with(&self, job: &str, status: Json) {
        let status = Patch::Merge(json!({"status": status}));
        let ended = || async {
            // Of the Job that is there now: the Pod of one of the same name before it may still be leaving.
            let job = self.find("Job", job).await?;
            let of = format!("batch.kubernetes.io/controller-uid={}", job["metadata"]["uid"].as_str()?);
            let pods = self.api("Pod").list(&ListParams::default().labels(&of)).await.unwrap();
            let pod = pods.items.into_iter().find_map(|pod| pod.metadata.name)?;
            self.api("Pod").patch_status(&pod, &PatchParams::default(), &status).await.ok()
        };
        eventually(&format!("Job {}/{job} has a Pod that ends", self.name), ended).await;
    }

    /// The record of a release, read as the operator reads it.
    pub(crate) async fn record(&self, release: &str, revision: u32) -> Option<Record> {
        let main = self.find("Secret", &secret_name(release, revision)).await?;
        let mut parts = Vec::new();
        for name in part_names(&main) {
            parts.push(self.find("Secret", &name).await.unwrap());
        }
        Some(Record::join(&main, &parts).unwrap())
    }

    /// Status and description of each record of a release, as `helm history` lists them.
    pub(crate) async fn history(&self, release: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for name in self.names("Secret").await {
            let Some((of, revision)) = parse_secret_name(&name).filter(|(of, _)| *of == release) else { continue };
            let Some(record) = self.record(of, revision).await else { continue };
            lines.push((revision, format!("{} {}: {}", revision, record.info.status.name(), record.info.description)));
        }
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// Patches an object by RFC 6902, as another manager than the operator.
    pub(crate) async fn json_patch(&self, kind: &str, name: &str, patch: Json) {
        let params = PatchParams { field_manager: Some("jane".to_owned()), ..PatchParams::default() };
        let patch = Patch::<()>::Json(serde_json::from_value(patch).unwrap());
        self.api(kind).patch(name, &params, &patch).await.unwrap();
    }

    pub(crate) async fn delete(&self, kind: &str, name: &str) {
        self.api(kind).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until the object is as `test` wants it, and gives it.
    pub(crate) async fn until(&self, kind: &str, name: &str, what: &str, test: impl Fn(&Json) -> bool) -> Json {
        let probe = || async { self.find(kind, name).await.filter(|object| test(object)) };
        eventually(&format!("{kind} {}/{name}: {what}", self.name), probe).await
    }

    /// Waits until the object is gone.
    pub(crate) async fn until_gone(&self, kind: &str, name: &str) {
        let probe = || async { self.find(kind, name).await.is_none().then_some(()) };
        eventually(&format!("{kind} {}/{name} is gone", self.name), probe).await;
    }
}
