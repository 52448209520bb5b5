//! Asking over HTTP/1.1, by TLS or without.

use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use crate::fetch::Error;

/// How many times an answer may lead to another address (net/http of Go).
const REDIRECTS: usize = 10;

/// How long somebody may think before an answer begins, or goes on.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a whole answer may take.
const LONGEST: Duration = Duration::from_mins(5);

/// Asks others.
#[derive(Clone, Debug)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    /// Whether registries are asked without TLS.
    pub(super) plain_http: bool,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// Who gave it, as it may be told.
    pub(super) url: String,
    pub(super) code: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Client {
    /// One that trusts whom this machine trusts. `plain_http`: registries are asked without TLS.
    ///
    /// # Errors
    /// [`Error::Certificates`]
    pub fn new(plain_http: bool) -> Result<Self, Error> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(Error::Certificates)?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { pool: Pool::builder(TokioExecutor::new()).build(connector), plain_http })
    }

    /// Gets what is at an address, at most `limit` bytes, whatever the code; other hosts are not given the headers `own`.
    pub(super) async fn get(
        &self,
        url: &Uri,
        limit: u64,
        own: &[(header::HeaderName, HeaderValue)],
    ) -> Result<Answer, Error> {
        timeout(LONGEST, self.follow(url.clone(), limit, own))
            .await
            .unwrap_or_else(|_elapsed| Err(Error::Slow(shown(url))))
    }

    async fn follow(
        &self,
        mut url: Uri,
        limit: u64,
        own: &[(header::HeaderName, HeaderValue)],
    ) -> Result<Answer, Error> {
        let first = url.clone();
        for _ in 0..=REDIRECTS {
            let own = if url.authority() == first.authority() { own } else { &[] };
            let answer = self.once(&url, own).await?;
            let Some(next) = redirect(&url, &answer)? else { return whole(&url, answer, limit).await };
            url = next;
        }
        Err(Error::Redirects(shown(&first)))
    }

    async fn once(
        &self,
        url: &Uri,
        own: &[(header::HeaderName, HeaderValue)],
    ) -> Result<http::Response<Incoming>, Error> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::Ask { url: shown(url), source };
        let agent = concat!("chart-operator/", env!("CARGO_PKG_VERSION"));
        let mut request = Request::builder().method(Method::GET).uri(url).header(header::USER_AGENT, agent);
        for (name, value) in own {
            request = request.header(name, value);
        }
        let request = request.body(Empty::new()).map_err(|error| failed(error.into()))?;
        let answer = timeout(PATIENCE, self.pool.request(request)).await;
        answer.map_err(|_elapsed| Error::Slow(shown(url)))?.map_err(|error| failed(error.into()))
    }
}

impl Answer {
    /// The body, if all is well.
    pub(super) fn ok(self) -> Result<Vec<u8>, Error> {
        if self.code.is_success() { Ok(self.body) } else { Err(self.refusal()) }
    }

    /// That it is not well.
    pub(super) fn refusal(&self) -> Error {
        let hint = match self.code {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                ": it wants credentials; `helm pull` fetches the chart with yours, and its archive will do here"
            }
            _ => "",
        };
        Error::Code { url: self.url.clone(), code: self.code, hint }
    }

    /// That something else was expected.
    pub(super) fn odd(&self, found: impl Into<String>) -> Error {
        Error::Odd { url: self.url.clone(), found: found.into() }
    }
}

/// The address that `text` is.
pub(super) fn address(text: &str) -> Result<Uri, Error> {
    let uri: Option<Uri> = text.parse().ok();
    let is_fit = |uri: &Uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri
                .authority()
                .is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'))
    };
    uri.filter(is_fit).ok_or_else(|| Error::Address(without_secrets(text)))
}

/// What `reference` means on the page `base` (RFC 3986, section 5.2, for the references that servers send).
pub(super) fn join(base: &Uri, reference: &str) -> Result<Uri, Error> {
    let origin =
        format!("{}://{}", base.scheme_str().unwrap_or_default(), base.authority().map_or("", |it| it.as_str()));
    if let Some(rest) = reference.strip_prefix("//") {
        return address(&format!("{}://{rest}", base.scheme_str().unwrap_or_default()));
    }
    if reference.split(['/', '?']).next().is_some_and(|first| first.contains(':')) {
        return address(reference);
    }
    if reference.starts_with('/') {
        return address(&format!("{origin}{reference}"));
    }
    let directory = base.path().rsplit_once('/').map_or("", |(directory, _)| directory);
    address(&format!("{origin}{directory}/{reference}"))
}

/// An address as it may be told: what stands behind its `?` may let in whoever knows it.
pub(super) fn shown(url: &Uri) -> String {
    without_secrets(&url.to_string())
}

fn without_secrets(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => text.to_owned(),
    }
}

/// Where an answer leads, if it leads somewhere.
fn redirect(url: &Uri, answer: &http::Response<Incoming>) -> Result<Option<Uri>, Error> {
    if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()) else {
        return Ok(None);
    };
    let next = join(url, location)?;
    if url.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
        return Err(Error::Downgrade { from: shown(url), to: shown(&next) });
    }
    Ok(Some(next))
}

/// The whole answer.
async fn whole(url: &Uri, answer: http::Response<Incoming>, limit: u64) -> Result<Answer, Error> {
    let (head, mut incoming) = answer.into_parts();
    let mut body = Vec::new();
    while let Some(frame) = timeout(PATIENCE, incoming.frame()).await.map_err(|_elapsed| Error::Slow(shown(url)))? {
        let frame = frame.map_err(|source| Error::Ask { url: shown(url), source: source.into() })?;
        if let Ok(data) = frame.into_data() {
            if (body.len() + data.len()) as u64 > limit {
                return Err(Error::TooLarge { url: shown(url), limit });
            }
            body.extend_from_slice(&data);
        }
    }
    Ok(Answer { url: shown(url), code: head.status, headers: head.headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_on_the_page_that_has_them() {
        let base: Uri = "https://example.com/charts/index.yaml?x=1".parse().unwrap();
        for (reference, want) in [
            ("a-1.0.0.tgz", "https://example.com/charts/a-1.0.0.tgz"),
            ("sub/a.tgz?b=c:d", "https://example.com/charts/sub/a.tgz?b=c:d"),
            ("/a.tgz", "https://example.com/a.tgz"),
            ("//cdn.example.com/a.tgz", "https://cdn.example.com/a.tgz"),
            ("http://example.com:8080/a.tgz", "http://example.com:8080/a.tgz"),
        ] {
            assert_eq!(join(&base, reference).unwrap().to_string(), want);
        }
        for (reference, shown) in [
            ("file:///etc/passwd", "file:///etc/passwd"),
            ("https://jane:pw@example.com/a?b=c", "https://example.com/a"),
        ] {
            let error = join(&base, reference).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{shown}` is no URL")), "{error}");
        }
    }
}
