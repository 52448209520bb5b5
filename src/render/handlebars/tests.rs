use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::chart::{Chart, File};
use crate::render::tests::{chart, render_within};
use crate::render::{Error, Rendered};
use crate::template::{Limit, Limits};

fn values() -> Json {
    json!({
        "n": 3.0, "big": 1_000_000.0, "half": 0.5, "whole": 7, "text": "a<b>&\"c\"", "yes": true, "null": null,
        "list": ["x", "y"], "map": { "b": 1.0, "a": { "c": "d" } },
        "pages": [{ "title": "One", "path": "/one" }, { "title": "Two", "path": "/two" }],
    })
}

fn demo(templates: &[(&str, &str)]) -> Chart {
    let mut demo = chart("demo", templates);
    demo.files = Arc::new([File::new("conf/a.ini", "k=v\nl=w\n".as_bytes()), File::new("b.txt", "text".as_bytes())]);
    demo
}

fn render(templates: &[(&str, &str)], limits: Limits) -> Result<Rendered, Error> {
    render_within(&demo(templates), &values(), limits)
}

/// What the first of these templates renders to, or why not.
fn first(templates: &[(&str, &str)]) -> String {
    match render(templates, Limits::default()) {
        Ok(rendered) => rendered.files[&format!("demo/templates/{}", templates[0].0)].clone(),
        Err(error) => error.to_string(),
    }
}

fn one(template: &str) -> String {
    first(&[("t.yaml.hbs", template)])
}

#[test]
fn values_print_as_they_stand_in_yaml() {
    for (template, want) in [
        ("{{Values.text}} {{{Values.text}}}", "a<b>&\"c\" a<b>&\"c\""),
        ("[{{Values.missing}}{{Values.missing.too}}{{Values.null}}]", "[]"),
        ("{{Values.n}} {{Values.big}} {{Values.half}} {{Values.whole}} {{Values.yes}}", "3 1000000 0.5 7 true"),
        ("{{Values.list}} {{Values.map}}", r#"["x","y"] {"a":{"c":"d"},"b":1}"#),
        ("{{Values.list.[1]}} {{Values.map.a.c}} {{lookup Values.list 0}} {{lookup Values.map \"b\"}}", "y d x 1"),
        (
            "{{Release.Name}} {{Release.Namespace}} {{Chart.Name}} {{Chart.Version}} {{CR.kind}}",
            "rel ns demo 1.0.0 Demo",
        ),
        ("{{Template.Name}} {{Template.BasePath}}", "demo/templates/t.yaml.hbs demo/templates"),
        // A word alone is data, also where there is a function of that name.
        ("{{#each Values.pages}}{{@index}} {{title}} {{path}};{{/each}}", "0 One /one;1 Two /two;"),
        ("{{!-- don't --}}{{! it's }}{{#if true}}it's{{/if}}", "it's"),
        ("{{#with (now)}}{{this}}{{/with}} {{now}}", "1970-01-01T00:00:00Z 1970-01-01T00:00:00Z"),
    ] {
        assert_eq!(one(template), want, "{template}");
    }
}

#[test]
fn every_function_is_a_helper() {
    for (template, want) in [
        ("{{toYaml Values.map}}", "a:\n  c: d\nb: 1"),
        ("m:{{nindent 2 (toYaml Values.map)}}", "m:\n  a:\n    c: d\n  b: 1"),
        (
            "{{toJson Values.map}} {{quote Values.text}} {{squote Values.n}}",
            r#"{"a":{"c":"d"},"b":1} "a<b>&\"c\"" '3'"#,
        ),
        ("{{default \"d\" Values.missing}} {{default \"d\" Values.yes}}", "d true"),
        ("{{upper \"a\"}}{{lower \"B\"}}{{trim \" c \"}}{{b64enc \"d\"}}", "AbcZA=="),
        ("{{trunc 2 \"abc\"}} {{repeat Values.n \"z\"}} {{add Values.n 4}} {{printf \"%02d\" 5}}", "ab zzz 7 05"),
        ("{{#each (list 1 \"b\" true)}}{{this}},{{/each}} {{join \"-\" Values.list}}", "1,b,true, x-y"),
        // Numbers compare whatever their types.
        (
            "{{eq Values.n 3}} {{eq 3 Values.whole}} {{lt Values.half 1}} {{gte 3 Values.n}} {{lte 4 3}}",
            "true false true true false",
        ),
        ("{{#if (and Values.yes (not Values.missing))}}a{{else}}b{{/if}}{{or Values.missing \"c\"}}", "ac"),
        ("{{#if (eq 1 2)}}a{{else if (has \"y\" Values.list)}}b{{else}}c{{/if}}", "b"),
        ("{{#unless Values.null}}{{len Values.list}}{{index Values.list 1}}{{/unless}}", "2y"),
        ("{{required \"r\" Values.text}} {{tpl \"{{ .Values.n }}\" this}}", "a<b>&\"c\" 3"),
        ("{{#with (lookup \"v1\" \"ConfigMap\" \"ns\" \"there\")}}{{data.n}}{{/with}}", "3"),
        // Objects of Go keep what they are from one function to the next.
        ("{{date \"2006\" (now)}} {{call (semver \"1.2.3\") \"Minor\"}}", "1970 2"),
        ("{{call Files \"Get\" \"b.txt\"}} {{#each Files}}{{@key}}:{{this}} {{/each}}", "text b.txt:4 conf/a.ini:8 "),
        ("{{call (call Files \"Glob\" \"conf/*\") \"AsConfig\"}}", "a.ini: |\n  k=v\n  l=w"),
        (
            "{{call Capabilities.APIVersions \"Has\" \"v1\"}} {{call Capabilities.APIVersions \"Has\" \"x/v9\"}}",
            "true false",
        ),
    ] {
        assert_eq!(one(template), want, "{template}");
    }
}

#[test]
fn both_worlds_include_each_other() {
    let go = ("_helpers.tpl", r#"{{ define "go" }}{{ .Chart.Name }}-{{ .Files.Get "b.txt" }}{{ end }}"#);
    let nav = ("parts/_nav.html.hbs", "{{#each pages}}<{{title}}>{{/each}}");
    for (templates, want) in [
        (vec![("t.yaml.hbs", r#"{{include "go" this}}"#), go], "demo-text"),
        (vec![("t.yaml.hbs", "{{> inner x=1}}"), ("_inner.hbs", r#"{{include "go" this}}{{x}}"#), go], "demo-text1"),
        (vec![("t.yaml", r#"{{ include "parts/nav.html" .Values }}"#), nav], "<One><Two>"),
        (vec![("t.yaml", r#"{{ template "demo/templates/parts/_nav.html.hbs" .Values }}"#), nav], "<One><Two>"),
        (vec![("t.yaml.hbs", "{{> parts/nav.html Values}}"), nav], "<One><Two>"),
        (vec![("t.yaml.hbs", "{{#> frame}}in{{/frame}}"), ("_frame.hbs", "[{{> @partial-block}}]")], "[in]"),
        (vec![("t.yaml.hbs", "x:\n  {{> lines}}\n"), ("_lines.hbs", "a: 1\nb: 2\n")], "x:\n  a: 1\n  b: 2\n"),
        (vec![("t.yaml.hbs", "{{#*inline \"i\"}}{{this}}{{/inline}}{{> i Values.n}}")], "3"),
        (vec![("t.yaml.hbs", r#"{{#each Values.list}}{{include "go" @root}}{{/each}}"#), go], "demo-textdemo-text"),
        // A Go template of the same name goes before.
        (vec![("t.yaml", r#"{{ include "go" . }}"#), ("_go.hbs", "hbs"), go], "demo-text"),
    ] {
        assert_eq!(first(&templates), want, "{templates:?}");
    }
}

#[test]
fn each_chart_has_its_own_data_and_outer_partials_win() {
    let mut demo = demo(&[("_p.hbs", "outer")]);
    demo.dependencies.push(chart("sub", &[("_p.hbs", "inner"), ("s.yaml.hbs", "{{Chart.Name}} {{Values.x}} {{> p}}")]));
    let rendered = render_within(&demo, &json!({ "sub": { "x": 1 } }), Limits::default()).unwrap();
    assert_eq!(rendered.files.len(), 1, "{rendered:?}");
    assert_eq!(rendered.files["demo/charts/sub/templates/s.yaml.hbs"], "sub 1 outer");
}

#[test]
fn faults_of_syntax_are_found_when_the_chart_is_read() {
    for (template, want) in [
        ("{{nofunc 1}}", "1): function \"nofunc\" not defined"),
        ("a\nb {{quote (nofunc 1)}}", "2): function \"nofunc\" not defined"),
        ("{{#if (nofunc)}}{{/if}}", "1): function \"nofunc\" not defined"),
        ("{{#each Values.list}}\n{{nofunc this}}{{/each}}", "2): function \"nofunc\" not defined"),
        ("{{log \"x\"}}", "1): function \"log\" not defined"),
        (
            "{{#upper \"x\"}}{{/upper}}",
            "1): \"upper\" is a function and has no block; blocks are each, if, raw, unless, with",
        ),
        ("{{#nosuch}}{{/nosuch}}", "1): block \"nosuch\" not defined; blocks are each, if, raw, unless, with"),
        ("{{*deco}}", "1): decorator \"deco\" not defined"),
        ("\n{{#if Values.x}}", "2): expected the end of a block, {{/…}}, or another tag"),
        ("{{#if a}}{{/each}}", "1): helper \"if\" was opened, but \"each\" is closing"),
    ] {
        assert_eq!(one(template), format!("parse error at (demo/templates/t.yaml.hbs:{want}"), "{template}");
    }
}

#[test]
fn an_error_has_the_form_of_the_go_ones() {
    for (template, want) in [
        ("{{fail \"no\"}}", "execution error at (demo/templates/t.yaml.hbs:1:0): no"),
        ("é\n  é{{required \"need x\" Values.x}}", "execution error at (demo/templates/t.yaml.hbs:2:4): need x"),
        (
            "{{upper Values.n}}",
            "demo/templates/t.yaml.hbs:1:0\n  executing \"demo/templates/t.yaml.hbs\" at <{{upper Values.n}}>:\n    wrong type for value; expected string; got float64",
        ),
    ] {
        assert_eq!(one(template), want, "{template}");
    }
    let message = |template| {
        let error = render(&[("t.yaml.hbs", template)], Limits::default()).unwrap_err();
        error.template().message()
    };
    assert_eq!(message("{{upper}}{{upper \"a\" \"b\"}}"), "wrong number of args for upper: want 1 got 2");
    assert_eq!(message("{{> nosuch}}"), "template \"nosuch\" not defined");
    assert_eq!(message("{{include \"nosuch\" this}}"), "no template \"nosuch\" associated with template \"gotpl\"");
    assert_eq!(message("{{upper s=\"a\"}}"), "function \"upper\" takes no named argument, and got \"s\"");
    assert_eq!(message("{{call Values.n \"Get\"}}"), "can't call method \"Get\" of a value of type float64");
    assert_eq!(message("{{#if}}{{/if}}"), "wrong number of args for if: want 1 got 0");
    assert_eq!(message("{{> self}}{{#*inline \"self\"}}{{/inline}}"), "template \"self\" not defined");
}

#[test]
fn an_error_shows_its_place_and_the_way_there() {
    let templates = [
        ("t.yaml", r#"a: {{ include "part" . }}"#),
        ("_part.hbs", "{{#if Values.yes}}\n  name: {{required \"give it a name\" Values.name}}\n{{/if}}"),
    ];
    let error = render(&templates, Limits::default()).unwrap_err();
    insta::assert_snapshot!(error, @r"execution error at (demo/templates/t.yaml:1:6): give it a name");
    insta::assert_snapshot!(format!("{:#}", error.to_diagnostic()), @r#"
    error: give it a name
      --> demo/templates/_part.hbs:2:9
       |
     2 |   name: {{required "give it a name" Values.name}}
       |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = reached by demo/templates/t.yaml:1:7: include "part" .
    "#);
    let error = render(&[("t.yaml.hbs", "a: 1\nb: {{quote (nosuch 1)}}")], Limits::default()).unwrap_err();
    insta::assert_snapshot!(format!("{:#}", error.to_diagnostic()), @r#"
    error: function "nosuch" not defined
      --> demo/templates/t.yaml.hbs:2:4
       |
     2 | b: {{quote (nosuch 1)}}
       |    ^^^^^^^^^^^^^^^^^^^^
    "#);
}

/// On a stack as renders have it.
fn limit_of(templates: Vec<(&'static str, String)>, limits: Limits) -> Option<Limit> {
    let run = move || {
        let templates: Vec<_> = templates.iter().map(|(name, text)| (*name, text.as_str())).collect();
        render(&templates, limits).err().and_then(|error| error.template().limit().copied())
    };
    std::thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap().join().unwrap()
}

#[test]
fn limits_hold_in_both_worlds_together() {
    let limits = Limits { steps: 20_000, output: 20_000, ..Limits::default() };
    let (steps, output) = (Some(Limit::Steps(20_000)), Some(Limit::Output(20_000)));
    let depth = Some(Limit::Depth(Limits::MAX_DEPTH));
    for (template, other, want) in [
        ("{{#each (until 1000)}}{{#each (until 1000)}}{{/each}}{{/each}}", "", steps),
        ("{{#each (until 9999)}}{{#each (until 9)}}{{upper \"x\"}}{{/each}}{{/each}}", "", steps),
        ("{{#each (until 9999)}}{{include \"go\" 1}}{{/each}}", "", steps),
        // What the crate copies without asking.
        ("{{#each (until 5000)}}{{> other @root}}{{/each}}", "", steps),
        ("{{> other big=(until 9000)}}", "{{#each (until 90)}}{{#if ../big}}{{/if}}{{/each}}", steps),
        ("{{> other big=(until 9000)}}", "{{#each (until 90)}}{{len ../big}}{{/each}}", steps),
        ("{{#each (until 9000)}}{{#if (lookup @root \"Values\")}}{{/if}}{{/each}}", "", steps),
        ("{{#each (until 3000)}}{{repeat 10 \"x\"}}{{/each}}", "", output),
        (
            "{{#each (until 200)}}{{> other}}{{/each}}",
            "0123456789\n0123456789\n0123456789\n0123456789\n0123456789\n0123456789\n0123456789\n0123456789\n0123456789\n0123456789\n0123456789\n",
            output,
        ),
        ("{{#> other}}{{#each (until 3000)}}0123456789{{/each}}{{/other}}", "", output),
        ("{{printf \"%30000d\" 1}}", "", output),
        ("{{> other}}", "{{#if true}}{{> other}}{{/if}}", depth),
        ("{{> other}}", "{{#> other}}x{{/other}}", depth),
        ("{{include \"other\" 1}}", "{{upper (lower (include \"other\" 1))}}", depth),
        ("{{include \"again\" this}}", "", depth),
        ("{{tpl \"{{ include .Template.Name . }}\" this}}", "", depth),
    ] {
        let go = r#"{{ define "go" }}{{ range until 9 }}x{{ end }}{{ end }}{{ define "again" }}{{ template "demo/templates/t.yaml.hbs" . }}{{ end }}"#;
        let limits = if want == depth { Limits::default() } else { limits };
        let templates = [("t.yaml.hbs", template), ("_other.hbs", other), ("_go.tpl", go)];
        let found = limit_of(templates.map(|(name, text)| (name, text.to_owned())).to_vec(), limits);
        assert_eq!(found, want, "{template} / {other}");
    }
}

#[test]
fn what_is_nested_too_deeply_is_refused_before_it_is_parsed() {
    let nested = |open: &str, middle: &str, close: &str, count| open.repeat(count) + middle + &close.repeat(count);
    for (text, want) in [
        (nested("{{#if 1}}", "x", "{{/if}}", 1_000), None),
        (nested("{{#if 1}}", "x", "{{/if}}", 1_001), Some("exceeded the limit of 1000 blocks of a .hbs file")),
        (nested("{{~ # if 1}}", "x", "{{/if}}", 5_000), Some("exceeded the limit of 1000 blocks of a .hbs file")),
        (format!("{{{{upper {}}}}}", nested("(upper ", "\"x\"", ")", 40)), None),
        (
            format!("{{{{upper {}}}}}", nested("(upper \")))\" ", "\"x\"", ")", 10_000)),
            Some("exceeded the limit of 50 expressions inside each other"),
        ),
        (
            format!("{{{{len {}}}}}", nested("[", "", "]", 5_000)),
            Some("exceeded the limit of 50 expressions inside each other"),
        ),
        ("{{\"".repeat(20_000), Some("exceeded the limit of 50 expressions inside each other")),
        ("x".repeat(300_000), Some("exceeded the limit of 262144 bytes of a .hbs file")),
        (
            format!("{}{{{{> p}}}}\n", " ".repeat(300)),
            Some("exceeded the limit of 200 bytes of indentation of a partial"),
        ),
    ] {
        let shown: String = text.chars().take(30).collect();
        let run = move || render(&[("t.hbs", &text), ("_p.hbs", "")], Limits::default()).map(|_| ());
        let result = std::thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap().join().unwrap();
        assert_eq!(result.err().map(|error| error.template().message()).as_deref(), want, "{shown}");
    }
}
