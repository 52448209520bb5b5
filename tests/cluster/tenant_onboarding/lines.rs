//! `samples/kopf_v1_kopfexample.yaml` and `samples/kopf_v1_natsexample.yaml`.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use testbed::jobs::{Player, Processes};

use crate::support::{
    History, Namespace, Operator, Project, Setting, condition_message, condition_text, eventually, plane, sample,
};

const TENANT: &str = "kopf-example-1";
const NATS: &str = "nats-example-1";
const BLOB: &str = "kopf-example-1-create-blob";
const LAST: &str = "kopf-example-1-something-else";

/// A namespace, and in it an operator for tenants and perhaps one for accounts. They do nothing without a cause.
struct Scene {
    namespace: Namespace,
    project: Project,
    tenants: Operator,
    accounts: Option<Operator>,
    jobs: History,
    _player: Player,
}

impl Scene {
    async fn start(test: &str) -> Self {
        Self::with(test, Project::watching(&["KopfExample"])).await
    }

    async fn with(test: &str, project: Project) -> Self {
        let client = plane().client().await.unwrap();
        let namespace = Namespace::create_in(client.clone(), test).await;
        let processes = Processes { client, programs: BTreeMap::new(), environment: BTreeMap::new() };
        let player = plane().play_jobs(&namespace.name, processes.play()).await.unwrap();
        let jobs = History::of(namespace.api("Job")).await;
        let tenants = operator(&project, &namespace).await;
        let mut scene = Self { namespace, project, tenants, accounts: None, jobs, _player: player };
        scene.start_accounts().await;
        scene
    }

    async fn start_accounts(&mut self) {
        self.accounts = Some(operator(&Project::watching(&["NatsExample"]), &self.namespace).await);
    }

    async fn apply(&self, kind: &str, file: &str, spec: Json) {
        let mut resource = sample(file);
        json_patch::merge(&mut resource, &json!({"spec": spec}));
        self.namespace.create_object(kind, resource).await;
    }

    async fn apply_tenant(&self, spec: Json) {
        self.apply("KopfExample", "kopf_v1_kopfexample.yaml", spec).await;
    }

    async fn apply_account(&self) {
        self.apply("NatsExample", "kopf_v1_natsexample.yaml", json!({})).await;
    }

    async fn until_waiting(&self, tenant: &str) -> Json {
        let waits = |tenant: &Json| condition_text(tenant, "Available").as_deref() == Some("False/WaitingNats");
        self.namespace.until("KopfExample", tenant, "it waits for its account", waits).await
    }

    async fn until_on_board(&self, tenant: &str) -> Json {
        let done = |tenant: &Json| condition_text(tenant, "Available").as_deref() == Some("True/Onboarded");
        self.namespace.until("KopfExample", tenant, "it is on board", done).await
    }

    /// UIDs of all Jobs of this name that there ever were.
    fn ever(&self, job: &str) -> Vec<String> {
        self.jobs.of_object(0, job, uid)
    }

    /// What the steps before gave.
    async fn assert_last_step_knows(&self) {
        let last = self.namespace.find("Job", LAST).await.unwrap();
        let env = &last["spec"]["template"]["spec"]["containers"][0]["env"];
        assert_eq!(*env, json!([{"name": "BLOB", "value": "my_blob"}, {"name": "ACCOUNT", "value": "nats account"}]));
    }

    /// Has the operator look at the tenant once more, and waits until it has.
    async fn look_again(&self, mark: &str) {
        let annotation = json!({"metadata": {"annotations": {"chart-operator.dev/requestedAt": mark}}});
        self.namespace.patch("KopfExample", TENANT, annotation).await;
        let looked = |tenant: &Json| tenant["status"]["lastHandledReconcileAt"] == mark;
        self.namespace.until("KopfExample", TENANT, "it was looked at", looked).await;
    }
}

async fn operator(project: &Project, namespace: &Namespace) -> Operator {
    let mut operator = Operator::launch(project, Setting::of(plane(), &namespace.name), &["--reconcile-period=1h"]);
    operator.until_ready().await;
    operator
}

fn uid(object: &Json) -> String {
    object["metadata"]["uid"].as_str().unwrap().to_owned()
}

fn time<'a>(object: &'a Json, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Json::as_str).unwrap()
}

#[tokio::test]
async fn c_01_both_kinds_are_served_and_both_operators_become_ready() {
    let scene = Scene::start("c-01").await;
    assert!(scene.tenants.is_ready().await && scene.accounts.as_ref().unwrap().is_ready().await);
    for (name, short) in [
        ("kopfexamples.kopf.dev", json!(["kopfexes", "kopfex", "kexes", "kex"])),
        ("natsexamples.kopf.dev", json!(["nats"])),
    ] {
        let definition = scene.namespace.find("CustomResourceDefinition", name).await.unwrap();
        assert_eq!(definition["spec"]["names"]["shortNames"], short);
        let columns = definition["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap();
        let columns: Vec<_> = columns.iter().map(|column| column["name"].as_str().unwrap()).collect();
        assert_eq!(columns, ["Duration", "Children", "Message"]);
    }
}

#[tokio::test]
async fn c_02_a_tenant_has_its_blob_and_waits_for_an_account_of_somebody_else() {
    let scene = Scene::start("c-02").await;
    scene.apply_tenant(json!({})).await;
    let tenant = scene.until_waiting(TENANT).await;
    assert_eq!(tenant["status"]["create_blob_storge"], json!({"name": "my_blob"}));
    let waits = format!("waiting for NatsExample {}/{NATS}: not found", scene.namespace.name);
    assert_eq!(tenant["status"]["create_fn"]["message"], waits);
    assert_eq!(condition_message(&tenant, "Available"), waits);
    let progress = &tenant["status"]["progress"]["create_blob"];
    assert_eq!(
        [&progress["success"], &progress["retries"], &progress["delayed"]],
        [&json!(true), &json!(0), &json!(null)]
    );

    scene.namespace.patch("KopfExample", TENANT, json!({"spec": {"field": "other"}})).await;
    scene.look_again("once-more").await;
    assert_eq!(scene.ever(BLOB).len(), 1);
    assert_eq!(scene.namespace.names("Job").await, [BLOB]);
    assert_eq!(scene.ever(LAST), Vec::<String>::new());
}

#[tokio::test]
async fn c_03_an_account_is_made_elsewhere_and_the_tenant_is_on_board() {
    let scene = Scene::start("c-03").await;
    scene.apply_tenant(json!({})).await;
    scene.until_waiting(TENANT).await;
    scene.apply_account().await;
    let tenant = scene.until_on_board(TENANT).await;
    assert_eq!(tenant["status"]["create_nats"], json!({"name": "nats"}));
    assert_eq!(tenant["status"]["create_fn"]["message"], "the tenant is on board");

    let account = scene.namespace.find("NatsExample", NATS).await.unwrap();
    assert_eq!(account["status"]["create_nats_account"], json!({"name": "nats account"}));
    assert_eq!(account["metadata"].get("ownerReferences"), None);
    let told = || async {
        let api = scene.namespace.api("Event");
        let events = api.list(&kube::api::ListParams::default()).await.unwrap();
        events.items.into_iter().find(|event| event.data["reason"] == "SomeReason")
    };
    let event = eventually("the event", told).await;
    assert_eq!((&event.data["message"], &event.data["type"]), (&json!("Some message"), &json!("Normal")));
    assert_eq!(event.data["involvedObject"]["name"], NATS);

    scene.assert_last_step_knows().await;
}

#[tokio::test]
async fn where_the_account_is_there_already_the_last_step_knows_the_blob_all_the_same() {
    let scene = Scene::start("c-known").await;
    scene.apply_account().await;
    let made = |account: &Json| account["status"]["create_nats_account"].is_object();
    scene.namespace.until("NatsExample", NATS, "it has an account", made).await;
    scene.apply_tenant(json!({})).await;
    scene.until_on_board(TENANT).await;
    scene.assert_last_step_knows().await;
}

#[tokio::test]
async fn c_04_a_tenant_makes_it_itself_in_order_whatever_the_files_are_called() {
    let project = Project::watching(&["KopfExample"]);
    for (file, other) in [("create-blob", "z"), ("nats", "y"), ("something-else", "a")] {
        let path = |name: &str| project.path(&format!("helm-charts/kopfexample/templates/{name}.yaml"));
        std::fs::rename(path(file), path(other)).unwrap();
    }
    let scene = Scene::with("c-04", project).await;
    scene.apply_tenant(json!({"nats": {"external": false}})).await;
    let tenant = scene.until_on_board(TENANT).await;
    let account = scene.namespace.find("NatsExample", NATS).await.unwrap();
    let owner = &account["metadata"]["ownerReferences"][0];
    assert_eq!((&owner["kind"], &owner["uid"]), (&json!("KopfExample"), &tenant["metadata"]["uid"]));
    assert_eq!(account["spec"]["items"], json!(["item1", "item2"]));

    let last = scene.namespace.find("Job", LAST).await.unwrap();
    let ready = account["status"]["conditions"].as_array().unwrap();
    let ready = ready.iter().find(|condition| condition["type"] == "AccountCreated").unwrap();
    let order = [
        time(&tenant, "/status/progress/create_blob/started"),
        time(&tenant, "/status/progress/create_blob/stopped"),
        time(&account, "/metadata/creationTimestamp"),
        time(ready, "/lastTransitionTime"),
        time(&last, "/metadata/creationTimestamp"),
    ];
    assert!(order.is_sorted(), "{order:?}");
}

#[tokio::test]
async fn c_05_a_first_step_that_fails_is_tried_again() {
    let project = Project::watching(&["KopfExample"]);
    project.edit("helm-charts/kopfexample/templates/_helpers.tpl", |text| text.replace("retry: 10s", "retry: 2s"));
    let scene = Scene::with("c-05", project).await;
    let tenants = History::of(scene.namespace.api("KopfExample")).await;
    scene.apply_tenant(json!({"failCount": 2, "nats": {"external": false}})).await;
    let tenant = scene.until_on_board(TENANT).await;
    let progress = &tenant["status"]["progress"]["create_blob"];
    assert_eq!(
        [&progress["success"], &progress["retries"], &progress["delayed"]],
        [&json!(true), &json!(2), &json!(null)]
    );

    let seen = tenants.of_object(0, TENANT, |tenant| {
        let progress = &tenant["status"]["progress"]["create_blob"];
        let message = progress["message"].as_str().unwrap_or_default().contains("attempt 1 fails");
        (progress["retries"].as_i64(), progress["delayed"].is_string(), message)
    });
    assert!(seen.contains(&(Some(0), true, true)), "{seen:?}");
    let attempts = scene.ever(BLOB);
    assert_eq!(attempts.len(), 3, "{attempts:?}");
    let account = scene.namespace.find("NatsExample", NATS).await.unwrap();
    assert!(time(progress, "/stopped") <= time(&account, "/metadata/creationTimestamp"));
}

#[tokio::test]
async fn c_06_a_tenant_waits_for_an_operator_and_no_step_is_repeated() {
    let mut scene = Scene::start("c-06").await;
    scene.accounts.take().unwrap().terminate().await;
    scene.apply_tenant(json!({"nats": {"external": false}})).await;
    let account = format!("{}/{NATS}", scene.namespace.name);
    let without = format!("waiting for NatsExample {account}: has no account yet");
    let waits = |tenant: &Json| tenant["status"]["create_fn"]["message"] == without.as_str();
    scene.namespace.until("KopfExample", TENANT, "it waits for the other operator", waits).await;

    let next = operator(&scene.project, &scene.namespace);
    scene.tenants.signal("KILL");
    scene.tenants = next.await;
    scene.look_again("after-the-kill").await;
    scene.start_accounts().await;
    scene.until_on_board(TENANT).await;
    assert_eq!((scene.ever(BLOB).len(), scene.ever(LAST).len()), (1, 1));
}

#[tokio::test]
async fn c_07_namesakes_elsewhere_mean_nothing_and_a_tenant_takes_only_what_is_its_own() {
    let scene = Scene::start("c-07").await;
    let elsewhere = Namespace::create_in(scene.namespace.client.clone(), "c-07-b").await;
    let other = operator(&Project::watching(&["NatsExample"]), &elsewhere).await;
    scene.apply_tenant(json!({})).await;
    scene.until_waiting(TENANT).await;
    elsewhere.create_object("NatsExample", sample("kopf_v1_natsexample.yaml")).await;
    let made = |account: &Json| account["status"]["create_nats_account"].is_object();
    elsewhere.until("NatsExample", NATS, "it has an account", made).await;
    scene.look_again("still").await;
    assert_eq!(scene.ever(LAST), Vec::<String>::new());
    other.terminate().await;

    scene.apply_account().await;
    scene.until_on_board(TENANT).await;
    let mut own = sample("kopf_v1_kopfexample.yaml");
    json_patch::merge(&mut own, &json!({"metadata": {"name": "own"}, "spec": {"nats": {"external": false}}}));
    scene.namespace.create_object("KopfExample", own).await;
    scene.until_on_board("own").await;
    assert!(scene.namespace.find("Secret", "own-nats-account").await.is_some());
    for tenant in [TENANT, "own"] {
        scene.namespace.delete("KopfExample", tenant).await;
        scene.namespace.until_gone("KopfExample", tenant).await;
    }
    // Its own operator took it down, before the tenant was gone.
    assert_eq!(scene.namespace.names("NatsExample").await, [NATS]);
    let secrets = scene.namespace.names("Secret").await;
    assert!(
        !secrets.contains(&"own-nats-account".to_owned()) && secrets.contains(&format!("{NATS}-account")),
        "{secrets:?}"
    );
}
