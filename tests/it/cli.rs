//! The program as a process: its names, its exit codes, its signals.

use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_chart-operator");

fn output(args: &[&str]) -> anyhow::Result<Output> {
    Ok(Command::new(PROGRAM).args(args).output()?)
}

#[test]
fn every_failure_exits_with_1_and_help_with_0() -> anyhow::Result<()> {
    for (args, code) in [
        (&["version"][..], 0),
        (&["--help"], 0),
        (&["run", "--help"], 0),
        (&["completion", "bash"], 0),
        (&[], 1),
        (&["walk"], 1),
        (&["run", "--no-such-flag"], 1),
        (&["run", "--metrics-bind-address=nowhere"], 1),
        (&["run", "--metrics-addr=:1", "--metrics-bind-address=:1"], 1),
    ] {
        let output = output(args)?;
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        let (told, silent) =
            if code == 0 { (&output.stdout, &output.stderr) } else { (&output.stderr, &output.stdout) };
        assert!(!told.is_empty() && silent.is_empty(), "{args:?}: {output:?}");
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn the_name_it_is_called_by_is_the_name_it_prints() -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt;
    let output = Command::new(PROGRAM).arg0("/usr/local/bin/helm-operator").arg("version").output()?;
    let line = String::from_utf8(output.stdout)?;
    assert!(line.starts_with("helm-operator version: \"v"), "{line}");
    Ok(())
}
