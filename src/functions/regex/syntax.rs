//! Go's regular expressions (`regexp/syntax` of Go 1.26, Perl flags) written as the `regex` crate reads them.
//!
//! What differs is resolved here: classes are ASCII, `\Q…\E`, octal escapes, literal braces, flags without a group of
//! their own, which repetitions are refused, and the words of every error.

use std::fmt::Write as _;

use crate::functions::regex::class;

/// How deep groups may be nested. Go allows 1,000; compiled automata are built by recursion here.
const MAX_DEPTH: usize = 250;

/// For the `regex` crate, which counts repetitions and flags as well.
pub(crate) const NEST_LIMIT: u32 = 4 * 250 + 50;

/// The most that nested repetitions may multiply to.
const MAX_REPEAT: u32 = 1_000;

/// A translated pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// In the `regex` crate's syntax; its groups have no names.
    pub(crate) text: String,
    /// The names of the groups in order, "" where a group has none.
    pub(crate) names: Vec<String>,
}

/// An error with Go's words: what is wrong, and the part of the pattern.
pub(crate) fn wrong(what: &str, part: &str) -> String {
    format!("{what}: `{part}`")
}

#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are the four flags of a pattern, each on or off")]
struct Flags {
    /// `i`
    fold: bool,
    /// `m`
    lines: bool,
    /// `s`
    dot_all: bool,
    /// `U`
    lazy: bool,
}

/// Something a repetition can apply to.
struct Piece {
    text: String,
    /// What the repetitions in it multiply to.
    weight: u32,
}

/// A group that is not closed yet, or the whole pattern.
struct Group {
    open: &'static str,
    /// The alternatives before the current one, each with its `|`.
    before: String,
    pieces: Vec<Piece>,
    weight: u32,
    /// The flags outside of it.
    outside: Flags,
}

impl Group {
    fn new(open: &'static str, outside: Flags) -> Self {
        Self { open, before: String::new(), pieces: Vec::new(), weight: 1, outside }
    }

    /// The current alternative is complete.
    fn finish_alternative(&mut self) {
        for piece in self.pieces.drain(..) {
            self.before.push_str(&piece.text);
            self.weight = self.weight.max(piece.weight);
        }
    }
}

struct Translator<'p> {
    whole: &'p str,
    rest: &'p str,
    flags: Flags,
    groups: Vec<Group>,
    current: Group,
    names: Vec<String>,
}

/// Translates a pattern.
///
/// # Errors
/// Go's text without `error parsing regexp: `.
pub(crate) fn translate(pattern: &[u8]) -> Result<Pattern, String> {
    let whole = match std::str::from_utf8(pattern) {
        Ok(whole) => whole,
        Err(error) => return Err(not_utf8(pattern, error.valid_up_to())),
    };
    let flags = Flags { fold: false, lines: false, dot_all: false, lazy: false };
    let current = Group::new("", flags);
    let mut translator = Translator { whole, rest: whole, flags, groups: Vec::new(), current, names: Vec::new() };
    translator.run()?;
    translator.current.finish_alternative();
    Ok(Pattern { text: translator.current.before, names: translator.names })
}

/// The error of a pattern that is UTF-8 up to `valid`: what is wrong before, or that byte.
fn not_utf8(pattern: &[u8], valid: usize) -> String {
    // A sign that no pattern has: an error that shows it was made only there.
    const END: char = '\u{10FFFF}';
    let (before, bad) = pattern.split_at_checked(valid).unwrap_or((pattern, b""));
    let before = format!("{}{END}", String::from_utf8_lossy(before));
    let earlier = translate(before.as_bytes()).err().filter(|error| !error.contains(END));
    earlier.unwrap_or_else(|| wrong("invalid UTF-8", &String::from_utf8_lossy(bad)))
}

impl<'p> Translator<'p> {
    fn run(&mut self) -> Result<(), String> {
        // Where the repetition right before began, if there was one.
        let mut repeated: Option<&str> = None;
        while let Some(next) = self.rest.chars().next() {
            let before = self.rest;
            let mut repetition = None;
            match next {
                '*' | '+' | '?' => {
                    self.advance(1);
                    self.repeat((0, None), before, repeated)?;
                    repetition = Some(before);
                }
                '{' => match counts(before) {
                    Some((counts, rest)) => {
                        self.rest = rest;
                        self.repeat_counted(counts, before, repeated)?;
                        repetition = Some(before);
                    }
                    None => self.literal_char(),
                },
                _ => self.one(next)?,
            }
            repeated = repetition;
        }
        if self.groups.is_empty() { Ok(()) } else { Err(wrong("missing closing )", self.whole)) }
    }

    fn one(&mut self, next: char) -> Result<(), String> {
        match next {
            '(' if self.rest.starts_with("(?") => return self.perl_group(),
            '(' => {
                self.advance(1);
                self.names.push(String::new());
                return self.open("(", self.flags);
            }
            ')' => return self.close(),
            '[' => {
                let (text, rest) = class::bracketed(self.rest)?;
                self.rest = rest;
                self.push_folded(&text);
            }
            '\\' => return self.escape(),
            '|' => {
                self.advance(1);
                self.current.finish_alternative();
                self.current.before.push('|');
            }
            '^' => self.assertion(if self.flags.lines { "(?m:^)" } else { r"\A" }),
            '$' => self.assertion(if self.flags.lines { "(?m:$)" } else { r"\z" }),
            '.' => self.assertion(if self.flags.dot_all { "(?s:.)" } else { r"[^\n]" }),
            _ => self.literal_char(),
        }
        Ok(())
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// What has been read of `from` up to here.
    fn read<'t>(&self, from: &'t str) -> &'t str {
        from.get(..from.len() - self.rest.len()).unwrap_or(from)
    }

    fn push(&mut self, text: String) {
        self.current.pieces.push(Piece { text, weight: 1 });
    }

    /// A sign of one byte that becomes `text`.
    fn assertion(&mut self, text: &str) {
        self.advance(1);
        self.push(text.to_owned());
    }

    fn push_folded(&mut self, text: &str) {
        self.push(if self.flags.fold { format!("(?i:{text})") } else { text.to_owned() });
    }

    fn literal_char(&mut self) {
        let mut chars = self.rest.chars();
        if let Some(rune) = chars.next() {
            self.rest = chars.as_str();
            self.literal(u32::from(rune));
        }
    }

    fn literal(&mut self, code: u32) {
        let text = match char::from_u32(code) {
            Some(rune) => regex::escape(rune.encode_utf8(&mut [0; 4])),
            // Half of a surrogate pair: no text has one.
            None => class::NOTHING.to_owned(),
        };
        self.push_folded(&text);
    }

    fn open(&mut self, open: &'static str, flags: Flags) -> Result<(), String> {
        if self.groups.len() >= MAX_DEPTH {
            return Err(wrong("expression nests too deeply", self.whole));
        }
        let outer = std::mem::replace(&mut self.current, Group::new(open, self.flags));
        self.groups.push(outer);
        self.flags = flags;
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let outer = self.groups.pop().ok_or_else(|| wrong("unexpected )", self.whole))?;
        let mut group = std::mem::replace(&mut self.current, outer);
        group.finish_alternative();
        self.flags = group.outside;
        self.advance(1);
        let text = format!("{}{})", group.open, group.before);
        self.current.pieces.push(Piece { text, weight: group.weight });
        Ok(())
    }

    /// `(?P<name>`, `(?<name>`, `(?i-s:` or `(?i-s)`.
    fn perl_group(&mut self) -> Result<(), String> {
        let from = self.rest;
        let named = match (from.strip_prefix("(?P<"), from.strip_prefix("(?<")) {
            (Some(rest), _) | (None, Some(rest)) if !rest.is_empty() => Some(rest),
            _ => None,
        };
        let Some(named) = named else { return self.flag_group() };
        let Some((name, rest)) = named.split_once('>') else { return Err(wrong("invalid named capture", from)) };
        self.rest = rest;
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(wrong("invalid named capture", self.read(from)));
        }
        self.names.push(name.to_owned());
        self.open("(", self.flags)
    }

    fn flag_group(&mut self) -> Result<(), String> {
        let from = self.rest;
        let mut flags = self.flags;
        let mut on = true;
        let mut seen = false;
        self.advance(2);
        let mut chars = self.rest.chars();
        while let Some(flag) = chars.next() {
            self.rest = chars.as_str();
            let one = match flag {
                'i' => &mut flags.fold,
                'm' => &mut flags.lines,
                's' => &mut flags.dot_all,
                'U' => &mut flags.lazy,
                '-' if on => {
                    (on, seen) = (false, false);
                    continue;
                }
                ':' if on || seen => return self.open("(?:", flags),
                ')' if on || seen => {
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            };
            *one = on;
            seen = true;
        }
        Err(wrong("invalid or unsupported Perl syntax", self.read(from)))
    }

    fn repeat_counted(&mut self, counts: Counts, before: &'p str, repeated: Option<&'p str>) -> Result<(), String> {
        let (min, max) = counts;
        let fits = |count: i64| (0..=i64::from(MAX_REPEAT)).contains(&count);
        if !fits(min) || max.is_some_and(|max| !fits(max) || min > max) {
            return Err(wrong("invalid repeat count", self.read(before)));
        }
        self.repeat(counts, before, repeated)
    }

    /// Repeats the piece before. `before` is the pattern from the operator on; the operator itself has been read.
    fn repeat(&mut self, (min, max): Counts, before: &'p str, repeated: Option<&'p str>) -> Result<(), String> {
        let mut lazy = self.flags.lazy;
        let counted = before.starts_with('{');
        let operator = if counted { self.read(before) } else { before.get(..1).unwrap_or_default() };
        if let Some(rest) = self.rest.strip_prefix('?') {
            self.rest = rest;
            lazy = !lazy;
        }
        if let Some(first) = repeated {
            return Err(wrong("invalid nested repetition operator", self.read(first)));
        }
        let text = self.read(before);
        let piece =
            self.current.pieces.last_mut().ok_or_else(|| wrong("missing argument to repetition operator", text))?;
        if counted {
            let factor = u32::try_from(max.unwrap_or(min)).unwrap_or(0);
            let weight = if max == Some(0) { 1 } else { factor.max(1).saturating_mul(piece.weight) };
            if weight > MAX_REPEAT && (min >= 2 || max.is_some_and(|max| max >= 2)) {
                return Err(wrong("invalid repeat count", text));
            }
            piece.weight = weight;
        }
        let mark = if lazy { "?" } else { "" };
        piece.text = format!("(?:{}){operator}{mark}", piece.text);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        let from = self.rest;
        match from.chars().nth(1) {
            Some('A') => self.two(r"\A"),
            Some('z') => self.two(r"\z"),
            Some('b') => self.two(r"(?-u:\b)"),
            Some('B') => self.two(r"(?-u:\B)"),
            Some('C') => return Err(wrong("invalid escape sequence", r"\C")),
            Some('Q') => {
                let quoted = from.get(2..).unwrap_or_default();
                let (literal, rest) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
                literal.chars().for_each(|rune| self.literal(u32::from(rune)));
                self.rest = rest;
            }
            _ => return self.class_or_char(),
        }
        Ok(())
    }

    fn class_or_char(&mut self) -> Result<(), String> {
        if let Some((text, rest)) = class::escaped(self.rest)? {
            self.rest = rest;
            self.push_folded(&format!("[{text}]"));
        } else {
            let (code, rest) = class::escaped_char(self.rest)?;
            self.rest = rest;
            self.literal(code);
        }
        Ok(())
    }

    /// An escape of two bytes that becomes `text`.
    fn two(&mut self, text: &str) {
        self.advance(2);
        self.push(text.to_owned());
    }
}

/// Least and most; no most is without end.
type Counts = (i64, Option<i64>);

/// Reads `{n}`, `{n,}` or `{n,m}`; anything else in braces is text.
fn counts(text: &str) -> Option<(Counts, &str)> {
    let (min, rest) = count(text.strip_prefix('{')?)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => count(rest).map(|(max, rest)| (Some(max), rest))?,
    };
    Some(((min, max), rest.strip_prefix('}')?))
}

/// A number without leading zeros; one too large is taken for -1.
fn count(text: &str) -> Option<(i64, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(length)?;
    if digits.is_empty() || digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    let number = if digits.len() > 9 { -1 } else { digits.parse().unwrap_or(-1) };
    Some((number, rest))
}

/// A code point as an escape that stands for itself everywhere.
pub(crate) fn push_code(out: &mut String, code: u32) {
    // Writing to a String cannot fail.
    let _infallible = write!(out, "\\x{{{code:X}}}");
}
