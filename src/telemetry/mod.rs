//! Logs: one line per event on standard error, in the form controller-runtime's zap logger gives them
//! (`pkg/log/zap` of v0.25.2 over zap v1.27), so that what reads helm-operator's logs reads ours.
//!
//! The tracing target is the logger's name, the message is `msg`, the fields of the spans around an event come before its
//! own, outermost first; of two fields with one name the nearer stays. A closed standard error loses lines and nothing else.
//!
//! What zap does and this does not: sampling (a line is never dropped) and stack traces.

mod fields;
mod format;
mod layer;
#[cfg(test)]
mod tests;
mod time;

use std::io;
use std::panic::PanicHookInfo;
use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing::subscriber::SetGlobalDefaultError;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

pub use layer::Lines;
pub use time::TimeEncoding;

/// Crates whose events below a warning tell of connections and not of charts: shown from `--zap-log-level=3` on.
const NOISY: [&str; 8] = ["h2", "hyper", "hyper_util", "kube_client", "kube_runtime", "mio", "rustls", "tower"];

/// Where kube logs as an error what it also gives to its caller, for each try: whoever tried says it once. And where it logs
/// whole answers that it cannot read, whatever they hold.
const REPEATED: &str = "kube_client::client";

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The form of a line.
    pub style: Style,
    /// What is written at all.
    pub level: Level,
    /// How times are written.
    pub time: TimeEncoding,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One JSON object: `level`, `ts`, `logger`, `msg`, then the fields.
    Json,
    /// zap's console form: time, level, logger and message between tabs, the fields as JSON.
    Console,
    /// For a person at a terminal: as [`Style::Console`] with spaces and `key=value`.
    Human(Colour),
}

/// Whether a terminal is told to colour its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Levels, names and times have their colours.
    On,
    /// Plain text.
    Off,
}

/// A verbosity as `--zap-log-level` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Nothing: there is no panic level to log at.
    Panic,
    /// Errors.
    Error,
    /// Errors, warnings and what happened.
    Info,
    /// Also how it came about; zap's custom levels go on from 1, which is `debug`.
    Debug(u8),
}

impl Level {
    fn filter(self) -> LevelFilter {
        match self {
            Self::Panic => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Info => LevelFilter::INFO,
            Self::Debug(0 | 1) => LevelFilter::DEBUG,
            Self::Debug(_) => LevelFilter::TRACE,
        }
    }

    /// What of which crate is written.
    fn targets(self) -> Targets {
        let level = self.filter();
        let noisy = if matches!(self, Self::Debug(3..)) { level } else { level.min(LevelFilter::WARN) };
        let repeated = if matches!(self, Self::Debug(3..)) { level } else { LevelFilter::OFF };
        let targets = Targets::new().with_default(level).with_targets(NOISY.map(|name| (name, noisy)));
        targets.with_target(REPEATED, repeated)
    }
}

/// A text that is none of the values there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct Invalid(&'static str);

impl FromStr for Level {
    type Err = Invalid;

    /// Letter case is ignored; a number is at least 1.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.to_ascii_lowercase().as_str() {
            "debug" => Ok(Self::Debug(1)),
            "info" => Ok(Self::Info),
            "error" => Ok(Self::Error),
            "panic" => Ok(Self::Panic),
            number => match number.parse::<i64>() {
                Ok(level) if level > 0 => Ok(Self::Debug(u8::try_from(level).unwrap_or(u8::MAX))),
                _ => Err(Invalid("`debug`, `info`, `error`, `panic` or a number above 0")),
            },
        }
    }
}

/// Writes every event of this process from now on to standard error, and panics as events.
///
/// # Errors
/// Somebody else in this process takes the events already.
pub fn init(options: Options) -> Result<(), SetGlobalDefaultError> {
    let lines = Lines::new(options.style, options.time, io::stderr).with_filter(options.level.targets());
    tracing::subscriber::set_global_default(Registry::default().with(lines))?;
    std::panic::set_hook(Box::new(report_panic));
    Ok(())
}

/// A panic is a line like any other, so that what reads JSON lines reads it too.
fn report_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or_default();
    let text = panic.payload_as_str().unwrap_or_default();
    tracing::error!(target: "panic", thread, location, error = text, "Panic");
}
