//! Path patterns as gobwas/glob matches them: `*` and `?` stop at `/`, `**` does not, `{a,b}` and `[!x-z]` as usual.
//!
//! Mirrors github.com/gobwas/glob v0.2.3, its leniencies included: an open `{` at the end closes itself.

use std::iter::Peekable;
use std::str::Chars;

use crate::value::meter;

/// How deep `{…}` may be nested.
const MAX_NESTING: usize = 64;

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Glob(Vec<Part>);

#[derive(Debug)]
enum Part {
    Rune(char),
    /// `?`
    One,
    /// `*`
    Any,
    /// `**`
    Super,
    /// `[a-z]`, `[abc]`
    Class {
        negated: bool,
        members: Members,
    },
    /// `{a,b}`
    Either(Vec<Vec<Self>>),
}

#[derive(Debug)]
enum Members {
    Range(char, char),
    List(Vec<char>),
}

impl Glob {
    /// Compiles `pattern`; nothing if gobwas/glob refuses it.
    pub(crate) fn new(pattern: &str) -> Option<Self> {
        if !meter::claim(pattern.len().saturating_mul(size_of::<Part>())) {
            return None;
        }
        let mut chars = pattern.chars().peekable();
        parts(&mut chars, 0).map(Self)
    }

    /// The pattern every path matches.
    pub(crate) fn everything() -> Self {
        Self(vec![Part::Super])
    }

    /// Whether all of `path` matches.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        let mut reached = vec![false; path.len() + 1];
        if let Some(start) = reached.first_mut() {
            *start = true;
        }
        advance(&self.0, &path, reached).last() == Some(&true)
    }
}

/// Parts up to the end, or in braces up to `,` or `}`, which is left.
fn parts(chars: &mut Peekable<Chars<'_>>, depth: usize) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    while let Some(rune) = chars.next_if(|rune| depth == 0 || !matches!(rune, ',' | '}')) {
        let part = match rune {
            '*' if chars.next_if_eq(&'*').is_some() => Part::Super,
            '*' => Part::Any,
            '?' => Part::One,
            '[' => class(chars)?,
            '{' => Part::Either(alternatives(chars, depth + 1)?),
            '\\' => match chars.next() {
                Some(escaped) => Part::Rune(escaped),
                None => continue,
            },
            rune => Part::Rune(rune),
        };
        parts.push(part);
    }
    Some(parts)
}

fn alternatives(chars: &mut Peekable<Chars<'_>>, depth: usize) -> Option<Vec<Vec<Part>>> {
    if depth > MAX_NESTING {
        return None;
    }
    let mut alternatives = vec![parts(chars, depth)?];
    while chars.next() == Some(',') {
        alternatives.push(parts(chars, depth)?);
    }
    Some(alternatives)
}

/// After `[`.
fn class(chars: &mut Peekable<Chars<'_>>) -> Option<Part> {
    let negated = chars.next_if_eq(&'!').is_some();
    let first = *chars.peek()?;
    let mut ahead = chars.clone();
    ahead.next();
    if ahead.next() == Some('-') {
        chars.nth(1);
        let last = chars.next()?;
        let closed = chars.next() == Some(']');
        return (closed && first <= last).then_some(Part::Class { negated, members: Members::Range(first, last) });
    }
    let mut members = Vec::new();
    loop {
        match chars.next()? {
            ']' => break,
            '\\' => members.push(chars.next()?),
            rune => members.push(rune),
        }
    }
    (!members.is_empty()).then_some(Part::Class { negated, members: Members::List(members) })
}

/// The positions in `path` that can be reached through `parts` from those in `reached`. In time linear in both.
fn advance(parts: &[Part], path: &[char], mut reached: Vec<bool>) -> Vec<bool> {
    for part in parts {
        if !meter::spend(1 + reached.len() as u64 / 64) {
            break;
        }
        reached = step(part, path, &reached);
    }
    reached
}

fn step(part: &Part, path: &[char], reached: &[bool]) -> Vec<bool> {
    match part {
        Part::Rune(rune) => one(path, reached, |found| found == *rune),
        Part::One => one(path, reached, |found| found != '/'),
        Part::Any => run(path, reached, |found| found != '/'),
        Part::Super => run(path, reached, |_| true),
        Part::Class { negated, members } => one(path, reached, |found| members.contains(found) != *negated),
        Part::Either(alternatives) => {
            let mut all = vec![false; reached.len()];
            for alternative in alternatives {
                let found = advance(alternative, path, reached.to_vec());
                all.iter_mut().zip(found).for_each(|(all, found)| *all |= found);
            }
            all
        }
    }
}

fn one(path: &[char], reached: &[bool], accept: impl Fn(char) -> bool) -> Vec<bool> {
    let after = reached.iter().zip(path).map(|(reached, found)| *reached && accept(*found));
    std::iter::once(false).chain(after).collect()
}

fn run(path: &[char], reached: &[bool], accept: impl Fn(char) -> bool) -> Vec<bool> {
    let mut open = reached.first() == Some(&true);
    let mut after = vec![open];
    for (found, reached) in path.iter().zip(reached.iter().skip(1)) {
        open = open && accept(*found) || *reached;
        after.push(open);
    }
    after
}

impl Members {
    fn contains(&self, rune: char) -> bool {
        match self {
            Self::Range(first, last) => (*first..=*last).contains(&rune),
            Self::List(members) => members.contains(&rune),
        }
    }
}
