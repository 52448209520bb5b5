//! What the user reads of a pass: one status patch if anything is different, events, and the log.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::cluster;
use crate::cluster::events::{EventType, News};
use crate::cluster::objects::Part;
use crate::reconcile::carry_out::Outcome;
use crate::reconcile::context::Memo;
use crate::reconcile::history::{Failed, Then};
use crate::reconcile::hooks::{Held, POLL};
use crate::reconcile::objects::Known;
use crate::reconcile::pass::{Cause, Failure, Pass, Progress, Refusal, log};
use crate::reconcile::queue::Again;
use crate::release::projection::Change;
use crate::release::{Digest, ObjectId, labels};
use crate::status::{self, Blocker, Deployed, FailedStep, Fate, Occasion, Reason, Report, Severity};

impl Pass<'_> {
    /// Reports `progress`, and says when to look again.
    pub(crate) async fn report(&self, memo: &Memo, former: &Memo, progress: Progress) -> Result<Again, Failure> {
        self.tell(memo, former, &progress);
        let (outcome, again) = match &progress {
            Progress::InSync => self.applied(memo).await?,
            Progress::CarriedOut(outcome) if outcome.is_complete() => self.applied(memo).await?,
            Progress::CarriedOut(outcome) => self.incomplete(memo, outcome),
            Progress::Refused(refusal) => (failed(memo, refusal), self.later()),
            Progress::Failed(failed) => (self.failed(memo, failed), self.later()),
        };
        self.write_status(&outcome).await?;
        if matches!(outcome, status::Outcome::Applied { .. }) {
            self.controller.forget_notes(&self.key);
        }
        Ok(again)
    }

    /// Reports what a plan came to; `asked` is what the user asks for.
    pub(crate) async fn report_carried_out(
        &self,
        memo: &Memo,
        former: &Memo,
        asked: Digest,
        outcome: Outcome,
    ) -> Result<Again, Failure> {
        let failed = memo.failed.clone().filter(|failed| failed.asked == asked && failed.then != Then::Retry);
        let Some(failed) = failed else { return self.report(memo, former, Progress::CarriedOut(outcome)).await };
        // What was put back reads something else.
        self.would_fail_again(&failed).await?;
        self.tell_outcome(memo, former, &outcome);
        if matches!(outcome.hook, Some(Held::Running { .. } | Held::Leaving(_))) {
            // A hook of a rollback is under way.
            let (status, again) = self.incomplete(memo, &outcome);
            self.write_status(&status).await?;
            return Ok(again);
        }
        self.write_status(&self.failed(memo, &failed)).await?;
        Ok(if failed.then == Then::RollBack { Again::After(Duration::ZERO) } else { self.later() })
    }

    /// What was asked for has failed; another revision may run.
    fn failed(&self, memo: &Memo, failed: &Failed) -> status::Outcome {
        let (reason, message) = (failed.reason, failed.message.clone());
        match memo.revision() {
            0 => status::Outcome::Failed { step: FailedStep::Install, reason, message, fate: Fate::WaitForUser },
            revision => {
                let deployed = Deployed { name: self.release.name.clone(), revision };
                status::Outcome::Kept { deployed, reason, message }
            }
        }
    }

    /// Reports a call that is refused until somebody grants or mends something: the user reads conditions, not our log.
    pub(crate) async fn report_call(&self, error: &cluster::Error) -> Result<(), cluster::Error> {
        let memo = self.controller.memo(&self.key).filter(|memo| memo.uid == self.resource.uid()).unwrap_or_default();
        let step = if self.resource.is_deleting() { FailedStep::Uninstall } else { step(&memo, Cause::Render) };
        let reason = if error.is_forbidden() { Reason::Forbidden } else { Reason::Refused };
        let message = error.message();
        self.write_status(&status::Outcome::Failed { step, reason, message, fate: Fate::WaitForUser }).await
    }

    /// The revision runs; some of its objects may not be ready yet.
    async fn applied(&self, memo: &Memo) -> Result<(status::Outcome, Again), cluster::Error> {
        let notes = match &memo.notes {
            Some(notes) => notes.clone(),
            // A status that the chart gives does not tell them.
            None if self.entry.has_status() => String::new(),
            None => self.notes_of(memo.revision().max(1)).await?,
        };
        let deployed = Deployed { name: self.release.name.clone(), revision: memo.revision().max(1) };
        let objects = self.context.objects.of(&self.set);
        let mut waiting: Vec<_> = objects.into_iter().filter(|(_, known)| !known.readiness.is_current()).collect();
        // What has failed is told before what only takes its time.
        waiting.sort_by_key(|(_, known)| known.readiness.status != crate::readiness::Status::Failed);
        let (blocker, again) = if let Some((id, known)) = waiting.into_iter().next() {
            self.blocker(id, known).await
        } else {
            self.context.looks.forget(&self.set);
            (None, self.later())
        };
        Ok((status::Outcome::Applied { deployed, notes, blocker }, again))
    }

    /// What stands in the way, with its cause, and when to look for that again.
    async fn blocker(&self, id: ObjectId, known: Known) -> (Option<Blocker>, Again) {
        let (mut cause, mut again) = (None, self.later());
        if known.may_have_cause {
            let sight = self.look_below(&id, &known.readiness).await;
            again = match again {
                Again::After(period) => Again::After(period.min(sight.wait)),
                _ => Again::After(sight.wait),
            };
            cause = sight.cause.map(|cause| cause.to_string());
        }
        (Some(Blocker { id, readiness: known.readiness, cause }), again)
    }

    /// The NOTES of a revision, where no render of this pass or the one before tells them: they stand in the
    /// status, or in the record, if the last one was cut off between the two.
    async fn notes_of(&self, revision: u32) -> Result<String, cluster::Error> {
        let status = self.resource.status();
        if status.pointer("/deployedRelease/revision").and_then(Json::as_u64) != Some(revision.into()) {
            let record = self.cluster.record(&self.release, revision).await?;
            return Ok(record.map(|record| record.info.notes).unwrap_or_default());
        }
        let conditions = status.get("conditions").and_then(Json::as_array);
        let deployed = conditions.into_iter().flatten().find(|condition| condition["type"] == "Deployed");
        let message = deployed.and_then(|condition| condition.get("message")).and_then(Json::as_str);
        Ok(message.unwrap_or_default().to_owned())
    }

    /// Some objects were not accepted, or their former selves are not gone yet.
    fn incomplete(&self, memo: &Memo, outcome: &Outcome) -> (status::Outcome, Again) {
        match &outcome.hook {
            None => {}
            Some(Held::Failed(message)) => {
                let failed = (step(memo, Cause::Apply), Reason::HookFailed, message.clone());
                let (step, reason, message) = failed;
                return (status::Outcome::Failed { step, reason, message, fate: Fate::WaitForUser }, self.later());
            }
            Some(Held::Running { message, wake }) => return (progressing(message), Again::After(*wake)),
            Some(Held::Leaving(message)) => return (progressing(message), Again::After(POLL)),
        }
        let Some((id, error)) = outcome.failures.first_key_value() else {
            if let Some((id, wait)) = outcome.contended.first_key_value() {
                return contended(memo, id, *wait);
            }
            let gone = |id: &ObjectId| format!("`{id}` is being deleted");
            let message = outcome.leaving.iter().map(gone).collect::<Vec<_>>().join("; ");
            // Woken by the watch when it is gone.
            return (progressing(&message), self.later());
        };
        tracing::debug!(target: "helm.controller", object = id.to_string(), error = error.message(), "Object not applied");
        let message = outcome.message_of(error);
        let step = self.failed_step(memo);
        if outcome.may_succeed_later() {
            let failed = status::Outcome::Failed { step, reason: Reason::Retrying, message, fate: Fate::Retry };
            return (failed, Again::after_failure(outcome.retry_after()));
        }
        let reason = if error.is_forbidden() { Reason::Forbidden } else { Reason::Refused };
        (status::Outcome::Failed { step, reason, message, fate: Fate::WaitForUser }, self.later())
    }

    /// Log lines and events that tell what was done, in operator-sdk's words.
    fn tell(&self, memo: &Memo, former: &Memo, progress: &Progress) {
        match progress {
            Progress::InSync => log!(debug, self, "Reconciled release"),
            Progress::Refused(refusal) if refusal.cause == Cause::Release => {
                log!(error, self, "Failed to get release manager", error = refusal.message.as_str());
            }
            Progress::Refused(refusal) => match step(memo, refusal.cause) {
                FailedStep::Reconcile => log!(error, self, "Failed to sync release", error = refusal.message.as_str()),
                step => self.tell_failure(step, &refusal.message),
            },
            Progress::CarriedOut(outcome) => self.tell_outcome(memo, former, outcome),
            Progress::Failed(_) => log!(debug, self, "Reconciled release"),
        }
    }

    fn tell_outcome(&self, memo: &Memo, former: &Memo, outcome: &Outcome) {
        for error in outcome.failures.values() {
            self.tell_failure(self.failed_step(memo), &error.message());
        }
        if let Some(Held::Failed(message)) = &outcome.hook {
            log!(error, self, "Release failed", error = message.as_str());
        }
        for (id, changes) in &outcome.corrected {
            self.tell_drift(id, changes);
        }
        self.tell_revision(memo, former);
    }

    pub(crate) fn tell_revision(&self, memo: &Memo, former: &Memo) {
        if memo.revision() == former.revision() {
            log!(debug, self, "Reconciled release");
        } else if former.revision() == 0 {
            log!(info, self, "Installed release");
        } else if memo.failed.is_some() {
            log!(info, self, "Rolled back release");
        } else {
            log!(info, self, "Upgraded release", force = self.is_asked_for(labels::UPGRADE_FORCE));
        }
    }

    /// At which step objects were not accepted: what was recorded before is only repaired.
    pub(crate) fn failed_step(&self, memo: &Memo) -> FailedStep {
        if memo.recorded == Some(self.inputs()) { FailedStep::Reconcile } else { step(memo, Cause::Apply) }
    }

    pub(crate) fn tell_failure(&self, step: FailedStep, error: &str) {
        if step == FailedStep::Reconcile {
            log!(error, self, "Failed to reconcile release", error = error);
        } else {
            log!(error, self, "Release failed", error = error);
        }
    }

    pub(crate) fn tell_drift(&self, id: &ObjectId, changes: &[Change]) {
        let changes = changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        log!(info, self, "Corrected drift", object = id.to_string(), changes = changes.as_str());
        let message = format!("`{id}` has been put back: {changes}");
        self.publish(EventType::Normal, "DriftCorrected", message);
    }

    /// The event that operator-sdk publishes before it uses override values.
    pub(crate) fn tell_overrides(&self) {
        for (name, value) in &self.entry.overridden {
            let value = if self.context.suppress_override_values { "****" } else { value };
            let message = format!("Chart value {name:?} overridden to {value:?} by operator's watches.yaml");
            self.publish(EventType::Warning, "OverrideValuesInUse", message);
        }
    }

    /// A warning for the user that is no condition's transition.
    pub(crate) fn warn(&self, reason: &str, message: String) {
        self.publish(EventType::Warning, reason, message);
    }

    /// Publishes an event, beside the pass: nobody waits for it.
    pub(crate) fn publish(&self, event_type: EventType, reason: &str, message: String) {
        let resource = ObjectReference {
            api_version: Some(self.resource.api_version().to_owned()),
            kind: Some(self.resource.kind().to_owned()),
            name: Some(self.resource.name().to_owned()),
            namespace: Some(self.resource.namespace().to_owned()),
            uid: Some(self.resource.uid().to_owned()),
            resource_version: Some(self.resource.resource_version().to_owned()),
            field_path: None,
        };
        let news = News { event_type, reason: reason.to_owned(), message };
        let (cluster, component) = (self.context.operator.clone(), self.controller.name.clone());
        tokio::spawn(async move { cluster.publish(&resource, &component, &news, Timestamp::now()).await });
    }

    /// Writes the status if it would be another, as one merge patch that fails if somebody has written meanwhile.
    pub(crate) async fn write_status(&self, outcome: &status::Outcome) -> Result<(), cluster::Error> {
        if self.entry.has_status() {
            return Box::pin(self.write_given_status(outcome)).await;
        }
        self.put_status(|old, occasion| status::report(old, outcome, occasion)).await
    }

    /// As [`Pass::write_status`], for the status that `report` makes of the old one.
    pub(crate) async fn put_status(
        &self,
        report: impl FnOnce(Option<&Json>, &Occasion) -> Report,
    ) -> Result<(), cluster::Error> {
        let resource = self.current();
        let has_status = self.controller.served.status;
        let occasion = Occasion {
            at: Timestamp::now(),
            generation: if has_status { self.generation() } else { None },
            drift: self.drift(),
            handled: self.requested().filter(|_| self.pause().is_none()).map(str::to_owned),
        };
        if let Some(request) = &occasion.handled {
            self.controller.handle(&self.key, request);
        }
        let old = resource.status();
        let report = report((!old.is_null()).then_some(old), &occasion);
        if report.status == *old {
            return Ok(());
        }
        let patch = json!({
            "metadata": {"resourceVersion": resource.resource_version()},
            "status": merge_patch(old, &report.status),
        });
        let part = if has_status { Part::Status } else { Part::Main };
        match self.patch_resource(part, &patch).await {
            // It went while we looked.
            Err(error) if error.is_not_found() => return Ok(()),
            answer => drop(answer?),
        }
        for transition in report.transitions {
            let event_type =
                if transition.severity == Severity::Warning { EventType::Warning } else { EventType::Normal };
            self.publish(event_type, &transition.reason, transition.message);
        }
        Ok(())
    }
}

/// Which of operator-sdk's conditions tells of the failure.
pub(crate) fn step(memo: &Memo, cause: Cause) -> FailedStep {
    match (memo.revision(), cause) {
        (0, _) => FailedStep::Install,
        (_, Cause::Annotation | Cause::Render | Cause::Budget | Cause::Policy) => FailedStep::Reconcile,
        (_, Cause::Restrict | Cause::Collision | Cause::Release | Cause::Apply) => FailedStep::Upgrade,
    }
}

fn progressing(message: &str) -> status::Outcome {
    status::Outcome::Progressing { reason: Reason::Progressing, message: message.to_owned() }
}

/// Somebody fights for an object: told, and left alone for a while.
fn contended(memo: &Memo, id: &ObjectId, wait: i64) -> (status::Outcome, Again) {
    let message = format!("`{id}` is changed again and again; it is put back at most three times a minute");
    let (step, reason) = (step(memo, Cause::Render), Reason::Contended);
    let wait = Duration::from_secs(u64::try_from(wait).unwrap_or(1));
    (status::Outcome::Failed { step, reason, message, fate: Fate::Retry }, Again::After(wait))
}

/// The reason of a condition that tells of a refusal.
pub(crate) const fn reason_of(cause: Cause) -> Reason {
    match cause {
        Cause::Annotation => Reason::InvalidAnnotation,
        Cause::Render => Reason::RenderFailed,
        Cause::Budget => Reason::RenderBudgetExceeded,
        Cause::Policy => Reason::PolicyInvalid,
        Cause::Restrict => Reason::Restricted,
        Cause::Collision | Cause::Release => Reason::CollisionDetected,
        Cause::Apply => Reason::Refused,
    }
}

fn failed(memo: &Memo, refusal: &Refusal) -> status::Outcome {
    if refusal.wait.is_some() {
        return status::Outcome::Progressing { reason: Reason::Waiting, message: refusal.message.clone() };
    }
    let reason = reason_of(refusal.cause);
    let (step, message) = (step(memo, refusal.cause), refusal.message.clone());
    status::Outcome::Failed { step, reason, message, fate: Fate::WaitForUser }
}

/// The JSON merge patch (RFC 7386) that makes `old` into `new`: members that vanished are null.
fn merge_patch(old: &Json, new: &Json) -> Json {
    let (Json::Object(old), Json::Object(new)) = (old, new) else { return new.clone() };
    let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Json::Null));
    let changed = new.iter().filter(|(key, value)| old.get(*key) != Some(value));
    let changed = changed.map(|(key, value)| (key.clone(), merge_patch(old.get(key).unwrap_or(&Json::Null), value)));
    Json::Object(gone.chain(changed).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::history::History;

    #[test]
    fn a_merge_patch_holds_what_changed_and_nulls_what_vanished() {
        let old = json!({"a": 1, "b": {"x": 1, "y": 2}, "gone": true, "list": [1]});
        let new = json!({"a": 1, "b": {"x": 1, "y": 3}, "list": [1, 2], "added": {"k": null}});
        let patch = merge_patch(&old, &new);
        assert_eq!(patch, json!({"b": {"y": 3}, "gone": null, "list": [1, 2], "added": {"k": null}}));
    }

    #[test]
    fn the_condition_of_a_failure_follows_from_what_ran_before() {
        let first = Memo::default();
        let history = History { deployed: [1].into(), ..History::default() };
        let later = Memo { history, ..Memo::default() };
        assert_eq!(step(&first, Cause::Render), FailedStep::Install);
        assert_eq!(step(&later, Cause::Render), FailedStep::Reconcile);
        assert_eq!(step(&later, Cause::Collision), FailedStep::Upgrade);
    }
}
