//! Records that fit into no Secret: what takes the room is stored beside.
//!
//! Helm has no such thing. helm-operator-plugins stores a record in chunks that Helm does not see at all; here the Secret
//! of the revision stays a record that Helm lists, only without what did not fit.

use serde_json::json;

use crate::release::record::{
    DECOMPRESSED_LIMIT, HookRun, Record, SECRET_LIMIT, STANDARD, Stamps, compress, decompress, secret_name,
};
use crate::release::{Digest, Error, Json};
use base64::Engine as _;

/// The type of the Secrets that hold parts.
const PART_TYPE: &str = "chart-operator.dev/record-part.v1";

/// Value of the label `owner` of parts, which Helm does not look for.
pub const PARTS_OWNER: &str = "chart-operator";

/// Annotation of a record: the names of the Secrets that hold its parts, in order, as a list in JSON.
const PARTS: &str = "chart-operator.dev/parts";

/// What a part may come to, in bytes; some room is left for what else a Secret holds.
const PART_LIMIT: usize = SECRET_LIMIT - 16 * 1024;

/// What stands in place of a manifest that is stored beside.
const NOTICE: &str = "# The manifest did not fit into this Secret. chart-operator keeps it in the Secrets that the annotation \
                      chart-operator.dev/parts names.\n";

/// The Secrets of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Secrets {
    /// The one that Helm sees.
    pub main: Json,
    /// What did not fit into it, to be written before it. Their names tell their content.
    pub parts: Vec<Json>,
}

impl Record {
    /// The Secrets that hold it.
    ///
    /// # Errors
    /// If what Helm lists of it is too large for one already.
    pub fn secrets(&self, stamps: Stamps) -> Result<Secrets, Error> {
        match self.secret(stamps) {
            Err(Error::RecordSize { .. }) => self.split(stamps),
            secret => Ok(Secrets { main: secret?, parts: Vec::new() }),
        }
    }

    pub(super) fn split(&self, stamps: Stamps) -> Result<Secrets, Error> {
        let parts = self.parts()?;
        let mut listed = Self { manifest: NOTICE.to_owned(), ..self.clone() };
        let main = listed.secret(stamps).or_else(|error| match error {
            Error::RecordSize { .. } => {
                listed.config.clear();
                listed.chart.values.clear();
                listed.hooks.iter_mut().for_each(|hook| hook.manifest.clear());
                listed.secret(stamps)
            }
            error => Err(error),
        });
        let mut main = main?;
        let names: Vec<_> = parts.iter().filter_map(|part| part.pointer("/metadata/name").cloned()).collect();
        if let Some(metadata) = main.get_mut("metadata").and_then(Json::as_object_mut) {
            metadata.insert("annotations".to_owned(), json!({PARTS: Json::from(names).to_string()}));
        }
        Ok(Secrets { main, parts })
    }

    /// What may be stored beside: it is the same for the whole life of a revision.
    fn parts(&self) -> Result<Vec<Json>, Error> {
        let mut bulk = Self {
            manifest: self.manifest.clone(),
            config: self.config.clone(),
            hooks: self.hooks.clone(),
            ..Self::default()
        };
        bulk.chart.values.clone_from(&self.chart.values);
        for hook in &mut bulk.hooks {
            hook.last_run = HookRun::default();
        }
        let bytes = compress(&bulk).map_err(|source| self.cannot_encode(source))?;
        let digest = Digest::of(&bytes).to_string();
        let digest = digest.get(..10).unwrap_or(&digest).to_owned();
        let part = |(place, bytes): (usize, &[u8])| {
            let name = format!("{}.{digest}.{place}", secret_name(&self.name, self.revision));
            let version = self.revision.to_string();
            json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "type": PART_TYPE,
                "metadata": {
                    "name": name,
                    "namespace": self.namespace,
                    "labels": {"name": self.name, "owner": PARTS_OWNER, "version": version},
                },
                "data": {"part": STANDARD.encode(bytes)},
            })
        };
        Ok(bytes.chunks(PART_LIMIT).enumerate().map(part).collect())
    }

    /// Reads a record whose parts, in order, are given.
    ///
    /// # Errors
    /// As [`Record::decode`], and if the parts are not those of the record.
    pub fn join(main: &Json, parts: &[Json]) -> Result<Self, Error> {
        let mut record = Self::decode(main)?;
        if parts.is_empty() {
            return Ok(record);
        }
        let secret = || secret_name(&record.name, record.revision);
        let mut bytes = Vec::new();
        for part in parts {
            let text = part.pointer("/data/part").and_then(Json::as_str).unwrap_or_default();
            let decoded = STANDARD.decode(text);
            bytes.extend(decoded.map_err(|source| Error::RecordBase64 { secret: secret(), source })?);
        }
        let bytes =
            decompress(bytes, DECOMPRESSED_LIMIT).map_err(|source| Error::RecordGzip { secret: secret(), source })?;
        let bulk: Self =
            serde_json::from_slice(&bytes).map_err(|source| Error::RecordJson { secret: secret(), source })?;
        record.manifest = bulk.manifest;
        record.config = bulk.config;
        record.chart.values = bulk.chart.values;
        for (hook, full) in record.hooks.iter_mut().zip(bulk.hooks) {
            hook.manifest = full.manifest;
        }
        Ok(record)
    }
}

/// Names of the Secrets that hold the parts of a record, in order; none where it is whole.
pub fn part_names(main: &Json) -> Vec<String> {
    let text = main.pointer("/metadata/annotations").and_then(|annotations| annotations.get(PARTS)?.as_str());
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
