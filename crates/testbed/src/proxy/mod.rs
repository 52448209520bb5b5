//! A proxy between a client and the API server: it writes down what is asked, and what it spoils is a test's choice.
//!
//! It speaks TLS with a certificate of the control plane's own authority, asks the API server as one user, whoever its
//! client says to be, and changes nothing that it is not told to change ([`Proxy::inject`], [`Proxy::disturb`],
//! [`Proxy::show`], [`Proxy::go_away`]).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::ControlPlane;
use crate::certificate::Identity;
use crate::port::Port;
use crate::proxy::fault::Injected;

mod exchange;
mod fault;
mod stream;

pub use fault::{Action, Fault, Refusal};
pub use stream::Disturbance;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE`
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, empty for none.
    pub query: String,
}

impl Seen {
    /// Whether it changes something; what is said in events is not counted.
    pub fn is_write(&self) -> bool {
        self.method != "GET" && !self.path.ends_with("/events")
    }

    /// Whether it is a watch.
    pub fn is_watch(&self) -> bool {
        self.query.split('&').any(|part| part == "watch=true" || part == "watch=1")
    }

    /// Whether it is a watch that begins with a list.
    fn is_list_and_watch(&self) -> bool {
        self.is_watch() && self.query.contains("sendInitialEvents=true")
    }
}

/// What lists showed at some time, by their paths: see [`Proxy::remember`].
#[derive(Clone, Debug, Default)]
pub struct Past(BTreeMap<String, Vec<Bytes>>);

impl Past {
    /// Only those lists whose paths match.
    #[must_use]
    pub fn only(mut self, matches: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|path, _| matches(path));
        self
    }
}

/// A running proxy. It ends when it is dropped, and belongs to the runtime that started it.
pub struct Proxy {
    kubeconfig: PathBuf,
    shared: Arc<Shared>,
    accepting: tokio::task::JoinHandle<()>,
    _port: Port,
}

/// What all exchanges share.
struct Shared {
    upstream: kube::Client,
    state: Mutex<State>,
    /// Told of each change of what watches have to follow.
    changed: watch::Sender<()>,
    away: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    injected: Vec<Arc<Injected>>,
    disturbed: Vec<stream::Disturbed>,
    /// Watches that began so far.
    watches: usize,
    past: Option<Past>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Only single pushes and assignments are made under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.send_replace(());
    }
}

impl ControlPlane {
    /// A proxy to the API server, which it asks as `user` in `groups`.
    ///
    /// # Errors
    /// The user's name cannot stand in a certificate, or there is no free port.
    pub async fn proxy(&self, user: &str, groups: &[&str]) -> Result<Proxy> {
        let upstream = crate::kubeconfig::client(&self.user_kubeconfig(user, groups)?).await?;
        let port = Port::reserve()?;
        let address = format!("127.0.0.1:{}", port.number());
        let listener = TcpListener::bind(&address).await.with_context(|| format!("cannot listen on {address}"))?;
        let kubeconfig = self.proxied_kubeconfig(user, &format!("https://{address}"))?;
        let acceptor = acceptor(&self.identity("proxy", &[Ipv4Addr::LOCALHOST], &[])?)?;
        let (changed, away) = (watch::Sender::new(()), watch::Sender::new(false));
        let shared = Arc::new(Shared { upstream, state: Mutex::default(), changed, away });
        let accepting = tokio::spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Ok(Proxy { kubeconfig, shared, accepting, _port: port })
    }
}

impl Proxy {
    /// The kubeconfig file that leads here.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// What was asked so far, in the order in which it came.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.state().seen.clone()
    }

    /// Does `action` to the requests for which `when` holds, after the first `skip` of them, `times` times.
    pub fn inject(&self, fault: Fault) -> Arc<Injected> {
        let injected = Arc::new(Injected::new(fault));
        self.shared.state().injected.push(Arc::clone(&injected));
        injected
    }

    /// Spoils watches for which `when` holds: those that run and those to come, until [`Proxy::calm`]; what ends a watch, only
    /// those that run.
    pub fn disturb(&self, when: impl Fn(&Seen) -> bool + Send + Sync + 'static, disturbance: Disturbance) {
        self.shared.change(|state| {
            let until = if disturbance.ends() { state.watches } else { usize::MAX };
            state.disturbed.push(stream::Disturbed { when: Box::new(when), disturbance, until });
        });
    }

    /// Ends every disturbance of watches.
    pub fn calm(&self) {
        self.shared.change(|state| state.disturbed.clear());
    }

    /// What the lists of the watches so far show now.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn remember(&self) -> Result<Past> {
        let lists: BTreeMap<_, _> =
            self.seen().into_iter().filter(Seen::is_list_and_watch).map(|seen| (seen.path.clone(), seen)).collect();
        let mut past = Past::default();
        for (path, seen) in lists {
            past.0.insert(path, stream::list(&self.shared.upstream, &seen).await?);
        }
        Ok(past)
    }

    /// From now on lists show the past and nothing follows, as those of an API server that lags behind, until
    /// [`Proxy::catch_up`].
    pub fn show(&self, past: Past) {
        self.shared.change(|state| state.past = Some(past));
    }

    /// Lists show what is, and watches that showed the past end, so that their clients ask what came since.
    pub fn catch_up(&self) {
        self.shared.change(|state| state.past = None);
    }

    /// Breaks all connections and takes no others.
    pub fn go_away(&self) {
        self.shared.away.send_replace(true);
    }

    /// Takes connections again.
    pub fn come_back(&self) {
        self.shared.away.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.go_away();
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("kubeconfig", &self.kubeconfig).finish_non_exhaustive()
    }
}

fn acceptor(identity: &Identity) -> Result<TlsAcceptor> {
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        if !*shared.away.borrow() {
            tokio::spawn(connection(stream, acceptor.clone(), Arc::clone(&shared)));
        }
    }
}

/// One connection, until either side ends it or the proxy goes away.
async fn connection(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) -> Option<Infallible> {
    let mut away = shared.away.subscribe();
    let served = async {
        stream.set_nodelay(true).ok()?;
        let stream = acceptor.accept(stream).await.ok()?;
        let service = service_fn(|request| exchange::answer(Arc::clone(&shared), request));
        // An error is the client's end, or a fault that was asked for.
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok()
    };
    tokio::select! {
        _ended = served => None,
        _away = away.wait_for(|away| *away) => None,
    }
}
