//! Leader election by a Lease, as operator-sdk's manager does it: 15 s, released on the way out.

use kube_lease_manager::{LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;

use crate::cluster::Cluster;

/// How long a lease is valid without renewal, in seconds (controller-runtime's default).
const LEASE_SECONDS: u64 = 15;

/// How long before that it is renewed, in seconds: client-go gives up at 10 of 15.
const GRACE_SECONDS: u64 = 5;

/// A running election.
#[derive(Debug)]
pub struct Election {
    leading: watch::Receiver<bool>,
    task: tokio::task::JoinHandle<Result<kube_lease_manager::LeaseManager, LeaseManagerError>>,
}

/// Takes part in the election for the Lease `name` as `identity`.
///
/// # Errors
/// If the Lease can neither be read nor created.
pub async fn campaign(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    identity: &str,
) -> Result<Election, LeaseManagerError> {
    let manager = LeaseManagerBuilder::new(cluster.client(), name)
        .with_namespace(namespace)
        .with_identity(identity)
        .with_duration(LEASE_SECONDS)
        .with_grace(GRACE_SECONDS)
        .build()
        .await?;
    let (leading, task) = manager.watch().await;
    Ok(Election { leading, task })
}

impl Election {
    /// Waits until we lead. `false` if the election has ended instead.
    pub async fn won(&mut self) -> bool {
        self.leading.wait_for(|leading| *leading).await.is_ok()
    }

    /// Waits until we no longer lead.
    pub async fn lost(&mut self) {
        // An error means that the election itself has ended, which is a loss too.
        let _ended = self.leading.wait_for(|leading| !*leading).await;
    }

    /// Gives the lease back, so that the next one need not wait for it to run out.
    ///
    /// # Errors
    /// If the lease could not be released; it then runs out by itself.
    pub async fn resign(self) -> Result<(), LeaseManagerError> {
        drop(self.leading);
        match self.task.await {
            Ok(Ok(manager)) => manager.release().await,
            Ok(Err(error)) => Err(error),
            // The task was cancelled with the runtime: there is nothing left to release.
            Err(_cancelled) => Ok(()),
        }
    }
}
