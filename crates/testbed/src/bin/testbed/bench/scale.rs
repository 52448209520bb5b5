//! What is measured with thousands of resources.

use anyhow::Result;

use crate::bench::calls::per;
use crate::bench::metric::{at_most, percentile};
use crate::bench::subject::Subject;
use crate::bench::{Bench, names};
use crate::operator::usage;

/// Objects that are deleted at once.
const STORM: usize = 1000;

impl Bench {
    /// For each number of the scale: so many resources, and what they cost.
    pub(crate) async fn many(&mut self) -> Result<()> {
        let scale = self.arguments.scale.clone();
        let mut present = scale.first().copied().unwrap_or_default();
        let empty = self.empty.resident;
        for (replicas, count) in (2..).zip(scale) {
            self.grow(present, count).await?;
            present = count.max(present);
            self.quiet().await?;
            let used = usage(self.operator.pid()?);
            let (most, best) = if count > 1000 { (60.0, 50.0) } else { (25.0, 20.0) };
            self.metric(format!("memory (RSS), {count} resources"), used.resident, "MB", at_most(most, best));
            self.metric(format!("memory, most until then, {count} resources"), used.peak, "MB", None);
            let each = 1024.0 * (used.resident - empty) / per(count, 1);
            self.metric(format!("memory for each of {count}"), each, "KiB", at_most(5.0, 4.0));
            self.update_among(count, replicas).await?;
            self.storm(count).await?;
            self.quiet().await?;
            self.idle("resources", count).await?;
            self.restart(count).await?;
        }
        Ok(())
    }

    async fn grow(&mut self, from: usize, to: usize) -> Result<()> {
        if to <= from {
            return Ok(());
        }
        let step = self.progress.step(format!("up to {to} resources"));
        let more: Vec<String> = names("many", to).into_iter().skip(from).collect();
        let begin = self.moment()?;
        self.load.burst(&Subject::web(), &more, &step).await?;
        self.phase("grow", more.len(), begin)?;
        step.done("");
        Ok(())
    }

    async fn update_among(&mut self, count: usize, replicas: i64) -> Result<()> {
        let step = self.progress.step(format!("changes among {count} resources"));
        let touched = names("many", self.arguments.repeat.min(count));
        let updated = self.load.update(&Subject::web(), &touched, replicas, &step).await?;
        step.done("");
        let what = format!("change of a value among {count} resources, p50");
        self.metric(what, percentile(&updated, 50), "ms", at_most(20.0, 12.0));
        Ok(())
    }

    async fn storm(&mut self, count: usize) -> Result<()> {
        let struck = names("many", STORM.min(count));
        let step = self.progress.step(format!("{} objects of {count} resources deleted at once", struck.len()));
        let begin = self.moment()?;
        let took = self.load.storm(&struck).await?.as_secs_f64();
        self.phase("storm", struck.len(), begin)?;
        step.done("");
        let what = format!("{} objects deleted at once: all back", struck.len());
        self.metric(what, took, "s", at_most(8.0, 3.0));
        Ok(())
    }
}
