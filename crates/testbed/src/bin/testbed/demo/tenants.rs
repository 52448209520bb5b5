//! The demonstration of tenants: two operators take one on board, in steps.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use console::style;
use kube::api::{DynamicObject, ListParams};
use kube::core::ApiResource;
use serde_json::Value as Json;
use testbed::ControlPlane;
use testbed::jobs::{Player, Processes};
use testbed::progress::{Progress, seconds};

use crate::demo::Arguments;
use crate::demo::cluster::NAMESPACE;
use crate::demo::show::Show;
use crate::objects::{is_true, resource};
use crate::operator::{Operator, Settings};

/// The two before the first act, and the acts.
pub(crate) const STEPS: usize = 7;

const TENANT: &str = "kopf-example-1";
const NATS: &str = "nats-example-1";
/// The tenant of the second act.
const OTHER: &str = "kopf-example-2";

/// The parts that play.
struct Stage {
    show: Show,
    main: Operator,
    nats: Operator,
    _player: Player,
}

/// Plays it.
///
/// # Errors
/// What did not happen in time.
pub(crate) async fn play(progress: &Progress, plane: &ControlPlane, arguments: &Arguments, file: &Path) -> Result<()> {
    let show = Show::new(progress, plane, arguments, STEPS).await?;
    let processes = Processes { client: show.client.clone(), programs: BTreeMap::new(), environment: BTreeMap::new() };
    let player = plane.play_jobs(NAMESPACE, processes.play()).await?;
    let kubeconfig = plane.kubeconfig();
    let start = |name, watches| {
        let settings = Settings::of(file, &arguments.project, &kubeconfig, plane.logs());
        Operator::start(&Settings { name, watches, ..settings })
    };
    let main = start("main-operator", "samples/tenant-onboarding/main_operator/watches.yaml")?;
    let nats = start("nats-operator", "samples/tenant-onboarding/nats_operator/watches.yaml")?;
    let mut stage = Stage { show, main, nats, _player: player };
    let played = stage.acts(plane).await;
    played.map_err(|error| stage.main.blame(&error))
}

fn tenant() -> ApiResource {
    resource("kopf.dev", "v1", "KopfExample", "kopfexamples")
}

fn nats() -> ApiResource {
    resource("kopf.dev", "v1", "NatsExample", "natsexamples")
}

fn is_on_board(tenant: &DynamicObject) -> bool {
    is_true(tenant, "Available")
}

impl Stage {
    async fn acts(&mut self, plane: &ControlPlane) -> Result<()> {
        self.show.until_ready(&mut self.main, &plane.logs()).await?;
        self.show.until_ready(&mut self.nats, &plane.logs()).await?;
        self.first_steps().await?;
        self.account().await?;
        self.own_account().await?;
        self.end().await
    }

    async fn first_steps(&mut self) -> Result<()> {
        self.show.title("A tenant: its first step is done, and for the second it waits").await;
        self.show.apply("kopf_v1_kopfexample.yaml").await?;
        let message = |tenant: &DynamicObject| {
            let message = tenant.data.pointer("/status/create_fn/message").and_then(Json::as_str);
            message.is_some_and(|message| message.starts_with("waiting for NatsExample"))
        };
        self.show.until(&tenant(), TENANT, "waits for its account", message).await?;
        self.show.table(&tenant()).await?;
        self.progress().await?;
        self.show.table(&jobs()).await
    }

    async fn account(&mut self) -> Result<()> {
        self.show.title("Somebody makes what it waits for, and the other operator does its part").await;
        self.show.apply("kopf_v1_natsexample.yaml").await?;
        self.show.until(&tenant(), TENANT, "is on board", is_on_board).await?;
        self.show.table(&nats()).await?;
        self.event().await?;
        self.show.table(&tenant()).await?;
        self.show.table(&jobs()).await
    }

    async fn own_account(&mut self) -> Result<()> {
        self.show.title("Another tenant makes it itself; its first step fails at first").await;
        self.show.apply("tenant-onboarding/owned.yaml").await?;
        let delayed = |tenant: &DynamicObject| {
            tenant.data.pointer("/status/progress/create_blob/delayed").is_some_and(Json::is_string)
        };
        self.show.until(&tenant(), OTHER, "is tried again", delayed).await?;
        self.show.table(&tenant()).await?;
        self.show.until(&tenant(), OTHER, "is on board", is_on_board).await?;
        self.show.table(&tenant()).await?;
        self.show.table(&nats()).await
    }

    async fn end(&mut self) -> Result<()> {
        self.show.title("Both are deleted, with what is theirs").await;
        for name in [TENANT, OTHER] {
            let took = self.show.delete(&tenant(), name).await?;
            self.show.say(&format!("  ✓ gone after {}", seconds(took)));
        }
        self.show.table(&nats()).await?;
        let left = self.show.api(&nats()).list(&ListParams::default()).await?.items;
        let names: Vec<_> = left.iter().filter_map(|object| object.metadata.name.as_deref()).collect();
        if names != [NATS] {
            bail!("expected: of accounts only `{NATS}` is left; found: {}", names.join(", "));
        }
        Ok(())
    }

    async fn progress(&self) -> Result<()> {
        let path = "{.status.create_blob_storge} {.status.progress.create_blob}";
        self.show.command(&format!("kubectl get kex {TENANT} -o jsonpath='{path}'"));
        let tenant = self.show.api(&tenant()).get(TENANT).await.context("cannot read the tenant")?;
        let status = |pointer: &str| tenant.data.pointer(pointer).map(Json::to_string).unwrap_or_default();
        self.show.say(&format!(
            "    {} {}",
            status("/status/create_blob_storge"),
            status("/status/progress/create_blob")
        ));
        Ok(())
    }

    /// Shows what the second operator says of the account.
    async fn event(&self) -> Result<()> {
        let events = self.show.api(&resource("", "v1", "Event", "events"));
        let text = |event: &DynamicObject, field: &str| {
            event.data.get(field).and_then(Json::as_str).unwrap_or_default().to_owned()
        };
        let told = || async {
            let events = events.list(&ListParams::default()).await?;
            let found = events.items.iter().find(|event| text(event, "reason") == "SomeReason");
            Ok(found.map(|event| text(event, "message")))
        };
        let message = self.show.eventually("the event of the account", told).await?;
        self.show.say(&format!("  event of {NATS}: {}: {message}", style("SomeReason").yellow()));
        Ok(())
    }
}

fn jobs() -> ApiResource {
    resource("batch", "v1", "Job", "jobs")
}
