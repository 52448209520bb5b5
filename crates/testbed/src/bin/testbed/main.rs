//! The command `testbed`: builds, starts and stops a control plane, shows the operator on it, measures it, and makes its image.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use testbed::build::build;
use testbed::node::{self, Cluster, machine};
use testbed::program::Program;
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
    /// Stop what `up` started
    Down,
    /// Give the real node that `up` started the images of archives
    Load {
        /// The archives
        #[arg(required = true)]
        archives: Vec<PathBuf>,
    },
    /// Tell whether a real node can run on this machine, by starting one and stopping it
    Try,
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
        Command::Up(wanted) => blocking(move || detached::up(&wanted)).await,
        Command::Down => blocking(detached::down).await,
        Command::Load { archives } => blocking(move || archives.iter().try_for_each(|file| node::import(file))).await,
        Command::Try => try_node().await,
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

/// A machine may have all that is asked for, and still not run a node.
async fn try_node() -> Result<()> {
    machine::check()?;
    let programs: Vec<_> = Program::CONTROL_PLANE.into_iter().chain(Program::NODE).collect();
    blocking(move || build(&programs, &Progress::to(Stream::Error)).map(drop)).await?;
    Cluster::start(&[]).await.map(Cluster::stop)
}

async fn blocking(work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    tokio::task::spawn_blocking(work).await?
}
