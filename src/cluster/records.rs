//! The records of releases: Secrets in Helm's own format, so that `helm ls` and `helm history` see them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::core::PartialObjectMeta;
use kube::core::params::{ListParams, Preconditions};
use serde_json::Value as Json;

use crate::cluster::discovery::Served;
use crate::cluster::objects::{Part, Target};
use crate::cluster::{Cluster, Error};
use crate::diagnostic::chain;
use crate::release::ReleaseId;
use crate::release::record::{PARTS_OWNER, Record, Secrets, Status, part_names, secret_name};

/// What the metadata of a record tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMeta {
    /// Revision.
    pub version: u32,
    /// `deployed`, `superseded`, `failed`, `pending-install`, …
    pub status: Status,
    /// Annotations of the Secret.
    pub annotations: BTreeMap<String, String>,
}

/// The records of a release, as their metadata tells.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Oldest first.
    pub records: Vec<RecordMeta>,
    /// By revision, the names of the Secrets that hold what did not fit into that of the record. After a crash there may be
    /// some without a record.
    pub parts: BTreeMap<u32, Vec<String>>,
}

impl Records {
    fn sort(&mut self) {
        self.records.sort_by_key(|record| record.version);
    }

    fn add(&mut self, secret: PartialObjectMeta<Secret>) {
        let labels = secret.metadata.labels.unwrap_or_default();
        let Some(version) = labels.get("version").and_then(|version| version.parse().ok()) else { return };
        if labels.get("owner").map(String::as_str) == Some(PARTS_OWNER) {
            self.parts.entry(version).or_default().extend(secret.metadata.name);
        } else if let Some(status) = labels.get("status") {
            let annotations = secret.metadata.annotations.unwrap_or_default();
            self.records.push(RecordMeta { version, status: Status::named(status), annotations });
        }
    }
}

/// Records in one page of a list.
const PAGE: u32 = 500;

fn secrets() -> Served {
    let resource = kube::core::ApiResource::erase::<Secret>(&());
    Served { resource, namespaced: true, status: false, watchable: true }
}

impl Cluster {
    /// The records of a release. Reads metadata only.
    ///
    /// # Errors
    /// That of the call.
    pub async fn records(&self, release: &ReleaseId) -> Result<Records, Error> {
        let api = Api::<PartialObjectMeta<Secret>>::namespaced(self.client(), &release.namespace);
        let selector = format!("owner in (helm,{PARTS_OWNER}),name={}", release.name);
        let params = ListParams::default().labels(&selector);
        let list = self.call(|| format!("list the records of release `{release}`"), api.list(&params)).await?;
        let mut records = Records::default();
        list.items.into_iter().for_each(|secret| records.add(secret));
        records.sort();
        Ok(records)
    }

    /// The records of all releases of a namespace, by release. Reads metadata only.
    ///
    /// # Errors
    /// That of a call.
    pub async fn all_records(&self, namespace: &str) -> Result<BTreeMap<String, Records>, Error> {
        let api = Api::<PartialObjectMeta<Secret>>::namespaced(self.client(), namespace);
        let mut params = ListParams::default().labels(&format!("owner in (helm,{PARTS_OWNER})")).limit(PAGE);
        let mut all = BTreeMap::<String, Records>::new();
        loop {
            let what = || format!("list the records of releases in namespace `{namespace}`");
            let page = self.call(what, api.list(&params)).await?;
            for secret in page.items {
                let release = secret.metadata.labels.as_ref().and_then(|labels| labels.get("name")).cloned();
                all.entry(release.unwrap_or_default()).or_default().add(secret);
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => break,
            }
        }
        all.values_mut().for_each(Records::sort);
        Ok(all)
    }

    /// One record; none too where it cannot be read.
    ///
    /// # Errors
    /// That of the call.
    pub async fn record(&self, release: &ReleaseId, version: u32) -> Result<Option<Record>, Error> {
        let Some(main) = self.secret(release, &secret_name(&release.name, version)).await? else { return Ok(None) };
        let mut parts = Vec::new();
        for name in part_names(&main) {
            parts.extend(self.secret(release, &name).await?);
        }
        match Record::join(&main, &parts) {
            Ok(record) => Ok(Some(record)),
            Err(error) => {
                tracing::warn!(target: "helm.controller", release = release.to_string(), revision = version,
                    error = chain(&error), "Record cannot be read");
                Ok(None)
            }
        }
    }

    /// Whether a revision has a record, whatever is in it.
    ///
    /// # Errors
    /// That of the call.
    pub async fn has_record(&self, release: &ReleaseId, version: u32) -> Result<bool, Error> {
        Ok(self.secret(release, &secret_name(&release.name, version)).await?.is_some())
    }

    async fn secret(&self, release: &ReleaseId, name: &str) -> Result<Option<Json>, Error> {
        self.get(Target { served: &secrets(), namespace: &release.namespace, name }).await
    }

    /// Writes a new record.
    ///
    /// # Errors
    /// A conflict if the revision has a record; that of the call.
    pub async fn create_record(&self, release: &ReleaseId, version: u32, secrets: &Secrets) -> Result<(), Error> {
        self.create_parts(release, &secrets.parts).await?;
        self.create_secret(release, &secret_name(&release.name, version), &secrets.main).await
    }

    /// Writes what did not fit into the Secret of a record. What is there already has the same content.
    ///
    /// # Errors
    /// That of a call.
    pub async fn create_parts(&self, release: &ReleaseId, parts: &[Json]) -> Result<(), Error> {
        for part in parts {
            let name = part.pointer("/metadata/name").and_then(Json::as_str).unwrap_or_default();
            match self.create_secret(release, name, part).await {
                Err(error) if error.is_conflict() => {}
                answer => answer?,
            }
        }
        Ok(())
    }

    async fn create_secret(&self, release: &ReleaseId, name: &str, secret: &Json) -> Result<(), Error> {
        let target = Target { served: &secrets(), namespace: &release.namespace, name };
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

    /// Deletes a record, and then the Secrets `parts`, which only that one names.
    ///
    /// # Errors
    /// That of the call; that it is gone is none.
    pub async fn delete_record(&self, release: &ReleaseId, version: u32, parts: &[String]) -> Result<(), Error> {
        let main = secret_name(&release.name, version);
        for name in [&main].into_iter().chain(parts) {
            let target = Target { served: &secrets(), namespace: &release.namespace, name };
            self.delete(target, Preconditions::default()).await?;
        }
        Ok(())
    }
}
