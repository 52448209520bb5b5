//! Writes the records of revisions: `pending` first where something of it must not be lost, else once its objects are there.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::cluster::Error;
use crate::reconcile::carry_out::Outcome;
use crate::reconcile::context::Memo;
use crate::reconcile::desire::Desired;
use crate::reconcile::history::{self, Failed, History, Then, UnderWay};
use crate::reconcile::hooks::Held;
use crate::reconcile::pass::{Cause, Failure, Pass};
use crate::reconcile::recall::{self, ANNOTATION};
use crate::reconcile::unstable::By;
use crate::reconcile::work::{Begun, UNKNOWN, Work};
use crate::release::Digest;
use crate::release::hook::run::Stage;
use crate::release::operation::Operation;
use crate::release::plan::{self, Plan, Step};
use crate::release::record::{Chart, HookRecord, HookRun, Info, Record, Secrets, Stamps, Status, part_names};
use crate::status::Reason;

/// How objects are sent, as Helm calls it.
const APPLY_METHOD: &str = "ssa";

/// What a pass came to, for the records.
pub(crate) struct Ended<'a> {
    pub(crate) work: Work,
    pub(crate) desired: Desired,
    pub(crate) plan: Plan,
    pub(crate) outcome: &'a Outcome,
    /// Digest of what the user asks for.
    pub(crate) asked: Digest,
    /// Whether an earlier pass may have sent some of it already.
    pub(crate) resumed: bool,
}

impl Pass<'_> {
    /// Writes the record of a revision before anything else of it, if hooks are to run, whose progress it holds, if it
    /// would be rendered differently again, or if it goes live in phases. What was on its way before is given up.
    pub(crate) async fn begin(&self, memo: &mut Memo, work: &mut Work, desired: &Desired) -> Result<(), Failure> {
        let (Some(operation), None) = (work.operation, &work.begun) else { return Ok(()) };
        self.abandon(memo).await?;
        let hooks = !(desired.plan.before.is_empty() && desired.plan.after.is_empty());
        let by_chance = desired.rendered.changes_by_itself && work.source.is_none();
        // Phases may take their time.
        if self.entry.watch.history == 0 || !(hooks || by_chance || self.entry.has_policy()) {
            return Ok(());
        }
        let (mut record, _) = self.new_record(memo, work, desired, operation).await?;
        record.info.status = operation.pending();
        record.info.description = operation.begun();
        let stage = Stage::first(operation.before());
        let (trace, origin) = (desired.trace.clone(), self.origin());
        let annotation = recall::annotation_under_way(memo, work.inputs, stage, &trace, origin);
        match self.create(&mut memo.history, &record, annotation).await {
            Err(Failure::Call(error)) if error.is_conflict() => {
                // Helm, or an operator before us, has a release of that name, or we wrote it and never got the answer.
                let records = self.cluster.records(&self.release).await?;
                return Err(self.met(recall::recalled(&records, self.resource.uid()), memo));
            }
            answer => answer?,
        }
        let begun = Begun { record, stage, trace, origin };
        self.note(memo, work.inputs, &begun);
        work.begun = Some(begun);
        Ok(())
    }

    /// Stores how far the hooks are.
    pub(crate) async fn save(&self, memo: &mut Memo, inputs: Digest, begun: &Begun) -> Result<(), Failure> {
        let annotation = recall::annotation_under_way(memo, inputs, begun.stage, &begun.trace, begun.origin);
        self.put(&mut memo.history, &begun.record, annotation).await?;
        self.note(memo, inputs, begun);
        Ok(())
    }

    fn note(&self, memo: &mut Memo, inputs: Digest, begun: &Begun) {
        let (record, trace) = (Arc::new(begun.record.clone()), begun.trace.clone());
        let (revision, stage, origin) = (record.revision, begun.stage, begun.origin);
        memo.under_way = Some(UnderWay { revision, inputs, stage, trace, origin, record: Some(record) });
        self.controller.remember(&self.key, Memo { inputs: None, ..memo.clone() });
    }

    /// Marks a revision that was on its way as failed: something else is asked for now.
    async fn abandon(&self, memo: &mut Memo) -> Result<(), Failure> {
        let Some(under_way) = memo.under_way.take() else { return Ok(()) };
        let Some(mut record) = self.cluster.record(&self.release, under_way.revision).await? else {
            return Ok(());
        };
        record.info.status = Status::Failed;
        "Given up for what was asked for next".clone_into(&mut record.info.description);
        let UnderWay { inputs, stage, trace, origin, .. } = &under_way;
        let annotation = recall::annotation_under_way(memo, *inputs, *stage, trace, *origin);
        self.put(&mut memo.history, &record, annotation).await
    }

    /// Remembers what was carried out, and writes what follows from it into the records. A revision that is recorded already
    /// does not get another record.
    pub(crate) async fn record(&self, memo: &Memo, ended: Ended<'_>) -> Result<Arc<Memo>, Failure> {
        let Ended { work, desired, outcome, .. } = &ended;
        let complete = outcome.is_complete();
        let mut next = Memo {
            inputs: complete.then_some(work.inputs),
            applied: outcome.applied.clone(),
            drifts: outcome.drifts.clone(),
            kinds: desired.kinds(),
            former: memo.former.filter(|_| !complete),
            notes: Some(desired.rendered.notes.clone()),
            ..memo.clone()
        };
        if complete {
            next.trace = desired.trace.clone();
            next.changes_by_itself = desired.rendered.changes_by_itself;
        }
        // Kept before anything else is written: a pass that fails below must not send everything again. Without its inputs,
        // or the next one would take the revision for recorded.
        self.controller.remember(&self.key, Memo { inputs: None, ..next.clone() });
        match work.operation {
            None if complete => {
                if work.inputs != UNKNOWN {
                    // No revision is made of other look-ups, or another text of the same values, where nothing came of it.
                    next.recorded = Some(work.inputs);
                }
                let came_back = |step: &Step| matches!(step, Step::Apply { reason: plan::Reason::Absent, .. });
                next.doubted = self.entry.watch.history > 0 && ended.plan.steps.iter().any(came_back);
                self.annotate(memo, &mut next, &ended).await?;
            }
            Some(operation) if complete => self.has_succeeded(&mut next, &ended, operation).await?,
            Some(operation) if outcome.has_failed_for_good() => self.has_failed(&mut next, &ended, operation).await?,
            _ => {}
        }
        Ok(self.controller.remember(&self.key, next))
    }

    /// Puts into the record of the revision that runs what its values come to now.
    pub(crate) async fn rewrite(&self, memo: &mut Memo, desired: &Desired) -> Result<(), Failure> {
        memo.output = Some(self.output(&desired.rendered));
        if self.entry.watch.history == 0 {
            return Ok(());
        }
        // Somebody may have taken the record away; the next revision writes one.
        let Some(mut record) = self.cluster.record(&self.release, memo.revision()).await? else { return Ok(()) };
        record.manifest.clone_from(&desired.rendered.manifest);
        record.info.notes.clone_from(&desired.rendered.notes);
        self.patch(&mut memo.history, &record, None).await.map(drop)
    }

    /// Keeps the record's annotation true after a correction that made an object anew. Who deleted objects may have deleted
    /// records too, as `helm uninstall` does, and later than those: that of what runs is written again.
    async fn annotate(&self, memo: &Memo, next: &mut Memo, ended: &Ended<'_>) -> Result<(), Failure> {
        let same = memo.applied == next.applied && memo.recorded == next.recorded;
        if self.entry.watch.history == 0 || (same && !memo.doubted && !self.is_requested()) {
            return Ok(());
        }
        let (inputs, revision) = (ended.work.inputs, next.revision());
        let annotation = recall::annotation(next, inputs);
        if same {
            if self.cluster.has_record(&self.release, revision).await? {
                return Ok(());
            }
        } else {
            let patch = json!({"metadata": {"annotations": {ANNOTATION: annotation}}});
            match self.cluster.patch_record(&self.release, revision, &patch).await {
                Err(error) if error.is_not_found() => {}
                answer => {
                    self.count("patch");
                    return Ok(answer?);
                }
            }
        }
        if inputs == UNKNOWN || revision == 0 {
            return Ok(());
        }
        let now = Some(Timestamp::now());
        let info = Info { first_deployed: now, last_deployed: now, status: Status::Deployed, ..Info::default() };
        let mut record = Record { revision, ..self.rendered_record(&ended.desired, info) };
        "Recorded again after its record was deleted".clone_into(&mut record.info.description);
        self.create(&mut next.history, &record, annotation).await
    }

    /// The revision runs.
    async fn has_succeeded(&self, next: &mut Memo, ended: &Ended<'_>, operation: Operation) -> Result<(), Failure> {
        next.recorded = Some(ended.work.inputs);
        self.tell_previous();
        if ended.work.source.is_none() {
            next.output = Some(self.output(&ended.desired.rendered));
        }
        next.failed = match (operation, &next.failed) {
            (Operation::Rollback { .. }, Some(failed)) => Some(Failed { then: Then::Keep, ..failed.clone() }),
            _ => None,
        };
        next.under_way = None;
        self.context.hooks.forget(&self.set);
        if ended.work.begun.is_some() && self.has_moved(&ended.desired.trace) {
            // While hooks ran: that was told, and is not told again.
            self.context.wake_readers([Arc::clone(&self.set)], By::Others);
        }
        if self.entry.watch.history == 0 {
            return Ok(());
        }
        let (mut record, former) = self.record_of(next, ended, operation).await?;
        record.info.status = Status::Deployed;
        record.info.description = operation.done();
        record.info.last_deployed = Some(Timestamp::now());
        // First: whoever is cut off between the two finds no revision that runs, and writes it. Not two of them.
        self.supersede_others(next, record.revision, former).await?;
        let annotation = recall::annotation(next, ended.work.inputs);
        if ended.work.begun.is_some() {
            self.put(&mut next.history, &record, annotation).await?;
        } else {
            let is_ours = |found: &Memo| found.recorded == Some(ended.work.inputs);
            self.create_next(next, &mut record, annotation, is_ours).await?;
        }
        next.history.deployed.insert(record.revision);
        next.history.has_run = true;
        self.supersede_others(next, record.revision, None).await?;
        self.drop_old_records(next).await.map_err(Failure::from)
    }

    /// The revision has failed for good.
    async fn has_failed(&self, next: &mut Memo, ended: &Ended<'_>, operation: Operation) -> Result<(), Failure> {
        if self.entry.watch.history == 0 {
            return Ok(());
        }
        let (reason, message) = ended.outcome.failure();
        let applied =
            |step: &Step| matches!(step, Step::Apply { object, .. } if ended.outcome.applied.contains_key(&object.id));
        let failure = history::Failure {
            rollback: self.entry.watch.rollback,
            changed: ended.resumed
                || ended.work.begun.as_ref().is_some_and(has_run)
                || ended.plan.steps.iter().any(applied),
            hooks: ended.plan.steps.iter().any(|step| matches!(step, Step::Hook(_))),
        };
        let told = next.failed.take().filter(|failed| failed.asked == ended.asked);
        let then = history::then(operation, failure);
        let failed = if let (Some(first), Operation::Rollback { .. }) = (&told, operation) {
            // What is told is why there had to be a rollback; that it failed too is added.
            let message = format!("{}; going back failed too: {message}", first.message);
            Failed { message, then, ..first.clone() }
        } else {
            let trace = self.foreign_trace(&ended.desired).stored();
            Failed { asked: ended.asked, message: message.clone(), reason, then, trace }
        };
        next.failed = Some(failed.clone());
        next.under_way = None;
        // The same failure again, of a revision that needed no record, is not written again.
        if told.is_some() && ended.work.begun.is_none() && !matches!(operation, Operation::Rollback { .. }) {
            return Ok(());
        }
        let (mut record, _) = self.record_of(next, ended, operation).await?;
        record.info.status = Status::Failed;
        record.info.description = operation.failed(&self.release.name, &message);
        let annotation = recall::annotation_failed(&next.uid, ended.work.inputs, &failed);
        if ended.work.begun.is_some() {
            self.put(&mut next.history, &record, annotation).await?;
        } else {
            let is_ours = |found: &Memo| found.failed.as_ref() == Some(&failed);
            self.create_next(next, &mut record, annotation, is_ours).await?;
        }
        if let (Some(begun), Some(Held::Failed(_))) = (&ended.work.begun, &ended.outcome.hook) {
            self.remove_failed(begun).await;
            self.context.hooks.forget(&self.set);
        }
        self.drop_old_records(next).await.map_err(Failure::from)
    }

    /// The record of a revision: the one that was begun, or a new one, with the latest one that was read for it.
    async fn record_of(
        &self,
        memo: &Memo,
        ended: &Ended<'_>,
        operation: Operation,
    ) -> Result<(Record, Option<Record>), Failure> {
        match &ended.work.begun {
            Some(begun) => Ok((begun.record.clone(), None)),
            None => self.new_record(memo, &ended.work, &ended.desired, operation).await,
        }
    }

    /// Marks all revisions but one as no longer those that run. `read` is a record that need not be read again.
    async fn supersede_others(&self, next: &mut Memo, but: u32, read: Option<Record>) -> Result<(), Failure> {
        let mut read = read;
        for revision in next.history.deployed.clone().into_iter().filter(|revision| *revision != but) {
            let former = match read.take_if(|record| record.revision == revision) {
                None => self.cluster.record(&self.release, revision).await?,
                former => former,
            };
            self.supersede(next, revision, former).await?;
        }
        Ok(())
    }

    /// Marks a revision as no longer the one that runs.
    async fn supersede(&self, next: &mut Memo, revision: u32, former: Option<Record>) -> Result<(), Failure> {
        next.history.deployed.remove(&revision);
        let Some(mut former) = former.filter(|former| former.info.status == Status::Deployed) else { return Ok(()) };
        former.info.status = Status::Superseded;
        self.patch(&mut next.history, &former, None).await.map(drop)
    }

    /// A new record, and the latest one there is, if that was read.
    async fn new_record(
        &self,
        memo: &Memo,
        work: &Work,
        desired: &Desired,
        operation: Operation,
    ) -> Result<(Record, Option<Record>), Failure> {
        let now = Timestamp::now();
        let former = match (&work.source, memo.history.revisions.last()) {
            (None, Some(revision)) => self.cluster.record(&self.release, *revision).await?,
            _ => None,
        };
        let source = work.source.as_deref();
        let first = source.or(former.as_ref()).and_then(|record| record.info.first_deployed).unwrap_or(now);
        let info = Info { first_deployed: Some(first), last_deployed: Some(now), ..Info::default() };
        let mut record = match (source, operation) {
            (Some(source), Operation::Rollback { to }) => {
                let notes = source.info.notes.clone();
                let info = Info { rollback_revision: to, notes, ..info };
                Record { info, apply_method: APPLY_METHOD.to_owned(), ..source.clone() }
            }
            _ => self.rendered_record(desired, info),
        };
        record.hooks.iter_mut().for_each(|hook| hook.last_run = HookRun::default());
        record.revision = memo.history.next();
        Ok((record, former))
    }

    fn rendered_record(&self, desired: &Desired, info: Info) -> Record {
        let chart = &self.entry.chart;
        let object = |value: &Json| value.as_object().cloned().unwrap_or_default();
        let metadata = serde_json::to_value(&chart.metadata).unwrap_or_default();
        let rendered = &desired.rendered;
        Record {
            name: self.release.name.clone(),
            namespace: self.release.namespace.clone(),
            info: Info { notes: rendered.notes.clone(), ..info },
            chart: Chart { metadata: object(&metadata), values: object(&chart.values), ..Chart::default() },
            config: object(&rendered.config),
            manifest: rendered.manifest.clone(),
            hooks: rendered.hooks.iter().map(HookRecord::from).collect(),
            apply_method: APPLY_METHOD.to_owned(),
            ..Record::default()
        }
    }

    /// Writes a new record.
    async fn create(&self, history: &mut History, record: &Record, annotation: String) -> Result<(), Failure> {
        let stamps = Stamps { created: Some(Timestamp::now().as_second()), modified: None };
        let mut secrets = record.secrets(stamps).map_err(|error| too_big(&error))?;
        annotated(&mut secrets, annotation);
        self.cluster.create_record(&self.release, record.revision, &secrets).await?;
        self.count("create");
        history.revisions.insert(record.revision);
        history.note_parts(record.revision, part_names(&secrets.main));
        Ok(())
    }

    /// Writes a new record. `is_ours` recognises one that was written without an answer.
    async fn create_next(
        &self,
        next: &mut Memo,
        record: &mut Record,
        annotation: String,
        is_ours: impl Fn(&Memo) -> bool,
    ) -> Result<(), Failure> {
        match self.create(&mut next.history, record, annotation).await {
            Err(Failure::Call(error)) if error.is_conflict() => {
                let records = self.cluster.records(&self.release).await?;
                let found = recall::recalled(&records, self.resource.uid());
                if !is_ours(&found) {
                    // Helm, or an operator before us, has a release of that name.
                    return Err(self.met(found, next));
                }
                next.history = found.history;
                record.revision = next.history.next() - 1;
                Ok(())
            }
            answer => answer,
        }
    }

    /// Writes a record again; one that somebody took away is written anew.
    async fn put(&self, history: &mut History, record: &Record, annotation: String) -> Result<(), Failure> {
        if self.patch(history, record, Some(annotation.clone())).await? || self.resource.is_deleting() {
            return Ok(());
        }
        self.create(history, record, annotation).await
    }

    /// Writes a record again; `false` if it is gone.
    async fn patch(&self, history: &mut History, record: &Record, annotation: Option<String>) -> Result<bool, Failure> {
        let stamps = Stamps { created: None, modified: Some(Timestamp::now().as_second()) };
        let mut secrets = record.secrets(stamps).map_err(|error| too_big(&error))?;
        let names = part_names(&secrets.main);
        if history.parts.get(&record.revision) != Some(&names) {
            self.cluster.create_parts(&self.release, &secrets.parts).await?;
            history.note_parts(record.revision, names);
        }
        if let Some(annotation) = annotation {
            annotated(&mut secrets, annotation);
        }
        let patch = json!({
            "metadata": {
                "labels": secrets.main.pointer("/metadata/labels"),
                "annotations": secrets.main.pointer("/metadata/annotations").cloned().unwrap_or_else(|| json!({})),
            },
            "data": secrets.main.get("data"),
        });
        match self.cluster.patch_record(&self.release, record.revision, &patch).await {
            Err(error) if error.is_not_found() => return Ok(false),
            answer => answer?,
        }
        self.count("patch");
        Ok(true)
    }

    /// Deletes the oldest records, so that as many are left as the watch wants.
    async fn drop_old_records(&self, next: &mut Memo) -> Result<(), Error> {
        for revision in next.history.superfluous(self.entry.watch.history) {
            self.drop_record(next, revision).await?;
        }
        Ok(())
    }

    /// Deletes a record with its parts.
    pub(crate) async fn drop_record(&self, next: &mut Memo, revision: u32) -> Result<(), Error> {
        let parts = next.history.parts.get(&revision).cloned().unwrap_or_default();
        self.cluster.delete_record(&self.release, revision, &parts).await?;
        next.history.forget(revision);
        self.count("delete");
        Ok(())
    }
}

/// Whether a hook of it was run.
fn has_run(begun: &Begun) -> bool {
    begun.record.hooks.iter().any(|hook| !hook.last_run.phase.is_empty())
}

/// Adds the annotation that a restart reads.
fn annotated(secrets: &mut Secrets, annotation: String) {
    if let Some(metadata) = secrets.main.get_mut("metadata").and_then(Json::as_object_mut) {
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(ANNOTATION.to_owned(), annotation.into());
        }
    }
}

/// What the user is told of a failure, and the word for it.
impl Outcome {
    fn failure(&self) -> (Reason, String) {
        if let Some(Held::Failed(message)) = &self.hook {
            return (Reason::HookFailed, message.clone());
        }
        let Some((_, error)) = self.failures.first_key_value() else { return (Reason::Refused, String::new()) };
        (if error.is_forbidden() { Reason::Forbidden } else { Reason::Refused }, self.message_of(error))
    }
}

fn too_big(error: &crate::release::Error) -> Failure {
    Failure::refused(Cause::Apply, error.to_string())
}
