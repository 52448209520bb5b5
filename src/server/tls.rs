//! HTTPS with a certificate made at the start, as controller-runtime serves metrics with `--metrics-secure`
//! (`pkg/metrics/server` of v0.25.2): who reads them does not check the certificate, but nobody on the way reads along.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How many clients may be shaking hands at the same time; more wait to be accepted. A scraper needs one.
const HANDSHAKES: usize = 64;

/// Why there is no HTTPS.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificate could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[source] rcgen::Error),
    /// The certificate could not be used.
    #[error("cannot use the certificate made")]
    Config(#[source] rustls::Error),
}

/// A certificate and its key, ready to serve with.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key is nobody's business.
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// A new certificate for `localhost`, signed by its own key; HTTP/1.1 only, TLS 1.2 or newer.
    pub fn self_signed() -> Result<Self, Error> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(Error::Certificate)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Error::Config)?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .map_err(Error::Config)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}

/// A socket whose clients have shaken hands when they are handed on, so that a slow one holds up nobody.
pub(super) struct Socket {
    plain: TcpListener,
    tls: Tls,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl Socket {
    pub(super) fn new(plain: TcpListener, tls: Tls) -> Self {
        Self { plain, tls, handshakes: JoinSet::new() }
    }
}

impl axum::serve::Listener for Socket {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                (stream, address) = axum::serve::Listener::accept(&mut self.plain),
                    if self.handshakes.len() < HANDSHAKES =>
                {
                    let acceptor = self.tls.acceptor.clone();
                    self.handshakes.spawn(async move {
                        let stream = timeout(HANDSHAKE, acceptor.accept(stream)).await.ok()?.ok()?;
                        Some((stream, address))
                    });
                }
                Some(done) = self.handshakes.join_next() => {
                    // A client that failed is gone; TLS has told it why.
                    if let Ok(Some(ready)) = done {
                        return ready;
                    }
                }
                // Never: whoever may not accept has handshakes to wait for.
                else => {}
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.plain.local_addr()
    }
}
