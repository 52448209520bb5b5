//! What Linux says about this process, for the `process_…` metrics.

use procfs::WithCurrentSystemInfo;
use procfs::process::LimitValue;

use crate::metrics;

/// A sample of this process now; `None` where `/proc` is not mounted or not readable.
pub fn sample() -> Option<metrics::Process> {
    let process = procfs::process::Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let ticks = u32::try_from(procfs::ticks_per_second()).ok()?;
    let boot = procfs::boot_time_secs().ok()?;
    let max_fds = match process.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Unlimited => u64::MAX,
        LimitValue::Value(most) => most,
    };
    let seconds = |clock: u64| seconds(clock, ticks);
    Some(metrics::Process {
        cpu_seconds: seconds(stat.utime + stat.stime),
        resident_bytes: stat.rss_bytes().get(),
        virtual_bytes: stat.vsize,
        start_time_seconds: seconds(stat.starttime + boot * u64::from(ticks)),
        open_fds: u64::try_from(process.fd_count().ok()?).ok()?,
        max_fds,
        threads: u64::try_from(stat.num_threads).ok()?,
    })
}

/// Clock ticks in seconds.
#[expect(clippy::cast_precision_loss, reason = "ticks since 1970 are far below 2^53")]
fn seconds(clock: u64, ticks: u32) -> f64 {
    clock as f64 / f64::from(ticks)
}
