//! Child processes that cannot outlive their parent.
//!
//! A destructor does not run in a process that is killed, and the parent-death signal of Linux belongs to a thread, needs
//! unsafe code and exists nowhere else. So every program is started by a few lines of POSIX shell (`guard.sh`) that hold one
//! end of a pipe: when ours closes, by [`Guarded::stop`], by dropping, or by the kernel, the program is killed with SIGKILL, which
//! is enough for throw-away data.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

const GUARD: &str = include_str!("guard.sh");
const JANITOR: &str = include_str!("janitor.sh");

/// How long a shell may need from the end of its pipe to its own end; then it is killed too.
const STOPPING: Duration = Duration::from_secs(10);

/// A running program that ends with us.
#[derive(Debug)]
pub struct Guarded {
    name: String,
    log: PathBuf,
    pidfile: PathBuf,
    shell: Child,
}

/// What to run.
pub struct Program<'a> {
    /// Its name in messages, and of its files in the folder.
    pub name: &'a str,
    /// The file to execute.
    pub file: &'a Path,
    /// The folder of its log and of the file with its process id.
    pub folder: &'a Path,
    /// The folder it runs in, ours if none is given.
    pub directory: Option<&'a Path>,
}

impl Guarded {
    /// Starts a program, its standard output and error in `<folder>/<name>.log` (appended).
    ///
    /// # Errors
    /// The log cannot be written or the shell not be started. That the program cannot be executed is in the log, and
    /// [`Guarded::ended`].
    pub fn start<S: AsRef<OsStr>>(
        program: &Program<'_>,
        arguments: &[S],
        environment: &[(&str, &OsStr)],
    ) -> Result<Self> {
        let log = program.folder.join(format!("{}.log", program.name));
        let pidfile = program.folder.join(format!("{}.pid", program.name));
        let opened = File::options().append(true).create(true).open(&log);
        let output = opened.with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new("/bin/sh");
        if let Some(directory) = program.directory {
            command.current_dir(directory);
        }
        let shell = command
            .args(["-c", GUARD, "guard"])
            .arg(&pidfile)
            .arg(program.file)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            // Not hit by the terminal's interrupt: the parent decides when its children stop.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start `{}`", program.name))?;
        Ok(Self { name: program.name.to_owned(), log, pidfile, shell })
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file of its output.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The program's process id, nothing before it was started.
    pub fn pid(&self) -> Option<u32> {
        std::fs::read_to_string(&self.pidfile).ok()?.trim().parse().ok()
    }

    /// How it ended, nothing while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.shell.try_wait().ok().flatten()
    }

    /// Kills it, and returns when it is gone.
    pub fn stop(&mut self) {
        drop(self.shell.stdin.take());
        wait_or_kill(&mut self.shell);
    }

    /// The last `count` lines of its output.
    pub fn last_lines(&self, count: usize) -> String {
        tail(&self.log, count)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A folder that is removed when this is dropped, and when this process dies.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    janitor: Child,
}

impl Folder {
    /// A new one among the system's temporary files, readable by its owner only.
    ///
    /// # Errors
    /// The folder cannot be created or the shell not be started.
    pub fn new(prefix: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix(prefix).tempdir().context("cannot create a temporary folder")?;
        let janitor = Command::new("/bin/sh")
            .args(["-c", JANITOR, "janitor"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start /bin/sh")?;
        Ok(Self { path: folder.keep(), janitor })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        wait_or_kill(&mut self.janitor);
    }
}

/// The last `count` lines of a file, empty if it cannot be read.
pub fn tail(path: &Path, count: usize) -> String {
    let text = std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
}

/// Waits for a shell whose pipe has ended. Nothing can be done about an error: it is somebody else's process then.
fn wait_or_kill(shell: &mut Child) {
    let deadline = Instant::now() + STOPPING;
    while let Ok(None) = shell.try_wait() {
        if Instant::now() > deadline {
            shell.kill().and_then(|()| shell.wait()).ok();
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests;
