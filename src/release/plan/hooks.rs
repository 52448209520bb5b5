//! The hooks among the steps of a plan.

use crate::release::hook::run::Stage;
use crate::release::hook::{self, Event, Hook};
use crate::release::operation::Operation;
use crate::release::record::{HookRecord, HookRun};

/// A hook that is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookStep {
    /// Its place among the hooks of the record.
    pub place: usize,
    /// Its kind and name.
    pub hook: String,
    /// What it runs for.
    pub event: Event,
    /// Why.
    pub reason: HookReason,
}

/// Why a hook is among the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookReason {
    /// It has not been run for the event.
    Due,
    /// It was begun, and its end has not been seen.
    UnderWay,
}

/// The hooks of an operation that are still to be run: those before the first object is written, and those after the
/// last. `stage` is that of the operation's record; none where there is no record yet.
pub fn steps(hooks: &[HookRecord], operation: Operation, stage: Option<Stage>) -> (Vec<HookStep>, Vec<HookStep>) {
    let is_after = stage.is_some_and(|stage| stage.event == operation.after());
    if is_after {
        return (Vec::new(), unfinished(hooks, operation.after()));
    }
    // What the record tells of them was for other events.
    let mut unrun = hooks.to_vec();
    for hook in &mut unrun {
        hook.last_run = HookRun::default();
    }
    (unfinished(hooks, operation.before()), unfinished(&unrun, operation.after()))
}

/// The hooks of an event, in the order in which they run, that have not succeeded.
pub fn unfinished(hooks: &[HookRecord], event: Event) -> Vec<HookStep> {
    let known: Vec<_> = hooks.iter().map(Hook::from).collect();
    let places = hook::of_event(&known, event).into_iter();
    let step = |place: usize| {
        let hook = hooks.get(place).filter(|hook: &&HookRecord| !hook.last_run.has_succeeded())?;
        let reason = if hook.last_run.is_under_way() { HookReason::UnderWay } else { HookReason::Due };
        Some(HookStep { place, hook: format!("{} {}", hook.kind, hook.name), event, reason })
    };
    places.filter_map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(name: &str, weight: i64, events: &[&str], phase: &str) -> HookRecord {
        HookRecord {
            name: name.into(),
            kind: "Job".into(),
            weight,
            events: events.iter().map(|event| (*event).to_owned()).collect(),
            last_run: HookRun { phase: phase.into(), ..HookRun::default() },
            ..HookRecord::default()
        }
    }

    fn shown(steps: &[HookStep]) -> Vec<String> {
        steps.iter().map(|step| format!("{} {} {:?}", step.event.name(), step.hook, step.reason)).collect()
    }

    #[test]
    fn the_hooks_that_are_left_follow_from_stage_and_last_runs() {
        let hooks = |first: &str, both: &str| {
            [
                hook("late", 5, &["pre-upgrade"], ""),
                hook("first", -1, &["pre-upgrade"], first),
                hook("both", 0, &["pre-upgrade", "post-upgrade"], both),
                hook("other", 0, &["pre-install", "test"], ""),
            ]
        };
        let (pre, post) = (Some(Stage::first(Event::PreUpgrade)), Some(Stage::first(Event::PostUpgrade)));
        let due_after: &[&str] = &["post-upgrade Job both Due"];
        let cases: [(_, _, _, &[&str], &[&str]); 4] = [
            (
                None,
                "",
                "",
                &["pre-upgrade Job first Due", "pre-upgrade Job both Due", "pre-upgrade Job late Due"],
                due_after,
            ),
            (pre, "Succeeded", "Running", &["pre-upgrade Job both UnderWay", "pre-upgrade Job late Due"], due_after),
            (pre, "Succeeded", "Succeeded", &["pre-upgrade Job late Due"], due_after),
            (post, "Succeeded", "Running", &[], &["post-upgrade Job both UnderWay"]),
        ];
        for (stage, first, both, before, after) in cases {
            let found = steps(&hooks(first, both), Operation::Upgrade, stage);
            assert_eq!(
                (shown(&found.0), shown(&found.1)),
                (before.iter().map(|s| (*s).to_owned()).collect(), after.iter().map(|s| (*s).to_owned()).collect()),
                "{stage:?} {first} {both}"
            );
        }
    }
}
