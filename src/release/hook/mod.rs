//! Helm's hooks: objects that are run at a point of a release's life instead of being kept.
//!
//! Mirrors Helm v4.3.1, `pkg/release/v1/hook.go` and `pkg/release/v1/util/manifest_sorter.go`.

pub mod run;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::release::labels;

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// Before the first object of the first revision is written.
    PreInstall,
    /// After the first revision is ready.
    PostInstall,
    /// Before the objects are deleted.
    PreDelete,
    /// After the objects are gone.
    PostDelete,
    /// Before the first object of a later revision is written.
    PreUpgrade,
    /// After a later revision is ready.
    PostUpgrade,
    /// Before going back to an earlier revision.
    PreRollback,
    /// After going back to an earlier revision.
    PostRollback,
    /// On `helm test` only; an operator never runs it.
    Test,
}

impl Event {
    /// Helm's name of it, as it stands in annotations and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreInstall => "pre-install",
            Self::PostInstall => "post-install",
            Self::PreDelete => "pre-delete",
            Self::PostDelete => "post-delete",
            Self::PreUpgrade => "pre-upgrade",
            Self::PostUpgrade => "post-upgrade",
            Self::PreRollback => "pre-rollback",
            Self::PostRollback => "post-rollback",
            Self::Test => "test",
        }
    }

    /// The event of that name, lower case; `test-success` is what Helm 2 called `test`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "pre-install" => Self::PreInstall,
            "post-install" => Self::PostInstall,
            "pre-delete" => Self::PreDelete,
            "post-delete" => Self::PostDelete,
            "pre-upgrade" => Self::PreUpgrade,
            "post-upgrade" => Self::PostUpgrade,
            "pre-rollback" => Self::PreRollback,
            "post-rollback" => Self::PostRollback,
            "test" | "test-success" => Self::Test,
            _ => return None,
        })
    }
}

/// When the object of a hook is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeletePolicy {
    /// When it succeeded.
    HookSucceeded,
    /// When it failed.
    HookFailed,
    /// Just before it is created anew. The default.
    BeforeHookCreation,
}

impl DeletePolicy {
    /// Helm's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HookSucceeded => "hook-succeeded",
            Self::HookFailed => "hook-failed",
            Self::BeforeHookCreation => "before-hook-creation",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::HookSucceeded, Self::HookFailed, Self::BeforeHookCreation]
            .into_iter()
            .find(|policy| policy.name() == name)
    }
}

/// One hook: a document with the annotation `helm.sh/hook`, all of whose events are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// `metadata.name`.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// The template, for instance `demo/templates/job.yaml`.
    pub path: String,
    /// Its text.
    pub manifest: String,
    /// When it runs, in the order in which they are written.
    pub events: Vec<Event>,
    /// Its place among the hooks of one event, lowest first.
    pub weight: i64,
    /// When it is deleted, as written: names that nobody knows have no effect but are stored in the record.
    pub delete_policies: Vec<String>,
    /// When its logs are shown, as written.
    pub output_log_policies: Vec<String>,
}

impl Hook {
    /// Whether its object is deleted at that point. A hook that says nothing is deleted before it is created anew; a
    /// `CustomResourceDefinition` never, since its resources would go with it.
    pub fn deletes(&self, policy: DeletePolicy) -> bool {
        if self.kind == "CustomResourceDefinition" {
            return false;
        }
        if self.delete_policies.is_empty() {
            return policy == DeletePolicy::BeforeHookCreation;
        }
        self.delete_policies.iter().any(|name| DeletePolicy::named(name) == Some(policy))
    }

    /// A hook of the head of a document: `None` if one of its events is unknown, which Helm skips with a notice.
    pub(crate) fn parse(head: Head<'_>, manifest: &str) -> Option<Self> {
        let Head { path, kind, name, annotations } = head;
        let events = words(annotations.get(labels::HOOK)?).map(|word| Event::named(&word)).collect::<Option<_>>()?;
        let listed = |key| annotations.get(key).map(|text| words(text).collect()).unwrap_or_default();
        Some(Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            path: path.to_owned(),
            manifest: manifest.to_owned(),
            events,
            weight: annotations.get(labels::HOOK_WEIGHT).and_then(|text| text.parse().ok()).unwrap_or_default(),
            delete_policies: listed(labels::HOOK_DELETE_POLICY),
            output_log_policies: listed(labels::HOOK_OUTPUT_LOG_POLICY),
        })
    }
}

/// What is read of a document before it is known to be a hook.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    /// The template.
    pub(crate) path: &'a str,
    /// Kind, maybe empty.
    pub(crate) kind: &'a str,
    /// Name, maybe empty.
    pub(crate) name: &'a str,
    /// Annotations.
    pub(crate) annotations: &'a BTreeMap<String, String>,
}

/// Comma-separated words, trimmed and in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(',').map(|word| word.trim().to_lowercase())
}

/// The hooks of one event, by their places in `hooks`, in the order in which they run: by weight, then name; equal ones by
/// kind as in `hooks` (Helm v4.3.1, `pkg/action/hooks.go`: a stable sort over the install order).
///
/// There are none for [`Event::Test`].
pub fn of_event(hooks: &[Hook], event: Event) -> Vec<usize> {
    if event == Event::Test {
        return Vec::new();
    }
    let mut found: Vec<_> = hooks.iter().enumerate().filter(|(_, hook)| hook.events.contains(&event)).collect();
    found.sort_by(|(_, a), (_, b)| a.weight.cmp(&b.weight).then_with(|| a.name.cmp(&b.name)));
    found.into_iter().map(|(place, _)| place).collect()
}
