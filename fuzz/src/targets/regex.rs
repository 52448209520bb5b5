//! A pattern, a replacement and a text of any bytes: the functions agree with each other, and end.

use crate::targets::evaluate::evaluate;
use crate::targets::lines;

pub(crate) fn run(data: &[u8]) {
    let [pattern, replacement, text] = lines::<3>(data);
    let ask = |template: &str| evaluate(template, [("p", pattern), ("r", replacement), ("s", text)]);
    let matches = match ask("{{ mustRegexMatch .p .s }}") {
        Ok(matches) => matches == "true",
        Err(error) => {
            assert!(error.contains("error parsing regexp: "), "{error}");
            assert!(ask("{{ mustRegexFindAll .p .s -1 }}").is_err(), "a pattern is one everywhere, or nowhere");
            assert_eq!(ask("{{ regexMatch .p .s }}").as_deref(), Ok("false"), "nothing matches a bad pattern");
            return;
        }
    };
    assert_eq!(ask("{{ regexMatch .p .s }}"), Ok(matches.to_string()), "with and without `must`");
    // Every match replaced by itself leaves the text as it was.
    assert_eq!(ask("{{ eq .s (mustRegexReplaceAll .p .s \"${0}\") }}").as_deref(), Ok("true"), "itself for itself");
    let all = ask("{{ len (mustRegexFindAll .p .s -1) }}");
    let first = ask("{{ len (mustRegexFindAll .p .s 1) }}");
    assert_eq!(first.as_deref() == Ok("0"), all.as_deref() == Ok("0"), "a first one where there is any");
    if all.as_deref() == Ok("0") {
        assert_eq!(ask("{{ eq .s (mustRegexReplaceAll .p .s .r) }}").as_deref(), Ok("true"), "nothing to replace");
    }
    for template in ["{{ mustRegexReplaceAll .p .s .r }}", "{{ mustRegexReplaceAllLiteral .p .s .r }}"] {
        assert!(ask(template).is_ok(), "{template}");
    }
    assert!(ask("{{ mustRegexSplit .p .s -1 | len }}").is_ok(), "splitting works");
    if std::str::from_utf8(text).is_ok() {
        let quoted = r#"{{ mustRegexMatch (printf "\\A(?:%s)\\z" (regexQuoteMeta .s)) .s }}"#;
        assert_eq!(ask(quoted).as_deref(), Ok("true"), "a quoted text matches itself");
    }
}
