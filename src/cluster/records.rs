//! The records of releases: Secrets in Helm's own format, so that `helm ls` and `helm history` see them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::core::PartialObjectMeta;
use kube::core::params::{ListParams, Preconditions};
use serde_json::Value as Json;

use crate::cluster::discovery::Served;
use crate::cluster::objects::{Deleted, Part, Target};
use crate::cluster::{Cluster, Error};
use crate::release::ReleaseId;
use crate::release::record::secret_name;

/// What the metadata of a record tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMeta {
    /// Revision.
    pub version: u32,
    /// `deployed`, `superseded`, `failed`, `pending-install`, …
    pub status: String,
    /// Annotations of the Secret.
    pub annotations: BTreeMap<String, String>,
}

fn secrets() -> Served {
    let resource = kube::core::ApiResource::erase::<Secret>(&());
    Served { resource, namespaced: true, status: false, watchable: true }
}

impl Cluster {
    /// The records of a release, oldest first. Reads metadata only.
    ///
    /// # Errors
    /// That of the call.
    pub async fn records(&self, release: &ReleaseId) -> Result<Vec<RecordMeta>, Error> {
        let api = Api::<PartialObjectMeta<Secret>>::namespaced(self.client(), &release.namespace);
        let selector = format!("owner=helm,name={}", release.name);
        let params = ListParams::default().labels(&selector);
        let list = self.call(|| format!("list the records of release `{release}`"), api.list(&params)).await?;
        let record = |secret: PartialObjectMeta<Secret>| {
            let labels = secret.metadata.labels.unwrap_or_default();
            Some(RecordMeta {
                version: labels.get("version")?.parse().ok()?,
                status: labels.get("status")?.clone(),
                annotations: secret.metadata.annotations.unwrap_or_default(),
            })
        };
        let mut records: Vec<_> = list.items.into_iter().filter_map(record).collect();
        records.sort_by_key(|record| record.version);
        Ok(records)
    }

    /// The whole Secret of one revision.
    ///
    /// # Errors
    /// That of the call.
    pub async fn record(&self, release: &ReleaseId, version: u32) -> Result<Option<Json>, Error> {
        let name = secret_name(&release.name, version);
        self.get(Target { served: &secrets(), namespace: &release.namespace, name: &name }).await
    }

    /// Writes a new record.
    ///
    /// # Errors
    /// A conflict if the revision has a record; that of the call.
    pub async fn create_record(&self, release: &ReleaseId, version: u32, secret: &Json) -> Result<(), Error> {
        let name = secret_name(&release.name, version);
        let target = Target { served: &secrets(), namespace: &release.namespace, name: &name };
        self.create(target, secret).await.map(drop)
    }

    /// Merge-patches a record.
    ///
    /// # Errors
    /// That of the call.
    pub async fn patch_record(&self, release: &ReleaseId, version: u32, patch: &Json) -> Result<(), Error> {
        let name = secret_name(&release.name, version);
        let target = Target { served: &secrets(), namespace: &release.namespace, name: &name };
        self.merge_patch(target, Part::Main, patch).await.map(drop)
    }

    /// Deletes a record.
    ///
    /// # Errors
    /// That of the call; that it is gone is none.
    pub async fn delete_record(&self, release: &ReleaseId, version: u32) -> Result<Deleted, Error> {
        let name = secret_name(&release.name, version);
        let target = Target { served: &secrets(), namespace: &release.namespace, name: &name };
        self.delete(target, Preconditions::default()).await
    }
}
