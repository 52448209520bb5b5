//! The cluster, as reconciling needs it: calls with a deadline, served kinds, what is known of resources and the objects
//! they own. With the watches of [`crate::operator`] the only user of kube; it decides nothing.

pub mod access;
mod account;
pub mod client;
mod count;
pub mod discovery;
mod error;
pub mod events;
mod fields;
pub mod lease;
pub mod lookup;
pub mod objects;
pub mod records;
pub mod survey;
mod tenure;
pub mod world;

pub use client::Cluster;
pub use error::{Error, Fate};
pub use tenure::Tenure;
