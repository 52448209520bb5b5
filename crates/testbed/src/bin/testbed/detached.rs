//! `up` and `down`: a control plane that stays until it is told to go.
//!
//! `up` starts this program once more, as `hold`, which owns the control plane; a file in a known folder says which process that
//! is. A process id alone is not believed: it may be somebody else's by now, so the time of its start has to match.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use testbed::build::build;
use testbed::node::{Cluster, machine};
use testbed::program::{Program, cache_folder};
use testbed::progress::{Progress, Stream};
use testbed::{ControlPlane, Options, guard};
use tokio::signal::unix::{SignalKind, signal};

/// How long `hold` may take to be usable: more than the control plane itself may take.
const STARTING: Duration = Duration::from_mins(4);
/// How long it may take to be gone.
const STOPPING: Duration = Duration::from_mins(1);

/// What runs.
#[derive(Serialize, Deserialize)]
struct Held {
    pid: i32,
    /// When that process started, in the words of the system.
    started: String,
    address: String,
    kubeconfig: PathBuf,
    logs: PathBuf,
}

/// What is to run beside etcd, API server and controller-manager.
#[derive(clap::Args, Clone)]
pub(crate) struct Wanted {
    /// No simulated node: Pods stay pending
    #[arg(long)]
    no_node: bool,
    /// Write down every request (the audit log)
    #[arg(long)]
    audit: bool,
    /// A real node with containers instead: needs root, containerd, runc and the plugins for networks
    #[arg(long, conflicts_with_all = ["no_node", "audit"])]
    real_node: bool,
    /// Archives of images for the real node
    #[arg(long = "image", value_name = "ARCHIVE", requires = "real_node")]
    images: Vec<PathBuf>,
}

/// What is held.
enum Running {
    Plane(ControlPlane),
    Cluster(Cluster),
}

impl Wanted {
    fn programs(&self) -> Vec<Program> {
        let of_node = self.real_node.then_some(Program::NODE);
        Program::CONTROL_PLANE.into_iter().chain(of_node.into_iter().flatten()).collect()
    }

    async fn start(&self) -> Result<Running> {
        if self.real_node {
            return Ok(Running::Cluster(Cluster::start(&self.images).await?));
        }
        let options = Options { scheduler: true, kwok: !self.no_node, audit: self.audit, ..Options::default() };
        Ok(Running::Plane(ControlPlane::start(options).await?))
    }

    fn flags(&self) -> Vec<OsString> {
        let chosen = [("--no-node", self.no_node), ("--audit", self.audit), ("--real-node", self.real_node)];
        let flags = chosen.into_iter().filter(|(_, chosen)| *chosen).map(|(flag, _)| OsString::from(flag));
        let images = self.images.iter().flat_map(|image| [OsString::from("--image"), image.clone().into_os_string()]);
        flags.chain(images).collect()
    }
}

impl Running {
    fn plane(&self) -> &ControlPlane {
        match self {
            Self::Plane(plane) => plane,
            Self::Cluster(cluster) => cluster.plane(),
        }
    }
}

/// Starts a control plane that stays, and prints how to use it. One that runs already is told again.
///
/// # Errors
/// It cannot be built or started.
pub(crate) fn up(wanted: &Wanted) -> Result<()> {
    let progress = Progress::to(Stream::Error);
    let folder = folder()?;
    let held = if let Some(held) = held(&folder) {
        progress.say("it runs already");
        held
    } else {
        if wanted.real_node {
            machine::check()?;
        }
        build(&wanted.programs(), &progress)?;
        start(&folder, wanted, &progress)?
    };
    progress.say(&format!("API server {}, logs in {}", held.address, held.logs.display()));
    progress.say("stop it: testbed down");
    Progress::to(Stream::Output).say(&format!("export KUBECONFIG={}", held.kubeconfig.display()));
    Ok(())
}

/// Stops what [`up`] started.
///
/// # Errors
/// It does not go away.
pub(crate) fn down() -> Result<()> {
    let progress = Progress::to(Stream::Error);
    let folder = folder()?;
    let Some(held) = held(&folder) else {
        progress.say("nothing runs");
        return Ok(());
    };
    let step = progress.step("stopping the control plane");
    // Killing the holder is enough: what it holds cannot outlive it.
    for (signal, patience) in [(Signal::TERM, STOPPING), (Signal::KILL, Duration::from_secs(5))] {
        let pid = Pid::from_raw(held.pid).context("the file of `up` names no process")?;
        kill_process(pid, signal).ok();
        let end = Instant::now() + patience;
        while started(held.pid).as_ref() == Some(&held.started) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    if started(held.pid).as_ref() == Some(&held.started) {
        step.failed("");
        bail!("process {} does not go away", held.pid);
    }
    step.done("");
    std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
}

/// What `up` starts: holds a control plane until it is told to stop.
///
/// # Errors
/// It cannot be started.
pub(crate) async fn hold(wanted: Wanted) -> Result<()> {
    let folder = folder()?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let running = wanted.start().await?;
    let plane = running.plane();
    let pid = i32::try_from(std::process::id())?;
    let kubeconfig = folder.join("kubeconfig");
    std::fs::copy(plane.kubeconfig(), &kubeconfig).context("cannot write the kubeconfig")?;
    let started = started(pid).context("cannot tell when this process started")?;
    let held = Held { pid, started, address: plane.address().to_owned(), kubeconfig, logs: plane.logs() };
    let unfinished = folder.join("held.new");
    std::fs::write(&unfinished, serde_json::to_string_pretty(&held)?)?;
    std::fs::rename(unfinished, folder.join("held.json")).context("cannot say that the control plane is up")?;
    tokio::select! {
        _ = interrupted.recv() => (),
        _ = terminated.recv() => (),
    }
    drop(running);
    Ok(())
}

fn start(folder: &Path, wanted: &Wanted, progress: &Progress) -> Result<Held> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let log = folder.join("hold.log");
    let output = std::fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = Command::new(std::env::current_exe().context("cannot tell where this program is")?);
    command.arg("hold").args(wanted.flags());
    let mut holder = command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        // Not hit by the terminal's interrupt.
        .process_group(0)
        .spawn()
        .context("cannot start the process that holds the control plane")?;
    let step = progress.step("starting the control plane");
    let result = wait(&mut holder, folder);
    match result {
        Ok(held) => {
            step.done("");
            Ok(held)
        }
        Err(error) => {
            step.failed("");
            holder.kill().ok();
            Err(error.context(guard::tail(&log, 60)))
        }
    }
}

fn wait(holder: &mut Child, folder: &Path) -> Result<Held> {
    let end = Instant::now() + STARTING;
    while Instant::now() < end {
        if let Some(status) = holder.try_wait()? {
            bail!("the process that holds the control plane ended: {status}");
        }
        if let Some(held) = held(folder) {
            return Ok(held);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("expected within {} s: the control plane is up", STARTING.as_secs())
}

/// What runs, nothing if its process is not the one that was written down.
fn held(folder: &Path) -> Option<Held> {
    let text = std::fs::read_to_string(folder.join("held.json")).ok()?;
    let held: Held = serde_json::from_str(&text).ok()?;
    (started(held.pid)? == held.started).then_some(held)
}

fn folder() -> Result<PathBuf> {
    Ok(cache_folder()?.with_file_name("up"))
}

/// When a process started: from `/proc` where there is one, else from `ps`. A dead one that nobody has waited for yet
/// does not count.
fn started(pid: i32) -> Option<String> {
    if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<_> = stat.rsplit(") ").next()?.split(' ').collect();
        return (*fields.first()? != "Z").then(|| fields.get(19).map(|time| (*time).to_owned()))?;
    }
    let output = Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use crate::detached::{Held, held, started};

    #[test]
    fn a_process_is_known_by_its_id_and_its_start() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let start = started(pid).unwrap();
        let folder = testbed::guard::Folder::new("testbed-test-").unwrap();
        let logs = folder.path().to_path_buf();
        for (started, found) in [(start, true), ("1".to_owned(), false)] {
            let entry = Held { pid, started, address: String::new(), kubeconfig: logs.clone(), logs: logs.clone() };
            std::fs::write(folder.path().join("held.json"), serde_json::to_string(&entry).unwrap()).unwrap();
            assert_eq!(held(folder.path()).is_some(), found);
        }
        assert!(started(i32::MAX).is_none());
    }
}
