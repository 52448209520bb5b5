//! Which states lead to which objects, and to which status.

use chart_operator::policy::Reference;
use serde_json::{Value as Json, json};

use crate::stage::{Cluster, Played, Player, Refused, ready};

const PACKAGES: &str = "packages.thetechnick.ninja/v1alpha1";
const COORDINATION: &str = "coordination.thetechnick.ninja/v1alpha1";

fn merged(mut resource: Json, more: &Json) -> Json {
    json_patch::merge(&mut resource, more);
    resource
}

/// A package of `ConfigMaps` in one phase.
fn package(maps: &[&str]) -> Json {
    let object = |name: &&str| json!({"object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}});
    let objects: Vec<_> = maps.iter().map(object).collect();
    json!({"phases": [{"name": "deploy", "objects": objects}], "readinessProbes": []})
}

fn deployment(maps: &[&str]) -> Json {
    json!({
        "apiVersion": PACKAGES, "kind": "PackageDeployment",
        "metadata": {"name": "nginx", "namespace": "demo", "uid": "u"},
        "spec": {
            "revisionHistoryLimit": 2,
            "selector": {"matchLabels": {"app": "nginx"}},
            "template": {"metadata": {"labels": {"app": "nginx"}}, "spec": package(maps)},
        },
    })
}

/// A set as the deployment's render made it.
fn set(of: &Json, cluster: &Cluster, more: &Json) -> Json {
    let (objects, _) = Player::of("helm-charts/packagedeployment").play(of, cluster).unwrap();
    let mut set =
        objects.into_iter().find(|object| annotation(object, "chart-operator.dev/phase") == "current").unwrap();
    set["metadata"]["namespace"] = json!("demo");
    set["metadata"]["generation"] = json!(1);
    merged(set, more)
}

fn annotation<'a>(object: &'a Json, name: &str) -> &'a str {
    object["metadata"]["annotations"][name].as_str().unwrap_or_default()
}

fn available() -> Json {
    let conditions = json!([{"type": "Available", "status": "True"}, {"type": "Succeeded", "status": "True"}]);
    json!({"status": {"observedGeneration": 1, "conditions": conditions}})
}

fn unready() -> Json {
    json!({"status": {"observedGeneration": 1, "conditions": [{"type": "Available", "status": "False"}]}})
}

fn archived(of: Json) -> Json {
    merged(of, &json!({"spec": {"archived": true}}))
}

/// Sets of these packages and states, each made when those before it were there.
fn sets(revisions: &[(&[&str], Json)]) -> Cluster {
    let mut cluster = Cluster::of(Vec::new());
    for (maps, more) in revisions {
        let next = set(&deployment(maps), &cluster, more);
        cluster.objects.push(next);
    }
    cluster
}

/// A line for each rendered set: revision, phase, what becomes of it, what it leaves alone.
fn told(cluster: &Cluster, played: Played) -> Vec<String> {
    let known = |name: &Json| {
        let found = cluster.objects.iter().find(|object| object["metadata"]["name"] == *name);
        found.map(|set| annotation(set, "packages.thetechnick.ninja/revision").to_owned())
    };
    let line = |object: &Json| {
        let own = annotation(object, "packages.thetechnick.ninja/revision");
        let revision = known(&object["metadata"]["name"]).unwrap_or_else(|| format!("new {own}"));
        let phase = annotation(object, "chart-operator.dev/phase");
        let state = if object["spec"]["archived"] == true { "archived" } else { "live" };
        let paused = object["spec"]["pausedFor"].as_array().cloned().unwrap_or_default();
        let paused: Vec<_> = paused.iter().filter_map(|of| of["name"].as_str()).collect();
        format!("{phase} {revision} {state} {}", paused.join(" ")).trim_end().to_owned()
    };
    played.unwrap().0.iter().map(line).collect()
}

#[test]
fn older_sets_make_room_and_go_when_the_current_one_works() {
    let player = Player::of("helm-charts/packagedeployment");
    let past = |more: Json| vec![(&["a", "b"][..], more)];
    let broken = || vec![(&["a", "b"][..], available()), (&["b", "c"][..], unready())];
    for (what, revisions, wanted, expected) in [
        ("the first", vec![], &["a", "b"][..], vec!["current new 1 live"]),
        ("it is there", past(unready()), &["a", "b"], vec!["current 1 live"]),
        ("the second comes", past(available()), &["b", "c"], vec!["pause 1 live b c", "current new 2 live"]),
        (
            "one that never worked stays until then",
            past(unready()),
            &["b", "c"],
            vec!["pause 1 live b c", "current new 2 live"],
        ),
        ("the second does not work", broken(), &["b", "c"], vec!["pause 1 live b c", "current 2 live"]),
        (
            "neither does the third",
            broken(),
            &["c", "d"],
            // What the second shares with the first is not deleted with it.
            vec!["pause 2 live a b c d", "pause 1 live b c d", "current new 3 live"],
        ),
        (
            "the third is there",
            [broken(), vec![(&["c", "d"][..], unready())]].concat(),
            &["c", "d"],
            vec!["pause 2 archived a b c d", "pause 1 live b c d", "current 3 live"],
        ),
        (
            "the third works",
            [broken(), vec![(&["c", "d"][..], available())]].concat(),
            &["c", "d"],
            vec!["pause 2 archived a b c d", "pause 1 archived b c d", "current 3 live"],
        ),
        ("back to the first, which is there", broken(), &["a", "b"], vec!["pause 2 archived a b", "current 1 live"]),
    ] {
        let cluster = sets(&revisions);
        assert_eq!(told(&cluster, player.play(&deployment(wanted), &cluster)), expected, "{what}");
    }
}

#[test]
fn a_set_whose_spec_was_not_seen_yet_does_not_count_as_working() {
    let player = Player::of("helm-charts/packagedeployment");
    let cluster =
        sets(&[(&["a"], available()), (&["b"], merged(available(), &json!({"metadata": {"generation": 2}})))]);
    assert_eq!(told(&cluster, player.play(&deployment(&["b"]), &cluster)), ["pause 1 live b", "current 2 live"]);
}

#[test]
fn an_archived_set_is_not_used_again_and_too_many_of_them_are_not_kept() {
    let player = Player::of("helm-charts/packagedeployment");
    let mut cluster = sets(&[(&["a"], archived(available())), (&["b"], available())]);
    let first = cluster.objects[0]["metadata"]["name"].clone();
    let next = set(&deployment(&["a"]), &cluster, &available());
    assert!(next["metadata"]["name"] != first && annotation(&next, "packages.thetechnick.ninja/collisions") == "1");
    cluster.objects.push(next);
    assert_eq!(player.status(&deployment(&["a"]), &cluster, &ready())["collisionCount"], 1);
    // Deleted, it is none that could be taken.
    cluster.objects[2]["metadata"]["deletionTimestamp"] = json!("2026-01-01T12:00:00Z");
    let again = set(&deployment(&["a"]), &cluster, &json!({}));
    assert_eq!(annotation(&again, "packages.thetechnick.ninja/collisions"), "2");

    let old = |maps: &'static [&'static str]| (maps, archived(available()));
    let cluster = sets(&[old(&["a"]), old(&["b"]), old(&["c"]), (&["d"], available())]);
    let kept = told(&cluster, player.play(&deployment(&["d"]), &cluster));
    assert_eq!(kept, ["pause 3 archived", "pause 2 archived", "current 4 live"]);
}

#[test]
fn revisions_are_counted_as_numbers_and_other_deployments_have_their_own() {
    let numbered = |of: Json, revision: &str| {
        merged(of, &json!({"metadata": {"annotations": {"packages.thetechnick.ninja/revision": revision}}}))
    };
    let mut cluster = sets(&[(&["a"], archived(json!({}))), (&["b"], archived(json!({})))]);
    cluster.objects[0] = numbered(cluster.objects[0].clone(), "9");
    cluster.objects[1] = numbered(cluster.objects[1].clone(), "10");
    let new = set(&deployment(&["c"]), &cluster, &json!({}));
    assert_eq!(annotation(&new, "packages.thetechnick.ninja/revision"), "11");
    let other = merged(deployment(&["c"]), &json!({"metadata": {"name": "other"}}));
    let new = set(&other, &cluster, &json!({}));
    assert_eq!(annotation(&new, "packages.thetechnick.ninja/revision"), "1");
}

#[test]
fn a_set_that_lost_its_labels_is_found_by_its_name() {
    let player = Player::of("helm-charts/packagedeployment");
    let mut cluster = sets(&[(&["a"], available())]);
    cluster.objects[0]["metadata"]["labels"] = json!({});
    let (objects, _) = player.play(&deployment(&["a"]), &cluster).unwrap();
    let found = cluster.objects[0]["metadata"]["name"].clone();
    assert_eq!((objects.len(), &objects[0]["metadata"]["name"]), (1, &found));
    assert_eq!(objects[0]["metadata"]["labels"]["app"], "nginx");
}

#[test]
fn a_selector_that_misses_the_template_is_refused() {
    let player = Player::of("helm-charts/packagedeployment");
    let requirement = |operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": "app", "operator": operator, "values": values}]});
    let absent = json!({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]});
    for (selector, taken) in [
        (json!({"matchLabels": {"app": "nginx"}}), true),
        (json!({"matchLabels": {"app": "other"}}), false),
        (json!({"matchLabels": {"tier": "x"}}), false),
        (requirement("In", &["a", "nginx"]), true),
        (requirement("In", &["a"]), false),
        (requirement("NotIn", &["a"]), true),
        (requirement("NotIn", &["nginx"]), false),
        (requirement("Exists", &[]), true),
        (requirement("DoesNotExist", &[]), false),
        (absent, true),
        (json!({}), true),
    ] {
        let mut resource = deployment(&["a"]);
        resource["spec"]["selector"] = selector.clone();
        let played = player.play(&resource, &Cluster::of(Vec::new()));
        let refused =
            |error: &Refused| matches!(error, Refused::Fails(text) if text.contains("spec.selector does not match"));
        assert_eq!(played.is_ok(), taken, "{selector}");
        assert!(played.err().iter().all(refused), "{selector}");
    }
}

#[test]
fn a_deployment_is_available_while_any_of_its_sets_is() {
    let player = Player::of("helm-charts/packagedeployment");
    for (revisions, wanted, expected) in [
        (vec![], "a", "NotReady False/PackageSetUnready True/Progressing"),
        (vec![(&["a"][..], unready())], "a", "NotReady False/PackageSetUnready True/Progressing"),
        (vec![(&["a"][..], available())], "a", "Available True/Available False/Idle"),
        (vec![(&["a"][..], available())], "b", "Progressing True/Available True/Progressing"),
        (vec![(&["a"][..], available()), (&["b"][..], unready())], "b", "Progressing True/Available True/Progressing"),
        (
            vec![(&["a"][..], unready()), (&["b"][..], unready())],
            "b",
            "NotReady False/PackageSetUnready True/Progressing",
        ),
        (
            vec![(&["a"][..], archived(available())), (&["b"][..], unready())],
            "b",
            "NotReady False/PackageSetUnready True/Progressing",
        ),
    ] {
        let status = player.status(&deployment(&[wanted]), &sets(&revisions), &ready());
        let told = ["Available", "Progressing"].map(|name| condition(&status, name));
        assert_eq!(format!("{} {}", status["phase"].as_str().unwrap(), told.join(" ")), expected, "{revisions:?}");
    }
    let cluster_wide =
        merged(deployment(&["a"]), &json!({"kind": "ClusterPackageDeployment", "metadata": {"namespace": null}}));
    let status = player.status(&cluster_wide, &Cluster::of(Vec::new()), &ready());
    assert_eq!(status["conditions"][0]["message"], "No ClusterPackageSet is Available.");
}

fn condition(status: &Json, name: &str) -> String {
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.iter().find(|condition| condition["type"] == name);
    found.map_or_else(
        || "none".to_owned(),
        |found| format!("{}/{}", found["status"].as_str().unwrap(), found["reason"].as_str().unwrap()),
    )
}

fn a_set(spec: &Json) -> Json {
    let object = |kind: &str, api: &str, name: &str| {
        json!({"object": {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": {"own": "label"}, "annotations": {
            "chart-operator.dev/collision": "Force", "helm.sh/hook": "pre-install", "its": "own",
        }}}})
    };
    let phases = json!([
        {"name": "first", "objects": [object("ConfigMap", "v1", "a")]},
        {"name": "second", "objects": [object("Deployment", "apps/v1", "b")]},
    ]);
    let set = json!({
        "apiVersion": PACKAGES, "kind": "PackageSet",
        "metadata": {"name": "nginx-1", "namespace": "demo", "annotations": {"packages.thetechnick.ninja/previous": "nginx-0,nginx-2"}},
        "spec": {"phases": phases, "readinessProbes": []},
    });
    merged(set, &json!({"spec": spec}))
}

fn paused_for(group: &str, kind: &str, name: &str) -> Json {
    json!({"pausedFor": [{"group": group, "kind": kind, "name": name}]})
}

#[test]
fn a_set_makes_looks_at_or_lets_go_of_its_objects() {
    let player = Player::of("helm-charts/packageset");
    let deleting = json!({"metadata": {"deletionTimestamp": "2026-01-01T12:00:00Z"}});
    for (what, set, expected) in [
        ("live", a_set(&json!({})), "first manage a, second manage b"),
        ("one is paused", a_set(&paused_for("apps", "Deployment", "b")), "first manage a, second observe b"),
        ("another kind is paused", a_set(&paused_for("", "Deployment", "b")), "first manage a, second manage b"),
        ("paused", a_set(&json!({"paused": true})), "first observe a, second observe b"),
        ("archived", a_set(&json!({"archived": true})), ""),
        ("archived and paused", a_set(&json!({"archived": true, "paused": true})), ""),
        (
            "archived, one of them is another's",
            a_set(&merged(paused_for("", "ConfigMap", "a"), &json!({"archived": true}))),
            " patch a",
        ),
        ("deleted", merged(a_set(&json!({})), &deleting), "first manage a, second manage b"),
        ("deleted when archived", merged(a_set(&json!({"archived": true})), &deleting), " manage a,  manage b"),
        (
            "deleted without its API",
            merged(a_set(&json!({"dependencies": [needs()]})), &deleting),
            "first manage a, second manage b",
        ),
    ] {
        let (objects, policy) = player.play(&set, &Cluster::of(Vec::new())).unwrap();
        let line = |object: &Json| {
            let mode = annotation(object, "chart-operator.dev/mode");
            let mode = if mode.is_empty() { "manage" } else { mode };
            format!(
                "{} {mode} {}",
                annotation(object, "chart-operator.dev/phase"),
                object["metadata"]["name"].as_str().unwrap()
            )
        };
        assert_eq!(objects.iter().map(line).collect::<Vec<_>>().join(", "), expected, "{what}");
        let archived = set["spec"]["archived"] == true;
        assert_eq!(policy.phases, if archived { vec![""] } else { vec!["first", "second"] }, "{what}");
        let previous = |name: &str| Reference {
            group: "packages.thetechnick.ninja".to_owned(),
            kind: "PackageSet".to_owned(),
            namespace: None,
            name: name.to_owned(),
        };
        assert_eq!(policy.adopt_from, ["nginx-0", "nginx-2"].map(previous), "{what}");
    }
}

#[test]
fn what_a_set_makes_is_labelled_and_cannot_command_the_operator() {
    let player = Player::of("helm-charts/packageset");
    let (objects, _) = player.play(&a_set(&json!({})), &Cluster::of(Vec::new())).unwrap();
    assert_eq!(
        objects[0]["metadata"],
        json!({
            "name": "a", "namespace": "demo",
            "labels": {"own": "label", "packages.thetechnick.ninja/package-set": "demo-nginx-1"},
            "annotations": {"its": "own", "chart-operator.dev/phase": "first"},
        })
    );
    let long = merged(a_set(&json!({})), &json!({"metadata": {"name": "a".repeat(70)}}));
    let (objects, _) = player.play(&long, &Cluster::of(Vec::new())).unwrap();
    let label = objects[0]["metadata"]["labels"]["packages.thetechnick.ninja/package-set"].as_str().unwrap();
    assert!(label.len() == 63 && label.starts_with("demo-aaa"), "{label}");
    let cluster_wide = json!({"kind": "ClusterPackageSet", "metadata": {"namespace": null}});
    let (objects, _) = player.play(&merged(a_set(&json!({})), &cluster_wide), &Cluster::of(Vec::new())).unwrap();
    assert_eq!(objects[0]["metadata"]["namespace"], Json::Null);
}

fn needs() -> Json {
    json!({"type": "KubernetesAPI", "kubernetesAPI": {"group": "example.com", "version": "v1", "kind": "CoolDB"}})
}

#[test]
fn a_set_waits_for_the_apis_it_depends_on() {
    let player = Player::of("helm-charts/packageset");
    let core = json!({"type": "KubernetesAPI", "kubernetesAPI": {"version": "v1", "kind": "ConfigMap"}});
    let set = a_set(&json!({"dependencies": [needs(), core]}));
    let mut cluster = Cluster::of(Vec::new());
    cluster.served.push("v1/ConfigMap".to_owned());
    let message = "Missing objects in kubernetes API: example.com/v1, Kind=CoolDB";
    let waits = Refused::Waits("MissingDependency".to_owned(), message.to_owned());
    assert_eq!(player.play(&set, &cluster).err(), Some(waits));
    cluster.served.push("example.com/v1/CoolDB".to_owned());
    assert!(player.play(&set, &cluster).is_ok());
}

/// An outcome in whose first phase two objects are not ready.
fn half_ready() -> Json {
    let object = |group: &str, kind: &str, phase: &str, message: &str| {
        json!({
            "group": group, "version": "v1", "kind": kind, "namespace": "demo", "name": "x", "uid": "", "mode": "manage",
            "phase": phase, "ready": message.is_empty(), "message": message,
        })
    };
    let objects = json!([
        object("", "ConfigMap", "first", "\"a\" == \"b\": not equal"),
        object("apps", "Deployment", "first", "no"),
        object("apps", "Deployment", "first", ""),
        object("", "Secret", "second", "not applied"),
    ]);
    json!({"ready": false, "phase": "first", "message": "short", "objects": objects})
}

#[test]
fn the_status_of_a_set_names_what_is_not_ready() {
    let player = Player::of("helm-charts/packageset");
    let failed = json!({"ready": false, "failed": {"reason": "CollisionDetected", "message": "it is another's"}});
    let waiting = json!({"ready": false, "waiting": {"reason": "MissingDependency", "message": "no API"}});
    let leaving =
        json!({"leaving": [{"group": "", "kind": "ConfigMap", "namespace": "demo", "name": "a", "message": ""}]});
    let good = || json!({});
    let set = |spec: Json| a_set(&spec);
    let succeeded =
        |set: Json| merged(set, &json!({"status": {"conditions": [{"type": "Succeeded", "status": "True"}]}}));
    let archived = || succeeded(set(json!({"archived": true})));
    let paused_one = paused_for("", "ConfigMap", "a");
    for (set, outcome, expected) in [
        (set(json!({})), good(), "Available True/Available none none True/AvailableOnce"),
        (set(json!({})), half_ready(), "NotReady False/ProbeFailure none none none"),
        (succeeded(set(json!({}))), half_ready(), "NotReady False/ProbeFailure none none True/AvailableOnce"),
        (set(json!({})), failed, "NotReady False/CollisionDetected none none none"),
        (set(json!({})), waiting, "MissingDependency False/MissingDependency none none none"),
        (set(json!({"paused": true})), good(), "Available True/Available True/Paused none True/AvailableOnce"),
        (set(paused_one), good(), "Available True/Available Unknown/PartiallyPaused none True/AvailableOnce"),
        (archived(), leaving, "Archived none none False/ArchivalInProgress True/AvailableOnce"),
        (archived(), good(), "Archived none none True/Archived True/AvailableOnce"),
    ] {
        let status = player.status(&set, &Cluster::of(Vec::new()), &merged(ready(), &outcome));
        let told = ["Available", "Paused", "Archived", "Succeeded"].map(|name| condition(&status, name)).join(" ");
        assert_eq!(format!("{} {told}", status["phase"].as_str().unwrap()), expected, "{outcome}");
        let paused = set["spec"].get("pausedFor").cloned().unwrap_or_else(|| json!([]));
        assert_eq!(status["pausedFor"], paused, "{outcome}");
    }
    let status = player.status(&set(json!({})), &Cluster::of(Vec::new()), &merged(ready(), &half_ready()));
    assert_eq!(
        status["conditions"][0]["message"],
        "Phase \"first\" failed: ConfigMap demo/x: \"a\" == \"b\": not equal, apps Deployment demo/x: no"
    );
}

fn labelled(name: &str, label: Option<&str>, status: &Json) -> Json {
    let labels = label.map_or_else(|| json!({}), |label| json!({"operator-version": label}));
    json!({
        "apiVersion": "example.com/v1", "kind": "Nginx", "status": status,
        "metadata": {"name": name, "namespace": "demo", "uid": format!("uid-{name}"), "labels": labels},
    })
}

/// As the operator of that version left it.
fn served(name: &str, label: &str, version: &str, available: bool) -> Json {
    let status = if available { "True" } else { "False" };
    let conditions = json!([{"type": "Available", "status": status}]);
    labelled(name, Some(label), &json!({"operatorVersion": version, "conditions": conditions}))
}

fn handover(relabel: &Json) -> Json {
    let relabel = merged(
        json!({"labelKey": "operator-version", "fromValue": "v1", "toValue": "v2", "statusPath": ".status.operatorVersion"}),
        relabel,
    );
    json!({
        "apiVersion": COORDINATION, "kind": "Handover", "metadata": {"name": "h", "namespace": "demo"},
        "spec": {
            "targetAPI": {"group": "example.com", "version": "v1", "kind": "Nginx"},
            "strategy": {"type": "Relabel", "relabel": relabel},
            "probes": [{"type": "Condition", "condition": {"type": "Available", "status": "True"}}],
        },
    })
}

#[test]
fn objects_are_handed_over_a_few_at_a_time() {
    let player = Player::of("helm-charts/handover");
    let old = |name: &str| served(name, "v1", "v1", true);
    let new = |name: &str| served(name, "v2", "v2", true);
    let between = |name: &str| served(name, "v2", "v1", true);
    let silent = |name: &str| labelled(name, Some("v2"), &json!({}));
    let broken = |name: &str, label: &str| served(name, label, label, false);
    let two = || json!({"maxUnavailable": 2});
    for (what, relabel, objects, next, expected) in [
        ("nothing", json!({}), vec![], "", "Completed 0 0 0"),
        (
            "another operator's",
            json!({}),
            vec![served("a", "v0", "v0", true), labelled("b", None, &json!({}))],
            "",
            "Completed 0 0 0",
        ),
        ("the first", json!({}), vec![old("b"), old("a"), old("c")], "a", "Progressing 3 3 0"),
        ("on its way", json!({}), vec![between("a"), old("b")], "", "Progressing 2 2 1 a"),
        ("its operator has not said a word", json!({}), vec![silent("a"), old("b")], "", "Progressing 2 1 1 a"),
        ("the next", json!({}), vec![new("a"), old("b"), old("c")], "b", "Progressing 3 3 1"),
        ("the last", json!({}), vec![new("a"), between("b")], "", "Progressing 2 2 2 b"),
        ("all", json!({}), vec![new("a"), new("b")], "", "Completed 2 2 2"),
        ("a broken one stops it", json!({}), vec![old("a"), broken("b", "v1")], "", "Progressing 2 1 0"),
        ("so does one that broke on its way", json!({}), vec![broken("a", "v2"), old("b")], "", "Progressing 2 1 1 a"),
        ("two at a time", two(), vec![old("a"), old("b"), old("c")], "a b", "Progressing 3 3 0"),
        ("one of two", two(), vec![between("a"), old("b"), old("c")], "b", "Progressing 3 3 1 a"),
        ("one of two is broken", two(), vec![broken("a", "v1"), old("b"), old("c")], "a", "Progressing 3 2 0"),
        ("by probes alone", json!({"statusPath": null}), vec![between("a"), old("b")], "b", "Progressing 2 2 1"),
    ] {
        let cluster = Cluster::of(objects);
        let (rendered, _) = player.play(&handover(&relabel), &cluster).unwrap();
        let names: Vec<_> = rendered.iter().map(|object| object["metadata"]["name"].as_str().unwrap()).collect();
        assert_eq!(names.join(" "), next, "{what}");
        for object in rendered {
            assert_eq!(object["metadata"]["labels"], json!({"operator-version": "v2"}), "{what}");
            assert_eq!(annotation(&object, "chart-operator.dev/mode"), "patch", "{what}");
        }
        assert_eq!(counts(&player.status(&handover(&relabel), &cluster, &ready())), expected, "{what}");
    }
}

fn counts(status: &Json) -> String {
    let stats = ["found", "available", "updated"].map(|name| status["stats"][name].to_string()).join(" ");
    let processing = status["processing"].as_array().cloned().unwrap_or_default();
    let names: Vec<_> = processing.iter().filter_map(|of| of["name"].as_str()).collect();
    format!("{} {stats} {}", status["phase"].as_str().unwrap(), names.join(" ")).trim_end().to_owned()
}

#[test]
fn what_is_handed_over_stays_so_until_there_is_more_of_it() {
    let player = Player::of("helm-charts/handover");
    let completed = json!({"status": {"conditions": [{"type": "Completed", "status": "True"}]}});
    let completed = merged(handover(&json!({})), &completed);
    let broken = Cluster::of(vec![served("a", "v2", "v2", false)]);
    assert_eq!(counts(&player.status(&completed, &broken, &ready())), "Completed 1 0 1 a");
    assert_eq!(counts(&player.status(&handover(&json!({})), &broken, &ready())), "Progressing 1 0 1 a");
    let more = Cluster::of(vec![served("a", "v2", "v2", true), served("b", "v1", "v1", true)]);
    assert_eq!(counts(&player.status(&completed, &more, &ready())), "Progressing 2 2 1");
}

#[test]
fn objects_without_the_labels_are_adopted_and_no_others() {
    let player = Player::of("helm-charts/adoption");
    let adoption = json!({
        "apiVersion": COORDINATION, "kind": "Adoption", "metadata": {"name": "a", "namespace": "demo"},
        "spec": {
            "targetAPI": {"group": "example.com", "version": "v1", "kind": "Nginx"},
            "strategy": {"type": "Static", "static": {"labels": {"operator-version": "v2", "of": "us"}}},
        },
    });
    let mut other = labelled("other", None, &json!({}));
    other["metadata"]["labels"]["of"] = json!("them");
    let cluster = Cluster::of(vec![labelled("new", None, &json!({})), labelled("old", Some("v1"), &json!({})), other]);
    let (objects, _) = player.play(&adoption, &cluster).unwrap();
    let expected = json!([{
        "apiVersion": "example.com/v1", "kind": "Nginx",
        "metadata": {
            "name": "new", "namespace": "demo", "annotations": {"chart-operator.dev/mode": "patch"},
            "labels": {"operator-version": "v2", "of": "us"},
        },
    }]);
    assert_eq!(Json::Array(objects), expected);
    assert_eq!(condition(&player.status(&adoption, &cluster, &ready()), "Active"), "True/Setup");
}

#[test]
fn an_operator_that_takes_a_resource_up_says_nothing_until_its_delay_is_over() {
    let player = Player::of("samples/package-operator/example-operator/helm-charts/nginx");
    let mut cluster = Cluster::of(Vec::new());
    let mut nginx = json!({
        "apiVersion": "example.thetechnick.ninja/v1alpha1", "kind": "Nginx",
        "metadata": {"name": "a", "namespace": "demo"}, "spec": {"version": "1", "reconcileDelay": "5s"},
        "status": {"phase": "Ready", "operatorVersion": "old", "conditions": [
            {"type": "Available", "status": "True", "reason": "Setup", "message": "", "lastTransitionTime": "2025-01-01T00:00:00Z"},
        ]},
    });
    let broken = merged(ready(), &json!({"ready": false, "message": "no image"}));
    for (after, outcome, expected) in [
        ("0s", ready(), "Ready old True/Setup False/ReconcileDelay"),
        ("4s", broken.clone(), "Ready old True/Setup False/ReconcileDelay"),
        ("1s", broken, "NotReady new False/NotAvailable True/Reconciled"),
        ("1h", ready(), "Ready new True/Setup True/Reconciled"),
    ] {
        cluster.now = cluster.now.checked_add(after.parse::<jiff::Span>().unwrap()).unwrap();
        let status = player.status(&nginx, &cluster, &outcome);
        let version = if status["operatorVersion"] == "old" { "old" } else { "new" };
        let told = ["Available", "Taken"].map(|name| condition(&status, name)).join(" ");
        assert_eq!(format!("{} {version} {told}", status["phase"].as_str().unwrap()), expected, "{after}");
        nginx["status"] = status;
    }
    let (objects, _) = player.play(&nginx, &cluster).unwrap();
    assert_eq!((objects[0]["metadata"]["name"].as_str(), objects[0]["spec"].get("replicas")), (Some("nginx-a"), None));
}
