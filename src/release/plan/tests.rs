use serde_json::json;

use super::*;
use crate::policy::Collision;
use crate::release::action::On;

const ID: &str = "ConfigMap n/a";

fn prepared(id: &str, digest: &str) -> Arc<Prepared> {
    Arc::new(Prepared {
        id: id.parse().unwrap(),
        version: "v1".into(),
        scope: None,
        body: json!({}),
        digest: Digest::of(digest),
        keep: false,
        ignored: None,
        directives: BTreeMap::new(),
        source: "demo/templates/a.yaml".into(),
    })
}

fn desired(ids: &[&str]) -> Desired {
    Desired {
        objects: ids.iter().map(|id| prepared(id, "desired")).collect(),
        actions: Vec::new(),
        part_of: "us".into(),
        owner_uid: "owner".into(),
        release: release("demo"),
        collision: Collision::Prevent,
        collisions: BTreeMap::new(),
        adopt_from: BTreeSet::from(["friend".to_owned()]),
        spared: BTreeSet::new(),
        before: Vec::new(),
        after: Vec::new(),
    }
}

fn release(name: &str) -> ReleaseId {
    ReleaseId { name: name.into(), namespace: "n".into() }
}

fn live(projection: Option<&str>) -> Live {
    let projection = projection.map(Digest::of);
    Live { uid: "uid".into(), resource_version: "7".into(), projection, keep: false, deleting: false, action: None }
}

fn applied(uid: &str, desired: &str) -> Applied {
    Applied { uid: uid.into(), desired: Digest::of(desired), projection: Digest::of("projection") }
}

fn observed(live: Option<Live>, foreign: Option<Foreign>, applied: Option<Applied>) -> Observed {
    fn at<T>(value: Option<T>) -> BTreeMap<ObjectId, T> {
        value.map(|value| (ID.parse().unwrap(), value)).into_iter().collect()
    }
    Observed { ours: at(live), foreign: at(foreign), applied: at(applied) }
}

/// The one word that a plan for one desired object comes to.
fn verdict(observed: &Observed, desired: &Desired) -> String {
    match plan(observed, desired) {
        Err(refused) => format!("refused: {refused}"),
        Ok(plan) if !plan.leaving.is_empty() => "leaving".to_owned(),
        Ok(plan) => match plan.steps.as_slice() {
            [] => "in sync".to_owned(),
            [Step::Apply { reason: Reason::Adopt(adoption), .. }] => {
                assert_eq!((adoption.uid.as_str(), adoption.resource_version.as_str()), ("uid", "7"));
                format!("adopt from {:?}", adoption.from)
            }
            [Step::Apply { reason, .. }] => format!("apply: {reason:?}"),
            steps => panic!("{steps:?}"),
        },
    }
}

#[test]
fn one_of_our_objects_is_applied_only_where_something_differs() {
    let deleting = Live { deleting: true, ..live(Some("projection")) };
    let good = || Some(applied("uid", "desired"));
    let cases = [
        ("absent", observed(None, None, None), "apply: Absent"),
        ("absent, but remembered", observed(None, None, good()), "apply: Absent"),
        ("as applied", observed(Some(live(Some("projection"))), None, good()), "in sync"),
        ("drifted", observed(Some(live(Some("other"))), None, good()), "apply: Drifted"),
        ("without our entry", observed(Some(live(None)), None, good()), "apply: Unknown"),
        (
            "rendered anew",
            observed(Some(live(Some("projection"))), None, Some(applied("uid", "old"))),
            "apply: Changed",
        ),
        (
            "rendered anew and drifted",
            observed(Some(live(Some("x"))), None, Some(applied("uid", "old"))),
            "apply: Changed",
        ),
        ("not remembered", observed(Some(live(Some("projection"))), None, None), "apply: Unknown"),
        (
            "recreated",
            observed(Some(live(Some("projection"))), None, Some(applied("old", "desired"))),
            "apply: Unknown",
        ),
        ("being deleted", observed(Some(deleting), None, good()), "leaving"),
    ];
    for (name, observed, expected) in cases {
        assert_eq!(verdict(&observed, &desired(&[ID])), expected, "{name}");
    }
}

/// Rows of the ownership table, each with the answers of the three policies.
#[test]
fn an_object_of_others_is_taken_over_only_as_the_policy_allows() {
    let foreign = || Foreign { uid: "uid".into(), resource_version: "7".into(), ..Foreign::default() };
    let controller = |uid: &str| Some(Controller { uid: uid.to_owned(), description: "Deployment web".to_owned() });
    let by = |name| Some(release(name));
    let part_of = |id: &str| Foreign { part_of: Some(id.to_owned()), ..foreign() };
    let controlled = |uid: &str, helm| Foreign { controller: controller(uid), helm_release: helm, ..foreign() };
    let exists = "refused: ConfigMap n/a exists and";
    let other_set = format!("{exists} belongs to another resource (ApplySet `them`)");
    let other_controller = format!("{exists} is controlled by Deployment web");
    let other_release = format!("{exists} belongs to Helm's release n/other");
    let nobody = format!("{exists} was not made for this resource");
    let taken_controller = r#"adopt from Controller(Controller { uid: "x", description: "Deployment web" })"#;
    let cases: Vec<(&str, Foreign, [&str; 3])> = vec![
        ("of ours after all", part_of("us"), ["apply: Unknown"; 3]),
        ("of a friend", part_of("friend"), [r#"adopt from ApplySet("friend")"#; 3]),
        ("of another resource", part_of("them"), [&other_set, &other_set, r#"adopt from ApplySet("them")"#]),
        ("of another controller", controlled("x", None), [&other_controller, &other_controller, taken_controller]),
        (
            "of another controller, by Helm for us",
            controlled("x", by("demo")),
            [&other_controller, &other_controller, taken_controller],
        ),
        ("controlled by us", controlled("owner", None), ["adopt from Ourselves"; 3]),
        ("controlled by us, by helm-operator", controlled("owner", by("demo")), ["adopt from Helm"; 3]),
        ("marked by helm-operator as ours", Foreign { names_us: true, ..foreign() }, ["adopt from Ourselves"; 3]),
        ("by Helm for us", Foreign { helm_release: by("demo"), ..foreign() }, ["adopt from Helm"; 3]),
        (
            "by Helm for another",
            Foreign { helm_release: by("other"), ..foreign() },
            [&other_release, "adopt from Nobody", "adopt from Nobody"],
        ),
        ("of nobody", foreign(), [&nobody, "adopt from Nobody", "adopt from Nobody"]),
        ("being deleted", Foreign { deleting: true, ..part_of("them") }, ["leaving"; 3]),
    ];
    for (name, foreign, expected) in cases {
        for (collision, expected) in
            [Collision::Prevent, Collision::IfNoController, Collision::Force].into_iter().zip(expected)
        {
            let desired = Desired { collision, ..desired(&[ID]) };
            let observed = observed(None, Some(foreign.clone()), None);
            assert_eq!(verdict(&observed, &desired), expected, "{name}, {collision:?}");
        }
    }
    let lost_label = observed(None, Some(foreign()), Some(applied("uid", "desired")));
    assert_eq!(verdict(&lost_label, &desired(&[ID])), "adopt from Ourselves");
}

#[test]
fn a_collision_refuses_everything_and_all_are_named() {
    let ids = ["ConfigMap n/a", "ConfigMap n/b", "ConfigMap n/c"];
    let mut observed = Observed::default();
    for id in &ids[1..] {
        observed.foreign.insert(id.parse().unwrap(), Foreign::default());
    }
    let refused = plan(&observed, &desired(&ids)).unwrap_err();
    let text = "ConfigMap n/b exists and was not made for this resource; ConfigMap n/c exists and was not made for this resource";
    assert_eq!(refused.to_string(), text);
    assert_eq!(refused.collisions[0].source, "demo/templates/a.yaml");
}

#[test]
fn what_is_no_longer_rendered_is_pruned_in_uninstall_order_and_kept_objects_are_let_go() {
    let mut observed = Observed::default();
    let mut add = |id: &str, live| observed.ours.insert(id.parse().unwrap(), live);
    let own = |uid: &str| Live { uid: uid.to_owned(), ..live(None) };
    add("Secret n/s", own("1"));
    add("apps/Deployment n/d", own("2"));
    add("PersistentVolumeClaim n/p", Live { keep: true, ..own("3") });
    add("Service n/gone", Live { deleting: true, ..own("4") });
    add("networking.k8s.io/Ingress n/i", own("5"));
    add("extensions/Ingress n/i", own("5"));
    // An action is not cut off, and deleted when it has ended.
    let acting = |has_ended| Some(Progress { on: On::Apply, has_ended });
    add("batch/Job n/runs", Live { action: acting(false), ..own("6") });
    add("batch/Job n/ran", Live { action: acting(true), ..own("7") });
    let hook = |event| HookStep { place: 0, hook: "Job j".into(), event, reason: HookReason::Due };
    let (before, after) = (vec![hook(Event::PreUpgrade)], vec![hook(Event::PostUpgrade)]);
    let desired = Desired { before, after, ..desired(&["networking.k8s.io/Ingress n/i"]) };
    let plan = plan(&observed, &desired).unwrap();
    let events: Vec<_> = plan.hooks(Event::PostUpgrade).map(|hook| hook.event).collect();
    assert_eq!(events, [Event::PostUpgrade]);
    let ids: Vec<_> = plan.steps.iter().map(|step| step.id().map(|id| id.kind.as_str()).unwrap_or_default()).collect();
    assert_eq!(ids, ["", "Ingress", "Job", "Deployment", "PersistentVolumeClaim", "Secret", ""]);
    let steps = plan.steps.iter().map(|step| match step {
        Step::Hook(step) => format!("{} {}", step.event.name(), step.hook),
        Step::Apply { object, .. } => format!("apply {}", object.id),
        Step::Prune { id, uid, resource_version } => format!("prune {id} {uid} {resource_version}"),
        Step::Release { id, .. } => format!("release {id}"),
    });
    let expected = [
        "pre-upgrade Job j",
        "apply networking.k8s.io/Ingress n/i",
        "prune batch/Job n/ran 7 7",
        "prune apps/Deployment n/d 2 7",
        "release PersistentVolumeClaim n/p",
        "prune Secret n/s 1 7",
        "post-upgrade Job j",
    ];
    assert_eq!(steps.collect::<Vec<_>>(), expected);
}

#[test]
fn applies_come_in_waves_and_keep_the_install_order_within() {
    let ids = [
        "PriorityClass p",
        "Namespace x",
        "Secret n/s",
        "x/CustomResourceDefinition c",
        "apps/Deployment n/d",
        "x/Web n/w",
    ];
    let plan = plan(&Observed::default(), &desired(&ids)).unwrap();
    let waves: Vec<Vec<_>> =
        plan.waves().iter().map(|wave| wave.iter().map(|(object, _)| object.id.kind.clone()).collect()).collect();
    let expected =
        [vec!["Namespace", "CustomResourceDefinition"], vec!["PriorityClass", "Secret"], vec!["Deployment", "Web"]];
    assert_eq!(waves, expected);
    assert!(!plan.is_in_sync());
    assert!(super::plan(&Observed::default(), &desired(&[])).unwrap().is_in_sync());
}

#[test]
fn what_is_only_looked_at_or_patched_is_neither_pruned_nor_applied_whoever_has_it() {
    let ours = || observed(Some(live(Some("projection"))), None, Some(applied("uid", "desired")));
    let theirs = || observed(None, Some(Foreign { part_of: Some("them".into()), ..Foreign::default() }), None);
    for observed in [ours(), theirs(), Observed::default()] {
        let spared = Desired { spared: [ID.parse().unwrap()].into(), ..desired(&[]) };
        assert_eq!(verdict(&observed, &spared), "in sync");
    }
    // Not rendered: only what is ours goes.
    let gone = plan(&ours(), &desired(&[])).unwrap();
    assert!(matches!(gone.steps.as_slice(), [Step::Prune { .. }]));
    assert_eq!(verdict(&theirs(), &desired(&[])), "in sync");
}

#[test]
fn an_object_may_take_over_more_or_less_than_its_policy_says() {
    let foreign = || observed(None, Some(Foreign { uid: "uid".into(), ..nobodys() }), None);
    let refused = desired(&[ID]);
    assert!(verdict(&foreign(), &refused).starts_with("refused"));
    let collisions = BTreeMap::from([(ID.parse().unwrap(), Collision::IfNoController)]);
    assert_eq!(verdict(&foreign(), &Desired { collisions, ..refused }), "adopt from Nobody");
    let collisions = BTreeMap::from([(ID.parse().unwrap(), Collision::Prevent)]);
    let strict = Desired { collision: Collision::Force, collisions, ..desired(&[ID]) };
    assert!(verdict(&foreign(), &strict).starts_with("refused"));
}

#[test]
fn a_controller_that_no_apply_of_ours_replaces_is_taken_off_first() {
    let controller = Controller { uid: "other".into(), description: "Web other".into() };
    let part_of_friend = |applied_by_us| Foreign {
        part_of: Some("friend".into()),
        controller: Some(controller.clone()),
        applied_by_us,
        ..Foreign::default()
    };
    for (applied_by_us, cleared) in [(true, false), (false, true)] {
        let plan = plan(&observed(None, Some(part_of_friend(applied_by_us)), None), &desired(&[ID])).unwrap();
        let [Step::Apply { reason: Reason::Adopt(adoption), .. }] = plan.steps.as_slice() else { panic!("{plan:?}") };
        assert_eq!(adoption.clear_controller, cleared);
    }
}

fn nobodys() -> Foreign {
    Foreign { resource_version: "7".into(), ..Foreign::default() }
}

#[test]
fn a_reason_is_a_predicate_and_only_what_helm_made_for_the_release_is_taken_over_from_helm() {
    let (uid, resource_version, managed_fields) = ("uid".to_owned(), "7".to_owned(), None);
    let adoption = Adoption { uid, resource_version, managed_fields, from: From::Nobody, clear_controller: false };
    let adopt = |from| Reason::Adopt(Adoption { from, ..adoption.clone() });
    let controller = Controller { uid: "x".into(), description: "Deployment web".into() };
    for (reason, text, from_helm) in [
        (Reason::Absent, "does not exist", false),
        (Reason::Changed, "is rendered differently", false),
        (Reason::Drifted, "was changed by somebody", false),
        (Reason::Unknown, "is ours, but it is not known what was sent last", false),
        (adopt(From::Ourselves), "is ours, but does not say so", false),
        (adopt(From::Helm), "was made by Helm for this release", true),
        (adopt(From::ApplySet("s".into())), "is taken over from another resource (ApplySet `s`)", false),
        (adopt(From::Controller(controller)), "is taken over from Deployment web", false),
        (adopt(From::Nobody), "is nobody's and is taken over", false),
    ] {
        assert_eq!(reason.to_string(), text);
        let object = prepared(ID, "desired");
        let plan = Plan { steps: vec![Step::Apply { object, wave: Wave::Foundations, reason }], ..Plan::default() };
        assert_eq!(plan.takes_over_from_helm(), from_helm, "{text}");
    }
}
