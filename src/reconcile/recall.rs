//! What a process that has just started knows of a release: read from the annotation of its latest record, so that a
//! restart with everything in place renders nothing and writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::Error;
use crate::cluster::records::{RecordMeta, Records};
use crate::reconcile::context::Memo;
use crate::reconcile::history::{Failed, History, Origin, Then, UnderWay};
use crate::reconcile::pass::Pass;
use crate::reconcile::trace::{self, Trace};
use crate::release::hook::run::Stage;
use crate::release::plan::Applied;
use crate::release::record::Status;
use crate::release::{Digest, Gvk, ObjectId};

/// The annotation of a record. Whoever can read it can read the Secret it is on, and so the manifest that the digests
/// are of.
pub(crate) const ANNOTATION: &str = "chart-operator.dev/applied";

/// What the annotation holds. Digests are in base64.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    /// UID of the resource.
    uid: String,
    inputs: Digest,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    changes_by_itself: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<Digest>,
    #[serde(default, skip_serializing_if = "trace::Stored::is_empty")]
    trace: trace::Stored,
    /// `apiVersion/Kind`
    kinds: Vec<(String, String)>,
    /// Object → UID, digest of what was sent, digest of what came back.
    objects: BTreeMap<String, (String, Digest, Digest)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stage: Option<Stage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed: Option<Failed>,
}

impl Pass<'_> {
    /// The memo of the resource: kept by this process, or read from the release's records.
    pub(crate) async fn recall(&self) -> Result<Arc<Memo>, Error> {
        match self.controller.memo(&self.key) {
            Some(memo) if memo.uid == self.resource.uid() && !(memo.is_provisional() && self.has_finalizer()) => {
                Ok(memo)
            }
            // Who released it, put a finalizer on it. Without one there is nothing to recall; a release of that name that
            // somebody made by hand is met when the first record is written.
            _ if !self.has_finalizer() => {
                // Not kept: the resource may be older than the finalizer.
                Ok(Arc::new(Memo { uid: self.resource.uid().to_owned(), ..Memo::default() }))
            }
            _ => self.recall_anew().await,
        }
    }

    /// The memo that the release's records hold.
    async fn recall_anew(&self) -> Result<Arc<Memo>, Error> {
        let resources = self.controller.resources.count();
        let records = match self.controller.archive.take(&self.cluster, &self.release, resources).await {
            Ok(None) => self.cluster.records(&self.release).await,
            records => records.map(Option::unwrap_or_default),
        };
        let records = match records {
            // Who keeps no records may do without the right to read any.
            Err(error) if error.is_forbidden() && self.entry.watch.history == 0 => Ok(Records::default()),
            records => records,
        };
        let records = self.unless_going(records, &self.release.namespace).await?.unwrap_or_default();
        Ok(self.controller.remember(&self.key, recalled(&records, self.resource.uid())))
    }
}

/// The memo that `records` hold. What another resource of the same name left behind counts only as records.
pub(crate) fn recalled(records: &Records, uid: &str) -> Memo {
    let stored = |record: &RecordMeta| stored(record, uid);
    let all = &records.records;
    let mut memo = Memo { uid: uid.to_owned(), history: History::of(records), ..Memo::default() };
    let running = all.iter().rfind(|record| record.status == Status::Deployed).or_else(|| put_back(all, uid));
    memo.history.deployed.extend(running.map(|record| record.version));
    if let Some(record) = former(all, uid) {
        memo.former = Some(record.version);
        memo.former_uid = read(record).map(|stored| stored.uid);
    }
    if let Some(stored) = running.and_then(stored) {
        memo.inputs = Some(stored.inputs);
        memo.recorded = Some(stored.inputs);
        memo.changes_by_itself = stored.changes_by_itself;
        memo.output = stored.output;
        memo.trace = stored.trace.into();
        memo.kinds = stored.kinds.iter().map(|(api_version, kind)| Gvk::new(api_version, kind)).collect();
        memo.applied = stored.objects.iter().filter_map(|(id, digests)| applied(id, digests)).collect();
    }
    memo.failed = all.last().and_then(stored).and_then(|stored| stored.failed);
    let latest = all.last().filter(|record| record.status.is_pending());
    let leaving = all.iter().rfind(|record| record.status == Status::Uninstalling);
    memo.under_way = leaving.or(latest).and_then(|record| {
        let stored = stored(record)?;
        Some(UnderWay {
            revision: record.version,
            inputs: stored.inputs,
            stage: stored.stage?,
            trace: stored.trace.into(),
            origin: stored.origin.unwrap_or_default(),
            record: None,
        })
    });
    memo
}

/// What a rollback puts back that was cut off between its last two writes: when the revision that ran was superseded
/// already, and no record said yet that it runs again.
fn put_back<'r>(records: &'r [RecordMeta], uid: &str) -> Option<&'r RecordMeta> {
    let (latest, before) = records.split_last()?;
    let failed = stored(latest, uid)?.failed;
    let goes_back =
        latest.status == Status::PendingRollback || failed.is_some_and(|failed| failed.then == Then::RollBack);
    before.iter().rfind(|record| goes_back && record.status == Status::Superseded)
}

fn stored(record: &RecordMeta, uid: &str) -> Option<Stored> {
    read(record).filter(|stored| stored.uid == uid)
}

fn read(record: &RecordMeta) -> Option<Stored> {
    serde_json::from_str(record.annotations.get(ANNOTATION)?).ok()
}

/// The record of the revision that runs, or else the last that was tried, if it is not ours.
fn former<'r>(records: &'r [RecordMeta], uid: &str) -> Option<&'r RecordMeta> {
    let deployed = records.iter().rfind(|record| record.status == Status::Deployed).or_else(|| records.last())?;
    stored(deployed, uid).is_none().then_some(deployed)
}

fn applied(id: &str, (uid, desired, projection): &(String, Digest, Digest)) -> Option<(ObjectId, Applied)> {
    Some((id.parse().ok()?, Applied { uid: uid.clone(), desired: *desired, projection: *projection }))
}

/// The annotation from which `memo` can be recalled.
pub(crate) fn annotation(memo: &Memo, inputs: Digest) -> String {
    let digests = |applied: &Applied| (applied.uid.clone(), applied.desired, applied.projection);
    let kinds: BTreeSet<_> = memo.kinds.iter().map(|gvk| (gvk.api_version(), gvk.kind.clone())).collect();
    written(&Stored {
        changes_by_itself: memo.changes_by_itself,
        output: memo.output,
        trace: memo.trace.stored(),
        kinds: kinds.into_iter().collect(),
        objects: memo.applied.iter().map(|(id, applied)| (id.to_string(), digests(applied))).collect(),
        failed: memo.failed.clone(),
        ..Stored::of(&memo.uid, inputs)
    })
}

/// The annotation of a revision that is on its way.
pub(crate) fn annotation_under_way(memo: &Memo, inputs: Digest, stage: Stage, trace: &Trace, origin: Origin) -> String {
    // Why there is a rollback must outlast it.
    let (failed, trace) = (memo.failed.clone(), trace.stored());
    let origin = (origin != Origin::default()).then_some(origin);
    written(&Stored { stage: Some(stage), failed, trace, origin, ..Stored::of(&memo.uid, inputs) })
}

/// The annotation of a revision that failed.
pub(crate) fn annotation_failed(uid: &str, inputs: Digest, failed: &Failed) -> String {
    written(&Stored { failed: Some(failed.clone()), ..Stored::of(uid, inputs) })
}

impl Stored {
    fn of(uid: &str, inputs: Digest) -> Self {
        Self {
            uid: uid.to_owned(),
            inputs,
            changes_by_itself: false,
            output: None,
            trace: trace::Stored::default(),
            kinds: Vec::new(),
            objects: BTreeMap::new(),
            stage: None,
            origin: None,
            failed: None,
        }
    }
}

fn written(stored: &Stored) -> String {
    // Strings and lists of strings always serialise.
    serde_json::to_string(stored).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::hook::Event;
    use crate::status::Reason;

    fn record(version: u32, status: Status, annotation: Option<String>) -> RecordMeta {
        let annotations = annotation.map(|text| (ANNOTATION.to_owned(), text)).into_iter().collect();
        RecordMeta { version, status, annotations }
    }

    fn records(records: impl IntoIterator<Item = RecordMeta>) -> Records {
        Records { records: records.into_iter().collect(), ..Records::default() }
    }

    fn memo() -> Memo {
        let applied = Applied { uid: "o1".to_owned(), desired: Digest::of("a"), projection: Digest::of("b") };
        Memo {
            uid: "u1".to_owned(),
            applied: [("apps/Deployment shop/web".parse().unwrap(), applied)].into(),
            kinds: [Gvk::new("apps/v1", "Deployment")].into(),
            ..Memo::default()
        }
    }

    fn failed() -> Failed {
        Failed {
            asked: Digest::of("asked"),
            message: "no".to_owned(),
            reason: Reason::HookFailed,
            then: Then::RollBack,
            trace: Trace::default().stored(),
        }
    }

    fn deployed() -> RecordMeta {
        record(3, Status::Deployed, Some(annotation(&memo(), Digest::of("inputs"))))
    }

    #[test]
    fn what_was_applied_is_recalled_from_the_record_that_runs() {
        let failed = failed();
        let broken = record(4, Status::Failed, Some(annotation_failed("u1", Digest::of("bad"), &failed)));
        let recalled = recalled(&records([deployed(), broken]), "u1");
        assert_eq!((recalled.inputs, recalled.recorded), (Some(Digest::of("inputs")), Some(Digest::of("inputs"))));
        assert_eq!(recalled.applied, memo().applied);
        assert_eq!(recalled.kinds, memo().kinds);
        assert_eq!((recalled.revision(), recalled.history.next()), (3, 5));
        assert_eq!(recalled.failed, Some(failed));
    }

    #[test]
    fn a_rollback_cut_off_between_its_last_writes_is_brought_to_its_end() {
        use Status::{Deployed, Failed as Broken, PendingRollback, PendingUpgrade, Superseded};
        let ours = || Some(annotation(&memo(), Digest::of("inputs")));
        let stage = Stage::first(Event::PreRollback);
        let going =
            || Some(annotation_under_way(&memo(), Digest::of("inputs"), stage, &Trace::default(), Origin::default()));
        let failed = |then| Some(annotation_failed("u1", Digest::of("bad"), &Failed { then, ..failed() }));
        for (name, first, last, running) in [
            ("between", Superseded, record(3, PendingRollback, going()), Some(1)),
            ("before", Deployed, record(3, PendingRollback, going()), Some(1)),
            ("without a record of its own", Superseded, record(3, Broken, failed(Then::RollBack)), Some(1)),
            ("not going back", Superseded, record(3, Broken, failed(Then::Rest)), None),
            ("Helm's", Superseded, record(3, PendingRollback, None), None),
            ("an upgrade", Superseded, record(3, PendingUpgrade, going()), None),
        ] {
            let found = recalled(&records([record(1, first, ours()), record(2, Broken, None), last]), "u1");
            assert_eq!(found.history.deployed(), running, "{name}");
            assert_eq!(found.recorded.is_some(), running.is_some(), "{name}");
        }
    }

    #[test]
    fn what_runs_is_taken_over_from_whoever_wrote_its_record() {
        use Status::{Deployed, Failed as Broken, PendingUpgrade, Superseded};
        let ours = || Some(annotation(&memo(), Digest::of("inputs")));
        for (name, found, former) in [
            ("none", vec![], None),
            ("Helm's", vec![record(3, Deployed, None)], Some(3)),
            ("ours", vec![record(3, Superseded, None), record(4, Deployed, ours())], None),
            ("helm-operator's after ours", vec![record(3, Superseded, ours()), record(4, Deployed, None)], Some(4)),
            ("a failed upgrade of Helm's", vec![record(3, Deployed, None), record(4, Broken, None)], Some(3)),
            ("a failed install of Helm's", vec![record(3, Broken, None)], Some(3)),
            ("a pending upgrade of ours", vec![record(3, Deployed, ours()), record(4, PendingUpgrade, None)], None),
        ] {
            assert_eq!(recalled(&records(found), "u1").former, former, "{name}");
        }
        let another = records([record(3, Deployed, ours())]);
        let met = recalled(&another, "u2");
        assert_eq!((met.former, met.former_uid.as_deref()), (Some(3), Some("u1")), "another resource's");
    }

    #[test]
    fn a_revision_on_its_way_is_recalled_with_its_stage() {
        let stage = Stage::first(Event::PostUpgrade);
        let origin = Origin { generation: Some(7), frame: Some(Digest::of("frame")) };
        let text = annotation_under_way(&memo(), Digest::of("next"), stage, &Trace::default(), origin);
        let pending = record(4, Status::PendingUpgrade, Some(text.clone()));
        let found = recalled(&records([deployed(), pending]), "u1").under_way.unwrap();
        assert_eq!((found.revision, found.inputs, found.stage), (4, Digest::of("next"), stage));
        assert_eq!(found.origin, origin);
        let helms = record(4, Status::PendingUpgrade, None);
        assert!(recalled(&records([deployed(), helms]), "u1").under_way.is_none());
        let leaving = record(4, Status::Uninstalling, Some(text));
        let later = record(5, Status::Failed, None);
        assert_eq!(recalled(&records([leaving, later]), "u1").under_way.unwrap().revision, 4);
    }

    #[test]
    fn only_the_revisions_are_recalled_of_another_resource_a_failed_record_or_helms_own() {
        let text = annotation(&memo(), Digest::of("inputs"));
        for (status, text, uid) in [
            (Status::Deployed, Some(text.clone()), "u2"),
            (Status::Failed, Some(text), "u1"),
            (Status::Deployed, None, "u1"),
            (Status::Deployed, Some("{".to_owned()), "u1"),
        ] {
            let recalled = recalled(&records([record(3, status, text)]), uid);
            assert_eq!(recalled.inputs, None);
            assert!(recalled.applied.is_empty());
            assert_eq!(recalled.history.next(), 4);
        }
    }
}
