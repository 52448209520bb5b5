//! Kubeconfig files. Written as JSON, which every reader of YAML takes.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use k8s_openapi::ByteString;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value as Json, json};

use crate::certificate::Identity;

/// Whom the API server takes the reader of a kubeconfig for.
pub enum Credential {
    /// A client certificate.
    Certificate(Identity),
    /// A bearer token.
    Token(String),
}

/// The address of an API server and the certificate of its authority, as PEM.
#[derive(Clone)]
pub struct Server {
    /// The address, e.g. `https://127.0.0.1:23456`.
    pub address: String,
    /// The authority's certificate.
    pub authority: String,
}

/// The content of a kubeconfig with one cluster, one user and one context.
pub fn kubeconfig(server: &Server, user: &str, credential: &Credential) -> Json {
    let authority = base64(&server.authority);
    let login = match credential {
        Credential::Certificate(identity) => json!({
            "client-certificate-data": base64(&identity.certificate),
            "client-key-data": base64(&identity.key),
        }),
        Credential::Token(token) => json!({ "token": token }),
    };
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "testbed",
        "clusters": [{"name": "testbed", "cluster": {"server": server.address, "certificate-authority-data": authority}}],
        "users": [{"name": user, "user": login}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": user}}],
    })
}

/// Writes `text` to a file that only its owner can read.
///
/// # Errors
/// The file cannot be written.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// A client for what a kubeconfig file says, without kube's hidden retries: a test sees what the server answers.
///
/// # Errors
/// The file cannot be read, or is none.
pub async fn client(path: &Path) -> Result<kube::Client> {
    let read = || format!("cannot use the kubeconfig {}", path.display());
    let parsed = Kubeconfig::read_from(path).with_context(read)?;
    let mut config =
        kube::Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default()).await.with_context(read)?;
    config.default_retry = false;
    kube::Client::try_from(config).with_context(read)
}

/// Serialized as base64, as kubeconfig's `*-data` fields are.
fn base64(text: &str) -> ByteString {
    ByteString(text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::certificate::Identity;
    use crate::kubeconfig::{Credential, Server, kubeconfig};

    #[test]
    fn a_certificate_and_a_token_are_written_where_clients_look() {
        let server = Server { address: "https://127.0.0.1:1".to_owned(), authority: "CA".to_owned() };
        let identity = Identity { certificate: "cert".to_owned(), key: "key".to_owned() };
        let table = [
            (
                Credential::Certificate(identity),
                json!({"client-certificate-data": "Y2VydA==", "client-key-data": "a2V5"}),
            ),
            (Credential::Token("t0".to_owned()), json!({"token": "t0"})),
        ];
        for (credential, want) in table {
            let got = kubeconfig(&server, "jane", &credential);
            assert_eq!(got["users"][0], json!({"name": "jane", "user": want}));
            assert_eq!(got["clusters"][0]["cluster"]["certificate-authority-data"], "Q0E=");
            assert_eq!(got["contexts"][0]["name"], got["current-context"]);
            assert!(serde_json::from_value::<kube::config::Kubeconfig>(got).is_ok());
        }
    }
}
