//! `man`: the manual, made of what the commands say of themselves.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Command;

/// Columns of what the Markdown page quotes.
const WIDTH: usize = 100;

/// What stands before the commands in `docs/command-line.md`.
const INTRODUCTION: &str = include_str!("command-line.md");

/// Write man pages
///
/// One page for each command. `man -l DIRECTORY/chart-operator.1` shows the first of them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the pages are written; it is made if it is not there
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

/// Writes a page for each command that `help` shows.
pub(super) fn run(args: &Args, command: Command) -> anyhow::Result<()> {
    let name = args.directory.display();
    std::fs::create_dir_all(&args.directory).with_context(|| format!("cannot create `{name}`"))?;
    clap_mangen::generate_to(command, &args.directory).with_context(|| format!("cannot write to `{name}`"))
}

/// `docs/command-line.md`: what each command prints for `--help`.
pub(super) fn markdown(command: Command) -> String {
    let mut command = command.term_width(WIDTH);
    command.build();
    let mut text = INTRODUCTION.to_owned();
    chapters(&command, &mut text);
    text
}

fn chapters(command: &Command, text: &mut String) {
    for known in command.get_subcommands().filter(|known| !known.is_hide_set()) {
        let name = known.get_bin_name().unwrap_or_else(|| known.get_name());
        let help = known.clone().render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        // Writing to a text cannot fail.
        write!(text, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end()).ok();
        chapters(known, text);
    }
}
