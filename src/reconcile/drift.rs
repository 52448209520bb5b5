//! What is done about drift where the watch says that it is not put right.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::cluster::objects::Target;
use crate::reconcile::context::Memo;
use crate::reconcile::objects::Known;
use crate::reconcile::pass::{Pass, ServedKinds, log};
use crate::release::plan::{Applied, Observed, Plan, Reason, Step};
use crate::release::prepare::Prepared;
use crate::release::projection;
use crate::release::{Digest, FIELD_MANAGER, ObjectId};
use crate::watches::Drift;

/// An object that somebody changed or deleted, and that stays so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tolerated {
    /// The digest of what we own of it now; `None` where it is gone.
    state: Option<Digest>,
    /// What the user is told of it; nothing where drift is ignored.
    pub(crate) text: String,
}

/// Drift that is let be.
pub(crate) type Drifts = BTreeMap<ObjectId, Tolerated>;

impl Pass<'_> {
    /// Takes what would only put drift right out of a plan, unless the watch wants it put right. An object of which
    /// something else was rendered than was sent last is sent all the same.
    pub(crate) async fn tolerate(
        &self,
        plan: &mut Plan,
        observed: &Observed,
        served: &ServedKinds,
        memo: &Memo,
    ) -> Drifts {
        let mut drifts = Drifts::new();
        let mode = self.entry.watch.drift;
        if mode == Drift::Correct {
            return drifts;
        }
        let mut steps = Vec::new();
        for step in std::mem::take(&mut plan.steps) {
            let Some((object, state)) = only_drifted(&step, observed, memo) else {
                steps.push(step);
                continue;
            };
            let known = memo.drifts.get(&object.id).filter(|known| known.state == state);
            let text = match known {
                Some(known) => known.text.clone(),
                None if mode == Drift::Warn => self.tell_tolerated(object, state, served).await,
                None => String::new(),
            };
            drifts.insert(object.id.clone(), Tolerated { state, text });
        }
        plan.steps = steps;
        drifts
    }

    /// Whether a step would only put drift right that is let be.
    pub(crate) fn is_tolerated(&self, step: &Step, observed: &Observed, memo: &Memo) -> bool {
        self.entry.watch.drift != Drift::Correct && only_drifted(step, observed, memo).is_some()
    }

    /// Says once what has drifted, and by whom.
    async fn tell_tolerated(&self, object: &Prepared, state: Option<Digest>, served: &ServedKinds) -> String {
        let id = &object.id;
        let text = match state {
            None => format!("`{id}` was deleted"),
            Some(_) => format!("`{id}` was changed{}", self.changes(object, served).await.unwrap_or_default()),
        };
        // A process that has just started finds it told by the one before.
        if !self.is_told(&text) {
            log!(warn, self, "Drift found", object = id.to_string(), drift = text.as_str());
            self.warn("DriftDetected", text.clone());
        }
        text
    }

    /// The changed fields and who changed them, as far as a trial without a write shows it.
    async fn changes(&self, object: &Prepared, served: &ServedKinds) -> Option<String> {
        let served = served.get(&object.gvk())?;
        let target = Target { served, namespace: &object.id.namespace, name: &object.id.name };
        let live = self.cluster.get(target).await.ok()??;
        let corrected = self.cluster.try_apply(target, &object.body).await.ok()?;
        let changes = projection::changes(&live, &corrected, FIELD_MANAGER);
        let changes: Vec<_> = changes.iter().map(ToString::to_string).collect();
        (!changes.is_empty()).then(|| format!(": {}", changes.join(", ")))
    }

    /// What the user is told of drift that is let be; `None` where nothing is known of the resource yet.
    pub(crate) fn drift(&self) -> Option<String> {
        let memo = self.controller.memo(&self.key).filter(|memo| memo.uid == self.resource.uid())?;
        let warns = self.entry.watch.drift == Drift::Warn;
        let texts = memo.drifts.values().map(|drift| drift.text.as_str()).filter(|text| warns && !text.is_empty());
        Some(texts.collect::<Vec<_>>().join("; "))
    }

    /// Whether the condition says so already.
    fn is_told(&self, text: &str) -> bool {
        let conditions = self.resource.status().get("conditions").and_then(Json::as_array).into_iter().flatten();
        let mut drifted = conditions.filter(|condition| condition["type"] == "Drifted");
        drifted.any(|condition| {
            condition["message"].as_str().is_some_and(|message| message.split("; ").any(|told| told == text))
        })
    }

    /// Whether every object is there as it was sent and answered, or as it was found and let be; and none too many.
    pub(crate) fn is_in_sync(&self, memo: &Memo) -> bool {
        let ours = self.context.objects.of(&self.set);
        let tolerated = |id: &ObjectId| memo.drifts.get(id).filter(|_| self.entry.watch.drift != Drift::Correct);
        let as_known = |(id, applied): (&ObjectId, &Applied)| {
            let Some(Known { live, .. }) = ours.get(id) else {
                return tolerated(id).is_some_and(|drift| drift.state.is_none());
            };
            let as_left = || tolerated(id).is_some_and(|drift| drift.state.is_some() && drift.state == live.projection);
            live.uid == applied.uid && !live.deleting && (live.projection == Some(applied.projection) || as_left())
        };
        ours.keys().all(|id| memo.applied.contains_key(id)) && memo.applied.iter().all(as_known)
    }
}

/// The object of a step that would only put drift right, and its state. What carries our label no more is no drift: it would
/// not be found when it is to be taken down.
fn only_drifted<'a>(step: &'a Step, observed: &Observed, memo: &Memo) -> Option<(&'a Prepared, Option<Digest>)> {
    let Step::Apply { object, reason, .. } = step else { return None };
    let sent = |applied: &&Applied| applied.desired == object.digest;
    match reason {
        Reason::Drifted => Some((object, observed.ours.get(&object.id)?.projection)),
        Reason::Absent => memo.applied.get(&object.id).filter(sent).map(|_| (&**object, None)),
        _ => None,
    }
}
