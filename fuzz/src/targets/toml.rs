//! Any text as TOML of a template: it is read, or refused, the same way twice, and what is written of it can be read.

use crate::targets::evaluate::evaluate;

pub(crate) fn run(data: &[u8]) {
    let read = || evaluate("{{ fromToml .s | toJson }}", [("s", data)]);
    let once = read();
    assert_eq!(once, read(), "the same twice");
    if once.is_ok_and(|json| json.starts_with("{\"Error\":")) {
        return;
    }
    if let Ok(written) = evaluate("{{ fromToml .s | mustToToml }}", [("s", data)]) {
        let again = evaluate("{{ fromToml .s | toJson }}", [("s", written.as_bytes())]);
        assert!(!again.is_ok_and(|json| json.starts_with("{\"Error\":")), "what was written is no TOML:\n{written}");
    }
}
