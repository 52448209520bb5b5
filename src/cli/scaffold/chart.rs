//! The chart that a kind is made for: where it comes from, and whether the project has it.

use std::path::Path;

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;

use crate::chart::version::meets;
use crate::chart::{Chart, Dependency, File, files, load};
use crate::fetch::{self, Client};

/// Where a chart comes from.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Args {
    /// The chart: a directory, an archive, a URL of one, an oci:// reference, or a name in --helm-chart-repo
    #[arg(long, value_name = "CHART")]
    helm_chart: Option<String>,
    /// URL of the repository that has the chart
    #[arg(long, value_name = "URL", requires = "helm_chart")]
    helm_chart_repo: Option<String>,
    /// Version of the chart, or a constraint such as `^1.2` [default: the latest]
    #[arg(long, value_name = "VERSION", requires = "helm_chart")]
    helm_chart_version: Option<String>,
    /// Ask registries (oci://) without TLS
    #[arg(long)]
    plain_http: bool,
}

impl Args {
    /// Whether any of it is said.
    pub(super) fn is_given(&self) -> bool {
        self.helm_chart.is_some()
    }

    /// The chart, with all it depends on.
    pub(super) fn load(&self) -> anyhow::Result<Option<Chart>> {
        let Some(named) = &self.helm_chart else { return Ok(None) };
        let chart = self.named(named).with_context(|| format!("cannot load the chart `{named}`"))?;
        if let Some(wanted) = &self.helm_chart_version {
            let found = &chart.metadata.version;
            if found != wanted && !meets(wanted, found) {
                bail!("expected version `{wanted}` of the chart `{named}`, found `{found}`");
            }
        }
        self.with_dependencies(chart).map(Some)
    }

    fn named(&self, named: &str) -> anyhow::Result<Chart> {
        let repository = self.helm_chart_repo.as_deref();
        if repository.is_none() && !named.contains("://") {
            return Ok(files::chart(Path::new(named))?);
        }
        let archive = self.fetch(named, repository, self.helm_chart_version.as_deref())?;
        Ok(load::from_archive(&archive)?)
    }

    fn fetch(&self, chart: &str, repository: Option<&str>, version: Option<&str>) -> anyhow::Result<Vec<u8>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
        let client = Client::new(self.plain_http)?;
        Ok(runtime.block_on(fetch::archive(&client, chart, repository, version))?)
    }

    /// With the sub-charts in it that it names and does not bring, as `helm dependency build` gets them.
    fn with_dependencies(&self, chart: Chart) -> anyhow::Result<Chart> {
        let missing: Vec<String> = chart.missing_dependencies().into_iter().map(str::to_owned).collect();
        if missing.is_empty() {
            return Ok(chart);
        }
        let mut files = chart.raw.to_vec();
        for name in missing {
            let wanted = chart.metadata.dependencies.iter().find(|wanted| wanted.name == name);
            let locked = chart.lock.iter().flat_map(|lock| &lock.dependencies).find(|locked| locked.name == name);
            let Some(wanted) = locked.or(wanted).filter(|wanted| wanted.repository.contains("://")) else {
                bail!("`{name}` is not in the chart's `charts/`, and no URL tells where it is");
            };
            files.push(self.dependency(wanted).with_context(|| format!("cannot get the sub-chart `{name}`"))?);
        }
        Ok(load::from_files(files)?)
    }

    fn dependency(&self, wanted: &Dependency) -> anyhow::Result<File> {
        let archive = self.fetch(&wanted.name, Some(&wanted.repository), Some(&wanted.version))?;
        let version = load::from_archive(&archive)?.metadata.version;
        Ok(File::new(format!("charts/{}-{version}.tgz", wanted.name), archive))
    }
}

/// Whether the project has this very chart where it belongs.
pub(super) fn is_in_place(chart: &Chart) -> bool {
    let there = files::chart(&Path::new("helm-charts").join(chart.name()));
    there.is_ok_and(|there| there.digest == chart.digest)
}
