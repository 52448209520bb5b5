//! Any text as JSON of a template: what is read and written reads the same again.

use crate::targets::evaluate::evaluate;

pub(crate) fn run(data: &[u8]) {
    for text in
        ["{{ mustFromJson .s | mustToJson }}", "{{ fromJson .s | toJson }}", "{{ fromJsonArray .s | toRawJson }}"]
    {
        let Ok(once) = evaluate(text, [("s", data)]) else { continue };
        let again = "{{ mustFromJson .s | mustToJson }}";
        let Ok(twice) = evaluate(again, [("s", once.as_bytes())]) else {
            panic!("{once}: what was written is no JSON")
        };
        assert_eq!(evaluate(again, [("s", twice.as_bytes())]), Ok(twice), "{once}");
    }
}
