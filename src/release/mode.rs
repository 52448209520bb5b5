//! How an object of a chart with a policy is carried out: in which phase, in which mode, and what it may take over.
//!
//! Annotations on the rendered object say so; none of them is ever sent.

use std::collections::BTreeMap;
use std::fmt;

use crate::policy::{Collision, Policy};
use crate::release::action::{Action, On, Retry};
use crate::release::labels::OURS;

/// What is done with an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// It is applied, labelled, owned, repaired and pruned.
    #[default]
    Manage,
    /// It is only read: it must exist and pass its probes.
    Observe,
    /// It is a partial object that is merged into one that exists, and never owned.
    Patch,
    /// It is a Job that runs once.
    Action,
}

impl Mode {
    /// As the annotation says it, and status files read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manage => "manage",
            Self::Observe => "observe",
            Self::Patch => "patch",
            Self::Action => "action",
        }
    }

    /// Those that the annotation may say; an action has one of its own.
    const SAID: [Self; 3] = [Self::Manage, Self::Observe, Self::Patch];
}

/// Where an object has its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Index of its phase among those of the policy.
    pub phase: usize,
    /// What is done with it.
    pub mode: Mode,
    /// What it may take over, if that is another than what the policy says.
    pub collision: Option<Collision>,
    /// The action that it is, if it is one.
    pub action: Option<Action>,
}

/// An annotation that says what there is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The annotation without its prefix.
    pub annotation: &'static str,
    /// Its value.
    pub found: String,
    /// What it may be.
    pub expected: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { annotation, found, expected } = self;
        write!(f, "annotation `{OURS}{annotation}`: expected {expected}, found `{found}`")
    }
}

/// The annotations that only a chart with a policy understands.
const OF_POLICIES: [&str; 6] = ["phase", "mode", "action", "on", "retry", "collision"];

/// Reads the place of an object from our annotations on it, which are given without their prefix.
///
/// # Errors
/// A phase that the policy does not have, another value than there are, or annotations that exclude each other.
pub fn placement(directives: &BTreeMap<String, String>, policy: &Policy) -> Result<Placement, Fault> {
    let said = |name: &str| directives.get(name).map(String::as_str);
    let action = action(directives)?;
    let phase = policy.phase(said("phase")).ok_or_else(|| {
        let phases = policy.phases.iter().map(|phase| format!("`{phase}`")).collect::<Vec<_>>().join(", ");
        fault("phase", said("phase"), phases)
    })?;
    let unsaid = if action.is_some() { Mode::Action } else { Mode::default() };
    let mode = said("mode").map_or(Some(unsaid), |found| Mode::SAID.into_iter().find(|mode| mode.name() == found));
    let mode = mode.ok_or_else(|| fault("mode", said("mode"), "`manage`, `observe` or `patch`".to_owned()))?;
    let collision = said("collision").map(|found| {
        let expected = || "`Prevent`, `IfNoController` or `Force`".to_owned();
        found.parse().map_err(|_unknown| fault("collision", Some(found), expected()))
    });
    Ok(Placement { phase, mode, collision: collision.transpose()?, action })
}

/// The action that an object is.
fn action(directives: &BTreeMap<String, String>) -> Result<Option<Action>, Fault> {
    let said = |name: &str| directives.get(name).map(String::as_str);
    let Some(name) = said("action") else {
        let vain = ["on", "retry"].into_iter().find(|name| said(name).is_some());
        return vain.map_or(Ok(None), |name| Err(fault(name, said(name), "none without `action`".to_owned())));
    };
    if let Some(vain) = ["mode", "collision"].into_iter().find(|name| said(name).is_some()) {
        return Err(fault(vain, said(vain), "none beside `action`".to_owned()));
    }
    if name.is_empty() {
        return Err(fault("action", Some(name), "a name".to_owned()));
    }
    let on = said("on").map_or_else(|| Some(On::default()), On::named);
    let on = on.ok_or_else(|| fault("on", said("on"), "`apply` or `pre-delete`".to_owned()))?;
    let retry = said("retry")
        .map(|found| Retry::read(found).ok_or_else(|| fault("retry", Some(found), Retry::EXPECTED.to_owned())));
    Ok(Some(Action { name: name.to_owned(), on, retry: retry.transpose()? }))
}

/// What is wrong with an annotation of ours whatever stands beside it, in a chart with a policy. Which phases there are, only
/// the policy says.
pub fn by_itself(annotation: &str, found: &str) -> Option<Fault> {
    if annotation == "phase" {
        return None;
    }
    let mut said = BTreeMap::from([(annotation.to_owned(), found.to_owned())]);
    if matches!(annotation, "on" | "retry") {
        said.insert("action".to_owned(), "any".to_owned());
    }
    placement(&said, &Policy::default()).err()
}

/// The first annotation that only a chart with a policy understands.
pub fn of_policy(directives: &BTreeMap<String, String>) -> Option<Fault> {
    let (annotation, found) = OF_POLICIES.into_iter().find_map(|name| Some((name, directives.get(name)?)))?;
    Some(fault(annotation, Some(found), "none in a chart without `operator/policy.yaml`".to_owned()))
}

fn fault(annotation: &'static str, found: Option<&str>, expected: String) -> Fault {
    Fault { annotation, found: found.unwrap_or_default().to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn policy(text: &str) -> Policy {
        Policy::read(text, "operator/policy.yaml").unwrap()
    }

    #[test]
    fn an_object_is_managed_in_the_first_phase_unless_it_says_otherwise() {
        let policy = policy("phases: [a, b]");
        let place = |pairs: &[(&str, &str)]| placement(&said(pairs), &policy).unwrap();
        assert_eq!(place(&[]), Placement { phase: 0, mode: Mode::Manage, collision: None, action: None });
        let all = place(&[("phase", "b"), ("mode", "patch"), ("collision", "Force")]);
        let collision = Some(Collision::Force);
        assert_eq!(all, Placement { phase: 1, mode: Mode::Patch, collision, action: None });
    }

    #[test]
    fn an_action_says_when_it_runs_and_when_it_is_tried_again() {
        let policy = policy("phases: [a, b]");
        let place = |pairs: &[(&str, &str)]| placement(&said(pairs), &policy).unwrap();
        let found = place(&[("phase", "b"), ("action", "load")]);
        assert_eq!((found.phase, found.mode), (1, Mode::Action));
        assert_eq!(found.action, Some(Action { name: "load".to_owned(), on: On::Apply, retry: None }));
        let found =
            place(&[("action", "drop"), ("on", "pre-delete"), ("retry", "{after: 1m, max: 2}")]).action.unwrap();
        assert_eq!((found.on, found.retry), (On::PreDelete, Retry::read("{after: 1m, max: 2}")));
        assert!(found.retry.is_some());
    }

    #[test]
    fn what_an_annotation_says_by_itself_is_known_wherever_it_stands() {
        for (annotation, found, is_wrong) in [
            ("phase", "any", false),
            ("on", "pre-delete", false),
            ("on", "delete", true),
            ("retry", "10s", false),
            ("retry", "10", true),
            ("action", "x", false),
            ("action", "", true),
            ("mode", "action", true),
        ] {
            assert_eq!(by_itself(annotation, found).is_some(), is_wrong, "{annotation}: {found}");
        }
    }

    #[test]
    fn what_there_is_not_is_refused_with_what_there_is() {
        let policy = policy("phases: [a, b]");
        for (pairs, expected) in [
            (&[("phase", "c")][..], "annotation `chart-operator.dev/phase`: expected `a`, `b`, found `c`"),
            (
                &[("mode", "Patch")],
                "annotation `chart-operator.dev/mode`: expected `manage`, `observe` or `patch`, found `Patch`",
            ),
            (
                &[("collision", "Never")],
                "annotation `chart-operator.dev/collision`: expected `Prevent`, `IfNoController` or `Force`, found `Never`",
            ),
            (&[("on", "apply")], "annotation `chart-operator.dev/on`: expected none without `action`, found `apply`"),
            (
                &[("action", "x"), ("mode", "patch")],
                "annotation `chart-operator.dev/mode`: expected none beside `action`, found `patch`",
            ),
            (
                &[("action", "x"), ("on", "delete")],
                "annotation `chart-operator.dev/on`: expected `apply` or `pre-delete`, found `delete`",
            ),
            (
                &[("action", "x"), ("retry", "often")],
                "annotation `chart-operator.dev/retry`: expected a duration such as `10s`, or `{after: 10s, max: 3}`, \
                 found `often`",
            ),
        ] {
            assert_eq!(placement(&said(pairs), &policy).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn without_a_policy_its_annotations_are_refused() {
        let found = of_policy(&said(&[("mode", "patch"), ("recreate", "true")])).unwrap().to_string();
        assert_eq!(
            found,
            "annotation `chart-operator.dev/mode`: expected none in a chart without `operator/policy.yaml`, found `patch`"
        );
        assert_eq!(of_policy(&said(&[("recreate", "true")])), None);
    }
}
