//! A constraint and three versions: charts and templates read them alike, and versions have one order.

use std::cmp::Ordering;

use chart_operator::chart::version::{Version, meets};

use crate::targets::evaluate::evaluate;
use crate::targets::lines;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let [constraint, texts @ ..] = lines::<4>(text.as_bytes()).map(|line| std::str::from_utf8(line).unwrap());
    for version in texts {
        let asked = [("c", constraint.as_bytes()), ("v", version.as_bytes())];
        let in_template = evaluate("{{ semverCompare .c .v }}", asked).is_ok_and(|answer| answer == "true");
        assert_eq!(meets(constraint, version), in_template, "{constraint:?} of {version:?}: chart and template agree");
    }
    if let [Some(first), Some(second), Some(third)] = texts.map(Version::parse) {
        check_order(&[first, second, third], &texts);
    }
}

fn check_order([first, second, third]: &[Version; 3], texts: &[&str; 3]) {
    let order = first.cmp(second);
    assert_eq!(order, second.cmp(first).reverse(), "{texts:?}: the order is antisymmetric");
    let asked = [("a", texts[0].as_bytes()), ("b", texts[1].as_bytes())];
    let in_template = evaluate("{{ (semver .a).Compare (semver .b) }}", asked);
    assert_eq!(in_template, Ok((order as i8).to_string()), "{texts:?}: chart and template agree");
    if order == second.cmp(third) {
        assert_eq!(first.cmp(third), order, "{texts:?}: the order is transitive");
    }
    if order == Ordering::Equal {
        assert_eq!(first.cmp(third), second.cmp(third), "{texts:?}: equal ones are alike to others");
    }
}
