//! `template`: what a chart renders to, without a cluster.

mod batch;
mod offline;
mod stages;

use anyhow::Context as _;
use clap::Args as ClapArgs;

use crate::cli::RENDER_STACK;

/// The flags of `template`.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Answer requests on standard input, one JSON document a line
    #[arg(long, required = true)]
    batch: bool,
}

/// Renders, on a thread whose stack fits the deepest template.
pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let job = move || {
        debug_assert!(args.batch, "clap demands it");
        batch::run()
    };
    let thread = std::thread::Builder::new().stack_size(RENDER_STACK).spawn(job).context("cannot start")?;
    match thread.join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
