//! Text as Go quotes it: `strconv.Quote`, `QuoteRune` and `IsPrint`, which are `%q`.

use std::sync::LazyLock;

use regex::Regex;

use crate::value::decode_utf8;

/// Graphic characters beyond Latin-1; of the spaces only U+0020 counts.
static PRINTABLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[\p{L}\p{M}\p{N}\p{P}\p{S}]$").ok());

/// Go's `strconv.IsPrint`.
pub fn is_print(rune: char) -> bool {
    match rune {
        '\u{20}'..='\u{7e}' => true,
        '\0'..='\u{a0}' | '\u{ad}' => false,
        '\u{a1}'..='\u{ff}' => true,
        _ => {
            let mut buffer = [0; 4];
            PRINTABLE.as_ref().is_some_and(|class| class.is_match(rune.encode_utf8(&mut buffer)))
        }
    }
}

/// Go's `strconv.Quote`.
pub fn quote(text: &[u8]) -> String {
    quote_with(text, Alphabet::Unicode)
}

/// What may stand in a quoted string unescaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// Everything printable.
    Unicode,
    /// Printable ASCII (`%+q`).
    Ascii,
}

/// [`quote`] in an alphabet.
pub fn quote_with(text: &[u8], alphabet: Alphabet) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut rest = text;
    while let Some((rune, width)) = decode_utf8(rest) {
        match (width, rune, rest.first()) {
            (1, char::REPLACEMENT_CHARACTER, Some(byte)) => out.push_str(&hex_escape('x', 2, u32::from(*byte))),
            _ => escape_rune(&mut out, rune, '"', alphabet),
        }
        rest = rest.get(width..).unwrap_or_default();
    }
    out.push('"');
    out
}

/// Go's `strconv.QuoteRune`.
pub fn quote_rune(rune: char, alphabet: Alphabet) -> String {
    let mut out = String::from("'");
    escape_rune(&mut out, rune, '\'', alphabet);
    out.push('\'');
    out
}

fn escape_rune(out: &mut String, rune: char, delimiter: char, alphabet: Alphabet) {
    if rune == delimiter || rune == '\\' {
        out.push('\\');
        out.push(rune);
        return;
    }
    if (alphabet == Alphabet::Unicode || rune.is_ascii()) && is_print(rune) {
        out.push(rune);
        return;
    }
    match rune {
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        '\0'..='\u{1f}' | '\u{7f}' => out.push_str(&hex_escape('x', 2, rune.into())),
        '\0'..='\u{ffff}' => out.push_str(&hex_escape('u', 4, rune.into())),
        _ => out.push_str(&hex_escape('U', 8, rune.into())),
    }
}

fn hex_escape(letter: char, digits: usize, number: u32) -> String {
    format!("\\{letter}{number:0digits$x}")
}
