//! Writes the record of a revision, once its objects are there.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::cluster::Error;
use crate::reconcile::carry_out::Outcome;
use crate::reconcile::context::Memo;
use crate::reconcile::desire::Desired;
use crate::reconcile::pass::{Cause, Failure, Pass};
use crate::reconcile::recall::{self, ANNOTATION};
use crate::release::Digest;
use crate::release::record::{Chart, Info, Record, Stamps, Status};

impl Pass<'_> {
    /// Remembers what was carried out. A revision that is complete gets its record; one that is recorded already does not
    /// get another one.
    pub(crate) async fn record(
        &self,
        memo: &Memo,
        inputs: Digest,
        desired: Desired,
        outcome: &Outcome,
    ) -> Result<Arc<Memo>, Failure> {
        let mut next = Memo {
            uid: memo.uid.clone(),
            inputs: outcome.is_complete().then_some(inputs),
            recorded: memo.recorded,
            applied: outcome.applied.clone(),
            drifts: outcome.drifts.clone(),
            kinds: desired.kinds(),
            records: memo.records.clone(),
            former: memo.former.filter(|_| !outcome.is_complete()),
            notes: Some(desired.rendered.notes.clone()),
            changes_by_itself: desired.rendered.changes_by_itself,
        };
        // Kept before anything else is written: a pass that fails below must not send everything again. Without its inputs,
        // or the next one would take the revision for recorded.
        self.controller.remember(&self.key, Memo { inputs: None, ..next.clone() });
        let history = self.entry.watch.history;
        if !outcome.is_complete() || history == 0 {
            return Ok(self.controller.remember(&self.key, next));
        }
        if next.recorded == Some(inputs) {
            self.annotate(memo, &next, inputs).await?;
        } else {
            self.write_revision(&mut next, inputs, &desired).await?;
            self.drop_old_records(&mut next, history).await?;
        }
        Ok(self.controller.remember(&self.key, next))
    }

    /// Keeps the record's annotation true after a correction that made an object anew.
    async fn annotate(&self, memo: &Memo, next: &Memo, inputs: Digest) -> Result<(), Error> {
        if memo.applied == next.applied {
            return Ok(());
        }
        let annotations = json!({ANNOTATION: recall::annotation(next, inputs)});
        let patch = json!({"metadata": {"annotations": annotations}});
        match self.cluster.patch_record(&self.release, next.revision(), &patch).await {
            // Somebody took the record away; the next revision writes one.
            Err(error) if error.is_not_found() => {}
            answer => answer?,
        }
        self.count("patch");
        Ok(())
    }

    async fn write_revision(&self, next: &mut Memo, inputs: Digest, desired: &Desired) -> Result<(), Failure> {
        next.recorded = Some(inputs);
        let now = Timestamp::now();
        let former = self.latest_record(next).await?;
        let revision = next.revision() + 1;
        let first = former.as_ref().and_then(|former| former.info.first_deployed).unwrap_or(now);
        let record = self.new_record(desired, revision, first, now);
        let secret = secret(&record, Stamps { created: Some(now.as_second()), modified: None }, next, inputs)?;
        // First: whoever is cut off between the two finds no revision that runs, and writes it. Not two of them.
        self.supersede(former, now).await?;
        match self.cluster.create_record(&self.release, revision, &secret).await {
            Err(error) if error.is_conflict() => {
                let records = self.cluster.records(&self.release).await?;
                let found = recall::recalled(&records, self.resource.uid());
                // We wrote it, and never got the answer.
                if found.inputs == Some(inputs) {
                    next.records = found.records;
                    return Ok(());
                }
                // Helm, or an operator before us, has a release of that name: ours is the next revision.
                return Err(self.met(found, next));
            }
            answer => answer?,
        }
        self.count("create");
        next.records.push(revision);
        Ok(())
    }

    /// Marks the revision before as no longer the one that runs.
    async fn supersede(&self, former: Option<Record>, now: Timestamp) -> Result<(), Failure> {
        let Some(mut former) = former.filter(|former| former.info.status == Status::Deployed) else { return Ok(()) };
        former.info.status = Status::Superseded;
        let secret = former
            .secret(Stamps { created: None, modified: Some(now.as_second()) })
            .map_err(|error| too_big(&error))?;
        let patch = json!({
            "metadata": {"labels": secret.pointer("/metadata/labels")},
            "data": secret.get("data"),
        });
        self.cluster.patch_record(&self.release, former.revision, &patch).await?;
        self.count("patch");
        Ok(())
    }

    /// The latest record, if there is one that can be read.
    async fn latest_record(&self, memo: &Memo) -> Result<Option<Record>, Error> {
        let Some(revision) = memo.records.last() else { return Ok(None) };
        let secret = self.cluster.record(&self.release, *revision).await?;
        Ok(secret.and_then(|secret| Record::decode(&secret).ok()))
    }

    fn new_record(&self, desired: &Desired, revision: u32, first: Timestamp, now: Timestamp) -> Record {
        let chart = &self.entry.chart;
        let object = |value: &Json| value.as_object().cloned().unwrap_or_default();
        let metadata = serde_json::to_value(&chart.metadata).unwrap_or_default();
        let description = if revision == 1 { "Install complete" } else { "Upgrade complete" };
        Record {
            name: self.release.name.clone(),
            namespace: self.release.namespace.clone(),
            info: Info {
                first_deployed: Some(first),
                last_deployed: Some(now),
                description: description.to_owned(),
                status: Status::Deployed,
                notes: desired.rendered.notes.clone(),
                ..Info::default()
            },
            chart: Chart { metadata: object(&metadata), values: object(&chart.values), ..Chart::default() },
            config: object(&desired.rendered.config),
            manifest: desired.rendered.manifest.clone(),
            revision,
            apply_method: "ssa".to_owned(),
            ..Record::default()
        }
    }

    /// Deletes the oldest records, so that `history` are left.
    async fn drop_old_records(&self, next: &mut Memo, history: u32) -> Result<(), Error> {
        let history = usize::try_from(history).unwrap_or(usize::MAX);
        let excess = next.records.len().saturating_sub(history);
        for revision in next.records.drain(..excess) {
            self.cluster.delete_record(&self.release, revision).await?;
            self.count("delete");
        }
        Ok(())
    }
}

/// The Secret of a record, with the annotation that a restart reads.
fn secret(record: &Record, stamps: Stamps, memo: &Memo, inputs: Digest) -> Result<Json, Failure> {
    let mut secret = record.secret(stamps).map_err(|error| too_big(&error))?;
    if let Some(metadata) = secret.get_mut("metadata").and_then(Json::as_object_mut) {
        metadata.insert("annotations".to_owned(), json!({ANNOTATION: recall::annotation(memo, inputs)}));
    }
    Ok(secret)
}

fn too_big(error: &crate::release::Error) -> Failure {
    Failure::refused(Cause::Apply, error.to_string())
}
