//! Everything that can be shown without a cluster.

mod architecture;
mod tidy;
