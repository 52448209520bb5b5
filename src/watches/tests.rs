use serde_json::json;

use crate::watches::lookup::{Allowed, Scope};

use super::*;

fn faults(text: &str) -> String {
    let found = parse("watches.yaml", text).map(|watches| watches.warnings);
    let found = found.unwrap_or_else(|faults| faults);
    found.iter().map(|fault| format!("{fault:#}")).collect::<Vec<_>>().join("\n")
}

fn only(text: &str) -> Watch {
    let watches = parse("watches.yaml", text).unwrap();
    assert_eq!(watches.warnings, [], "{text}");
    watches.watches.into_iter().next().unwrap()
}

/// What operator-sdk's tests of its watches show, with our texts.
#[test]
fn a_file_is_taken_or_refused_as_by_operator_sdk() {
    let full = "- group: mygroup\n  version: v1alpha1\n  kind: MyKind\n  chart: helm-charts/web\n";
    for (name, text, want) in [
        ("valid", full.to_owned() + "  watchDependentResources: false\n  overrideValues: {key: value}\n", Ok(1)),
        ("environment", full.to_owned() + "  overrideValues: {key: $MY_VALUE}\n", Ok(1)),
        ("template", full.to_owned() + "  overrideValues: {repo: '{{ (\"$I\" | split \":\")._0 }}'}\n", Ok(1)),
        ("dry run option", full.to_owned() + "  dryRunOption: server\n", Ok(1)),
        ("several kinds", format!("{full}{}", full.replace("MyKind", "Other")), Ok(2)),
        ("one kind in two groups", format!("{full}{}", full.replace("mygroup", "other")), Ok(2)),
        ("one kind in two versions", format!("{full}{}", full.replace("v1alpha1", "v1")), Ok(2)),
        ("core group", full.replace("mygroup", "\"\""), Ok(1)),
        ("no group", full.replace("- group: mygroup\n  version", "- version"), Ok(1)),
        ("keys in any letter case", full.replace("kind:", "Kind:").replace("chart:", "CHART:"), Ok(1)),
        ("empty", String::new(), Ok(0)),
        ("empty list", "[]\n".to_owned(), Ok(0)),
        ("scaffold marker", format!("# Use the 'create api' subcommand\n{full}# +kubebuilder:scaffold:watch\n"), Ok(1)),
        ("duplicate", format!("{full}{full}"), Err("duplicate GVK: mygroup/v1alpha1, Kind=MyKind")),
        ("no version", full.replace("  version: v1alpha1\n", ""), Err("version must not be empty")),
        ("no kind", full.replace("  kind: MyKind\n", ""), Err("kind must not be empty")),
        ("no chart", full.replace("  chart: helm-charts/web\n", ""), Err("chart must not be empty")),
        ("null entry", "-\n".to_owned(), Err("chart must not be empty")),
        (
            "nested override",
            full.to_owned() + "  overrideValues: {key: {key: value}}\n",
            Err("expected a string for `overrideValues.key`, found a mapping"),
        ),
        (
            "mapping",
            full.replace("- group", "group").replace("\n  ", "\n"),
            Err("expected a list of watches, found a mapping"),
        ),
        (
            "bad selector",
            full.to_owned() + "  selector: nothing\n",
            Err("expected a mapping for `selector`, found a string"),
        ),
    ] {
        match (parse("watches.yaml", &text), want) {
            (Ok(watches), Ok(count)) => assert_eq!(watches.watches.len(), count, "{name}"),
            (Err(faults), Err(message)) => {
                assert!(faults.iter().any(|fault| fault.message == message), "{name}: {faults:?}");
            }
            (found, _) => panic!("{name}: {found:?}"),
        }
    }
}

#[test]
fn every_field_is_read() {
    let watch = only(
        "- group: cache.example.com
  version: 1
  kind: Memcached
  chart: helm-charts/memcached
  watchDependentResources: false
  overrideValues: {image.repository: $IMG, on: true, c: 1, f: 1e6, gone: null}
  overrides: {replicas: 3, ratio: 0.5, list: [$A, {b: null}]}
  selector:
    matchLabels: {app: web, c: 1}
    matchExpressions:
    - {key: tier, operator: In, values: [b, a]}
    - {key: legacy, operator: DoesNotExist}
  reconcilePeriod: 1m30s
  dryRunOption: server
  maxConcurrentReconciles: 4
  history: 0
  crds: CreateReplace
",
    );
    assert_eq!(watch.gvk.to_string(), "cache.example.com/1, Kind=Memcached");
    assert_eq!(watch.chart, "helm-charts/memcached");
    assert!(!watch.watch_dependent_resources);
    let values = [("f", "1e+06"), ("gone", ""), ("image.repository", "$IMG"), ("c", "1"), ("true", "true")];
    let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(watch.override_values, BTreeMap::from(values), "`on` is YAML's true");
    assert_eq!(Json::Object(watch.overrides), json!({"replicas": 3, "ratio": 0.5, "list": ["$A", {"b": null}]}));
    assert_eq!(watch.selector.to_string(), "app=web,c=1,!legacy,tier in (a,b)");
    assert_eq!(watch.reconcile_period, Some(Duration::from_secs(90)));
    assert_eq!(watch.dry_run_option, "server");
    assert_eq!(watch.max_concurrent_reconciles, NonZeroUsize::new(4));
    assert_eq!((watch.history, watch.crds), (0, Crds::CreateReplace));
}

#[test]
fn what_is_done_with_definitions_is_one_of_three_words() {
    let crds = |text: &str| only(&format!("- {{version: v1, kind: Web, chart: web{text}}}")).crds;
    assert_eq!(["", ", crds: Create", ", crds: Skip"].map(crds), [Crds::Create, Crds::Create, Crds::Skip]);
    insta::assert_snapshot!(faults("- version: v1
  kind: Web
  chart: web
  crds: replace
- version: v2
  kind: Page
  chart: web
  crds: [Create]
"), @r"
    error: expected `Create`, `CreateReplace` or `Skip` for `crds`, found `replace`
      --> watches.yaml:4:9
       |
     4 |   crds: replace
       |         ^^^^^^^
    error: expected `Create`, `CreateReplace` or `Skip` for `crds`, found a list
      --> watches.yaml:8:9
       |
     8 |   crds: [Create]
       |         ^
    ");
}

#[test]
fn what_is_not_written_has_its_default() {
    let watch = only("- {version: v1, kind: Web, chart: web, reconcilePeriod: 0s, selector: {}, overrides: null}");
    assert_eq!(watch.gvk, Gvk { group: String::new(), version: "v1".into(), kind: "Web".into() });
    assert_eq!(watch.gvk.to_string(), "v1, Kind=Web");
    assert!(watch.watch_dependent_resources && watch.selector.is_empty() && watch.overrides.is_empty());
    assert_eq!((watch.reconcile_period, watch.max_concurrent_reconciles, watch.history), (None, None, 10));
}

#[test]
#[expect(clippy::too_many_lines, reason = "the snapshot is long")]
fn every_fault_is_told_with_its_place_and_what_to_do() {
    insta::assert_snapshot!(faults("- group: example.com/v1
  knd: Web
  chrat: helm-charts/web
  watchDependentResources: 'true'
  overrideValues:
    image: {tag: 1}
    a[: x
  selector:
    matchLabels: {-x: a b}
    matchExpressions:
    - {key: tier, operator: in, values: [a]}
    - {operator: Exists, values: [a]}
    - {key: a, operator: In}
  reconcilePeriod: 30
  maxConcurrentReconciles: 0
  history: many
  overrides: [a]
  dryRunOption: maybe
- version: v1
  kind: Web
  chart: web
  reconcilePeriod: 1d
- {version: v1, kind: Web, chart: web}
- web
"), @r#"
    error: version must not be empty
      --> watches.yaml:1:3
       |
     1 | - group: example.com/v1
       |   ^
      = hint: name the version of the resource to watch, for instance `version: v1alpha1`
    error: kind must not be empty
      --> watches.yaml:1:3
       |
     1 | - group: example.com/v1
       |   ^
      = hint: name the kind of the resource to watch, for instance `kind: Memcached`
    error: chart must not be empty
      --> watches.yaml:1:3
       |
     1 | - group: example.com/v1
       |   ^
      = hint: name the directory of the chart, for instance `chart: helm-charts/memcached`
    error: a group has no `/`: `example.com/v1`
      --> watches.yaml:1:10
       |
     1 | - group: example.com/v1
       |          ^^^^^^^^^^^^^^
      = hint: write `group: example.com` and `version: v1`
    warning: unknown field `knd` is ignored
      --> watches.yaml:2:3
       |
     2 |   knd: Web
       |   ^^^
      = hint: did you mean `kind`?
    warning: unknown field `chrat` is ignored
      --> watches.yaml:3:3
       |
     3 |   chrat: helm-charts/web
       |   ^^^^^
      = hint: did you mean `chart`?
    error: expected true or false for `watchDependentResources`, found a string
      --> watches.yaml:4:28
       |
     4 |   watchDependentResources: 'true'
       |                            ^^^^^^
      = hint: write it without quotes
    error: expected a string for `overrideValues.image`, found a mapping
      --> watches.yaml:6:12
       |
     6 |     image: {tag: 1}
       |            ^
      = hint: name its leaves by their paths, such as `image.tag`, or use `overrides`, which takes any YAML
    error: `-x` is no name of a label
      --> watches.yaml:9:19
       |
     9 |     matchLabels: {-x: a b}
       |                   ^^
      = hint: a label's name is at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends
    error: `a b` is no value of a label
      --> watches.yaml:9:23
       |
     9 |     matchLabels: {-x: a b}
       |                       ^^^
      = hint: a label's value is at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends
    error: unknown operator `in`
      --> watches.yaml:11:29
        |
     11 |     - {key: tier, operator: in, values: [a]}
        |                             ^^
      = hint: did you mean `In`?
    error: `key` is missing: it names the label
      --> watches.yaml:12:7
        |
     12 |     - {operator: Exists, values: [a]}
        |       ^
    error: `values` must not be empty where the operator is `In` or `NotIn`
      --> watches.yaml:13:7
        |
     13 |     - {key: a, operator: In}
        |       ^
    error: expected a duration for `reconcilePeriod`, found an integer
      --> watches.yaml:14:20
        |
     14 |   reconcilePeriod: 30
        |                    ^^
      = hint: write its unit, for instance `30s` or `1m0s`
    error: expected a whole number from 1 on for `maxConcurrentReconciles`, found 0
      --> watches.yaml:15:28
        |
     15 |   maxConcurrentReconciles: 0
        |                            ^
    error: expected a whole number from 0 on for `history`, found a string
      --> watches.yaml:16:12
        |
     16 |   history: many
        |            ^^^^
    error: expected a mapping for `overrides`, found a list
      --> watches.yaml:17:14
        |
     17 |   overrides: [a]
        |              ^
    warning: unknown `dryRunOption` `maybe` is ignored
      --> watches.yaml:18:17
        |
     18 |   dryRunOption: maybe
        |                 ^^^^^
      = hint: use `none`, `client` or `server`
    error: time: unknown unit "d" in duration "1d"
      --> watches.yaml:22:20
        |
     22 |   reconcilePeriod: 1d
        |                    ^^
      = hint: write for instance `30s`, `1m0s` or `1.5h`
    error: duplicate GVK: v1, Kind=Web
      --> watches.yaml:23:23
        |
     23 | - {version: v1, kind: Web, chart: web}
        |                       ^^^
      = hint: it is watched in line 20 already; remove one of them
    error: expected a watch, found a string
      --> watches.yaml:24:3
        |
     24 | - web
        |   ^^^
    "#);
}

#[test]
fn the_rules_of_look_ups_are_a_word_or_a_list() {
    let rules = |field: &str| {
        let text = format!("- {{version: v1, kind: Web, chart: web{field}}}\n");
        parse("watches.yaml", &text).unwrap().watches.remove(0).lookup
    };
    let map = Allowed { group: String::new(), kind: "ConfigMap".to_owned(), namespace: Some("shared".to_owned()) };
    for (field, scope, in_tpl) in [
        ("", Scope::Default, false),
        (", lookup: none", Scope::None, false),
        (", lookup: own", Scope::Own, false),
        (", lookup: {inTpl: true}", Scope::Default, true),
        (", lookup: {allow: own, inTpl: true}", Scope::Own, true),
        (", lookup: {allow: []}", Scope::Allow(Vec::new()), false),
        (", lookup: {allow: [{kind: ConfigMap, namespace: shared}]}", Scope::Allow(vec![map]), false),
    ] {
        assert_eq!(rules(field), LookupRules { scope, in_tpl }, "{field}");
    }
    insta::assert_snapshot!(faults("- version: v1
  kind: Web
  chart: web
  lookup: {allow: [ConfigMap, {group: apps}], inTpl: \"yes\"}
- version: v1
  kind: Page
  chart: page
  lookup: all
"), @r#"
    error: expected a mapping in `lookup.allow`, found a string
      --> watches.yaml:4:20
       |
     4 |   lookup: {allow: [ConfigMap, {group: apps}], inTpl: "yes"}
       |                    ^^^^^^^^^
      = hint: write `none`, `own`, or for instance `{allow: [{kind: ConfigMap, namespace: shared}], inTpl: true}`
    error: `kind` must not be empty in `lookup.allow`
      --> watches.yaml:4:31
       |
     4 |   lookup: {allow: [ConfigMap, {group: apps}], inTpl: "yes"}
       |                               ^
      = hint: `*` stands for every kind
    error: expected true or false for `inTpl`, found a string
      --> watches.yaml:4:54
       |
     4 |   lookup: {allow: [ConfigMap, {group: apps}], inTpl: "yes"}
       |                                                      ^^^^^
    error: expected `none`, `own` or a mapping for `lookup`, found `all`
      --> watches.yaml:8:11
       |
     8 |   lookup: all
       |           ^^^
      = hint: write `none`, `own`, or for instance `{allow: [{kind: ConfigMap, namespace: shared}], inTpl: true}`
    "#);
}

#[test]
fn a_budget_is_read_limit_by_limit() {
    let text = "- version: v1
  kind: Web
  chart: web
  budget: {steps: 5000000, output: 8Mi, memory: 100000, depth: 6000, crypto: 1.5s, time: 1m}
- version: v1
  kind: Other
  chart: web
  budget: {}
";
    let watches = parse("watches.yaml", text).unwrap().watches;
    let budget = Budget {
        steps: Some(5_000_000),
        output: Some(8 << 20),
        memory: Some(100_000),
        depth: Some(6_000),
        crypto: Some(Duration::from_millis(1_500)),
        time: Some(Duration::from_mins(1)),
    };
    assert_eq!([watches[0].budget, watches[1].budget], [budget, Budget::default()]);
    assert_eq!(usize::try_from(budget::MAX_DEPTH), Ok(crate::template::Limits::MAX_DEPTH));
}

#[test]
fn what_is_no_budget_is_told() {
    insta::assert_snapshot!(faults("- version: v1
  kind: Web
  chart: web
  budget: {steps: 0, output: 8MB, memory: -1, depth: 6001, crypto: 5, time: soon, speed: 1}
- version: v1
  kind: Other
  chart: web
  budget: 128Mi
"), @"
    error: expected a whole number from 1 on for `budget.steps`, found 0
      --> watches.yaml:4:19
       |
     4 |   budget: {steps: 0, output: 8MB, memory: -1, depth: 6001, crypto: 5, time: soon, speed: 1}
       |                   ^
      = hint: write for instance `5000000`
    error: expected a number of bytes for `budget.output`, found `8MB`
      --> watches.yaml:4:30
       |
     4 |   budget: {steps: 0, output: 8MB, memory: -1, depth: 6001, crypto: 5, time: soon, speed: 1}
       |                              ^^^
      = hint: write for instance `134217728` or `128Mi`
    error: expected a number of bytes for `budget.memory`, found -1
      --> watches.yaml:4:43
       |
     4 |   budget: {steps: 0, output: 8MB, memory: -1, depth: 6001, crypto: 5, time: soon, speed: 1}
       |                                           ^^
      = hint: write for instance `134217728` or `128Mi`
    error: a `depth` of more than 6000 does not fit the stack, found 6001
      --> watches.yaml:4:54
       |
     4 |   budget: {steps: 0, output: 8MB, memory: -1, depth: 6001, crypto: 5, time: soon, speed: 1}
       |                                                      ^^^^
    error: expected a duration for `budget.crypto`, found 5
      --> watches.yaml:4:68
       |
     4 |   budget: {steps: 0, output: 8MB, memory: -1, depth: 6001, crypto: 5, time: soon, speed: 1}
       |                                                                    ^
      = hint: write for instance `500ms`, `30s` or `1m30s`
    error: expected a duration for `budget.time`, found `soon`
      --> watches.yaml:4:77
       |
     4 |   budget: {steps: 0, output: 8MB, memory: -1, depth: 6001, crypto: 5, time: soon, speed: 1}
       |                                                                             ^^^^
      = hint: write for instance `500ms`, `30s` or `1m30s`
    warning: unknown field `speed` is ignored
      --> watches.yaml:4:83
       |
     4 |   budget: {steps: 0, output: 8MB, memory: -1, depth: 6001, crypto: 5, time: soon, speed: 1}
       |                                                                                   ^^^^^
    error: expected a mapping for `budget`, found a string
      --> watches.yaml:8:11
       |
     8 |   budget: 128Mi
       |           ^^^^^
      = hint: name limits, for instance `budget: {memory: 256Mi, time: 1m}`
    ");
}

#[test]
fn a_text_that_is_no_yaml_and_a_mapping_are_told() {
    insta::assert_snapshot!(faults("- group: a\n  kind: [b\n"), @r#"
    error: error converting YAML to JSON: yaml: line 2: did not find expected ',' or ']'
      --> watches.yaml:3:1
    "#);
    insta::assert_snapshot!(faults("group: a\nkind: b\n"), @r#"
    error: expected a list of watches, found a mapping
      --> watches.yaml:1:1
       |
     1 | group: a
       | ^
      = hint: begin each watch with `- `
    "#);
    insta::assert_snapshot!(faults("- Kind: A\n  kind: B\n  version: v1\n  chart: c\n  extra: 1\n  12: 3\n"), @r#"
    warning: `kind` is given twice; the last one counts
      --> watches.yaml:2:3
       |
     2 |   kind: B
       |   ^^^^
      = hint: keys are matched in any letter case; keep one of them
    warning: unknown field `extra` is ignored
      --> watches.yaml:5:3
       |
     5 |   extra: 1
       |   ^^^^^
    warning: unknown field `12` is ignored
      --> watches.yaml:6:3
       |
     6 |   12: 3
       |   ^^
    "#);
}

#[test]
fn faults_found_elsewhere_point_into_the_file() {
    let watch = only("- version: v1\n  kind: Web\n  chart: helm-charts/web\n  overrideValues: {a: x}\n");
    let place = |fault: Diagnostic| fault.to_string();
    assert_eq!(place(watch.chart_fault("no chart")), "watches.yaml:3:10: no chart");
    assert_eq!(place(watch.override_fault("a", "bad template")), "watches.yaml:4:20: bad template");
    assert_eq!(place(watch.fault("bad")), "watches.yaml:2:9: bad");
}

#[test]
fn patches_and_limits_are_read() {
    let watch = only(
        "- version: v1
  kind: Web
  chart: web
  patches:
  - target: {group: apps, kind: Deployment, name: '.*-web'}
    patch:
    - {op: add, path: /spec/a~1b, value: null}
    - {op: move, from: /spec/a, path: /spec/b}
  - target: {}
    patch: |-
      - op: test
        path: /kind
        value: Service
  restrict: {namespaces: [a, b], clusterScoped: false, kinds: [Deployment.apps, Service]}
",
    );
    let patches: Vec<_> = watch.patches.iter().map(|patch| json!(patch.operations)).collect();
    assert_eq!(
        patches,
        [
            json!([{"op": "add", "path": "/spec/a~1b", "value": null}, {"op": "move", "from": "/spec/a", "path": "/spec/b"}]),
            json!([{"op": "test", "path": "/kind", "value": "Service"}]),
        ]
    );
    let web = crate::release::Gvk::new("apps/v1", "Deployment");
    let matches: Vec<_> = watch.patches.iter().map(|patch| patch.target.matches(&web, "web")).collect();
    assert_eq!(matches, [false, true]);
    let kinds = watch.restrict.as_ref().unwrap().kinds.iter().flatten().map(ToString::to_string);
    assert_eq!(kinds.collect::<Vec<_>>(), ["Service", "Deployment.apps"]);
    let other = only("- {version: v1, kind: Web, chart: web, restrict: {namespaces: own}}");
    assert!(watch.rules != other.rules && other.restrict.is_some());
}

#[test]
fn what_is_done_about_drift_and_as_whom_is_read() {
    let watch = only(
        "- version: v1
  kind: Web
  chart: web
  drift: warn
  ignoreFields:
  - {group: apps, kind: Deployment, paths: [/spec/replicas]}
  - {paths: [/metadata/annotations/a~1b]}
  releaseNamespace: releases
  serviceAccountName: tenant
",
    );
    assert_eq!(watch.drift, Drift::Warn);
    let paths: Vec<_> = watch.ignore_fields.iter().flat_map(|ignore| &ignore.paths).collect();
    assert_eq!(paths, ["/spec/replicas", "/metadata/annotations/a~1b"]);
    assert_eq!(watch.release_namespace.as_deref(), Some("releases"));
    assert_eq!(watch.service_account_name.as_deref(), Some("tenant"));
    let other = only("- {version: v1, kind: Web, chart: web}");
    assert_eq!((other.drift, other.ignore_fields.len()), (Drift::Correct, 0));
    assert_ne!(watch.rules, other.rules);
}

#[test]
fn faults_of_drift_and_accounts_are_told() {
    insta::assert_snapshot!(faults("- version: v1
  kind: Web
  chart: web
  drift: warning
  ignoreFields: [{kind: Deployment}, {paths: [spec, /metadata/labels]}, /spec]
  releaseNamespace: a.b
  serviceAccountName: Tenant
"), @"
    error: expected one of `correct`, `warn`, `ignore` for `drift`, found `warning`
      --> watches.yaml:4:10
       |
     4 |   drift: warning
       |          ^^^^^^^
      = hint: leave it out to have drift corrected
    error: `paths` is missing
      --> watches.yaml:5:18
       |
     5 |   ignoreFields: [{kind: Deployment}, {paths: [spec, /metadata/labels]}, /spec]
       |                  ^
      = hint: write for instance `paths: [/spec/replicas]`
    error: `spec` is no JSON pointer
      --> watches.yaml:5:47
       |
     5 |   ignoreFields: [{kind: Deployment}, {paths: [spec, /metadata/labels]}, /spec]
       |                                               ^^^^
      = hint: write for instance `/spec/replicas`; `/` in a name is `~1`, and `~` is `~0`
    error: `/metadata/labels` cannot be ignored: it is what makes the object the resource's own
      --> watches.yaml:5:53
       |
     5 |   ignoreFields: [{kind: Deployment}, {paths: [spec, /metadata/labels]}, /spec]
       |                                                     ^^^^^^^^^^^^^^^^
    error: expected `kind` and `paths` in `ignoreFields`, found a string
      --> watches.yaml:5:73
       |
     5 |   ignoreFields: [{kind: Deployment}, {paths: [spec, /metadata/labels]}, /spec]
       |                                                                         ^^^^^
    error: `a.b` is no name for `releaseNamespace`
      --> watches.yaml:6:21
       |
     6 |   releaseNamespace: a.b
       |                     ^^^
      = hint: a name here is at most 63 lower case letters, digits and `-`, with a letter or digit at both ends
    error: `Tenant` is no name for `serviceAccountName`
      --> watches.yaml:7:23
       |
     7 |   serviceAccountName: Tenant
       |                       ^^^^^^
      = hint: a name here is at most 253 lower case letters, digits and `-`, with a letter or digit at both ends
    ");
}

#[test]
#[expect(clippy::too_many_lines, reason = "the snapshot is long")]
fn faults_of_patches_and_limits_are_told() {
    insta::assert_snapshot!(faults("- version: v1
  kind: Web
  chart: web
  patches:
  - target: {kind: '(', group: [apps]}
    patch: [{op: drop, path: /a}, {op: add, path: /a}, {path: /a}, {op: remove, path: spec}]
  - patch: {spec: {replicas: 1}}
  - target: web
    patch: |
      - {op: remove, path: /metadata/name}
      - {op: replace, path: '/a~2', value: 1}
  restrict: {namespaces: shop, clusterScoped: 'no', kinds: Service, paths: 1}
- version: v2
  kind: Web
  chart: web
  restrict: {kinds: [Deployment, Service, Thing.example.com]}
"), @"
    error: `(` is no regular expression for `kind`
      --> watches.yaml:5:20
       |
     5 |   - target: {kind: '(', group: [apps]}
       |                    ^^^
      = hint: letters, digits and `-` stand for themselves, `.*` for any text
    error: expected a string for `group`, found a list
      --> watches.yaml:5:32
       |
     5 |   - target: {kind: '(', group: [apps]}
       |                                ^
    error: unknown operation `drop`
      --> watches.yaml:6:18
       |
     6 |     patch: [{op: drop, path: /a}, {op: add, path: /a}, {path: /a}, {op: remove, path: spec}]
       |                  ^^^^
      = hint: use one of `add`, `remove`, `replace`, `move`, `copy`, `test`
    error: `add` needs `value`
      --> watches.yaml:6:35
       |
     6 |     patch: [{op: drop, path: /a}, {op: add, path: /a}, {path: /a}, {op: remove, path: spec}]
       |                                   ^
    error: `op` is missing
      --> watches.yaml:6:56
       |
     6 |     patch: [{op: drop, path: /a}, {op: add, path: /a}, {path: /a}, {op: remove, path: spec}]
       |                                                        ^
      = hint: use one of `add`, `remove`, `replace`, `move`, `copy`, `test`
    error: `spec` is no JSON pointer
      --> watches.yaml:6:87
       |
     6 |     patch: [{op: drop, path: /a}, {op: add, path: /a}, {path: /a}, {op: remove, path: spec}]
       |                                                                                       ^^^^
      = hint: write for instance `/spec/replicas`; `/` in a name is `~1`, and `~` is `~0`
    error: `target` is missing
      --> watches.yaml:7:5
       |
     7 |   - patch: {spec: {replicas: 1}}
       |     ^
      = hint: write `target: {kind: Deployment}` and `patch: [{op: remove, path: /spec/replicas}]`
    error: expected a list of operations for `patch`, found a mapping
      --> watches.yaml:7:12
       |
     7 |   - patch: {spec: {replicas: 1}}
       |            ^
      = hint: only JSON 6902 patches are taken, no merge patches
    error: expected a mapping for `target`, found a string
      --> watches.yaml:8:13
       |
     8 |   - target: web
       |             ^^^
    error: a patch must leave `apiVersion`, `kind` and `metadata.name` as they are: `/metadata/name`
      --> watches.yaml:9:12
       |
     9 |     patch: |
       |            ^
    error: `/a~2` is no JSON pointer
      --> watches.yaml:9:12
       |
     9 |     patch: |
       |            ^
      = hint: write for instance `/spec/replicas`; `/` in a name is `~1`, and `~` is `~0`
    error: expected `own` or a list for `namespaces`, found `shop`
      --> watches.yaml:12:26
        |
     12 |   restrict: {namespaces: shop, clusterScoped: 'no', kinds: Service, paths: 1}
        |                          ^^^^
      = hint: write `namespaces: [shop]`
    error: expected true or false for `clusterScoped`, found a string
      --> watches.yaml:12:47
        |
     12 |   restrict: {namespaces: shop, clusterScoped: 'no', kinds: Service, paths: 1}
        |                                               ^^^^
    error: expected a list for `kinds`, found a string
      --> watches.yaml:12:60
        |
     12 |   restrict: {namespaces: shop, clusterScoped: 'no', kinds: Service, paths: 1}
        |                                                            ^^^^^^^
    warning: unknown field `paths` is ignored
      --> watches.yaml:12:69
        |
     12 |   restrict: {namespaces: shop, clusterScoped: 'no', kinds: Service, paths: 1}
        |                                                                     ^^^^^
    warning: each `Web` is shown in version `v1` too: both charts are applied for it
      --> watches.yaml:14:9
        |
     14 |   kind: Web
        |         ^^^
      = hint: tell by `selector` which resources are meant, or keep one of the versions
    warning: `Deployment` is no core kind: no object will be of it
      --> watches.yaml:16:22
        |
     16 |   restrict: {kinds: [Deployment, Service, Thing.example.com]}
        |                      ^^^^^^^^^^
      = hint: write its group too, as in `Deployment.apps`
    ");
}
