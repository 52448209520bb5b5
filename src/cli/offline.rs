//! The world without a cluster: as in Helm, nothing is found in it.

use std::net::ToSocketAddrs as _;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rand::Rng as _;
use serde_json::{Value as Json, json};

use crate::render::World;

/// Clock and chance are real; look-ups find nothing. One for each render, whose time it takes.
#[derive(Debug)]
pub(super) struct Offline {
    dns: Dns,
    start: Instant,
}

/// Whether names of hosts are resolved: `--enable-dns`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Dns {
    #[default]
    Off,
    On,
}

impl Offline {
    /// The world of a render that begins now.
    pub(super) fn new(dns: Dns) -> Self {
        Self { dns, start: Instant::now() }
    }
}

impl World for Offline {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Option<Duration> {
        Some(self.start.elapsed())
    }

    fn random(&self, buffer: &mut [u8]) {
        rand::rng().fill_bytes(buffer);
    }

    fn resolve_host(&self, name: &str) -> Option<String> {
        let resolve = || (name, 0).to_socket_addrs().ok();
        let mut addresses = (self.dns == Dns::On).then(resolve).flatten()?;
        addresses.next().map(|address| address.ip().to_string())
    }

    fn lookup(&self, _api_version: &str, _kind: &str, _namespace: &str, _name: &str) -> Result<Json, String> {
        Ok(json!({}))
    }
}
