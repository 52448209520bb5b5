//! The client: how it is set up, and the deadline around every call.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use kube::Client;
use kube::client::ClientBuilder;

use crate::cluster::account::Accounts;
use crate::cluster::count::Counting;
use crate::cluster::error::forbidden;
use crate::cluster::{Error, Tenure};
use crate::metrics::Metrics;

/// How long one call may take. kube sets no read time-out, so without this a call on a dead connection never ends.
const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// A connection to the API server. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: Client,
    pub(super) accounts: Arc<Accounts>,
    host: Arc<str>,
    metrics: Metrics,
    tenure: Tenure,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("host", &self.host).finish_non_exhaustive()
    }
}

/// The configuration could not be found, or makes no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither a kubeconfig nor a service account.
    #[error("cannot find a cluster: set KUBECONFIG, or run inside one")]
    Config(#[source] Box<kube::config::InferConfigError>),
    /// The configuration makes no client, for instance for bad certificates.
    #[error("cannot make a client from the cluster's configuration")]
    Client(#[source] Box<kube::Error>),
}

impl Cluster {
    /// The cluster of `KUBECONFIG`, else of `~/.kube/config`, else the one we run in. Makes no call.
    ///
    /// # Errors
    /// If there is no usable configuration.
    pub async fn connect(metrics: Metrics) -> Result<Self, ConnectError> {
        let mut config = kube::Config::infer().await.map_err(|error| ConnectError::Config(Box::new(error)))?;
        // Its retries last for minutes inside one call and repeat POST and DELETE; the queue retries instead, in the open.
        config.default_retry = false;
        let host: Arc<str> = config.cluster_url.authority().map_or("", |authority| authority.as_str()).into();
        let counting = Counting { metrics: metrics.clone(), host: Arc::clone(&host) };
        let client = ClientBuilder::try_from(config).map_err(|error| ConnectError::Client(Box::new(error)))?;
        let client = client.with_layer(&counting).build();
        Ok(Self { client, accounts: Arc::default(), host, metrics, tenure: Tenure::default() })
    }

    /// kube's client, for watches.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The namespace of the current context, or of our own service account.
    pub fn default_namespace(&self) -> &str {
        self.client.default_namespace()
    }

    /// Until when we may write.
    pub(crate) fn tenure(&self) -> &Tenure {
        &self.tenure
    }

    /// As [`Cluster::call`], for calls that write: none is sent, or waited for, by a process that no longer leads. It looks
    /// each time that the call goes on, because this process may have been stopped for a while at any point.
    ///
    /// # Errors
    /// Those of [`Cluster::call`], and [`Error::NotLeading`].
    pub async fn write<T, F>(&self, what: impl FnOnce() -> String, call: F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, kube::Error>>,
    {
        let mut call = std::pin::pin!(self.call(what, call));
        let step = |context: &mut std::task::Context<'_>| {
            if self.tenure.is_over() { Poll::Ready(Err(Error::NotLeading)) } else { call.as_mut().poll(context) }
        };
        poll_fn(step).await
    }

    /// Makes one call: with a deadline, and its error said in the words of `what`.
    ///
    /// # Errors
    /// [`Error::Call`] and [`Error::Timeout`].
    pub async fn call<T, F>(&self, what: impl FnOnce() -> String, call: F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, kube::Error>>,
    {
        match tokio::time::timeout(CALL_DEADLINE, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(source)) => {
                if let kube::Error::Api(status) = &source {
                    self.count_forbidden(status);
                }
                Err(Error::Call { call: what(), source: Box::new(source) })
            }
            Err(_elapsed) => Err(Error::Timeout { call: what(), after: CALL_DEADLINE }),
        }
    }

    /// Counts an answer that a missing right is the cause of.
    pub(crate) fn count_forbidden(&self, status: &kube::core::Status) {
        if let Some(labels) = forbidden(status) {
            self.metrics.forbidden.get_or_create(&labels).inc();
        }
    }
}

/// The namespace this process runs in; `None` outside a cluster.
pub fn own_namespace() -> Option<String> {
    kube::Config::incluster().ok().map(|config| config.default_namespace)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    fn cluster() -> Cluster {
        let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let client = Client::try_from(config).unwrap();
        let build = crate::metrics::Build { commit: "abc".into(), version: "v1".into() };
        let metrics = Metrics::new(&build, || None);
        Cluster { client, accounts: Arc::default(), host: "127.0.0.1:1".into(), metrics, tenure: Tenure::default() }
    }

    #[tokio::test]
    async fn a_process_whose_tenure_is_over_begins_no_write_and_goes_on_with_none() {
        let cluster = cluster();
        let steps = Cell::new(0);
        let step = || -> Result<(), kube::Error> {
            steps.set(steps.get() + 1);
            Ok(())
        };
        let what = || "apply".to_owned();
        let answered = cluster.write(what, async { step() }).await;
        assert!(answered.is_ok(), "without an election everybody writes");

        cluster.tenure().set_end(Instant::now() + Duration::from_mins(1));
        let long = async {
            step()?;
            // While it waits, for instance for a connection, the process is stopped for too long.
            cluster.tenure().set_end(Instant::now());
            tokio::task::yield_now().await;
            step()
        };
        let cut_off = cluster.write(what, long).await;
        assert!(matches!(cut_off, Err(Error::NotLeading)), "{cut_off:?}");
        let refused = cluster.write(what, async { step() }).await;
        assert!(matches!(refused, Err(Error::NotLeading)), "{refused:?}");
        assert_eq!(steps.get(), 2);
    }
}
