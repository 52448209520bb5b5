//! Taking down what a resource owns when it is deleted: found by labels alone, so that neither chart nor values are needed.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _};
use kube::core::params::Preconditions;
use serde_json::json;

use crate::cluster::Error;
use crate::cluster::objects::Part;
use crate::reconcile::context::Memo;
use crate::reconcile::observe::IN_FLIGHT;
use crate::reconcile::pass::{Failure, Pass, log};
use crate::reconcile::queue::Again;
use crate::reconcile::teardown::{Leaver, Mark};
use crate::release::hook::Event;
use crate::release::{Gvk, applyset, labels, order};
use crate::status;

impl Pass<'_> {
    /// Deletes every object of the resource in Helm's uninstall order, waits for their end if asked to, deletes the records,
    /// and lets the resource go.
    pub(crate) async fn delete(&self) -> Result<Again, Failure> {
        if !self.has_finalizer() {
            log!(info, self, "Resource is terminated, skipping reconciliation");
            return Ok(Again::WhenAsked);
        }
        let end = self.uninstall().await;
        if let Err(failure) = &end
            && !failure.is_conflict()
            && !matches!(failure, Failure::Overtaken)
        {
            log!(error, self, "Failed to uninstall release", error = failure.message());
        }
        end
    }

    async fn uninstall(&self) -> Result<Again, Failure> {
        let mut memo = Memo::clone(&*self.with_previous(self.recall().await?).await?);
        self.watch(&self.owned_kinds(&memo).await?).await?;
        let former = self.former(&memo).await?;
        let is_ours = former.as_ref().is_none_or(|former| self.is_of_our_chart(former));
        let mut hooks = if is_ours { self.deletion(&mut memo).await? } else { None };
        if let Some(again) = self.run_deletion_hooks(&mut memo, &mut hooks, Event::PreDelete).await? {
            return Ok(again);
        }
        let leavers = self.leavers(&memo, former.as_ref()).await?;
        if leavers.is_empty() && memo.history.all().is_empty() {
            log!(info, self, "Release not found");
        }
        if let Some(again) = self.take_down_all(&mut memo, &leavers).await? {
            return Ok(again);
        }
        if let Some(again) = self.run_deletion_hooks(&mut memo, &mut hooks, Event::PostDelete).await? {
            return Ok(again);
        }
        if is_ours {
            self.delete_records(&mut memo).await?;
        }
        self.release_resource().await?;
        // Its end is still to be told; until then it must not be taken for one that has a finalizer.
        self.controller.resources.forget(&self.key);
        log!(info, self, "Uninstalled release");
        Ok(Again::WhenAsked)
    }

    /// Takes everything down; gives when to look again, if something is waited for.
    async fn take_down_all(&self, memo: &mut Memo, leavers: &[Leaver]) -> Result<Option<Again>, Failure> {
        if self.entry.has_policy() {
            return self.take_down_phases(memo, leavers).await;
        }
        self.take_down(leavers).await?;
        self.wait_until_gone(leavers).await
    }

    /// Deletes what is not being deleted yet; what must be kept is let go. What follows each other and is of one wave goes at
    /// the same time.
    pub(crate) async fn take_down(&self, leavers: &[Leaver]) -> Result<(), Failure> {
        let wave = |leaver: &Leaver| order::wave(&leaver.id.kind);
        for wave in leavers.chunk_by(|a, b| wave(a) == wave(b)) {
            let calls: Vec<_> = wave.iter().map(|leaver| self.take_one_down(leaver).boxed()).collect();
            let answers: Vec<_> = futures::stream::iter(calls).buffer_unordered(IN_FLIGHT).collect().await;
            answers.into_iter().collect::<Result<(), _>>()?;
        }
        Ok(())
    }

    async fn take_one_down(&self, Leaver { id, live, mark }: &Leaver) -> Result<(), Error> {
        match (live.keep, mark) {
            (true, Mark::Record) => Ok(()),
            (true, _) => self.let_go(id, &live.resource_version).await,
            (false, _) if live.deleting => Ok(()),
            (false, _) => self.remove(id, Preconditions { uid: Some(live.uid.clone()), resource_version: None }).await,
        }
    }

    async fn delete_records(&self, memo: &mut Memo) -> Result<(), Failure> {
        for revision in memo.history.all() {
            let answer = self.drop_record(memo, revision).await;
            self.unless_going(answer, &self.release.namespace).await?;
        }
        Ok(())
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
        let ours = [labels::FINALIZER, labels::LEGACY_FINALIZER];
        let others: Vec<_> = self.resource.finalizers().filter(|finalizer| !ours.contains(finalizer)).collect();
        if !others.is_empty() {
            // Somebody else keeps it, and users go on reading it.
            self.write_status(&status::Outcome::Uninstalled).await?;
        }
        log!(info, self, "Removing finalizer");
        let current = self.controller.resources.find(&self.key).unwrap_or_else(|| Arc::clone(&self.resource));
        let metadata = json!({"resourceVersion": current.resource_version(), "finalizers": others});
        match self.patch_resource(Part::Main, &json!({"metadata": metadata})).await {
            Err(error) if error.is_not_found() => Ok(()),
            answer => answer.map(drop),
        }
    }
}
