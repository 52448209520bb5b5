//! The operator as its users run it, against a real API server: needs the control plane's programs, which
//! `cargo run -p testbed -- build` makes, and fails without them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod actions;
mod asked;
mod bugs;
mod cause;
mod database_table;
mod diff;
mod disturbed;
mod documents;
mod faults;
mod fields;
mod hooks;
mod leader;
mod lifecycle;
mod lookups;
mod metrics;
mod namesakes;
mod operator_sdk;
mod package_operator;
#[path = "../papers/mod.rs"]
#[expect(dead_code, reason = "what the tests without a cluster ask of the papers")]
mod papers;
mod phases;
mod quiet;
mod records;
mod recreate;
mod reload;
mod rights;
mod rollback;
mod scaffold;
mod scope;
mod start;
mod support;
mod takeover;
mod tenant_onboarding;
mod tenants;
