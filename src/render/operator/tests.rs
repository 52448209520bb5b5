use serde_json::{Value as Json, json};
use std::rc::Rc;

use jiff::Timestamp;

use crate::functions::{Selection, World};
use crate::render::tests::{chart, operator_inputs};
use crate::render::{Compiled, Context, Error, Trace, status, traced};

/// A cluster of these objects, at noon.
struct Noon(Vec<Json>);

impl World for Noon {
    fn now(&self) -> Timestamp {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }
    fn random(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
    fn resolve_host(&self, _name: &str) -> Option<String> {
        None
    }
    fn lookup(&self, _: &str, _: &str, _: &str, _: &str) -> Result<Json, String> {
        Ok(json!({}))
    }
    fn select(&self, wanted: &Selection) -> Result<Vec<Json>, String> {
        let Selection { api_version, kind, namespace, selector, fields } = wanted;
        let asked = format!("{api_version} {kind} {namespace} [{selector}] {}", fields.join(" "));
        Ok(self.0.iter().cloned().chain([json!({"asked": asked.trim()})]).collect())
    }
    fn select_in_tpl(&self, _: &Selection) -> Result<Vec<Json>, String> {
        Ok(Vec::new())
    }
}

fn context() -> Context {
    let resource = json!({
        "kind": "Demo", "metadata": {"name": "a", "uid": "u1"}, "spec": {"n": 1},
        "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Old", "status": "False"}]},
    });
    Context { results: json!({"load": {"rows": 3}}), ..Context::new(&resource, "ops") }
}

fn try_one(template: &str) -> (Result<String, Error>, Trace) {
    let object = |name: &str, namespace: &str| json!({"metadata": {"name": name, "namespace": namespace}});
    let world = Rc::new(Noon(vec![object("b", "x"), object("a", "y"), object("a", "x")]));
    let compiled = Compiled::with_operator(&chart("demo", &[("t.yaml", template)])).unwrap();
    operator_inputs(&context(), |inputs| {
        let (rendered, trace) = traced(&compiled, inputs, world);
        (rendered.map(|rendered| rendered.files["demo/templates/t.yaml"].clone()), trace)
    })
}

fn one(template: &str) -> String {
    try_one(template).0.unwrap_or_else(|error| error.template().message())
}

#[test]
fn templates_see_the_resource_and_what_is_known_of_it() {
    for (template, want) in [
        ("{{ .CR.metadata.name }} {{ .CR.spec.n }}", "a 1"),
        ("{{ .Results.load.rows }} {{ .Previous | toJson }} {{ .Deleting }}", "3 {} false"),
        ("{{ .Operator.Namespace }} {{ hasPrefix \"v\" .Operator.Version }}", "ops true"),
        (r#"{{ define "x" }}{{ .CR.kind }}{{ end }}{{ include "x" . }}"#, "Demo"),
    ] {
        assert_eq!(one(template), want, "{template}");
    }
}

#[test]
fn a_function_that_is_given_a_map_reads_of_it_what_it_looks_at() {
    for (template, want) in [
        (r#"{{ dig "metadata" "labels" "x" "none" .CR }}"#, "=/CR/metadata =/CR/metadata/labels"),
        (r#"{{ conditionTrue .CR "Ready" }}"#, "=/CR/status =/CR/status/conditions"),
        (r#"{{ hasKey .CR.metadata "namespace" }}"#, "=/CR/metadata =/CR/metadata/namespace"),
        (r#"{{ define "x" }}{{ .kind }}{{ end }}{{ include "x" .CR }}"#, "=/CR/kind"),
        ("{{ if .CR.status }}{{ end }}", "#/CR/status =/CR/status"),
        ("{{ .CR.status | toJson }}", "*/CR/status"),
        ("{{ .Results.load.rows }}", "=/Results/load =/Results/load/rows"),
        ("{{ .Values }}{{ .Deleting }}", ""),
    ] {
        let read: Vec<_> = try_one(template).1.read.into_keys().collect();
        assert_eq!(read.join(" "), want, "{template}");
    }
}

#[test]
fn what_is_sorted_stays_in_order_where_keys_are_equal() {
    for (list, keys, want) in [
        (r#"[{"k":"10","n":1},{"k":"9","n":2},{"k":"b","n":3},{"n":4},{"k":"","n":5}]"#, r#""k""#, "42153"),
        (r#"[{"k":{"r":10},"n":1},{"k":{"r":-2},"n":2},{"k":{},"n":3},{"k":7,"n":4}]"#, r#""k" "r""#, "3421"),
        (r#"[{"k":1.0,"n":1},{"k":"1","n":2},{"k":null,"n":3}]"#, r#""k""#, "312"),
        (r#"[{"k":2,"n":1},{"k":2,"n":2}]"#, r#""a""#, "12"),
        ("[]", r#""k""#, ""),
    ] {
        let template = format!("{{{{ range sortByPath (fromJsonArray `{list}`) {keys} }}}}{{{{ .n }}}}{{{{ end }}}}");
        assert_eq!(one(&template), want, "{list}");
    }
    assert_eq!(one("{{ sortByPath (list 10 9 \"b\" nil) | toJson }}"), "[null,9,10,\"b\"]");
    assert_eq!(one("{{ sortByPath nil \"a\" | toJson }}"), "[]");
    assert_eq!(one("{{ sortByPath 1 \"a\" }}"), "error calling sortByPath: Cannot sort type int");
}

#[test]
fn a_condition_is_true_when_it_says_so() {
    for (template, want) in [
        (r#"{{ conditionTrue .CR "Ready" }}"#, "true"),
        (r#"{{ conditionTrue .CR "Old" }}"#, "false"),
        (r#"{{ conditionTrue .CR "None" }}"#, "false"),
        (r#"{{ conditionTrue dict "Ready" }}"#, "false"),
        (r#"{{ conditionTrue .Nothing "Ready" }}"#, "false"),
        (r#"{{ conditionTrue (dict "status" "x") "Ready" }}"#, "false"),
        (r#"{{ conditionTrue "x" "Ready" }}"#, "error calling conditionTrue: expected an object; found string"),
    ] {
        assert_eq!(one(template), want, "{template}");
    }
}

#[test]
fn a_probe_tells_what_is_missing_and_nothing_where_all_is_there() {
    for (probes, want) in [
        (r#"(list (dict "condition" (dict "type" "Ready" "status" "True")))"#, ""),
        (
            r#"(list (dict "condition" (dict "type" "Old" "status" "True")) (dict "condition" (dict "type" "X" "status" "True")))"#,
            r#"condition "Old" == "True": wrong status, condition "X" == "True": not reported"#,
        ),
        (r#"(list (dict "fieldsEqual" (dict "fieldA" ".spec.n" "fieldB" ".spec.n")))"#, ""),
        ("list", ""),
    ] {
        assert_eq!(one(&format!("{{{{ probe .CR {probes} }}}}")), want, "{probes}");
    }
    assert!(one(r#"{{ probe .CR (list (dict "none" 1)) }}"#).starts_with("error calling probe: "));
    assert_eq!(one("{{ probe 1 list }}"), "error calling probe: expected an object; found int");
}

#[test]
fn what_has_elapsed_is_true_from_its_instant_on_and_the_earliest_that_has_not_is_kept() {
    for (template, want, due) in [
        (r#"{{ elapsed "1h" "2026-01-01T11:00:00Z" }}"#, "true", None),
        (r#"{{ elapsed "1h" "2026-01-01T11:00:01Z" }}"#, "false", Some("2026-01-01T12:00:01Z")),
        (r#"{{ elapsed "90m" "2026-01-01T12:00:00+01:00" }}"#, "false", Some("2026-01-01T12:30:00Z")),
        (r#"{{ elapsed "1h" "" }} {{ elapsed "1h" .Nothing }}"#, "false false", None),
        (
            r#"{{ elapsed "2h" "2026-01-01T12:00:00Z" }} {{ elapsed "1h" "2026-01-01T12:00:00Z" }}"#,
            "false false",
            Some("2026-01-01T13:00:00Z"),
        ),
        (r#"{{ elapsed "x" "" }}"#, "error calling elapsed: time: invalid duration \"x\"", None),
        (r#"{{ elapsed "1h" 3 }}"#, "error calling elapsed: expected a timestamp; found int", None),
    ] {
        let (rendered, trace) = try_one(template);
        assert_eq!(rendered.unwrap_or_else(|error| error.template().message()), want, "{template}");
        assert_eq!(trace.due.map(|due| due.to_string()).as_deref(), due, "{template}");
        assert!(!trace.chance_or_clock, "{template}");
    }
}

#[test]
fn a_selector_is_a_text_or_a_map_and_the_objects_come_in_order() {
    let asked = |arguments: &str| one(&format!("{{{{ (first (lookupSelector {arguments})).asked }}}}"));
    for (arguments, want) in [
        (r#""v1" "Pod" "" """#, "v1 Pod  []"),
        (r#""v1" "Pod" "x" nil"#, "v1 Pod x []"),
        (r#""v1" "Pod" "x" (dict)"#, "v1 Pod x []"),
        (r#""v1" "Pod" "x" "a in (x,y),!b""#, "v1 Pod x [a in (x,y),!b]"),
        (r#""v1" "Pod" "x" (dict "matchLabels" (dict "a" "b"))"#, "v1 Pod x [a=b]"),
        (
            r#""v1" "Pod" "x" (dict "matchExpressions" (list (dict "key" "k" "operator" "NotIn" "values" (list "v"))))"#,
            "v1 Pod x [k notin (v)]",
        ),
        (r#""v1" "Pod" "x" "" (list "spec.a" "status.c[].type")"#, "v1 Pod x [] spec.a status.c[].type"),
    ] {
        assert_eq!(asked(arguments), want, "{arguments}");
    }
    let names = r#"{{ range lookupSelector "v1" "Pod" "" "" }}{{ with .metadata }}{{ .namespace }}/{{ .name }} {{ end }}{{ end }}"#;
    assert_eq!(one(names), "x/a x/b y/a ");
    assert_eq!(one(r#"{{ tpl `{{ lookupSelector "v1" "Pod" "" "" | toJson }}` . }}"#), "[]");
}

#[test]
fn what_is_no_selector_or_no_path_is_an_error() {
    for (arguments, want) in [
        (r#""a b""#, "unable to parse the label selector `a b`"),
        ("3", "expected a text or a map as label selector; found int"),
        (r#"(dict "labels" dict)"#, "unknown field \"labels\" in a label selector"),
        (r#"(dict "matchLabels" (dict "a" 1))"#, "expected a string for matchLabels; found int"),
        (
            r#"(dict "matchExpressions" (list (dict "key" "a" "operator" "Is")))"#,
            "\"Is\" is not a valid label selector operator",
        ),
        (
            r#"(dict "matchExpressions" (list (dict "key" "a" "operator" "In")))"#,
            "`In` and `NotIn` need at least one value",
        ),
        (r#""" "spec""#, "expected a list for the fields; found string"),
        (r#""" (list "a..b")"#, "\"a..b\" is no path of fields"),
        (r#""" list 1"#, "want at most 5 got 6"),
    ] {
        let found = one(&format!(r#"{{{{ lookupSelector "v1" "Pod" "" {arguments} }}}}"#));
        assert!(found.starts_with("error calling lookupSelector: ") && found.contains(want), "{arguments}: {found}");
    }
}

#[test]
fn a_render_that_waits_says_for_what() {
    let waiting = |template: &str| {
        let error = try_one(template).0.unwrap_err();
        error.template().waiting().map(ToString::to_string)
    };
    assert_eq!(
        waiting(r#"{{ wait "MissingDependency" "requires Secret x" }}"#).unwrap(),
        "MissingDependency: requires Secret x"
    );
    let nested = r#"{{ define "x" }}{{ tpl `{{ wait "Later" "m" }}` . }}{{ end }}{{ include "x" . }}"#;
    assert_eq!(waiting(nested).unwrap(), "Later: m");
    assert_eq!(waiting(r#"{{ fail "no" }}"#), None);
    assert_eq!(waiting(r#"{{ wait "not one word" "m" }}"#), None);
}

/// The policy and the status of a chart with these files of `operator/`.
fn operator(files: &[(&str, &str)]) -> (Option<String>, Result<Option<String>, Error>, Trace) {
    let mut chart = chart("demo", &[("_h.tpl", r#"{{ define "h" }}{{ .CR.kind }}{{ end }}"#)]);
    let file = |(name, text): &(&str, &str)| crate::chart::File::new(format!("operator/{name}"), text.as_bytes());
    chart.files = files.iter().map(file).collect();
    let compiled = Compiled::with_operator(&chart).unwrap();
    operator_inputs(&context(), |inputs| {
        let (rendered, trace) = traced(&compiled, inputs, Rc::new(Noon(vec![])));
        let outcome = json!({"ready": true});
        (rendered.unwrap().policy, status(&compiled, inputs, &outcome, Rc::new(Noon(vec![]))).0, trace)
    })
}

#[test]
fn policy_and_status_are_rendered_with_the_named_templates_of_the_chart() {
    let (policy, status, trace) = operator(&[
        ("policy.yaml", r#"phases: [{{ include "h" . }}] # {{ .Template.Name }}"#),
        ("status.yaml", r#"ready: {{ .Outcome.ready }} {{ include "h" . }}"#),
        ("other.yaml", "{{ nothing }}"),
    ]);
    assert_eq!(policy.unwrap(), "phases: [Demo] # demo/operator/policy.yaml");
    assert_eq!(status.unwrap().unwrap(), "ready: true Demo");
    assert_eq!(trace.read.into_keys().collect::<Vec<_>>(), ["=/CR/kind"]);
    let (policy, status, _) = operator(&[]);
    assert_eq!((policy, status.unwrap()), (None, None));
}

#[test]
fn what_a_file_of_operator_defines_only_it_sees() {
    let define = r#"{{ define "h" }}own{{ end }}{{ include "h" . }}"#;
    let (policy, status, _) = operator(&[("policy.yaml", define), ("status.yaml", r#"{{ include "h" . }}"#)]);
    assert_eq!((policy.unwrap().as_str(), status.unwrap().unwrap().as_str()), ("own", "Demo"));
}
