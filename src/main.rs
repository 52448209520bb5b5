//! The command line of chart-operator.

fn main() {}
