//! A compiled pattern, with Go's rules for walking from match to match and for replacing.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use regex::bytes::{Captures, Regex, RegexBuilder};

use crate::functions::regex::syntax::{self, Pattern};
use crate::functions::strings::within_bounds;
use crate::functions::unicode::is_letter;
use crate::value::{Str, decode_utf8, meter};

/// How many compiled patterns a thread keeps: more than a chart uses.
const KEPT: usize = 32;

/// How large one compiled pattern may be, in bytes: the usual ones, those of large classes, and those that are not kept.
const MAX_COMPILED: [usize; 3] = [64 << 10, 512 << 10, 10 << 20];

/// How much a search may keep of the automaton it makes as it goes, in bytes.
const MAX_AUTOMATON: usize = 256 << 10;

/// Bytes of a compiled pattern for each of its states, roughly.
const STATE: usize = 64;

/// What compiling takes for each byte of a pattern, measured: its tree, and its states.
const COMPILING: usize = 500;

/// How many states one search may go through: several seconds' work at worst.
const MAX_SEARCH: u64 = 1 << 33;

thread_local! {
    /// The patterns used last, newest first. Compiling costs a thousand times more than matching.
    static COMPILED: RefCell<VecDeque<(Str, Rc<Expression>)>> = const { RefCell::new(VecDeque::new()) };
}

/// Never shown: the limit that is reached is reported in its place.
const TOO_LATE: &str = "there is no time left for it";

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Expression {
    regex: Regex,
    /// States it has at most.
    states: u64,
    /// The names of the groups, from group 1 on; "" where a group has none.
    names: Vec<String>,
}

impl Expression {
    /// Compiles a pattern of Go's, or finds it among those used lately.
    ///
    /// # Errors
    /// `error parsing regexp: …` as Go says it.
    pub(crate) fn compile(pattern: &Str) -> Result<Rc<Self>, String> {
        if let Some(known) = COMPILED.with_borrow_mut(|kept| recall(kept, pattern)) {
            return Ok(known);
        }
        // The clock is looked at: compiling takes long, and large patterns are not kept.
        if !(meter::claim(pattern.len().saturating_mul(COMPILING)) && meter::spend(1 + pattern.len() as u64)) {
            return Err("error parsing regexp: expression too large".to_owned());
        }
        let expression = Rc::new(Self::build(pattern)?);
        if expression.is_large() {
            return if meter::spend(meter::SLICE) { Ok(expression) } else { Err(TOO_LATE.to_owned()) };
        }
        COMPILED.with_borrow_mut(|kept| {
            kept.truncate(KEPT - 1);
            kept.push_front((pattern.clone(), Rc::clone(&expression)));
        });
        Ok(expression)
    }

    /// Like [`Self::compile`], for who keeps it.
    pub(crate) fn read(pattern: &str) -> Result<Self, String> {
        Self::build(&pattern.into())
    }

    fn build(pattern: &Str) -> Result<Self, String> {
        Self::new(pattern).map_err(|error| format!("error parsing regexp: {error}"))
    }

    fn new(pattern: &Str) -> Result<Self, String> {
        let Pattern { text, names } = syntax::translate(pattern)?;
        let build = |size: usize| {
            let mut builder = RegexBuilder::new(&text);
            builder.size_limit(size).dfa_size_limit(MAX_AUTOMATON).nest_limit(syntax::NEST_LIMIT);
            Some((builder.build().ok()?, size / STATE))
        };
        match MAX_COMPILED.into_iter().find_map(build) {
            Some((regex, states)) => Ok(Self { regex, states: states as u64, names }),
            None => Err(format!("expression too large: `{pattern}`")),
        }
    }

    fn is_large(&self) -> bool {
        MAX_COMPILED.last().is_some_and(|largest| self.states >= (*largest / STATE) as u64)
    }

    /// Whether `text` may be searched from `at` on: a step for each sixteen million states, so that the clock is looked at
    /// in time.
    fn may_search(&self, text: &[u8], at: usize) -> bool {
        let states = (text.len().saturating_sub(at) as u64).saturating_mul(self.states);
        meter::spend(if states > MAX_SEARCH { u64::MAX } else { 1 + (states >> 24) })
    }

    /// Whether it matches anywhere.
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        self.find_from(&Text::new(text).readable, 0).is_some()
    }

    /// The leftmost match.
    pub(crate) fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        let text = Text::new(text);
        self.find_from(&text.readable, 0).map(|range| text.original_range(&range))
    }

    /// The leftmost match that starts at `from` or later. An empty match inside a character counts for none.
    fn find_from(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let mut at = from;
        loop {
            if !self.may_search(text, at) {
                return None;
            }
            let found = self.regex.find_at(text, at)?.range();
            if !found.is_empty() || is_boundary(text, found.start) {
                return Some(found);
            }
            at = found.start + 1;
        }
    }

    fn captures_from<'t>(&self, text: &'t [u8], from: usize) -> Option<Captures<'t>> {
        let start = self.find_from(text, from)?.start;
        self.regex.captures_at(text, start)
    }

    /// At most `count` matches; an empty one right after another does not count.
    pub(crate) fn find_all(&self, text: &[u8], count: usize) -> Vec<Range<usize>> {
        let read = Text::new(text);
        let text: &[u8] = &read.readable;
        let mut ranges = Vec::new();
        let mut at = 0;
        let mut previous_end = None;
        while ranges.len() < count && at <= text.len() && meter::visit(ranges.len() * size_of::<Range<usize>>()) {
            let Some(range) = self.find_from(text, at) else { break };
            let repeated = range.end == at && previous_end == Some(range.start);
            at = if range.end == at { at + width_at(text, at).max(1) } else { range.end };
            previous_end = Some(range.end);
            if !repeated {
                ranges.push(read.original_range(&range));
            }
        }
        ranges
    }

    /// Every match replaced by `template`, in which `$1` and `${name}` stand for groups.
    pub(crate) fn replace_all(&self, text: &Str, template: &[u8]) -> Result<Str, String> {
        self.replace(text, |text, captures, out| self.expand(template, text, captures, out))
    }

    /// Every match replaced by `replacement`.
    pub(crate) fn replace_all_literal(&self, text: &Str, replacement: &[u8]) -> Result<Str, String> {
        self.replace(text, |_, _, out| out.extend_from_slice(replacement))
    }

    fn replace(&self, text: &Str, mut put: impl FnMut(&Text<'_>, &Captures<'_>, &mut Vec<u8>)) -> Result<Str, String> {
        let read = Text::new(text);
        let text: &[u8] = &read.readable;
        let mut out = Vec::new();
        let (mut last_end, mut at) = (0, 0);
        while at <= text.len() {
            let Some(captures) = self.captures_from(text, at) else { break };
            let Some(range) = captures.get(0).map(|whole| whole.range()) else { break };
            out.extend_from_slice(read.original(&(last_end..range.start)));
            if range.end > last_end || range.start == 0 {
                put(&read, &captures, &mut out);
                within_bounds(out.len())?;
            }
            last_end = range.end;
            at = range.end.max(at + width_at(text, at).max(1));
        }
        out.extend_from_slice(read.original(&(last_end..text.len())));
        Ok(out.into())
    }

    /// Go's `Expand`.
    fn expand(&self, template: &[u8], text: &Text<'_>, captures: &Captures<'_>, out: &mut Vec<u8>) {
        let mut rest = template;
        while let Some(at) = memchr::memchr(b'$', rest) {
            let (before, after) = rest.split_at_checked(at).unwrap_or((rest, b""));
            out.extend_from_slice(before);
            rest = after.get(1..).unwrap_or_default();
            if let Some(after) = rest.strip_prefix(b"$") {
                out.push(b'$');
                rest = after;
            } else if let Some((name, after)) = group_name(rest) {
                let group = self.group(name, captures).map(|range| text.original(&range));
                out.extend_from_slice(group.unwrap_or_default());
                rest = after;
            } else {
                // Not a group: the sign stands for itself.
                out.push(b'$');
            }
        }
        out.extend_from_slice(rest);
    }

    fn group(&self, name: &[u8], captures: &Captures<'_>) -> Option<Range<usize>> {
        let range = |index: usize| captures.get(index).map(|group| group.range());
        if let Some(index) = number(name) {
            return range(index);
        }
        let mut named = self.names.iter().enumerate().filter(|(_, other)| other.as_bytes() == name);
        named.find_map(|(index, _)| range(index + 1))
    }
}

/// A text as Go's expressions read it: each byte that is not UTF-8 is a U+FFFD.
struct Text<'t> {
    bytes: &'t [u8],
    readable: Cow<'t, [u8]>,
    /// Where in `readable` a U+FFFD stands for one byte.
    replaced: Vec<usize>,
}

impl<'t> Text<'t> {
    fn new(bytes: &'t [u8]) -> Self {
        if std::str::from_utf8(bytes).is_ok() {
            return Self { bytes, readable: Cow::Borrowed(bytes), replaced: Vec::new() };
        }
        let mut readable = Vec::with_capacity(bytes.len());
        let mut replaced = Vec::new();
        let mut rest = bytes;
        while let Some((rune, width)) = decode_utf8(rest) {
            if rune == char::REPLACEMENT_CHARACTER && width == 1 {
                replaced.push(readable.len());
            }
            readable.extend_from_slice(rune.encode_utf8(&mut [0; 4]).as_bytes());
            rest = rest.get(width..).unwrap_or_default();
        }
        Self { bytes, readable: Cow::Owned(readable), replaced }
    }

    /// Where a place of the readable text lies in the original; matches begin and end between characters.
    fn original_at(&self, at: usize) -> usize {
        at - 2 * self.replaced.partition_point(|replaced| *replaced < at)
    }

    fn original_range(&self, range: &Range<usize>) -> Range<usize> {
        self.original_at(range.start)..self.original_at(range.end)
    }

    fn original(&self, range: &Range<usize>) -> &'t [u8] {
        self.bytes.get(self.original_range(range)).unwrap_or_default()
    }
}

fn recall(kept: &mut VecDeque<(Str, Rc<Expression>)>, pattern: &Str) -> Option<Rc<Expression>> {
    let at = kept.iter().position(|(known, _)| known == pattern)?;
    let entry = kept.remove(at)?;
    let expression = Rc::clone(&entry.1);
    kept.push_front(entry);
    Some(expression)
}

fn is_boundary(text: &[u8], at: usize) -> bool {
    // The lead byte of the character that `at` would cut is at most three bytes before.
    let inside = |back: usize| {
        let start = at.checked_sub(back)?;
        decode_utf8(text.get(start..)?).filter(|(_, width)| *width > back)
    };
    (1..4).all(|back| inside(back).is_none())
}

fn width_at(text: &[u8], at: usize) -> usize {
    text.get(at..).and_then(decode_utf8).map_or(0, |(_, width)| width)
}

/// The name after a `$`, in braces or as long as it goes, and what follows.
fn group_name(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (braced, body) = match rest.strip_prefix(b"{") {
        Some(body) => (true, body),
        None => (false, rest),
    };
    let mut length = 0;
    while let Some((rune, width)) = body.get(length..).and_then(decode_utf8) {
        if !(is_letter(rune) || rune.is_numeric() || rune == '_') {
            break;
        }
        length += width;
    }
    let (name, after) = body.split_at_checked(length).filter(|(name, _)| !name.is_empty())?;
    if braced { Some((name, after.strip_prefix(b"}")?)) } else { Some((name, after)) }
}

/// A group's number: digits without a leading zero.
fn number(name: &[u8]) -> Option<usize> {
    let zero_first = name.len() > 1 && name.starts_with(b"0");
    if zero_first || !name.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(name).ok()?.parse().ok()
}
