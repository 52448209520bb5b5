//! What the operator is compared with: a client without any thought, which sends the same requests.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::ResourceExt as _;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value as Json, json};

use crate::bench::load::NAMESPACE;
use crate::bench::subject::Subject;
use crate::objects::children;

/// The namespace it works in, which the operator does not look at.
pub(crate) const PLAIN: &str = "plain";
/// How many resources it deals with at once, as many as the operator does.
const IN_FLIGHT: usize = 16;
/// Stands for a name in what is copied.
const NAME: &str = "plain-web-model";
/// Stands for a uid.
const UID: &str = "00000000-0000-0000-0000-000000000000";

/// The client with what it copies.
pub(crate) struct Plain {
    client: Client,
    subject: Subject,
    /// What is patched into a resource before anything else.
    claim: Json,
    /// The objects as the operator sends them.
    objects: Vec<(ApiResource, String)>,
    /// The Secret that records the release.
    record: Secret,
    /// The status of a resource.
    status: Json,
    /// Name and uid of each resource that it has made.
    made: Mutex<Vec<(String, String)>>,
}

impl Plain {
    /// Learns from a resource that the operator has carried out, and from what it prints for another.
    ///
    /// # Errors
    /// There is none, or the operator cannot print.
    pub(crate) async fn learn(client: Client, binary: &Path, project: &Path, example: &DynamicObject) -> Result<Self> {
        let subject = Subject::web();
        let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
        let record = format!("sh.helm.release.v1.{}.v1", example.name_any());
        let record = secrets.get(&record).await.with_context(|| format!("cannot read the Secret `{record}`"))?;
        let metadata = &example.metadata;
        let claim = json!({"metadata": {
            "finalizers": metadata.finalizers, "labels": metadata.labels, "annotations": metadata.annotations,
        }});
        let (labels, annotations) = (record.metadata.labels, record.metadata.annotations);
        let record = Secret { metadata: ObjectMeta { labels, annotations, ..ObjectMeta::default() }, ..record };
        let status = json!({"status": example.data.get("status")});
        let objects = rendered(binary, project, &subject)?;
        ensure!(objects.len() == subject.count(), "expected {} objects, found {}", subject.count(), objects.len());
        Ok(Self { client, subject, claim, objects, record, status, made: Mutex::default() })
    }

    /// Makes many resources, and everything that the operator would make of them.
    ///
    /// # Errors
    /// The API server refuses something.
    pub(crate) async fn burst(&self, names: &[String]) -> Result<Duration> {
        let begun = Instant::now();
        let made = futures::stream::iter(names).map(|name| self.make(name)).buffer_unordered(IN_FLIGHT);
        made.try_collect::<Vec<()>>().await?;
        Ok(begun.elapsed())
    }

    /// Applies the objects of all its resources once more, although nothing has changed; how many there were.
    ///
    /// # Errors
    /// The API server refuses something.
    pub(crate) async fn apply_all(&self) -> Result<usize> {
        let made = self.made.lock().map_or_else(|_| Vec::new(), |made| made.clone());
        let applied = futures::stream::iter(&made).map(|(name, uid)| self.apply(name, uid));
        applied.buffer_unordered(IN_FLIGHT).try_collect::<Vec<()>>().await?;
        Ok(made.len() * self.objects.len())
    }

    async fn make(&self, name: &str) -> Result<()> {
        let resources = self.api(&self.subject.kind);
        let resource = serde_json::from_value(self.subject.resource(name, &json!({"replicaCount": 1})))?;
        let made = resources.create(&PostParams::default(), &resource).await.context("cannot create a resource")?;
        let merge = PatchParams::default();
        resources.patch(name, &merge, &Patch::Merge(&self.claim)).await.context("cannot patch a resource")?;
        let uid = made.uid().unwrap_or_default();
        self.apply(name, &uid).await?;
        let mut record = self.record.clone();
        record.metadata.name = Some(format!("sh.helm.release.v1.{name}.v1"));
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), PLAIN);
        secrets.create(&PostParams::default(), &record).await.context("cannot create a record")?;
        resources.patch_status(name, &merge, &Patch::Merge(&self.status)).await.context("cannot patch a status")?;
        if let Ok(mut made) = self.made.lock() {
            made.push((name.to_owned(), uid));
        }
        Ok(())
    }

    async fn apply(&self, name: &str, uid: &str) -> Result<()> {
        let applies = self.objects.iter().map(|(kind, text)| async move {
            let object: Json = serde_json::from_str(&text.replace(NAME, name).replace(UID, uid))?;
            let apply = PatchParams::apply("plain").force();
            let applied = self.api(kind).patch(name, &apply, &Patch::Apply(&object)).await;
            applied.map(drop).with_context(|| format!("cannot apply {} `{name}`", kind.kind))
        });
        futures::future::try_join_all(applies).await.map(drop)
    }

    fn api(&self, kind: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), PLAIN, kind)
    }
}

/// The objects that the operator would send.
fn rendered(binary: &Path, project: &Path, subject: &Subject) -> Result<Vec<(ApiResource, String)>> {
    let resource = json!({
        "apiVersion": subject.kind.api_version,
        "kind": subject.kind.kind,
        "metadata": {"name": NAME, "namespace": PLAIN, "uid": UID},
        "spec": {"replicaCount": 1},
    });
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), resource.to_string())?;
    let printed = std::process::Command::new(binary)
        .args(["template", "--watches-file=watches.yaml", "--cr"])
        .arg(file.path())
        .current_dir(project)
        .output()?;
    ensure!(printed.status.success(), "cannot render: {}", String::from_utf8_lossy(&printed.stderr));
    let text = String::from_utf8(printed.stdout)?;
    let mut objects = Vec::new();
    for document in text.split("---\n").filter(|document| !document.trim().is_empty()) {
        let object: Json = serde_saphyr::from_str(document).context("what is printed is no YAML")?;
        let text = |field: &str| object.get(field).and_then(Json::as_str).unwrap_or_default().to_owned();
        let (group, version) = text("apiVersion").rsplit_once('/').map_or_else(
            || (String::new(), text("apiVersion")),
            |(group, version)| (group.to_owned(), version.to_owned()),
        );
        let kind = GroupVersionKind::gvk(&group, &version, &text("kind"));
        let known = children().into_iter().find(|known| known.kind == kind.kind);
        objects.push((known.with_context(|| format!("`{}` is not expected", kind.kind))?, object.to_string()));
    }
    Ok(objects)
}
