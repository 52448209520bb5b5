use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::guard::{Folder, Guarded, Program, tail};

const DEADLINE: Duration = Duration::from_secs(20);

fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn sh(folder: &Folder, script: &str) -> Guarded {
    let program = Program { name: "script", file: Path::new("/bin/sh"), folder: folder.path(), directory: None };
    Guarded::start(&program, &["-c", script], &[("GREETING", OsStr::new("hello"))]).unwrap()
}

fn runs(pid: u32) -> bool {
    std::process::Command::new("/bin/sh").args(["-c", &format!("kill -0 {pid}")]).output().unwrap().status.success()
}

#[test]
fn output_and_environment_arrive_and_the_exit_code_is_told() {
    let folder = Folder::new("testbed-test-").unwrap();
    let mut script = sh(&folder, "echo one; echo \"$GREETING\" >&2; exit 3");
    let status = wait_for("the end", || script.ended());
    assert_eq!(status.code(), Some(3));
    assert_eq!(script.last_lines(1), "hello");
    assert_eq!(script.last_lines(9), "one\nhello");
}

#[test]
fn a_program_that_ignores_signals_is_gone_when_dropped() {
    let folder = Folder::new("testbed-test-").unwrap();
    let script = sh(&folder, "trap '' TERM INT HUP; echo up; while :; do sleep 0.05; done");
    let pid = wait_for("the pid", || script.pid());
    wait_for("its output", || (script.last_lines(1) == "up").then_some(()));
    assert!(runs(pid));
    drop(script);
    assert!(!runs(pid));
}

#[test]
fn a_program_that_does_not_exist_ends_with_a_reason_in_the_log() {
    let folder = Folder::new("testbed-test-").unwrap();
    let program =
        Program { name: "none", file: Path::new("/nonexistent/program"), folder: folder.path(), directory: None };
    let mut child = Guarded::start::<&str>(&program, &[], &[]).unwrap();
    assert!(!wait_for("the end", || child.ended()).success());
    assert!(child.last_lines(1).contains("/nonexistent/program"), "{}", child.last_lines(5));
}

#[test]
fn the_folder_is_removed() {
    let folder = Folder::new("testbed-test-").unwrap();
    let path = folder.path().to_path_buf();
    std::fs::write(path.join("file"), "x").unwrap();
    drop(folder);
    assert!(!path.exists());
}

#[test]
fn the_tail_of_a_short_or_missing_file_is_what_there_is() {
    let folder = Folder::new("testbed-test-").unwrap();
    let file = folder.path().join("f");
    assert_eq!(tail(&file, 3), "");
    std::fs::write(&file, "a\nb\n").unwrap();
    assert_eq!(tail(&file, 3), "a\nb");
}
