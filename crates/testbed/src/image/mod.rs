//! Images of containers: written without a container engine, and run as processes where no node is.
//!
//! [`oci`] holds an image and its archive, which `ctr`, `docker load`, `podman load` and `skopeo` read; [`tree`] the files of
//! a layer, from folders, programs of this machine with the libraries they need, and Debian packages; [`dockerfile`] lays
//! what a project's Dockerfile says over an image; [`operator`] makes the operator's own. The same files give the same bytes,
//! whenever and wherever.

pub mod dockerfile;
pub mod oci;
pub mod operator;
pub mod processes;
pub mod sbom;
pub mod tree;

pub use processes::{Image, Runner};
