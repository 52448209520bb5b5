//! `template` as a process: flags, output, files and messages against Helm's (`tests/golden/cli`), and `--cr`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chart-operator");

/// A command line, and what `helm template` does with it.
#[derive(Debug, Deserialize)]
struct Case {
    id: String,
    /// `$OUT` is a directory of the case's own.
    args: Vec<String>,
    #[serde(default)]
    stdin: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// `$DIR` is the directory it runs in.
    stdout: String,
    /// Helm's message, if it refuses.
    error: Option<String>,
    /// What it wrote below `$OUT`.
    #[serde(default)]
    files: BTreeMap<String, String>,
}

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cli")
}

/// The program in a directory, with nothing of this machine's environment that matters to it.
fn program(directory: &Path, home: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("template").current_dir(directory).env_clear().env("HOME", home).env("KUBECONFIG", "/dev/null");
    command
}

fn output(mut command: Command, stdin: &str) -> anyhow::Result<Output> {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // One that does not read it has closed it.
        pipe.write_all(stdin.as_bytes()).ok();
    }
    Ok(child.wait_with_output()?)
}

#[test]
fn a_command_line_does_what_helm_does_with_it() -> anyhow::Result<()> {
    let answers = fs::read_to_string(golden().join("answers.jsonl"))?;
    let mut wrong = Vec::new();
    let mut seen = 0;
    for line in answers.lines() {
        let case: Case = serde_json::from_str(line)?;
        wrong.extend(difference(&case)?);
        seen += 1;
    }
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(seen > 140, "only {seen} cases");
    Ok(())
}

/// A report, if what the program does is not what Helm does.
fn difference(case: &Case) -> anyhow::Result<Option<String>> {
    let folder = testbed::guard::Folder::new("chart-operator-template-")?;
    let out = folder.path().join("out");
    fs::create_dir(&out)?;
    let shown = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.replace(&*out.to_string_lossy(), "$OUT").replace(&*golden().to_string_lossy(), "$DIR")
    };
    let mut command = program(&golden(), folder.path());
    command.args(case.args.iter().map(|arg| arg.replace("$OUT", &out.to_string_lossy()))).envs(&case.env);
    let found = output(command, &case.stdin)?;
    let (stdout, stderr) = (shown(&found.stdout), shown(&found.stderr));
    let mut faults = Vec::new();
    if stdout != case.stdout {
        faults.push(format!("prints\n{stdout}\ninstead of\n{}", case.stdout));
    }
    match &case.error {
        Some(error) if !is_told(error, &stderr) => faults.push(format!("says\n{stderr}\ninstead of\nError: {error}")),
        None if stderr.contains("rror: ") => faults.push(format!("says\n{stderr}\ninstead of nothing")),
        _ => {}
    }
    if found.status.code() != Some(i32::from(case.error.is_some())) {
        faults.push(format!("exits with {:?}", found.status.code()));
    }
    let files = files(&out)?;
    if files != case.files {
        faults.push(format!("writes\n{files:?}\ninstead of\n{:?}", case.files));
    }
    let report = format!("--- {}: {:?} {}", case.id, case.args, faults.join("\n"));
    Ok((!faults.is_empty()).then_some(report))
}

/// Whether Helm's message comes first, and behind it nothing but what explains it.
fn is_told(error: &str, stderr: &str) -> bool {
    // The program says its own name.
    let error = error.replace("helm template", "chart-operator template");
    let explained = ["", "\n\nerror: ", "\n  = hint: ", "\n\nwarning: "];
    stderr
        .strip_prefix(&format!("Error: {error}"))
        .is_some_and(|rest| rest == "\n" || explained.iter().skip(1).any(|explanation| rest.starts_with(explanation)))
}

/// What is in the files below a directory, by path.
fn files(root: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                files.insert(path.strip_prefix(root)?.to_string_lossy().into_owned(), fs::read_to_string(&path)?);
            }
        }
    }
    Ok(files)
}

/// Standard output and standard error of a call in `directory`, and whether it succeeds.
fn call(directory: &Path, args: &[&str], stdin: &str) -> anyhow::Result<(String, String, bool)> {
    let folder = testbed::guard::Folder::new("chart-operator-template-")?;
    let mut command = program(directory, folder.path());
    command.args(args);
    let found = output(command, stdin)?;
    Ok((String::from_utf8(found.stdout)?, String::from_utf8(found.stderr)?, found.status.success()))
}

#[test]
fn the_place_of_a_fault_is_shown_below_helms_message() -> anyhow::Result<()> {
    let (printed, told, done) = call(&golden(), &["demo", "--set", "notTemplate=true"], "")?;
    assert!(printed.is_empty() && !done, "{printed}");
    let (message, excerpt) = told.split_once("\n\nUse --debug flag to render out invalid YAML\n\n").unwrap();
    assert!(message.starts_with("Error: demo/templates/faults.yaml:5:10\n"), "{message}");
    assert!(excerpt.contains("--> demo/templates/faults.yaml:5:") && excerpt.contains("^^^"), "{excerpt}");
    Ok(())
}

#[test]
fn what_only_a_cluster_or_a_network_has_is_refused_with_a_hint() -> anyhow::Result<()> {
    for (args, hint) in [
        (&["demo", "--validate"][..], "kubectl apply --dry-run=server"),
        (&["demo", "--dry-run=server"], "kubectl apply --dry-run=server"),
        (&["demo", "--verify"], "helm verify"),
        (&["demo", "--repo", "https://charts.example.com"], "helm pull --repo"),
        (&["demo", "--post-renderer", "x"], "pipe the output"),
        (&["oci://registry.example.com/demo"], "helm pull"),
        (&["https://charts.example.com/demo-1.0.0.tgz"], "helm pull"),
        (&["stable/demo"], "helm pull"),
        (&["demo", "-f", "https://example.com/values.yaml"], "fetch the file first"),
    ] {
        let (printed, told, done) = call(&golden(), args, "")?;
        assert!(printed.is_empty() && !done, "{args:?}: {printed}");
        let (error, found) = told.split_once("\n  = hint: ").unwrap_or_default();
        assert!(error.starts_with("Error: ") && found.contains(hint), "{args:?}: {told}");
    }
    // Switched off, they ask for nothing.
    let (printed, told, done) = call(&golden(), &["demo", "--validate=false", "--verify=F", "--repo="], "")?;
    assert!(done && !told.contains("rror: ") && printed.starts_with("---\n# Source: demo/"), "{told}");
    Ok(())
}

#[test]
fn what_is_no_yaml_is_shown_whole_for_debugging() -> anyhow::Result<()> {
    let (printed, told, done) = call(&golden(), &["demo", "--set", "notYaml=true", "--debug"], "")?;
    assert!(!done && told.starts_with("Error: YAML parse error on demo/templates/faults.yaml: "), "{told}");
    assert!(!told.contains("--debug"), "{told}");
    for text in ["# Source: demo/templates/faults.yaml\n\na: b: c", "# Source: demo/templates/config.yaml\napiVersion"]
    {
        assert!(printed.contains(text), "{text}: {printed}");
    }
    let (_, hook) = printed.rsplit_once("---\n# Source: demo/templates/deep/role.yaml\n").unwrap();
    assert!(hook.starts_with("apiVersion: batch/v1\nkind: Job\n"), "the hooks read until then come last: {hook}");
    Ok(())
}

#[test]
fn a_warning_is_told_beside_the_output() -> anyhow::Result<()> {
    let (printed, told, done) = call(&golden(), &["old", "--kube-version=1.21"], "")?;
    assert!(done && printed.contains("kind: ConfigMap"), "{printed}");
    assert_eq!(told, "warning: this chart is deprecated\n");
    let (_, told, done) = call(&golden(), &["demo"], "")?;
    assert!(done, "{told}");
    assert_eq!(told, "warning: demo/templates/odd-hook.yaml: left out a hook, since one of its events is unknown\n");
    Ok(())
}

#[test]
fn help_tells_the_flags_and_not_those_without_effect() -> anyhow::Result<()> {
    for args in [&["--help"][..], &["demo", "-gh"], &["--set", "a=b", "--help", "--unknown"]] {
        let (printed, told, done) = call(&golden(), args, "")?;
        assert!(done && told.is_empty(), "{args:?}: {told}");
        assert!(printed.contains("--set-literal") && printed.contains("--cr <FILE>"), "{printed}");
        assert!(!printed.contains("--burst-limit"), "{printed}");
    }
    Ok(())
}
