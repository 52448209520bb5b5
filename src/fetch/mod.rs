//! Charts from afar: an archive by its URL, a chart of a repository, a chart of an OCI registry.
//!
//! What comes is not trusted: everything has a longest size and a longest time, few redirects are followed and none from TLS
//! to plain text, and where a digest is told the bytes must have it. Nobody is told who asks: there are no credentials here.
//! Mirrors Helm v4.3.1, `pkg/getter`, `pkg/repo/v1` and `pkg/registry`, and the OCI distribution specification v1.1.

mod client;
mod registry;
mod repository;

use http::StatusCode;
use sha2::{Digest as _, Sha256};

use crate::chart::archive;
use crate::chart::version::{Constraint, Version};

pub use client::Client;

/// Why a chart does not come.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was named is no address.
    #[error("`{0}` is no URL of a chart: expected `https://`, `http://` or `oci://`, a host and no credentials")]
    Address(String),
    /// Nobody can be asked.
    #[error("cannot find the certificates of this machine")]
    Certificates(#[source] std::io::Error),
    /// Nobody answers.
    #[error("cannot ask `{url}`")]
    Ask {
        /// Who was asked.
        url: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer takes too long.
    #[error("`{0}` does not answer in time")]
    Slow(String),
    /// The answer is another one than wanted.
    #[error("`{url}` answers {code}{hint}")]
    Code {
        /// Who was asked.
        url: String,
        /// The answer.
        code: StatusCode,
        /// What to do, if something can be done.
        hint: &'static str,
    },
    /// The answer leads on and on.
    #[error("`{0}` leads to other addresses without end")]
    Redirects(String),
    /// The answer leads to where it must not.
    #[error("`{from}` leads to `{to}`, which is not safe to follow")]
    Downgrade {
        /// Who was asked.
        from: String,
        /// Where it leads.
        to: String,
    },
    /// The answer is larger than it may be.
    #[error("`{url}` answers with more than {limit} bytes")]
    TooLarge {
        /// Who was asked.
        url: String,
        /// What it may have.
        limit: u64,
    },
    /// The answer is something else than wanted.
    #[error("the answer of `{url}` is {found}")]
    Odd {
        /// Who was asked.
        url: String,
        /// What is odd about it.
        found: String,
    },
    /// The bytes are others than was told.
    #[error("the digest of `{url}` is `{found}`, expected `{expected}`")]
    Digest {
        /// Where they come from.
        url: String,
        /// What they have.
        found: String,
        /// What they should have.
        expected: String,
    },
    /// The repository or registry has no such chart.
    #[error("`{name}` is not in `{place}`")]
    NoChart {
        /// The chart.
        name: String,
        /// The repository.
        place: String,
    },
    /// It has the chart, but not so.
    #[error("no version of `{name}` is `{wanted}`: there are {there}")]
    NoVersion {
        /// The chart.
        name: String,
        /// What was wanted.
        wanted: String,
        /// Some of what there is.
        there: String,
    },
    /// What was wanted cannot be a version.
    #[error("`{0}` is no version and no constraint on versions")]
    Version(String),
}

/// How versions are told where none fits.
const TOLD: usize = 5;

/// The archive of a chart.
///
/// `repository`: a URL under which `chart` is a name. Otherwise `chart` is a URL itself.
///
/// # Errors
/// [`Error`]
pub async fn archive(
    client: &Client,
    chart: &str,
    repository: Option<&str>,
    version: Option<&str>,
) -> Result<Vec<u8>, Error> {
    let joined = repository.map(|url| format!("{}/{chart}", url.trim_end_matches('/')));
    match (repository, joined.as_deref().unwrap_or(chart).strip_prefix("oci://")) {
        (_, Some(reference)) => registry::archive(client, reference, version).await,
        (Some(url), None) => repository::archive(client, url, chart, version).await,
        (None, None) => client.get(&client::address(chart)?, archive::MAX_SIZE, &[]).await?.ok(),
    }
}

/// The best of `versions` (in any order) for what is wanted: that very one; else the highest that fits, prereleases only where
/// the constraint names one.
fn best<'a>(name: &str, versions: &[&'a str], wanted: Option<&str>) -> Result<&'a str, Error> {
    if let Some(exact) = versions.iter().find(|version| Some(**version) == wanted) {
        return Ok(exact);
    }
    let text = wanted.filter(|text| !text.is_empty()).unwrap_or("*");
    let constraint = Constraint::parse(text).ok_or_else(|| Error::Version(text.to_owned()))?;
    let mut sorted: Vec<(Version, &str)> =
        versions.iter().filter_map(|text| Some((Version::parse(text)?, *text))).collect();
    sorted.sort_by(|a, b| b.0.cmp(&a.0));
    let fits = sorted.iter().find(|(version, _)| constraint.check(version));
    fits.map(|(_, text)| *text).ok_or_else(|| {
        let mut there: Vec<&str> = sorted.iter().map(|(_, text)| *text).take(TOLD).collect();
        if sorted.len() > TOLD {
            there.push("…");
        }
        Error::NoVersion { name: name.to_owned(), wanted: text.to_owned(), there: there.join(", ") }
    })
}

/// Checks that `bytes` have the SHA-256 digest `expected`, with or without the algorithm's name.
fn check_digest(url: &str, bytes: &[u8], expected: &str) -> Result<(), Error> {
    let wanted = expected.strip_prefix("sha256:").unwrap_or(expected);
    let found = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    if found.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Error::Digest { url: url.to_owned(), found: format!("sha256:{found}"), expected: expected.to_owned() })
}
