//! The operator as a process: started, asked whether it is ready, measured, stopped.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use testbed::guard::{self, Guarded};
use testbed::port::Port;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long it may take until it says it is ready.
const READY: Duration = Duration::from_mins(1);
/// Lines of its log that an error shows.
const SHOWN: usize = 25;
/// Characters of each of them.
const WIDTH: usize = 400;

/// How the operator is run.
pub(crate) struct Settings<'a> {
    /// Under which name its log is found.
    pub(crate) name: &'a str,
    /// Which kinds it cares for: a file in the project.
    pub(crate) watches: &'a str,
    /// The binary.
    pub(crate) file: &'a Path,
    /// The folder with `watches.yaml` and the charts.
    pub(crate) project: &'a Path,
    /// Whom it works as.
    pub(crate) kubeconfig: &'a Path,
    /// The folder of its log.
    pub(crate) logs: PathBuf,
    /// The one namespace it looks at, all of them if none is given.
    pub(crate) namespace: Option<&'a str>,
    /// Namespace and name of the Lease that it has to hold, if any.
    pub(crate) lease: Option<(&'a str, &'a str)>,
}

impl<'a> Settings<'a> {
    /// The one operator of a project, with all its kinds, in all namespaces.
    pub(crate) fn of(file: &'a Path, project: &'a Path, kubeconfig: &'a Path, logs: PathBuf) -> Self {
        let (name, watches) = ("chart-operator", "watches.yaml");
        Self { name, watches, file, project, kubeconfig, logs, namespace: None, lease: None }
    }
}

/// A running operator.
pub(crate) struct Operator {
    process: Guarded,
    health: Port,
    metrics: Port,
    started: Instant,
}

/// What a process has used, of its own and of what it holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Seconds of processor time.
    pub(crate) cpu: f64,
    /// Resident memory, MB.
    pub(crate) resident: f64,
    /// The most there ever was, MB.
    pub(crate) peak: f64,
}

impl Operator {
    /// Starts it.
    ///
    /// # Errors
    /// There is no port, or nothing can be started. That the binary cannot be run is told by [`Operator::ready`].
    pub(crate) fn start(settings: &Settings<'_>) -> Result<Self> {
        let (health, metrics) = (Port::reserve()?, Port::reserve()?);
        let mut arguments = vec![
            "run".to_owned(),
            format!("--watches-file={}", settings.watches),
            format!("--health-probe-bind-address=127.0.0.1:{}", health.number()),
            format!("--metrics-bind-address=127.0.0.1:{}", metrics.number()),
        ];
        if let Some((namespace, name)) = settings.lease {
            arguments.push("--leader-elect".to_owned());
            arguments.push(format!("--leader-election-id={name}"));
            arguments.push(format!("--leader-election-namespace={namespace}"));
        }
        let mut environment = vec![("KUBECONFIG", settings.kubeconfig.as_os_str())];
        environment.extend(settings.namespace.map(|namespace| ("WATCH_NAMESPACE", OsStr::new(namespace))));
        let program = guard::Program {
            name: settings.name,
            file: settings.file,
            folder: &settings.logs,
            directory: Some(settings.project),
        };
        let started = Instant::now();
        Ok(Self { process: Guarded::start(&program, &arguments, &environment)?, health, metrics, started })
    }

    /// Waits until it says that it is ready, and tells how long that took from its start.
    ///
    /// # Errors
    /// It ended, or did not get ready within a minute.
    pub(crate) async fn ready(&mut self) -> Result<Duration> {
        while self.started.elapsed() < READY {
            if let Some(status) = self.process.ended() {
                bail!("the operator ended before it was ready: {status}");
            }
            if matches!(get(self.health.number(), "/readyz").await, Ok(200)) {
                return Ok(self.started.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("expected within {} s: the operator answers /readyz with 200", READY.as_secs())
    }

    /// Waits until it has looked at so many resources, and tells how long that took from its start.
    ///
    /// # Errors
    /// It ended, or does not do it within a minute.
    pub(crate) async fn reconciled(&mut self, resources: usize) -> Result<Duration> {
        while self.started.elapsed() < READY {
            if let Some(status) = self.process.ended() {
                bail!("the operator ended: {status}");
            }
            let metrics = text(self.metrics.number(), "/metrics").await.unwrap_or_default();
            if looks(&metrics) >= f64::from(u32::try_from(resources)?) {
                return Ok(self.started.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("expected within {} s: the operator has looked at {resources} resources", READY.as_secs())
    }

    /// Tells it to stop, and waits until it has.
    ///
    /// # Errors
    /// It does not stop within a minute.
    pub(crate) async fn terminate(&mut self) -> Result<()> {
        let pid = i32::try_from(self.pid()?).ok().and_then(Pid::from_raw).context("the operator has no process id")?;
        kill_process(pid, Signal::TERM).context("cannot send SIGTERM to the operator")?;
        let begun = Instant::now();
        while self.process.ended().is_none() {
            if begun.elapsed() > READY {
                bail!("expected within {} s: the operator stops", READY.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Kills it: what it leaves behind is what a crash leaves behind.
    pub(crate) fn stop(&mut self) {
        self.process.stop();
    }

    /// Its process id.
    ///
    /// # Errors
    /// It does not run.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.process.pid().context("the operator does not run")
    }

    /// An error that also tells what the operator said last.
    pub(crate) fn blame(&self, error: &anyhow::Error) -> anyhow::Error {
        let said = self.process.last_lines(SHOWN);
        let lines: Vec<String> = said.lines().map(|line| line.chars().take(WIDTH).collect()).collect();
        let lines = if lines.is_empty() { "(nothing)".to_owned() } else { lines.join("\n") };
        anyhow!("{error:#}\nthe operator's last lines:\n{lines}")
    }
}

/// The operator's binary: the one that is named, else the one that was built together with this program.
///
/// # Errors
/// There is none.
pub(crate) fn locate(named: Option<&Path>) -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let file = named.map_or_else(|| own.with_file_name("chart-operator"), Path::to_path_buf);
    if !file.is_file() {
        bail!("the operator is not built: expected {}\nbuild it: cargo build --release", file.display());
    }
    // It is started in the project's folder, where a relative path would name another file.
    file.canonicalize().with_context(|| format!("cannot tell where {} is", file.display()))
}

/// What a process has used so far, from `/proc`: zero where there is none.
pub(crate) fn usage(pid: u32) -> Usage {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let status = read("status");
    let megabytes = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() / 1024.0
    };
    Usage { cpu: cpu_seconds(&read("stat")), resident: megabytes("VmRSS:"), peak: megabytes("VmHWM:") }
}

/// User and system time in the text of `/proc/PID/stat`. The name in it may hold spaces and parentheses.
fn cpu_seconds(stat: &str) -> f64 {
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks: f64 = after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100);
    ticks / f64::from(per_second)
}

/// How many passes there were, by the text of `/metrics`.
fn looks(metrics: &str) -> f64 {
    let passes = metrics.lines().filter(|line| line.starts_with("controller_runtime_reconcile_total{"));
    passes.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// The body of an answer to a plain HTTP request.
async fn text(port: u16, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(2), stream.read_to_string(&mut answer)).await??;
    Ok(answer)
}

/// The status of an answer to a plain HTTP request.
async fn get(port: u16, path: &str) -> Result<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut start = [0; 12];
    tokio::time::timeout(Duration::from_secs(2), stream.read_exact(&mut start)).await??;
    let status = String::from_utf8_lossy(&start);
    status.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no HTTP answer")
}

#[cfg(test)]
mod tests {
    use crate::operator::{cpu_seconds, looks, usage};

    #[test]
    fn passes_are_counted_over_all_controllers_and_results() {
        let metrics = "# TYPE controller_runtime_reconcile_total counter\n\
            controller_runtime_reconcile_total{controller=\"a\",result=\"success\"} 3\n\
            controller_runtime_reconcile_total{controller=\"b\",result=\"error\"} 2\n\
            controller_runtime_reconcile_errors_total{controller=\"b\"} 2\n";
        assert!((looks(metrics) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let ticks = f64::from(u32::try_from(rustix::param::clock_ticks_per_second()).unwrap());
        for name in ["a", "a b", "a) R (b"] {
            let stat = format!("1 ({name}) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20");
            assert!((cpu_seconds(&stat) * ticks - 200.0).abs() < 1e-6, "{name}");
        }
    }

    #[test]
    fn our_own_memory_is_some_megabytes() {
        let used = usage(std::process::id());
        assert!(used.resident > 1.0 && used.peak >= used.resident, "{used:?}");
        assert!(usage(0).resident.abs() < f64::EPSILON);
    }
}
