//! What was measured, beside what should be reached.

use std::time::Duration;

use serde_json::{Value as Json, json};

/// Whether less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sense {
    /// The target is a limit above.
    AtMost,
    /// The target is a limit below.
    AtLeast,
}

/// How a value compares with its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Better than, or at, the second target.
    Excellent,
    /// Better than, or at, the first target.
    Good,
    /// Neither.
    Missed,
}

/// What should be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Whether less is better.
    pub(crate) sense: Sense,
    /// What is good.
    pub(crate) good: f64,
    /// What is excellent.
    pub(crate) excellent: f64,
}

/// One line of the result.
#[derive(Clone, Debug)]
pub(crate) struct Metric {
    /// What was measured.
    pub(crate) name: String,
    /// The value.
    pub(crate) value: f64,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// What should be reached, where something is known.
    pub(crate) target: Option<Target>,
}

/// A target above.
pub(crate) const fn at_most(good: f64, excellent: f64) -> Target {
    Target { sense: Sense::AtMost, good, excellent }
}

/// A target below.
pub(crate) const fn at_least(good: f64, excellent: f64) -> Target {
    Target { sense: Sense::AtLeast, good, excellent }
}

impl Target {
    /// How a value compares.
    pub(crate) fn verdict(&self, value: f64) -> Verdict {
        let reached = |limit: f64| match self.sense {
            Sense::AtMost => value <= limit,
            Sense::AtLeast => value >= limit,
        };
        if reached(self.excellent) {
            Verdict::Excellent
        } else if reached(self.good) {
            Verdict::Good
        } else {
            Verdict::Missed
        }
    }
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Excellent => "excellent",
            Self::Good => "good",
            Self::Missed => "missed",
        }
    }
}

impl Metric {
    /// A line.
    pub(crate) fn new(
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        target: impl Into<Option<Target>>,
    ) -> Self {
        Self { name: name.into(), value, unit, target: target.into() }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Json {
        let mut json = json!({"name": self.name, "value": round(self.value), "unit": self.unit});
        if let (Some(target), Some(object)) = (&self.target, json.as_object_mut()) {
            object.insert("good".to_owned(), json!(target.good));
            object.insert("excellent".to_owned(), json!(target.excellent));
            object.insert("verdict".to_owned(), json!(target.verdict(self.value).word()));
        }
        json
    }
}

/// A time in milliseconds.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The table, a line of text each.
pub(crate) fn table(metrics: &[Metric]) -> Vec<String> {
    let width = metrics.iter().map(|metric| metric.name.chars().count()).max().unwrap_or_default();
    let head = format!("{:<width$}  {:>14}  {:>12}  {:>12}", "what", "measured", "good", "excellent");
    let rule = "─".repeat(head.chars().count() + 11);
    let mut lines = vec![head, rule];
    for metric in metrics {
        let measured = format!("{} {}", number(metric.value), metric.unit);
        let mut line = format!("{:<width$}  {measured:>14}", metric.name);
        if let Some(target) = &metric.target {
            let sign = if target.sense == Sense::AtMost { "≤" } else { "≥" };
            let limits = [target.good, target.excellent].map(|limit| format!("{sign} {}", number(limit)));
            let verdict = target.verdict(metric.value).word();
            line = format!("{line}  {:>12}  {:>12}  {verdict}", limits[0], limits[1]);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// The value that so many per cent of the samples do not exceed (nearest rank), in milliseconds; zero without samples.
pub(crate) fn percentile(samples: &[Duration], percent: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort();
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().map_or(0.0, milliseconds)
}

/// As many digits as are worth reading.
fn number(value: f64) -> String {
    if value.fract().abs() < 0.005 {
        format!("{value:.0}")
    } else if value.abs() < 10.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.1}")
    }
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::bench::metric::{Metric, Verdict, at_least, at_most, number, percentile, table};

    #[test]
    fn percentiles_are_samples_by_nearest_rank() {
        let samples: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        for (percent, want) in [(50, 100.0), (99, 198.0), (100, 200.0), (0, 1.0)] {
            assert!((percentile(&samples, percent) - want).abs() < 1e-9, "{percent}");
        }
        assert!((percentile(&samples[..1], 99) - 200.0).abs() < 1e-9);
        assert!(percentile(&[], 50).abs() < 1e-9);
    }

    #[test]
    fn a_limit_that_is_met_exactly_is_reached() {
        let latency = at_most(50.0, 20.0);
        let rate = at_least(40.0, 90.0);
        for (target, value, want) in [
            (latency, 20.0, Verdict::Excellent),
            (latency, 20.1, Verdict::Good),
            (latency, 50.1, Verdict::Missed),
            (rate, 90.0, Verdict::Excellent),
            (rate, 40.0, Verdict::Good),
            (rate, 39.9, Verdict::Missed),
        ] {
            assert_eq!(target.verdict(value), want, "{value}");
        }
    }

    #[test]
    fn the_table_shows_targets_beside_values() {
        let lines =
            table(&[Metric::new("a p50", 12.345, "ms", at_most(50.0, 20.0)), Metric::new("b", 7.0, "MB", None)]);
        assert_eq!(lines[2], "a p50         12.3 ms          ≤ 50          ≤ 20  excellent");
        assert_eq!(lines[3], "b                7 MB");
    }

    #[test]
    fn numbers_have_the_digits_that_matter() {
        for (value, want) in [(0.0, "0"), (0.123, "0.12"), (12.34, "12.3"), (200.0, "200")] {
            assert_eq!(number(value), want);
        }
    }
}
