//! `.Previous`: the values of the last revision that became ready, for charts that ask for them.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::chart::Chart;
use crate::cluster::Error;
use crate::reconcile::context::Memo;
use crate::reconcile::pass::Pass;
use crate::release::record::Record;
use crate::render::KubeVersion;
use crate::values::{self, Checks, Schemas};

/// The values of a revision.
#[derive(Clone, Debug)]
pub(crate) struct Previous {
    revision: u32,
    pub(crate) values: Arc<Json>,
}

impl Pass<'_> {
    /// The memo with the values of the revision that runs, where the chart asks for them.
    pub(crate) async fn with_previous(&self, memo: Arc<Memo>) -> Result<Arc<Memo>, Error> {
        let running = memo.history.deployed().filter(|_| self.entry.names_previous());
        if running == memo.previous.as_ref().map(|previous| previous.revision) {
            return Ok(memo);
        }
        let mut previous = None;
        if let Some(revision) = running
            && let Some(record) = self.cluster.record(&self.release, revision).await?
        {
            let capabilities = self.context.capabilities.borrow().clone();
            let values = Arc::new(values_of(&self.entry.chart, &record, capabilities.kube_version()));
            previous = Some(Previous { revision, values });
        }
        Ok(self.controller.remember(&self.key, Memo { previous, ..Memo::clone(&memo) }))
    }

    /// A chart that asks for `.Previous` is rendered again once that is another.
    pub(crate) fn tell_previous(&self) {
        if self.entry.names_previous() {
            self.controller.queue.add(self.key.clone());
        }
    }
}

/// `.Values` of a revision: what was given, over the defaults that its chart had. Where the chart no longer takes them, only
/// what was given.
fn values_of(chart: &Chart, record: &Record, kube_version: &KubeVersion) -> Json {
    let config = Json::Object(record.config.clone());
    let chart = Chart { values: Arc::new(Json::Object(record.chart.values.clone())), ..chart.clone() };
    let checks =
        Checks { kube_version: &kube_version.version, normalized: &kube_version.normalized, schemas: Schemas::Skipped };
    values::process_with(&chart, &config, checks).map_or(config, |processed| processed.values)
}
