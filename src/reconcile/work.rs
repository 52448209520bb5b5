//! The revision that a pass works on: one that is rendered, or one that a record holds.

use std::sync::Arc;

use crate::cluster::Error;
use crate::reconcile::attempt::{Attempt, tells_revision};
use crate::reconcile::carry_out::Outcome;
use crate::reconcile::context::Memo;
use crate::reconcile::desire::Desired;
use crate::reconcile::history::{Goal, Origin};
use crate::reconcile::pass::{Cause, Failure, Pass, ServedKinds};
use crate::reconcile::rendering::Rendered;
use crate::reconcile::trace::Trace;
use crate::release::Digest;
use crate::release::hook::run::Stage;
use crate::release::operation::Operation;
use crate::release::plan::{self, HookStep, Plan};
use crate::release::record::{HookRecord, Record, Status};

/// What is done with a revision.
#[derive(Debug)]
pub(crate) struct Work {
    /// How it is come to; none if it runs, and is only kept as it is.
    pub(crate) operation: Option<Operation>,
    /// Digest of what it was rendered from.
    pub(crate) inputs: Digest,
    /// Its record, if that is written before it runs.
    pub(crate) begun: Option<Begun>,
    /// The revision that is put back.
    pub(crate) source: Option<Arc<Record>>,
}

/// A revision whose record is written.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) record: Record,
    pub(crate) stage: Stage,
    /// What was asked to render it.
    pub(crate) trace: Trace,
    /// What it was asked for by.
    pub(crate) origin: Origin,
}

/// What is to be done for it.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) desired: &'a Desired,
    pub(crate) plan: &'a Plan,
    pub(crate) served: &'a ServedKinds,
}

impl Work {
    /// The revision that it is about.
    pub(crate) fn revision(&self, memo: &Memo) -> u32 {
        match (&self.begun, self.operation) {
            (Some(begun), _) => begun.record.revision,
            (None, Some(_)) => memo.history.next(),
            (None, None) => memo.revision().max(1),
        }
    }

    const fn keep(inputs: Digest) -> Self {
        Self { operation: None, inputs, begun: None, source: None }
    }

    /// The hooks of its operation that are left, before and after the objects.
    pub(crate) fn hooks(&self, rendered: &Rendered) -> (Vec<HookStep>, Vec<HookStep>) {
        let Some(operation) = self.operation else { return (Vec::new(), Vec::new()) };
        if let Some(begun) = &self.begun {
            return plan::hook_steps(&begun.record.hooks, operation, Some(begun.stage));
        }
        let hooks: Vec<_> = rendered.hooks.iter().map(HookRecord::from).collect();
        plan::hook_steps(&hooks, operation, None)
    }
}

impl Pass<'_> {
    /// The revision to work on. `inputs` is the digest of what the resource asks for; `same` tells whether a render of it would
    /// find what the last one found.
    pub(crate) async fn work(
        &self,
        memo: &Memo,
        goal: Goal,
        inputs: Digest,
        same: bool,
    ) -> Result<(Work, Attempt), Failure> {
        match goal {
            Goal::Asked => self.work_asked_for(memo, inputs, same).await,
            Goal::RollBack => self.work_put_back(memo).await,
            Goal::Keep | Goal::Rest => {
                let (_, record) = self.running_record(memo).await?;
                Ok((Work::keep(memo.recorded.unwrap_or(UNKNOWN)), Attempt::running(&record, memo)?))
            }
        }
    }

    async fn work_asked_for(&self, memo: &Memo, inputs: Digest, same: bool) -> Result<(Work, Attempt), Failure> {
        let runs = memo.recorded == Some(inputs);
        if runs && same && self.entry.watch.history > 0 && self.may_differ(memo) {
            // What might come out different is taken from the record instead.
            if let Ok((_, record)) = self.running_record(memo).await {
                return Ok((Work::keep(inputs), Attempt::running(&record, memo)?));
            }
        }
        if let Some(begun) = self.begun(memo, inputs, false).await? {
            let attempt = Attempt::stored(&begun.record, begun.trace.clone())?;
            let install = begun.record.info.status == Status::PendingInstall;
            let operation = if install { Operation::Install } else { Operation::Upgrade };
            return Ok((Work { operation: Some(operation), begun: Some(begun), ..Work::keep(inputs) }, attempt));
        }
        let attempt = self.desire(memo, inputs, same).await?;
        let output = self.output(&attempt.rendered);
        let runs = memo.output.map_or(runs, |running| running == output);
        Ok((Work { operation: (!runs).then(|| memo.operation()), ..Work::keep(inputs) }, attempt))
    }

    /// Whether the revision that runs might be rendered differently from the same inputs.
    fn may_differ(&self, memo: &Memo) -> bool {
        memo.changes_by_itself || memo.trace.lookups().next().is_some() || tells_revision(&self.entry.chart)
    }

    async fn work_put_back(&self, memo: &Memo) -> Result<(Work, Attempt), Failure> {
        let (to, source) = self.running_record(memo).await?;
        let attempt = Attempt::running(&source, memo)?;
        let inputs = memo.recorded.unwrap_or(UNKNOWN);
        let begun = self.begun(memo, inputs, true).await?;
        let operation = Some(Operation::Rollback { to });
        Ok((Work { operation, inputs, begun, source: Some(source) }, attempt))
    }

    /// The record of the revision that runs.
    async fn running_record(&self, memo: &Memo) -> Result<(u32, Arc<Record>), Failure> {
        let revision = memo.revision();
        let record = self.cluster.record(&self.release, revision).await?;
        let unreadable = || format!("revision {revision} cannot be put back: its record is gone or cannot be read");
        Ok((revision, Arc::new(record.ok_or_else(|| Failure::refused(Cause::Apply, unreadable()))?)))
    }

    /// The revision that is on its way, if it is made from `inputs`.
    pub(crate) async fn begun(&self, memo: &Memo, inputs: Digest, back: bool) -> Result<Option<Begun>, Error> {
        let Some(under_way) = memo.under_way.as_ref().filter(|under_way| under_way.inputs == inputs) else {
            return Ok(None);
        };
        let record = match &under_way.record {
            Some(record) => Some(Record::clone(record)),
            None => self.cluster.record(&self.release, under_way.revision).await?,
        };
        let fits = |record: &Record| {
            record.info.status.is_pending() && (record.info.status == Status::PendingRollback) == back
        };
        let (stage, trace, origin) = (under_way.stage, under_way.trace.clone(), under_way.origin);
        Ok(record.filter(fits).map(|record| Begun { record, stage, trace, origin }))
    }

    /// Carries the plan out: hooks, objects, hooks.
    pub(crate) async fn carry_out_plan(
        &self,
        memo: &mut Memo,
        work: &mut Work,
        task: Task<'_>,
    ) -> Result<Outcome, Failure> {
        let Task { desired, plan, served } = task;
        if let Some(operation) = work.operation
            && let Some(held) = self.run_hooks(memo, work, plan, operation.before()).await?
        {
            let applied = memo.applied.clone();
            return Ok(Outcome { hook: Some(held), applied, ..Outcome::default() });
        }
        let mut outcome = self.carry_out(desired, plan, served, memo).await?;
        if outcome.is_complete()
            && let Some(operation) = work.operation
        {
            // What a crash would make us send again need not be sent.
            memo.applied.clone_from(&outcome.applied);
            outcome.hook = self.run_hooks(memo, work, plan, operation.after()).await?;
        }
        Ok(outcome)
    }
}

/// Stands for the inputs of a revision that others made: nothing is rendered from them.
pub(crate) const UNKNOWN: Digest = Digest([0; 16]);
