//! A repository of charts: `index.yaml` tells which versions there are and where.

use serde_json::Value as Json;

use crate::chart::archive;
use crate::fetch::client::{self, Client};
use crate::fetch::{Error, best, check_digest};
use crate::yaml::{self, Numbers};

/// Longest index, in bytes: the largest public ones have a third of it.
const INDEX: u64 = 64 << 20;

/// The archive of the chart `name`.
pub(super) async fn archive(client: &Client, url: &str, name: &str, version: Option<&str>) -> Result<Vec<u8>, Error> {
    let base = client::address(&format!("{}/index.yaml", url.trim_end_matches('/')))?;
    let answer = client.get(&base, INDEX, &[]).await?;
    if !answer.code.is_success() {
        return Err(answer.refusal());
    }
    let text = str::from_utf8(&answer.body).map_err(|error| answer.odd(format!("no index: {error}")))?;
    let index = yaml::to_json(text, Numbers::AsWritten).map_err(|error| answer.odd(format!("no index: {error}")))?;
    let Some(entries) = index.get("entries").and_then(Json::as_object) else {
        return Err(answer.odd("no index: it has no `entries`"));
    };
    let Some(entries) = entries.get(name).and_then(Json::as_array).filter(|entries| !entries.is_empty()) else {
        return Err(Error::NoChart { name: name.to_owned(), place: client::shown(&base) });
    };
    let versions: Vec<&str> = entries.iter().filter_map(|entry| entry.get("version")?.as_str()).collect();
    let chosen = best(name, &versions, version)?;
    let of_version = |entry: &&Json| entry.get("version").and_then(Json::as_str) == Some(chosen);
    let entry = entries.iter().find(of_version).unwrap_or(&Json::Null);
    let Some(place) = entry.pointer("/urls/0").and_then(Json::as_str) else {
        return Err(answer.odd(format!("without a URL for `{name}` {chosen}")));
    };
    let place = client::join(&base, place)?;
    let archive = client.get(&place, archive::MAX_SIZE, &[]).await?.ok()?;
    if let Some(digest) = entry.get("digest").and_then(Json::as_str).filter(|digest| !digest.is_empty()) {
        check_digest(&client::shown(&place), &archive, digest)?;
    }
    Ok(archive)
}
