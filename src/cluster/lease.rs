//! Leader election by a Lease, as client-go does it (`tools/leaderelection` of v0.33, with controller-runtime's times): it
//! is replaced at the version that was read, and another's validity is counted from when we saw it change, so that no two
//! clocks are compared.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::core::params::PostParams;
use rand::RngExt as _;
use tokio::time::Instant;

use crate::cluster::{Cluster, Error};
use crate::release::FIELD_MANAGER;

/// How long a lease is valid without renewal, in seconds.
const LEASE_SECONDS: i32 = 15;

/// How long after a renewal was begun we still take ourselves for the leader.
const TENURE: Duration = Duration::from_secs(10);

/// Between two tries.
const RETRY: Duration = Duration::from_secs(2);

/// Somebody who would like to hold the Lease.
#[derive(Debug)]
pub struct Candidate {
    cluster: Cluster,
    namespace: String,
    name: String,
    identity: String,
    /// The Lease as it was last seen to change, and when.
    seen: Option<(LeaseSpec, Instant)>,
}

impl Candidate {
    /// A candidate for the Lease `name` who calls himself `identity`. From now on `cluster` refuses to write while he does
    /// not hold it.
    pub fn new(cluster: &Cluster, namespace: &str, name: &str, identity: &str) -> Self {
        cluster.tenure().set_end(Instant::now());
        let [namespace, name, identity] = [namespace, name, identity].map(str::to_owned);
        Self { cluster: cluster.clone(), namespace, name, identity, seen: None }
    }

    /// Waits until we hold the Lease.
    pub async fn win(&mut self) {
        let mut reported = String::new();
        loop {
            match self.hold().await {
                Ok(true) => return,
                // Somebody was faster.
                Err(error) if error.is_conflict() => {}
                Err(error) if error.message() != reported => {
                    reported = error.message();
                    tracing::error!(target: "leaderelection", error = reported, "Lease cannot be taken, trying again");
                }
                Ok(false) | Err(_) => {}
            }
            pause().await;
        }
    }

    /// Renews the Lease until somebody else holds it, or it could not be renewed in time.
    pub async fn keep(&mut self) {
        while let Some(end) = self.cluster.tenure().end().filter(|end| Instant::now() < *end) {
            pause().await;
            match tokio::time::timeout_at(end, self.hold()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) | Err(_) => break,
                Ok(Err(error)) => {
                    tracing::warn!(target: "leaderelection", error = error.message(), "Lease not renewed, trying again");
                }
            }
        }
        self.cluster.tenure().set_end(Instant::now());
    }

    /// Takes or renews the Lease, where nobody else holds it. `false` if somebody does.
    async fn hold(&mut self) -> Result<bool, Error> {
        let start = Instant::now();
        let mut lease = match self.read().await {
            Err(error) if error.is_not_found() => self.create().await?,
            lease => lease?,
        };
        let spec = lease.spec.take().unwrap_or_default();
        let since = match &self.seen {
            Some((known, since)) if *known == spec => *since,
            _ => Instant::now(),
        };
        self.seen = Some((spec.clone(), since));
        let Some(claimed) = claimed(spec, since.elapsed(), &self.identity, Timestamp::now()) else { return Ok(false) };
        lease.spec = Some(claimed);
        self.replace(&lease).await?;
        self.cluster.tenure().set_end(start + TENURE);
        Ok(true)
    }

    /// Gives the Lease back if we hold it, so that the next one need not wait for it to run out. Nothing can be written after
    /// that.
    ///
    /// # Errors
    /// That of a call; the Lease then runs out by itself.
    pub async fn resign(self) -> Result<(), Error> {
        self.cluster.tenure().set_end(Instant::now());
        let mut lease = self.read().await?;
        let held = |spec: &LeaseSpec| spec.holder_identity.as_deref() == Some(&self.identity);
        let Some(spec) = lease.spec.take().filter(held) else { return Ok(()) };
        let now = Some(MicroTime(Timestamp::now()));
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            acquire_time: now.clone(),
            renew_time: now,
            ..spec
        });
        self.replace(&lease).await
    }

    fn api(&self) -> Api<Lease> {
        Api::namespaced(self.cluster.client(), &self.namespace)
    }

    fn describe(&self, what: &str) -> String {
        format!("{what} the lease `{}/{}`", self.namespace, self.name)
    }

    async fn read(&self) -> Result<Lease, Error> {
        self.cluster.call(|| self.describe("read"), self.api().get(&self.name)).await
    }

    async fn create(&self) -> Result<Lease, Error> {
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        let (api, lease) = (self.api(), Lease { metadata, spec: None });
        self.cluster.call(|| self.describe("create"), api.create(&params(), &lease)).await
    }

    async fn replace(&self, lease: &Lease) -> Result<(), Error> {
        let (api, params) = (self.api(), params());
        self.cluster.call(|| self.describe("replace"), api.replace(&self.name, &params, lease)).await.map(drop)
    }
}

fn params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

async fn pause() {
    let jitter: f64 = rand::rng().random_range(1.0..1.2);
    tokio::time::sleep(RETRY.mul_f64(jitter)).await;
}

/// The Lease as we hold it, taken or renewed; `None` while somebody else does. `unchanged` is how long it has been seen as
/// it is.
fn claimed(spec: LeaseSpec, unchanged: Duration, identity: &str, now: Timestamp) -> Option<LeaseSpec> {
    let holder = spec.holder_identity.as_deref().unwrap_or_default();
    let valid = u64::try_from(spec.lease_duration_seconds.unwrap_or(LEASE_SECONDS)).unwrap_or(0);
    if !holder.is_empty() && holder != identity && unchanged < Duration::from_secs(valid) {
        return None;
    }
    let now = Some(MicroTime(now));
    let (acquire_time, transitions) = match (holder == identity, spec.lease_transitions) {
        (true, transitions) => (spec.acquire_time.or_else(|| now.clone()), transitions),
        // The one who made it does not take it over.
        (false, transitions) => (now.clone(), Some(transitions.map_or(0, |transitions| transitions + 1))),
    };
    Some(LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: Some(LEASE_SECONDS),
        acquire_time,
        renew_time: now,
        lease_transitions: transitions,
        ..spec
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(holder: &str, transitions: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            acquire_time: Some(MicroTime(Timestamp::UNIX_EPOCH)),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn a_lease_is_taken_when_it_is_free_or_has_not_changed_for_as_long_as_it_is_valid() {
        let now = Timestamp::new(1_000_000, 0).unwrap();
        let released = LeaseSpec { lease_duration_seconds: Some(1), ..held_by("", 3) };
        let short = LeaseSpec { lease_duration_seconds: Some(1), ..held_by("other", 3) };
        for (spec, seconds, transitions, acquired) in [
            (LeaseSpec::default(), 0, Some(0), Some(now)),
            (released, 0, Some(4), Some(now)),
            (held_by("other", 3), 14, None, None),
            (held_by("other", 3), 15, Some(4), Some(now)),
            (short, 1, Some(4), Some(now)),
            (held_by("us", 3), 0, Some(3), Some(Timestamp::UNIX_EPOCH)),
            (held_by("us", 3), 60, Some(3), Some(Timestamp::UNIX_EPOCH)),
        ] {
            let claimed = claimed(spec.clone(), Duration::from_secs(seconds), "us", now);
            assert_eq!(claimed.as_ref().and_then(|spec| spec.lease_transitions), transitions, "{spec:?}");
            assert_eq!(
                claimed.as_ref().and_then(|spec| spec.acquire_time.clone()),
                acquired.map(MicroTime),
                "{spec:?}"
            );
            if let Some(claimed) = claimed {
                assert_eq!(claimed.holder_identity.as_deref(), Some("us"));
                assert_eq!((claimed.lease_duration_seconds, claimed.renew_time), (Some(15), Some(MicroTime(now))));
            }
        }
    }
}
