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

/// What `run` says of a project of these files, which it refuses.
fn refusal(files: &[(&str, &str)]) -> anyhow::Result<String> {
    let folder = testbed::guard::Folder::new("chart-operator-cli-")?;
    for (file, text) in files {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
        std::fs::write(path, text)?;
    }
    let output = Command::new(PROGRAM).arg("run").current_dir(folder.path()).env("KUBECONFIG", "/dev/null").output()?;
    let told = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("\nerror: ") && !told.contains("error: error:"), "{told}");
    Ok(told)
}

#[test]
fn every_fault_of_a_watches_file_is_told_with_its_line_and_what_to_do() -> anyhow::Result<()> {
    let watches = "- group: example.com/v1\n  version: v1\n  kind: Shop\n  chart: charts/shop\n\
                   - group: example.com\n  kind: Mart\n  chart: charts/mart\n\
                   - group: example.com\n  version: v1\n  kind: Kiosk\n  chart: charts/kiosk\n  reconcilePeriod: 10\n";
    let told = refusal(&[("watches.yaml", watches)])?;
    for (place, hint) in [
        ("watches.yaml:1:", "write `group: example.com` and `version: v1`"),
        ("watches.yaml:5:", "name the version of the resource to watch, for instance `version: v1alpha1`"),
        ("watches.yaml:12:", "write its unit, for instance `30s` or `1m0s`"),
    ] {
        assert!(told.contains(&format!("--> ./{place}")), "{place}: {told}");
        assert!(told.contains(&format!("= hint: {hint}")), "{hint}: {told}");
    }
    Ok(())
}

#[test]
fn a_chart_that_cannot_be_used_is_told_with_the_line_that_names_it() -> anyhow::Result<()> {
    let watches = "- {group: example.com, version: v1, kind: Shop,\n   chart: charts/missing}\n\
                   - {group: example.com, version: v1, kind: Mart,\n   chart: charts/broken}\n";
    let chart = "apiVersion: v2\nname: broken\nversion: 1.0.0\n";
    let told = refusal(&[
        ("watches.yaml", watches),
        ("charts/broken/Chart.yaml", chart),
        ("charts/broken/templates/page.yaml", "kind: ConfigMap\n{{ if }}\n"),
    ])?;
    for text in ["--> ./watches.yaml:2:11", "charts/missing", "--> ./watches.yaml:4:11", "broken/templates/page.yaml:2"]
    {
        assert!(told.contains(text), "{text}: {told}");
    }
    Ok(())
}
