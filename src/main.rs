//! The command line of chart-operator.

use std::process::ExitCode;

/// Templates are trees of small pieces, which the system's allocator is slow to make and to give back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    chart_operator::cli::main()
}
