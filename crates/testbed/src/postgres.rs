//! A PostgreSQL server on loopback, where its programs are installed.
//!
//! It has a database and a user as in a chart of a database, who owns it and may do no more. The server refuses to run as root:
//! then it runs as `nobody`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::guard::{Folder, Guarded, Program};
use crate::port::Port;

/// The database.
pub const DATABASE: &str = "demodb";
/// Its owner.
pub const USER: &str = "demouser";
/// The owner's password.
pub const PASSWORD: &str = "demopw";

/// Where distributions put the programs beside `PATH`, one folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// `nobody`, and his group.
const NOBODY: u32 = 65534;
/// How long the server may need to answer, and to stop.
const DEADLINE: Duration = Duration::from_secs(30);

/// A server. Dropping it stops it and removes its data.
pub struct Postgres {
    // The server ends before its folder.
    server: Option<Guarded>,
    programs: PathBuf,
    folder: Folder,
    port: Port,
}

/// The folder with the newest programs, if they are installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = versions.chain(std::env::split_paths(&path)).collect();
    found.retain(|folder| ["initdb", "postgres", "psql"].iter().all(|program| folder.join(program).is_file()));
    found.into_iter().max_by_key(|folder| folder.starts_with(VERSIONS).then(|| folder.clone()))
}

impl Postgres {
    /// A new one with an empty database, or nothing where it is not installed.
    ///
    /// # Errors
    /// It does not start; the message has its last words.
    pub fn start() -> Result<Option<Self>> {
        let Some(programs) = programs() else { return Ok(None) };
        let folder = Folder::new("chart-operator-postgres-")?;
        let mut postgres = Self { server: None, programs, folder, port: Port::reserve()? };
        postgres.initialize()?;
        postgres.resume()?;
        postgres.run_as("postgres", "postgres", &format!("CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'"))?;
        postgres.run_as("postgres", "postgres", &format!("CREATE DATABASE {DATABASE} OWNER {USER}"))?;
        Ok(Some(postgres))
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// One of its programs, such as `psql`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// What the owner of the database gets for this statement, as psql prints it without any ornament.
    ///
    /// # Errors
    /// What the server says of it.
    pub fn query(&self, statement: &str) -> Result<String> {
        self.run_as(USER, DATABASE, statement)
    }

    /// Starts it again where it was stopped, and returns when it answers.
    ///
    /// # Errors
    /// It does not start.
    pub fn resume(&mut self) -> Result<()> {
        let data = self.folder.path().join("data");
        let port = format!("port={}", self.port());
        let options = ["listen_addresses=127.0.0.1", &port, "unix_socket_directories=", "fsync=off"];
        let mut arguments: Vec<OsString> = vec!["-D".into(), data.into()];
        arguments.extend(options.iter().flat_map(|option| ["-c".into(), OsString::from(option)]));
        let (file, arguments) = unprivileged(&self.program("postgres"), &arguments);
        let program =
            Program { name: "postgres", file: &file, folder: self.folder.path(), directory: Some(Path::new("/")) };
        let server = Guarded::start(&program, &arguments, &[])?;
        let begun = Instant::now();
        while self.run_as("postgres", "postgres", "SELECT 1").is_err() {
            if begun.elapsed() > DEADLINE {
                bail!("PostgreSQL does not answer:\n{}", server.last_lines(15));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.server = Some(server);
        Ok(())
    }

    /// Stops it; its data stay.
    pub fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        // Unlike SIGKILL, SIGQUIT leaves no shared memory behind.
        let pid = server.pid().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let asked = pid.is_some_and(|pid| kill_process(pid, Signal::QUIT).is_ok());
        let begun = Instant::now();
        while asked && server.ended().is_none() && begun.elapsed() < DEADLINE {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn initialize(&self) -> Result<()> {
        let root = self.folder.path();
        let password = root.join("password");
        fs::write(&password, PASSWORD).context("cannot write a password")?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).context("cannot protect a password")?;
        if geteuid().is_root() {
            for path in [root, &password] {
                chown(path, Some(NOBODY), Some(NOBODY))
                    .with_context(|| format!("cannot give {} away", path.display()))?;
            }
        }
        let arguments = ["--username=postgres", "--auth=scram-sha-256", "--no-sync", "--no-locale", "--encoding=UTF8"];
        let mut arguments: Vec<OsString> = arguments.map(OsString::from).to_vec();
        arguments.extend(["--pgdata".into(), root.join("data").into()]);
        arguments.extend(["--pwfile".into(), password.into_os_string()]);
        let (file, arguments) = unprivileged(&self.program("initdb"), &arguments);
        said(Command::new(file).args(arguments).current_dir("/")).map(drop)
    }

    fn run_as(&self, user: &str, database: &str, statement: &str) -> Result<String> {
        let port = self.port().to_string();
        let environment = [
            ("PGHOST", "127.0.0.1"),
            ("PGPORT", &port),
            ("PGUSER", user),
            ("PGDATABASE", database),
            ("PGPASSWORD", PASSWORD),
        ];
        let mut psql = Command::new(self.program("psql"));
        psql.args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]).envs(environment);
        said(&mut psql)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// How a program is run that refuses to be root's.
fn unprivileged(file: &Path, arguments: &[OsString]) -> (PathBuf, Vec<OsString>) {
    if !geteuid().is_root() {
        return (file.to_path_buf(), arguments.to_vec());
    }
    let nobody = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()];
    let program = std::iter::once(file.as_os_str().to_owned()).chain(arguments.iter().cloned());
    ("setpriv".into(), nobody.into_iter().map(OsString::from).chain(program).collect())
}

/// What a program prints when it ends well.
fn said(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let Output { status, stdout, stderr } = command.output().with_context(|| format!("cannot run {name}"))?;
    if !status.success() {
        bail!("{}", String::from_utf8_lossy(&stderr).trim());
    }
    Ok(String::from_utf8_lossy(&stdout).trim_end().to_owned())
}
