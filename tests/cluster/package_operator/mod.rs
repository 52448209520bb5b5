//! Package Operator as charts: what its demonstration shows, line by line, and a test for each line.
//!
//! API server, controllers and scheduler are real. The node is kwok's: Pods pretend to run, but for those of
//! `example-operator`, for which this binary is started.

mod part1;
mod part2;

use crate::support::assert_a_test_each;

/// Revisions of a package that live beside each other until the next one works.
const PART_1: [&str; 15] = [
    "the kinds are served, the operator becomes ready, and there are no packages",
    "a package becomes available: one set, revision 1, which has succeeded and controls its objects",
    "when its Pods are deleted the package says so, and then that they are back; it has succeeded all the time",
    "who scales the Deployment is undone, who annotates it is not",
    "a second revision that is not ready runs beside the first, which serves and leaves alone what the second contains",
    "an annotation makes it ready at once: the first is archived, its objects go, the annotation stays",
    "a third revision that cannot run takes nothing from the second",
    "a fourth one whose API is missing creates nothing, and the broken third is archived",
    "when that API appears the fourth goes on",
    "a fifth one takes an object over from the second as it is, and all others are archived",
    "those that have been ready once can be told from those that never were",
    "an older spec makes a new revision, and no more archived sets are kept than the limit says",
    "an operator that is killed on the way reaches the same end",
    "an object of nobody is left alone, and the set says that it collides",
    "a deleted package leaves nothing",
];

/// An operator's own upgrade, with its resources handed over one by one.
const PART_2: [&str; 7] = [
    "the operator's package goes live phase by phase, and its handover has nothing to do",
    "new resources are adopted by its version, and ready not before their delay",
    "its second version takes the resources over one at a time, all of them being available",
    "a resource created meanwhile belongs to the second version at once",
    "in the end the first version is gone, and no object of a resource was touched",
    "a broken resource stops the handover until it is mended",
    "a deleted package takes the resources down before their operator",
];

#[test]
fn every_line_has_its_test() {
    assert_a_test_each("a1", &PART_1, include_str!("part1.rs"));
    assert_a_test_each("a2", &PART_2, include_str!("part2.rs"));
}
