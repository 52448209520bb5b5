//! How an object of a chart with a policy is carried out: in which phase, in which mode, and what it may take over.
//!
//! Annotations on the rendered object say so; none of them is ever sent.

use std::collections::BTreeMap;
use std::fmt;

use crate::policy::{Collision, Policy};
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
}

impl Mode {
    /// As the annotation says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manage => "manage",
            Self::Observe => "observe",
            Self::Patch => "patch",
        }
    }

    const ALL: [Self; 3] = [Self::Manage, Self::Observe, Self::Patch];
}

/// Where an object has its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Index of its phase among those of the policy.
    pub phase: usize,
    /// What is done with it.
    pub mode: Mode,
    /// What it may take over, if that is another than what the policy says.
    pub collision: Option<Collision>,
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
/// A phase that the policy does not have, another mode or collision than there are, or an action, which is not carried
/// out.
pub fn placement(directives: &BTreeMap<String, String>, policy: &Policy) -> Result<Placement, Fault> {
    let said = |name: &str| directives.get(name).map(String::as_str);
    if let Some(annotation) = ["action", "on", "retry"].into_iter().find(|name| said(name).is_some()) {
        return Err(fault(annotation, said(annotation), "none: actions are not carried out".to_owned()));
    }
    let phase = policy.phase(said("phase")).ok_or_else(|| {
        let phases = policy.phases.iter().map(|phase| format!("`{phase}`")).collect::<Vec<_>>().join(", ");
        fault("phase", said("phase"), phases)
    })?;
    let mode = said("mode")
        .map_or_else(|| Some(Mode::default()), |found| Mode::ALL.into_iter().find(|mode| mode.name() == found));
    let mode = mode.ok_or_else(|| fault("mode", said("mode"), "`manage`, `observe` or `patch`".to_owned()))?;
    let collision = said("collision").map(|found| {
        let expected = || "`Prevent`, `IfNoController` or `Force`".to_owned();
        found.parse().map_err(|_unknown| fault("collision", Some(found), expected()))
    });
    Ok(Placement { phase, mode, collision: collision.transpose()? })
}

/// What is wrong with an annotation of ours whatever stands beside it, in a chart with a policy. Which phases there are, only
/// the policy says.
pub fn by_itself(annotation: &str, found: &str) -> Option<Fault> {
    if annotation == "phase" {
        return None;
    }
    placement(&BTreeMap::from([(annotation.to_owned(), found.to_owned())]), &Policy::default()).err()
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
        assert_eq!(place(&[]), Placement { phase: 0, mode: Mode::Manage, collision: None });
        let all = place(&[("phase", "b"), ("mode", "patch"), ("collision", "Force")]);
        assert_eq!(all, Placement { phase: 1, mode: Mode::Patch, collision: Some(Collision::Force) });
    }

    #[test]
    fn what_there_is_not_is_refused_with_what_there_is() {
        let policy = policy("phases: [a, b]");
        for (pair, expected) in [
            (("phase", "c"), "annotation `chart-operator.dev/phase`: expected `a`, `b`, found `c`"),
            (
                ("mode", "Patch"),
                "annotation `chart-operator.dev/mode`: expected `manage`, `observe` or `patch`, found `Patch`",
            ),
            (
                ("collision", "Never"),
                "annotation `chart-operator.dev/collision`: expected `Prevent`, `IfNoController` or `Force`, found `Never`",
            ),
            (
                ("action", "x"),
                "annotation `chart-operator.dev/action`: expected none: actions are not carried out, found `x`",
            ),
        ] {
            assert_eq!(placement(&said(&[pair]), &policy).unwrap_err().to_string(), expected);
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
