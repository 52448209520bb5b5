//! A layout, a time, a zone and a duration.

use crate::targets::evaluate::evaluate;
use crate::targets::lines;

const ASKED: [&str; 8] = [
    "{{ toDate .l .t | unixEpoch }}",
    "{{ mustToDate .l .t | dateInZone .l }}",
    "{{ dateInZone .l (toDate \"2006-01-02T15:04:05Z07:00\" .t) .z }}",
    "{{ date .l (toDate .l .t) }}",
    "{{ mustDateModify .d (toDate .l .t) }}",
    "{{ duration .d }} {{ durationRound .d }} {{ durationSeconds .d }} {{ durationHours .d }}",
    "{{ mustToDuration .d | durationRoundTo .t }} {{ durationTruncateTo .d .t }}",
    "{{ htmlDateInZone (now | dateModify .d) .z }}",
];

pub(crate) fn run(data: &[u8]) {
    let [layout, time, zone, duration] = lines::<4>(data);
    for text in ASKED {
        let ask = || evaluate(text, [("l", layout), ("t", time), ("z", zone), ("d", duration)]);
        assert_eq!(ask(), ask(), "{text}: the same twice");
    }
    // A full time in text and back is the same time.
    let texts = [("l", layout), ("t", time)];
    let there = "{{ $l := \"2006-01-02T15:04:05.999999999Z07:00\" }}{{ mustToDate .l .t | date $l }}";
    if let Ok(first) = evaluate(there, texts) {
        let full = "2006-01-02T15:04:05.999999999Z07:00";
        let back = evaluate("{{ mustToDate .l .t | date .l }}", [("l", full.as_bytes()), ("t", first.as_bytes())]);
        let short_year = first.find('-').is_some_and(|at| at == 4);
        assert!(!short_year || back == Ok(first.clone()), "{first} became {back:?}");
    }
}
