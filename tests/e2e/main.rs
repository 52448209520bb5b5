//! The operator as its users deploy it: in an image, on a real node, with the rights that its bases give and no others.
//!
//! Needs root and Debian's containerd, and fails where a node cannot run; `make test` asks first. Each list of what has to be
//! seen is a story, told once; a test for each line looks at what came of it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_in_result,
    reason = "a test fails by panicking"
)]

mod chart;
mod deployment;
mod handover;
mod lifecycle;
mod minimart;
mod packages;
mod support;
