//! Tables in a database: what the demonstration shows, line by line, and a test for each line.
//!
//! API server, controllers and PostgreSQL are real. There is no node: what the Pods would run is run on this machine. Where
//! PostgreSQL is not installed, the tests say so and try nothing.

mod lines;

use crate::support::assert_a_test_each;

const LINES: [&str; 10] = [
    "there is an empty database, and the kind is served as its author wrote it",
    "a table is made, and then nothing more is written, although every status is a change of the resource",
    "a new column is added by one more Job, and nothing else is touched",
    "a column that is removed or changed is refused with all of the edit, and is not tried again",
    "when it is taken back nothing is run",
    "without the database an edit fails, says when it is tried again, and then is done by itself",
    "killed or edited on the way, the table gets to the same end, each edit on top of what was done",
    "a table waits for the Secret with the password",
    "a deleted resource stays until its table is dropped, and says why it cannot be",
    "what is no table is refused before anything is run",
];

#[test]
fn every_line_has_its_test() {
    assert_a_test_each("d", &LINES, include_str!("lines.rs"));
}
