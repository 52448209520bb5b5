//! A real Kubernetes control plane on loopback, for tests, demo and benchmarks.
