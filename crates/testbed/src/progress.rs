//! What long work says while it runs: moving lines on a terminal, plain lines elsewhere. Written to standard error, so that
//! what a command prints for others to read stays clean.

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often a plain log hears of a step that takes long.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Where progress goes.
#[derive(Clone, Debug)]
pub enum Progress {
    /// A terminal: lines that move.
    Terminal(MultiProgress),
    /// A file or a pipe: a line when something begins, ends, or takes long.
    Plain,
    /// Nowhere.
    Silent,
}

/// Something that is being done.
#[derive(Debug)]
pub struct Step {
    progress: Progress,
    what: String,
    started: Instant,
    said: Cell<Instant>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// What suits standard error.
    pub fn new() -> Self {
        if std::io::stderr().is_terminal() { Self::Terminal(MultiProgress::new()) } else { Self::Plain }
    }

    /// Says one line.
    pub fn say(&self, line: &str) {
        match self {
            Self::Terminal(bars) => {
                bars.suspend(|| write_line(line));
            }
            Self::Plain => write_line(line),
            Self::Silent => (),
        }
    }

    /// Begins a step.
    pub fn step(&self, what: impl Into<String>) -> Step {
        let what = what.into();
        let bar = match self {
            Self::Terminal(bars) => Some(bars.add(spinner(&what))),
            Self::Plain => {
                write_line(&format!("  {what} …"));
                None
            }
            Self::Silent => None,
        };
        let now = Instant::now();
        Step { progress: self.clone(), what, started: now, said: Cell::new(now), bar }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Step {
    /// Says how far it is. Cheap enough to be called often.
    pub fn update(&self, detail: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(detail.to_owned());
        } else if matches!(self.progress, Progress::Plain) && self.said.get().elapsed() >= HEARTBEAT {
            self.said.set(Instant::now());
            write_line(&format!("    {}: {detail} ({})", self.what, seconds(self.started.elapsed())));
        }
    }

    /// Ends it well, `result` being what there is to tell.
    pub fn done(self, result: &str) {
        self.end("✓", result);
    }

    /// Ends it badly.
    pub fn failed(self, result: &str) {
        self.end("✗", result);
    }

    fn end(self, mark: &str, result: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let time = seconds(self.started.elapsed());
        let rest = if result.is_empty() { String::new() } else { format!("  {result}") };
        self.progress.say(&format!("{mark} {} {time:>8}{rest}", self.what));
    }
}

/// A duration as people read it: `0.42 s`, `12.3 s`, `3 min 04 s`.
pub fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    match whole {
        0..10 => format!("{:.2} s", duration.as_secs_f64()),
        10..100 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

fn spinner(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    // The template is fixed and right; were it not, indicatif's own would do.
    if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {prefix} {elapsed:>5}  {wide_msg:.dim}") {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Nobody is left to be told when standard error is closed.
fn write_line(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::progress::seconds;

    #[test]
    fn durations_are_short() {
        for (millis, want) in [(420, "0.42 s"), (12_340, "12.3 s"), (184_000, "3 min 04 s")] {
            assert_eq!(seconds(Duration::from_millis(millis)), want);
        }
    }
}
