//! Helm's record of a revision: a Secret that `helm ls`, `helm history` and `helm get` read.
//!
//! Mirrors Helm v4.3.1, `pkg/storage/driver/{secrets,util}.go` and `pkg/release/v1`; records of Helm 3 and of
//! helm-operator are read as well. Of the chart only metadata and values are kept: its templates are not needed to
//! come back to a revision, whose manifest is stored.

mod split;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use crate::release::hook::{Event, Hook};
use crate::release::number::whole_numbers;
use crate::release::{Error, Json, ReleaseId};

pub use split::{PARTS_OWNER, Secrets, part_names};

/// The type of the Secret.
pub const SECRET_TYPE: &str = "helm.sh/release.v1";

/// Labels that Helm writes itself; a record's other labels are the user's.
const SYSTEM_LABELS: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

/// What the data of a Secret may come to (Kubernetes, `MaxSecretSize`), in bytes.
const SECRET_LIMIT: usize = 1024 * 1024;

/// What a record may come to when decompressed, in bytes: a Secret of 1 MiB could unfold to a thousand times that.
const DECOMPRESSED_LIMIT: u64 = 64 * 1024 * 1024;

/// How far a revision has come, in Helm's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is the one that runs.
    Deployed,
    /// It was removed, its record kept.
    Uninstalled,
    /// A later one runs.
    Superseded,
    /// It did not come to run.
    Failed,
    /// It is being removed.
    Uninstalling,
    /// It is being installed.
    PendingInstall,
    /// It is being upgraded to.
    PendingUpgrade,
    /// It is being gone back to.
    PendingRollback,
    /// It says something that nobody understands.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Status {
    /// Helm's name of it: `pending-install`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Deployed => "deployed",
            Self::Uninstalled => "uninstalled",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Uninstalling => "uninstalling",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
        }
    }

    /// The status of that name, as in the label of a Secret; [`Status::Unknown`] for any other.
    pub fn named(name: &str) -> Self {
        [
            Self::Deployed,
            Self::Uninstalled,
            Self::Superseded,
            Self::Failed,
            Self::Uninstalling,
            Self::PendingInstall,
            Self::PendingUpgrade,
            Self::PendingRollback,
        ]
        .into_iter()
        .find(|status| status.name() == name)
        .unwrap_or_default()
    }

    /// Whether something was under way when it was written.
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback)
    }
}

/// One revision of a release.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Name of the release.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What happened to it.
    pub info: Info,
    /// The chart.
    pub chart: Chart,
    /// The values that were given beside the chart's own.
    #[serde(skip_serializing_if = "Map::is_empty", deserialize_with = "absent_if_null")]
    pub config: Map<String, Json>,
    /// The text of its objects.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub manifest: String,
    /// Its hooks.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "absent_if_null")]
    pub hooks: Vec<HookRecord>,
    /// The revision, from 1.
    #[serde(rename = "version")]
    pub revision: u32,
    /// Namespace of the release.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Labels of the Secret that are not Helm's own.
    #[serde(skip)]
    pub labels: BTreeMap<String, String>,
    /// `ssa` or `csa`: how it was applied; empty in records of Helm 3.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub apply_method: String,
    /// What others wrote beside.
    #[serde(flatten)]
    pub rest: Map<String, Json>,
}

/// What happened to a revision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Info {
    /// When the release was first deployed.
    #[serde(with = "time", skip_serializing_if = "Option::is_none")]
    pub first_deployed: Option<Timestamp>,
    /// When this revision was deployed.
    #[serde(with = "time", skip_serializing_if = "Option::is_none")]
    pub last_deployed: Option<Timestamp>,
    /// When it was removed.
    #[serde(with = "time", skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Timestamp>,
    /// One line for `helm history`: `Install complete`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// How far it has come.
    pub status: Status,
    /// The revision that was gone back to; 0 where this is no rollback.
    #[serde(skip_serializing_if = "is_zero")]
    pub rollback_revision: u32,
    /// The rendered `NOTES.txt`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub notes: String,
}

/// The chart of a record, without its files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chart {
    /// `Chart.yaml` as JSON.
    #[serde(deserialize_with = "absent_if_null")]
    pub metadata: Map<String, Json>,
    /// Its default values.
    #[serde(deserialize_with = "absent_if_null")]
    pub values: Map<String, Json>,
    /// Always empty in records of ours.
    #[serde(deserialize_with = "absent_if_null")]
    pub templates: Vec<Json>,
    /// The files, lock and schema in the records of others, kept when such a record is written again.
    #[serde(flatten)]
    pub rest: Map<String, Json>,
}

impl Chart {
    /// The chart's name.
    pub fn name(&self) -> &str {
        self.metadata.get("name").and_then(Json::as_str).unwrap_or_default()
    }
}

/// A hook in a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HookRecord {
    /// `metadata.name`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The template.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Its text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub manifest: String,
    /// Helm's names of its events.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "absent_if_null")]
    pub events: Vec<String>,
    /// How its last run ended.
    pub last_run: HookRun,
    /// Its place among the hooks of one event.
    #[serde(skip_serializing_if = "is_zero")]
    pub weight: i64,
    /// Helm's names of its delete policies.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "absent_if_null")]
    pub delete_policies: Vec<String>,
    /// Helm's names of its log policies.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "absent_if_null")]
    pub output_log_policies: Vec<String>,
}

impl From<&Hook> for HookRecord {
    fn from(hook: &Hook) -> Self {
        Self {
            name: hook.name.clone(),
            kind: hook.kind.clone(),
            path: hook.path.clone(),
            manifest: hook.manifest.clone(),
            events: hook.events.iter().map(|event| event.name().to_owned()).collect(),
            last_run: HookRun::default(),
            weight: hook.weight,
            delete_policies: hook.delete_policies.clone(),
            output_log_policies: hook.output_log_policies.clone(),
        }
    }
}

impl From<&HookRecord> for Hook {
    /// Events that nobody knows are left out: such a hook never runs for them.
    fn from(record: &HookRecord) -> Self {
        Self {
            name: record.name.clone(),
            kind: record.kind.clone(),
            path: record.path.clone(),
            manifest: record.manifest.clone(),
            events: record.events.iter().filter_map(|event| Event::named(event)).collect(),
            weight: record.weight,
            delete_policies: record.delete_policies.clone(),
            output_log_policies: record.output_log_policies.clone(),
        }
    }
}

/// How the last run of a hook ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HookRun {
    /// When it was created.
    #[serde(with = "time", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(with = "time", skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Empty, `Unknown`, `Running`, `Succeeded` or `Failed`.
    pub phase: String,
}

impl HookRun {
    /// Begun at that time.
    pub fn begun(at: Timestamp) -> Self {
        Self { started_at: Some(at), completed_at: None, phase: "Running".to_owned() }
    }

    /// The same, ended at that time.
    #[must_use]
    pub fn ended(&self, at: Timestamp, well: bool) -> Self {
        let phase = if well { "Succeeded" } else { "Failed" }.to_owned();
        Self { started_at: self.started_at.or(Some(at)), completed_at: Some(at), phase }
    }

    /// Whether it was begun and has not ended.
    pub fn is_under_way(&self) -> bool {
        self.phase == "Running"
    }

    /// Whether it ended well.
    pub fn has_succeeded(&self) -> bool {
        self.phase == "Succeeded"
    }

    /// Whether it did not.
    pub fn has_failed(&self) -> bool {
        self.phase == "Failed"
    }
}

/// When a record's Secret is written, in seconds since 1970; they become its labels `createdAt` and `modifiedAt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// When it was first written.
    pub created: Option<i64>,
    /// When it was written again.
    pub modified: Option<i64>,
}

impl Record {
    /// The release.
    pub fn release(&self) -> ReleaseId {
        ReleaseId { name: self.name.clone(), namespace: self.namespace.clone() }
    }

    /// The Secret that holds it.
    ///
    /// # Errors
    /// If it is larger than a Secret may be.
    pub fn secret(&self, stamps: Stamps) -> Result<Json, Error> {
        let data = STANDARD.encode(self.encode()?);
        Ok(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": SECRET_TYPE,
            "metadata": {
                "name": secret_name(&self.name, self.revision),
                "namespace": self.namespace,
                "labels": self.secret_labels(stamps),
            },
            "data": {"release": data},
        }))
    }

    fn secret_labels(&self, stamps: Stamps) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        labels.retain(|name, _| !SYSTEM_LABELS.contains(&name.as_str()));
        let mut put = |name: &str, value: String| labels.insert(name.to_owned(), value);
        put("name", self.name.clone());
        put("owner", "helm".to_owned());
        put("status", self.info.status.name().to_owned());
        put("version", self.revision.to_string());
        for (name, seconds) in [("createdAt", stamps.created), ("modifiedAt", stamps.modified)] {
            if let Some(seconds) = seconds {
                put(name, seconds.to_string());
            }
        }
        labels
    }

    /// JSON, compressed, in base64: what Helm puts into the Secret's field `release`.
    fn encode(&self) -> Result<String, Error> {
        let encoded = STANDARD.encode(compress(self).map_err(|source| self.cannot_encode(source))?);
        if encoded.len() > SECRET_LIMIT {
            let (release, revision) = (self.name.clone(), self.revision);
            return Err(Error::RecordSize { release, revision, size: encoded.len(), limit: SECRET_LIMIT });
        }
        Ok(encoded)
    }

    fn cannot_encode(&self, source: std::io::Error) -> Error {
        Error::Encode { release: self.name.clone(), revision: self.revision, source }
    }

    /// Reads a Secret of Helm 3, Helm 4, helm-operator or ours.
    ///
    /// # Errors
    /// If it holds no record, or one that cannot be read.
    pub fn decode(secret: &Json) -> Result<Self, Error> {
        let name = secret.pointer("/metadata/name").and_then(Json::as_str).unwrap_or_default();
        let no_record = |found| Error::NoRecord { secret: name.to_owned(), found };
        let data =
            secret.pointer("/data/release").and_then(Json::as_str).ok_or_else(|| no_record("no `data.release`"))?;
        let base64 = |text: &[u8]| {
            STANDARD.decode(text).map_err(|source| Error::RecordBase64 { secret: name.to_owned(), source })
        };
        let bytes = decompress(base64(&base64(data.as_bytes())?)?, DECOMPRESSED_LIMIT)
            .map_err(|source| Error::RecordGzip { secret: name.to_owned(), source })?;
        let mut record: Self =
            serde_json::from_slice(&bytes).map_err(|source| Error::RecordJson { secret: name.to_owned(), source })?;
        if record.name.is_empty() {
            return Err(no_record("a release without a name"));
        }
        let labels = secret.pointer("/metadata/labels").and_then(Json::as_object).into_iter().flatten();
        let text = |(name, value): (&String, &Json)| Some((name.clone(), value.as_str()?.to_owned()));
        record.labels = labels.filter(|(name, _)| !SYSTEM_LABELS.contains(&name.as_str())).filter_map(text).collect();
        Ok(record)
    }
}

/// A record as JSON, compressed.
fn compress(record: &Record) -> std::io::Result<Vec<u8>> {
    let mut record = record.clone();
    let maps = [&mut record.config, &mut record.chart.values, &mut record.chart.metadata];
    maps.into_iter().flat_map(Map::values_mut).for_each(whole_numbers);
    let text = serde_json::to_vec(&record)?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&text)?;
    gzip.finish()
}

/// Records were stored uncompressed once; Helm tells by the first bytes, and so do we.
fn decompress(bytes: Vec<u8>, limit: u64) -> std::io::Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b, 0x08]) {
        return Ok(bytes);
    }
    let mut decompressed = Vec::new();
    GzDecoder::new(bytes.as_slice()).take(limit + 1).read_to_end(&mut decompressed)?;
    if decompressed.len() as u64 > limit {
        return Err(std::io::Error::other(format!("it unfolds to more than {limit} bytes")));
    }
    Ok(decompressed)
}

/// Name of the Secret of a revision: `sh.helm.release.v1.web.v3`.
pub fn secret_name(release: &str, revision: u32) -> String {
    format!("sh.helm.release.v1.{release}.v{revision}")
}

/// Release and revision of a Secret's name; `None` for a Secret that is no record.
pub fn parse_secret_name(name: &str) -> Option<(&str, u32)> {
    let (release, revision) = name.strip_prefix("sh.helm.release.v1.")?.rsplit_once(".v")?;
    Some((release, revision.parse().ok()?))
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

/// Go writes `null` for an empty map or list that was never made.
fn absent_if_null<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Times as Go writes them: RFC 3339, and an empty string (Helm 3) or nothing (Helm 4) for none.
pub(crate) mod time {
    use jiff::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// The year before which Go's zero time lies, which Helm 3 wrote in some versions.
    const ZERO: &str = "0001-01-01T00:00:00Z";

    #[expect(clippy::ref_option, reason = "serde gives a reference")]
    pub(crate) fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_str(""),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            None | Some("" | ZERO) => Ok(None),
            Some(text) => text.parse().map(Some).map_err(D::Error::custom),
        }
    }
}
