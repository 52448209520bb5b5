//! What the fuzzer runs. The targets themselves are shared with the test `fuzz` of the operator, which runs every input kept in
//! `tests/golden/fuzz`.

mod targets;

/// Runs the target `target` on `data`; a fault panics.
pub fn run(target: &str, data: &[u8]) {
    targets::run(target, data);
}
