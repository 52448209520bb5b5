//! A memo at rest: an operator keeps one for each resource, and reads it when a pass begins.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::reconcile::compact::Text;
use crate::reconcile::context::Memo;
use crate::release::plan::Applied;
use crate::release::{Digest, Gvk, ObjectId};

/// Sets of kinds, each once: the resources of a watch mostly consist of the same.
#[derive(Debug, Default)]
pub(crate) struct Kinds(BTreeSet<Arc<BTreeSet<Gvk>>>);

impl Kinds {
    fn share(&mut self, kinds: BTreeSet<Gvk>) -> Arc<BTreeSet<Gvk>> {
        if let Some(shared) = self.0.get(&kinds) {
            return Arc::clone(shared);
        }
        self.0.retain(|kinds| Arc::strong_count(kinds) > 1);
        let shared = Arc::new(kinds);
        self.0.insert(Arc::clone(&shared));
        shared
    }
}

/// A [`Memo`] without the room that maps keep for what may come.
#[derive(Debug)]
pub(crate) struct AtRest {
    /// Without what is in the other fields.
    memo: Memo,
    applied: Box<[Sent]>,
    kinds: Arc<BTreeSet<Gvk>>,
}

#[derive(Debug)]
struct Sent {
    /// The id as text.
    id: Box<str>,
    uid: Text,
    desired: Digest,
    projection: Digest,
}

impl AtRest {
    pub(crate) fn new(mut memo: Memo, kinds: &mut Kinds) -> Self {
        let applied = std::mem::take(&mut memo.applied).into_iter().map(|(id, applied)| Sent {
            id: id.to_string().into(),
            uid: Text::new(&applied.uid),
            desired: applied.desired,
            projection: applied.projection,
        });
        let applied = applied.collect();
        let kinds = kinds.share(std::mem::take(&mut memo.kinds));
        Self { memo, applied, kinds }
    }

    pub(crate) fn forget_notes(&mut self) {
        self.memo.notes = None;
    }

    pub(crate) fn memo(&self) -> Memo {
        let applied = self.applied.iter().filter_map(Sent::applied).collect();
        Memo { applied, kinds: BTreeSet::clone(&self.kinds), ..self.memo.clone() }
    }
}

impl Sent {
    /// There is always one: the text was made of an id.
    fn applied(&self) -> Option<(ObjectId, Applied)> {
        let applied = Applied { uid: self.uid.text(), desired: self.desired, projection: self.projection };
        Some((self.id.parse().ok()?, applied))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memo_comes_back_as_it_was_and_kinds_are_kept_once() {
        let applied = |uid: &str| Applied {
            uid: uid.to_owned(),
            desired: Digest::of("sent"),
            projection: Digest::of("answered"),
        };
        let memo = |kind: &str| Memo {
            uid: "u1".to_owned(),
            inputs: Some(Digest::of("inputs")),
            applied: [
                ("apps/Deployment shop/web".parse().unwrap(), applied("8088e824-c402-4371-93bc-6dd50bad90f7")),
                ("ConfigMap shop/web".parse().unwrap(), applied("o1")),
            ]
            .into(),
            kinds: [Gvk::new("apps/v1", kind), Gvk::new("v1", "ConfigMap")].into(),
            ..Memo::default()
        };
        let mut kinds = Kinds::default();
        let rest = ["Deployment", "Deployment", "DaemonSet"].map(|kind| AtRest::new(memo(kind), &mut kinds));
        assert_eq!(kinds.0.len(), 2);
        for (rest, kind) in rest.iter().zip(["Deployment", "Deployment", "DaemonSet"]) {
            let (found, was) = (rest.memo(), memo(kind));
            assert_eq!((found.uid, found.inputs), (was.uid, was.inputs));
            assert_eq!((found.applied, found.kinds), (was.applied, was.kinds));
        }
        drop(rest);
        AtRest::new(memo("Job"), &mut kinds);
        assert_eq!(kinds.0.len(), 1, "what nobody has is forgotten");
    }
}
