//! How much an execution may use.

use std::fmt;
use std::time::Duration;

use crate::value::meter::{self, Spent};

/// Bounds of one execution, counted over everything it includes; of a render, over all of its templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nodes executed, commands evaluated, rounds of loops, and elements visited where functions walk through values.
    pub steps: u64,
    /// Bytes written, those of templates that are still being included counted in.
    pub output: usize,
    /// Bytes that values hold at the same time, and texts and lists in the making.
    pub memory: usize,
    /// Blocks, templates and parentheses open at the same time. The evaluator is recursive: [`Limits::MAX_DEPTH`] is
    /// what fits into a stack of 64 MiB, and more is not granted.
    pub depth: usize,
    /// What keys and password hashes may cost, by [`crate::template::function::Function::priced`].
    pub crypto: Duration,
    /// How long it may take, if it is given a clock.
    pub time: Duration,
}

impl Limits {
    /// The greatest depth an execution is granted. Go allows 100,000 templates inside each other, which needs hundreds of
    /// megabytes of stack; nothing but endless recursion comes near.
    pub const MAX_DEPTH: usize = 6_000;

    /// As good as no limits, but for the depth.
    pub const UNLIMITED: Self = Self {
        steps: u64::MAX,
        output: usize::MAX,
        memory: usize::MAX,
        depth: Self::MAX_DEPTH,
        crypto: Duration::MAX,
        time: Duration::MAX,
    };
}

impl Default for Limits {
    /// What no chart in use comes near, and what a process of 256 MiB survives: twenty million steps, 32 MiB of output,
    /// 128 MiB of memory, the greatest depth, five seconds of keys (fifty of 2048 bits), half a minute.
    fn default() -> Self {
        Self {
            steps: 20_000_000,
            output: 32 << 20,
            memory: 128 << 20,
            depth: Self::MAX_DEPTH,
            crypto: Duration::from_secs(5),
            time: Duration::from_secs(30),
        }
    }
}

/// The bound that was reached, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// See [`Limits::steps`].
    Steps(u64),
    /// See [`Limits::output`].
    Output(usize),
    /// See [`Limits::memory`].
    Memory(usize),
    /// See [`Limits::depth`].
    Depth(usize),
    /// See [`Limits::crypto`].
    Crypto(Duration),
    /// See [`Limits::time`].
    Time(Duration),
    /// A value is nested deeper than [`meter::MAX_NESTING`], or contains itself; no limit can be raised for it.
    Nesting,
}

impl Limit {
    /// The limit's name: in `watches.yaml`, and as the metric's label.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Steps(_) => "steps",
            Self::Output(_) => "output",
            Self::Memory(_) => "memory",
            Self::Depth(_) => "depth",
            Self::Crypto(_) => "crypto",
            Self::Time(_) => "time",
            Self::Nesting => "nesting",
        }
    }

    pub(crate) fn of(spent: Spent, limits: &Limits) -> Self {
        match spent {
            Spent::Steps => Self::Steps(limits.steps),
            Spent::Memory => Self::Memory(limits.memory),
            Spent::Time => Self::Time(limits.time),
            Spent::Nesting => Self::Nesting,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(limit) => write!(f, "exceeded the limit of {limit} steps"),
            Self::Output(limit) => write!(f, "exceeded the limit of {limit} bytes of output"),
            Self::Memory(limit) => write!(f, "exceeded the limit of {limit} bytes of memory"),
            Self::Depth(limit) => write!(f, "exceeded maximum template depth ({limit})"),
            Self::Crypto(limit) => write!(f, "exceeded the limit of {limit:?} for keys and password hashes"),
            Self::Time(limit) => write!(f, "exceeded the time limit of {limit:?}"),
            Self::Nesting => {
                write!(f, "a value contains itself, or is nested deeper than {}", meter::MAX_NESTING)
            }
        }
    }
}
