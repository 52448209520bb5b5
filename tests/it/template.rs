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

/// A project of two watches on one chart, and what `--cr` says of a resource in it.
fn of_resource(resource: &str, args: &[&str]) -> anyhow::Result<(String, String, bool)> {
    of_resource_with("", resource, args)
}

/// As [`of_resource`], with more fields of the watch.
fn of_resource_with(fields: &str, resource: &str, args: &[&str]) -> anyhow::Result<(String, String, bool)> {
    of_chart(&[], fields, resource, args)
}

/// As [`of_resource_with`], with more files, some in place of those of the chart.
fn of_chart(
    files: &[(&str, &str)],
    fields: &str,
    resource: &str,
    args: &[&str],
) -> anyhow::Result<(String, String, bool)> {
    let folder = testbed::guard::Folder::new("chart-operator-template-")?;
    let chart = "apiVersion: v2\nname: shop\nversion: 1.0.0\n";
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n\
                    data: {size: {{ .Values.size | quote }}, to: {{ .Values.to | quote }}, at: {{ .Release.Namespace }}}\n\
                    ---\napiVersion: example.com/v1\nkind: Till\nmetadata: {name: till}\n\
                    ---\napiVersion: v1\nkind: Namespace\nmetadata: {name: annex}\n\
                    {{ if .Values.broken }}{{ .Values.no.such.value }}{{ end }}";
    let watches = "- {group: example.com, version: v1, kind: Shop, chart: shop, overrideValues: {to: $TO},\n\
                   \x20  selector: {matchLabels: {open: \"yes\"}} FIELDS}\n";
    let watches = &watches.replace(" FIELDS", fields);
    for (file, text) in [
        ("shop/Chart.yaml", chart),
        ("shop/values.yaml", "size: 1\n"),
        ("shop/templates/all.yaml", template),
        ("watches.yaml", watches),
    ]
    .into_iter()
    .chain(files.iter().copied())
    {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(path, text)?;
    }
    let mut command = program(folder.path(), folder.path());
    command.args(["--cr", "-"]).args(args).env("TO", "here");
    let found = output(command, resource)?;
    Ok((String::from_utf8(found.stdout)?, String::from_utf8(found.stderr)?, found.status.success()))
}

const SHOP: &str = "apiVersion: example.com/v1\nkind: Shop\n\
                    metadata: {name: corner, namespace: town, uid: u1, labels: {open: \"yes\"}}\n\
                    spec: {size: 7, to: elsewhere}\n";

/// What is applied for [`SHOP`]: cluster-scoped objects name their owner in annotations, others by reference.
const APPLIED: &str = r#"---
# Source: shop/templates/all.yaml
apiVersion: v1
kind: Namespace
metadata:
  annotations:
    meta.helm.sh/release-name: corner
    meta.helm.sh/release-namespace: town
    operator-sdk/primary-resource: town/corner
    operator-sdk/primary-resource-type: Shop.example.com
  labels:
    app.kubernetes.io/managed-by: Helm
    applyset.kubernetes.io/part-of: applyset-Zs3M7707k3AGlXTiaJAfKXLQFcygZlqAgMRBb0bZ1Bc-v1
    helm.sdk.operatorframework.io/chart: shop
  name: annex
---
# Source: shop/templates/all.yaml
apiVersion: v1
data:
  at: town
  size: "7"
  to: here
kind: ConfigMap
metadata:
  annotations:
    meta.helm.sh/release-name: corner
    meta.helm.sh/release-namespace: town
  labels:
    app.kubernetes.io/managed-by: Helm
    applyset.kubernetes.io/part-of: applyset-Zs3M7707k3AGlXTiaJAfKXLQFcygZlqAgMRBb0bZ1Bc-v1
    helm.sdk.operatorframework.io/chart: shop
  name: corner
  namespace: town
  ownerReferences:
  - apiVersion: example.com/v1
    blockOwnerDeletion: true
    controller: true
    kind: Shop
    name: corner
    uid: u1
---
# Source: shop/templates/all.yaml
apiVersion: example.com/v1
kind: Till
metadata:
  annotations:
    meta.helm.sh/release-name: corner
    meta.helm.sh/release-namespace: town
  labels:
    app.kubernetes.io/managed-by: Helm
    applyset.kubernetes.io/part-of: applyset-Zs3M7707k3AGlXTiaJAfKXLQFcygZlqAgMRBb0bZ1Bc-v1
    helm.sdk.operatorframework.io/chart: shop
  name: till
  namespace: town
  ownerReferences:
  - apiVersion: example.com/v1
    blockOwnerDeletion: true
    controller: true
    kind: Shop
    name: corner
    uid: u1
"#;

#[test]
fn a_resource_is_rendered_as_it_is_applied() -> anyhow::Result<()> {
    let (printed, told, done) = of_resource(SHOP, &[])?;
    assert!(done, "{told}");
    assert_eq!(printed, APPLIED);
    assert_eq!(
        told,
        "warning: shop/templates/all.yaml: example.com/Till town/till is taken for namespaced, its kind is not known here\n"
    );
    Ok(())
}

#[test]
fn the_patches_of_a_watch_are_shown_and_its_limits_hold() -> anyhow::Result<()> {
    let patch = |kind: &str| {
        format!(", patches: [{{target: {{kind: {kind}}}, patch: [{{op: add, path: /data/more, value: x}}]}}]")
    };
    let (printed, told, done) = of_resource_with(&patch("ConfigMap"), SHOP, &[])?;
    assert!(done && printed == APPLIED.replace("  at: town\n", "  at: town\n  more: x\n"), "{printed}{told}");
    let (printed, told, done) = of_resource_with(&patch("Secret"), SHOP, &[])?;
    assert!(
        done && printed == APPLIED && told.contains("warning: `patches[0]` is for no object of this release"),
        "{told}"
    );
    let (_, told, done) = of_resource_with(&patch("Till"), SHOP, &[])?;
    let operation = "`patches[0]`: cannot carry out `patch[0]`, `add`, at `/data/more`";
    assert!(
        !done && told.contains(&format!("{operation} of `example.com/Till till` (shop/templates/all.yaml)")),
        "{told}"
    );

    let (printed, told, done) =
        of_resource_with(", restrict: {namespaces: own, kinds: [ConfigMap, Namespace]}", SHOP, &[])?;
    let rules = [
        "`Namespace annex` (shop/templates/all.yaml) violates `restrict.clusterScoped`",
        "`example.com/Till town/till` (shop/templates/all.yaml) violates `restrict.kinds`",
    ];
    assert!(!done && printed.is_empty() && rules.iter().all(|rule| told.contains(rule)), "{told}");
    Ok(())
}

#[test]
fn what_a_resource_lacks_is_assumed() -> anyhow::Result<()> {
    let bare = "apiVersion: example.com/v1\nkind: Shop\nmetadata: {name: corner}\n";
    let (printed, told, done) = of_resource(bare, &["-n", "village", "-s", "templates/all.yaml"])?;
    assert!(done && told.contains("since its watch selects `open=yes`"), "{told}");
    for text in ["  at: village\n", "  size: \"1\"\n", "  to: here\n", "    uid: \"\"\n", "  namespace: village\n"] {
        assert!(printed.contains(text), "{text}: {printed}");
    }
    let (printed, _, done) = of_resource(bare, &["--namespace", ""])?;
    assert!(done && printed.contains("    kind: Shop\n    name: corner\n"), "{printed}");
    let two = format!("{bare}---\n{SHOP}");
    let (printed, _, done) = of_resource(&two, &[])?;
    assert!(done && printed.contains("  at: default\n") && printed.contains("  at: town\n"), "{printed}");
    Ok(())
}

#[test]
fn a_resource_that_cannot_be_rendered_is_told_why() -> anyhow::Result<()> {
    let broken = SHOP.replace("size: 7", "broken: true");
    for (resource, args, texts) in [
        (broken.as_str(), &[][..], &["Error: ", "nil pointer", "--> shop/templates/all.yaml:"][..]),
        (&SHOP.replace("corner", "Corner!"), &[], &["Error: invalid release name"]),
        (
            &SHOP.replace("Shop", "Shpo"),
            &[],
            &["has no watch for `example.com/v1, Kind=Shpo`", "did you mean `example.com/v1, Kind=Shop`?"],
        ),
        (SHOP, &["-n", "village"], &["in the namespace `town`, --namespace says `village`"]),
        (SHOP, &["shop"], &["the watches file tells the chart", "hint: "]),
        (SHOP, &["--set", "size=2"], &["there are no values beside", "hint: "]),
        (SHOP, &["--output-dir", "x"], &["nothing is written to files"]),
        (SHOP, &["--watches-file", "none.yaml"], &["cannot read `none.yaml`"]),
        ("a: b: c\n", &[], &["error: ", "--> -:1:1"]),
        ("- a\n", &[], &["expected a resource, a map"]),
        ("# nothing\n", &[], &["expected a resource, found none"]),
        ("kind: Shop\n", &[], &["`apiVersion`, `kind` and `metadata.name`"]),
    ] {
        let (printed, told, done) = of_resource(resource, args)?;
        assert!(!done && printed.is_empty(), "{resource}: {printed}");
        assert!(texts.iter().all(|text| told.contains(text)), "{texts:?}: {told}");
    }
    Ok(())
}

const PLACED: &str = r#"apiVersion: v1
kind: ConfigMap
metadata: {name: own, annotations: {chart-operator.dev/phase: two}}
---
apiVersion: v1
kind: Namespace
metadata:
  name: {{ .Release.Namespace }}
  labels: {example.com/open: "yes"}
  annotations: {chart-operator.dev/mode: patch}
---
apiVersion: v1
kind: Secret
metadata: {name: key, annotations: {chart-operator.dev/mode: observe}}
"#;

/// What is shown of the objects of [`PLACED`] that are not the chart's own.
const OTHERS: [&str; 2] = [
    "---\n# Source: shop/templates/all.yaml\n# Mode: patch\napiVersion: v1\nkind: Namespace\nmetadata:\n  labels:\n    \
     example.com/open: \"yes\"\n  name: town\n",
    "---\n# Source: shop/templates/all.yaml\n# Mode: observe\napiVersion: v1\nkind: Secret\nmetadata:\n  name: key\n  \
     namespace: town\n",
];

#[test]
fn the_objects_of_a_chart_with_a_policy_are_shown_without_its_annotations() -> anyhow::Result<()> {
    let files = [("shop/operator/policy.yaml", "phases: [one, two]\n"), ("shop/templates/all.yaml", PLACED)];
    let (printed, told, done) = of_chart(&files, "", SHOP, &[])?;
    assert!(done && told.is_empty(), "{told}");
    assert!(OTHERS.iter().all(|other| printed.contains(other)) && printed.contains("  name: own\n"), "{printed}");
    assert!(!printed.contains("chart-operator.dev/"), "{printed}");
    Ok(())
}

#[test]
fn what_the_operator_refuses_of_policy_and_places_is_told() -> anyhow::Result<()> {
    let policy = "phases: [one, two]\n";
    for (policy, template, texts) in [
        (
            Some("phases: [one, one]\ncolision: Force\n"),
            PLACED,
            &[
                "`one` is listed twice in `phases`",
                "--> shop/operator/policy.yaml (rendered):1:15",
                "did you mean `collision`?",
            ][..],
        ),
        (Some(policy), &PLACED.replace("phase: two", "phase: three"), &["expected `one`, `two`, found `three`"]),
        (Some(policy), &PLACED.replace("observe", "look"), &["`manage`, `observe` or `patch`, found `look`"]),
        (Some(policy), &format!("{PLACED}---\n{PLACED}"), &["rendered twice"]),
        (None, PLACED, &["expected none in a chart without `operator/policy.yaml`"]),
    ] {
        let policy = policy.map(|text| ("shop/operator/policy.yaml", text));
        let files: Vec<_> = policy.into_iter().chain([("shop/templates/all.yaml", template)]).collect();
        let (printed, told, done) = of_chart(&files, "", SHOP, &[])?;
        assert!(!done && printed.is_empty(), "{template}: {printed}");
        assert!(texts.iter().all(|text| told.contains(text)), "{texts:?}: {told}");
    }
    Ok(())
}

#[test]
fn the_status_of_a_resource_is_rendered_with_an_outcome() -> anyhow::Result<()> {
    let status = "of: {{ .CR.metadata.name }}\nsize: {{ .Values.size }}\nready: {{ .Outcome.ready }}\n\
                  first: {{ (index .Outcome.objects 0).name }}\n";
    let with =
        |status| [("shop/operator/status.yaml", status), ("outcome.yaml", "ready: false\nobjects: [{name: a}]\n")];
    let asked = ["--outcome", "outcome.yaml"];
    let (printed, told, done) = of_chart(&with(status), "", SHOP, &asked)?;
    assert!(done && told.is_empty(), "{told}");
    assert_eq!(printed, "---\n# Source: shop/operator/status.yaml\nfirst: a\nof: corner\nready: false\nsize: 7\n");
    let json =
        [("shop/operator/status.yaml", status), ("outcome.yaml", r#"{"ready": false, "objects": [{"name": "a"}]}"#)];
    assert_eq!(of_chart(&json, "", SHOP, &asked)?.0, printed);

    let of = |outcome| [("shop/operator/status.yaml", status), ("outcome.yaml", outcome)];
    for (files, args, texts) in [
        (
            &[("outcome.yaml", "{}")][..],
            &asked[..],
            &["`shop` gives no status", "no `operator/status.yaml`", "hint: "][..],
        ),
        (&of("- a\n"), &asked, &["expected `.Outcome`, a map", "--> outcome.yaml:1:1"]),
        (&of(""), &asked, &["expected `.Outcome`, a map"]),
        (&of("a: b: c\n"), &asked, &["error: ", "--> outcome.yaml:1:1"]),
        (&of("{}"), &["--outcome", "none.yaml"], &["none.yaml"]),
        (&of("{}"), &["--outcome", "-"], &["expected two files in --cr and --outcome, found `-` twice"]),
        (
            &of("{}"),
            &["--cr", "", "--outcome", "outcome.yaml"],
            &["found no resource", "hint: name its file with --cr"],
        ),
        (&of("objects: []"), &asked, &["--> shop/operator/status.yaml:4:", "index out of range"]),
        (&with("- a\n"), &asked, &["expected `operator/status.yaml` to render a map"]),
        (&with("a: b: c\n"), &asked, &["cannot read what `operator/status.yaml` renders"]),
    ] {
        let (printed, told, done) = of_chart(files, "", SHOP, args)?;
        assert!(!done && printed.is_empty(), "{files:?}: {printed}");
        assert!(texts.iter().all(|text| told.contains(text)), "{texts:?}: {told}");
    }
    Ok(())
}
