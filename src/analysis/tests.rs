use std::rc::Rc;

use serde_json::{Value as Json, json};

use crate::analysis::{Subject, check, samples, sort};
use crate::chart::File;
use crate::diagnostic::{Diagnostic, Severity};
use crate::render::World;

/// An empty cluster, at the start of time.
struct Empty;

impl World for Empty {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn random(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }

    fn resolve_host(&self, _name: &str) -> Option<String> {
        None
    }

    fn lookup(&self, _api_version: &str, _kind: &str, _namespace: &str, _name: &str) -> Result<Json, String> {
        Ok(json!({}))
    }
}

const CHART: (&str, &str) = ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n");

/// What is wrong with a chart in the directory `web`.
struct Checked<'a> {
    files: &'a [(&'a str, &'a str)],
    overrides: Json,
    resource: &'a str,
    has_records: bool,
}

impl<'a> Checked<'a> {
    fn new(files: &'a [(&'a str, &'a str)]) -> Self {
        Self { files, overrides: json!({}), resource: "", has_records: true }
    }

    fn found(&self) -> Vec<Diagnostic> {
        let files: Vec<File> = self.files.iter().map(|(name, text)| File::new(*name, text.as_bytes())).collect();
        let (samples, mut found) = samples("cr.yaml", self.resource);
        let Self { overrides, has_records, .. } = self;
        let subject =
            Subject { path: "web", gvk: None, files: &files, overrides, samples: &samples, has_records: *has_records };
        let world: Rc<dyn World> = Rc::new(Empty);
        found.extend(check(&subject, &world));
        sort(&mut found);
        found
    }

    /// One line each; a hint behind ` => `.
    fn lines(&self) -> Vec<String> {
        let line = |fault: &Diagnostic| {
            let severity = if fault.severity == Severity::Warning { "warning: " } else { "" };
            let hint = fault.hint.as_ref().map_or_else(String::new, |hint| format!(" => {hint}"));
            format!("{severity}{fault}{hint}")
        };
        self.found().iter().map(line).collect()
    }

    fn shown(&self) -> String {
        self.found().iter().map(|fault| format!("{fault:#}")).collect::<Vec<_>>().join("\n\n")
    }
}

/// What is wrong with a chart of good metadata and these files.
fn lines(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> = std::iter::once(CHART).chain(files.iter().copied()).collect();
    Checked::new(&files).lines()
}

#[test]
fn a_good_chart_has_no_faults() {
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ include \"web.name\" . }}\n";
    assert_eq!(
        lines(&[
            ("values.yaml", "name: web\n"),
            ("values.schema.json", r#"{"properties": {"name": {"type": "string"}}}"#),
            ("templates/_helpers.tpl", "{{ define \"web.name\" }}{{ .Values.name }}{{ end }}"),
            ("templates/a.yaml", template),
            ("templates/NOTES.txt", "{{ .Release.Name }}: done"),
        ]),
        Vec::<String>::new()
    );
}

#[test]
fn every_fault_of_the_metadata_is_told_at_its_line() {
    for (text, want) in [
        (
            "name: web\nversion: 1.0.0\napiVersion: v3\n",
            &["3:13: invalid chart apiVersion => write `apiVersion: v2`"][..],
        ),
        (
            "apiVersion: v2\nname: a/b\nversion: one\ntype: thing\nkubeVersion: '>>1'\ndescriptoin: x\n",
            &[
                "2:7: validation: chart.metadata.name \"a/b\" is invalid",
                "3:10: validation: chart.metadata.version \"one\" is invalid => write a semantic version, for instance \
                 `version: 0.1.0`",
                "4:7: validation: chart.metadata.type must be application or library",
                "5:14: `kubeVersion` is no version constraint: `>>1` => write for instance `>=1.25.0-0` or `^1.2.0 || ~2.0.0`",
                "warning 6:1: unknown field `descriptoin` is ignored => did you mean `description`?",
            ],
        ),
        (
            "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n- name: redis\n  version: 1.x\n  \
             repository: https://example.com\n",
            &["5:9: dependency `redis` is not in charts/ => `helm dependency build` fetches it"],
        ),
        (
            "apiVersion: v2\nname: [\n",
            &["3:1: error converting YAML to JSON: yaml: line 2: did not find expected node content"],
        ),
        ("- a\n", &["1:1: expected a mapping, found a list"]),
    ] {
        let found = Checked::new(&[("Chart.yaml", text)]).lines();
        let want: Vec<String> = want
            .iter()
            .map(|want| match want.strip_prefix("warning ") {
                Some(want) => format!("warning: web/Chart.yaml:{want}"),
                None => format!("web/Chart.yaml:{want}"),
            })
            .collect();
        assert_eq!(found, want, "{text}");
    }
    assert_eq!(Checked::new(&[("a.txt", "")]).lines(), ["web/Chart.yaml: Chart.yaml file is missing"]);
}

#[test]
fn faults_of_all_files_are_told_at_once_in_order() {
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: web\nversion: one\n"),
        ("values.yaml", "a: 1\n b: 2\n"),
        ("values.schema.json", "{\"type\":\n \"object\",}"),
        ("crds/a.yaml", "apiVersion: v1\nkind: CustomResourceDefinition\n---\na: [\n"),
        ("templates/_helpers.tpl", "{{ define \"web.name\" }}web{{ end }}"),
        ("templates/a.yaml", "a: {{ uper .Values.a }}\nb: {{ trunc 3 }}\nc: {{ include \"web.nam\" . }}\n"),
        ("templates/b.yaml", "{{ if .Values.b }}\n"),
        ("charts/sub/Chart.yaml", "name: sub\nversion: 1.0.0\n"),
        ("charts/sub/templates/c.yaml", "{{ template \"sub.name\" . }}"),
    ];
    insta::assert_snapshot!(Checked::new(&files).lines().join("\n"), @r#"
    web/Chart.yaml:3:10: validation: chart.metadata.version "one" is invalid => write a semantic version, for instance `version: 0.1.0`
    web/charts/sub/templates/c.yaml:1:13: no template `sub.name` is defined in the chart or its sub-charts => did you mean `web.name`?
    web/crds/a.yaml:1:1: an object in crds/ must have `metadata.name`
    web/crds/a.yaml:5:1: error converting YAML to JSON: yaml: line 1: did not find expected node content
    web/templates/a.yaml:1:7: function "uper" not defined => did you mean `upper`?
    web/templates/a.yaml:2:7: wrong number of args for trunc: want 2 got 1
    web/templates/a.yaml:3:15: no template `web.nam` is defined in the chart or its sub-charts => did you mean `web.name`?
    web/templates/b.yaml:2:1: unexpected EOF => an `if`, `with`, `range`, `block` or `define` has no `{{ end }}`
    web/values.schema.json:2:11: values.schema.json is not JSON: trailing comma
    web/values.yaml:2:3: error converting YAML to JSON: yaml: line 2: mapping values are not allowed in this context
    "#);
}

#[test]
fn templates_are_read_in_every_branch() {
    for (text, want) in [
        ("{{ if false }}{{ nindent 2 }}{{ end }}", "1:18: wrong number of args for nindent: want 2 got 1"),
        (
            "{{ if false }}{{ include \"web.nme\" . }}{{ end }}",
            "1:26: no template `web.nme` is defined in the chart or its sub-charts => did you mean `web.name`?",
        ),
        (
            "{{ with .Values.x }}{{ else }}{{ template \"shop.name\" . }}{{ end }}",
            "1:43: no template `shop.name` is defined in the chart or its sub-charts => did you mean `web.name`?",
        ),
        ("{{ include (print \"web.\" .Values.x) . }}", ""),
        ("{{ if false }}{{ include (print .Template.BasePath \"/a.yaml\") . }}{{ end }}", ""),
    ] {
        let found = lines(&[("templates/_h.tpl", "{{ define \"web.name\" }}{{ end }}"), ("templates/a.yaml", text)]);
        let found: Vec<&String> = found.iter().filter(|line| !line.contains("(rendered)")).collect();
        match want {
            "" => assert!(found.iter().all(|line| line.contains("no template \"web.<nil>\"")), "{text}: {found:?}"),
            want => assert_eq!(found, [&format!("web/templates/a.yaml:{want}")], "{text}"),
        }
    }
}

#[test]
fn what_is_rendered_must_be_objects_that_are_served() {
    for (text, want) in [
        ("a: {{ .Values.list }}\nb: [\n", "web/templates/a.yaml (rendered):3:1: "),
        ("kind: ConfigMap\n", "web/templates/a.yaml (rendered): "),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n", "web/templates/a.yaml (rendered): "),
        (
            "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata:\n  name: a\n",
            "web/templates/a.yaml:1:13: `policy/v1beta1 PodDisruptionBudget` is not served any more since Kubernetes 1.25 \
             => use `policy/v1`",
        ),
        (
            "{{ if .Values.no }}\napiVersion: batch/v1beta1\nkind: CronJob\n{{ end }}",
            "warning: web/templates/a.yaml:2:13: `batch/v1beta1 CronJob` is not served any more since Kubernetes 1.25 => use \
             `batch/v1`",
        ),
        (
            "{{ if .Capabilities.APIVersions.Has \"batch/v1beta1\" }}\napiVersion: batch/v1beta1\nkind: CronJob\n{{ end }}",
            "",
        ),
    ] {
        let found = lines(&[("templates/a.yaml", text)]);
        match want {
            "" => assert_eq!(found, Vec::<String>::new(), "{text}"),
            want => assert!(found.len() == 1 && found[0].starts_with(want), "{text}: {found:?}"),
        }
    }
}

#[test]
fn every_template_that_fails_is_told_with_the_way_there() {
    let files = [
        CHART,
        ("values.yaml", "service:\n  port: 80\n"),
        ("templates/_helpers.tpl", "{{- define \"web.port\" -}}\nport: {{ .Values.service.ports.http }}\n{{- end }}"),
        ("templates/a.yaml", "spec:\n  {{- include \"web.port\" . | nindent 2 }}\n"),
        ("templates/b.yaml", "{{ range .Values.service.port.name }}{{ end }}\n"),
    ];
    insta::assert_snapshot!(Checked::new(&files).shown(), @r#"
    error: nil pointer evaluating interface {}.http
      --> web/templates/_helpers.tpl:2:10
       |
     2 | port: {{ .Values.service.ports.http }}
       |          ^^^^^^^^^^^^^^^^^^^^^^^^^^
      = reached by web/templates/a.yaml:2:7: include "web.port" .
      = hint: `.Values.service.ports` is nil here: give it a default (`.Values.service.ports | default dict`), guard it (`with .Values.service.ports`) or use `dig`

    error: can't evaluate field name in type interface {}
      --> web/templates/b.yaml:1:10
       |
     1 | {{ range .Values.service.port.name }}{{ end }}
       |          ^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: `.Values.service.port` is no map, so that it has no field `name`
    "#);
}

#[test]
fn values_must_meet_the_schema_where_they_stand() {
    let schema = r#"{"properties": {"image": {"properties": {"tag": {"type": "string"}}}}, "required": ["host"]}"#;
    let files = [CHART, ("values.yaml", "a: 1\nimage:\n  tag: 1.5\n"), ("values.schema.json", schema)];
    assert_eq!(
        Checked::new(&files).lines(),
        [
            "warning: web/values.yaml: default values alone do not do: values do not meet the schema at ``: missing property \
             'host' => check it with a resource that sets it: `--cr FILE`",
            "web/values.yaml:3:8: values do not meet the schema at `/image/tag`: got number, want string",
        ]
    );
    let resource =
        "apiVersion: example.com/v1\nkind: Web\nmetadata: {name: shop}\nspec:\n  host: a\n  image:\n    tag: true\n";
    assert_eq!(
        Checked { resource, ..Checked::new(&files) }.lines(),
        [
            "cr.yaml:7:10: values do not meet the schema at `/image/tag`: got boolean, want string",
            "web/values.yaml:3:8: values do not meet the schema at `/image/tag`: got number, want string",
        ]
    );
    let overrides = json!({ "image": { "tag": "x" }, "host": 1.0 });
    assert_eq!(Checked { overrides, ..Checked::new(&files) }.lines(), Vec::<String>::new());
    let overrides = json!({ "image": { "tag": null, "port": 1.0 } });
    let of_image = r#"{"properties": {"image": {"properties": {"port": {"type": "string"}}}}}"#;
    let files = [CHART, ("values.yaml", "image: {}\n"), ("values.schema.json", of_image)];
    assert_eq!(
        Checked { overrides, ..Checked::new(&files) }.lines(),
        [
            "values do not meet the schema at `/image/port`: got number, want string => `overrideValues` or `overrides` of the \
             watch set it"
        ]
    );
}

#[test]
fn a_value_that_only_resources_can_give_is_asked_of_them() {
    let files = [CHART, ("templates/a.yaml", "{{ required \"say where\" .Values.host }}\n")];
    assert_eq!(
        Checked::new(&files).lines(),
        [
            "warning: web/templates/a.yaml:1:4: default values alone do not do: say where => `.Values.host` is missing or empty: \
             set `host` in the values; check it with a resource that sets it: `--cr FILE`"
        ]
    );
    let resource = "apiVersion: example.com/v1\nkind: Web\nmetadata: {name: shop}\nspec: {}\n";
    assert_eq!(
        Checked { resource, ..Checked::new(&files) }.lines(),
        [
            "web/templates/a.yaml:1:4: say where (of `shop`) => `.Values.host` is missing or empty: set `host` in the values"
        ]
    );
}

#[test]
fn a_resource_is_checked_itself() {
    for (resource, want) in [
        ("kind: Web\n", "cr.yaml:1:1: a resource must have `apiVersion`"),
        ("apiVersion: v1\nkind: Web\nmetadata: {}\n", "cr.yaml:3:1: a resource must have `metadata.name`"),
        (
            "---\napiVersion: v1\nkind: Web\nmetadata: {name: a}\nspec: 1\n",
            "cr.yaml:5:7: expected a mapping for `spec`, found an integer",
        ),
    ] {
        assert_eq!(Checked { resource, ..Checked::new(&[CHART]) }.lines(), [want], "{resource}");
    }
}

#[test]
fn chance_is_refused_where_no_record_keeps_it() {
    let files = [CHART, ("templates/a.yaml", "{{ if .Values.x }}{{ randAlphaNum 8 }}{{ end }}\n")];
    assert_eq!(Checked::new(&files).lines(), Vec::<String>::new());
    assert_eq!(
        Checked { has_records: false, ..Checked::new(&files) }.lines(),
        [
            "web/templates/a.yaml:1:22: `randAlphaNum` gives something else each time, and `history: 0` keeps no record of it => \
             keep records (`history: 1`), or take the value from a Secret by `lookup`"
        ]
    );
}

#[test]
fn hooks_are_refused_where_no_record_tells_how_far_they_are() {
    let hook = "{{ if .Values.x }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {ANNOTATION}}\n{{ end }}\n";
    for (annotation, want) in [
        ("helm.sh/hook: pre-install", Some(35)),
        ("\"helm.sh/hook\": \"post-delete\"", Some(36)),
        ("helm.sh/hook-weight: '1', helm.sh/hook: post-upgrade", Some(35)),
        ("helm.sh/hook-weight: '1'", None),
        ("helm.sh/hook: test", None),
        ("helm.sh/hook: test-success", None),
        ("helm.sh/resource-policy: keep", None),
    ] {
        let files = [CHART, ("templates/a.yaml", &*hook.replace("ANNOTATION", annotation))];
        assert_eq!(Checked::new(&files).lines(), Vec::<String>::new(), "{annotation}");
        let told = want.map(|column| {
            format!(
                "web/templates/a.yaml:4:{column}: hooks are run, and `history: 0` keeps no record of how far they are => \
                 keep records (`history: 1`)"
            )
        });
        let checked = Checked { has_records: false, ..Checked::new(&files) };
        assert_eq!(checked.lines(), told.into_iter().collect::<Vec<_>>(), "{annotation}");
    }
    let commented = [CHART, ("templates/a.yaml", "{{/* helm.sh/hook: pre-install */}}\n# helm.sh/hook: pre-install\n")];
    assert_eq!(Checked { has_records: false, ..Checked::new(&commented) }.lines(), Vec::<String>::new());
}

#[test]
fn definitions_and_schemas_must_be_such() {
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\n";
    for (name, text, want) in [
        ("crds/a.yaml", crd, ""),
        ("crds/a.md", "[", ""),
        (
            "crds/a.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n",
            "warning: web/crds/a.yaml:2:7: expected a CustomResourceDefinition in crds/, found `Namespace` => what lies in crds/ \
             is created once, and never changed or deleted: put other objects into templates/",
        ),
        (
            "crds/a.yaml",
            "---\napiVersion: apiextensions.k8s.io/v1beta1\nkind: CustomResourceDefinition\nmetadata: {name: a}\n",
            "web/crds/a.yaml:2:13: `apiextensions.k8s.io/v1beta1 CustomResourceDefinition` is not served any more since \
             Kubernetes 1.22 => use `apiextensions.k8s.io/v1`",
        ),
        ("crds/a.yaml", "kind: x\n", "web/crds/a.yaml:1:1: an object in crds/ must have `apiVersion`"),
        (
            "values.schema.json",
            r#"{"$schema": "https://example.com/mine"}"#,
            "web/values.schema.json: values.schema.json is in an unknown dialect: \"https://example.com/mine\"",
        ),
        (
            "values.schema.json",
            "{\n\"type\": }",
            "web/values.schema.json:2:9: values.schema.json is not JSON: expected value",
        ),
    ] {
        let found = lines(&[(name, text)]);
        let want: Vec<&str> = Some(want).into_iter().filter(|want| !want.is_empty()).collect();
        assert_eq!(found, want, "{text}");
    }
}

/// The files of a chart with a policy and with a template of this annotation.
fn with_policy(policy: &str, annotation: &str) -> Vec<String> {
    let template = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{{{ .CR.metadata.name }}}}\n  annotations: {{{annotation}}}\n"
    );
    lines(&[("operator/policy.yaml", policy), ("templates/a.yaml", &template)])
}

#[test]
fn a_policy_is_read_as_it_renders() {
    let name = "chart-operator.dev/phase";
    assert_eq!(with_policy("phases: [one, two]\n", &format!("{name}: two")), Vec::<String>::new());
    assert_eq!(
        with_policy("phases: [one, {{ .Values.none | default \"one\" }}]\ncolision: Force\n", &format!("{name}: two")),
        [
            "web/operator/policy.yaml (rendered):1:15: `one` is listed twice in `phases`",
            "web/operator/policy.yaml (rendered):2:1: unknown field `colision` in `operator/policy.yaml` => did you mean \
             `collision`?",
        ]
    );
    assert_eq!(
        with_policy("phases: [{{ uper .Release.Name }}]\n", &format!("{name}: two")),
        ["web/operator/policy.yaml:1:13: function \"uper\" not defined => did you mean `upper`?"]
    );
}

#[test]
fn an_object_says_a_place_that_there_is() {
    let name = "chart-operator.dev/phase";
    let told = with_policy("phases: [one, two]\n", &format!("{name}: three"));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].ends_with("annotation `chart-operator.dev/phase`: expected `one`, `two`, found `three`"),
        "{told:?}"
    );
    let template =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {chart-operator.dev/mode: patch}}\n";
    let told = lines(&[("templates/a.yaml", template)]);
    assert!(told[0].contains("expected none in a chart without `operator/policy.yaml`, found `patch`"), "{told:?}");
}

#[test]
fn a_resource_has_a_kind_whatever_it_is() {
    let template = "# {{ lower .CR.kind }} {{ splitList \"/\" .CR.apiVersion | last }}\n";
    assert_eq!(lines(&[("templates/a.yaml", template)]), Vec::<String>::new());
}

#[test]
fn a_chart_that_waits_for_a_cluster_has_no_fault() {
    let template =
        "{{ if not (lookup \"v1\" \"Node\" \"\" \"a\") }}{{ wait \"NoNode\" \"there is no node a\" }}{{ end }}";
    assert_eq!(lines(&[("operator/policy.yaml", ""), ("templates/a.yaml", template)]), Vec::<String>::new());
}

#[test]
fn the_files_of_operator_are_parsed_in_every_branch() {
    let status = "a: {{ if false }}{{ include \"none\" . }}{{ end }}\n";
    assert_eq!(
        lines(&[("operator/status.yaml", status)]),
        ["web/operator/status.yaml:1:29: no template `none` is defined in the chart or its sub-charts"]
    );
}

#[test]
fn the_same_fault_of_what_two_resources_render_is_told_once() {
    let policy = "phases: [one, one]\nadoptFrom: [{kind: Web, name: {{ .Release.Name }}}]\n";
    let template = "apiVersion: v1\nkind: Namespace\nmetadata: {name: {{ .Release.Namespace }}}\n";
    let files = [CHART, ("operator/policy.yaml", policy), ("templates/a.yaml", template)];
    let resource = "apiVersion: example.com/v1\nkind: Web\nmetadata: {name: shop}\n";
    let told = Checked { resource, ..Checked::new(&files) }.lines();
    assert_eq!(told, ["web/operator/policy.yaml (rendered):1:15: `one` is listed twice in `phases`"]);
}

#[test]
fn only_two_files_of_operator_are_known() {
    let rest = "what templates include belongs to `templates/`, what they read elsewhere";
    for (name, hint) in [
        ("operator/policy.yml", "did you mean `operator/policy.yaml`?"),
        ("operator/Status.yaml", "did you mean `operator/status.yaml`?"),
        ("operator/_helpers.tpl", rest),
        ("operator/more/policy.yaml", rest),
    ] {
        let expected = "expected `operator/policy.yaml` or `operator/status.yaml`";
        let want = format!("web/{name}: {expected}, found `{name}` => {hint}");
        assert_eq!(lines(&[("operator/policy.yaml", ""), ("operator/status.yaml", ""), (name, "")]), [want]);
    }
}

#[test]
fn what_is_no_action_is_told_and_what_says_so_wrongly_in_every_branch() {
    for (kind, annotations, rendered, branch) in [
        ("Job", "{chart-operator.dev/action: load, chart-operator.dev/retry: 10s}", "", ""),
        (
            "ConfigMap",
            "{chart-operator.dev/action: load}",
            "expected none on `ConfigMap`: an action is a Job, found `load`",
            "",
        ),
        ("Job", "{chart-operator.dev/on: apply}", "expected none without `action`, found `apply`", ""),
        (
            "Job",
            "{chart-operator.dev/action: load, chart-operator.dev/on: delete}",
            "expected `apply` or `pre-delete`, found `delete`",
            "expected `apply` or `pre-delete`, found `delete`",
        ),
        (
            "Job",
            "{chart-operator.dev/action: load, chart-operator.dev/retry: often}",
            "expected a duration such as `10s`, or `{after: 10s, max: 3}`, found `often`",
            "expected a duration such as `10s`, or `{after: 10s, max: 3}`, found `often`",
        ),
    ] {
        for (condition, end, want) in [("", "", rendered), ("{{ if .Values.x }}", "{{ end }}", branch)] {
            let api = if kind == "Job" { "batch/v1" } else { "v1" };
            let template = format!(
                "{condition}\napiVersion: {api}\nkind: {kind}\nmetadata:\n  name: a\n  annotations: {annotations}\n{end}"
            );
            let told = lines(&[("operator/policy.yaml", ""), ("templates/a.yaml", &template)]);
            match (told.as_slice(), want) {
                ([], "") => {}
                ([line], want) if !want.is_empty() => assert!(line.ends_with(want), "{line}"),
                _ => panic!("{template}: expected {want:?}, found {told:?}"),
            }
        }
    }
}

#[test]
fn annotations_that_the_operator_refuses_are_told_in_every_branch_and_once() {
    const POLICY: (&str, &str) = ("operator/policy.yaml", "phases: [one]\n");
    let needs_policy = "annotation `chart-operator.dev/phase`: expected none in a chart without `operator/policy.yaml`, found \
                        `one` => only a chart with `operator/policy.yaml` understands it; the file may be empty";
    for (policy, annotation, want) in [
        (Some(POLICY), "mode: patch", ""),
        (Some(POLICY), "recreate: x", ""),
        (Some(POLICY), "collision: '{{ .Values.x }}'", ""),
        (
            Some(POLICY),
            "mode: patc",
            "annotation `chart-operator.dev/mode`: expected `manage`, `observe` or `patch`, found `patc`",
        ),
        (
            Some(POLICY),
            "collision: never",
            "annotation `chart-operator.dev/collision`: expected `Prevent`, `IfNoController` or `Force`, found `never`",
        ),
        (None, "phase: one", needs_policy),
    ] {
        for (condition, end) in [("{{ if .Values.x }}", "{{ end }}"), ("", "")] {
            let template = format!(
                "{condition}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations:\n    \
                 chart-operator.dev/{annotation}\n{end}"
            );
            let files: Vec<_> = policy.into_iter().chain([("templates/a.yaml", template.as_str())]).collect();
            let told = lines(&files);
            let want =
                Some(want).filter(|want| !want.is_empty()).map(|want| format!("web/templates/a.yaml:7:5: {want}"));
            if annotation.contains("{{") {
                assert!(told.iter().all(|line| line.contains("(rendered)")), "{told:?}");
                continue;
            }
            assert_eq!(told, want.into_iter().collect::<Vec<_>>(), "{template}");
        }
    }
}

#[test]
fn previous_values_are_refused_where_no_record_keeps_them() {
    let refused =
        "`.Previous` is always empty: `history: 0` keeps no record of earlier values => keep records (`history: 1`)";
    for (name, text, columns) in [
        ("templates/a.yaml", "{{ if false }}{{ .Previous.a }}{{ $.Previous }}{{ end }}", &[18, 35][..]),
        ("templates/a.yaml", "{{ .Values.Previous }}{{ with .Values }}{{ .Previous }}{{ end }}", &[]),
        ("templates/a.yaml", "# .Previous {{/* .Previous */}}", &[]),
        (
            "templates/a.yaml.hbs",
            "# Previous {{#if Previous.a}}{{@root.Previous}}{{Values.Previous}}{{/if}}",
            &[18, 38],
        ),
        ("operator/policy.yaml", "{{ if .Previous.a }}{{ end }}", &[7]),
        ("operator/status.yaml", "{{ if .Previous.a }}{{ end }}", &[7]),
    ] {
        let files = [CHART, (name, text)];
        assert_eq!(Checked::new(&files).lines(), Vec::<String>::new(), "{text}");
        let told = Checked { has_records: false, ..Checked::new(&files) }.lines();
        let want: Vec<_> = columns.iter().map(|column| format!("web/{name}:1:{column}: {refused}")).collect();
        assert_eq!(told, want, "{text}");
    }
}

#[test]
fn the_status_of_a_pass_that_has_done_nothing_is_rendered() {
    let policy = ("operator/policy.yaml", "phases: [one, two]\n");
    for (status, want) in [
        ("", ""),
        ("phase: {{ .Outcome.phase }}\nlast: {{ (last .Outcome.phases).name }}\n", ""),
        ("{{ range .Outcome.objects }}{{ .no.such.field }}{{ end }}", ""),
        (
            "a: 1\nb: {{ .Outcome.failed.reason }}\n",
            "web/operator/status.yaml:2:7: nil pointer evaluating interface {}.reason => `.Outcome.failed` is nil here: give it \
             a default (`.Outcome.failed | default dict`), guard it (`with .Outcome.failed`) or use `dig`",
        ),
        (
            "{{ if ne .Outcome.phase \"one\" }}{{ fail \"x\" }}{{ end }}{{ wait \"Later\" \"not yet\" }}",
            "web/operator/status.yaml:1:59: ",
        ),
        (
            "- {{ .Outcome.ready }}\n",
            "web/operator/status.yaml (rendered):1:1: expected a map, the status, found a list",
        ),
        ("a: {{ .Outcome.phase }}: b\n", "web/operator/status.yaml (rendered):1:"),
    ] {
        let told = lines(&[policy, ("operator/status.yaml", status)]);
        match want {
            "" => assert_eq!(told, Vec::<String>::new(), "{status}"),
            want => assert!(told.len() == 1 && told[0].starts_with(want), "{status}: {told:?}"),
        }
    }
}
