//! A Kubernetes operator for which a new kind of resource costs no code: `watches.yaml` maps a kind to a Helm chart.
//!
#![doc = include_str!("../ARCHITECTURE.md")]
#![cfg_attr(
    test,
    expect(
        clippy::needless_pass_by_value,
        clippy::too_many_lines,
        reason = "tables read best whole, with values in place"
    )
)]

pub mod analysis;
pub mod catalog;
pub mod chart;
pub mod cli;
pub mod cluster;
pub mod diagnostic;
pub mod fetch;
pub mod functions;
pub mod health;
pub mod metrics;
pub mod operator;
pub mod policy;
pub mod readiness;
pub mod reconcile;
pub mod release;
pub mod render;
pub mod scaffold;
pub mod schema;
pub mod server;
pub mod shape;
pub mod status;
pub mod telemetry;
pub mod template;
pub mod value;
pub mod values;
pub mod watches;
pub mod yaml;
