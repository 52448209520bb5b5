//! How much an execution may use.

use std::fmt;

/// Bounds of one execution, counted over everything it includes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nodes executed, commands evaluated and rounds of loops.
    pub steps: u64,
    /// Bytes written, those of templates that are still being included counted in.
    pub output: usize,
    /// Blocks, templates and parentheses open at the same time. The evaluator is recursive: [`Limits::MAX_DEPTH`] is
    /// what fits into a stack of 64 MiB, and more is not granted.
    pub depth: usize,
}

impl Limits {
    /// The greatest depth an execution is granted. Go allows 100,000 templates inside each other, which needs hundreds of
    /// megabytes of stack; nothing but endless recursion comes near.
    pub const MAX_DEPTH: usize = 6_000;

    /// As good as no limits, but for the depth.
    pub const UNLIMITED: Self = Self { steps: u64::MAX, output: usize::MAX, depth: Self::MAX_DEPTH };
}

impl Default for Limits {
    /// Ten million steps, 64 MiB of output, the greatest depth.
    fn default() -> Self {
        Self { steps: 10_000_000, output: 64 << 20, depth: Self::MAX_DEPTH }
    }
}

/// The bound that was reached, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// See [`Limits::steps`].
    Steps(u64),
    /// See [`Limits::output`].
    Output(usize),
    /// See [`Limits::depth`].
    Depth(usize),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(limit) => write!(f, "exceeded the limit of {limit} steps"),
            Self::Output(limit) => write!(f, "exceeded the limit of {limit} bytes of output"),
            Self::Depth(limit) => write!(f, "exceeded maximum template depth ({limit})"),
        }
    }
}
