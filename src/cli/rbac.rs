//! `rbac`: the least role under which the operator can carry out its charts, every branch of their templates taken.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args as ClapArgs;

use crate::analysis::{self, Rights, Subject};
use crate::cli::check::{chart_files, no_overrides, shown};
use crate::cli::{print, report, version, with_render_stack};
use crate::cluster::Cluster;
use crate::diagnostic::{Diagnostic, chain};
use crate::metrics::Metrics;
use crate::{watches, yaml};

/// The flags of `rbac`.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Charts to look at instead of those that the watches file names: directories or archives
    #[arg(value_name = "CHART")]
    charts: Vec<PathBuf>,
    /// Path to the watches file
    #[arg(long, value_name = "FILE", default_value = "./watches.yaml", conflicts_with = "charts")]
    watches_file: PathBuf,
    /// Name of the `ClusterRole`
    #[arg(long, default_value = "manager-role")]
    name: String,
    /// Ask the cluster which of these rights are not granted, instead of printing the role
    #[arg(long)]
    check: bool,
    /// Whose rights are checked, such as `system:serviceaccount:NAMESPACE:NAME`; without it, those of the kubeconfig's user
    #[arg(long = "as", value_name = "USER", requires = "check")]
    user: Option<String>,
}

/// Prints the role, and on standard error where more may be needed; or which rights are missing, with exit code 1.
pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (check, user, name) = (args.check, args.user.clone(), args.name.clone());
    let (rights, mut warnings) = with_render_stack(move || needed(&args))?;
    analysis::sort(&mut warnings);
    report::tell(&warnings);
    if !check {
        print(&yaml::emit_json(&rights.cluster_role(&name))?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let missing = runtime.block_on(missing(&rights, user.as_deref()))?;
    print(&missing.concat())?;
    Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the watches, or the charts alone, need.
fn needed(args: &Args) -> anyhow::Result<(Rights, Vec<Diagnostic>)> {
    let (mut rights, mut warnings) = (Rights::default(), Vec::new());
    for path in &args.charts {
        warnings.extend(chart(path, &mut rights)?);
    }
    if args.charts.is_empty() {
        let name = shown(&args.watches_file);
        let text = std::fs::read_to_string(&args.watches_file).with_context(|| format!("cannot read `{name}`"))?;
        let watches = watches::parse(&name, &text).map_err(|faults| crate::catalog::Error { faults })?;
        for watch in &watches.watches {
            rights.of_watch(&watch.gvk.group, &watch.gvk.kind);
            warnings.extend(chart(Path::new(&watch.chart), &mut rights)?);
        }
    }
    Ok((rights, warnings))
}

fn chart(path: &Path, rights: &mut Rights) -> anyhow::Result<Vec<Diagnostic>> {
    let shown = shown(path);
    let files = chart_files(path).map_err(|error| anyhow::anyhow!("{shown}: {}", chain(&error)))?;
    let overrides = no_overrides();
    Ok(rights.of_chart(&Subject {
        path: &shown,
        gvk: None,
        files: &files,
        overrides: &overrides,
        samples: &[],
        has_records: true,
    }))
}

/// A line for each right that is not granted.
async fn missing(rights: &Rights, user: Option<&str>) -> anyhow::Result<Vec<String>> {
    let cluster = Cluster::connect(Metrics::new(&version::build(), || None)).await?;
    let mut missing = Vec::new();
    for (group, resource, verb) in rights.each() {
        if !cluster.may(user, verb, group, resource).await? {
            let group = if group.is_empty() { String::new() } else { format!(".{group}") };
            missing.push(format!("missing: {verb} {resource}{group}\n"));
        }
    }
    Ok(missing)
}
