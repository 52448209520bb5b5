//! A real Kubernetes control plane on loopback, for tests, demo and benchmarks.
//!
//! The programs (etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok) are ordinary Go modules, pinned in
//! `tools/control-plane/` and built once into a cache folder outside the repository ([`build`]). [`ControlPlane::start`] runs
//! them on free loopback ports with certificates of their own; dropping it, or the death of the process that started
//! it, however violent, stops them again.
//!
//! Nothing here is simulated but what kwok plays, nodes and pods: see [`Options::kwok`]. Where a Pod has to run indeed,
//! [`ControlPlane::run_images`] starts a program for it, and [`node::Cluster`] has a real node, with containers.
//!
//! The operator links none of this. Errors are [`anyhow::Error`]: who starts a testbed reads them, nobody matches on them.
//!
//! | module | what it is |
//! |---|---|
//! | [`program`] | the programs, where each is found, the key of the cache |
//! | [`build`](mod@build) | builds what the cache lacks |
//! | [`certificate`] | the certificate authority and what it signs |
//! | [`kubeconfig`] | kubeconfig files |
//! | [`guard`] | child processes that cannot outlive their parent |
//! | [`node`] | a control plane with a real node: needs root and Debian's containerd |
//! | [`port`] | free loopback ports, reserved between processes |
//! | [`control_plane`] | starts, waits, stops |
//! | [`audit`] | the API server's audit log, parsed and counted |
//! | [`image`] | images: written as archives without a container engine, and run as processes where there is no node |
//! | [`jobs`] | Pods of Jobs, played by who says what becomes of them |
//! | [`postgres`] | a PostgreSQL server, where it is installed |
//! | [`proxy`] | a proxy to the API server, with faults that tests choose |
//! | [`progress`] | what long work says while it runs |

pub mod audit;
pub mod build;
pub mod certificate;
pub mod control_plane;
pub mod guard;
pub mod image;
pub mod jobs;
pub mod kubeconfig;
pub mod node;
pub mod port;
pub mod postgres;
pub mod program;
pub mod progress;
pub mod proxy;

pub use crate::control_plane::{ControlPlane, Controllers, Options};
