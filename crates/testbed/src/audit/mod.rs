//! The API server's audit log: who asked for what, when, and how many times.
//!
//! The API server writes an event when it has answered, a line of JSON each. A watch is written twice, when it begins and when
//! it ends; only its beginning counts as a request.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::Deserialize;

/// The file.
#[derive(Clone, Debug)]
pub struct AuditLog {
    path: PathBuf,
}

/// One answered request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// When the API server received it.
    pub received: Timestamp,
    /// When it was answered; of a watch, when the answer began.
    pub answered: Timestamp,
    /// The user, e.g. `system:serviceaccount:default:operator`.
    pub user: String,
    /// What the client calls itself.
    pub agent: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, …
    pub verb: String,
    /// The plural, with `/` and the subresource; the path where the request was for no resource.
    pub resource: String,
    /// The API group, empty for the core.
    pub group: String,
    /// The namespace, empty for none.
    pub namespace: String,
    /// The name, empty for a list, a watch and most creations.
    pub name: String,
    /// The status code, 0 if the API server names none.
    pub code: u16,
}

/// What requests are counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// What the client calls itself.
    pub agent: String,
    /// The verb.
    pub verb: String,
    /// The plural, with the subresource.
    pub resource: String,
}

impl AuditLog {
    /// A log that is written, or will be, to `path`.
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// All requests so far, in the order in which they were answered. A last line that is still being written is left out.
    ///
    /// # Errors
    /// The file cannot be read, or a line is no audit event.
    pub fn read(&self) -> Result<Vec<Request>> {
        Ok(self.read_from(0)?.0)
    }

    /// The requests behind the byte `start`, and the byte where the next ones begin.
    ///
    /// # Errors
    /// As for [`AuditLog::read`].
    pub fn read_from(&self, start: u64) -> Result<(Vec<Request>, u64)> {
        let cannot_read = || format!("cannot read the audit log {}", self.path.display());
        let mut text = String::new();
        let mut file = File::open(&self.path).with_context(cannot_read)?;
        file.seek(SeekFrom::Start(start)).with_context(cannot_read)?;
        file.read_to_string(&mut text).with_context(cannot_read)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        Ok((parse(&text)?, start + u64::try_from(whole)?))
    }

    /// The requests of one user, as [`AuditLog::read`] gives them. Fast where the log is long and holds few of them.
    ///
    /// # Errors
    /// As for [`AuditLog::read`].
    pub fn read_of(&self, user: &str) -> Result<Vec<Request>> {
        let text = std::fs::read_to_string(&self.path)
            .with_context(|| format!("cannot read the audit log {}", self.path.display()))?;
        let theirs: String = text.split_inclusive('\n').filter(|line| line.contains(user)).collect();
        Ok(parse(&theirs)?.into_iter().filter(|request| request.user == user).collect())
    }
}

/// The requests in the text of an audit log.
///
/// # Errors
/// A line is no audit event.
pub fn parse(text: &str) -> Result<Vec<Request>> {
    let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
    let lines = whole.lines().enumerate().filter(|(_, line)| !line.is_empty());
    let mut requests = Vec::new();
    for (number, line) in lines {
        let event: Event = serde_json::from_str(line)
            .with_context(|| format!("line {} of the audit log is no audit event", number + 1))?;
        requests.extend(event.into_request());
    }
    Ok(requests)
}

/// How many there are of each call.
pub fn count<'a>(requests: impl IntoIterator<Item = &'a Request>) -> BTreeMap<Call, usize> {
    let mut counts = BTreeMap::new();
    for request in requests {
        let call =
            Call { agent: request.agent.clone(), verb: request.verb.clone(), resource: request.resource.clone() };
        *counts.entry(call).or_default() += 1;
    }
    counts
}

impl Request {
    /// Whether it was received in the half-open window from `start` to `end`.
    pub fn within(&self, start: Timestamp, end: Timestamp) -> bool {
        self.received >= start && self.received < end
    }

    /// Whether it changes something, leases and events included.
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: String,
    user: User,
    #[serde(default)]
    impersonated_user: Option<User>,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: Option<ObjectRef>,
    #[serde(default)]
    response_status: Option<ResponseStatus>,
    request_received_timestamp: Timestamp,
    stage_timestamp: Timestamp,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
    api_group: String,
}

#[derive(Deserialize)]
struct ResponseStatus {
    #[serde(default)]
    code: u16,
}

impl Event {
    fn into_request(self) -> Option<Request> {
        let counted = if self.verb == "watch" { "ResponseStarted" } else { "ResponseComplete" };
        if self.stage != counted && self.stage != "Panic" {
            return None;
        }
        let path = self.request_uri.split('?').next().unwrap_or_default();
        let object = self.object_ref.unwrap_or_default();
        let resource = match (object.resource.as_str(), object.subresource.as_str()) {
            ("", _) => path.to_owned(),
            (resource, "") => resource.to_owned(),
            (resource, subresource) => format!("{resource}/{subresource}"),
        };
        Some(Request {
            received: self.request_received_timestamp,
            answered: self.stage_timestamp,
            user: self.impersonated_user.unwrap_or(self.user).username,
            agent: self.user_agent,
            verb: self.verb,
            resource,
            group: object.api_group,
            namespace: object.namespace,
            name: object.name,
            code: self.response_status.map_or(0, |status| status.code),
        })
    }
}

#[cfg(test)]
mod tests;
