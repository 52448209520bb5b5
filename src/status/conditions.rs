//! The conditions of a resource: the only place where one is written.
//!
//! `Ready`, `Reconciling` and `Stalled` mean what kstatus says; the last two, and our own `Paused` and `Drifted`, exist only
//! while they are true. The other
//! four are operator-sdk's (v1.42.3, `internal/helm/internal/types`), with its rules of presence: `ReleaseFailed` and
//! `Irreconcilable` are removed, not set to False, when the fault is gone.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::status::message::cut;

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// The operator has seen the resource.
    Initialized,
    /// A revision runs.
    Deployed,
    /// The last install, upgrade or uninstall failed.
    ReleaseFailed,
    /// What is in the cluster cannot be compared with what was rendered, or not be repaired.
    Irreconcilable,
    /// All objects are as rendered, and ready.
    Ready,
    /// The operator is at work, or waits for the cluster.
    Reconciling,
    /// The operator waits for the user.
    Stalled,
    /// The user has asked the operator to leave the resource alone.
    Paused,
    /// Somebody has changed or deleted objects, and they stay so.
    Drifted,
}

impl Condition {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 9] = [
        Self::Initialized,
        Self::Deployed,
        Self::ReleaseFailed,
        Self::Irreconcilable,
        Self::Ready,
        Self::Reconciling,
        Self::Stalled,
        Self::Paused,
        Self::Drifted,
    ];

    /// Its `type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initialized => "Initialized",
            Self::Deployed => "Deployed",
            Self::ReleaseFailed => "ReleaseFailed",
            Self::Irreconcilable => "Irreconcilable",
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::Paused => "Paused",
            Self::Drifted => "Drifted",
        }
    }

    /// Whether operator-sdk writes it, without `observedGeneration`.
    const fn is_of_operator_sdk(self) -> bool {
        matches!(self, Self::Initialized | Self::Deployed | Self::ReleaseFailed | Self::Irreconcilable)
    }

    /// Whether it tells of something that needs the user.
    const fn is_alarming(self) -> bool {
        matches!(self, Self::ReleaseFailed | Self::Irreconcilable | Self::Stalled | Self::Drifted)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Declares the reasons with their names, so that no name is written twice.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Why a condition is as it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// As it stands in `reason`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }
    };
}

reasons! {
    /// The first revision was installed.
    InstallSuccessful,
    /// A later revision was installed.
    UpgradeSuccessful,
    /// Everything was removed.
    UninstallSuccessful,
    /// The first revision could not be installed.
    InstallError,
    /// A later revision could not be installed.
    UpgradeError,
    /// Something could not be removed.
    UninstallError,
    /// What is in the cluster could not be compared or repaired.
    ReconcileError,
    /// Everything is as rendered, and ready.
    Succeeded,
    /// Objects are being applied, or are not ready yet.
    Progressing,
    /// The chart asked to wait for something.
    Waiting,
    /// The resource is paused by annotation.
    Paused,
    /// It is being removed.
    Uninstalling,
    /// An object says that it has failed.
    ObjectFailed,
    /// A call failed that is tried again.
    Retrying,
    /// The chart could not be rendered with these values.
    RenderFailed,
    /// Rendering took more than it may.
    RenderBudgetExceeded,
    /// An object belongs to another.
    CollisionDetected,
    /// The API server refuses an object.
    Refused,
    /// The operator may not do what is needed.
    Forbidden,
    /// A rendered object is not among those that the watch allows.
    Restricted,
    /// An annotation of the resource cannot be read.
    InvalidAnnotation,
    /// Somebody has changed or deleted objects.
    DriftDetected,
    /// A hook failed.
    HookFailed,
    /// A Job of the chart failed.
    ActionFailed,
    /// `operator/policy.yaml` is wrong.
    PolicyInvalid,
    /// `operator/status.yaml` is wrong.
    StatusFailed,
    /// Something stands in the way of removing it.
    TeardownBlocked,
    /// Somebody else changes the same fields again and again.
    Contended,
    /// Our own writes made the chart render something else, again and again.
    Unstable,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a condition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// `True`
    True,
    /// `False`
    False,
    /// `Unknown`
    Unknown,
}

impl Truth {
    /// As it stands in `status`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// How loud an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// `Normal`
    Normal,
    /// `Warning`
    Warning,
}

impl Severity {
    /// As it stands in an event's `type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// A condition whose status or reason has changed: an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The condition's type.
    pub condition: Cow<'static, str>,
    /// How loud the event is.
    pub severity: Severity,
    /// The event's reason.
    pub reason: Cow<'static, str>,
    /// The event's message.
    pub message: String,
}

/// The conditions of one resource while they are changed.
///
/// Conditions of types that are not ours are kept as they are. `lastTransitionTime` changes with `status` alone.
#[derive(Clone, Debug)]
pub struct Conditions {
    items: Vec<Json>,
    at: Timestamp,
    generation: Option<i64>,
    transitions: Vec<Transition>,
}

impl Conditions {
    /// Those of a stored status, to be changed at `at` for the resource's `generation` (none for a kind without a status
    /// subresource).
    pub fn of(status: Option<&Json>, at: Timestamp, generation: Option<i64>) -> Self {
        let items = status.and_then(|status| status.get("conditions")).and_then(Json::as_array);
        Self { items: items.cloned().unwrap_or_default(), at, generation, transitions: Vec::new() }
    }

    /// Sets a condition. Without a reason (operator-sdk's `Initialized`), reason and message are left out.
    pub fn set(&mut self, condition: Condition, truth: Truth, reason: Option<Reason>, message: &str) {
        let position = self.position(condition);
        let before = position.and_then(|position| self.items.get(position));
        let same = |field, value: Option<&str>| before.and_then(|before| before.get(field)?.as_str()) == value;
        let same_truth = same("status", Some(truth.name()));
        let since = before.filter(|_| same_truth).and_then(|before| before.get("lastTransitionTime")?.as_str());
        let since = since.map_or_else(|| seconds(self.at), str::to_owned);
        let message = cut(message);
        if let Some(reason) = reason.filter(|reason| !(same_truth && same("reason", Some(reason.name())))) {
            let severity = severity(condition, truth);
            let (condition, reason) = (condition.name().into(), reason.name().into());
            self.transitions.push(Transition { condition, severity, reason, message: message.clone() });
        }
        let mut item = Map::new();
        let mut put = |field: &str, value: Json| item.insert(field.to_owned(), value);
        put("type", condition.name().into());
        put("status", truth.name().into());
        put("lastTransitionTime", since.into());
        if let Some(reason) = reason {
            put("reason", reason.name().into());
            put("message", message.into());
        }
        if let Some(generation) = self.generation.filter(|_| !condition.is_of_operator_sdk()) {
            put("observedGeneration", generation.into());
        }
        match position.and_then(|position| self.items.get_mut(position)) {
            Some(slot) => *slot = Json::Object(item),
            None => self.items.push(Json::Object(item)),
        }
    }

    /// Removes a condition.
    pub fn remove(&mut self, condition: Condition) {
        self.items.retain(|item| item.get("type").and_then(Json::as_str) != Some(condition.name()));
    }

    /// What a condition says, if it is there.
    pub fn truth(&self, condition: Condition) -> Option<Truth> {
        let item = self.items.get(self.position(condition)?)?;
        let status = item.get("status").and_then(Json::as_str);
        [Truth::True, Truth::False, Truth::Unknown].into_iter().find(|truth| Some(truth.name()) == status)
    }

    /// The list to be stored, and the events.
    pub fn finish(self) -> (Json, Vec<Transition>) {
        (json!(self.items), self.transitions)
    }

    fn position(&self, condition: Condition) -> Option<usize> {
        self.items.iter().position(|item| item.get("type").and_then(Json::as_str) == Some(condition.name()))
    }
}

fn severity(condition: Condition, truth: Truth) -> Severity {
    if condition.is_alarming() && truth == Truth::True { Severity::Warning } else { Severity::Normal }
}

/// A time as Kubernetes stores it: whole seconds, UTC.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
