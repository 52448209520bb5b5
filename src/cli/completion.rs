//! `completion`: scripts that make a shell complete our commands and flags.

use clap_complete::Shell;

/// Prints a script that the shell reads at its start, for instance `source <(chart-operator completion bash)`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell the script is for
    #[arg(value_enum)]
    shell: Shell,
}

/// The script for a program of that name.
pub(super) fn script(args: &Args, name: &'static str, mut command: clap::Command) -> String {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
