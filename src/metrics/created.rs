//! `resource_created_at_seconds`: printed from who knows the resources, because there may be ten thousands of them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::metrics::labels::Resource;

/// Tells of each resource when it was created, in Unix time; `false` for the last time.
type Source = Box<dyn Fn(&mut dyn FnMut(&Resource, i64)) -> bool + Send + Sync>;

/// Who knows resources.
#[derive(Clone, Default)]
pub struct Sources(Arc<Mutex<Vec<Source>>>);

impl Sources {
    /// Has `source` tell of its resources each time that everything is printed, until it gives `false`.
    pub fn add(&self, source: impl Fn(&mut dyn FnMut(&Resource, i64)) -> bool + Send + Sync + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(source));
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Timestamp at which a resource was created.";
        let mut family = encoder.encode_descriptor("resource_created_at_seconds", help, None, MetricType::Gauge)?;
        let mut result = Ok(());
        let mut print = |labels: &Resource, created: i64| {
            let printed = family.encode_family(labels).and_then(|row| ConstGauge::new(created).encode(row));
            result = result.and(printed);
        };
        // A source that panicked leaves the list whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|source| source(&mut print));
        result
    }
}
