//! What goes with a resource that is deleted, and the wait until it is gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use serde_json::Value as Json;

use crate::cluster::Error;
use crate::cluster::discovery::Served;
use crate::cluster::objects::Target;
use crate::reconcile::context::{Memo, WatchState};
use crate::reconcile::objects::{Known, known};
use crate::reconcile::observe::{IN_FLIGHT, part_of};
use crate::reconcile::pass::{Failure, Pass, log};
use crate::reconcile::queue::Again;
use crate::reconcile::takeover::Former;
use crate::release::plan::Live;
use crate::release::{ObjectId, labels, order};
use crate::status;

/// Between two looks at what no watch tells of.
pub(crate) const POLL: Duration = Duration::from_secs(5);

/// An object that goes with the resource.
#[derive(Clone, Debug)]
pub(crate) struct Leaver {
    pub(crate) id: ObjectId,
    pub(crate) live: Live,
    pub(crate) mark: Mark,
}

/// How an object is known to go with the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// By our label, which watches select by.
    Label,
    /// Only by what we remember.
    Memory,
    /// By the record of a release that is taken over.
    Record,
}

impl Pass<'_> {
    /// Everything of the resource that is there: what bears our label, what we applied although the label is gone or its
    /// kind cannot be watched, and what a release that is taken over consists of. In uninstall order.
    pub(crate) async fn leavers(&self, memo: &Memo, former: Option<&Former>) -> Result<Vec<Leaver>, Error> {
        let ours = self.context.objects.of(&self.set);
        let mut seen: BTreeSet<_> = ours.keys().cloned().collect();
        let labelled = |(id, known): (ObjectId, Known)| Leaver { id, live: known.live, mark: Mark::Label };
        let mut leavers: Vec<_> = ours.into_iter().map(labelled).collect();
        let unseen = memo.applied.iter().filter(|(id, _)| !seen.contains(id));
        let reads: Vec<_> = unseen.map(|(id, applied)| self.unlabelled(id, &applied.uid).boxed()).collect();
        let found: Vec<_> = futures::stream::iter(reads).buffer_unordered(IN_FLIGHT).collect().await;
        for leaver in found.into_iter().filter_map(Result::transpose) {
            leavers.push(leaver?);
        }
        seen.extend(leavers.iter().map(|leaver| leaver.id.clone()));
        if let Some(former) = former.filter(|former| self.is_of_our_chart(former)) {
            let found = self.find(former, &seen).await?;
            leavers.extend(found.into_iter().map(|found| Leaver {
                id: found.id,
                live: found.live,
                mark: Mark::Record,
            }));
        }
        leavers.sort_by(|a, b| order::uninstall(&a.id.kind, &b.id.kind).then_with(|| a.id.cmp(&b.id)));
        Ok(leavers)
    }

    /// An object that we applied and that no watch shows, if it is still the one.
    async fn unlabelled(&self, id: &ObjectId, uid: &str) -> Result<Option<Leaver>, Error> {
        let Some(object) = self.look_at(id).await? else { return Ok(None) };
        // What another resource has taken over is its own.
        if part_of(&object).is_some_and(|set| *set != *self.set) {
            return Ok(None);
        }
        let live = known(&object).live;
        let mark = if part_of(&object) == Some(&self.set) { Mark::Label } else { Mark::Memory };
        Ok((live.uid == uid).then(|| Leaver { id: id.clone(), live, mark }))
    }

    /// An object as it is.
    pub(crate) async fn look_at(&self, id: &ObjectId) -> Result<Option<Json>, Error> {
        let Some(served) = self.served_kind(id).await? else { return Ok(None) };
        let target = Target { served: &served, namespace: &id.namespace, name: &id.name };
        let found = self.cluster.get(target).await;
        Ok(self.unless_going(found, &id.namespace).await?.flatten())
    }

    /// How the kind of an object is served; `None` where it no longer is: its objects went with it.
    async fn served_kind(&self, id: &ObjectId) -> Result<Option<Arc<Served>>, Error> {
        match self.context.discovery.resolve_preferred(&id.group, &id.kind).await {
            Err(Error::NotServed { .. }) => Ok(None),
            served => served.map(Some),
        }
    }

    /// With the annotation `uninstall-wait`: when to look again, if something that was deleted is still there. Its end is
    /// told by its watch.
    pub(crate) async fn wait_until_gone(&self, leavers: &[Leaver]) -> Result<Option<Again>, Failure> {
        if !self.is_asked_for(labels::UNINSTALL_WAIT) {
            return Ok(None);
        }
        log!(info, self, "Uninstall wait");
        let left = self.left_of(leavers).await?;
        if left.is_empty() {
            return Ok(None);
        }
        let message = self.tell_left(&left);
        self.write_status(&status::Outcome::Leaving { message }).await?;
        Ok(Some(if self.is_told_of(&left).await? { self.later() } else { Again::After(POLL) }))
    }

    /// What of these is still there and does not stay for good. Its end is told.
    pub(crate) async fn left_of<'l>(&self, leavers: &'l [Leaver]) -> Result<Vec<&'l Leaver>, Error> {
        let going: Vec<_> = leavers.iter().filter(|leaver| !leaver.live.keep).collect();
        // Before the look: what goes after it is then told.
        for leaver in &going {
            self.context.objects.want(&leaver.id, &self.set);
        }
        let looks: Vec<_> =
            going.iter().map(|leaver| async { self.is_there(&leaver.id, &leaver.live.uid).await }.boxed()).collect();
        let there: Vec<_> = futures::stream::iter(looks).buffered(IN_FLIGHT).try_collect().await?;
        Ok(going.into_iter().zip(there).filter_map(|(leaver, is_there)| is_there.then_some(leaver)).collect())
    }

    /// Logs what is waited for; gives it in words.
    pub(crate) fn tell_left(&self, left: &[&Leaver]) -> String {
        let names = left.iter().map(|leaver| format!("`{}`", leaver.id)).collect::<Vec<_>>().join(", ");
        log!(info, self, "Waiting until all resources are deleted", resources = names.as_str());
        format!("{names} {} not gone yet", if left.len() == 1 { "is" } else { "are" })
    }

    /// Whether an object, which may have been deleted, is still there: something holds it.
    pub(crate) async fn is_there(&self, id: &ObjectId, uid: &str) -> Result<bool, Error> {
        let object = self.look_at(id).await?;
        Ok(object.is_some_and(|object| object.pointer("/metadata/uid").and_then(Json::as_str) == Some(uid)))
    }

    /// Whether watches tell when these objects go.
    async fn is_told_of(&self, leavers: &[&Leaver]) -> Result<bool, Error> {
        if !self.entry.watch.watch_dependent_resources || leavers.iter().any(|leaver| leaver.mark != Mark::Label) {
            return Ok(false);
        }
        for leaver in leavers {
            let served = self.served_kind(&leaver.id).await?.filter(|served| served.watchable);
            let Some(served) = served else { return Ok(false) };
            let states = self.context.watching.ensure(&served);
            if states.iter().any(|state| *state.borrow() != WatchState::Synced) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
