//! `/healthz` and `/readyz`, as controller-runtime answers them (`pkg/healthz/healthz.go` of v0.25.2): `ok`, or with
//! `?verbose`, or when a check fails, one line per check; a check alone under its name.
//!
//! Healthy is whoever answers. Ready is who may be relied on: every check of the [`Gate`] passed. Unlike
//! controller-runtime, `/readyz` says why it is not ready; the gate's reasons are made for that.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::extract::{Path, Query};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::health::{Gate, State};

/// What a client may put behind the `?`.
type Asked = Query<Vec<(String, String)>>;

/// Answers `/healthz`, `/readyz` and `/<either>/<check>`.
pub fn router(gate: Gate) -> Router {
    endpoint("healthz", BTreeMap::new).merge(endpoint("readyz", move || gate.checks()))
}

/// One endpoint: all checks under `/name`, each of them under `/name/<check>`.
///
/// The endpoint's own name is a check too, since helm-operator registers its only one under it (`/readyz/readyz`).
fn endpoint<Checks>(name: &'static str, checks: Checks) -> Router
where
    Checks: Fn() -> BTreeMap<String, State> + Clone + Send + Sync + 'static,
{
    let all = {
        let checks = checks.clone();
        async move |Query(asked): Asked| aggregate(name, checks(), &asked)
    };
    let one = async move |Path(check): Path<String>| single(name, &check, &checks());
    Router::new()
        .route(&format!("/{name}"), get(all.clone()))
        .route(&format!("/{name}/"), get(all))
        .route(&format!("/{name}/{{*check}}"), get(one))
}

/// All checks together, and that the process answers, under the endpoint's name.
fn aggregate(endpoint: &str, mut checks: BTreeMap<String, State>, asked: &[(String, String)]) -> Response {
    checks.insert(endpoint.to_owned(), State::Ready);
    let verbose = asked.iter().any(|(key, _)| key == "verbose");
    let excluded: BTreeSet<&str> = values(asked, "exclude").collect();
    let counts = |name: &str| !excluded.contains(name);
    let failed = checks.iter().any(|(name, state)| *state != State::Ready && counts(name));
    if !failed && !verbose {
        return text(StatusCode::OK, "ok".to_owned());
    }
    let lines = checks.iter().map(|(name, state)| match state {
        _ if !counts(name) => format!("[+]{name} excluded: ok\n"),
        State::Ready => format!("[+]{name} ok\n"),
        State::NotReady(reason) => format!("[-]{name} failed: {reason}\n"),
    });
    let mut body: String = lines.collect();
    let unknown: Vec<String> =
        excluded.iter().filter(|name| !checks.contains_key(**name)).map(|name| format!("{name:?}")).collect();
    if !unknown.is_empty() {
        body.push_str("warn: some health checks cannot be excluded: no matches for ");
        body.push_str(&unknown.join(","));
        body.push('\n');
    }
    body.push_str(if failed { "healthz check failed\n" } else { "healthz check passed\n" });
    text(if failed { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }, body)
}

/// One check by its name.
fn single(endpoint: &str, check: &str, checks: &BTreeMap<String, State>) -> Response {
    match checks.get(check) {
        Some(State::NotReady(reason)) => {
            text(StatusCode::INTERNAL_SERVER_ERROR, format!("internal server error: {reason}\n"))
        }
        Some(State::Ready) => text(StatusCode::OK, "ok".to_owned()),
        None if check == endpoint => text(StatusCode::OK, "ok".to_owned()),
        None => text(StatusCode::NOT_FOUND, "404 page not found\n".to_owned()),
    }
}

fn values<'a>(asked: &'a [(String, String)], key: &'a str) -> impl Iterator<Item = &'a str> {
    asked.iter().filter(move |(found, _)| found == key).map(|(_, value)| value.as_str())
}

fn text(status: StatusCode, body: String) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, body).into_response()
}
