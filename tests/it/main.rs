//! Everything that can be shown without a cluster.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_in_result,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod architecture;
mod charts;
mod cli;
mod database_tables;
mod deployment;
mod documents;
mod fetch;
mod fuzz;
mod guide;
mod hostile;
mod oracle;
mod packages;
#[path = "../papers/mod.rs"]
mod papers;
mod release;
mod scaffold;
mod stage;
#[path = "../../fuzz/src/targets/mod.rs"]
mod targets;
mod template;
mod tenants;
mod tidy;
mod values;
mod yaml;
