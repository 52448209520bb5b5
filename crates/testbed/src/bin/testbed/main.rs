//! The command `testbed`: builds, starts and stops a control plane, shows the operator on it, and measures it.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use testbed::build::build;
use testbed::program::Program;
use testbed::progress::{Progress, Stream};

mod bench;
mod demo;
mod detached;
mod objects;
mod observer;
mod operator;

/// A real Kubernetes control plane on loopback.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the programs of the control plane into the cache folder, those that are missing
    Build,
    /// Start a control plane that stays, and print how to use it
    Up(detached::Wanted),
    /// Stop the control plane that `up` started
    Down,
    /// Show the operator at work, on a cluster of its own or, with `DEMO_CLUSTER=current`, that of `KUBECONFIG`
    Demo(demo::Arguments),
    /// Measure the operator, and compare with what it should reach
    Bench(bench::Arguments),
    /// What `up` starts
    #[command(hide = true)]
    Hold(detached::Wanted),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Build => blocking(|| build(&Program::ALL, &Progress::to(Stream::Error)).map(|_| ())).await,
        Command::Up(wanted) => blocking(move || detached::up(wanted)).await,
        Command::Down => blocking(detached::down).await,
        Command::Hold(wanted) => detached::hold(wanted).await,
        Command::Bench(arguments) => bench::bench(arguments).await,
        Command::Demo(arguments) => return demo::demo(arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Progress::to(Stream::Error).say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn blocking(work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    tokio::task::spawn_blocking(work).await?
}
