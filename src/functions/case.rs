//! `camelcase`, `snakecase` and `kebabcase`: `huandu/xstrings` 1.5.0 as Sprig uses it.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use crate::functions::unicode::{is_letter, is_number, is_punct, is_space, is_upper, to_lower, to_upper};
use crate::value::Str;

fn is_connector(rune: char) -> bool {
    rune == '-' || rune == '_' || is_space(rune)
}

/// `camelcase`: words between connectors begin with a capital; connectors at the start stay, and repeated ones but one.
pub(crate) fn camelcase(text: Str) -> Str {
    let runes: Vec<char> = text.chars().collect();
    let leading = runes.iter().take_while(|rune| is_connector(**rune)).count();
    let mut out: String = runes.iter().take(leading).collect();
    let mut rest = runes.into_iter().skip(leading);
    let Some(first) = rest.next() else {
        // Only connectors: xstrings writes the last one twice.
        out.extend(out.chars().last());
        return out.into();
    };
    let mut lowering = is_upper(first);
    let mut previous = to_upper(first);
    for rune in rest {
        let (before, mut rune) = (previous, rune);
        match (is_connector(before), is_connector(rune)) {
            (true, true) => out.push(before),
            (true, false) => {
                lowering = is_upper(rune);
                rune = to_upper(rune);
            }
            (false, _) => {
                lowering = lowering && is_upper(rune);
                if lowering {
                    rune = to_lower(rune);
                }
                out.push(before);
            }
        }
        previous = rune;
    }
    out.push(previous);
    out.into()
}

/// `snakecase`
pub(crate) fn snakecase(text: Str) -> String {
    separated(&text, '_')
}

/// `kebabcase`
pub(crate) fn kebabcase(text: Str) -> String {
    separated(&text, '-')
}

/// What a run of runes is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// The end of the text.
    End,
    Number,
    /// Capitals, or a capital and the small letters after it.
    Capital,
    Letters,
    Connector,
    Punctuation,
    Other,
}

/// A letter that can have a case; Chinese characters are none.
fn is_alphabetic(rune: char) -> bool {
    let chinese = matches!(rune, '\u{4E00}'..='\u{9FCC}' | '\u{3400}'..='\u{4D85}' | '\u{20000}'..='\u{2B81D}');
    is_letter(rune) && !chinese
}

/// The words of a text, in order.
struct Words<'a> {
    rest: &'a [char],
}

impl<'a> Words<'a> {
    fn next(&mut self) -> (Word, &'a [char]) {
        let Some(first) = self.rest.first().copied() else { return (Word::End, &[]) };
        let (kind, length) = if is_connector(first) {
            (Word::Connector, self.run(0, is_connector))
        } else if is_punct(first) {
            (Word::Punctuation, self.run(0, is_punct))
        } else if is_upper(first) {
            (Word::Capital, self.capital())
        } else if is_alphabetic(first) {
            (Word::Letters, self.run(0, |rune| is_alphabetic(rune) && !is_upper(rune)))
        } else if is_number(first) {
            (Word::Number, self.run(0, is_number))
        } else {
            let known = |rune| is_connector(rune) || is_alphabetic(rune) || is_number(rune) || is_punct(rune);
            (Word::Other, self.run(1, |rune| !known(rune)))
        };
        let (word, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.rest = rest;
        (kind, word)
    }

    /// How far a run of such runes goes, of which the first `from` belong to it anyway.
    fn run(&self, from: usize, belongs: impl Fn(char) -> bool) -> usize {
        from + self.rest.iter().skip(from).take_while(|rune| belongs(**rune)).count()
    }

    /// A capital with the small letters after it, or all capitals but the one that begins the next word: the `HTTP` of
    /// `HTTPServer`.
    fn capital(&self) -> usize {
        let capitals = self.run(1, is_upper);
        let next = self.rest.get(capitals).copied();
        match next {
            Some(rune) if is_alphabetic(rune) && capitals > 1 => capitals - 1,
            Some(rune) if is_alphabetic(rune) => self.run(1, |rune| is_alphabetic(rune) && !is_upper(rune)),
            _ => capitals,
        }
    }
}

/// The words in small letters with `connector` between. Numbers belong to the letters before or after them, as in
/// `bld4_floor_3rd`.
fn separated(text: &Str, connector: char) -> String {
    let runes: Vec<char> = text.chars().collect();
    let mut words = Words { rest: &runes };
    let mut out = Out { text: String::with_capacity(text.len() + 8), connector };
    let mut current = words.next();
    while !words.rest.is_empty() {
        if current.0 != Word::Connector {
            out.push(current);
        }
        let previous = current;
        current = words.next();
        current = match previous.0 {
            Word::Number => out.after_number(current, &mut words),
            Word::Connector => {
                out.push(previous);
                current
            }
            Word::Punctuation => current,
            _ => out.after_word(current, &mut words),
        };
    }
    out.push(current);
    out.text
}

struct Out {
    text: String,
    connector: char,
}

impl Out {
    fn push(&mut self, (kind, word): (Word, &[char])) {
        let connector = self.connector;
        let written = |rune: &char| match kind {
            Word::Connector | Word::Capital if is_connector(*rune) => connector,
            Word::Capital if is_upper(*rune) => to_lower(*rune),
            _ => *rune,
        };
        self.text.extend(word.iter().map(written));
    }

    /// Letters and numbers right after a number stay with it.
    fn after_number<'a>(&mut self, next: (Word, &'a [char]), words: &mut Words<'a>) -> (Word, &'a [char]) {
        let mut next = next;
        while matches!(next.0, Word::Letters | Word::Number) {
            self.push(next);
            next = words.next();
        }
        self.connect_before(next.0);
        next
    }

    fn after_word<'a>(&mut self, next: (Word, &'a [char]), words: &mut Words<'a>) -> (Word, &'a [char]) {
        if next.0 != Word::Number {
            if !matches!(next.0, Word::Connector | Word::Punctuation) {
                self.text.push(self.connector);
            }
            return next;
        }
        if words.rest.is_empty() {
            return next;
        }
        let after = words.next();
        if after.0 != Word::Letters {
            self.push(next);
            if !matches!(after.0, Word::Connector | Word::Punctuation) {
                self.text.push(self.connector);
            }
            return after;
        }
        // Small letters follow the number: it begins a word, as in `http_2xx`.
        self.text.push(self.connector);
        self.push(next);
        self.after_number(after, words)
    }

    fn connect_before(&mut self, next: Word) {
        if !matches!(next, Word::End | Word::Punctuation | Word::Connector) {
            self.text.push(self.connector);
        }
    }
}
