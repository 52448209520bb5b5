//! When an action is tried again: the annotation `retry`.

use jiff::SignedDuration;
use serde::Deserialize;

use crate::value::period;
use crate::yaml::{self, Numbers};

/// When an action is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// So long after a failure.
    pub after: SignedDuration,
    /// How many tries there are at most; `None`: until it succeeds.
    pub max: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    after: String,
    max: Option<u32>,
}

impl Retry {
    /// What the annotation may hold.
    pub const EXPECTED: &'static str = "a duration such as `10s`, or `{after: 10s, max: 3}`";

    /// Reads the annotation: a duration, or `{after, max}` in YAML.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (after, max) = if text.starts_with('{') {
            let written = yaml::to_json(text, Numbers::Exact).ok()?;
            let Written { after, max } = serde_json::from_value(written).ok()?;
            (after, max)
        } else {
            (text.to_owned(), None)
        };
        let after = SignedDuration::try_from(period::parse(&after).ok()?).ok()?;
        (max != Some(0)).then_some(Self { after, max })
    }

    /// Whether another try may follow after so many.
    pub fn permits(&self, tries: u32) -> bool {
        self.max.is_none_or(|max| tries < max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_alone_means_until_it_succeeds() {
        let after = SignedDuration::from_secs;
        for (text, want) in [
            ("10s", Some((10, None))),
            (" 1m30s ", Some((90, None))),
            ("{after: 10s}", Some((10, None))),
            ("{after: 1h, max: 3}", Some((3_600, Some(3)))),
            ("{\"after\": \"5s\", \"max\": 1}", Some((5, Some(1)))),
            ("", None),
            ("10", None),
            ("-1s", None),
            ("{max: 3}", None),
            ("{after: 10s, max: 0}", None),
            ("{after: 10s, most: 3}", None),
            ("[10s]", None),
        ] {
            let want = want.map(|(seconds, max)| Retry { after: after(seconds), max });
            assert_eq!(Retry::read(text), want, "{text}");
        }
    }
}
