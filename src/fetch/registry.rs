//! An OCI registry: a chart is the layer of an image that is none.
//!
//! Whoever asks without a token is told where anybody gets one for pulling (the token authentication of the distribution
//! project, which all registries have).

use http::header::{self, HeaderValue};
use http::{StatusCode, Uri};
use serde_json::Value as Json;

use crate::chart::archive;
use crate::chart::version::Version;
use crate::fetch::client::{self, Answer, Client};
use crate::fetch::{Error, best, check_digest};

/// What the manifest of a chart is (Helm v4.3.1, `pkg/registry/constants.go`).
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What the layer with the chart is, now and before Helm 3.7.
const LAYERS: [&str; 2] = ["application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"];

/// Longest manifest, list of tags or token, in bytes (the specification asks for no more of a registry).
const DOCUMENT: u64 = 4 << 20;

/// A repository of a registry, and the token to pull from it.
struct Registry<'a> {
    client: &'a Client,
    /// `https://HOST/v2/NAME`
    base: String,
    name: &'a str,
    token: Option<HeaderValue>,
}

/// The archive of the chart at `reference`: `HOST/NAME`, `HOST/NAME:TAG` or `HOST/NAME@DIGEST`.
pub(super) async fn archive(client: &Client, reference: &str, version: Option<&str>) -> Result<Vec<u8>, Error> {
    let odd = || Error::Address(format!("oci://{reference}"));
    let (rest, digest) = reference.split_once('@').map_or((reference, None), |(rest, digest)| (rest, Some(digest)));
    let (host, path) = rest.split_once('/').ok_or_else(odd)?;
    let (name, tag) = path.split_once(':').map_or((path, None), |(name, tag)| (name, Some(tag)));
    if host.is_empty() || name.is_empty() || digest.is_some_and(|digest| !digest.starts_with("sha256:")) {
        return Err(odd());
    }
    // As everybody writes it, and as it is called.
    let host = if host == "docker.io" { "registry-1.docker.io" } else { host };
    let scheme = if client.plain_http { "http" } else { "https" };
    let base = format!("{scheme}://{host}/v2/{name}");
    client::address(&base)?;
    let mut registry = Registry { client, base, name, token: None };
    let wanted = match (digest, tag) {
        (Some(digest), _) => digest.to_owned(),
        (None, Some(tag)) => tag.to_owned(),
        (None, None) => registry.tag(version).await?,
    };
    registry.pull(&wanted).await
}

impl Registry<'_> {
    /// The tag of the best version. A tag has no `+`.
    async fn tag(&mut self, version: Option<&str>) -> Result<String, Error> {
        // Not everybody may list the tags; whoever knows what he wants need not.
        if let Some(exact) = version.filter(|text| text.matches('.').count() > 1 && Version::parse(text).is_some()) {
            return Ok(exact.replace('+', "_"));
        }
        let answer = self.get("tags/list", DOCUMENT).await?;
        let list = document(&answer)?;
        let tags = list.get("tags").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let versions: Vec<String> = tags.iter().filter_map(|tag| Some(tag.as_str()?.replace('_', "+"))).collect();
        let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
        if versions.is_empty() {
            return Err(Error::NoChart { name: self.name.to_owned(), place: answer.url });
        }
        Ok(best(self.name, &versions, version)?.replace('+', "_"))
    }

    async fn pull(&mut self, wanted: &str) -> Result<Vec<u8>, Error> {
        let answer = self.get(&format!("manifests/{wanted}"), DOCUMENT).await?;
        let manifest = document(&answer)?;
        if wanted.starts_with("sha256:") {
            check_digest(&answer.url, &answer.body, wanted)?;
        }
        let layers = manifest.get("layers").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let is_chart =
            |layer: &&Json| LAYERS.into_iter().any(|kind| layer.get("mediaType").and_then(Json::as_str) == Some(kind));
        let digest = layers.iter().find(is_chart).and_then(|layer| layer.get("digest")?.as_str());
        let Some(digest) = digest.filter(|digest| digest.starts_with("sha256:")) else {
            return Err(answer.odd("not the manifest of a chart"));
        };
        let blob = self.get(&format!("blobs/{digest}"), archive::MAX_SIZE).await?;
        check_digest(&blob.url, &blob.body, digest)?;
        Ok(blob.body)
    }

    /// What is there, asked with a token if it takes one.
    async fn get(&mut self, path: &str, limit: u64) -> Result<Answer, Error> {
        let url = client::address(&format!("{}/{path}", self.base))?;
        let mut answer = self.ask(&url, limit).await?;
        if answer.code == StatusCode::UNAUTHORIZED && self.token.is_none() {
            self.token = self.token(&answer).await?;
            if self.token.is_some() {
                answer = self.ask(&url, limit).await?;
            }
        }
        match answer.code {
            code if code.is_success() => Ok(answer),
            StatusCode::NOT_FOUND => {
                let place = answer.url;
                Err(Error::NoChart { name: self.name.to_owned(), place })
            }
            _ => Err(answer.refusal()),
        }
    }

    async fn ask(&self, url: &Uri, limit: u64) -> Result<Answer, Error> {
        let mut headers = vec![(header::ACCEPT, HeaderValue::from_static(MANIFEST))];
        headers.extend(self.token.clone().map(|token| (header::AUTHORIZATION, token)));
        self.client.get(url, limit, &headers).await
    }

    /// The token that anybody gets, where the refusal says that there is one.
    async fn token(&self, refusal: &Answer) -> Result<Option<HeaderValue>, Error> {
        let challenge = refusal.headers.get(header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let Some(realm) = challenge.and_then(|challenge| parameter(challenge, "realm")) else { return Ok(None) };
        let mut query = format!("scope=repository:{}:pull", self.name);
        if let Some(service) = challenge.and_then(|challenge| parameter(challenge, "service")) {
            query = format!("service={}&{query}", service.replace(' ', "%20"));
        }
        let url = client::address(&format!("{realm}{}{query}", if realm.contains('?') { '&' } else { '?' }))?;
        if url.scheme_str() != Some("https") && !self.client.plain_http {
            return Err(Error::Downgrade { from: refusal.url.clone(), to: client::shown(&url) });
        }
        let answer = self.client.get(&url, DOCUMENT, &[]).await?;
        if !answer.code.is_success() {
            return Err(answer.refusal());
        }
        let said = document(&answer)?;
        let token = said.get("token").or_else(|| said.get("access_token")).and_then(Json::as_str);
        let header = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
        header.map(Some).ok_or_else(|| answer.odd("without a token"))
    }
}

fn document(answer: &Answer) -> Result<Json, Error> {
    serde_json::from_slice(&answer.body).map_err(|error| answer.odd(format!("not JSON: {error}")))
}

/// A parameter of a challenge such as `Bearer realm="https://example.com/token",service="x"` (RFC 9110, section 11.6.1).
fn parameter(challenge: &str, name: &str) -> Option<String> {
    let parameters = challenge.strip_prefix("Bearer ").or_else(|| challenge.strip_prefix("bearer "))?;
    let start = parameters.match_indices(name).find_map(|(at, _)| {
        let is_first = parameters.get(..at)?.trim_end().is_empty() || parameters.get(..at)?.trim_end().ends_with(',');
        let rest = parameters.get(at + name.len()..)?.trim_start().strip_prefix('=')?.trim_start();
        is_first.then_some(rest)
    })?;
    match start.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().map(str::to_owned),
        None => start.split(',').next().map(|word| word.trim().to_owned()),
    }
}
