//! The chart of tables in a database: which SQL it writes, what it refuses, and what a real PostgreSQL makes of it.

mod server;

use serde_json::{Value as Json, json};

use crate::stage::{Cluster, Player, Refused, ready};

const CHART: &str = "helm-charts/databasetable";

/// A resource that says these.
fn table(name: &str, columns: &Json, key: &str) -> Json {
    json!({
        "apiVersion": "kopf.demo/v1", "kind": "DatabaseTable",
        "metadata": {"name": "website-users", "namespace": "shop", "uid": "u1"},
        "spec": {"tableName": name, "columns": columns, "primaryKey": key},
    })
}

fn users(more: &[Json]) -> Json {
    let mut columns = vec![json!({"USER_ID": "integer"}), json!({"USER_NAME": "varchar(50)"})];
    columns.extend(more.iter().cloned());
    table("WEBSITE_USERS", &json!(columns), "USER_ID")
}

fn deleted(mut resource: Json) -> Json {
    resource["metadata"]["deletionTimestamp"] = json!("2026-01-01T12:00:00Z");
    resource
}

/// The Job that is rendered, if any.
fn job(player: &Player, resource: &Json) -> Result<Option<Json>, String> {
    match player.play(resource, &Cluster::of(Vec::new())) {
        Ok((objects, _)) => Ok(objects.into_iter().find(|object| object["kind"] == "Job")),
        Err(Refused::Fails(message)) => Err(message),
        Err(Refused::Waits(..)) => panic!("the chart never waits"),
    }
}

/// The last argument of its psql.
fn sql(job: &Json) -> &str {
    job["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap().last().unwrap().as_str().unwrap()
}

fn after(resource: &Json) -> Player {
    Player::of(CHART).after(&resource["spec"])
}

#[test]
fn a_new_table_is_made() {
    let job = job(&Player::of(CHART), &users(&[])).unwrap().unwrap();
    assert_eq!(job["metadata"]["name"], "website-users-create-44a066dc");
    let annotations = json!({
        "chart-operator.dev/phase": "database", "chart-operator.dev/action": "create", "chart-operator.dev/retry": "60s",
    });
    assert_eq!(job["metadata"]["annotations"], annotations);
    let expected = r#"DO $table$
DECLARE
  owner CONSTANT text := 'DatabaseTable shop/website-users u1';
  step CONSTANT text := owner || ': create-44a066dc';
  done text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext(owner));
  done := obj_description(to_regclass('"website_users"'), 'pg_class');
  IF done = step THEN
    RETURN;
  END IF;
  CREATE TABLE "website_users" ("user_id" integer, "user_name" varchar(50), PRIMARY KEY ("user_id"));
  EXECUTE format('COMMENT ON TABLE "website_users" IS %L', step);
END
$table$"#;
    assert_eq!(sql(&job).trim_end(), expected);
}

#[test]
fn new_columns_are_added() {
    let more = users(&[json!({"PHONE": "varchar(20)"}), json!({"Born": "Date"})]);
    let job = job(&after(&users(&[])), &more).unwrap().unwrap();
    assert_eq!(job["metadata"]["annotations"]["chart-operator.dev/action"], "update");
    let expected = r#"DO $table$
DECLARE
  owner CONSTANT text := 'DatabaseTable shop/website-users u1';
  step CONSTANT text := owner || ': update-e29e4a39';
  done text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext(owner));
  done := obj_description(to_regclass('"website_users"'), 'pg_class');
  IF done = step THEN
    RETURN;
  END IF;
  IF NOT coalesce(starts_with(done, owner || ': '), false) THEN
    RAISE EXCEPTION USING MESSAGE = 'table "website_users" is not there, or not of ' || owner;
  END IF;
  ALTER TABLE "website_users" ADD COLUMN "phone" varchar(20), ADD COLUMN "born" date;
  EXECUTE format('COMMENT ON TABLE "website_users" IS %L', step);
END
$table$"#;
    assert_eq!(sql(&job).trim_end(), expected);
}

#[test]
fn the_table_of_a_deleted_resource_is_dropped_whatever_its_spec_says() {
    let broken = table("nothing; good", &json!([]), "");
    for resource in [users(&[]), broken] {
        let job = job(&after(&users(&[])), &deleted(resource)).unwrap().unwrap();
        let annotations = &job["metadata"]["annotations"];
        let [action, on] = ["action", "on"].map(|key| &annotations[format!("chart-operator.dev/{key}")]);
        assert_eq!((action, on), (&json!("drop"), &json!("pre-delete")));
        let expected = r"DO $table$
DECLARE
  owner CONSTANT text := 'DatabaseTable shop/website-users u1';
  owned regclass;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext(owner));
  FOR owned IN
    SELECT objoid::regclass FROM pg_description
    WHERE classoid = 'pg_class'::regclass AND objsubid = 0 AND starts_with(description, owner || ': ')
  LOOP
    EXECUTE format('DROP TABLE %s', owned);
  END LOOP;
END
$table$";
        assert_eq!(sql(&job).trim_end(), expected);
    }
}

#[test]
fn without_a_difference_nothing_is_done() {
    let past = users(&[json!({"LAST_LOGIN": "timestamp with time zone"})]);
    for (what, now) in [
        ("the same", past.clone()),
        (
            "another order",
            table(
                "WEBSITE_USERS",
                &json!([{"LAST_LOGIN": "timestamp with time zone"}, {"USER_NAME": "varchar(50)"}, {"USER_ID": "integer"}]),
                "USER_ID",
            ),
        ),
        (
            "other letters",
            table(
                "website_users",
                &json!([
                    {"user_id": " INTEGER "}, {"User_Name": "VARCHAR ( 50 )"}, {"LAST_LOGIN": "Timestamp  with time zone"},
                ]),
                " user_id ",
            ),
        ),
    ] {
        assert_eq!(job(&after(&past), &now), Ok(None), "{what}");
    }
}

#[test]
fn what_is_no_table_is_refused_with_what_is_wrong() {
    let name = "tableName: expected at most 63 letters, digits and _, the first no digit; found ";
    let column = "column name: expected at most 63 letters, digits and _, the first no digit; found ";
    let kind = "column A: expected a type such as integer, varchar(50) or timestamp with time zone; found ";
    let of = |columns: Json| table("T", &columns, "A");
    let of_type = |text: &str| of(json!([{"A": text}]));
    for (resource, expected) in [
        (table("", &json!([{"A": "int"}]), "A"), "Config item 'tableName' is missing in spec.".to_owned()),
        (table("T", &json!([]), "A"), "Config item 'columns' is missing in spec.".to_owned()),
        (table("T", &json!([{"A": "int"}]), ""), "Config item 'primaryKey' is missing in spec.".to_owned()),
        (table("a b", &json!([{"A": "int"}]), "A"), format!(r#"{name}"a b""#)),
        (table("t\n", &json!([{"A": "int"}]), "A"), format!(r#"{name}"t\n""#)),
        (table("t\"; DROP TABLE u; --", &json!([{"A": "int"}]), "A"), format!(r#"{name}"t\"; DROP TABLE u; --""#)),
        (table("public.t", &json!([{"A": "int"}]), "A"), format!(r#"{name}"public.t""#)),
        (table("$(PGPASSWORD)", &json!([{"A": "int"}]), "A"), format!(r#"{name}"$(PGPASSWORD)""#)),
        (table("1t", &json!([{"A": "int"}]), "A"), format!(r#"{name}"1t""#)),
        (table("täble", &json!([{"A": "int"}]), "A"), format!(r#"{name}"täble""#)),
        (table(&"t".repeat(64), &json!([{"A": "int"}]), "A"), format!("{name}\"{}\"", "t".repeat(64))),
        (
            of(json!([{"A": "int"}, {"B int); DROP TABLE u; --": "int"}])),
            format!(r#"{column}"B int); DROP TABLE u; --""#),
        ),
        (of(json!([{"A": "int"}, {"": "int"}])), format!(r#"{column}"""#)),
        (of(json!([{"A": "int"}, {"a": "text"}])), "column a is there twice".to_owned()),
        (
            of(json!([{"A": "int", "B": "int"}])),
            r#"columns: expected a list of `name: type`, found {"A":"int","B":"int"} in it"#.to_owned(),
        ),
        (of(json!(["A"])), r#"columns: expected a list of `name: type`, found "A" in it"#.to_owned()),
        (of(json!({"A": "int"})), r#"columns: expected a list of `name: type`, found {"A":"int"}"#.to_owned()),
        (of(json!([{"A": 5}])), format!("{kind}5")),
        (of_type("int); DROP TABLE u; --"), format!(r#"{kind}"int); DROP TABLE u; --""#)),
        (of_type("int DEFAULT 5"), format!(r#"{kind}"int DEFAULT 5""#)),
        (of_type("int REFERENCES u"), format!(r#"{kind}"int REFERENCES u""#)),
        (of_type("int, b int"), format!(r#"{kind}"int, b int""#)),
        (of_type("varchar(50"), format!(r#"{kind}"varchar(50""#)),
        (of_type("int\nNOT NULL"), format!(r#"{kind}"int\nNOT NULL""#)),
        (of_type(""), format!(r#"{kind}"""#)),
        (table("T", &json!([{"A": "int"}]), "B"), "primaryKey: B is no column".to_owned()),
        (
            table("T", &json!([{"A": "int"}]), "A)"),
            r#"primaryKey: expected at most 63 letters, digits and _, the first no digit; found "A)""#.to_owned(),
        ),
    ] {
        let message = job(&Player::of(CHART), &resource).unwrap_err();
        assert!(message.ends_with(&format!(": {expected}")), "{message}\n{expected}");
    }
}

#[test]
fn only_new_columns_are_more_than_the_same() {
    let past = users(&[json!({"LAST_LOGIN": "timestamp"})]);
    let with = |columns: Json, name: &str, key: &str| table(name, &columns, key);
    let (id, user, login) =
        (json!({"USER_ID": "integer"}), json!({"USER_NAME": "varchar(50)"}), json!({"LAST_LOGIN": "timestamp"}));
    for (now, expected) in [
        (
            with(json!([id, user, {"X": "int"}]), "WEBSITE_USERS", "USER_ID"),
            "Removing column LAST_LOGIN is not supported",
        ),
        (
            with(json!([id, {"USER_NAME": "text"}, login]), "WEBSITE_USERS", "USER_ID"),
            "Changing column USER_NAME from varchar(50) to text is not supported",
        ),
        (
            with(json!([id, {"USER_NAME": "varchar(60)"}]), "WEBSITE_USERS", "USER_ID"),
            "Changing column USER_NAME from varchar(50) to varchar(60) is not supported; Removing column LAST_LOGIN is not supported",
        ),
        (with(json!([id, user, login]), "USERS", "USER_ID"), "Changing tableName is not supported"),
        (with(json!([id, user, login]), "WEBSITE_USERS", "USER_ID, USER_NAME"), "Changing primaryKey is not supported"),
    ] {
        let message = job(&after(&past), &now).unwrap_err();
        assert!(message.ends_with(&format!(": {expected}")), "{message}");
    }
}

#[test]
fn the_password_is_in_no_text_and_nothing_is_left_for_the_kubelet_to_expand() {
    let job = job(&Player::of(CHART), &users(&[])).unwrap().unwrap();
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let of_secret: Vec<_> =
        container["env"].as_array().unwrap().iter().filter(|entry| entry.get("valueFrom").is_some()).collect();
    let reference =
        json!({"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": "postgresql", "key": "password"}}});
    assert_eq!(of_secret, [&reference]);
    for of in [sql(&job), sql(&self::job(&after(&users(&[])), &deleted(users(&[]))).unwrap().unwrap())] {
        assert!(!of.contains("$(") && !of.contains("$$"), "{of}");
    }
}

#[test]
fn the_status_says_what_became_of_it() {
    let failed = |reason: &str, message: &str| json!({"ready": false, "message": message, "failed": {"reason": reason, "message": message}});
    let tried = json!({"update": {"state": "Retrying", "retryAt": "2026-01-01T12:01:00Z"}});
    let wrong = "databasetable/templates/job.yaml:1:14: executing …: execution error at (databasetable/templates/_sql.tpl:70:5): Removing column X is not supported";
    let refused = failed("ActionFailed", "psql: no server");
    for (what, before, committed, more, expected) in [
        (
            "at work",
            "",
            false,
            json!({"ready": false, "phase": "database", "message": "at work"}),
            json!(["", "at work", null]),
        ),
        (
            "no Secret",
            "",
            false,
            json!({"ready": false, "phase": "password"}),
            json!(["", "requires Secret postgresql", null]),
        ),
        ("the first", "", false, json!({"actions": {"create": {}}}), json!(["CREATED", "", null])),
        ("nothing new", "CREATED", true, json!({}), json!(["CREATED", "", null])),
        (
            "at work again",
            "CREATED",
            true,
            json!({"ready": false, "message": "at work"}),
            json!(["CREATED", "at work", null]),
        ),
        ("a new column", "CREATED", true, json!({"actions": {"update": {}}}), json!(["UPDATED", "", null])),
        (
            "refused",
            "UPDATED",
            true,
            failed("RenderFailed", wrong),
            json!(["UPDATE FAILED", "Removing column X is not supported", null]),
        ),
        ("taken back", "UPDATE FAILED", true, json!({}), json!(["UPDATED", "", null])),
        (
            "no server",
            "CREATED",
            true,
            {
                let mut o = refused.clone();
                o["actions"] = tried;
                o
            },
            json!(["UPDATE FAILED", "psql: no server", "2026-01-01T12:01:00Z"]),
        ),
        ("none at first", "", false, refused, json!(["CREATE FAILED", "psql: no server", null])),
        ("mended before it was there", "CREATE FAILED", false, json!({}), json!(["CREATED", "", null])),
    ] {
        let mut resource = users(&[]);
        resource["status"] = json!({"operation": before});
        let player = if committed { after(&users(&[])) } else { Player::of(CHART) };
        let mut outcome = ready();
        json_patch::merge(&mut outcome, &more);
        let status = player.status(&resource, &Cluster::of(Vec::new()), &outcome);
        let seen = json!([status["operation"].as_str().unwrap_or_default(), status["message"], status.get("retryAt")]);
        assert_eq!(seen, expected, "{what}");
    }
}

#[test]
fn the_status_says_that_a_table_cannot_be_dropped() {
    let mut outcome = ready();
    json_patch::merge(
        &mut outcome,
        &json!({"ready": false, "failed": {"reason": "ActionFailed", "message": "no server"}}),
    );
    let status = Player::of(CHART).status(&deleted(users(&[])), &Cluster::of(Vec::new()), &outcome);
    assert_eq!((&status["operation"], &status["message"]), (&json!("DELETION FAILED"), &json!("no server")));
}
