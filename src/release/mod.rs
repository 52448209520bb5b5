//! The vocabulary of a release: its objects, their order and digests, its records, and the plan that brings a cluster
//! to what a chart rendered.
//!
//! All of it is pure: objects are [`Json`], times are arguments, whether a kind is namespaced is asked of the caller.
//! Order of work, from text to writes: [`manifest`] sorts rendered files into hooks and objects as Helm v4.3.1 does,
//! [`prepare`] turns an object into what is sent, [`plan`] compares with what was observed.

pub mod action;
pub mod applyset;
pub mod contention;
mod error;
pub mod hook;
pub mod ignore;
pub mod labels;
pub mod manifest;
pub mod merge;
pub mod migrate;
pub mod mode;
mod name;
mod number;
mod object;
pub mod operation;
pub mod order;
pub mod patches;
pub mod plan;
pub mod prepare;
pub mod projection;
pub mod record;
pub mod restrict;
pub mod scope;
pub mod secret;
pub mod selector;
pub mod staged;
pub mod target;

pub use error::Error;
pub use name::{ReleaseId, check_release_name};
pub use object::{Digest, Gvk, ObjectId, Scope};

/// Data at rest: an object, values, a status. Keys are in byte order.
pub type Json = serde_json::Value;

/// The field manager of everything the operator applies.
pub const FIELD_MANAGER: &str = "chart-operator";
