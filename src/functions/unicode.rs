//! Go's `unicode` and `strconv.Quote`: simple case mappings of single runes, and categories.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;

use crate::value::{Str, decode_utf8};

/// `strings.Map`: each rune mapped; an invalid byte is U+FFFD afterwards.
pub(crate) fn map_runes(text: &Str, mut map: impl FnMut(char) -> char) -> Str {
    text.chars().map(&mut map).collect::<String>().into()
}

/// `unicode.IsSpace`
pub(crate) fn is_space(rune: char) -> bool {
    rune.is_whitespace()
}

/// `unicode.ToUpper`: the simple mapping, which never makes two runes of one.
pub(crate) fn to_upper(rune: char) -> char {
    let mut full = rune.to_uppercase();
    match (full.next(), full.next()) {
        (Some(upper), None) => upper,
        _ => iota_upper(rune),
    }
}

/// The Greek letters with iota below: their full mapping writes the iota beside, the simple one as another letter.
fn iota_upper(rune: char) -> char {
    let distance = match rune {
        '\u{1F80}'..='\u{1F87}' | '\u{1F90}'..='\u{1F97}' | '\u{1FA0}'..='\u{1FA7}' => 8,
        '\u{1FB3}' | '\u{1FC3}' | '\u{1FF3}' => 9,
        _ => 0,
    };
    char::from_u32(u32::from(rune) + distance).unwrap_or(rune)
}

/// `unicode.ToLower`: the simple mapping.
pub(crate) fn to_lower(rune: char) -> char {
    // The only letter whose full lower case has two runes.
    if rune == 'İ' { 'i' } else { rune.to_lowercase().next().unwrap_or(rune) }
}

/// `unicode.ToTitle`: upper case but for the letters that have a title case of their own, and Georgian, which has none.
pub(crate) fn to_title(rune: char) -> char {
    match rune {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        '\u{10D0}'..='\u{10FF}' => rune,
        _ => to_upper(rune),
    }
}

/// A Unicode category as the expression engine's tables have it.
macro_rules! category {
    ($(#[$doc:meta])* $name:ident, $pattern:literal, $ascii:expr) => {
        $(#[$doc])*
        pub(crate) fn $name(rune: char) -> bool {
            static CATEGORY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($pattern).ok());
            if rune.is_ascii() {
                let ascii: fn(char) -> bool = $ascii;
                return ascii(rune);
            }
            CATEGORY.as_ref().is_some_and(|category| category.is_match(rune.encode_utf8(&mut [0; 4])))
        }
    };
}

category!(
    /// `unicode.IsLetter`
    is_letter, r"\p{L}", |rune| rune.is_ascii_alphabetic()
);
category!(
    /// `unicode.IsUpper`
    is_upper, r"\p{Lu}", |rune| rune.is_ascii_uppercase()
);
category!(
    /// `unicode.IsLower`
    is_lower, r"\p{Ll}", |rune| rune.is_ascii_lowercase()
);
category!(
    /// `unicode.IsTitle`
    is_title, r"\p{Lt}", |_| false
);
category!(
    /// `unicode.IsNumber`
    is_number, r"\p{N}", |rune| rune.is_ascii_digit()
);
category!(
    /// `unicode.IsPunct`
    is_punct, r"\p{P}", |rune| rune.is_ascii_punctuation() && !matches!(rune, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~')
);
category!(
    /// `unicode.IsPrint`: what `%q` does not escape.
    is_print, r"[\p{L}\p{M}\p{N}\p{P}\p{S}]", |rune| matches!(rune, ' '..='~')
);

/// `strconv.Quote`, which is `%q`.
pub(crate) fn quoted(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut rest = text;
    while let Some((rune, width)) = decode_utf8(rest) {
        let (bytes, after) = rest.split_at_checked(width).unwrap_or((rest, b""));
        rest = after;
        match (bytes, rune) {
            ([byte], char::REPLACEMENT_CHARACTER) => push_escaped(&mut out, format_args!("\\x{byte:02x}")),
            (_, '"') => out.push_str("\\\""),
            (_, '\\') => out.push_str("\\\\"),
            (_, rune) if is_print(rune) => out.push(rune),
            (_, rune) => escape(rune, &mut out),
        }
    }
    out.push('"');
    out
}

fn escape(rune: char, out: &mut String) {
    let short = match rune {
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\u{c}' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\u{b}' => "\\v",
        _ => {
            return match u32::from(rune) {
                code @ (0..0x20 | 0x7f) => push_escaped(out, format_args!("\\x{code:02x}")),
                code @ 0..0x1_0000 => push_escaped(out, format_args!("\\u{code:04x}")),
                code => push_escaped(out, format_args!("\\U{code:08x}")),
            };
        }
    };
    out.push_str(short);
}

fn push_escaped(out: &mut String, escape: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _infallible = out.write_fmt(escape);
}
