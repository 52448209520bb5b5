use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

use super::*;
use crate::health::Gate;
use crate::metrics::Metrics;
use crate::server::access::{Question, Verdict};

/// Status and body of a `GET`.
async fn get(router: &Router, uri: &str) -> (u16, String) {
    let request = Request::get(uri).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    (status, String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn health_is_always_ok_and_readiness_follows_the_gate() {
    let gate = Gate::new();
    let router = health::router(gate.clone());
    let not_found = (404, "404 page not found\n".to_owned());
    let ok = (200, "ok".to_owned());
    for uri in ["/healthz", "/healthz/", "/readyz", "/healthz/healthz", "/readyz/readyz"] {
        assert_eq!(get(&router, uri).await, ok, "{uri}");
    }
    for uri in ["/healthz/other", "/readyz/healthz", "/readyz/ping"] {
        assert_eq!(get(&router, uri).await, not_found, "{uri}");
    }
    assert_eq!(get(&router, "/other").await.0, 404);
    assert_eq!(get(&router, "/readyz?verbose").await, (200, "[+]readyz ok\nhealthz check passed\n".to_owned()));

    gate.ready("catalog");
    gate.not_ready("watch apps/v1 Deployment", "the first list is under way");
    let failed = "[+]catalog ok\n[+]readyz ok\n[-]watch apps/v1 Deployment failed: the first list is under way\n\
                  healthz check failed\n";
    let table = [
        ("/healthz", 200, "ok"),
        ("/healthz?verbose=1", 200, "[+]healthz ok\nhealthz check passed\n"),
        ("/readyz", 500, failed),
        ("/readyz?verbose", 500, failed),
        ("/readyz/catalog", 200, "ok"),
        ("/readyz/readyz", 200, "ok"),
        ("/readyz/watch%20apps/v1%20Deployment", 500, "internal server error: the first list is under way\n"),
        ("/readyz?exclude=watch+apps/v1+Deployment", 200, "ok"),
        (
            "/readyz?verbose&exclude=watch+apps/v1+Deployment&exclude=no",
            200,
            "[+]catalog ok\n[+]readyz ok\n[+]watch apps/v1 Deployment excluded: ok\n\
             warn: some health checks cannot be excluded: no matches for \"no\"\nhealthz check passed\n",
        ),
    ];
    for (uri, status, body) in table {
        assert_eq!(get(&router, uri).await, (status, body.to_owned()), "{uri}");
    }

    gate.ready("watch apps/v1 Deployment");
    assert_eq!(get(&router, "/readyz").await, ok);
}

#[tokio::test]
async fn metrics_are_served_as_prometheus_text() {
    let build = crate::metrics::Build { commit: "abc".into(), version: "v1".into() };
    let router = metrics::router(Metrics::new(&build, || None));
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    let (status, body) = get(&router, "/metrics").await;
    assert_eq!(status, 200);
    assert!(body.contains("\nhelm_operator_build_info{commit=\"abc\",version=\"v1\"} 1\n"), "{body}");
}

#[tokio::test]
async fn a_listener_tells_its_port_answers_in_http_1_1_and_stops_when_told() {
    let listener = Listener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let address = listener.address();
    let taken = Listener::bind(address).await.unwrap_err();
    assert_eq!(taken.to_string(), format!("cannot listen on `{address}`"));

    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(listener.serve(health::router(Gate::new()), async move {
        stopped.await.ok();
    }));
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn go_s_address_without_a_host_listens_for_ipv4_too() {
    let listener = Listener::bind("[::]:0".parse().unwrap()).await.unwrap();
    let port = listener.address().port();
    tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_knows_its_size_age_and_files() {
    let now = process::sample().unwrap();
    assert!(now.resident_bytes > 1 << 20 && now.virtual_bytes > now.resident_bytes, "{now:?}");
    assert!(now.open_fds >= 3 && now.max_fds >= now.open_fds && now.threads >= 1, "{now:?}");
    assert!(now.start_time_seconds > 1.7e9 && now.cpu_seconds >= 0.0, "{now:?}");
}

#[tokio::test]
async fn https_is_served_with_a_certificate_of_its_own_and_a_silent_client_holds_up_nobody() {
    let listener = Listener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let address = listener.address();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let router = health::router(Gate::new());
    let served = tokio::spawn(listener.serve_tls(Tls::self_signed().unwrap(), router, async move {
        stopped.await.ok();
    }));
    let _silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut plain = tokio::net::TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").await.unwrap();

    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut connection = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
}

/// Takes every certificate, as `curl -k` does.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[tokio::test]
async fn a_guarded_endpoint_asks_about_the_token() {
    let ask = async |question: Question| match question.token.as_str() {
        "good" if question.verb == "get" && question.path == "/healthz" => Verdict::Allowed,
        "good" | "other" => Verdict::Denied { user: "eve".into() },
        "down" => Verdict::Unknown,
        _ => Verdict::Unauthenticated,
    };
    let router = access::guard(health::router(Gate::new()), ask);
    let table = [
        ("/healthz?x=1", Some("Bearer good"), 200, "ok"),
        ("/healthz", Some("bearer  good"), 200, "ok"),
        ("/readyz", Some("Bearer good"), 403, "Authorization denied for user eve\n"),
        ("/healthz", Some("Bearer other"), 403, "Authorization denied for user eve\n"),
        ("/healthz", Some("Bearer wrong"), 401, "Unauthorized\n"),
        ("/healthz", Some("Bearer down"), 500, "Authentication failed\n"),
        ("/healthz", Some("Bearer "), 401, "Unauthorized\n"),
        ("/healthz", Some("Basic good"), 401, "Unauthorized\n"),
        ("/healthz", None, 401, "Unauthorized\n"),
    ];
    for (uri, token, status, body) in table {
        let mut request = Request::get(uri);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{uri} {token:?}");
        let text = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&text), body, "{uri} {token:?}");
    }
}
