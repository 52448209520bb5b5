//! The `process_…` metrics: printed from a sample that is handed in, because this module reads no disk.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// What the operating system says about this process now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process {
    /// User and system time used so far, in seconds.
    pub cpu_seconds: f64,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// Virtual memory, in bytes.
    pub virtual_bytes: u64,
    /// Start of the process, in seconds of Unix time.
    pub start_time_seconds: f64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// Most file descriptors that may be open.
    pub max_fds: u64,
    /// Threads of the process.
    pub threads: u64,
}

/// Prints the `process_…` families from what `sample` returns.
pub(super) fn register(registry: &mut Registry, sample: impl Fn() -> Option<Process> + Send + Sync + 'static) {
    registry.register_collector(Box::new(Sampler { sample: Box::new(sample) }));
}

struct Sampler {
    sample: Box<dyn Fn() -> Option<Process> + Send + Sync>,
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler").finish_non_exhaustive()
    }
}

impl Collector for Sampler {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(now) = (self.sample)() else { return Ok(()) };
        let mut add = |name: &str, help: &str, metric: &dyn EncodeMetric| {
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        let cpu = ConstCounter::new(now.cpu_seconds);
        add("process_cpu_seconds", "Total user and system CPU time spent in seconds.", &cpu)?;
        let resident = ConstGauge::new(now.resident_bytes);
        add("process_resident_memory_bytes", "Resident memory size in bytes.", &resident)?;
        let virtual_memory = ConstGauge::new(now.virtual_bytes);
        add("process_virtual_memory_bytes", "Virtual memory size in bytes.", &virtual_memory)?;
        let start = ConstGauge::new(now.start_time_seconds);
        add("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", &start)?;
        add("process_open_fds", "Number of open file descriptors.", &ConstGauge::new(now.open_fds))?;
        add("process_max_fds", "Maximum number of open file descriptors.", &ConstGauge::new(now.max_fds))?;
        add("process_threads", "Number of OS threads in the process.", &ConstGauge::new(now.threads))
    }
}
