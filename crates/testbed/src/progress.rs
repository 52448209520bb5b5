//! What long work says while it runs: moving lines on a terminal, plain lines elsewhere.

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a plain log hears of a step that takes long.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Where a command writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, where progress is what the command is run for.
    Output,
    /// Standard error, where standard output is for what others read.
    Error,
}

/// Where progress goes.
#[derive(Clone, Debug)]
pub struct Progress {
    stream: Option<Stream>,
    /// Lines that move; absent where the stream is no terminal.
    bars: Option<MultiProgress>,
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
    /// What suits a stream: lines that move on a terminal, elsewhere a line when something begins, ends, or takes long.
    pub fn to(stream: Stream) -> Self {
        let (terminal, target) = match stream {
            Stream::Output => (std::io::stdout().is_terminal(), ProgressDrawTarget::stdout()),
            Stream::Error => (std::io::stderr().is_terminal(), ProgressDrawTarget::stderr()),
        };
        Self { stream: Some(stream), bars: terminal.then(|| MultiProgress::with_draw_target(target)) }
    }

    /// Says nothing.
    pub const fn silent() -> Self {
        Self { stream: None, bars: None }
    }

    /// The lines that move, where there is a terminal.
    pub const fn bars(&self) -> Option<&MultiProgress> {
        self.bars.as_ref()
    }

    /// Says one line.
    pub fn say(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| self.write(line)),
            None => self.write(line),
        }
    }

    /// Begins a step.
    pub fn step(&self, what: impl Into<String>) -> Step {
        let what = what.into();
        let bar = self.bars.as_ref().map(|bars| spinner(bars, &what));
        if bar.is_none() {
            self.write(&format!("  {what} …"));
        }
        let now = Instant::now();
        Step { progress: self.clone(), what, started: now, said: Cell::new(now), bar }
    }

    /// Nobody is left to be told when the stream is closed.
    fn write(&self, line: &str) {
        match self.stream {
            Some(Stream::Output) => writeln!(std::io::stdout(), "{line}").ok(),
            Some(Stream::Error) => writeln!(std::io::stderr(), "{line}").ok(),
            None => None,
        };
    }
}

impl Step {
    /// Says how far it is. Cheap enough to be called often.
    pub fn update(&self, detail: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(detail.to_owned());
        } else if self.said.get().elapsed() >= HEARTBEAT {
            self.said.set(Instant::now());
            self.progress.write(&format!("    {}: {detail} ({})", self.what, seconds(self.started.elapsed())));
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
        self.progress.say(&format!("  {mark} {}  {time}{rest}", self.what));
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

/// A line that shows that time passes. It may move only once it is among the others: alone it would be drawn elsewhere.
fn spinner(bars: &MultiProgress, what: &str) -> ProgressBar {
    let bar = bars.add(ProgressBar::new_spinner());
    // The template is fixed and right; were it not, indicatif's own would do.
    if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {prefix} {elapsed:>5}  {wide_msg:.dim}") {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
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
