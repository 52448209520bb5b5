//! `bundle`: what the Operator Lifecycle Manager installs a project from.

use std::io::Read as _;

use anyhow::Context as _;
use clap::Args as ClapArgs;

use crate::cli::scaffold::{project, write};
use crate::scaffold::{self, Bundle};

/// Write a bundle for the Operator Lifecycle Manager, from what `kubectl kustomize config/manifests` prints
///
/// `make bundle` calls it.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct Args {
    /// Version of the bundle
    #[arg(long, value_name = "VERSION", default_value = "0.0.1")]
    version: String,
    /// Channels it is in, separated by commas
    #[arg(long, value_name = "CHANNELS", value_delimiter = ',', default_value = "alpha")]
    channels: Vec<String>,
    /// Channel of whoever chooses none
    #[arg(long, value_name = "CHANNEL")]
    default_channel: Option<String>,
}

/// Reads the objects from standard input and writes the bundle.
pub(in crate::cli) fn run(args: Args) -> anyhow::Result<()> {
    let name = scaffold::read(&project()?)?.name;
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    let Args { version, channels, default_channel } = args;
    write::write(&scaffold::bundle(&text, &Bundle { name, version, channels, default_channel })?)
}
