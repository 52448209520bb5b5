//! `completion`: scripts that make a shell complete our commands and flags.

use clap_complete::Shell;

/// Print a completion script for a shell
///
/// The shell reads it at its start. In ~/.bashrc: `source <(chart-operator completion bash)`.
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
    // In bash, clap_complete 4.6.11 calls a program whose name has a dash by two names, and so never finds its commands' flags.
    String::from_utf8_lossy(&script).replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__"))
}
