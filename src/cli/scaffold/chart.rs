//! The chart that a kind is made for: where it comes from, and whether the project has it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;

use crate::chart::{Chart, files};

/// Where a chart comes from.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Args {
    /// The chart: a directory or an archive
    #[arg(long, value_name = "CHART")]
    helm_chart: Option<String>,
}

impl Args {
    /// Whether any of it is said.
    pub(super) fn is_given(&self) -> bool {
        self.helm_chart.is_some()
    }

    /// The chart, with all it depends on.
    pub(super) fn load(&self) -> anyhow::Result<Option<Chart>> {
        let Some(named) = &self.helm_chart else { return Ok(None) };
        let chart = files::chart(&PathBuf::from(named)).with_context(|| format!("cannot load the chart `{named}`"))?;
        let missing = chart.missing_dependencies();
        if !missing.is_empty() {
            bail!(
                "found in Chart.yaml, but missing in charts/ directory: {}; `helm dependency build {named}` fetches them",
                missing.join(", ")
            );
        }
        Ok(Some(chart))
    }
}

/// Whether the project has this very chart where it belongs.
pub(super) fn is_in_place(chart: &Chart) -> bool {
    let there = files::chart(&Path::new("helm-charts").join(chart.name()));
    there.is_ok_and(|there| there.digest == chart.digest)
}
