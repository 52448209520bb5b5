//! `build` and `tool`: the programs that are pinned in `tools/`, for people and for the Makefile.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};
use testbed::build::build;
use testbed::program::Program;
use testbed::progress::{Progress, Stream};

/// What to build.
#[derive(clap::Args)]
pub(crate) struct Wanted {
    /// Which programs
    #[arg(value_enum, default_value = "control-plane")]
    programs: Set,
}

/// Programs that are used together.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Set {
    /// etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok
    ControlPlane,
    /// kubelet, kube-proxy, coredns
    Node,
    /// kubectl, kustomize, helm
    Clients,
    /// All of them
    All,
}

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Its name, such as kubectl
    #[arg(value_parser = program)]
    program: Program,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

fn program(name: &str) -> Result<Program, String> {
    let names: Vec<_> = Program::all().map(Program::name).collect();
    Program::all().find(|program| program.name() == name).ok_or_else(|| format!("expected one of {}", names.join(", ")))
}

/// Builds the programs that are missing.
///
/// # Errors
/// Go is missing or fails.
pub(crate) fn build_all(wanted: &Wanted) -> Result<()> {
    let programs: Vec<Program> = match wanted.programs {
        Set::ControlPlane => Program::CONTROL_PLANE.to_vec(),
        Set::Node => Program::NODE.to_vec(),
        Set::Clients => Program::CLIENTS.to_vec(),
        Set::All => Program::all().collect(),
    };
    build(&programs, &Progress::to(Stream::Error)).map(drop)
}

/// Becomes that program; returns only where it cannot.
///
/// # Errors
/// It cannot be built or started.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let files = build(&[arguments.program], &Progress::to(Stream::Error))?;
    let file = files.first().context("nothing was built")?;
    Err(Command::new(file).args(&arguments.arguments).exec()).with_context(|| format!("cannot run {}", file.display()))
}
