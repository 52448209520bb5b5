//! `samples/kopf_v1_databasetable.yaml`.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::api::ListParams;
use serde_json::{Value as Json, json};
use testbed::jobs::{Player, Processes};
use testbed::postgres::{PASSWORD, Postgres};
use tokio::sync::watch;

use crate::support::{
    History, Namespace, Operator, Project, Setting, condition_message, condition_text, eventually, plane, sample,
};

const TABLE: &str = "website-users";
const SAMPLE: &str = "user_id integer, user_name character varying(50), user_email character varying(100), signup_date date, \
                      last_login timestamp without time zone";

/// A namespace with the Secret of its database, which is new, and an operator.
struct Scene {
    namespace: Namespace,
    project: Project,
    operator: Operator,
    jobs: History,
    database: Postgres,
    /// Whether Pods run that have started.
    gate: watch::Sender<bool>,
    _player: Player,
}

impl Scene {
    /// Nothing where PostgreSQL is not installed.
    async fn start(test: &str) -> Option<Self> {
        Self::with_flags(test, &["--reconcile-period=1h"]).await
    }

    async fn with_flags(test: &str, flags: &[&str]) -> Option<Self> {
        let database = tokio::task::spawn_blocking(Postgres::start).await.unwrap().unwrap();
        let Some(database) = database else {
            eprintln!("{test} is not tried: PostgreSQL is not installed (Debian: postgresql-15)");
            return None;
        };
        let client = plane().client().await.unwrap();
        let namespace = Namespace::create_in(client.clone(), test).await;
        let (gate, open) = watch::channel(true);
        let port = database.port().to_string();
        let environment = [("PGHOST", "127.0.0.1"), ("PGPORT", &port)];
        let processes = Processes {
            client,
            programs: BTreeMap::from([("psql".to_owned(), database.program("psql"))]),
            environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        };
        let play = Arc::new(move |pod| {
            let (processes, mut open) = (processes.clone(), open.clone());
            Box::pin(async move {
                open.wait_for(|open| *open).await.unwrap();
                processes.run(pod).await
            }) as _
        });
        let player = plane().play_jobs(&namespace.name, play).await.unwrap();
        let jobs = History::of(namespace.api("Job")).await;
        let project = Project::watching(&["DatabaseTable"]);
        project.edit("helm-charts/databasetable/templates/job.yaml", |text| text.replace("retry: 60s", "retry: 2s"));
        let operator = Self::operator(&project, &namespace, flags).await;
        let scene = Self { namespace, project, operator, jobs, database, gate, _player: player };
        scene.create_secret().await;
        Some(scene)
    }

    async fn operator(project: &Project, namespace: &Namespace, flags: &[&str]) -> Operator {
        let mut operator = Operator::launch(project, Setting::of(plane(), &namespace.name), flags);
        operator.until_ready().await;
        operator
    }

    /// As the chart of the database makes it.
    async fn create_secret(&self) {
        self.namespace.create_named("Secret", "postgresql", json!({"stringData": {"password": PASSWORD}})).await;
    }

    async fn create_table(&self) -> Json {
        self.namespace.create_object("DatabaseTable", sample("kopf_v1_databasetable.yaml")).await;
        self.until("CREATED").await
    }

    async fn until(&self, operation: &str) -> Json {
        let is = |table: &Json| table["status"]["operation"] == operation;
        self.namespace.until("DatabaseTable", TABLE, operation, is).await
    }

    /// Gives the resource the columns of the sample, but for those, and these.
    async fn edit(&self, without: &[&str], more: &[(&str, &str)]) {
        let mut columns = sample("kopf_v1_databasetable.yaml")["spec"]["columns"].as_array().unwrap().clone();
        columns.retain(|column| !without.iter().any(|name| column.get(name).is_some()));
        columns.extend(more.iter().map(|(name, kind)| json!({*name: kind})));
        self.namespace.patch("DatabaseTable", TABLE, json!({"spec": {"columns": columns}})).await;
    }

    /// The columns of a table with their types; empty where there is none.
    fn columns(&self, table: &str) -> String {
        let columns = self.database.query(&format!(
            "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) \
             FROM pg_attribute WHERE attrelid = to_regclass('{table}') AND attnum > 0"
        ));
        columns.unwrap()
    }

    /// Names of all Jobs that there ever were, with their UIDs.
    fn ever(&self) -> Vec<(String, String)> {
        let name = |job: &Json, field: &str| job["metadata"][field].as_str().unwrap().to_owned();
        self.jobs.all(|job| (name(job, "name"), name(job, "uid")))
    }

    /// Has the operator look at the resource once more, and gives it as it then is.
    async fn look_again(&self, mark: &str) -> Json {
        let annotation = json!({"metadata": {"annotations": {"chart-operator.dev/requestedAt": mark}}});
        self.namespace.patch("DatabaseTable", TABLE, annotation).await;
        let looked = |table: &Json| table["status"]["lastHandledReconcileAt"] == mark;
        self.namespace.until("DatabaseTable", TABLE, "it was looked at", looked).await
    }

    async fn events(&self, reason: &str) -> Vec<Json> {
        let list = self.namespace.api("Event").list(&ListParams::default()).await.unwrap();
        list.items.into_iter().map(|event| event.data).filter(|event| event["reason"] == reason).collect()
    }
}

fn message(table: &Json) -> &str {
    table["status"]["message"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn d_01_there_is_an_empty_database_and_the_kind_is_served() {
    let Some(scene) = Scene::start("d-01").await else { return };
    assert!(scene.operator.is_ready().await);
    let relations = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(scene.database.query(relations).unwrap(), "0");
    let definition = scene.namespace.find("CustomResourceDefinition", "databasetables.kopf.demo").await.unwrap();
    let version = &definition["spec"]["versions"][0];
    assert_eq!((version.get("subresources"), version.get("additionalPrinterColumns")), (None, None));
}

#[tokio::test]
async fn d_02_a_table_is_made_and_then_nothing_more_is_written() {
    let Some(scene) = Scene::with_flags("d-02", &["--reconcile-period=1s"]).await else { return };
    scene.create_table().await;
    assert_eq!(scene.columns("website_users"), SAMPLE);
    let key = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'website_users_pkey'";
    assert_eq!(scene.database.query(key).unwrap(), "PRIMARY KEY (user_id)");
    eventually("the Job is gone", || async { scene.namespace.names("Job").await.is_empty().then_some(()) }).await;

    let passes = "controller_runtime_reconcile_total";
    let quiet = || async {
        let (before, from) = (scene.namespace.find("DatabaseTable", TABLE).await?, scene.operator.sum(passes).await);
        let looked = || async { (scene.operator.sum(passes).await >= from + 3.0).then_some(()) };
        eventually("three periods", looked).await;
        let after = scene.namespace.find("DatabaseTable", TABLE).await?;
        let same = |field: &str| before["metadata"][field] == after["metadata"][field];
        (same("resourceVersion") && same("generation")).then_some(())
    };
    eventually("nothing is written", quiet).await;
    assert_eq!(scene.ever().len(), 1);
}

#[tokio::test]
async fn d_03_a_new_column_is_added_by_one_more_job() {
    let Some(scene) = Scene::start("d-03").await else { return };
    scene.create_table().await;
    scene.edit(&[], &[("PHONE", "varchar(20)")]).await;
    scene.until("UPDATED").await;
    assert_eq!(scene.columns("website_users"), format!("{SAMPLE}, phone character varying(20)"));
    assert_eq!(scene.ever().len(), 2);
}

#[tokio::test]
async fn d_04_a_column_that_is_removed_or_changed_is_refused_with_all_of_the_edit() {
    let Some(scene) = Scene::start("d-04").await else { return };
    scene.create_table().await;
    scene.edit(&["LAST_LOGIN"], &[("X", "integer")]).await;
    let table = scene.until("UPDATE FAILED").await;
    assert_eq!(message(&table), "Removing column LAST_LOGIN is not supported");
    assert_eq!(condition_text(&table, "Stalled").as_deref(), Some("True/RenderFailed"));
    let told = || async { scene.events("RenderFailed").await.into_iter().find(|event| event["type"] == "Warning") };
    assert!(eventually("the event", told).await["message"].to_string().contains("LAST_LOGIN"));

    let lines = scene.operator.log().len();
    scene.look_again("still").await;
    scene.edit(&["USER_NAME"], &[("USER_NAME", "text")]).await;
    let changed = "Changing column USER_NAME from varchar(50) to text is not supported";
    let says = |table: &Json| message(table) == changed;
    scene.namespace.until("DatabaseTable", TABLE, changed, says).await;
    assert!(scene.operator.log().len() < lines + 20, "{:?}", scene.operator.log());
    assert_eq!((scene.columns("website_users").as_str(), scene.ever().len()), (SAMPLE, 1));
}

#[tokio::test]
async fn d_05_when_it_is_taken_back_nothing_is_run() {
    let Some(scene) = Scene::start("d-05").await else { return };
    scene.create_table().await;
    scene.edit(&["LAST_LOGIN"], &[]).await;
    scene.until("UPDATE FAILED").await;
    scene.edit(&[], &[]).await;
    let table = scene.until("UPDATED").await;
    assert_eq!((message(&table), condition_text(&table, "Ready").unwrap().starts_with("True/")), ("", true));
    assert_eq!((scene.columns("website_users").as_str(), scene.ever().len()), (SAMPLE, 1));
}

#[tokio::test]
async fn d_06_without_the_database_an_edit_fails_and_then_is_done_by_itself() {
    let Some(mut scene) = Scene::start("d-06").await else { return };
    scene.create_table().await;
    scene.database.stop();
    scene.edit(&[], &[("Y", "integer")]).await;
    let table = scene.until("UPDATE FAILED").await;
    assert!(message(&table).contains("Connection refused"), "{table}");
    assert!(table["status"]["retryAt"].is_string(), "{table}");
    scene.database.resume().unwrap();
    let table = scene.until("UPDATED").await;
    assert_eq!((message(&table), table["status"].get("retryAt")), ("", None));
    assert_eq!(scene.columns("website_users"), format!("{SAMPLE}, y integer"));
}

#[tokio::test]
async fn d_07_killed_or_edited_on_the_way_it_gets_to_the_same_end() {
    let Some(mut scene) = Scene::start("d-07").await else { return };
    scene.create_table().await;
    scene.gate.send(false).unwrap();
    scene.edit(&[], &[("Z1", "integer")]).await;
    let runs = || async { (scene.ever().len() == 2 && scene.namespace.names("Pod").await.len() == 1).then_some(()) };
    eventually("the Job runs", runs).await;
    scene.edit(&[], &[("Z1", "integer"), ("Z2", "text")]).await;
    let next = Scene::operator(&scene.project, &scene.namespace, &["--reconcile-period=1h"]);
    scene.operator.signal("KILL");
    scene.operator = next.await;
    scene.look_again("after-the-kill").await;
    assert_eq!(scene.ever().len(), 2, "the running Job is waited for");
    scene.gate.send(true).unwrap();
    let both = format!("{SAMPLE}, z1 integer, z2 text");
    eventually("both columns", || async { (scene.columns("website_users") == both).then_some(()) }).await;
    let done = |table: &Json| {
        table["status"]["operation"] == "UPDATED"
            && condition_text(table, "Ready").unwrap_or_default().starts_with("True/")
    };
    scene.namespace.until("DatabaseTable", TABLE, "it is ready", done).await;
    assert_eq!(scene.ever().len(), 3);
}

#[tokio::test]
async fn d_08_a_table_waits_for_the_secret() {
    let Some(scene) = Scene::start("d-08").await else { return };
    scene.namespace.delete("Secret", "postgresql").await;
    scene.namespace.create_object("DatabaseTable", sample("kopf_v1_databasetable.yaml")).await;
    let waits = |table: &Json| message(table) == "requires Secret postgresql";
    let table = scene.namespace.until("DatabaseTable", TABLE, "it waits", waits).await;
    assert_eq!(table["status"].get("operation"), None);
    assert_eq!(condition_message(&table, "Ready"), "phase `password`: Secret postgresql: not found");
    assert_eq!(scene.ever(), []);
    scene.create_secret().await;
    scene.until("CREATED").await;
}

#[tokio::test]
async fn d_09_a_deleted_resource_stays_until_its_table_is_dropped() {
    let Some(mut scene) = Scene::start("d-09").await else { return };
    scene.create_table().await;
    scene.database.stop();
    scene.namespace.delete("DatabaseTable", TABLE).await;
    let table = scene.until("DELETION FAILED").await;
    assert!(message(&table).contains("Connection refused"), "{table}");
    assert!(table["metadata"]["deletionTimestamp"].is_string());
    scene.database.resume().unwrap();
    scene.namespace.until_gone("DatabaseTable", TABLE).await;
    assert_eq!(scene.columns("website_users"), "");
    eventually("no Job is left", || async { scene.namespace.names("Job").await.is_empty().then_some(()) }).await;
}

#[tokio::test]
async fn d_10_what_is_no_table_is_refused_before_anything_is_run() {
    let Some(scene) = Scene::start("d-10").await else { return };
    scene.database.query("CREATE TABLE website_users (theirs integer)").unwrap();
    let mut table = sample("kopf_v1_databasetable.yaml");
    table["spec"].as_object_mut().unwrap().remove("primaryKey");
    scene.namespace.create_object("DatabaseTable", table).await;
    let refused = scene.until("CREATE FAILED").await;
    assert_eq!(message(&refused), "Config item 'primaryKey' is missing in spec.");
    let sql = "USER_ID integer); DROP TABLE website_users; --";
    scene.edit(&[], &[(sql, "integer")]).await;
    scene.namespace.patch("DatabaseTable", TABLE, json!({"spec": {"primaryKey": "USER_ID"}})).await;
    let says = |table: &Json| message(table).starts_with("column name: expected ");
    scene.namespace.until("DatabaseTable", TABLE, "it is refused", says).await;
    assert_eq!(scene.ever(), []);

    // What is a table, but somebody else's, is neither changed nor dropped.
    scene.edit(&[], &[]).await;
    let says = |table: &Json| message(table).contains(r#"relation "website_users" already exists"#);
    scene.namespace.until("DatabaseTable", TABLE, "it is somebody else's", says).await;
    scene.namespace.delete("DatabaseTable", TABLE).await;
    scene.namespace.until_gone("DatabaseTable", TABLE).await;
    assert_eq!(scene.columns("website_users"), "theirs integer");
}
