//! The command `testbed`: builds, starts and stops a control plane, shows the operator on it, measures it, and makes its image.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use testbed::progress::{Progress, Stream};

mod bench;
mod demo;
mod detached;
mod images;
mod objects;
mod observer;
mod operator;
mod tool;

/// A real Kubernetes control plane on loopback.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build programs into the cache folder, those that are missing
    Build(tool::Wanted),
    /// Run a program of the cache folder, which is built if it is missing
    Tool(tool::Arguments),
    /// Write the images of the operator and of a project as archives, without a container engine
    Image(images::Arguments),
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
        Command::Build(wanted) => blocking(move || tool::build_all(&wanted)).await,
        Command::Tool(arguments) => blocking(move || tool::run(&arguments)).await,
        Command::Image(arguments) => blocking(move || images::write(&arguments)).await,
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
