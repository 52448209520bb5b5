//! The cluster as somebody else sees it: calls that are made as a `ServiceAccount` of the user's.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use http::{HeaderValue, Request};
use kube::Client;
use kube::client::Body;

use crate::cluster::Cluster;

/// How many accounts' clients are kept; they are made again from nothing but their name.
const KEPT: usize = 256;

/// The clients of accounts, by user name. All share the connections of the operator's own.
pub(super) type Accounts = Mutex<BTreeMap<String, Client>>;

impl Cluster {
    /// The same cluster, but every call is made as the `ServiceAccount` of that namespace and name, with its rights and no
    /// others (`Impersonate-User`; the API server adds the groups of service accounts itself).
    #[must_use]
    pub fn acting_as(&self, namespace: &str, account: &str) -> Self {
        let user = format!("system:serviceaccount:{namespace}:{account}");
        // A client is a handle: nothing that panics leaves the map half changed.
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= KEPT && !accounts.contains_key(&user) {
            accounts.clear();
        }
        let client = accounts.entry(user).or_insert_with_key(|user| impersonating(&self.client, user)).clone();
        let mut acting = self.clone();
        acting.client = client;
        acting
    }
}

/// A client whose requests say that they are made for `user`. A name that makes no header fails each of them: none must go
/// out without it.
fn impersonating(client: &Client, user: &str) -> Client {
    let (operator, user) = (client.clone(), user.to_owned());
    let service = tower::service_fn(move |mut request: Request<Body>| {
        let (operator, user) = (operator.clone(), HeaderValue::from_str(&user));
        async move {
            request.headers_mut().insert("impersonate-user", user?);
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(operator.send(request).await?)
        }
    });
    Client::new(service, client.default_namespace())
}
