//! The charts of tenants: which steps they take, in which order, and what they say of them.

use std::process::Command;

use serde_json::{Value as Json, json};
use testbed::guard::Folder;

use crate::stage::{Cluster, Player, ready};

fn tenant(name: &str, spec: &Json) -> Json {
    json!({
        "apiVersion": "kopf.dev/v1", "kind": "KopfExample",
        "metadata": {"name": name, "namespace": "demo", "uid": "u1"}, "spec": spec,
    })
}

fn play(player: &Player, resource: &Json, cluster: &Cluster) -> Vec<Json> {
    player.play(resource, cluster).unwrap().0
}

fn tenants() -> Player {
    Player::of("helm-charts/kopfexample")
}

/// Phase, kind, name, and what is done with it.
fn line(object: &Json) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
    let annotation = |name: &str| text(&format!("/metadata/annotations/chart-operator.dev~1{name}"));
    let done = format!("{}{}", annotation("mode"), annotation("action"));
    format!("{} {} {} {done}", annotation("phase"), text("/kind"), text("/metadata/name")).trim_end().to_owned()
}

fn environment(job: &Json) -> Vec<(&str, &str)> {
    let env = job["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
    env.iter().map(|entry| (entry["name"].as_str().unwrap(), entry["value"].as_str().unwrap_or_default())).collect()
}

#[test]
fn a_tenant_takes_three_steps_of_which_the_second_may_be_another_ones() {
    let long = "a".repeat(60);
    let short = format!("{}-11ee3912", "a".repeat(31));
    for (name, spec, expected) in [
        (
            "kopf-example-1",
            json!({}),
            [
                "blob Job kopf-example-1-create-blob create_blob",
                "nats NatsExample nats-example-1 observe",
                "pod Job kopf-example-1-something-else something_else",
            ]
            .map(str::to_owned),
        ),
        (
            "shop",
            json!({"nats": {"external": false}}),
            [
                "blob Job shop-create-blob create_blob",
                "nats NatsExample shop-nats manage",
                "pod Job shop-something-else something_else",
            ]
            .map(str::to_owned),
        ),
        (
            &long,
            json!({"nats": {"name": "theirs"}}),
            [
                format!("blob Job {short}-create-blob create_blob"),
                "nats NatsExample theirs observe".to_owned(),
                format!("pod Job {short}-something-else something_else"),
            ],
        ),
    ] {
        let (objects, policy) = tenants().play(&tenant(name, &spec), &Cluster::of(Vec::new())).unwrap();
        assert_eq!(policy.phases, ["blob", "nats", "pod"]);
        let mut lines: Vec<_> = objects.iter().map(line).collect();
        lines.sort();
        assert_eq!(lines, expected);
    }
}

#[test]
fn what_a_tenant_owns_says_what_the_tenant_says() {
    let spec = json!({"duration": "2m", "field": "value", "items": ["item1"], "nats": {"external": false}});
    let objects = play(&tenants(), &tenant("shop", &spec), &Cluster::of(Vec::new()));
    let nats = objects.iter().find(|object| object["kind"] == "NatsExample").unwrap();
    assert_eq!(nats["spec"], json!({"duration": "2m", "field": "value", "items": ["item1"]}));
}

#[test]
fn the_third_step_knows_what_the_others_gave() {
    let nats = json!({
        "apiVersion": "kopf.dev/v1", "kind": "NatsExample", "metadata": {"name": "nats-example-1", "namespace": "demo"},
        "status": {"create_nats_account": {"name": "nats account"}},
    });
    let player = tenants().with_results(json!({"create_blob": {"name": "my_blob"}}));
    let objects = play(&player, &tenant("kopf-example-1", &json!({})), &Cluster::of(vec![nats]));
    let last = objects.iter().find(|object| line(object).starts_with("pod ")).unwrap();
    assert_eq!(environment(last), [("BLOB", "my_blob"), ("ACCOUNT", "nats account")]);
}

#[test]
fn the_first_step_fails_as_often_as_it_is_told_to_and_then_gives_its_result() {
    let objects = play(&tenants(), &tenant("t", &json!({"failCount": 2})), &Cluster::of(Vec::new()));
    let first = objects.iter().find(|object| line(object).starts_with("blob ")).unwrap();
    let folder = Folder::new("chart-operator-step-").unwrap();
    let message = folder.path().join("message");
    let command = first["spec"]["template"]["spec"]["containers"][0]["command"].as_array().unwrap();
    assert_eq!(environment(first), [("ATTEMPT", ""), ("FAIL_COUNT", "2")]);
    let script = command[2].as_str().unwrap().replace("/dev/termination-log", message.to_str().unwrap());
    for (attempt, code) in [("1", 1), ("2", 1), ("3", 0)] {
        assert!(!message.exists());
        let mut shell = Command::new(command[0].as_str().unwrap());
        shell.args(["-c", &script]).env("ATTEMPT", attempt).env("FAIL_COUNT", "2");
        assert_eq!(shell.output().unwrap().status.code(), Some(code), "{attempt}");
    }
    assert_eq!(std::fs::read_to_string(message).unwrap(), r#"{"name":"my_blob"}"#);
}

fn phase(name: &str, entered: bool, ready: bool) -> Json {
    json!({"name": name, "entered": entered.then_some("2022-01-28T08:58:55Z"), "ready": ready, "message": ""})
}

fn outcome(more: &Json) -> Json {
    let mut outcome = ready();
    json_patch::merge(&mut outcome, more);
    outcome
}

#[test]
fn a_tenant_tells_how_far_it_is() {
    let retrying = json!({
        "state": "Retrying", "attempts": 2, "started": "2022-01-28T08:58:55Z", "completed": null,
        "retryAt": "2022-01-28T08:59:05Z", "message": "attempt 2 fails",
    });
    let resource = tenant("kopf-example-1", &json!({}));
    let status = tenants().status(
        &resource,
        &Cluster::of(Vec::new()),
        &outcome(&json!({
            "ready": false, "phase": "blob", "message": "phase `blob`: Job failed",
            "phases": [phase("blob", true, false), phase("nats", false, false), phase("pod", false, false)],
            "actions": {"create_blob": retrying},
        })),
    );
    let expected = json!({
        "create_fn": {"message": "phase `blob`: Job failed", "children": 0},
        "progress": {"create_blob": {
            "started": "2022-01-28T08:58:55Z", "stopped": null, "delayed": "2022-01-28T08:59:05Z", "purpose": "create",
            "retries": 1, "success": false, "failure": false, "message": "attempt 2 fails",
        }},
        "conditions": [{
            "type": "Available", "status": "False", "reason": "WaitingBlob", "message": "phase `blob`: Job failed",
        }],
    });
    assert_eq!(status, expected);

    let done = json!({
        "state": "Succeeded", "attempts": 3, "started": "2022-01-28T08:58:55Z", "completed": "2022-01-28T08:58:56Z",
        "retryAt": null, "message": "", "result": {"name": "my_blob"},
    });
    let status = tenants().status(
        &resource,
        &Cluster::of(Vec::new()),
        &outcome(&json!({
            "ready": false, "phase": "nats", "message": "phase `nats`: NatsExample demo/nats-example-1: not found",
            "phases": [phase("blob", true, true), phase("nats", true, false), phase("pod", false, false)],
            "actions": {"create_blob": done},
            "objects": [{
                "kind": "NatsExample", "namespace": "demo", "name": "nats-example-1", "phase": "nats", "message": "not found",
            }],
        })),
    );
    assert_eq!(status["create_blob_storge"], json!({"name": "my_blob"}));
    assert_eq!(status.get("create_nats"), None);
    assert_eq!(status["create_fn"]["message"], "waiting for NatsExample demo/nats-example-1: not found");
    assert_eq!(status["progress"]["create_blob"]["retries"], 2);
    let nats = json!({
        "started": "2022-01-28T08:58:55Z", "purpose": "create", "success": false, "failure": false, "message": "",
    });
    assert_eq!(status["progress"]["create_nats"], nats);
    assert_eq!(status["conditions"][0]["reason"], "WaitingNats");
}

#[test]
fn a_tenant_tells_that_it_is_on_board() {
    let resource = tenant("kopf-example-1", &json!({}));
    let status = tenants().status(
        &resource,
        &Cluster::of(Vec::new()),
        &outcome(&json!({"phases": [phase("blob", true, true), phase("nats", true, true), phase("pod", true, true)]})),
    );
    assert_eq!(status["create_nats"], json!({"name": "nats"}));
    assert_eq!(status["conditions"][0]["reason"], "Onboarded");
}

#[test]
fn an_account_has_a_server_where_one_is_wanted() {
    let player = Player::of("helm-charts/natsexample");
    let of = |spec: Json| {
        let mut resource = tenant("nats-example-1", &spec);
        resource["kind"] = json!("NatsExample");
        let cluster = Cluster { remembers: true, ..Cluster::of(Vec::new()) };
        play(&player, &resource, &cluster)
    };
    let lines = |objects: &[Json]| objects.iter().map(line).collect::<Vec<_>>();
    let account = of(json!({}));
    assert_eq!(lines(&account), ["account Secret nats-example-1-account"]);
    let user = "  tenant { users: [ {user: \"nats-example-1\", password: \"";
    assert!(account[0]["stringData"]["nats.conf"].as_str().unwrap().contains(user), "{account:?}");
    let mut served = lines(&of(json!({"server": {"enabled": true}})));
    served.sort();
    let expected = [
        "account Secret nats-example-1-account",
        "server Deployment nats-example-1-server",
        "server Service nats-example-1-server",
    ];
    assert_eq!(served, expected);
}
