//! The command line: each command turns flags and environment into one call.
//!
//! The only module that reads the environment and writes to standard output. The same binary under the name
//! `helm-operator` answers to that name (operator-sdk v1.42, `cmd/helm-operator`): same commands, same flags, and exit
//! code 1 for every failure, a wrong flag included, as cobra programs have it.

mod address;
mod check;
mod completion;
mod diff;
mod go_flags;
mod man;
mod offline;
mod rbac;
mod report;
pub mod run;
mod scaffold;
mod schema;
mod serve;
mod template;
mod version;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// Our name, and the other one this program answers to.
const NAMES: [&str; 2] = ["chart-operator", "helm-operator"];

/// Stack of a thread that renders, in bytes: only what is used of it takes memory.
const RENDER_STACK: usize = 64 << 20;

/// A Kubernetes operator driven by Helm charts
///
/// Every entry of watches.yaml maps a kind to a Helm chart. A resource of that kind is a release of the chart: its spec
/// holds the values, its status says how the objects fare.
#[derive(Debug, Parser)]
#[command(disable_help_subcommand = true, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Args>),
    Template(Box<template::Args>),
    /// Tell every fault of the watches file and its charts, without a cluster
    Check(check::Args),
    /// Show what the operator would do to the cluster, without doing it
    Diff(diff::Args),
    /// Print the least role that the operator needs for its charts
    Rbac(rbac::Args),
    Init(Box<scaffold::InitArgs>),
    /// Add something to a project
    Create(scaffold::CreateArgs),
    /// Write a bundle for the Operator Lifecycle Manager
    Bundle(scaffold::bundle::Args),
    Schema(schema::Args),
    /// Print the version
    Version,
    Completion(completion::Args),
    Man(man::Args),
    /// Print docs/command-line.md
    #[command(hide = true)]
    Markdown,
}

/// Runs the command this process was started with.
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let name = name(args.first().map(OsString::as_os_str));
    let done = match read(&args).map(|args| parse(name, &args)) {
        Ok(Ok(cli)) => execute(name, cli.command),
        Ok(Err(error)) => return print_usage(&error),
        Err(failure) => Err(failure.into()),
    };
    match done {
        Ok(code) => code,
        // Whoever closes our output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(io::stderr(), "{}", report::text(&error)).ok();
            ExitCode::FAILURE
        }
    }
}

fn execute(name: &'static str, chosen: Command) -> anyhow::Result<ExitCode> {
    match chosen {
        Command::Run(args) => run::run(*args)?,
        Command::Template(args) => template::run(*args)?,
        Command::Check(args) => return check::run(args),
        Command::Diff(args) => return diff::run(&args),
        Command::Rbac(args) => return rbac::run(args),
        Command::Init(args) => scaffold::init(*args)?,
        Command::Create(args) => scaffold::create(args)?,
        Command::Bundle(args) => scaffold::bundle::run(args)?,
        Command::Schema(args) => print(&schema::text(args))?,
        Command::Version => print(&version::line(name))?,
        Command::Completion(args) => print(&completion::script(&args, name, command(name)))?,
        Command::Man(args) => man::run(&args, command(name))?,
        Command::Markdown => print(&man::markdown(command(name)))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs `job` on a thread whose stack fits the deepest template.
fn with_render_stack<T: Send + 'static>(job: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    let thread = std::thread::Builder::new().stack_size(RENDER_STACK).spawn(job).context("cannot start")?;
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The name this program was called by, if it is one of ours.
fn name(arg0: Option<&OsStr>) -> &'static str {
    let called = arg0.map(Path::new).and_then(Path::file_stem);
    let [ours, _] = NAMES;
    NAMES.into_iter().find(|name| called == Some(OsStr::new(name))).unwrap_or(ours)
}

/// clap would take the name from the first argument, whatever it is.
fn command(name: &'static str) -> clap::Command {
    Cli::command().name(name).bin_name(name)
}

/// The arguments as clap takes them: those of `template` are written as Helm takes them.
fn read(args: &[OsString]) -> Result<Vec<OsString>, template::Failure> {
    if args.get(1).is_none_or(|command| command != "template") {
        return Ok(args.to_vec());
    }
    let command = Cli::command();
    command.find_subcommand("template").map_or_else(|| Ok(args.to_vec()), |known| template::arguments(known, args))
}

fn parse(name: &'static str, args: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = command(name);
    let args = go_flags::with_two_dashes(&command, args);
    let matches = command.try_get_matches_from_mut(args).map_err(|error| go_flags::fault(error, &mut command))?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Prints what clap has to say: help, or a fault of the command line.
fn print_usage(error: &clap::Error) -> ExitCode {
    // Where nobody reads, nothing is lost.
    error.print().ok();
    if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Writes a text to standard output.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests;
