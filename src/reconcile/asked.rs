//! What users ask for by annotations on a resource.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::reconcile::pass::{Cause, Failure, Pass, Refusal, log};
use crate::reconcile::queue::Again;
use crate::release::labels::{PAUSED, RECONCILE_PERIOD, REQUESTED_AT, parse_bool};
use crate::status;
use crate::value::period;

/// A wish to leave the resource alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    /// For how long; `None` until the annotation goes.
    left: Option<Duration>,
    message: String,
}

/// What the annotation `chart-operator.dev/paused` says at `now`. Who writes something else than a time means a pause
/// rather than none.
fn pause(text: &str, now: Timestamp) -> Option<Pause> {
    let open = |message| Some(Pause { left: None, message });
    match text {
        "" | "false" => None,
        "true" => open(format!("paused by the annotation `{PAUSED}`")),
        text => match text.parse::<Timestamp>() {
            Ok(end) => {
                let left = Duration::try_from(end.duration_since(now)).ok().filter(|left| !left.is_zero())?;
                Some(Pause { left: Some(left), message: format!("paused until {end}") })
            }
            Err(_) => open(format!("paused: expected `true` or a time like `2026-01-31T08:00:00Z` for `{PAUSED}`")),
        },
    }
}

/// What the annotation `helm.sdk.operatorframework.io/reconcile-period` says.
fn period(text: &str) -> Result<Duration, Refusal> {
    period::parse(text).map_err(|error| Refusal {
        cause: Cause::Annotation,
        wait: None,
        message: format!("the annotation `{RECONCILE_PERIOD}` is no duration such as `30s` or `1m30s`: {error}"),
    })
}

impl Pass<'_> {
    /// Whether the annotation `name` of the resource is true. What is no boolean is logged and taken for false, as in
    /// helm-operator.
    pub(crate) fn is_asked_for(&self, name: &str) -> bool {
        let Some(text) = self.resource.annotation(name).filter(|text| !text.is_empty()) else { return false };
        let asked = parse_bool(text);
        if asked.is_none() {
            log!(info, self, "Could not parse annotation as a boolean", annotation = name, value = text);
        }
        asked.unwrap_or(false)
    }

    /// Whether the resource is to be left alone now.
    pub(crate) fn pause(&self) -> Option<Pause> {
        pause(self.resource.annotation(PAUSED)?, Timestamp::now())
    }

    /// Says that the resource is left alone, and looks again when that is over.
    pub(crate) async fn report_pause(&self, pause: Pause) -> Result<Again, Failure> {
        log!(debug, self, "Resource is paused", until = pause.message.as_str());
        self.write_status(&status::Outcome::Paused { message: pause.message }).await?;
        Ok(pause.left.map_or(Again::WhenAsked, Again::After))
    }

    /// The request for a pass in which nothing is taken for known, as long as it has not been handled.
    pub(crate) fn is_requested(&self) -> bool {
        let handled = self.resource.status().get("lastHandledReconcileAt").and_then(serde_json::Value::as_str);
        let is_new = |request: &str| Some(request) != handled && !self.controller.has_handled(&self.key, request);
        self.requested().is_some_and(is_new)
    }

    /// The request, handled or not.
    pub(crate) fn requested(&self) -> Option<&str> {
        self.resource.annotation(REQUESTED_AT)
    }

    /// Whether the annotations that passes need can be read.
    pub(crate) fn check_annotations(&self) -> Result<(), Refusal> {
        self.resource.annotation(RECONCILE_PERIOD).map_or(Ok(()), |text| period(text).map(drop))
    }

    /// When to look again although nothing happened: as the resource says, else its watch, else the flag.
    pub(crate) fn later(&self) -> Again {
        let own = self.resource.annotation(RECONCILE_PERIOD).and_then(|text| period(text).ok());
        let period = own.or(self.entry.watch.reconcile_period).or(self.context.reconcile_period);
        period.filter(|period| !period.is_zero()).map_or(Again::WhenAsked, Again::After)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_open_or_ends_at_its_time() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let left = |text| pause(text, now).map(|pause| pause.left.map(|left| left.as_secs()));
        for (text, expected) in [
            ("true", Some(None)),
            ("", None),
            ("false", None),
            ("2026-01-01T01:00:00Z", Some(Some(3_600))),
            ("2026-01-01T02:00:00+01:00", Some(Some(3_600))),
            ("2025-12-31T23:59:59Z", None),
            ("2026-01-01T00:00:00Z", None),
            ("yes", Some(None)),
            ("2026-01-01", Some(None)),
        ] {
            assert_eq!(left(text), expected, "{text}");
        }
        let message = pause("2026-01-01T02:00:00+01:00", now).unwrap().message;
        assert_eq!(message, "paused until 2026-01-01T01:00:00Z");
        assert!(pause("tomorrow", now).unwrap().message.contains("expected `true` or a time"));
    }

    #[test]
    fn a_period_is_a_duration_as_go_writes_it() {
        assert_eq!(period("1m30s").unwrap(), Duration::from_secs(90));
        let refused = period("soon").unwrap_err();
        assert_eq!(refused.cause, Cause::Annotation);
        assert!(refused.message.ends_with("time: invalid duration \"soon\""), "{}", refused.message);
    }
}
