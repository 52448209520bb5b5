//! What is done with a release, in Helm's words.
//!
//! Mirrors Helm v4.3.1, `pkg/action/{install,upgrade,rollback}.go`.

use crate::release::hook::Event;
use crate::release::record::Status;

/// A way to another revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To the first one that runs.
    Install,
    /// To the next one.
    Upgrade,
    /// To the content of an earlier one.
    Rollback {
        /// That one's revision.
        to: u32,
    },
}

impl Operation {
    /// The event of the hooks that run before the first object is written.
    pub const fn before(self) -> Event {
        match self {
            Self::Install => Event::PreInstall,
            Self::Upgrade => Event::PreUpgrade,
            Self::Rollback { .. } => Event::PreRollback,
        }
    }

    /// The event of the hooks that run when all objects are written.
    pub const fn after(self) -> Event {
        match self {
            Self::Install => Event::PostInstall,
            Self::Upgrade => Event::PostUpgrade,
            Self::Rollback { .. } => Event::PostRollback,
        }
    }

    /// The status of its record while it is under way.
    pub const fn pending(self) -> Status {
        match self {
            Self::Install => Status::PendingInstall,
            Self::Upgrade => Status::PendingUpgrade,
            Self::Rollback { .. } => Status::PendingRollback,
        }
    }

    /// The description of its record while it is under way.
    pub fn begun(self) -> String {
        match self {
            Self::Install => "Initial install underway".to_owned(),
            Self::Upgrade => "Preparing upgrade".to_owned(),
            Self::Rollback { .. } => self.done(),
        }
    }

    /// The description of its record once it is through.
    pub fn done(self) -> String {
        match self {
            Self::Install => "Install complete".to_owned(),
            Self::Upgrade => "Upgrade complete".to_owned(),
            Self::Rollback { to } => format!("Rollback to {to}"),
        }
    }

    /// The description of its record when it failed with `error`.
    pub fn failed(self, release: &str, error: &str) -> String {
        let what = match self {
            Self::Install => "Release",
            Self::Upgrade => "Upgrade",
            Self::Rollback { .. } => "Rollback",
        };
        format!("{what} {release:?} failed: {error}")
    }

    /// The error of a hook of `event`.
    pub fn hook_failed(self, event: Event, error: &str) -> String {
        match self {
            Self::Install => format!("failed {}: {error}", event.name()),
            Self::Upgrade => format!("{} hooks failed: {error}", event.name()),
            Self::Rollback { .. } => error.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_its_events_status_and_words() {
        let cases = [
            (
                Operation::Install,
                (Event::PreInstall, Event::PostInstall, "pending-install"),
                ("Install complete", "Release \"web\" failed: x", "failed pre-install: x"),
            ),
            (
                Operation::Upgrade,
                (Event::PreUpgrade, Event::PostUpgrade, "pending-upgrade"),
                ("Upgrade complete", "Upgrade \"web\" failed: x", "pre-upgrade hooks failed: x"),
            ),
            (
                Operation::Rollback { to: 3 },
                (Event::PreRollback, Event::PostRollback, "pending-rollback"),
                ("Rollback to 3", "Rollback \"web\" failed: x", "x"),
            ),
        ];
        for (operation, events, words) in cases {
            assert_eq!((operation.before(), operation.after(), operation.pending().name()), events);
            let found =
                (operation.done(), operation.failed("web", "x"), operation.hook_failed(operation.before(), "x"));
            assert_eq!((found.0.as_str(), found.1.as_str(), found.2.as_str()), words);
        }
    }
}
