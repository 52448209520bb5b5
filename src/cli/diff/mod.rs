//! `diff`: what the operator would do to a cluster, were it started now, or were these resources written.

mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args as ClapArgs;
use serde_json::Value as Json;

use crate::catalog::{self, Catalog};
use crate::cli::{RENDER_STACK, print, version};
use crate::cluster::Cluster;
use crate::diagnostic::Diagnostic;
use crate::metrics::Metrics;
use crate::operator::preview::{Wanted, previews};
use crate::yaml::{self, Numbers};

/// The exit code that tells of changes, as with `kubectl diff` and `helm diff --detailed-exitcode`.
const CHANGES: u8 = 2;

/// The flags of `diff`.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Path to the watches file
    #[arg(long, value_name = "FILE", default_value = "./watches.yaml")]
    watches_file: PathBuf,
    /// Resources as they would be, instead of those in the cluster; may be given several times
    #[arg(long, value_name = "FILE")]
    cr: Vec<PathBuf>,
    /// Only resources in this namespace
    #[arg(long, short, value_name = "NAMESPACE", conflicts_with = "cr")]
    namespace: Option<String>,
}

/// Prints what would change. Exit code 2 if something would, 1 if something could not be carried out.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let source = catalog::Source::new(args.watches_file.clone(), |name| std::env::var(name).ok());
    let catalog = source.load()?;
    let mut wanted = Wanted { resources: Vec::new(), namespace: args.namespace.clone() };
    for path in &args.cr {
        wanted.resources.extend(resources(path)?);
    }
    for resource in &wanted.resources {
        is_watched(&catalog, resource)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_stack_size(RENDER_STACK)
        .build()
        .context("cannot start")?;
    let found = runtime.block_on(async {
        let metrics = Metrics::new(&version::build(), || None);
        let cluster = Cluster::connect(metrics.clone()).await?;
        anyhow::Ok(previews(cluster, metrics, &catalog, &wanted).await?)
    })?;
    let shown = show::text(&found);
    print(&shown.text)?;
    Ok(match (shown.failed, shown.changed) {
        (true, _) => ExitCode::FAILURE,
        (false, true) => ExitCode::from(CHANGES),
        (false, false) => ExitCode::SUCCESS,
    })
}

/// A resource that no watch is for would never be looked at.
fn is_watched(catalog: &Catalog, resource: &Json) -> Result<(), Diagnostic> {
    let text = |field: &str| resource.get(field).and_then(Json::as_str).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    let mut kinds = catalog.entries.iter().map(|entry| &entry.watch.gvk);
    if kinds.any(|gvk| gvk.api_version() == version && gvk.kind == kind) {
        return Ok(());
    }
    Err(Diagnostic::error(format!("no watch is for `{version} {kind}`")))
}

/// The resources in a file.
fn resources(path: &std::path::Path) -> anyhow::Result<Vec<Json>> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{name}`"))?;
    let mut resources = Vec::new();
    for document in yaml::documents(&text).with_context(|| format!("cannot read `{name}`"))? {
        match yaml::to_json(document.text, Numbers::Exact).with_context(|| format!("cannot read `{name}`"))? {
            Json::Null => {}
            resource => resources.push(resource),
        }
    }
    Ok(resources)
}
