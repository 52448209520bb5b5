//! `/metrics`: Prometheus' text format.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

use crate::metrics::{self, Metrics};

/// Answers `GET /metrics` with everything counted so far.
pub fn router(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(async move || ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics.encode())))
}
