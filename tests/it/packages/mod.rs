//! The charts of Package Operator as functions of a resource and of what the cluster holds.

mod model;
mod tables;
