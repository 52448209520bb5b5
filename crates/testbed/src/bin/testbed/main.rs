//! The command `testbed`: builds, starts and stops a control plane.

use anyhow::Result;
use clap::{Parser, Subcommand};
use testbed::build::build;
use testbed::program::Program;
use testbed::progress::Progress;

/// A real Kubernetes control plane on loopback.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the programs of the control plane into the cache folder, those that are missing.
    Build,
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Build => build(&Program::ALL, &Progress::new()).map(|_| ()),
    }
}
