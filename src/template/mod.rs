//! Go's `text/template`.

pub mod function;

/// Placeholder
#[derive(Debug, Clone)]
pub struct Error;
