//! The world without a cluster: as in Helm, nothing is found in it.

use std::net::ToSocketAddrs as _;

use jiff::Timestamp;
use rand::Rng as _;
use serde_json::{Value as Json, json};

use crate::render::World;

/// Clock and chance are real; look-ups find nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offline {
    /// Whether names of hosts are resolved: `--enable-dns`.
    pub(in crate::cli) dns: bool,
}

impl World for Offline {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn random(&self, buffer: &mut [u8]) {
        rand::rng().fill_bytes(buffer);
    }

    fn resolve_host(&self, name: &str) -> Option<String> {
        let mut addresses = self.dns.then(|| (name, 0).to_socket_addrs().ok()).flatten()?;
        addresses.next().map(|address| address.ip().to_string())
    }

    fn lookup(&self, _api_version: &str, _kind: &str, _namespace: &str, _name: &str) -> Result<Json, String> {
        Ok(json!({}))
    }
}
