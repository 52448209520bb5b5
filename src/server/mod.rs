//! What the operator serves over HTTP: health and metrics, each on an address of its own.
//!
//! A [`Listener`] binds first and serves later, so that a taken port is an error at the start and a test learns the port
//! it was given. The routers read what others write ([`crate::health::Gate`], [`crate::metrics::Metrics`]) and hold no
//! state.

pub mod access;
pub mod health;
pub mod metrics;
#[cfg(target_os = "linux")]
pub mod process;
#[cfg(test)]
mod tests;
pub mod tls;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

pub use axum::Router;

use crate::server::tls::Tls;

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, not ours, or not allowed.
    #[error("cannot listen on `{address}`")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The listening socket broke.
    #[error("cannot serve on `{address}` any longer")]
    Serve {
        /// The address bound.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
}

/// A bound address nobody is answered on yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// `[::]`, which is what Go's `:8080` means, listens for both families, and for IPv4 alone where the machine has no
    /// IPv6, as Go's `net.Listen` does.
    pub async fn bind(address: SocketAddr) -> Result<Self, Error> {
        let socket = match TcpListener::bind(address).await {
            Err(error) if address.is_ipv6() && address.ip().is_unspecified() && lacks_ipv6(&error) => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
            }
            result => result,
        };
        let socket = socket.map_err(|source| Error::Bind { address, source })?;
        let address = socket.local_addr().map_err(|source| Error::Bind { address, source })?;
        Ok(Self { socket, address })
    }

    /// The address bound, with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` is done, and then until the requests under way are answered.
    pub async fn serve(self, router: Router, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        let Self { socket, address } = self;
        axum::serve(socket, router)
            .with_graceful_shutdown(shutdown)
            .await
            .map_err(|source| Error::Serve { address, source })
    }

    /// As [`Listener::serve`], over HTTPS.
    pub async fn serve_tls(
        self,
        tls: Tls,
        router: Router,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Error> {
        let Self { socket, address } = self;
        axum::serve(tls::Socket::new(socket, tls), router)
            .with_graceful_shutdown(shutdown)
            .await
            .map_err(|source| Error::Serve { address, source })
    }
}

/// Whether that error says that there is no IPv6 here, and not that the port is taken.
fn lacks_ipv6(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(97)
}
