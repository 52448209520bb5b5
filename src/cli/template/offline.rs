//! The world without a cluster: as in Helm, nothing is found in it.

use jiff::Timestamp;
use rand::Rng as _;
use serde_json::{Value as Json, json};

use crate::render::World;

/// Clock and chance are real; look-ups find nothing and names are not resolved.
pub(super) struct Offline;

impl World for Offline {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn random(&self, buffer: &mut [u8]) {
        rand::rng().fill_bytes(buffer);
    }

    fn resolve_host(&self, _name: &str) -> Option<String> {
        None
    }

    fn lookup(&self, _api_version: &str, _kind: &str, _namespace: &str, _name: &str) -> Result<Json, String> {
        Ok(json!({}))
    }
}
