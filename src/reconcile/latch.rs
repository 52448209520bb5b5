//! Charts that ask for `.Previous`: what the actions of a revision do is the step from the one before it, so that they are brought
//! to their end, and the revision is committed, before a newer one is looked at.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::cluster::Error;
use crate::reconcile::context::Memo;
use crate::reconcile::history::{Origin, UnderWay};
use crate::reconcile::pass::{Pass, log};
use crate::release::Digest;
use crate::release::record::Record;

/// The revision that a pass sticks to.
#[derive(Clone, Debug)]
pub(crate) struct Latch {
    /// The values that were given for it, in place of the resource's `spec`.
    spec: Json,
    /// The generation of the resource that asked for it.
    generation: Option<i64>,
    /// Digest of what it is rendered from.
    pub(crate) inputs: Digest,
}

impl Pass<'_> {
    /// The pass that sticks to the revision on its way, if it is held by its actions.
    pub(crate) async fn latched(&self, memo: &Memo) -> Result<Option<Self>, Error> {
        let under_way = memo.under_way.as_ref().filter(|_| self.entry.names_previous());
        let Some(under_way) = under_way.filter(|under_way| under_way.inputs != self.inputs()) else { return Ok(None) };
        let Some(record) = self.pending(under_way).await? else { return Ok(None) };
        if !self.is_held(memo, &record).await? {
            return Ok(None);
        }
        log!(debug, self, "Revision is brought to its end first", revision = record.revision);
        let spec = Json::Object(record.config.clone());
        let Origin { generation, frame } = under_way.origin;
        // Another chart makes another revision, of the same values.
        let inputs = if frame == self.origin().frame { under_way.inputs } else { self.inputs_of(&spec) };
        Ok(Some(Self { latch: Some(Latch { spec, generation, inputs }), ..self.clone() }))
    }

    async fn pending(&self, under_way: &UnderWay) -> Result<Option<Arc<Record>>, Error> {
        let record = match &under_way.record {
            Some(record) => Some(Arc::clone(record)),
            None => self.cluster.record(&self.release, under_way.revision).await?.map(Arc::new),
        };
        Ok(record.filter(|record| record.info.status.is_pending()))
    }

    /// Whether actions hold the revision: those that are stored, or a Job that was created without that being stored.
    async fn is_held(&self, memo: &Memo, record: &Record) -> Result<bool, Error> {
        let runs = self.runs();
        if runs.have_failed() {
            return Ok(false);
        }
        if record.info.last_deployed.is_some_and(|begun| runs.have_begun(begun)) {
            return Ok(true);
        }
        self.watch(&self.owned_kinds(memo).await?).await?;
        let ours = self.context.objects.of(&self.set).into_values().map(|known| known.live);
        let mut running = ours.filter(|live| live.action.is_some_and(|action| !action.has_ended));
        Ok(running.any(|live| !runs.iter().any(|(_, run)| run.uid == live.uid)))
    }

    /// What a revision that is begun now was asked for by.
    pub(crate) fn origin(&self) -> Origin {
        Origin { generation: self.generation(), frame: Some(self.inputs_of(&Json::Null)) }
    }

    /// The values that are given.
    pub(crate) fn spec(&self) -> Option<&Json> {
        self.latch.as_ref().map(|latch| &latch.spec).or_else(|| self.resource.spec())
    }

    /// The generation that the pass is about.
    pub(crate) fn generation(&self) -> Option<i64> {
        self.latch.as_ref().map_or_else(|| self.resource.generation(), |latch| latch.generation)
    }
}
