//! Builds the programs that the cache lacks, with the Go toolchain of the machine.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::program::{ASSETS_VARIABLE, CACHE_VARIABLE, Module, Program, cache_folder};
use crate::progress::{Progress, Step};

/// Lines of Go's output that an error shows.
const SHOWN: usize = 15;

/// What a finished command said.
struct Finished {
    status: ExitStatus,
    stdout: String,
    stderr: Vec<String>,
}

/// Builds what is missing of `programs`, and returns where they are, in their order.
///
/// One build at a time per module: a second process waits for the first and finds its work done. A file appears in the
/// cache only when it is whole.
///
/// # Errors
/// Go is missing, too old, cannot download the modules, or cannot compile them; the message holds Go's own words and
/// what can be done.
pub fn build(programs: &[Program], progress: &Progress) -> Result<Vec<PathBuf>> {
    let missing: Vec<_> = programs.iter().filter(|program| program.locate().is_err()).collect();
    if !missing.is_empty() {
        let names = missing.iter().map(|program| program.name()).collect::<Vec<_>>().join(", ");
        progress.say(&format!(
            "building {names} from their Go modules, once, into {}: the first time takes some minutes",
            cache_folder()?.display()
        ));
    }
    for program in missing {
        build_one(*program, progress).with_context(|| format!("cannot build `{}`", program.name()))?;
    }
    programs.iter().map(|program| program.locate()).collect()
}

fn build_one(program: Program, progress: &Progress) -> Result<()> {
    let cache = cache_folder()?;
    let module = program.module();
    let key = module.key()?;
    std::fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let _lock = lock(&cache.join(format!("{key}.lock")), progress)?;
    let target = program.cached(&cache)?;
    if target.is_file() {
        return Ok(());
    }
    let source = write_module(&cache.join(format!("{key}.src")), module)?;
    check_go(&source, module)?;
    let step = progress.step(format!("building {} {}", program.name(), module.version()?));
    match compile(program, &source, &target, &step) {
        Ok(()) => {
            let megabytes = target.metadata().map(|data| data.len() / 1_000_000).unwrap_or_default();
            step.done(&format!("{megabytes} MB"));
            Ok(())
        }
        Err(error) => {
            step.failed("");
            Err(error)
        }
    }
}

/// A locked file; unlocked when dropped, and by the kernel when the process dies.
fn lock(path: &Path, progress: &Progress) -> Result<File> {
    let context = || format!("cannot lock {}", path.display());
    let file = File::options().write(true).create(true).truncate(false).open(path).with_context(context)?;
    if file.try_lock().is_err() {
        let step = progress.step("waiting for another build of the control plane");
        file.lock().with_context(context)?;
        step.done("");
    }
    Ok(file)
}

/// Go needs the module on disk; the one that was compiled in is the one whose key is used.
fn write_module(folder: &Path, module: &Module) -> Result<PathBuf> {
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(folder.join("go.mod"), module.go_mod))
        .and_then(|()| std::fs::write(folder.join("go.sum"), module.go_sum))
        .with_context(|| format!("cannot write {}", folder.display()))?;
    Ok(folder.to_path_buf())
}

/// Asks Go for its version in the module: it refuses there if it is too old and may not fetch a newer one.
fn check_go(source: &Path, module: &Module) -> Result<()> {
    let needed = module.go_mod.lines().find_map(|line| line.strip_prefix("go ")).unwrap_or("1.26");
    let instead = format!(
        "install Go {needed} or newer (https://go.dev/dl), or copy the cache folder from a machine that has built it \
         ({CACHE_VARIABLE} names another place), or set {ASSETS_VARIABLE} for etcd and kube-apiserver"
    );
    let output = go(source, &["env", "GOVERSION"]).output();
    let output = output.with_context(|| format!("cannot run `go`, which builds the control plane once\n{instead}"))?;
    if !output.status.success() {
        bail!("{}\n{instead}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn go(source: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("go");
    command
        .args(arguments)
        .current_dir(source)
        // One mode for all: mixing compiles nearly everything twice. And static programs.
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .env_remove("GOOS")
        .env_remove("GOARCH");
    command
}

fn compile(program: Program, source: &Path, target: &Path, step: &Step) -> Result<()> {
    let listed = run(go(source, &["list", "-deps", program.package()]), |line| step.update(line))?;
    check(&listed)?;
    let total = listed.stdout.lines().count();
    let folder = target.parent().context("a program in the cache has a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let unfinished = folder.join(format!(".{}.new", program.name()));
    let flags = format!("-ldflags={}", program.linker_flags()?);
    let mut command = go(source, &["build", "-v", "-trimpath", &flags, "-o"]);
    command.arg(&unfinished).arg(program.package());
    let mut compiled = 0;
    let built = run(command, |line| {
        compiled += usize::from(!line.contains(' '));
        step.update(&format!("{compiled}/{total} packages  {line}"));
    })?;
    check(&built)?;
    std::fs::rename(&unfinished, target).with_context(|| format!("cannot write {}", target.display()))
}

/// Runs to the end, giving each line of standard error away as it comes.
fn run(mut command: Command, mut line: impl FnMut(&str)) -> Result<Finished> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run `go`")?;
    let stdout = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.map(|mut pipe| pipe.read_to_string(&mut text)).transpose().map(|_| text)
    });
    let mut stderr = Vec::new();
    for text in child.stderr.take().map(BufReader::new).into_iter().flat_map(BufReader::lines) {
        let text = text.context("cannot read what `go` says")?;
        line(&text);
        stderr.push(text);
    }
    let status = child.wait().context("cannot wait for `go`")?;
    let stdout = reader.join().ok().transpose().context("cannot read what `go` prints")?.unwrap_or_default();
    Ok(Finished { status, stdout, stderr })
}

/// An error with Go's own words and what to do, if the command failed.
fn check(finished: &Finished) -> Result<()> {
    if finished.status.success() {
        return Ok(());
    }
    let said: Vec<&str> =
        finished.stderr.iter().map(String::as_str).filter(|line| line.contains(' ') && !is_download(line)).collect();
    let last = said.get(said.len().saturating_sub(SHOWN)..).unwrap_or_default().join("\n");
    bail!("go says:\n{last}\n{}", advice(&last))
}

fn is_download(line: &str) -> bool {
    line.starts_with("go: downloading ")
}

/// What to do about Go's error.
fn advice(error: &str) -> String {
    let has = |parts: &[&str]| parts.iter().any(|part| error.contains(part));
    if has(&[
        "dial tcp",
        "proxyconnect",
        "no such host",
        "i/o timeout",
        "TLS handshake",
        "connection refused",
        "403",
        "407",
    ]) {
        return format!(
            "the Go modules cannot be downloaded: check the network, HTTPS_PROXY and `go env GOPROXY`; \
             or copy the cache folder from a machine that has built it ({CACHE_VARIABLE} names another place)"
        );
    }
    if has(&["no space left"]) {
        return "the disk is full: the build needs about 4 GB in `go env GOCACHE` and 2 GB in `go env GOMODCACHE`"
            .to_owned();
    }
    if has(&["checksum mismatch", "SECURITY ERROR"]) {
        return "a module differs from what go.sum says: `go clean -modcache` removes a damaged copy; if it comes back, \
                the proxy serves something else"
            .to_owned();
    }
    if has(&["signal: killed", "out of memory", "cannot allocate memory"]) {
        return "the compiler ran out of memory: it needs about 3 GB; GOFLAGS=-p=1 needs less".to_owned();
    }
    "run it again with `go env` at hand; nothing half-built was left behind".to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use crate::build::{advice, check, run};

    #[test]
    fn advice_follows_from_what_go_said() {
        for (said, want) in [
            ("Get \"https://x\": dial tcp: lookup x: no such host", "GOPROXY"),
            ("go: m@v1: reading https://x: 403 Forbidden", "GOPROXY"),
            ("write /x: no space left on device", "GOCACHE"),
            ("verifying m: checksum mismatch", "go.sum"),
            ("compile: signal: killed", "memory"),
            ("x.go:1: undefined: y", "again"),
        ] {
            assert!(advice(said).contains(want), "{said}");
        }
    }

    #[test]
    fn a_failure_shows_the_last_words_and_neither_downloads_nor_package_names() {
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            "echo out; echo 'go: downloading a v1' >&2; echo k8s.io/api >&2; echo 'x y: bad' >&2; exit 1",
        ]);
        let mut lines = Vec::new();
        let finished = run(command, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(finished.stdout, "out\n");
        assert_eq!(lines.len(), 3);
        let error = check(&finished).unwrap_err().to_string();
        assert!(
            error.contains("x y: bad") && !error.contains("downloading a") && !error.contains("k8s.io/api"),
            "{error}"
        );
    }
}
