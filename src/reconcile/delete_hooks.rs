//! The hooks of a deletion: those of the recorded revision, so that they run after a restart too, and without the chart.

use k8s_openapi::jiff::Timestamp;

use crate::reconcile::context::Memo;
use crate::reconcile::history::Origin;
use crate::reconcile::hooks::{Held, POLL};
use crate::reconcile::pass::{Failure, Pass, log};
use crate::reconcile::queue::Again;
use crate::reconcile::trace::Trace;
use crate::reconcile::work::{Begun, UNKNOWN};
use crate::release::Digest;
use crate::release::hook::run::Stage;
use crate::release::hook::{self, Event, Hook};
use crate::release::plan::unfinished_hooks;
use crate::release::record::Status;
use crate::status::{self, FailedStep, Fate, Reason};

impl Pass<'_> {
    /// The record whose hooks run before and after the objects are deleted; none where it has no such hooks, is gone, or
    /// cannot be read.
    pub(crate) async fn deletion(&self, memo: &mut Memo) -> Result<Option<Begun>, Failure> {
        let is_deletion = |event| matches!(event, Event::PreDelete | Event::PostDelete);
        let under_way = memo.under_way.clone().filter(|under_way| is_deletion(under_way.stage.event));
        let history = &memo.history;
        let latest = history.deployed().or_else(|| history.revisions.last().copied());
        let Some(revision) = under_way.as_ref().map(|under_way| under_way.revision).or(latest) else {
            return Ok(None);
        };
        let known = under_way.as_ref().and_then(|under_way| under_way.record.as_deref().cloned());
        let read = if known.is_some() {
            known
        } else {
            let record = self.cluster.record(&self.release, revision).await;
            self.unless_going(record, &self.release.namespace).await?.flatten()
        };
        let Some(mut record) = read else { return Ok(None) };
        if let Some(under_way) = under_way {
            return Ok(Some(Begun {
                record,
                stage: under_way.stage,
                trace: Trace::default(),
                origin: Origin::default(),
            }));
        }
        let hooks: Vec<_> = record.hooks.iter().map(Hook::from).collect();
        if [Event::PreDelete, Event::PostDelete].into_iter().all(|event| hook::of_event(&hooks, event).is_empty()) {
            return Ok(None);
        }
        record.info.status = Status::Uninstalling;
        record.info.deleted = Some(Timestamp::now());
        "Deletion in progress (or silently failed)".clone_into(&mut record.info.description);
        let stage = Stage::first(Event::PreDelete);
        let mut begun = Begun { record, stage, trace: Trace::default(), origin: Origin::default() };
        self.enter(memo, inputs(memo), &mut begun, stage).await?;
        Ok(Some(begun))
    }

    /// Runs the hooks of an event of a deletion. Gives when to look again if they are not through; one that failed is tried
    /// again, those that succeeded are not.
    pub(crate) async fn run_deletion_hooks(
        &self,
        memo: &mut Memo,
        begun: &mut Option<Begun>,
        event: Event,
    ) -> Result<Option<Again>, Failure> {
        let Some(begun) = begun else { return Ok(None) };
        let inputs = inputs(memo);
        match (begun.stage.event, event) {
            // Those are through.
            (Event::PostDelete, Event::PreDelete) => return Ok(None),
            (now, event) if now != event => self.enter(memo, inputs, begun, Stage::first(event)).await?,
            _ if begun.record.hooks.iter().any(|hook| hook.last_run.has_failed()) => {
                let stage = Stage { event, tries: begun.stage.tries.saturating_add(1) };
                self.enter(memo, inputs, begun, stage).await?;
            }
            _ => {}
        }
        let places: Vec<_> = unfinished_hooks(&begun.record.hooks, event).into_iter().map(|step| step.place).collect();
        let (message, again) = match self.run_event(memo, inputs, begun, &places).await? {
            None => return Ok(None),
            Some(Held::Running { message, wake }) => (message, Again::After(wake)),
            Some(Held::Leaving(message)) => (message, Again::After(POLL)),
            Some(Held::Failed(message)) => {
                self.save(memo, inputs, begun).await?;
                self.remove_failed(begun).await;
                log!(error, self, "Failed to uninstall release", error = message.as_str());
                let (step, reason, fate) = (FailedStep::Uninstall, Reason::HookFailed, Fate::Retry);
                self.write_status(&status::Outcome::Failed { step, reason, message, fate }).await?;
                return Ok(Some(Again::Backoff));
            }
        };
        self.write_status(&status::Outcome::Uninstalling { reason: Reason::Uninstalling, message }).await?;
        Ok(Some(again))
    }
}

fn inputs(memo: &Memo) -> Digest {
    memo.under_way.as_ref().map(|under_way| under_way.inputs).or(memo.recorded).unwrap_or(UNKNOWN)
}
