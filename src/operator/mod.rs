//! The manager: one watch per kind feeding one queue, workers, supervision.

pub mod options;
