//! The demonstration of tables in a database: made, changed, refused, without a database, dropped.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use console::style;
use kube::api::{DynamicObject, PostParams};
use kube::core::ApiResource;
use serde_json::{Value as Json, json};
use testbed::ControlPlane;
use testbed::jobs::{Ended, Play, Player, Processes};
use testbed::postgres::{PASSWORD, Postgres};
use testbed::progress::Progress;

use crate::demo::Arguments;
use crate::demo::cluster::NAMESPACE;
use crate::demo::show::Show;
use crate::objects::resource;
use crate::operator::{Operator, Settings};

/// The two before the first act, and the acts.
pub(crate) const STEPS: usize = 7;

const TABLE: &str = "website-users";

/// The parts that play.
struct Stage {
    show: Show,
    operator: Operator,
    /// Nothing where it is not installed: then every Job succeeds without doing anything.
    database: Option<Postgres>,
    _player: Player,
}

/// Plays it.
///
/// # Errors
/// What did not happen in time.
pub(crate) async fn play(progress: &Progress, plane: &ControlPlane, arguments: &Arguments, file: &Path) -> Result<()> {
    let show = Show::new(progress, plane, arguments, STEPS).await?;
    let database = tokio::task::spawn_blocking(Postgres::start).await??;
    let player = plane.play_jobs(NAMESPACE, jobs(&show, database.as_ref())).await?;
    let operator = Operator::start(&Settings::of(file, &arguments.project, &plane.kubeconfig(), plane.logs()))?;
    let mut stage = Stage { show, operator, database, _player: player };
    let played = stage.acts(plane).await;
    played.map_err(|error| stage.operator.blame(&error))
}

/// What the Jobs do.
fn jobs(show: &Show, database: Option<&Postgres>) -> Play {
    let Some(database) = database else {
        show.say("  PostgreSQL is not installed here (Debian: postgresql-15): its part is simulated, no SQL is run.");
        return Arc::new(|_| Box::pin(async { Ended { code: 0, message: String::new() } }));
    };
    show.say("  PostgreSQL is real, and so is psql in the Jobs.");
    let environment = [("PGHOST", "127.0.0.1".to_owned()), ("PGPORT", database.port().to_string())];
    let processes = Processes {
        client: show.client.clone(),
        programs: BTreeMap::from([("psql".to_owned(), database.program("psql"))]),
        environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
    };
    processes.play()
}

fn tables() -> ApiResource {
    resource("kopf.demo", "v1", "DatabaseTable", "databasetables")
}

fn said<'a>(table: &'a DynamicObject, field: &str) -> &'a str {
    table.data.pointer(&format!("/status/{field}")).and_then(Json::as_str).unwrap_or_default()
}

impl Stage {
    async fn acts(&mut self, plane: &ControlPlane) -> Result<()> {
        self.show.until_ready(&mut self.operator, &plane.logs()).await?;
        self.made().await?;
        self.column_added().await?;
        self.column_removed().await?;
        self.outage().await?;
        self.dropped().await
    }

    async fn made(&mut self) -> Result<()> {
        self.show.title("A table waits for the password of its database, and is made").await;
        self.show.apply("kopf_v1_databasetable.yaml").await?;
        self.until("waits for the Secret", |table| said(table, "message") == "requires Secret postgresql").await?;
        self.show.command("kubectl create secret generic postgresql --from-literal=password=…");
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "postgresql"}, "stringData": {"password": PASSWORD},
        });
        let secrets = self.show.api(&resource("", "v1", "Secret", "secrets"));
        let secret: DynamicObject = serde_json::from_value(secret)?;
        secrets.create(&PostParams::default(), &secret).await.context("cannot create the Secret")?;
        self.until_operation("CREATED").await?;
        self.show.table(&tables()).await?;
        self.describe()
    }

    async fn column_added(&mut self) -> Result<()> {
        self.show.title("A new column").await;
        let added = json!([{"op": "add", "path": "/spec/columns/-", "value": {"PHONE": "varchar(20)"}}]);
        self.patch(&added).await?;
        self.until_operation("UPDATED").await?;
        self.describe()
    }

    async fn column_removed(&mut self) -> Result<()> {
        self.show.title("A column that is taken away is refused; when it is back, nothing was done").await;
        self.patch(&json!([{"op": "remove", "path": "/spec/columns/4"}])).await?;
        self.until_operation("UPDATE FAILED").await?;
        let back = json!([{"op": "add", "path": "/spec/columns/4", "value": {"LAST_LOGIN": "timestamp"}}]);
        self.patch(&back).await?;
        self.until_operation("UPDATED").await?;
        self.describe()
    }

    async fn outage(&mut self) -> Result<()> {
        self.show.title("Without the database a table cannot be dropped, and the resource stays").await;
        let Some(database) = &mut self.database else {
            self.show.say("  not shown: there is no database");
            return Ok(());
        };
        database.stop();
        self.show.command(&format!("kubectl delete databasetable {TABLE} --wait=false"));
        let tables = self.show.api(&tables());
        tables.delete(TABLE, &kube::api::DeleteParams::default()).await.context("cannot delete the table")?;
        self.until_operation("DELETION FAILED").await?;
        self.show.say("  the database is back; nobody touches the resource");
        self.database.as_mut().map_or(Ok(()), Postgres::resume)
    }

    async fn dropped(&mut self) -> Result<()> {
        self.show.title("The table is dropped, and then the resource goes: tried again after a minute").await;
        match &self.database {
            Some(_) => self.show.until_gone(&tables(), TABLE).await?,
            None => drop(self.show.delete(&tables(), TABLE).await?),
        }
        self.show.say("  ✓ it is gone");
        self.describe()?;
        let left = self.database.as_ref().map(|database| database.query("SELECT to_regclass('website_users')"));
        match left.transpose()?.as_deref() {
            None | Some("") => Ok(()),
            Some(table) => bail!("expected: no table is left; found: {table}"),
        }
    }

    async fn patch(&self, operations: &Json) -> Result<()> {
        self.show.command(&format!("kubectl patch databasetable {TABLE} --type=json -p '{operations}'"));
        let patch = kube::api::Patch::Json::<()>(serde_json::from_value(operations.clone())?);
        let tables = self.show.api(&tables());
        let patched = tables.patch(TABLE, &kube::api::PatchParams::default(), &patch).await;
        patched.map(drop).context("cannot change the table")
    }

    async fn until(&self, what: &str, test: impl Fn(&DynamicObject) -> bool) -> Result<()> {
        self.show.until(&tables(), TABLE, what, test).await
    }

    /// Waits until the table says so, and shows what else it says.
    async fn until_operation(&self, operation: &str) -> Result<()> {
        let tables = self.show.api(&tables());
        let found = || async { Ok(tables.get_opt(TABLE).await?.filter(|table| said(table, "operation") == operation)) };
        let table = self.show.eventually(&format!("the table is {operation}"), found).await?;
        let more: Vec<_> = ["message", "retryAt"]
            .map(|field| said(&table, field))
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect();
        let line = format!("  status.operation: {}; {}", style(operation).yellow(), more.join("; "));
        self.show.say(line.trim_end_matches("; "));
        Ok(())
    }

    /// Shows what the database knows of the table.
    fn describe(&self) -> Result<()> {
        let Some(database) = &self.database else { return Ok(()) };
        self.show.say(&format!("  {}", style("demodb=> \\d website_users").bold()));
        let columns = "SELECT attname || ' | ' || format_type(atttypid, atttypmod) FROM pg_attribute \
                       WHERE attrelid = to_regclass('website_users') AND attnum > 0 ORDER BY attnum";
        let columns = database.query(columns)?;
        if columns.is_empty() {
            self.show.say("    Did not find any relation named \"website_users\".");
        }
        for line in columns.lines() {
            self.show.say(&format!("    {line}"));
        }
        Ok(())
    }
}
