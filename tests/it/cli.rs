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

/// Completes the last of the words as bash does.
const COMPLETE: &str = r#"
    source <("$0" completion bash)
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    [[ $(complete -p chart-operator) =~ -F\ ([^ ]+) ]]
    "${BASH_REMATCH[1]}" chart-operator "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    echo "${COMPREPLY[*]}"
"#;

#[test]
fn a_shell_completes_commands_flags_and_values() -> anyhow::Result<()> {
    for (words, want) in [
        (&["te"][..], "template"),
        (&["run", "--leader-election-n"], "--leader-election-namespace"),
        (&["check", "--format", ""], "text json"),
    ] {
        let mut bash = Command::new("bash");
        let output = bash.args(["-c", COMPLETE, PROGRAM, "chart-operator"]).args(words).output()?;
        assert_eq!(String::from_utf8(output.stdout)?.trim_end(), want, "{words:?}");
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

/// A project of these files.
fn project(files: &[(&str, &str)]) -> anyhow::Result<testbed::guard::Folder> {
    let folder = testbed::guard::Folder::new("chart-operator-cli-")?;
    for (file, text) in files {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
        std::fs::write(path, text)?;
    }
    Ok(folder)
}

/// What `check` prints in a directory, and its exit code.
fn check(directory: &std::path::Path, args: &[&str]) -> anyhow::Result<(String, Option<i32>)> {
    let output = Command::new(PROGRAM).arg("check").args(args).current_dir(directory).output()?;
    Ok((String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?, output.status.code()))
}

const FAULTY: &[(&str, &str)] = &[
    ("watches.yaml", "- {group: example.com, version: v1, kind: Shop, chart: shop, chrat: shop}\n"),
    ("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: one\n"),
    ("shop/values.yaml", "a: [\n"),
    ("shop/templates/_helpers.tpl", "{{ define \"shop.name\" }}shop{{ end }}\n"),
    ("shop/templates/a.yaml", "a: {{ uper .Values.a }}\nb: {{ include \"shop.nam\" . }}\n"),
    ("shop/templates/b.yaml", "{{ if .Values.b }}{{ trunc 3 }}{{ end }}\n"),
];

#[test]
fn check_tells_every_fault_of_a_project_at_once() -> anyhow::Result<()> {
    let folder = project(FAULTY)?;
    let (told, code) = check(folder.path(), &[])?;
    insta::assert_snapshot!(told, @r#"
    error: validation: chart.metadata.version "one" is invalid
      --> shop/Chart.yaml:3:10
       |
     3 | version: one
       |          ^^^
      = hint: write a semantic version, for instance `version: 0.1.0`

    error: function "uper" not defined
      --> shop/templates/a.yaml:1:7
       |
     1 | a: {{ uper .Values.a }}
       |       ^^^^
      = hint: did you mean `upper`?

    error: no template `shop.nam` is defined in the chart or its sub-charts
      --> shop/templates/a.yaml:2:15
       |
     2 | b: {{ include "shop.nam" . }}
       |               ^^^^^^^^^^
      = hint: did you mean `shop.name`?

    error: wrong number of args for trunc: want 2 got 1
      --> shop/templates/b.yaml:1:22
       |
     1 | {{ if .Values.b }}{{ trunc 3 }}{{ end }}
       |                      ^^^^^

    error: error converting YAML to JSON: yaml: line 1: did not find expected node content
      --> shop/values.yaml:2:1

    warning: unknown field `chrat` is ignored
      --> watches.yaml:1:62
       |
     1 | - {group: example.com, version: v1, kind: Shop, chart: shop, chrat: shop}
       |                                                              ^^^^^
      = hint: did you mean `chart`?

    5 errors and 1 warning in 1 chart
    "#);
    assert_eq!(code, Some(1));
    Ok(())
}

#[test]
fn check_writes_json_for_programs() -> anyhow::Result<()> {
    let folder = project(FAULTY)?;
    let (told, code) = check(folder.path(), &["--format", "json"])?;
    let faults: Vec<serde_json::Value> = serde_json::from_str(&told)?;
    assert_eq!(code, Some(1));
    assert_eq!(faults.len(), 6, "{told}");
    let unknown = serde_json::json!({
        "severity": "error", "file": "shop/templates/a.yaml", "line": 1, "column": 7,
        "message": "function \"uper\" not defined", "hint": "did you mean `upper`?",
    });
    assert!(faults.contains(&unknown), "{told}");
    assert!(faults.iter().any(|fault| fault["severity"] == "warning" && fault["file"] == "watches.yaml"), "{told}");
    Ok(())
}

#[test]
fn warnings_do_not_fail_and_faults_that_stop_everything_are_told() -> anyhow::Result<()> {
    let good: &[(&str, &str)] = &[
        ("watches.yaml", "- {group: example.com, version: v1, kind: Shop, chart: shop, chrat: shop}\n"),
        ("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
        ("other.yaml", "apiVersion: example.com/v2\nkind: Shop\nmetadata: {name: a}\n"),
        ("shop.yaml", "apiVersion: example.com/v1\nkind: Shop\nmetadata: {name: a}\n"),
    ];
    let folder = project(good)?;
    for (args, code, last) in [
        (&[][..], 0, "0 errors and 1 warning in 1 chart\n"),
        (&["shop"], 0, "0 errors and 0 warnings in 1 chart\n"),
        (&["shop", "missing"], 1, "1 error and 0 warnings in 1 chart\n"),
        (&["--cr", "shop.yaml"], 0, "0 errors and 1 warning in 1 chart\n"),
        (&["--cr", "other.yaml"], 1, "1 error and 1 warning in 1 chart\n"),
        (&["--watches-file", "none.yaml"], 1, "No such file or directory (os error 2)\n"),
        (&["--cr", "none.yaml"], 1, "No such file or directory (os error 2)\n"),
    ] {
        let (told, found) = check(folder.path(), args)?;
        assert_eq!(found, Some(code), "{args:?}: {told}");
        assert!(told.ends_with(last), "{args:?}: {told}");
    }
    Ok(())
}

#[test]
fn the_project_of_this_repository_has_no_faults_but_what_its_chart_says_of_itself() -> anyhow::Result<()> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let samples: Vec<String> = std::fs::read_dir(root.join("samples"))?
        .map(|entry| Ok(entry?.path().display().to_string()))
        .collect::<anyhow::Result<_>>()?;
    let mut args = Vec::new();
    for sample in samples.iter().filter(|sample| sample.contains("_v1")) {
        args.extend(["--cr", sample]);
    }
    assert!(args.len() >= 4, "{args:?}");
    // A table without columns is none, and the chart's defaults have none.
    for (args, warnings) in [(&[][..], "2 warnings"), (&args, "1 warning")] {
        let (told, code) = check(root, args)?;
        assert_eq!(code, Some(0), "{told}");
        // The chart says so itself, in its values: it is one for older clusters too.
        assert!(told.contains("--> helm-charts/minimart/templates/hpa.yaml:3:13"), "{told}");
        assert!(told.ends_with(&format!("\n0 errors and {warnings} in 14 charts\n")), "{told}");
    }
    Ok(())
}
