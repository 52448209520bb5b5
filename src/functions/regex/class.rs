//! Character classes and escapes of Go's regular expressions.

use crate::functions::regex::syntax::{push_code, wrong};

/// Matches no text.
pub(crate) const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";

const BAD_ESCAPE: &str = "invalid escape sequence";
const BAD_RANGE: &str = "invalid character class range";

/// The scripts whose names have four letters; others of that length are abbreviations.
const SHORT_SCRIPTS: [&str; 9] = ["ahom", "cham", "kawi", "lisu", "miao", "modi", "newa", "thai", "toto"];

/// Reads `[…]` at the beginning of `from`; gives it translated, and the rest.
pub(crate) fn bracketed(from: &str) -> Result<(String, &str), String> {
    let mut rest = from.get(1..).unwrap_or_default();
    let mut out = String::from("[");
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    let mut first = true;
    let mut empty = true;
    while first || !rest.starts_with(']') {
        first = false;
        let before = out.len();
        rest = item(rest, from, &mut out)?;
        empty = empty && out.len() == before;
    }
    if empty {
        // Only halves of surrogate pairs, which no text has.
        out = if out == "[" { NOTHING.to_owned() } else { r"(?s:.)".to_owned() };
    } else {
        out.push(']');
    }
    Ok((out, rest.get(1..).unwrap_or_default()))
}

/// One member of a class.
fn item<'p>(from: &'p str, whole: &str, out: &mut String) -> Result<&'p str, String> {
    if let Some(rest) = posix(from, out)? {
        return Ok(rest);
    }
    if let Some((text, rest)) = escaped(from)? {
        out.push_str(&text);
        return Ok(rest);
    }
    let (low, mut rest) = class_char(from, whole)?;
    let mut high = low;
    if let Some(after) = rest.strip_prefix('-').filter(|after| !after.is_empty() && !after.starts_with(']')) {
        (high, rest) = class_char(after, whole)?;
        if high < low {
            return Err(wrong(BAD_RANGE, from.get(..from.len() - rest.len()).unwrap_or(from)));
        }
    }
    push_range(low, high, out);
    Ok(rest)
}

/// Leaves out the halves of surrogate pairs.
fn push_range(low: u32, high: u32, out: &mut String) {
    let low = if (0xD800..0xE000).contains(&low) { 0xE000 } else { low };
    let high = if (0xD800..0xE000).contains(&high) { 0xD7FF } else { high };
    if low <= high {
        push_code(out, low);
        out.push('-');
        push_code(out, high);
    }
}

fn class_char<'p>(from: &'p str, whole: &str) -> Result<(u32, &'p str), String> {
    let mut chars = from.chars();
    match chars.next() {
        None => Err(wrong("missing closing ]", whole)),
        Some('\\') => escaped_char(from),
        Some(rune) => Ok((u32::from(rune), chars.as_str())),
    }
}

/// `[:alpha:]`
fn posix<'p>(from: &'p str, out: &mut String) -> Result<Option<&'p str>, String> {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
        "word", "xdigit",
    ];
    let Some((name, rest)) = from.strip_prefix("[:").and_then(|inside| inside.split_once(":]")) else {
        return Ok(None);
    };
    let text = from.get(..from.len() - rest.len()).unwrap_or(from);
    if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Err(wrong(BAD_RANGE, text));
    }
    out.push_str(text);
    Ok(Some(rest))
}

/// A class that an escape stands for: `\d`, `\pL`, `\P{Greek}`; as a member of a class, and the rest.
pub(crate) fn escaped(from: &str) -> Result<Option<(String, &str)>, String> {
    let mut chars = from.strip_prefix('\\').unwrap_or_default().chars();
    let text = match chars.next() {
        Some('d') => "0-9",
        Some('D') => "[^0-9]",
        Some('s') => r"\t\n\x{C}\r ",
        Some('S') => r"[^\t\n\x{C}\r ]",
        Some('w') => "0-9A-Za-z_",
        Some('W') => "[^0-9A-Za-z_]",
        Some('p' | 'P') if chars.as_str().is_empty() => return Ok(None),
        Some(sign @ ('p' | 'P')) => return property(from, sign, chars.as_str()).map(Some),
        _ => return Ok(None),
    };
    Ok(Some((text.to_owned(), chars.as_str())))
}

/// `\pL`, `\p{Name}`, `\p{^Name}` and with a capital `\P` what is not of it; `after` is what follows the `p`.
fn property<'p>(from: &'p str, sign: char, after: &'p str) -> Result<(String, &'p str), String> {
    let mut chars = after.chars();
    let (name, rest) = match chars.next() {
        Some('{') => chars.as_str().split_once('}').ok_or_else(|| wrong(BAD_RANGE, from))?,
        _ => after.split_at_checked(after.len() - chars.as_str().len()).unwrap_or((after, "")),
    };
    let text = from.get(..from.len() - rest.len()).unwrap_or(from);
    let (negated, name) = match name.strip_prefix('^') {
        Some(name) => (sign == 'p', name),
        None => (sign == 'P', name),
    };
    match (class_named(name), negated) {
        (Some(class), false) => Ok((class, rest)),
        (Some(class), true) => Ok((format!("[^{class}]"), rest)),
        (None, _) => Err(wrong(BAD_RANGE, text)),
    }
}

/// The class of a category or a script. Go looks a name up without its case, spaces, hyphens and underscores, and knows
/// scripts by their long names only.
fn class_named(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|rune| !matches!(rune, ' ' | '-' | '_')).collect();
    if !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    if matches!(name.as_str(), "cs" | "surrogate") {
        return Some(NOTHING.to_owned());
    }
    let short = name.len() == 4 && !SHORT_SCRIPTS.contains(&name.as_str());
    let classes = [format!("\\p{{gc={name}}}"), format!("\\p{{sc={name}}}")];
    let is_class = |class: &String| !name.starts_with("is") && regex::Regex::new(class).is_ok();
    classes.into_iter().take(if short { 1 } else { 2 }).find(is_class)
}

/// An escape that stands for one character: its code, and the rest.
pub(crate) fn escaped_char(from: &str) -> Result<(u32, &str), String> {
    let mut chars = from.get(1..).unwrap_or_default().chars();
    let Some(rune) = chars.next() else { return Err(wrong("trailing backslash at end of expression", "")) };
    let rest = chars.as_str();
    let simple = match rune {
        '0' => return Ok(octal(rune, rest)),
        '1'..='7' if rest.starts_with(|next: char| next.is_digit(8)) => return Ok(octal(rune, rest)),
        'x' => return hexadecimal(from, rest),
        'a' => Some(7),
        'f' => Some(12),
        'n' => Some(10),
        'r' => Some(13),
        't' => Some(9),
        'v' => Some(11),
        sign if sign.is_ascii() && !sign.is_ascii_alphanumeric() => Some(u32::from(sign)),
        _ => None,
    };
    simple.map(|code| (code, rest)).ok_or_else(|| bad_escape(from, rest))
}

fn bad_escape(from: &str, rest: &str) -> String {
    wrong(BAD_ESCAPE, from.get(..from.len() - rest.len()).unwrap_or(from))
}

/// Up to two more octal digits after `first`.
fn octal(first: char, rest: &str) -> (u32, &str) {
    let length = rest.bytes().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    let (digits, rest) = rest.split_at_checked(length).unwrap_or(("", rest));
    let value = |code: u32, digit: char| code * 8 + digit.to_digit(8).unwrap_or(0);
    (digits.chars().fold(first.to_digit(8).unwrap_or(0), value), rest)
}

/// `\x7F` or `\x{10FFFF}`; `after` is what follows the `x`.
fn hexadecimal<'p>(from: &'p str, after: &'p str) -> Result<(u32, &'p str), String> {
    let mut chars = after.chars();
    let Some(first) = chars.next() else { return Err(bad_escape(from, after)) };
    if first != '{' {
        let digits = first.to_digit(16).zip(chars.next().and_then(|second| second.to_digit(16)));
        return digits
            .map(|(high, low)| (high * 16 + low, chars.as_str()))
            .ok_or_else(|| bad_escape(from, chars.as_str()));
    }
    let mut code: Option<u32> = None;
    for rune in chars.by_ref() {
        if rune == '}' {
            let rest = chars.as_str();
            return code.map(|code| (code, rest)).ok_or_else(|| bad_escape(from, rest));
        }
        let digit = rune.to_digit(16);
        let next = digit.map(|digit| code.unwrap_or(0) * 16 + digit).filter(|code| *code <= 0x0010_FFFF);
        match next {
            Some(next) => code = Some(next),
            None => return Err(bad_escape(from, chars.as_str())),
        }
    }
    Err(bad_escape(from, ""))
}
