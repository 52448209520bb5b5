//! What a process that has just started knows of a release: read from the annotation of its latest record, so that a
//! restart with everything in place renders nothing and writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::Error;
use crate::cluster::records::RecordMeta;
use crate::reconcile::context::Memo;
use crate::reconcile::pass::Pass;
use crate::release::plan::Applied;
use crate::release::{Digest, Gvk, ObjectId};

/// The annotation of a record. Whoever can read it can read the Secret it is on, and so the manifest that the digests
/// are of.
pub(crate) const ANNOTATION: &str = "chart-operator.dev/applied";

/// What the annotation holds. Digests are in base64.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    /// UID of the resource.
    uid: String,
    inputs: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    changes_by_itself: bool,
    /// `apiVersion/Kind`
    kinds: Vec<(String, String)>,
    /// Object → UID, digest of what was sent, digest of what came back.
    objects: BTreeMap<String, (String, String, String)>,
}

impl Pass<'_> {
    /// The memo of the resource: kept by this process, or read from the release's records.
    pub(crate) async fn recall(&self) -> Result<Arc<Memo>, Error> {
        match self.controller.memo(&self.key) {
            Some(memo) if memo.uid == self.resource.uid() => Ok(memo),
            // Who released it, put a finalizer on it. Without one there is nothing to recall; a release of that name that
            // somebody made by hand is met when the first record is written.
            _ if !self.has_finalizer() => {
                let memo = Memo { uid: self.resource.uid().to_owned(), ..Memo::default() };
                Ok(self.controller.remember(&self.key, memo))
            }
            _ => {
                let records = self.cluster.records(&self.release).await;
                let records = self.unless_going(records, &self.release.namespace).await?.unwrap_or_default();
                Ok(self.controller.remember(&self.key, recalled(&records, self.resource.uid())))
            }
        }
    }
}

/// The memo that `records` hold. What another resource of the same name left behind counts only as records.
pub(crate) fn recalled(records: &[RecordMeta], uid: &str) -> Memo {
    let deployed = records.last().filter(|record| record.status == "deployed");
    let stored = deployed.and_then(|record| stored(record, uid));
    let memo = Memo {
        uid: uid.to_owned(),
        records: records.iter().map(|record| record.version).collect(),
        former: former(records, uid),
        ..Memo::default()
    };
    match stored {
        Some(stored) => Memo {
            inputs: Digest::from_base64(&stored.inputs),
            recorded: Digest::from_base64(&stored.inputs),
            changes_by_itself: stored.changes_by_itself,
            kinds: stored.kinds.iter().map(|(api_version, kind)| Gvk::new(api_version, kind)).collect(),
            applied: stored.objects.iter().filter_map(|(id, digests)| applied(id, digests)).collect(),
            ..memo
        },
        None => memo,
    }
}

fn stored(record: &RecordMeta, uid: &str) -> Option<Stored> {
    let stored = serde_json::from_str::<Stored>(record.annotations.get(ANNOTATION)?).ok()?;
    (stored.uid == uid).then_some(stored)
}

/// The record of the revision that runs, or else the last that was tried, if it is not ours.
fn former(records: &[RecordMeta], uid: &str) -> Option<u32> {
    let deployed = records.iter().rfind(|record| record.status == "deployed").or_else(|| records.last())?;
    stored(deployed, uid).is_none().then_some(deployed.version)
}

fn applied(id: &str, (uid, desired, projection): &(String, String, String)) -> Option<(ObjectId, Applied)> {
    let (desired, projection) = (Digest::from_base64(desired)?, Digest::from_base64(projection)?);
    Some((id.parse().ok()?, Applied { uid: uid.clone(), desired, projection }))
}

/// The annotation from which `memo` can be recalled.
pub(crate) fn annotation(memo: &Memo, inputs: Digest) -> String {
    let digests =
        |applied: &Applied| (applied.uid.clone(), applied.desired.to_base64(), applied.projection.to_base64());
    let kinds: BTreeSet<_> = memo.kinds.iter().map(|gvk| (gvk.api_version(), gvk.kind.clone())).collect();
    let stored = Stored {
        uid: memo.uid.clone(),
        inputs: inputs.to_base64(),
        changes_by_itself: memo.changes_by_itself,
        kinds: kinds.into_iter().collect(),
        objects: memo.applied.iter().map(|(id, applied)| (id.to_string(), digests(applied))).collect(),
    };
    // Strings and lists of strings always serialise.
    serde_json::to_string(&stored).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(status: &str, annotation: Option<String>) -> RecordMeta {
        let annotations = annotation.map(|text| (ANNOTATION.to_owned(), text)).into_iter().collect();
        RecordMeta { version: 3, status: status.to_owned(), annotations }
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

    #[test]
    fn what_was_applied_is_recalled_from_the_record() {
        let inputs = Digest::of("inputs");
        let recalled = recalled(&[record("deployed", Some(annotation(&memo(), inputs)))], "u1");
        assert_eq!(recalled.inputs, Some(inputs));
        assert_eq!(recalled.applied, memo().applied);
        assert_eq!(recalled.kinds, memo().kinds);
        assert_eq!((recalled.records, recalled.former), (vec![3], None));
    }

    #[test]
    fn what_runs_is_taken_over_from_whoever_wrote_its_record() {
        let ours = || Some(annotation(&memo(), Digest::of("inputs")));
        let version = |version, record| RecordMeta { version, ..record };
        for (name, records, former) in [
            ("none", vec![], None),
            ("Helm's", vec![record("deployed", None)], Some(3)),
            ("ours", vec![record("superseded", None), version(4, record("deployed", ours()))], None),
            (
                "helm-operator's after ours",
                vec![record("superseded", ours()), version(4, record("deployed", None))],
                Some(4),
            ),
            ("a failed upgrade of Helm's", vec![record("deployed", None), version(4, record("failed", None))], Some(3)),
            ("a failed install of Helm's", vec![record("failed", None)], Some(3)),
            (
                "a pending upgrade of ours",
                vec![record("deployed", ours()), version(4, record("pending-upgrade", None))],
                None,
            ),
        ] {
            assert_eq!(recalled(&records, "u1").former, former, "{name}");
        }
        assert_eq!(recalled(&[record("deployed", ours())], "u2").former, Some(3), "another resource's");
    }

    #[test]
    fn only_the_revisions_are_recalled_of_another_resource_a_failed_record_or_helms_own() {
        let text = annotation(&memo(), Digest::of("inputs"));
        for (record, uid) in [
            (record("deployed", Some(text.clone())), "u2"),
            (record("failed", Some(text)), "u1"),
            (record("deployed", None), "u1"),
            (record("deployed", Some("{".to_owned())), "u1"),
        ] {
            let recalled = recalled(&[record], uid);
            assert_eq!(recalled.inputs, None);
            assert!(recalled.applied.is_empty());
            assert_eq!(recalled.records, [3]);
        }
    }
}
