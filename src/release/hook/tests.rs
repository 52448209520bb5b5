use super::*;

fn hook(annotations: &[(&str, &str)]) -> Option<Hook> {
    let annotations = annotations.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Hook::parse(Head { path: "p", kind: "Job", name: "j", annotations: &annotations }, "text")
}

#[test]
fn events_are_read_in_any_case_and_an_unknown_one_voids_the_hook() {
    let cases: [(&str, Option<&[Event]>); 5] = [
        ("pre-install", Some(&[Event::PreInstall])),
        (" Post-Upgrade ,pre-delete", Some(&[Event::PostUpgrade, Event::PreDelete])),
        ("test-success", Some(&[Event::Test])),
        ("pre-install,crd-install", None),
        ("", None),
    ];
    for (text, expected) in cases {
        let found = hook(&[(labels::HOOK, text)]).map(|hook| hook.events);
        assert_eq!(found.as_deref(), expected, "{text}");
    }
    assert_eq!(hook(&[]), None);
}

#[test]
fn a_weight_that_is_no_number_is_zero() {
    for (text, expected) in [("-5", -5), ("+7", 7), ("x", 0), ("1.5", 0), ("", 0)] {
        assert_eq!(hook(&[(labels::HOOK, "test"), (labels::HOOK_WEIGHT, text)]).unwrap().weight, expected, "{text}");
    }
}

#[test]
fn a_hook_without_delete_policy_is_deleted_before_it_is_created_anew() {
    let plain = hook(&[(labels::HOOK, "pre-install")]).unwrap();
    assert!(plain.deletes(DeletePolicy::BeforeHookCreation));
    assert!(!plain.deletes(DeletePolicy::HookSucceeded));
    let said = hook(&[(labels::HOOK, "pre-install"), (labels::HOOK_DELETE_POLICY, "Hook-Succeeded, odd")]).unwrap();
    assert!(said.deletes(DeletePolicy::HookSucceeded));
    assert!(!said.deletes(DeletePolicy::BeforeHookCreation));
    assert_eq!(said.delete_policies, ["hook-succeeded", "odd"]);
    let crd = Hook { kind: "CustomResourceDefinition".into(), ..said };
    assert!(!crd.deletes(DeletePolicy::HookSucceeded));
}

#[test]
fn hooks_of_an_event_run_by_weight_then_name_and_tests_never_run() {
    let named = |name: &str, weight: &str, event: &str| Hook {
        name: name.into(),
        ..hook(&[(labels::HOOK, event), (labels::HOOK_WEIGHT, weight)]).unwrap()
    };
    let hooks = [
        named("b", "1", "pre-install"),
        named("a", "1", "pre-install"),
        named("z", "-1", "pre-install,test"),
        named("t", "0", "test"),
    ];
    let names: Vec<_> =
        of_event(&hooks, Event::PreInstall).into_iter().map(|place| hooks[place].name.as_str()).collect();
    assert_eq!(names, ["z", "a", "b"]);
    assert!(of_event(&hooks, Event::Test).is_empty());
}
