//! The chart's SQL, run by psql against a real PostgreSQL as the chart's Job would run it.

use std::process::{Child, Command, Stdio};

use serde_json::{Value as Json, json};
use testbed::postgres::{DATABASE, PASSWORD, Postgres, USER};

use crate::database_tables::{CHART, after, deleted, job, table, users};
use crate::stage::Player;

/// Exit code, and what it says of it.
type Ran = (i32, String);

fn start(server: &Postgres, job: &Json) -> Child {
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["command"], json!(["psql"]));
    let arguments = container["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap().to_owned());
    let mut psql = Command::new(server.program("psql"));
    for entry in container["env"].as_array().unwrap() {
        psql.env(entry["name"].as_str().unwrap(), entry["value"].as_str().unwrap_or(PASSWORD));
    }
    psql.env("PGHOST", "127.0.0.1").env("PGPORT", server.port().to_string()).args(arguments);
    psql.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(psql: Child) -> Ran {
    let output = psql.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap().trim().to_owned())
}

fn run(server: &Postgres, player: &Player, resource: &Json) -> Ran {
    end(start(server, &job(player, resource).unwrap().unwrap()))
}

fn well() -> Ran {
    (0, String::new())
}

/// Columns of a table with their types, and those of its primary key.
fn columns(server: &Postgres, table: &str) -> String {
    let of_table = format!("to_regclass('{table}')");
    let columns = server.query(&format!(
        "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute \
         WHERE attrelid = {of_table} AND attnum > 0 AND NOT attisdropped"
    ));
    let key = server.query(&format!("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = {of_table}"));
    format!("{}; {}", columns.unwrap(), key.unwrap())
}

fn another(mut resource: Json, name: &str) -> Json {
    resource["metadata"]["name"] = json!(name);
    resource["metadata"]["uid"] = json!(name);
    resource
}

#[test]
fn a_real_server_does_what_the_chart_says() {
    let Some(server) = Postgres::start().unwrap() else {
        eprintln!("not tried: there is no PostgreSQL on this machine (Debian: postgresql-15)");
        return;
    };
    let player = Player::of(CHART);
    a_table_is_made_changed_and_dropped_once(&server, &player);
    what_is_not_ours_is_left_alone(&server, &player);
    pods_at_the_same_time_do_it_once(&server, &player);
    names_and_types_are_taken_as_they_are(&server, &player);
    a_failure_is_told_in_a_line_and_changes_nothing(&server, &player);
    assert_eq!(
        server
            .query(
                "SELECT string_agg(relname, ' ') FROM pg_class WHERE relkind = 'r' AND relowner = current_user::regrole"
            )
            .unwrap(),
        "theirs"
    );
}

fn a_table_is_made_changed_and_dropped_once(server: &Postgres, player: &Player) {
    let (one, two) = (users(&[]), users(&[json!({"PHONE": "varchar(20)"})]));
    assert_eq!(run(server, player, &one), well());
    assert_eq!(
        columns(server, "website_users"),
        "user_id integer, user_name character varying(50); PRIMARY KEY (user_id)"
    );
    server.query("INSERT INTO WEBSITE_USERS (USER_ID, USER_NAME) VALUES (1, 'jane')").unwrap();
    assert_eq!(run(server, player, &one), well(), "once more");
    for _ in 0..2 {
        assert_eq!(run(server, &after(&one), &two), well());
        assert!(columns(server, "website_users").contains("phone character varying(20); PRIMARY KEY (user_id)"));
    }
    assert_eq!(server.query("SELECT user_name FROM website_users WHERE phone IS NULL").unwrap(), "jane");
    for _ in 0..2 {
        assert_eq!(run(server, player, &deleted(two.clone())), well());
        assert_eq!(server.query("SELECT to_regclass('website_users')").unwrap(), "");
    }
}

fn what_is_not_ours_is_left_alone(server: &Postgres, player: &Player) {
    server.query("CREATE TABLE theirs (user_id integer)").unwrap();
    let ours = table("THEIRS", &json!([{"A": "int"}]), "A");
    let exists = (1, r#"ERROR:  relation "theirs" already exists"#.to_owned());
    assert_eq!(run(server, player, &ours), exists);
    let more = table("THEIRS", &json!([{"A": "int"}, {"B": "int"}]), "A");
    let refused = r#"ERROR:  table "theirs" is not there, or not of DatabaseTable shop/website-users u1"#;
    assert_eq!(run(server, &after(&ours), &more), (1, refused.to_owned()));
    // Another resource's table, whose name begins like this one's.
    let of_another = another(users(&[]), "u10");
    assert_eq!(run(server, player, &of_another), well());
    assert_eq!(run(server, player, &users(&[])).0, 1);
    assert_eq!(run(server, player, &deleted(ours)), well());
    assert_eq!(columns(server, "theirs"), "user_id integer; ");
    assert!(columns(server, "website_users").starts_with("user_id integer"));
    assert_eq!(run(server, player, &deleted(of_another)), well());
}

fn pods_at_the_same_time_do_it_once(server: &Postgres, player: &Player) {
    let resource = another(users(&[]), "many");
    let job = job(player, &resource).unwrap().unwrap();
    let running: Vec<_> = (0..8).map(|_| start(server, &job)).collect();
    assert_eq!(running.into_iter().map(end).collect::<Vec<_>>(), vec![well(); 8]);
    assert_eq!(run(server, player, &deleted(resource)), well());
}

fn names_and_types_are_taken_as_they_are(server: &Postgres, player: &Player) {
    let long = "l".repeat(63);
    let types = [
        "int",
        "integer",
        "bigint",
        "smallint",
        "serial",
        "real",
        "double precision",
        "numeric(10, 2)",
        "money",
        "boolean",
        "text",
        "char(3)",
        "varchar",
        "VARCHAR (50)",
        "character varying(7)",
        "bytea",
        "date",
        "time",
        "timestamp",
        "timestamp(3) with time zone",
        "timestamptz",
        "time without time zone",
        "interval",
        "uuid",
        "json",
        "jsonb",
        "inet",
        "bit(3)",
        "bit varying(5)",
        "integer[]",
        "varchar(5)[]",
        "point",
        "xml",
        "tsvector",
    ];
    let mut all = vec![json!({"user": "int"}), json!({"SELECT": "text"}), json!({long.clone(): "int"})];
    all.extend(types.iter().enumerate().map(|(at, kind)| json!({format!("c{at}"): kind})));
    let resource = another(table("order", &json!(all), "user, Select"), "words");
    assert_eq!(run(server, player, &resource), well());
    let made = columns(server, "\"order\"");
    assert!(made.ends_with("; PRIMARY KEY (\"user\", \"select\")"), "{made}");
    for of in [
        &format!("{long} integer"),
        "c7 numeric(10,2)",
        "c19 timestamp(3) with time zone",
        "c30 character varying(5)[]",
    ] {
        assert!(made.contains(of), "{made}");
    }
    assert_eq!(run(server, player, &deleted(resource)), well());
}

fn a_failure_is_told_in_a_line_and_changes_nothing(server: &Postgres, player: &Player) {
    let unknown = another(table("T", &json!([{"A": "int"}, {"B": "nosuchtype"}]), "A"), "unknown");
    assert_eq!(
        run(server, player, &unknown),
        (1, r#"ERROR:  type "nosuchtype" does not exist at character 32"#.to_owned())
    );
    let mut job = job(player, &users(&[])).unwrap().unwrap();
    for entry in job["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().unwrap() {
        if entry["name"] == "PGPASSWORD" {
            *entry = json!({"name": "PGPASSWORD", "value": "wrong"});
        }
    }
    let (code, said) = end(start(server, &job));
    assert_eq!(code, 2);
    let refused = format!("FATAL:  password authentication failed for user \"{USER}\"");
    assert!(said.ends_with(&refused) && !said.contains("wrong") && !said.contains(DATABASE), "{said}");
}
