//! `operator/policy.yaml`: in which order the objects of a chart are carried out, when they are ready, and which objects of
//! others may be taken over.
//!
//! The text is what the chart's template rendered. It is refused with every fault at once, before anything is written.

mod cel;
mod probes;
mod read;
#[cfg(test)]
mod tests;

use std::str::FromStr;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::shape::Shape;

pub use probes::{Error, Probes};

/// What a chart says about how it is carried out. The default is that of a chart without such a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The phases in their order; never empty. Where the file names none, there is one without a name.
    pub phases: Vec<String>,
    /// What ready means. `None`: the rules of [`crate::readiness`]; even without any probe it replaces those.
    pub probes: Option<Arc<Probes>>,
    /// Which objects of nobody known may be taken over.
    pub collision: Collision,
    /// Resources whose objects may be taken over.
    pub adopt_from: Vec<Reference>,
}

/// Which objects of others may be taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collision {
    /// None, but for those that Helm made for this very release.
    #[default]
    Prevent,
    /// Those that nobody controls.
    IfNoController,
    /// All.
    Force,
}

/// A resource whose objects may be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Empty for the core group.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// `None`: that of the resource that takes over.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Default for Policy {
    fn default() -> Self {
        Self { phases: vec![String::new()], probes: None, collision: Collision::default(), adopt_from: Vec::new() }
    }
}

impl Policy {
    /// What the file may hold.
    pub const SHAPE: Shape = read::POLICY;

    /// Reads the rendered text of a policy file that users know as `path`.
    ///
    /// # Errors
    /// Every fault, in order of place.
    pub fn read(text: &str, path: &str) -> Result<Self, Vec<Diagnostic>> {
        read::policy(text, path)
    }

    /// Whether there are no probes: nothing is asked then of an object that is only patched.
    pub fn asks_nothing(&self) -> bool {
        self.probes.as_ref().is_none_or(|probes| probes.0.is_empty())
    }

    /// The place of a phase in their order; the first where none is named, `None` where there is no such phase.
    pub fn phase(&self, name: Option<&str>) -> Option<usize> {
        let Some(name) = name else { return Some(0) };
        self.phases.iter().position(|phase| phase == name)
    }
}

impl Collision {
    /// The names of all, as users write them.
    pub const NAMES: [&str; 3] = ["Prevent", "IfNoController", "Force"];
}

impl FromStr for Collision {
    type Err = UnknownCollision;

    fn from_str(text: &str) -> Result<Self, UnknownCollision> {
        match text {
            "Prevent" => Ok(Self::Prevent),
            "IfNoController" => Ok(Self::IfNoController),
            "Force" => Ok(Self::Force),
            _ => Err(UnknownCollision(text.to_owned())),
        }
    }
}

/// A text that names no [`Collision`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `Prevent`, `IfNoController` or `Force`, found `{0}`")]
pub struct UnknownCollision(String);
