//! The recorded answers of Helm and Go (`tests/golden/oracle`), asked of our engine.
//!
//! Cases that fail are named in `oracle/failing.txt`: the tests fail when one of them starts to pass, or another stops to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use chart_operator::chart::{Chart, File, Metadata};
use chart_operator::render::{Capabilities, Compiled, Inputs, KubeVersion, Operation, ReleaseInfo, World, render};
use chart_operator::template::function::{Function, FunctionError, Functions};
use chart_operator::template::{Limits, Run, Set};
use chart_operator::value::{Str, Value};
use chart_operator::yaml::{self, Numbers};
use serde_json::Value as Json;

/// No cluster, no names, a clock that stands still and bytes that count up.
pub(crate) struct Nowhere;

impl World for Nowhere {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_700_000_000).unwrap()
    }

    fn random(&self, buffer: &mut [u8]) {
        for (index, byte) in buffer.iter_mut().enumerate() {
            *byte = u8::try_from(index % 251).unwrap();
        }
    }

    fn resolve_host(&self, _name: &str) -> Option<String> {
        None
    }

    fn lookup(&self, _api_version: &str, _kind: &str, _namespace: &str, _name: &str) -> Result<Json, String> {
        Ok(Json::Object(serde_json::Map::new()))
    }
}

/// What a case answered: text and error.
type Answer = (Option<String>, String);

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}

fn cases(file: &Path) -> Vec<Json> {
    fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(case: &Json, key: &str) -> String {
    case[key].as_str().unwrap_or_default().to_owned()
}

fn values(case: &Json) -> Json {
    let values = yaml::to_json(&text(case, "values"), Numbers::Float).unwrap();
    if values.is_null() { Json::Object(serde_json::Map::new()) } else { values }
}

/// The chart of a case of kind `helm`.
pub(crate) fn chart(case: &Json) -> Chart {
    let metadata = Metadata {
        name: "demo".to_owned(),
        version: "0.1.0".to_owned(),
        api_version: "v2".to_owned(),
        app_version: "1.2.3".to_owned(),
        ..Metadata::default()
    };
    let mut templates = vec![File::new("templates/t.yaml", text(case, "template").into_bytes())];
    let mut files = Vec::new();
    for (name, content) in case["files"].as_object().into_iter().flatten() {
        let file = File::new(name.as_str(), content.as_str().unwrap().as_bytes());
        if name.starts_with("templates/") { templates.push(file) } else { files.push(file) }
    }
    Chart {
        metadata,
        lock: None,
        values: Arc::new(Json::Object(serde_json::Map::new())),
        schema: None,
        templates: templates.into(),
        files: files.into(),
        raw: Arc::new([]),
        dependencies: Vec::new(),
        digest: [0; 32],
        content_digest: [0; 32],
    }
}

fn helm(case: &Json) -> Answer {
    let release =
        ReleaseInfo { name: "rel".to_owned(), namespace: "ns".to_owned(), revision: 1, operation: Operation::Install };
    let inputs = Inputs {
        values: &values(case),
        release: &release,
        capabilities: &Capabilities::assumed(KubeVersion::parse("v1.20.0").unwrap()),
        context: None,
        limits: Limits::default(),
    };
    let rendered = Compiled::new(&chart(case)).and_then(|compiled| render(&compiled, inputs, Rc::new(Nowhere)));
    match rendered {
        Ok(rendered) => (rendered.files.get("demo/templates/t.yaml").cloned(), String::new()),
        Err(error) => (Some(String::new()), error.to_string()),
    }
}

fn plain(case: &Json) -> Answer {
    let mut functions = Functions::default();
    functions.insert(Function::new("boom", || Err::<Value, FunctionError>("boom!".into())));
    let mut set = Set::new(Arc::new(functions));
    if let Err(error) = set.parse("t", text(case, "template")) {
        return (Some(String::new()), error.to_string());
    }
    let mut out = Vec::new();
    let dot = yaml::to_json(&text(case, "values"), Numbers::Float).unwrap();
    let run = Run { host: &(), limits: Limits::default() };
    let result = set.execute("t", Value::from_json(&dot), run, &mut out);
    (Some(Str::from(out).to_text().into_owned()), result.err().map(|error| error.to_string()).unwrap_or_default())
}

/// Runs the cases of a file on a thread with the stack that renders have, and holds those that fail against the list.
fn check(name: &str, file: PathBuf, answer: fn(&Json) -> Answer) {
    let run = move || {
        let mut failed = Vec::new();
        for case in cases(&file) {
            let want = (case["want"].as_str().map(str::to_owned), text(&case, "error"));
            let found = answer(&case);
            if found != want {
                failed.push((text(&case, "id"), format!("{}\n  want  {want:?}\n  found {found:?}", case["template"])));
            }
        }
        failed
    };
    let failed = std::thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap().join().unwrap();
    let known = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/oracle/failing.txt")).unwrap();
    let known: BTreeSet<&str> = known.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('\t')).collect();
    let ids: BTreeSet<&str> = failed.iter().map(|(id, _)| id.as_str()).collect();
    let news: Vec<&str> =
        failed.iter().filter(|(id, _)| !known.contains(id.as_str())).map(|(_, report)| report.as_str()).collect();
    let news: String = news.into_iter().flat_map(|report| [report, "\n"]).collect();
    let healed: Vec<_> = known.difference(&ids).collect();
    let lines: String = ids.iter().flat_map(|id| [name, "\t", id, "\n"]).collect();
    if let Some(path) = std::env::var_os("ORACLE_FAILING") {
        fs::write(Path::new(&path).join(name.replace('/', "-")), lines).unwrap();
    }
    assert!(news.is_empty() && healed.is_empty(), "{name}: no longer failing: {healed:?}; newly failing:\n{news}");
}

#[test]
fn functions_answer_as_in_helm() {
    check("functions.jsonl", golden("oracle/functions.jsonl"), helm);
}

#[test]
fn calls_and_errors_answer_as_in_helm() {
    check("calls-and-errors.jsonl", golden("oracle/calls-and-errors.jsonl"), helm);
}

#[test]
fn versions_and_patterns_answer_as_in_helm() {
    check("semver-and-regex.jsonl", golden("oracle/semver-and-regex.jsonl"), helm);
}

#[test]
fn templates_answer_as_in_go() {
    check("text-template.jsonl", golden("oracle/text-template.jsonl"), plain);
}

#[test]
fn many_more_templates_answer_as_in_go() {
    check("template/text-template.jsonl", golden("template/text-template.jsonl"), plain);
}

#[test]
fn the_objects_of_helm_answer_as_in_helm() {
    check("template/helm.jsonl", golden("template/helm.jsonl"), helm);
}

#[test]
fn arguments_of_every_kind_are_taken_or_refused_as_in_helm() {
    check("functions/arguments.jsonl", golden("functions/arguments.jsonl"), helm);
}

#[test]
fn keys_are_read_or_refused_as_in_helm() {
    check("functions/keys.jsonl", golden("functions/keys.jsonl"), helm);
}

#[test]
fn methods_durations_and_bytes_that_are_no_text_are_as_in_helm() {
    check("functions/methods.jsonl", golden("functions/methods.jsonl"), helm);
}

#[test]
fn nil_is_told_from_empty_as_in_helm() {
    check("functions/nil.jsonl", golden("functions/nil.jsonl"), helm);
}

#[test]
fn verbs_print_as_in_helm() {
    check("functions/printf.jsonl", golden("functions/printf.jsonl"), helm);
}

#[test]
fn faults_are_told_as_in_helm() {
    check("functions/syntax.jsonl", golden("functions/syntax.jsonl"), helm);
}
