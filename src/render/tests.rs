use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::chart::{Chart, File, Metadata};
use crate::render::glob::Glob;
use crate::render::{
    Asked, Capabilities, Compiled, Context, Error, Inputs, KubeVersion, Operation, ReleaseInfo, Rendered, Trace, World,
    traced,
};
use crate::template::Limits;

/// One ConfigMap, and a clock that stands still.
struct Small;

impl World for Small {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn random(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }

    fn resolve_host(&self, _name: &str) -> Option<String> {
        None
    }

    fn lookup(&self, _api_version: &str, kind: &str, _namespace: &str, name: &str) -> Result<Json, String> {
        match (kind, name) {
            ("ConfigMap", "there") => Ok(json!({ "data": { "n": 3 } })),
            ("Secret", _) => Err("secrets are refused".to_owned()),
            _ => Ok(json!({})),
        }
    }

    fn lookup_in_tpl(&self, _api_version: &str, kind: &str, _namespace: &str, _name: &str) -> Result<Json, String> {
        Err(format!("no {kind} for texts"))
    }
}

pub(crate) fn chart(name: &str, templates: &[(&str, &str)]) -> Chart {
    let file = |(name, text): &(&str, &str)| File::new(format!("templates/{name}"), text.as_bytes());
    Chart {
        metadata: Metadata { name: name.to_owned(), version: "1.0.0".to_owned(), ..Metadata::default() },
        lock: None,
        values: Arc::new(json!({})),
        schema: None,
        templates: templates.iter().map(file).collect(),
        files: Arc::new([]),
        raw: Arc::new([]),
        dependencies: Vec::new(),
        digest: [0; 32],
        content_digest: [0; 32],
    }
}

fn try_render(chart: &Chart, values: &Json) -> Result<Rendered, Error> {
    render_within(chart, values, Limits::default())
}

pub(crate) fn render_within(chart: &Chart, values: &Json, limits: Limits) -> Result<Rendered, Error> {
    traced_within(chart, values, limits)?.0
}

fn traced_within(chart: &Chart, values: &Json, limits: Limits) -> Result<(Result<Rendered, Error>, Trace), Error> {
    let release =
        ReleaseInfo { name: "rel".into(), namespace: "ns".into(), revision: 2, operation: Operation::Upgrade };
    let context = Context::new(&json!({ "kind": "Demo" }), "ops");
    let inputs =
        Inputs { values, release: &release, capabilities: &Capabilities::default(), context: Some(&context), limits };
    Ok(traced(&Compiled::new(chart)?, inputs, Rc::new(Small)))
}

/// The inputs of a render for `context`.
pub(crate) fn operator_inputs<T>(context: &Context, render: impl FnOnce(Inputs<'_>) -> T) -> T {
    let release =
        ReleaseInfo { name: "rel".into(), namespace: "ns".into(), revision: 1, operation: Operation::Install };
    let (values, capabilities) = (json!({}), Capabilities::default());
    let (context, limits) = (Some(context), Limits::default());
    render(Inputs { values: &values, release: &release, capabilities: &capabilities, context, limits })
}

/// What a chart of this one template renders to.
fn one(template: &str) -> String {
    let rendered = try_render(&chart("demo", &[("t.yaml", template)]), &json!({ "n": 1.0 }));
    rendered.map_or_else(|error| error.to_string(), |rendered| rendered.files["demo/templates/t.yaml"].clone())
}

#[test]
fn a_compiled_chart_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Compiled>();
    shared::<Capabilities>();
}

/// What a chart of this one template asks.
fn trace(file: &str, template: &str) -> Trace {
    traced_within(&chart("demo", &[(file, template)]), &json!({}), Limits::default()).unwrap().1
}

#[test]
fn what_a_template_asks_of_the_cluster_is_written_down() {
    let cluster = Capabilities::default();
    let newer = Capabilities::assumed(KubeVersion::parse("v1.99.0").unwrap());
    let larger = cluster.clone().and(["example.com/v1"]);
    for (template, holds_for_newer, holds_for_larger) in [
        ("{{ .Values }} {{ .Release.Name }} {{ .Capabilities.HelmVersion.Version }}", true, true),
        ("{{ .Capabilities.APIVersions.Has \"apps/v1\" }}", true, true),
        ("{{ .Capabilities.APIVersions.Has \"example.com/v1\" }}", true, false),
        ("{{ has \"apps/v1\" .Capabilities.APIVersions }}", true, false),
        ("{{ .Capabilities.KubeVersion.Minor }}", false, true),
        ("{{ .Capabilities.KubeVersion }}", false, true),
        ("{{ with .Capabilities }}{{ .Copy | toYaml }}{{ end }}", false, false),
        ("{{ .Capabilities.APIVersions.Has \"example.com/v1\" }}{{ fail \"no\" }}", true, false),
    ] {
        let asked = trace("t.yaml", template).asked;
        let holds = (asked.holds(&cluster), asked.holds(&newer), asked.holds(&larger));
        assert_eq!(holds, (true, holds_for_newer, holds_for_larger), "{template}: {asked:?}");
    }
    assert_eq!(trace("t.yaml", "{{ .Values }}").asked, Asked::default());
}

#[test]
fn chance_and_clock_are_written_down_also_where_the_render_fails() {
    for (template, want) in [
        ("{{ .Release.Revision }}", false),
        ("{{ randAlphaNum 5 }}", true),
        ("{{ uuidv4 }}", true),
        ("{{ now }}", true),
        ("{{ now }}{{ fail \"no\" }}", true),
        ("{{ lookup \"v1\" \"Pod\" \"\" \"\" }}", false),
    ] {
        assert_eq!(trace("t.yaml", template).chance_or_clock, want, "{template}");
    }
}

#[test]
fn text_that_is_rendered_by_tpl_looks_up_as_such_whatever_it_includes() {
    let helper = r#"{{ define "seen" }}{{ lookup "v1" "ConfigMap" "ns" "there" }}{{ end }}"#;
    let rendered = |template: &str| {
        let demo = chart("demo", &[("_h.tpl", helper), ("t.yaml", template)]);
        try_render(&demo, &json!({}))
            .map_or_else(|error| error.to_string(), |r| r.files["demo/templates/t.yaml"].clone())
    };
    assert_eq!(
        rendered(r#"{{ include "seen" . }}{{ tpl (include "seen" .) . }}"#),
        "map[data:map[n:3]]map[data:map[n:3]]"
    );
    let text = r#"{{ tpl "{{ lookup \"v1\" \"ConfigMap\" \"ns\" \"there\" }}" . }}"#;
    assert!(rendered(text).ends_with("no ConfigMap for texts"), "{}", rendered(text));
    let included = r#"{{ tpl "{{ include \"seen\" . }}" . }}"#;
    assert!(rendered(included).ends_with("no ConfigMap for texts"), "{}", rendered(included));
}

#[test]
fn each_chart_sees_its_own_values_and_what_one_sets_the_others_see() {
    let mut demo =
        chart("demo", &[("a.yaml", "{{ .Values.sub.x }} {{ .Subcharts.sub.Chart.Name }}|{{ .Values.seen }}")]);
    let text = r#"{{ .Values.x }} {{ .Values.global.g }} {{ .Chart.Name }} {{ .Template.BasePath }} {{ typeOf .Values }}{{ $_ := set .Values "x" "changed" }}"#;
    demo.dependencies.push(chart("sub", &[("b.yaml", text)]));
    let rendered = try_render(&demo, &json!({ "sub": { "x": "own", "global": { "g": "all" } } })).unwrap();
    assert_eq!(
        rendered.files["demo/charts/sub/templates/b.yaml"],
        "own all sub demo/charts/sub/templates common.Values"
    );
    assert_eq!(rendered.files["demo/templates/a.yaml"], "changed sub|");
}

#[test]
fn partials_notes_and_libraries_are_not_rendered_as_files() {
    let mut demo = chart(
        "demo",
        &[
            ("_x.tpl", r#"{{ define "x" }}outer{{ end }}"#),
            ("a.yaml", r#"{{ include "x" . }} {{ include "lib" . }}"#),
            ("NOTES.txt", "hello {{ .Release.Name }}"),
        ],
    );
    let mut lib = chart(
        "lib",
        &[("_l.tpl", r#"{{ define "lib" }}lent{{ end }}{{ define "x" }}inner{{ end }}"#), ("l.yaml", "{{")],
    );
    lib.metadata.r#type = "library".to_owned();
    demo.dependencies.push(lib);
    demo.dependencies.push(chart("sub", &[("NOTES.txt", "not told")]));
    let rendered = try_render(&demo, &json!({})).unwrap();
    assert_eq!(rendered.notes, "hello rel");
    assert_eq!(rendered.files, BTreeMap::from([("demo/templates/a.yaml".to_owned(), "outer lent".to_owned())]));
}

#[test]
fn what_is_looked_up_comes_from_the_world() {
    let text = r#"{{ (lookup "v1" "ConfigMap" "ns" "there").data.n }}{{ lookup "v1" "Pod" "" "" }}"#;
    let rendered = try_render(&chart("demo", &[("t.yaml", text)]), &json!({})).unwrap();
    assert_eq!(rendered.files["demo/templates/t.yaml"], "3map[]");
    assert_eq!(
        one(r#"{{ lookup "v1" "Secret" "" "" }}"#),
        "template: demo/templates/t.yaml:1:3: executing \"demo/templates/t.yaml\" at <lookup \"v1\" \"Secret\" \"\" \"\">: error calling lookup: secrets are refused"
    );
}

#[test]
fn what_is_missing_leaves_nothing_behind() {
    for (template, want) in [
        ("[{{ .Values.none }}]", "[]"),
        ("a<no value>b", "ab"),
        (r#"{{ tpl "[{{ .x }}]" (dict) }}"#, "[]"),
        ("{{ .CR.kind }} {{ .Release.Revision }} {{ .Release.IsUpgrade }}", "Demo 2 true"),
        (r#"{{ tpl "{{ define \"d\" }}in{{ end }}{{ include \"d\" . }}" . }}"#, "in"),
        (
            "{{ .Capabilities.KubeVersion }} {{ .Capabilities.KubeVersion | toString }}",
            "v1.37.0 {v1.37.0 v1.37.0 1 37}",
        ),
    ] {
        assert_eq!(one(template), want, "{template}");
    }
}

#[test]
fn errors_are_helms() {
    for (template, want) in [
        ("{{ .Values.n", "parse error at (demo/templates/t.yaml:1): unclosed action"),
        (r#"{{ required "need it" .Values.x }}"#, "execution error at (demo/templates/t.yaml:1:3): need it"),
        (
            r#"{{ include "none" . }}"#,
            "demo/templates/t.yaml:1:3\n  executing \"demo/templates/t.yaml\" at <include \"none\" .>:\n    error calling include:\ntemplate: no template \"none\" associated with template \"gotpl\"",
        ),
        (
            r#"{{ tpl "{{ .a.b.c }}" (dict) }}"#,
            "template: demo/templates/t.yaml:1:3: executing \"demo/templates/t.yaml\" at <tpl \"{{ .a.b.c }}\" (dict)>: error calling tpl: error during tpl function execution for \"{{ .a.b.c }}\": template: gotpl:1:5: executing \"gotpl\" at <.a.b.c>: nil pointer evaluating interface {}.b",
        ),
        (
            r#"{{ tpl "{{" . }}"#,
            "template: demo/templates/t.yaml:1:3: executing \"demo/templates/t.yaml\" at <tpl \"{{\" .>: error calling tpl: cannot parse template \"{{\": template: gotpl:1: unclosed action",
        ),
    ] {
        assert_eq!(one(template), want, "{template}");
    }
}

#[test]
fn endless_recursion_ends_with_helms_error() {
    let run = || one(r#"{{ define "loop" }}{{ include "loop" . }}{{ end }}{{ include "loop" . }}"#);
    let error = std::thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap().join().unwrap();
    let end = "error calling include: rendering template has a nested reference name: loop: unable to execute template";
    assert!(error.ends_with(end), "{}", error.get(error.len() - 300..).unwrap_or(&error));
}

#[test]
fn patterns_match_as_gobwas_does() {
    for (pattern, path, want) in [
        ("conf/*", "conf/a", true),
        ("conf/*", "conf/a/b", false),
        ("conf/**", "conf/a/b", true),
        ("**.yaml", "a/b.yaml", true),
        ("*.{yaml,json}", "x.json", true),
        ("[a-c]?", "bz", true),
        ("[!a-c]?", "bz", false),
        ("[ab]", "b", true),
        ("{a,b{c,d}}", "bd", true),
        ("{a", "a", true),
        (r"\*", "*", true),
        ("", "", true),
        ("a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
    ] {
        assert_eq!(Glob::new(pattern).unwrap().matches(path), want, "{pattern} {path}");
    }
    for pattern in ["[", "[a", "[]", "[b-a]"] {
        assert!(Glob::new(pattern).is_none(), "{pattern}");
    }
}

#[test]
fn versions_of_kubernetes_keep_their_suffix() {
    let version = KubeVersion::parse("v1.33.4-gke.1245000").unwrap();
    assert_eq!((version.version.as_str(), version.normalized.as_str()), ("v1.33.4-gke.1245000", "v1.33.4"));
    assert_eq!((version.major.as_str(), version.minor.as_str()), ("1", "33"));
    assert_eq!(KubeVersion::parse("1.20").unwrap().normalized, "v1.20.0");
    assert_eq!(KubeVersion::parse("x"), None);
    for (version, error) in [
        ("x", "could not parse \"x\" as version"),
        ("1", "illegal version string \"1\""),
        ("1..2", "illegal version string \"1..2\""),
        ("01.2", "illegal zero-prefixed version component \"01\" in \"01.2\""),
    ] {
        assert_eq!(KubeVersion::read(version).unwrap_err().to_string(), error);
    }
}

#[test]
fn files_with_one_text_stay_files_of_their_own() {
    let text = "{{ define \"shared\" }}{{ if .Values.bad }}{{ fail \"bad\" }}{{ end }}{{ end }}\
                {{ .Template.Name }}{{ template \"shared\" . }}{{ if .Values.worse }}{{ .Values.worse.x }}{{ end }}";
    let mut root = chart("root", &[]);
    root.dependencies = ["a", "b"].map(|name| chart(name, &[("same.yaml", text)])).into();
    let path = |name| format!("root/charts/{name}/templates/same.yaml");
    let rendered = try_render(&root, &json!({})).unwrap();
    assert_eq!(rendered.files, ["a", "b"].map(|name| (path(name), path(name))).into());
    for name in ["a", "b"] {
        let error = try_render(&root, &json!({ name: { "worse": 1 } })).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}:1:", path(name))), "{error}");
        // The definition that was read last counts, wherever its text stands too: that of the first path.
        let error = try_render(&root, &json!({ name: { "bad": true } })).unwrap_err().to_string();
        assert!(error.contains(&format!("{}:1:", path("a"))), "{error}");
    }
}
