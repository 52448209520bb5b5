//! No template can hang or kill the process: every case of `tests/golden/oracle/hostile.jsonl`, and more of our own, each in
//! a process of its own, with its processor time and the most memory it ever had.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use chart_operator::render::{Capabilities, Compiled, Inputs, KubeVersion, Operation, ReleaseInfo, World, render};
use chart_operator::template::Limits;
use serde_json::{Value as Json, json};

use crate::oracle::{Nowhere, chart};

/// Names the case to the process that runs it.
const CASE: &str = "HOSTILE_CASE";

/// What the process that runs a case prints before its report.
const REPORT: &str = "report of the case: ";

/// Stack of a thread that renders.
const STACK: usize = 64 << 20;

/// Processor time, which other work on the machine does not lengthen. Nothing is optimized here.
const MAX_TIME: Duration = Duration::from_secs(2);

const MAX_MEMORY: u64 = 256 << 20;

/// When a case is given up.
const PATIENCE: Duration = Duration::from_mins(1);

/// The expected outcome of a case: its output, or a part of its error.
enum Outcome {
    Output(&'static str),
    Error(&'static str),
}

use Outcome::{Error, Output};

const MEMORY: Outcome = Error("exceeded the limit of 134217728 bytes of memory");
const WRITTEN: Outcome = Error("exceeded the limit of 33554432 bytes of output");
const CRYPTO: Outcome = Error("exceeded the limit of 150ms for keys and password hashes");
const NESTING: Outcome = Error("a value contains itself, or is nested deeper than 1000");
/// Whichever limit a machine of its speed reaches first.
const ENDS: Outcome = Error("exceeded the ");
const STEPS: Outcome = Error("exceeded the limit of 2000000 steps");

/// What becomes of each recorded case.
const RECORDED: &[(&str, Outcome)] = &[
    ("include-self-recursion", Error("rendering template has a nested reference name: a: unable to execute template")),
    ("template-self-recursion", Error("exceeded maximum template depth (6000)")),
    ("repeat-2e9", MEMORY),
    ("string-doubling-40", MEMORY),
    ("printf-width-1e9", Output("%!(NOVERB)%!(EXTRA int=1)")),
    ("printf-width-999999x1000", WRITTEN),
    ("seq-1e8", MEMORY),
    ("randAlphaNum-5e8", MEMORY),
    ("genPrivateKey-rsa-x200", CRYPTO),
    ("genCA-x50", CRYPTO),
    ("htpasswd-x500", CRYPTO),
    ("derivePassword-x500", CRYPTO),
    ("regex-nested-quantifier", Output("false")),
    ("regex-compile-1e5-alts", MEMORY),
    ("self-ref-dict-toYaml", Output("")),
    ("self-ref-dict-print", NESTING),
    ("self-ref-dict-eq", Output("true")),
    ("fromJson-deep-1e6", Output("map[Error:exceeded max depth]")),
    ("fromYaml-deep-1e5", Output("73")),
    ("fromYaml-alias-bomb", Output("84")),
    ("div-zero", Error("error calling div: runtime error: integer divide by zero")),
    ("chunk-0", Error("error calling chunk: runtime error: makeslice: len out of range")),
    ("slice-oob", Error("error calling slice: reflect.Value.Slice: slice index out of bounds")),
    ("index-oob", Error("error calling index: index out of range: 5")),
    ("first-empty", Output("")),
    ("trunc-min", Output("abc")),
    ("int-overflow-add", Output("-9223372036854775808")),
    ("deep-parens-1e5", Error("(demo/templates/t.yaml:1): max expression depth exceeded")),
    ("deep-if-1e4", Error("(demo/templates/t.yaml:1): max expression depth exceeded")),
    ("huge-pipeline-1e5", Output("1")),
    ("getHostByName", Output("[]")),
    ("env", Error("function \"env\" not defined")),
    ("expandenv", Error("function \"expandenv\" not defined")),
    ("lookup-secret", Output("map[]")),
    ("Files-Get-traversal", Output("[]")),
    ("Files-abs", Output("[]")),
    ("readDir", Output("map[]")),
    ("Files-Glob-pathological", Output("0")),
    ("jsonpatch-none", Error("execution error at (demo/templates/t.yaml:1:3): x")),
    ("b32-big", MEMORY),
    ("splitList-empty-1e7", MEMORY),
    ("sort-1e7", MEMORY),
];

/// Cases of our own: name, template, outcome.
const OWN: &[(&str, &str, Outcome)] = &[
    ("cycle-printf", r#"{{ $d := dict }}{{ $_ := set $d "s" $d }}{{ printf "%v" $d | len }}"#, NESTING),
    ("cycle-printf-go-syntax", r#"{{ $d := dict }}{{ $_ := set $d "s" $d }}{{ printf "%#v" $d | len }}"#, NESTING),
    ("cycle-quote", r#"{{ $d := dict "a" 1 }}{{ $_ := set $d "s" (list 1 $d) }}{{ quote $d }}"#, NESTING),
    ("cycle-toJson", r#"{{ $d := dict }}{{ $_ := set $d "s" $d }}[{{ toJson $d }}]"#, Output("[]")),
    (
        "cycle-mustToJson",
        r#"{{ $d := dict "a" 1 }}{{ $_ := set $d "s" (list 1 $d) }}{{ mustToJson $d }}"#,
        Error("error calling mustToJson: json: unsupported value: encountered a cycle via"),
    ),
    (
        "cycle-toYamlPretty",
        r#"{{ $d := dict "a" 1 }}{{ $_ := set $d "s" (list 1 $d) }}[{{ toYamlPretty $d }}]"#,
        Output("[]"),
    ),
    (
        "cycle-toToml",
        r#"{{ $d := dict }}{{ $_ := set $d "s" $d }}{{ toToml $d }}"#,
        Output("toml: the value is nested too deeply"),
    ),
    ("cycle-deepCopy", r#"{{ $d := dict "a" 1 }}{{ $_ := set $d "s" (list 1 $d) }}{{ $c := deepCopy $d }}"#, NESTING),
    (
        "cycle-deepEqual-lists",
        r#"{{ $d := dict "a" 1 }}{{ $_ := set $d "s" (list 1 $d) }}{{ $e := dict "a" 1 }}{{ $_ := set $e "s" (list 1 $e) }}{{ deepEqual $d $e }} {{ has $d (list $e) }}"#,
        Output("true true"),
    ),
    (
        "cycle-wide-deepEqual",
        r"{{ $d := dict }}{{ $e := dict }}{{ range until 40 }}{{ $_ := set $d (print .) $d }}{{ $_ := set $e (print .) $e }}{{ end }}{{ deepEqual $d $e }}",
        Output("true"),
    ),
    ("cycle-eq", r#"{{ $d := dict }}{{ $_ := set $d "s" $d }}{{ eq $d $d }}"#, NESTING),
    (
        "cycle-merge",
        r#"{{ $d := dict }}{{ $_ := set $d "s" $d }}{{ $e := dict }}{{ $_ := set $e "s" $e }}{{ $m := merge $d $e }}{{ $m = mergeOverwrite $d $e }}{{ len $m }}"#,
        Output("1"),
    ),
    (
        "cycle-range",
        r#"{{ $d := dict }}{{ $_ := set $d "s" $d }}{{ range $k, $v := $d }}{{ $k }}{{ len $v.s.s.s }}{{ end }}"#,
        Output("s1"),
    ),
    (
        "cycle-Values",
        r#"{{ $_ := set .Values "Values" .Values }}{{ $_ := set .Values "dot" . }}{{ .Values }}"#,
        NESTING,
    ),
    ("cycle-Values-toYaml", r#"{{ $_ := set .Values "dot" . }}[{{ toYaml .Values }}]"#, Output("[]")),
    (
        "cycle-dropped",
        r#"{{ range until 20000 }}{{ $d := dict "t" (repeat 10000 "a") }}{{ $_ := set $d "s" $d }}{{ end }}"#,
        MEMORY,
    ),
    ("wide-print", r"{{ $x := list 1 }}{{ range until 60 }}{{ $x = list $x $x }}{{ end }}{{ $x }}", ENDS),
    (
        "wide-printf",
        r#"{{ $x := list 1 }}{{ range until 60 }}{{ $x = list $x $x }}{{ end }}{{ printf "%d" $x | len }}"#,
        STEPS,
    ),
    (
        "wide-toJson",
        r"{{ $x := list 1 }}{{ range until 60 }}{{ $x = list $x $x }}{{ end }}{{ toJson $x | len }}",
        STEPS,
    ),
    ("wide-toYaml", r"{{ $x := list 1 }}{{ range until 60 }}{{ $x = list $x $x }}{{ end }}{{ toYaml $x | len }}", ENDS),
    (
        "wide-toToml",
        r"{{ $x := list 1 }}{{ range until 60 }}{{ $x = list $x $x }}{{ end }}{{ toToml $x | len }}",
        STEPS,
    ),
    (
        "wide-deepCopy",
        r#"{{ $x := dict "v" 1 }}{{ range until 60 }}{{ $x = dict "a" $x "b" $x }}{{ end }}{{ $c := deepCopy $x }}"#,
        ENDS,
    ),
    (
        "wide-merge",
        r#"{{ $x := dict "v" 1 }}{{ range until 60 }}{{ $x = dict "a" $x "b" $x }}{{ end }}{{ $y := deepCopy (dict) }}{{ $z := dict "v" 1 }}{{ range until 60 }}{{ $z = dict "a" $z "b" $z }}{{ end }}{{ $m := merge $x $z }}{{ len $m }}"#,
        ENDS,
    ),
    (
        "wide-deepEqual",
        r"{{ $x := list 1 }}{{ range until 60 }}{{ $x = list $x $x }}{{ end }}{{ $y := list 1 }}{{ range until 60 }}{{ $y = list $y $y }}{{ end }}{{ deepEqual $x $y }}",
        Output("true"),
    ),
    (
        "deep-dropped",
        r#"{{ $x := list 1 }}{{ range until 100000 }}{{ $x = list $x }}{{ end }}{{ $x := dict "v" 1 }}{{ range until 100000 }}{{ $x = dict "a" $x }}{{ end }}done"#,
        Output("done"),
    ),
    ("deep-print", r"{{ $x := list 1 }}{{ range until 100000 }}{{ $x = list $x }}{{ end }}{{ $x }}", NESTING),
    (
        "deep-toJson",
        r#"{{ $x := dict "v" 1 }}{{ range until 100000 }}{{ $x = dict "a" $x }}{{ end }}[{{ toJson $x }}]"#,
        Output("[]"),
    ),
    (
        "deep-deepCopy",
        r"{{ $x := list 1 }}{{ range until 100000 }}{{ $x = list $x }}{{ end }}{{ $y := deepCopy $x }}",
        NESTING,
    ),
    (
        "deep-deepEqual",
        r"{{ $x := list 1 }}{{ range until 100000 }}{{ $x = list $x }}{{ end }}{{ $y := list 1 }}{{ range until 100000 }}{{ $y = list $y }}{{ end }}{{ deepEqual $x $y }}",
        NESTING,
    ),
    (
        "deep-merge",
        r#"{{ $x := dict "v" 1 }}{{ range until 100000 }}{{ $x = dict "a" $x }}{{ end }}{{ $y := dict "v" 2 }}{{ range until 100000 }}{{ $y = dict "a" $y }}{{ end }}{{ $m := merge $x $y }}"#,
        NESTING,
    ),
    (
        "deep-tpl",
        r#"{{ define "r" }}{{ tpl "{{ include \"r\" . }}" . }}{{ end }}{{ include "r" . }}"#,
        Error("rendering template has a nested reference name: r"),
    ),
    (
        "deep-toYaml-in-recursion",
        r#"{{ define "r" }}{{ if lt (int .n) 900 }}{{ include "r" (dict "n" (add1 .n) "x" .x) }}{{ else }}{{ toJson .x | len }} {{ fromYaml (printf "a: %s%s" (repeat 399 "[") (repeat 399 "]")) | toYaml | len }}{{ end }}{{ end }}{{ $x := list 1 }}{{ range until 990 }}{{ $x = list $x }}{{ end }}{{ include "r" (dict "n" 0 "x" $x) }}"#,
        Output("1983 801"),
    ),
    ("tpl-large-text", r#"{{ tpl (repeat 2000000 "{{1}}") . | len }}"#, MEMORY),
    ("tpl-many-texts", r#"{{ range until 1000 }}{{ $t := tpl (print (repeat 2000 "{{1}}") .) $ }}{{ end }}"#, ENDS),
    (
        "tpl-error-in-recursion",
        r#"{{ define "r" }}{{ tpl .t . }}{{ end }}{{ include "r" (dict "t" (print (repeat 10000 "x") "{{ if true }}{{ include \"r\" . }}{{ end }}")) }}"#,
        Error("rendering template has a nested reference name: r"),
    ),
    ("loop", r"{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}", STEPS),
    ("loop-appending", r"{{ $l := list }}{{ range until 200000 }}{{ $l = append $l . }}{{ end }}{{ len $l }}", ENDS),
    (
        "loop-of-texts",
        r#"{{ $l := list }}{{ range until 2000 }}{{ $l = append $l (repeat 100000 "a") }}{{ end }}"#,
        MEMORY,
    ),
    ("loop-of-keys", r#"{{ $d := dict }}{{ range until 1000000 }}{{ $_ := set $d (print "key" .) . }}{{ end }}"#, ENDS),
    (
        "loop-of-maps",
        r#"{{ range until 400000 }}{{ $d := dict "a" (dict) }}{{ $_ := set $d "b" (dict) }}{{ end }}done"#,
        ENDS,
    ),
    ("fromYaml-many", r#"{{ fromYamlArray (print "[" (repeat 2000000 "{},") "]") | len }}"#, ENDS),
    (
        "fromYaml-aliased-text",
        r#"{{ fromYamlArray (printf "- &a %s\n%s" (repeat 1000000 "x") (repeat 1000 "- *a\n")) | len }}"#,
        MEMORY,
    ),
    ("fromJson-many", r#"{{ fromJsonArray (print "[" (repeat 3000000 "[],") "1]") | len }}"#, ENDS),
    ("fromToml-large", r#"{{ fromToml (print "a = [" (repeat 4000000 "1,") "]") | len }}"#, MEMORY),
    ("regex-quadratic", r#"{{ regexFindAll "[^y]*y|x" (repeat 300000 "x") -1 | len }}"#, ENDS),
    (
        "regex-large-class",
        r#"{{ range until 100 }}{{ $m := regexMatch (printf "%d\\pL{50}" .) (repeat 1000 "é") }}{{ end }}"#,
        ENDS,
    ),
    (
        "regex-many",
        r#"{{ range until 500 }}{{ $m := regexMatch (printf "(%d|b)+[a-z]*" .) "bbb" }}{{ end }}done"#,
        Output("done"),
    ),
    ("regex-states-by-text", r#"{{ regexMatch (print (repeat 2000 "(a|b)?") "c") (repeat 5000000 "ab") }}"#, STEPS),
    ("html-growth", r#"{{ html (repeat 12000000 "<") | len }}"#, MEMORY),
    ("toJson-growth", r#"{{ toJson (repeat 30000000 "<") | len }}"#, MEMORY),
    (
        "quote-list-growth",
        r#"{{ $x := repeat 1000000 "a" }}{{ quote (list $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x) | len }}"#,
        MEMORY,
    ),
    ("printf-one-text-often", r#"{{ printf (repeat 100000 "%[1]s") (repeat 1000000 "a") | len }}"#, MEMORY),
    ("printf-width-of-nothing", r#"{{ printf (repeat 100000 "%999999[1]T") 1 | len }}"#, MEMORY),
    ("wrapWith-long-separator", r#"{{ wrapWith 1 (repeat 1000000 "-") (repeat 1000000 "a") | len }}"#, MEMORY),
    ("trimAll-large-set", r#"{{ trimAll (repeat 500000 "bcdé") (repeat 500000 "é") | len }}"#, Output("0")),
    (
        "omit-many-keys",
        r#"{{ $d := dict }}{{ range until 5000 }}{{ $_ := set $d (print .) 1 }}{{ end }}{{ range until 20 }}{{ $o := omit $d "x" }}{{ end }}done"#,
        Output("done"),
    ),
    ("uniq-quadratic", r"{{ until 100000 | uniq | len }}", STEPS),
    ("without-quadratic", r"{{ $l := until 100000 }}{{ range $l }}{{ $x := without $l . }}{{ end }}", STEPS),
    (
        "sha-of-large-text",
        r#"{{ $x := repeat 13000000 "a" }}{{ range until 100000 }}{{ $s := sha256sum $x }}{{ end }}"#,
        ENDS,
    ),
    ("glob-large-pattern", r#"{{ .Files.Glob (repeat 3000000 "{a,*}") | len }}"#, MEMORY),
    (
        "randBytes-many",
        r"{{ $l := list }}{{ range until 1000 }}{{ $l = append $l (randAlphaNum 100000) }}{{ end }}",
        ENDS,
    ),
    ("blocks-many", r#"{{ range until 100 }}{{ print (repeat 400000 "x") }}{{ end }}"#, WRITTEN),
];

/// The world of the other tests, with a clock that other work on the machine does not move.
struct Running;

impl World for Running {
    fn now(&self) -> jiff::Timestamp {
        Nowhere.now()
    }

    fn elapsed(&self) -> Option<Duration> {
        Some(processor_time("/proc/thread-self/stat"))
    }

    fn random(&self, buffer: &mut [u8]) {
        Nowhere.random(buffer);
    }

    fn resolve_host(&self, name: &str) -> Option<String> {
        Nowhere.resolve_host(name)
    }

    fn lookup(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Json, String> {
        Nowhere.lookup(api_version, kind, namespace, name)
    }
}

/// What a process or thread has used, from its `stat`: user and system time in hundredths of a second.
fn processor_time(file: &str) -> Duration {
    let stat = fs::read_to_string(file).unwrap();
    let fields = stat.rsplit(") ").next().unwrap().split(' ').skip(11).take(2);
    Duration::from_millis(fields.map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum())
}

/// The templates of all cases by name.
fn templates() -> BTreeMap<String, String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/oracle/hostile.jsonl");
    let text = fs::read_to_string(file).unwrap();
    let recorded = text.lines().map(|line| {
        let case: Json = serde_json::from_str(line).unwrap();
        (case["id"].as_str().unwrap().to_owned(), case["template"].as_str().unwrap().to_owned())
    });
    recorded.chain(OWN.iter().map(|(name, template, _)| ((*name).to_owned(), (*template).to_owned()))).collect()
}

fn outcomes() -> impl Iterator<Item = (&'static str, &'static Outcome)> {
    let recorded = RECORDED.iter().map(|(name, outcome)| (*name, outcome));
    recorded.chain(OWN.iter().map(|(name, _, outcome)| (*name, outcome)))
}

/// The text the template rendered to, or the error.
fn answer(template: &str) -> Result<String, String> {
    let release =
        ReleaseInfo { name: "rel".to_owned(), namespace: "ns".to_owned(), revision: 1, operation: Operation::Install };
    // Nothing is optimized here, and a single key of 4096 bits takes seconds: what works by time and steps is given less.
    let limits = Limits {
        crypto: Duration::from_millis(150),
        steps: 2_000_000,
        time: Duration::from_millis(800),
        ..Limits::default()
    };
    let inputs = Inputs {
        values: &json!({}),
        release: &release,
        capabilities: &Capabilities::assumed(KubeVersion::parse("v1.20.0").unwrap()),
        context: None,
        limits,
    };
    let chart = chart(&json!({ "template": template }));
    let rendered = Compiled::new(&chart).and_then(|chart| render(&chart, inputs, Rc::new(Running)));
    rendered.map(|rendered| rendered.files["demo/templates/t.yaml"].clone()).map_err(|error| error.to_string())
}

/// Not a test by itself: [`every_hostile_template_ends_in_bounded_time_and_memory`] starts a process that runs only this.
#[test]
#[expect(clippy::print_stdout, reason = "it is how a process tells another what it found")]
fn one_case() {
    let Ok(name) = std::env::var(CASE) else { return };
    let template = templates().remove(&name).unwrap();
    let rendering = std::thread::Builder::new().stack_size(STACK).spawn(move || answer(&template)).unwrap();
    let answer = rendering.join().unwrap();
    let short = |text: &str| text.chars().skip(text.chars().count().saturating_sub(2_000)).collect::<String>();
    let report = match answer {
        Ok(text) => json!({ "output": short(&text) }),
        Err(error) => json!({ "error": short(&error) }),
    };
    println!("\n{REPORT}{report}");
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let time = processor_time("/proc/self/stat").as_millis();
    println!("\n{REPORT}{}", json!({ "peak": peak.trim().trim_end_matches(" kB"), "time": time.to_string() }));
}

/// What a process said of its case.
struct Report {
    answer: Json,
    peak: u64,
    time: Duration,
}

fn run(name: &str) -> Result<Report, String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hostile::one_case", "--nocapture", "--test-threads=1"])
        .env(CASE, name)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    // Little is written, so it fits into the pipes.
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if start.elapsed() > PATIENCE => {
                child.kill().unwrap();
                child.wait().unwrap();
                return Err("has not ended".to_owned());
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.unwrap().read_to_string(&mut out).unwrap();
    child.stderr.unwrap().read_to_string(&mut err).unwrap();
    let mut reports = out.lines().filter_map(|line| serde_json::from_str(line.strip_prefix(REPORT)?).ok());
    let (Some(answer), Some(usage)) = (reports.next(), reports.next()) else {
        return Err(format!("died: {status}\n{err}"));
    };
    let usage: Json = usage;
    let number = |value: &Json| value.as_str().unwrap().parse::<u64>().unwrap();
    let time = Duration::from_millis(number(&usage["time"]));
    Ok(Report { answer, peak: number(&usage["peak"]) * 1024, time })
}

fn fault(outcome: &Outcome, report: &Report) -> Option<String> {
    let fits = match outcome {
        Output(text) => report.answer["output"] == *text,
        // The place of the error is that of the template, whatever else it says.
        Error(text) => report.answer["error"].as_str().is_some_and(|error| error.contains(text)),
    };
    if !fits {
        return Some(format!("answered {}", report.answer));
    }
    if report.time > MAX_TIME {
        return Some(format!("took {:?}", report.time));
    }
    (report.peak > MAX_MEMORY).then(|| format!("took {} MiB", report.peak >> 20))
}

#[test]
#[cfg(target_os = "linux")]
fn every_hostile_template_ends_in_bounded_time_and_memory() {
    let outcomes: BTreeMap<&str, &Outcome> = outcomes().collect();
    let names: Vec<String> = templates().into_keys().collect();
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), outcomes.keys().copied().collect::<Vec<_>>());
    let mut faults = Vec::new();
    for name in &names {
        let result = run(name);
        let fault = result.map_or_else(Some, |report| fault(outcomes[name.as_str()], &report));
        faults.extend(fault.map(|fault| format!("{name}: {fault}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
