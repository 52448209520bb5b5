//! Tenants that are taken on board by two operators: what the demonstration shows, line by line, and a test for each line.
//!
//! API server and controllers are real. There is no node: what the Pods would run is run on this machine.

mod lines;
mod server;

use crate::support::assert_a_test_each;

const LINES: [&str; 7] = [
    "the kinds are served, and an operator for each of them becomes ready",
    "a tenant has its blob, and waits for a NatsExample that somebody else makes",
    "somebody makes it: the other operator gives it an account and says so, and the tenant is on board",
    "a tenant may make it itself; the steps come in their order, whatever their files are called",
    "a first step that fails is tried again, which the status shows, and nothing comes before it has succeeded",
    "a tenant waits for an operator that is not there; killed on the way, an operator repeats no step",
    "who bears the same name elsewhere means nothing; a deleted tenant takes what is its own, and leaves what is not",
];

#[test]
fn every_line_has_its_test() {
    assert_a_test_each("c", &LINES, include_str!("lines.rs"));
}
