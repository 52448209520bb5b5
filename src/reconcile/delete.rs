//! Taking down what a resource owns when it is deleted: found by labels alone, so that neither chart nor values are needed.

use std::collections::BTreeSet;

use kube::core::params::Preconditions;
use serde_json::json;

use crate::cluster::Error;
use crate::cluster::objects::Part;
use crate::reconcile::context::Memo;
use crate::reconcile::pass::{Failure, Pass, log};
use crate::reconcile::queue::Again;
use crate::release::{Gvk, applyset, labels, order};

impl Pass<'_> {
    /// Deletes every object that is part of the resource's set, in Helm's uninstall order, then the records, and lets the
    /// resource go.
    pub(crate) async fn delete(&self) -> Result<Again, Failure> {
        if !self.has_finalizer() {
            log!(info, self, "Resource is terminated, skipping reconciliation");
            return Ok(Again::WhenAsked);
        }
        let memo = self.recall().await?;
        self.watch(&self.owned_kinds(&memo).await?).await?;
        let mut objects: Vec<_> = self.context.objects.of(&self.set).into_iter().collect();
        objects.sort_by(|(a, _), (b, _)| order::uninstall(&a.kind, &b.kind));
        for (id, known) in objects {
            if known.live.keep {
                self.let_go(&id, &known.live.resource_version).await?;
            } else if !known.live.deleting {
                let only = Preconditions { uid: Some(known.live.uid), resource_version: None };
                self.remove(&id, only).await?;
            }
        }
        for version in &memo.records {
            let answer = self.cluster.delete_record(&self.release, *version).await;
            self.unless_going(answer, &self.release.namespace).await?;
            self.count("delete");
        }
        self.release_resource().await?;
        // Its end is still to be told; until then it must not be taken for one that has a finalizer.
        self.controller.resources.forget(&self.key);
        log!(info, self, "Uninstalled release");
        Ok(Again::WhenAsked)
    }

    /// The kinds that objects of the resource may be of: remembered, and noted on the resource before the first write.
    pub(crate) async fn owned_kinds(&self, memo: &Memo) -> Result<BTreeSet<Gvk>, Error> {
        let mut kinds = memo.kinds.clone();
        let noted = self.resource.annotation(labels::CONTAINS_GROUP_KINDS).unwrap_or_default();
        for (group, kind) in applyset::group_kinds(noted) {
            if kinds.iter().any(|known| known.group == group && known.kind == kind) {
                continue;
            }
            match self.context.discovery.resolve_preferred(&group, &kind).await {
                Ok(served) => drop(kinds.insert(Gvk::new(&served.resource.api_version, &kind))),
                // Its objects went with it.
                Err(Error::NotServed { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(kinds)
    }

    /// Whether our finalizer, or that of older operators, is on the resource.
    pub(crate) fn has_finalizer(&self) -> bool {
        let ours = |finalizer: &str| [labels::FINALIZER, labels::LEGACY_FINALIZER].contains(&finalizer);
        self.resource.finalizers().any(ours)
    }

    async fn release_resource(&self) -> Result<(), Error> {
        log!(info, self, "Removing finalizer");
        let ours = [labels::FINALIZER, labels::LEGACY_FINALIZER];
        let others: Vec<_> = self.resource.finalizers().filter(|finalizer| !ours.contains(finalizer)).collect();
        let metadata = json!({"resourceVersion": self.resource.resource_version(), "finalizers": others});
        match self.patch_resource(Part::Main, &json!({"metadata": metadata})).await {
            Err(error) if error.is_not_found() => Ok(()),
            answer => answer.map(drop),
        }
    }
}
