//! The command line of chart-operator.

use std::process::ExitCode;

fn main() -> ExitCode {
    chart_operator::cli::main()
}
