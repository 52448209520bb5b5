//! What is measured with few resources: one after the other, at once, changed, damaged, left alone, odd.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::bench::calls::{Calls, Moment, per};
use crate::bench::metric::{at_least, at_most, milliseconds, percentile};
use crate::bench::plain::Plain;
use crate::bench::subject::Subject;
use crate::bench::{Bench, USER, WARM_UP, names};
use crate::operator::{Usage, usage};

/// How long what is odd is watched.
const ODD: Duration = Duration::from_mins(1);

impl Bench {
    /// Everything but many resources.
    pub(crate) async fn few(&mut self) -> Result<()> {
        self.serial().await?;
        self.shops().await?;
        self.cycles().await?;
        let plain = self.plain().await?;
        self.burst(&plain, self.arguments.burst).await?;
        self.naive(&plain).await?;
        self.changes().await?;
        self.quiet().await?;
        self.idle("resources", self.arguments.burst).await?;
        self.odd().await?;
        self.lease().await?;
        let burst = names("burst", self.arguments.burst);
        let took = self.load.delete(&Subject::web(), &burst).await?;
        self.metric("deletions at once", per(burst.len(), 1) / took.as_secs_f64(), "/s", None);
        if let Some(many) = self.arguments.scale.first().copied() {
            self.quiet().await?;
            self.burst(&plain, many).await?;
        }
        Ok(())
    }

    async fn serial(&mut self) -> Result<()> {
        let (count, web) = (self.arguments.serial, Subject::web());
        let step = self.progress.step(format!("{count} resources, one after the other"));
        self.load.serial(&web, &names("warm", WARM_UP), &step).await?;
        let begin = self.moment()?;
        let created = self.load.serial(&web, &names("serial", count), &step).await?;
        self.phase("serial", count, begin)?;
        let applied: Vec<_> = created.iter().map(|created| created.applied).collect();
        let reported: Vec<_> = created.iter().map(|created| created.reported).collect();
        let objects = "resource → all 4 objects";
        self.metric(format!("{objects}, p50"), percentile(&applied, 50), "ms", at_most(20.0, 12.5));
        self.metric(format!("{objects}, p99"), percentile(&applied, 99), "ms", at_most(80.0, 60.0));
        self.metric("resource → status Deployed, p50", percentile(&reported, 50), "ms", at_most(70.0, 25.0));
        self.metric("resource → status Deployed, p99", percentile(&reported, 99), "ms", None);
        step.done("");
        let step = self.progress.step("deleting them, one after the other");
        let begin = self.moment()?;
        let deleted = self.load.delete_serially(&web, &names("serial", count)).await?;
        self.phase("delete", count, begin)?;
        self.metric("deletion → resource gone, p50", percentile(&deleted, 50), "ms", at_most(20.0, 10.0));
        self.metric("deletion → resource gone, p99", percentile(&deleted, 99), "ms", None);
        step.done("");
        Ok(())
    }

    async fn shops(&mut self) -> Result<()> {
        let (count, shop) = (self.arguments.serial.div_ceil(4), Subject::shop());
        let step = self.progress.step(format!("{count} resources of {} objects, one after the other", shop.count()));
        self.load.serial(&shop, &names("first", 1), &step).await?;
        let shops = names("shop", count);
        let begin = self.moment()?;
        let created = self.load.serial(&shop, &shops, &step).await?;
        self.phase("shop", count, begin)?;
        let applied: Vec<_> = created.iter().map(|created| created.applied).collect();
        let objects = format!("resource → all {} objects", shop.count());
        self.metric(format!("{objects}, p50"), percentile(&applied, 50), "ms", at_most(80.0, 50.0));
        let begin = self.moment()?;
        let updated = self.load.update(&shop, &shops, 2, &step).await?;
        self.phase("reshop", count, begin)?;
        let what = format!("change of a value → its object of {}, p50", shop.count());
        self.metric(what, percentile(&updated, 50), "ms", at_most(30.0, 15.0));
        self.load.delete(&shop, &shops).await?;
        step.done("");
        Ok(())
    }

    /// The whole life of a resource, and what it costs.
    async fn cycles(&mut self) -> Result<()> {
        let (count, web) = (self.arguments.serial, Subject::web());
        let step = self.progress.step(format!("{count} resources made, changed and deleted"));
        self.quiet().await?;
        let begin = self.moment()?;
        for name in names("cycle", count) {
            let name = std::slice::from_ref(&name);
            self.load.serial(&web, name, &step).await?;
            self.load.update(&web, name, 2, &step).await?;
            self.load.delete_serially(&web, name).await?;
        }
        let phase = self.phase("cycle", count, begin)?;
        let calls = Calls::of(self.audit.all(), USER, &phase);
        step.done("");
        let each = |seconds: f64| 1000.0 * seconds / per(count, 1);
        let what = "made, changed, deleted:";
        self.metric(format!("{what} our processor time"), each(phase.operator), "ms", at_most(12.0, 8.0));
        self.metric(format!("{what} the API server's"), each(phase.api_server), "ms", at_most(60.0, 40.0));
        self.metric(format!("{what} calls but events"), per(calls.without_events(), count), "", at_most(25.0, 18.0));
        Ok(())
    }

    async fn plain(&self) -> Result<Plain> {
        let example = names("warm", 1).pop().and_then(|name| self.load.resource(&Subject::web(), &name));
        let example = example.context("the first resource is not there any more")?;
        Plain::learn(self.plane.client().await?, &self.binary, &self.arguments.project, &example).await
    }

    /// Many resources at once, after a plain client has made as many with the same requests.
    async fn burst(&mut self, plain: &Plain, count: usize) -> Result<()> {
        let step = self.progress.step(format!("{count} resources at once, first by a plain client"));
        let requests = plain.burst(&names(&format!("plain{count}"), count)).await?.as_secs_f64();
        let name = if count == self.arguments.burst { "burst" } else { "many" };
        let begin = self.moment()?;
        let took = self.load.burst(&Subject::web(), &names(name, count), &step).await?;
        self.phase(name, count, begin)?;
        step.done("");
        let (applied, reported) = (took.applied.as_secs_f64(), took.reported.as_secs_f64());
        let (most, best) = if count >= 1000 { (14.0, 10.0) } else { (3.0, 2.0) };
        let what = format!("burst of {count}:");
        self.metric(format!("{what} until all objects are there"), applied, "s", None);
        self.metric(format!("{what} until all is reported"), reported, "s", at_most(most, best));
        self.metric(format!("{what} a plain client's requests"), requests, "s", None);
        self.metric(format!("{what} times as long as that"), reported / requests, "", at_most(1.5, 1.2));
        self.metric(format!("{what} resources"), per(count, 1) / reported, "/s", at_least(40.0, 90.0));
        Ok(())
    }

    /// What an operator costs that applies everything once a minute, without rendering.
    async fn naive(&mut self, plain: &Plain) -> Result<()> {
        let begin = self.moment()?;
        let applied = plain.apply_all().await?;
        let phase = self.phase("naive", self.arguments.burst, begin)?;
        let what = format!("applying all {applied} objects of {} resources again:", self.arguments.burst);
        self.metric(format!("{what} API server"), phase.api_server, "s", None);
        self.metric(format!("{what} takes"), phase.seconds(), "s", None);
        Ok(())
    }

    async fn changes(&mut self) -> Result<()> {
        let count = self.arguments.repeat.min(self.arguments.burst);
        let (touched, web) = (names("burst", count), Subject::web());
        let step = self.progress.step(format!("{count} changes of one value, one after the other"));
        let begin = self.moment()?;
        let updated = self.load.update(&web, &touched, 2, &step).await?;
        self.phase("update", count, begin)?;
        self.metric("change of a value → its object, p50", percentile(&updated, 50), "ms", at_most(20.0, 12.0));
        self.metric("change of a value → its object, p99", percentile(&updated, 99), "ms", None);
        step.done("");
        let step = self.progress.step(format!("{count} objects deleted or edited, one after the other"));
        let begin = self.moment()?;
        let repaired = self.load.drift(&touched, &step).await?;
        self.phase("drift", count, begin)?;
        self.metric("drift repaired, p50", percentile(&repaired, 50), "ms", at_most(12.0, 8.0));
        self.metric("drift repaired, p99", percentile(&repaired, 99), "ms", at_most(150.0, 40.0));
        step.done("");
        Ok(())
    }

    /// Nothing happens, and nothing must be done.
    pub(crate) async fn idle(&mut self, kind: &str, resources: usize) -> Result<()> {
        let seconds = self.arguments.idle;
        let step = self.progress.step(format!("{seconds} s of doing nothing with {resources} {kind}"));
        let begin = self.moment()?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let phase = self.phase("idle", resources, begin)?;
        let calls = Calls::of(self.audit.all(), USER, &phase);
        step.done("");
        let what = format!("idle {seconds} s, {resources} {kind}:");
        self.metric(format!("{what} calls"), per(calls.total(), 1), "", at_most(0.0, 0.0));
        self.metric(format!("{what} watches begun anew"), per(calls.watches, 1), "", None);
        let share = 100.0 * phase.operator / phase.seconds();
        self.metric(format!("{what} processor"), share, "%", at_most(0.2, 0.1));
        Ok(())
    }

    /// Charts that make others busy for ever: what is done about them in a minute.
    async fn odd(&mut self) -> Result<()> {
        let step = self.progress.step("charts that fail, or that come out different each time, for a minute");
        let oddity = Subject::oddity();
        self.load.create(&oddity, "odd-immutable", &json!({"mode": "immutable"})).await?;
        self.load.until_true(&oddity, "odd-immutable", "Deployed").await?;
        self.quiet().await?;
        let begin = self.moment()?;
        self.load.set(&oddity, "odd-immutable", &json!({"value": "b"})).await?;
        for mode in ["fail", "random", "revision"] {
            self.load.create(&oddity, &format!("odd-{mode}"), &json!({"mode": mode})).await?;
        }
        tokio::time::sleep(ODD).await;
        let phase = self.phase("odd", 4, begin)?;
        step.done("");
        let odd = ["immutable", "fail", "random", "revision"].map(|mode| format!("odd-{mode}"));
        self.load.delete(&oddity, &odd).await?;
        // The claim and the record are written once for a new resource, its status and its object too.
        for (name, most) in [("odd-immutable", 2.0), ("odd-fail", 2.0), ("odd-random", 5.0), ("odd-revision", 5.0)] {
            let calls = Calls::about(self.audit.all(), USER, &phase, name);
            self.metric(format!("{name}: writes in a minute"), per(calls.writes, 1), "", at_most(most, most));
        }
        Ok(())
    }

    /// Stops the operator in order and starts it again, both with a lease.
    async fn lease(&mut self) -> Result<()> {
        let step = self.progress.step("stopping and starting it with a lease");
        let count = self.arguments.burst;
        self.operator.stop();
        self.operator = self.start_operator(true)?;
        self.operator.reconciled(count).await?;
        let begun = std::time::Instant::now();
        self.operator.terminate().await?;
        self.operator = self.start_operator(true)?;
        self.operator.reconciled(count).await?;
        let took = begun.elapsed().as_secs_f64();
        step.done("");
        self.metric(format!("SIGTERM → started again, {count} resources verified"), took, "s", at_most(3.0, 1.5));
        self.operator.stop();
        self.operator = self.start_operator(false)?;
        self.operator.ready().await.map(drop)
    }

    /// Kills the operator and starts it again: it must find everything as it should be, and write nothing.
    pub(crate) async fn restart(&mut self, resources: usize) -> Result<()> {
        let step = self.progress.step(format!("killing and starting it again with {resources} resources"));
        let begin = Moment { operator: Usage::default(), ..self.moment()? };
        self.operator.stop();
        self.operator = self.start_operator(false)?;
        let ready = self.operator.ready().await?;
        let verified = self.operator.reconciled(resources).await?;
        self.quiet().await?;
        let phase = self.phase("restart", resources, begin)?;
        let calls = Calls::of(self.audit.all(), USER, &phase);
        step.done("");
        let what = format!("start with {resources} resources:");
        self.metric(format!("{what} ready"), milliseconds(ready), "ms", None);
        self.metric(format!("{what} all verified"), verified.as_secs_f64(), "s", at_most(10.0, 4.0));
        self.metric(format!("{what} writes"), per(calls.writes, 1), "", at_most(0.0, 0.0));
        self.metric(format!("{what} reads"), per(calls.total() - calls.writes, 1), "", None);
        let used = usage(self.operator.pid()?);
        self.metric(format!("{what} memory afterwards"), used.resident, "MB", None);
        Ok(())
    }
}
