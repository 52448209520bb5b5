//! The plan: what must be written so that the cluster is as rendered, and why.
//!
//! Everything that may be read has been read, nothing has been written. One row per cell of the ownership table is
//! tested; in sync means no step.

mod hooks;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::policy;
use crate::release::action::job::Progress;
use crate::release::hook::Event;
use crate::release::order::{self, Wave};
use crate::release::prepare::Prepared;
use crate::release::{Digest, Json, ObjectId, ReleaseId};

pub use hooks::{HookReason, HookStep, steps as hook_steps, unfinished as unfinished_hooks};

/// What is known of the cluster and of the last apply.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Objects that carry our part-of label.
    pub ours: BTreeMap<ObjectId, Live>,
    /// Objects under a desired name that are not known to carry it; looked at before the first write.
    pub foreign: BTreeMap<ObjectId, Foreign>,
    /// What is remembered of the last apply.
    pub applied: BTreeMap<ObjectId, Applied>,
}

/// One of our objects as the watch shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.resourceVersion`
    pub resource_version: String,
    /// Digest of the [projection](crate::release::projection); `None` where our field manager has no entry.
    pub projection: Option<Digest>,
    /// Whether it carries `helm.sh/resource-policy: keep`.
    pub keep: bool,
    /// Whether it has a `deletionTimestamp`.
    pub deleting: bool,
    /// How far it is, if it is the Job of an action.
    pub action: Option<Progress>,
}

/// An object under a desired name that is not known to be ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreign {
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.resourceVersion`
    pub resource_version: String,
    /// Its part-of label: the id of an ApplySet.
    pub part_of: Option<String>,
    /// Its controlling owner.
    pub controller: Option<Controller>,
    /// The release that Helm, by its annotations, made it for.
    pub helm_release: Option<ReleaseId>,
    /// Whether helm-operator's annotations, which stand where an ownerReference cannot, name our resource.
    pub names_us: bool,
    /// Whether our field manager has applied it.
    pub applied_by_us: bool,
    /// Its `managedFields` [migrated](crate::release::migrate) to us, where Helm owns fields of it.
    pub managed_fields: Option<Json>,
    /// Whether it has a `deletionTimestamp`.
    pub deleting: bool,
}

/// The ownerReference of an object that has `controller: true`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// `uid`
    pub uid: String,
    /// Kind and name, as users read it: `Deployment web`.
    pub description: String,
}

/// What is remembered of the last apply of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The uid that the apply answered.
    pub uid: String,
    /// [`Prepared::digest`] of what was sent.
    pub desired: Digest,
    /// Digest of the projection of the answer.
    pub projection: Digest,
}

/// What should be.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The objects in install order.
    pub objects: Vec<Arc<Prepared>>,
    /// Jobs of actions: they are ours too, and neither compared nor sent again.
    pub actions: Vec<Arc<Prepared>>,
    /// Id of the resource's ApplySet.
    pub part_of: String,
    /// The resource's uid.
    pub owner_uid: String,
    /// The release.
    pub release: ReleaseId,
    /// Which objects of others may be taken over.
    pub collision: policy::Collision,
    /// The same for single objects, where that is something else.
    pub collisions: BTreeMap<ObjectId, policy::Collision>,
    /// Ids of the ApplySet of each resource whose objects may be taken over whatever `collision` says.
    pub adopt_from: BTreeSet<String>,
    /// Objects that are rendered and not applied: where they are ours they stay so.
    pub spared: BTreeSet<ObjectId>,
    /// Hooks that run before the first object is written.
    pub before: Vec<HookStep>,
    /// Hooks that run when all objects are written.
    pub after: Vec<HookStep>,
}

/// What to do, in this order. Without steps and without `leaving`, the cluster is as rendered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Hooks, applies by wave, prunes, hooks.
    pub steps: Vec<Step>,
    /// Desired objects whose former self is still being deleted: to be applied when it is gone.
    pub leaving: Vec<ObjectId>,
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Run a hook to its end.
    Hook(HookStep),
    /// Send an object.
    Apply {
        /// What is sent.
        object: Arc<Prepared>,
        /// With which others it may be sent at the same time.
        wave: Wave,
        /// Why.
        reason: Reason,
    },
    /// Delete an object that is no longer rendered.
    Prune {
        /// The object.
        id: ObjectId,
        /// Precondition.
        uid: String,
        /// Precondition.
        resource_version: String,
    },
    /// Take label and ownerReference off an object that is no longer rendered but must be kept.
    Release {
        /// The object.
        id: ObjectId,
        /// Precondition.
        uid: String,
        /// Precondition.
        resource_version: String,
    },
}

/// Why an object is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It does not exist.
    Absent,
    /// Another content was rendered than was sent last.
    Changed,
    /// Somebody changed a field of ours.
    Drifted,
    /// It is ours, but what was sent last is not remembered, or not for this uid.
    Unknown,
    /// It is not marked as ours and is taken over.
    Adopt(Adoption),
}

/// How an object is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// Precondition: the live object's uid.
    pub uid: String,
    /// Precondition: the live object's resourceVersion.
    pub resource_version: String,
    /// What its `managedFields` become first, if Helm owns fields of it.
    pub managed_fields: Option<Json>,
    /// Whose it is.
    pub from: From,
    /// Whether its controller, which an apply of ours does not replace, is taken off first: there may be only one.
    pub clear_controller: bool,
}

/// Whose an object was that is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// Ours: controlled by our resource, or of the uid that we applied, only the label is missing.
    Ourselves,
    /// Helm's or helm-operator's, for this very release: its field ownership is migrated.
    Helm,
    /// Of the resource with this ApplySet id.
    ApplySet(String),
    /// Of another controller, whose ownerReference is cleared first.
    Controller(Controller),
    /// Nobody's.
    Nobody,
}

/// A desired object that belongs to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    /// The object.
    pub id: ObjectId,
    /// The template that rendered it.
    pub source: String,
    /// Whose it is.
    pub holder: Holder,
}

/// Who stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Another resource, by the id of its ApplySet.
    ApplySet(String),
    /// A controller.
    Controller(Controller),
    /// Helm, for another release.
    Helm(ReleaseId),
    /// Nobody that is known.
    Nobody,
}

/// A revision that is refused before any write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Every collision, in install order.
    pub collisions: Vec<Collision>,
}

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, collision) in self.collisions.iter().enumerate() {
            write!(f, "{}{collision}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Collision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} exists and ", self.id)?;
        match &self.holder {
            Holder::ApplySet(id) => write!(f, "belongs to another resource (ApplySet `{id}`)"),
            Holder::Controller(controller) => write!(f, "is controlled by {}", controller.description),
            Holder::Helm(release) => write!(f, "belongs to Helm's release {release}"),
            Holder::Nobody => f.write_str("was not made for this resource"),
        }
    }
}

impl Step {
    /// The object of the release that it is about.
    pub fn id(&self) -> Option<&ObjectId> {
        match self {
            Self::Hook(_) => None,
            Self::Apply { object, .. } => Some(&object.id),
            Self::Prune { id, .. } | Self::Release { id, .. } => Some(id),
        }
    }
}

impl fmt::Display for Reason {
    /// A predicate to the object's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("does not exist"),
            Self::Changed => f.write_str("is rendered differently"),
            Self::Drifted => f.write_str("was changed by somebody"),
            Self::Unknown => f.write_str("is ours, but it is not known what was sent last"),
            Self::Adopt(adoption) => match &adoption.from {
                From::Ourselves => f.write_str("is ours, but does not say so"),
                From::Helm => f.write_str("was made by Helm for this release"),
                From::ApplySet(id) => write!(f, "is taken over from another resource (ApplySet `{id}`)"),
                From::Controller(controller) => write!(f, "is taken over from {}", controller.description),
                From::Nobody => f.write_str("is nobody's and is taken over"),
            },
        }
    }
}

/// Compares what should be with what is.
///
/// # Errors
/// If a desired object belongs to another and may not be taken over, the whole revision is refused.
pub fn plan(observed: &Observed, desired: &Desired) -> Result<Plan, Refused> {
    let mut plan = Plan::default();
    let mut collisions = Vec::new();
    for object in &desired.objects {
        match state(observed, desired, object) {
            State::InSync => {}
            State::Leaving => plan.leaving.push(object.id.clone()),
            State::Apply(reason) => {
                plan.steps.push(Step::Apply { object: Arc::clone(object), wave: order::wave(&object.id.kind), reason });
            }
            State::Held(holder) => {
                collisions.push(Collision { id: object.id.clone(), source: object.source.clone(), holder });
            }
        }
    }
    if !collisions.is_empty() {
        return Err(Refused { collisions });
    }
    // A stable sort: within a wave the install order stays.
    plan.steps.sort_by_key(|step| if let Step::Apply { wave, .. } = step { Some(*wave) } else { None });
    plan.steps.extend(prunes(observed, desired));
    plan.add_hooks(desired.before.clone(), desired.after.clone());
    Ok(plan)
}

impl Plan {
    /// Whether objects that Helm made for this very release are taken over.
    pub fn takes_over_from_helm(&self) -> bool {
        let adopts = |step: &Step| matches!(step, Step::Apply { reason: Reason::Adopt(adoption), .. } if adoption.from == From::Helm);
        self.steps.iter().any(adopts)
    }

    /// Whether nothing is to be done or waited for.
    pub fn is_in_sync(&self) -> bool {
        self.steps.is_empty() && self.leaving.is_empty()
    }

    /// The hooks of an event.
    pub fn hooks(&self, event: Event) -> impl Iterator<Item = &HookStep> {
        self.steps.iter().filter_map(move |step| match step {
            Step::Hook(hook) if hook.event == event => Some(hook),
            _ => None,
        })
    }

    /// Adds the hooks that run before and after everything else.
    pub fn add_hooks(&mut self, before: Vec<HookStep>, after: Vec<HookStep>) {
        self.steps.splice(0..0, before.into_iter().map(Step::Hook));
        self.steps.extend(after.into_iter().map(Step::Hook));
    }

    /// The applies, wave by wave, each wave to be sent at once.
    pub fn waves(&self) -> Vec<Vec<(&Arc<Prepared>, &Reason)>> {
        self.waves_of(|_| true)
    }

    /// As [`Plan::waves`], of some objects only.
    pub fn waves_of(&self, wanted: impl Fn(&ObjectId) -> bool) -> Vec<Vec<(&Arc<Prepared>, &Reason)>> {
        let waves = [Wave::Definitions, Wave::Foundations, Wave::Workloads];
        let wanted = &wanted;
        let of = |of_wave| {
            self.steps
                .iter()
                .filter_map(move |step| match step {
                    Step::Apply { object, wave, reason } if *wave == of_wave && wanted(&object.id) => {
                        Some((object, reason))
                    }
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        waves.into_iter().map(of).filter(|wave| !wave.is_empty()).collect()
    }
}

/// What one desired object is, compared with what was observed.
enum State {
    InSync,
    Leaving,
    Apply(Reason),
    Held(Holder),
}

fn state(observed: &Observed, desired: &Desired, object: &Prepared) -> State {
    let applied = observed.applied.get(&object.id);
    if let Some(live) = observed.ours.get(&object.id) {
        return own_state(live, applied, object);
    }
    match observed.foreign.get(&object.id) {
        None => State::Apply(Reason::Absent),
        Some(foreign) if foreign.deleting => State::Leaving,
        Some(foreign) if foreign.part_of.as_ref() == Some(&desired.part_of) => State::Apply(Reason::Unknown),
        Some(foreign) => match take_over(foreign, applied, desired, allowed(desired, &object.id)) {
            Ok(from) => State::Apply(Reason::Adopt(Adoption {
                uid: foreign.uid.clone(),
                resource_version: foreign.resource_version.clone(),
                managed_fields: foreign.managed_fields.clone(),
                clear_controller: !foreign.applied_by_us
                    && foreign.controller.as_ref().is_some_and(|controller| controller.uid != desired.owner_uid),
                from,
            })),
            Err(holder) => State::Held(holder),
        },
    }
}

fn own_state(live: &Live, applied: Option<&Applied>, object: &Prepared) -> State {
    if live.deleting {
        return State::Leaving;
    }
    let Some(applied) = applied.filter(|applied| applied.uid == live.uid) else {
        return State::Apply(Reason::Unknown);
    };
    if applied.desired != object.digest {
        return State::Apply(Reason::Changed);
    }
    match live.projection {
        Some(projection) if projection == applied.projection => State::InSync,
        Some(_) => State::Apply(Reason::Drifted),
        None => State::Apply(Reason::Unknown),
    }
}

impl Desired {
    /// Who has the object under the name of an action's Job, if that is not us: a Job is created and never taken over.
    pub fn holder(&self, found: &Foreign) -> Option<Holder> {
        let controls = |controller: &Controller| controller.uid == self.owner_uid;
        if found
            .part_of
            .as_ref()
            .map_or_else(|| found.controller.as_ref().is_some_and(controls), |set| *set == self.part_of)
        {
            return None;
        }
        Some(match (&found.part_of, &found.controller, &found.helm_release) {
            (Some(other), ..) => Holder::ApplySet(other.clone()),
            (None, Some(controller), _) => Holder::Controller(controller.clone()),
            (None, None, Some(release)) => Holder::Helm(release.clone()),
            (None, None, None) => Holder::Nobody,
        })
    }
}

/// What `id` may take over.
fn allowed(desired: &Desired, id: &ObjectId) -> policy::Collision {
    desired.collisions.get(id).copied().unwrap_or(desired.collision)
}

/// Whether an object that is not marked as ours may be taken over, row by row of the ownership table.
fn take_over(
    foreign: &Foreign,
    applied: Option<&Applied>,
    desired: &Desired,
    collision: policy::Collision,
) -> Result<From, Holder> {
    let force = collision == policy::Collision::Force;
    if let Some(other) = &foreign.part_of {
        let allowed = force || desired.adopt_from.contains(other);
        return if allowed { Ok(From::ApplySet(other.clone())) } else { Err(Holder::ApplySet(other.clone())) };
    }
    let controlled = foreign.controller.as_ref();
    let by_helm = foreign.helm_release.as_ref() == Some(&desired.release);
    if let Some(other) = controlled.filter(|controller| controller.uid != desired.owner_uid) {
        return if force { Ok(From::Controller(other.clone())) } else { Err(Holder::Controller(other.clone())) };
    }
    let remembered = applied.is_some_and(|applied| applied.uid == foreign.uid);
    if remembered {
        return Ok(From::Ourselves);
    }
    // helm-operator's objects are controlled by our resource and bear Helm's annotations: they need the migration.
    if by_helm {
        return Ok(From::Helm);
    }
    if controlled.is_some() || foreign.names_us {
        return Ok(From::Ourselves);
    }
    if force || collision == policy::Collision::IfNoController {
        return Ok(From::Nobody);
    }
    Err(foreign.helm_release.clone().map_or(Holder::Nobody, Holder::Helm))
}

/// What is ours and no longer rendered, in uninstall order.
fn prunes(observed: &Observed, desired: &Desired) -> Vec<Step> {
    let wanted: BTreeSet<_> = desired.objects.iter().map(|object| &object.id).chain(&desired.spared).collect();
    // One object may be served under two groups; what is wanted under one of them stays.
    let wanted_uids: BTreeSet<_> =
        observed.ours.iter().filter(|(id, _)| wanted.contains(id)).map(|(_, live)| live.uid.as_str()).collect();
    let mut unwanted: Vec<_> = observed
        .ours
        .iter()
        .filter(|(id, live)| !wanted.contains(id) && !wanted_uids.contains(live.uid.as_str()) && !live.deleting)
        // An action is not cut off.
        .filter(|(_, live)| live.action.is_none_or(|action| action.has_ended))
        .collect();
    unwanted.sort_by(|(a, _), (b, _)| order::uninstall(&a.kind, &b.kind));
    unwanted
        .into_iter()
        .map(|(id, live)| {
            let (id, uid, resource_version) = (id.clone(), live.uid.clone(), live.resource_version.clone());
            if live.keep {
                Step::Release { id, uid, resource_version }
            } else {
                Step::Prune { id, uid, resource_version }
            }
        })
        .collect()
}
