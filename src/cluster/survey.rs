//! What the API server serves, asked for again and again: its answers carry tags, so that one that has not changed is a
//! line of 200 bytes.

use std::collections::BTreeSet;

use kube::client::Body;
use kube::core::Status;
use kube::core::discovery::v2::{ACCEPT_AGGREGATED_DISCOVERY_V2, APIGroupDiscovery, APIGroupDiscoveryList};

use crate::cluster::{Cluster, Error};
use crate::render::{Capabilities, KubeVersion};

/// The last answers.
#[derive(Debug)]
pub struct Survey {
    cluster: Cluster,
    version: Option<KubeVersion>,
    core: Answer,
    groups: Answer,
    /// Whether something of it has not been told yet.
    changed: bool,
}

/// One of the two lists of aggregated discovery.
#[derive(Debug, Default)]
struct Answer {
    tag: Option<String>,
    versions: BTreeSet<String>,
}

impl Survey {
    /// Nothing is known yet, and no call is made.
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, version: None, core: Answer::default(), groups: Answer::default(), changed: false }
    }

    /// What templates see of the cluster: its version and everything it serves. `None` if that is what it was before.
    ///
    /// # Errors
    /// That of a call. What has changed is then told the next time.
    pub async fn look(&mut self) -> Result<Option<Capabilities>, Error> {
        let client = self.cluster.client();
        let what = || "read the version of the API server".to_owned();
        let info = self.cluster.call(what, client.apiserver_version()).await?;
        let version = KubeVersion::parse(&info.git_version).unwrap_or_else(|| KubeVersion {
            normalized: format!("v{}.{}.0", info.major, info.minor),
            version: info.git_version,
            major: info.major,
            minor: info.minor,
        });
        self.changed |= self.version.as_ref() != Some(&version);
        self.version = Some(version.clone());
        self.changed |= self.core.renew(&self.cluster, "/api", "read the core kinds").await?;
        self.changed |= self.groups.renew(&self.cluster, "/apis", "read the API groups").await?;
        if !std::mem::take(&mut self.changed) {
            return Ok(None);
        }
        let served = self.core.versions.union(&self.groups.versions);
        Ok(Some(Capabilities::new(version, served.map(String::as_str))))
    }
}

impl Answer {
    /// Asks whether it has changed; `true` if it has.
    async fn renew(&mut self, cluster: &Cluster, path: &str, what: &str) -> Result<bool, Error> {
        let Some((tag, list)) = cluster.call(|| what.to_owned(), ask(cluster, path, self.tag.clone())).await? else {
            return Ok(false);
        };
        let versions = api_versions(&list.items);
        self.tag = tag;
        Ok(std::mem::replace(&mut self.versions, versions) != self.versions)
    }
}

/// The list and its tag; `None` if it still has the tag `known`.
async fn ask(
    cluster: &Cluster,
    path: &str,
    known: Option<String>,
) -> Result<Option<(Option<String>, APIGroupDiscoveryList)>, kube::Error> {
    let request = http::Request::get(path).header(http::header::ACCEPT, ACCEPT_AGGREGATED_DISCOVERY_V2);
    let request = known.into_iter().fold(request, |request, tag| request.header(http::header::IF_NONE_MATCH, tag));
    let request = request.body(Body::empty()).map_err(kube::Error::HttpError)?;
    let answer = cluster.client().send(request).await?;
    let code = answer.status();
    if code == http::StatusCode::NOT_MODIFIED {
        return Ok(None);
    }
    let tag = answer.headers().get(http::header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    let text = answer.into_body().collect_bytes().await?;
    if code.is_success() {
        return Ok(Some((tag, serde_json::from_slice(&text).map_err(kube::Error::SerdeError)?)));
    }
    let status =
        serde_json::from_slice(&text).unwrap_or_else(|_| Status::failure(code.as_str(), "").with_code(code.as_u16()));
    Err(kube::Error::Api(status.boxed()))
}

/// `apps/v1` and, for each of its kinds, `apps/v1/Deployment`: what `.Capabilities.APIVersions` holds (Helm v4.3.1,
/// `GetVersionSet`).
fn api_versions(groups: &[APIGroupDiscovery]) -> BTreeSet<String> {
    let mut served = BTreeSet::new();
    for group in groups {
        let name = group.metadata.as_ref().and_then(|metadata| metadata.name.as_deref()).unwrap_or_default();
        for version in &group.versions {
            let version_name = version.version.as_deref().unwrap_or_default();
            let api_version = if name.is_empty() { version_name.to_owned() } else { format!("{name}/{version_name}") };
            let kinds = version.resources.iter().filter_map(|resource| resource.response_kind.as_ref()?.kind.as_ref());
            served.extend(kinds.map(|kind| format!("{api_version}/{kind}")));
            served.insert(api_version);
        }
    }
    served
}
