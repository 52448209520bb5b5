use serde_json::json;

use super::*;

fn faults(text: &str) -> Vec<String> {
    let faults = Policy::read(text, "operator/policy.yaml").expect_err(text);
    faults.iter().map(|fault| fault.to_string().replace("operator/policy.yaml:", "")).collect()
}

/// The messages of one probe, or several in a list, of an object.
fn judged(probes: &str, object: serde_json::Value) -> Vec<String> {
    let policy = Policy::read(&format!("probes: [{{probes: {probes}}}]"), "p").unwrap();
    policy.probes.unwrap().judge(&object)
}

#[test]
fn a_file_without_anything_is_the_policy_of_a_chart_without_a_file() {
    for text in ["", "# nothing\n", "{}", "phases:\nprobes:\ncollision:\nadoptFrom:\n"] {
        assert_eq!(Policy::read(text, "p"), Ok(Policy::default()), "{text}");
    }
}

#[test]
fn everything_that_a_file_says_is_read() {
    let policy = Policy::read(
        "
phases: [crds, deploy]
probes: []
collision: IfNoController
adoptFrom:
- {group: example.com, kind: Set, name: a}
- {kind: ConfigMap, namespace: other, name: b}
",
        "p",
    )
    .unwrap();
    assert_eq!(policy.phases, ["crds", "deploy"]);
    assert!(policy.probes.unwrap().judge(&json!({"kind": "Deployment"})).is_empty());
    assert_eq!(policy.collision, Collision::IfNoController);
    let reference = |group: &str, kind: &str, namespace: Option<&str>, name: &str| Reference {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    };
    let expected = [reference("example.com", "Set", None, "a"), reference("", "ConfigMap", Some("other"), "b")];
    assert_eq!(policy.adopt_from, expected);
}

#[test]
fn a_phase_has_its_place_in_the_order() {
    let policy = Policy::read("phases: [a, b]", "p").unwrap();
    for (name, place) in
        [(None, Some(0)), (Some("a"), Some(0)), (Some("b"), Some(1)), (Some("c"), None), (Some(""), None)]
    {
        assert_eq!(policy.phase(name), place, "{name:?}");
    }
    assert_eq!(Policy::default().phase(None), Some(0));
    assert_eq!(Policy::default().phase(Some("a")), None);
}

#[test]
fn policies_that_say_the_same_are_equal() {
    let read = |text: &str| Policy::read(text, "p").unwrap();
    let probe = "probes: [{probes: [{cel: {rule: self.a == 1, message: m}}]}]";
    assert_eq!(read(probe), read(&format!("# a line more\n{probe}")));
    assert_ne!(read(probe), read(&probe.replace("== 1", "== 2")));
    assert_ne!(read("probes: []"), read(""));
}

#[test]
fn a_file_is_refused_with_every_fault_and_its_place() {
    for (text, expected) in [
        ("[]", &["1:1: expected a mapping for `operator/policy.yaml`, found a list"][..]),
        ("phase: [a]", &["1:1: unknown field `phase` in `operator/policy.yaml`"]),
        ("1: 2", &["1:1: unknown field `an integer` in `operator/policy.yaml`"]),
        ("phases: a", &["1:9: expected a list for `phases`, found a string"]),
        ("phases: [a, b, a]", &["1:16: `a` is listed twice in `phases`"]),
        (
            "phases: [1, '', null]",
            &[
                "1:10: expected a string for `phases`, found an integer",
                "1:13: expected a string that is not empty for `phases`",
                "1:17: expected a string for `phases`, found null",
            ],
        ),
        (
            "collision: Never",
            &["1:12: expected `Prevent` or `IfNoController` or `Force` for `collision`, found `Never`"],
        ),
        ("adoptFrom: [{kind: Set}]", &["1:13: `adoptFrom` has no `name`"]),
        ("adoptFrom: [{kind: Set, name: a, uid: b}]", &["1:34: unknown field `uid` in `adoptFrom`"]),
        ("probes: {}", &["1:9: expected a list for `probes`, found a mapping"]),
        ("probes: [null]", &["1:10: expected a mapping for `probes`, found null"]),
        ("probes: [{}]", &["1:10: `probes` has no `probes`"]),
        (
            "probes: [{selector: {kinds: x, matchLabels: {a: 1}}, probes: []}]",
            &[
                "1:22: unknown field `kinds` in `selector`",
                "1:49: expected a string for `matchLabels.a`, found an integer",
            ],
        ),
        (
            "probes: [{selector: {kind: Deployment}, probes: [{}]}]",
            &[
                "1:28: expected a mapping for `kind`, found a string",
                "1:50: expected one of `condition`, `fieldsEqual`, `cel` in `probes`, found none",
            ],
        ),
        (
            "probes: [{probes: [{condition: {type: A, status: 'True'}, cel: {rule: 'true', message: m}}]}]",
            &["1:20: expected one of `condition`, `fieldsEqual`, `cel` in `probes`, found several"],
        ),
        (
            "probes: [{probes: [{condition: {type: A, status: True}}]}]",
            &["1:50: expected a string for `status`, found a boolean"],
        ),
        (
            "probes: [{probes: [{fieldsEqual: {fieldA: .a..b, fieldB: .}}]}]",
            &["1:43: expected a path for `fieldA`, found `.a..b`", "1:58: expected a path for `fieldB`, found `.`"],
        ),
        (
            "probes:\n- probes:\n  - cel: {rule: 'self.a ==', message: m}\n  - cel: {rule: self}\n",
            &[
                "3:17: `rule` does not compile: line 1, column 10: expected an expression, found the end",
                "4:10: `cel` has no `message`",
            ],
        ),
        ("phases: [a\n", &["2:1: error converting YAML to JSON: yaml: line 1: did not find expected ',' or ']'"]),
    ] {
        assert_eq!(faults(text), expected, "{text}");
    }
}

#[test]
fn a_type_beside_a_probe_or_selector_means_nothing() {
    let policy = Policy::read(
        "probes: [{selector: {type: Kind, kind: {group: '', kind: X}}, probes: [{type: Cel, cel: {rule: 'false', message: m}}]}]",
        "p",
    );
    assert_eq!(policy.unwrap().probes.unwrap().judge(&json!({"apiVersion": "v1", "kind": "X"})), ["m"]);
}

#[test]
fn an_object_is_probed_where_the_selector_matches() {
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"labels": {"a": "b", "c": "d"}}});
    for (selector, matches) in [
        ("{}", true),
        ("{kind: {group: apps, kind: Deployment}}", true),
        ("{kind: {group: apps}}", true),
        ("{kind: {kind: Deployment}}", true),
        ("{kind: {group: '', kind: Deployment}}", false),
        ("{kind: {group: apps, kind: StatefulSet}}", false),
        ("{matchLabels: {a: b}}", true),
        ("{matchLabels: {a: b, c: d}}", true),
        ("{matchLabels: {a: b, c: x}}", false),
        ("{matchLabels: {x: ''}}", false),
        ("{kind: {group: apps, kind: Deployment}, matchLabels: {a: x}}", false),
    ] {
        let text = format!("probes: [{{selector: {selector}, probes: [{{cel: {{rule: 'false', message: m}}}}]}}]");
        let probes = Policy::read(&text, "p").unwrap().probes.unwrap();
        assert_eq!(!probes.judge(&object).is_empty(), matches, "{selector}");
    }
    let core = json!({"apiVersion": "v1", "kind": "Service"});
    let text = "probes: [{selector: {kind: {group: '', kind: Service}}, probes: [{cel: {rule: 'false', message: m}}]}]";
    assert_eq!(Policy::read(text, "p").unwrap().probes.unwrap().judge(&core), ["m"]);
}

#[test]
fn a_condition_passes_with_its_status_and_generation() {
    let probe = "[{condition: {type: Available, status: 'True'}}]";
    let with = |conditions| json!({"metadata": {"generation": 2}, "status": {"conditions": conditions}});
    for (object, fault) in [
        (json!({}), Some("missing .status.conditions")),
        (json!({"status": {"conditions": "x"}}), Some("missing .status.conditions")),
        (with(json!([])), Some("not reported")),
        (with(json!([{"type": "Progressing", "status": "True"}])), Some("not reported")),
        (with(json!([{"type": "Available", "status": "False"}])), Some("wrong status")),
        (with(json!([{"type": "Available"}])), Some("wrong status")),
        (with(json!([{"type": "Available", "status": "True"}])), None),
        (with(json!([{"type": "Available", "status": "True", "observedGeneration": 1}])), Some("outdated")),
        (with(json!([{"type": "Available", "status": "False", "observedGeneration": 1}])), Some("outdated")),
        (with(json!([{"type": "Available", "status": "True", "observedGeneration": 2}])), None),
    ] {
        let expected: Vec<_> =
            fault.map(|fault| format!("condition \"Available\" == \"True\": {fault}")).into_iter().collect();
        assert_eq!(judged(probe, object.clone()), expected, "{object}");
    }
}

#[test]
fn fields_are_equal_where_both_are_there() {
    let probe = "[{fieldsEqual: {fieldA: .status.updatedReplicas, fieldB: status.replicas}}]";
    for (object, fault) in [
        (json!({}), Some("\".status.updatedReplicas\" missing")),
        (json!({"status": {"replicas": 1}}), Some("\".status.updatedReplicas\" missing")),
        (json!({"status": {"updatedReplicas": 1}}), Some("\"status.replicas\" missing")),
        (json!({"status": {"updatedReplicas": 1, "replicas": 2}}), Some("not equal")),
        (json!({"status": {"updatedReplicas": 1, "replicas": "1"}}), Some("not equal")),
        (json!({"status": {"updatedReplicas": 2, "replicas": 2}}), None),
        (json!({"status": {"updatedReplicas": {"a": [1]}, "replicas": {"a": [1]}}}), None),
    ] {
        let told = |fault| format!("\".status.updatedReplicas\" == \"status.replicas\": {fault}");
        assert_eq!(judged(probe, object.clone()), fault.map(told).into_iter().collect::<Vec<_>>(), "{object}");
    }
}

#[test]
fn a_rule_fails_with_its_message_and_its_error() {
    let probe = "[{cel: {rule: self.status.phase == 'Bound', message: not bound}}]";
    for (object, messages) in [
        (json!({"status": {"phase": "Bound"}}), &[][..]),
        (json!({"status": {"phase": "Pending"}}), &["not bound"]),
        (json!({"status": {}}), &["not bound: no such key: phase"]),
    ] {
        assert_eq!(judged(probe, object.clone()), messages, "{object}");
    }
    let odd = "[{cel: {rule: self.status.phase, message: not bound}}]";
    let object = json!({"status": {"phase": "Bound"}});
    assert_eq!(judged(odd, object), ["not bound: the rule gives a value of type string, expected bool"]);
}

#[test]
fn a_status_that_is_outdated_passes_no_probe() {
    let probes = "[{cel: {rule: 'true', message: a}}, {condition: {type: A, status: 'True'}}]";
    let object = |generation: i64, observed: i64| {
        let conditions = json!([{"type": "A", "status": "True"}]);
        json!({"metadata": {"generation": generation}, "status": {"observedGeneration": observed, "conditions": conditions}})
    };
    assert_eq!(judged(probes, object(2, 1)), [".status outdated"]);
    assert!(judged(probes, object(2, 2)).is_empty());
    assert!(judged("[]", object(2, 1)).is_empty());
}

#[test]
fn all_probes_that_fail_are_told() {
    let probes =
        "[{cel: {rule: 'false', message: a}}, {cel: {rule: 'true', message: b}}, {cel: {rule: 'false', message: c}}]";
    assert_eq!(judged(probes, json!({})), ["a", "c"]);
}

/// What the processor has spent on this thread: others may keep it busy.
pub(in crate::policy) fn processor_seconds() -> f64 {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds: f64 = schedule.split_whitespace().next().unwrap().parse().unwrap();
    nanoseconds / 1e9
}

#[test]
fn the_rules_of_a_file_share_what_they_may_cost() {
    let rule = "{cel: {rule: 'self.l.all(x, self.l.all(y, true))', message: m}}";
    let probes = format!("[{}]", vec![rule; 1_000].join(", "));
    let object = json!({"l": vec![0; 1_500]});
    assert_eq!(judged(&format!("[{rule}]"), object.clone()), ["m: the rules take too long"]);
    let before = processor_seconds();
    assert_eq!(judged(&probes, object), ["m: the rules take too long"]);
    let took = processor_seconds() - before;
    assert!(took < 3.0, "{took}");
    let matching = "{cel: {rule: \"self.a.matches('a')\", message: m}}";
    let many = format!("probes: [{{probes: [{}]}}]", vec![matching; 33].join(", "));
    assert_eq!(
        faults(&many),
        ["1:1633: `rule` does not compile: line 1, column 8: the rules have more than 32 patterns"]
    );
}

#[test]
fn a_list_of_probes_in_a_template_is_read_alike() {
    let list = json!([{"type": "Condition", "condition": {"type": "A", "status": "True"}}]);
    let probes = Probes::of_list(&list).unwrap();
    assert_eq!(probes.judge(&json!({})), ["condition \"A\" == \"True\": missing .status.conditions"]);
    assert!(Probes::of_list(&json!([])).unwrap().judge(&json!({})).is_empty());
    for (list, error) in [
        (json!({}), "expected a list for `probes`, found a mapping"),
        (
            json!([{"conditions": 1}, 2]),
            "unknown field `conditions` in `probes`; expected one of `condition`, `fieldsEqual`, `cel` in `probes`, found none; expected a mapping for `probes`, found an integer",
        ),
        (
            json!([{"cel": {"rule": "x", "message": "m"}}]),
            "`rule` does not compile: line 1, column 1: unknown name `x`: the object is `self`",
        ),
    ] {
        assert_eq!(Probes::of_list(&list).unwrap_err().to_string(), error);
    }
}

#[test]
fn a_collision_is_one_of_three() {
    for (text, expected) in
        [("Prevent", Collision::Prevent), ("IfNoController", Collision::IfNoController), ("Force", Collision::Force)]
    {
        assert_eq!(text.parse(), Ok(expected));
        assert!(Collision::NAMES.contains(&text));
    }
    assert_eq!(
        "force".parse::<Collision>().unwrap_err().to_string(),
        "expected `Prevent`, `IfNoController` or `Force`, found `force`"
    );
}
