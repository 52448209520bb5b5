//! A `.helmignore` and a path: the first line is the path.

use chart_operator::chart::ignore::{Entry, Rules};

use crate::targets::lines;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let [path, rules] = lines::<2>(text.as_bytes()).map(|part| std::str::from_utf8(part).unwrap());
    let Ok(parsed) = Rules::parse(rules) else { return };
    let answers = [Entry::File, Entry::Directory].map(|entry| parsed.ignore(path, entry));
    // A rule more never takes a path back.
    if let Ok(more) = Rules::parse(&format!("{rules}\nadded-by-the-target")) {
        for (entry, answer) in [Entry::File, Entry::Directory].into_iter().zip(answers) {
            assert!(!answer || more.ignore(path, entry), "{path:?} was ignored");
        }
    }
}
