//! Scanning of scalars: block (`|`, `>`), quoted and plain.

use std::borrow::Cow;

use crate::yaml::Fault;
use crate::yaml::cursor::{Mark, break_width, ends_word, line_width};
use crate::yaml::scanner::Scanner;

/// The line breaks between two lines of a quoted or plain scalar.
#[derive(Default)]
struct Folding {
    /// The first one; `None` where it was escaped.
    first: Option<&'static str>,
    rest: String,
}

impl Folding {
    /// Adds what the line breaks stand for: a single one for a space, further ones for themselves.
    fn fold_into(&mut self, out: &mut String) {
        match self.first.take() {
            Some("\n") if self.rest.is_empty() => out.push(' '),
            Some("\n") | None => out.push_str(&self.rest),
            Some(separator) => {
                out.push_str(separator);
                out.push_str(&self.rest);
            }
        }
        self.rest.clear();
    }
}

/// What becomes of the line breaks at the end of a block scalar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl<'a> Scanner<'a> {
    /// A scalar after `|` or `>`.
    pub(in crate::yaml) fn block_scalar(&mut self) -> Result<String, Box<Fault>> {
        let literal = self.cursor.peek(0) == b'|';
        self.cursor.advance(1);
        let (chomping, increment) = self.block_header()?;
        let mut indent = increment.map(|increment| self.indent.unwrap_or(0) + increment);
        let mut value = String::new();
        let mut last_break = "";
        let mut breaks = String::new();
        let mut after_blank = false;
        self.block_breaks(&mut indent, &mut breaks)?;
        while Some(self.cursor.column()) == indent && !self.cursor.at_end() {
            let starts_blank = self.cursor.is_blank(0);
            if !literal && last_break == "\n" && !after_blank && !starts_blank {
                if breaks.is_empty() {
                    value.push(' ');
                }
            } else {
                value.push_str(last_break);
            }
            value.push_str(&breaks);
            breaks.clear();
            after_blank = starts_blank;
            let from = self.cursor.mark().offset;
            let width = line_width(self.cursor.rest());
            self.cursor.advance(width);
            value.push_str(self.cursor.slice(from, from + width));
            self.cursor.require(2)?;
            last_break = self.cursor.take_break().unwrap_or_default();
            self.block_breaks(&mut indent, &mut breaks)?;
        }
        if chomping != Chomping::Strip {
            value.push_str(last_break);
        }
        if chomping == Chomping::Keep {
            value.push_str(&breaks);
        }
        Ok(value)
    }

    /// Chomping and indentation indicators, and the rest of their line.
    fn block_header(&mut self) -> Result<(Chomping, Option<usize>), Box<Fault>> {
        let mut chomping = None;
        let mut increment = None;
        for _ in 0..2 {
            match self.cursor.peek(0) {
                b'+' if chomping.is_none() => chomping = Some(Chomping::Keep),
                b'-' if chomping.is_none() => chomping = Some(Chomping::Strip),
                b'0' if increment.is_none() => return self.fault("found an indentation indicator equal to 0"),
                digit @ b'1'..=b'9' if increment.is_none() => increment = Some(usize::from(digit - b'0')),
                _ => break,
            }
            self.cursor.advance(1);
        }
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        self.cursor.require(1)?;
        if !self.cursor.is_break_or_end() {
            return self.fault("did not find expected comment or line break");
        }
        self.cursor.take_break();
        Ok((chomping.unwrap_or(Chomping::Clip), increment))
    }

    /// Moves over indentation and empty lines; finds the indentation if it is not known yet.
    fn block_breaks(&mut self, indent: &mut Option<usize>, breaks: &mut String) -> Result<(), Box<Fault>> {
        let mut widest = 0;
        loop {
            let room = indent.map_or(usize::MAX, |indent| indent.saturating_sub(self.cursor.column()));
            let spaces = self.cursor.rest().iter().take(room).take_while(|b| **b == b' ').count();
            self.cursor.advance(spaces);
            self.cursor.require(1)?;
            let column = self.cursor.column();
            widest = widest.max(column);
            if indent.is_none_or(|indent| column < indent) && self.cursor.peek(0) == b'\t' {
                return self.fault("found a tab character where an indentation space is expected");
            }
            match self.cursor.take_break() {
                Some(found) => breaks.push_str(found),
                None => break,
            }
        }
        indent.get_or_insert_with(|| widest.max(self.indent.map_or(0, |indent| indent + 1)).max(1));
        Ok(())
    }

    /// A scalar in quotes.
    pub(in crate::yaml) fn flow_scalar(&mut self) -> Result<Cow<'a, str>, Box<Fault>> {
        let quote = self.cursor.peek(0);
        self.cursor.advance(1);
        // What is not part of `joined` yet starts at `piece`.
        let mut piece = self.cursor.mark().offset;
        let mut joined: Option<String> = None;
        loop {
            self.check_quoted_line()?;
            let mut escaped_break = false;
            while !self.cursor.is_blank_or_end(0) {
                match self.cursor.peek(0) {
                    b'\'' if quote == b'\'' && self.cursor.peek(1) == b'\'' => {
                        self.cursor.advance(1);
                        self.join(&mut joined, piece);
                        self.cursor.advance(1);
                        piece = self.cursor.mark().offset;
                    }
                    end if end == quote => {
                        let end = self.cursor.mark().offset;
                        self.cursor.advance(1);
                        let last = self.cursor.slice(piece, end);
                        return Ok(joined.map_or(Cow::Borrowed(last), |joined| Cow::Owned(joined + last)));
                    }
                    b'\\' if quote == b'"' => {
                        let out = self.join(&mut joined, piece);
                        escaped_break = self.escape(out)?;
                        piece = self.cursor.mark().offset;
                        if escaped_break {
                            break;
                        }
                    }
                    _ => self.skip_quoted_run(quote),
                }
            }
            let end = self.cursor.mark().offset;
            if let Some(mut folding) = self.white_space(escaped_break, None)? {
                let out = joined.get_or_insert_default();
                out.push_str(self.cursor.slice(piece, end));
                folding.fold_into(out);
                piece = self.cursor.mark().offset;
            }
        }
    }

    /// Moves over what needs no look in a quoted scalar.
    fn skip_quoted_run(&mut self, quote: u8) {
        let rest = self.cursor.rest();
        let stops = |b: &u8| *b == quote || matches!(b, b'\\' | b' ' | b'\t' | b'\n' | b'\r' | 0xC2 | 0xE2);
        let run = rest.iter().position(stops).unwrap_or(rest.len());
        // What stopped it at its first byte is not what the caller looks for: a character that only resembles a break, or a
        // quote of the other kind.
        let width = if run > 0 {
            run
        } else {
            match rest.first() {
                Some(0xC2) => 2,
                Some(0xE2) => 3,
                _ => 1,
            }
        };
        self.cursor.advance(width);
    }

    /// Adds what lies between `piece` and here.
    fn join<'s>(&self, joined: &'s mut Option<String>, piece: usize) -> &'s mut String {
        let out = joined.get_or_insert_default();
        out.push_str(self.cursor.slice(piece, self.cursor.mark().offset));
        out
    }

    fn check_quoted_line(&self) -> Result<(), Box<Fault>> {
        self.cursor.require(2)?;
        if self.cursor.at_document_indicator() {
            return self.fault("found unexpected document indicator");
        }
        if self.cursor.at_end() {
            return self.fault("found unexpected end of stream");
        }
        Ok(())
    }

    /// One escape sequence. Whether it was a line break, which is then not moved over yet but for its backslash.
    fn escape(&mut self, out: &mut String) -> Result<bool, Box<Fault>> {
        let digits = match self.cursor.peek(1) {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            code => {
                self.cursor.advance(1);
                if self.cursor.is_break() {
                    return Ok(true);
                }
                let Some(meaning) = simple_escape(code) else {
                    return self.fault("found unknown escape character");
                };
                out.push(meaning);
                self.cursor.advance(1);
                return Ok(false);
            }
        };
        self.cursor.advance(2);
        let mut code = 0_u64;
        for ahead in 0..digits {
            let Some(digit) = char::from(self.cursor.peek(ahead)).to_digit(16) else {
                return self.fault("did not find expected hexdecimal number");
            };
            code = code << 4 | u64::from(digit);
        }
        let Some(meaning) = u32::try_from(code).ok().and_then(char::from_u32) else {
            return self.fault("found invalid Unicode character escape code");
        };
        out.push(meaning);
        self.cursor.advance(digits);
        Ok(false)
    }

    /// Moves over white space. `Some` if there was a line break, or one was escaped just before; then the blanks around it
    /// mean nothing. `indent` is the column in front of which there may be no tab.
    fn white_space(&mut self, escaped_break: bool, indent: Option<usize>) -> Result<Option<Folding>, Box<Fault>> {
        let mut folding = None;
        if escaped_break {
            self.cursor.take_break();
            folding = Some(Folding::default());
        }
        loop {
            self.cursor.require(1)?;
            if self.cursor.is_blank(0) {
                let in_indent = folding.is_some() && indent.is_some_and(|indent| self.cursor.column() < indent);
                if in_indent && self.cursor.peek(0) == b'\t' {
                    return self.fault("found a tab character that violates indentation");
                }
                self.cursor.advance(1);
                continue;
            }
            let Some(found) = self.cursor.take_break() else { return Ok(folding) };
            match &mut folding {
                None => folding = Some(Folding { first: Some(found), rest: String::new() }),
                Some(folding) => folding.rest.push_str(found),
            }
        }
    }

    /// A scalar without quotes, and where it ends: before the white space that follows it.
    pub(in crate::yaml) fn plain_scalar(&mut self) -> Result<(Cow<'a, str>, Mark), Box<Fault>> {
        let indent = self.indent.map_or(0, |indent| indent + 1);
        let in_flow = self.in_flow();
        let mut end = self.cursor.mark();
        let mut piece = end.offset;
        let mut joined: Option<String> = None;
        let mut pending: Option<Folding> = None;
        loop {
            if self.cursor.at_document_indicator() || self.cursor.peek(0) == b'#' {
                break;
            }
            let width = plain_run(self.cursor.rest(), in_flow);
            if width > 0 {
                if let Some(mut folding) = pending.take() {
                    let out = joined.get_or_insert_default();
                    out.push_str(self.cursor.slice(piece, end.offset));
                    folding.fold_into(out);
                    piece = self.cursor.mark().offset;
                }
                self.cursor.advance(width);
                end = self.cursor.mark();
                self.cursor.require(2)?;
            }
            if self.cursor.at_end() || !self.cursor.is_blank_or_end(0) {
                break;
            }
            if let Some(folding) = self.white_space(false, Some(indent))? {
                pending = Some(folding);
            }
            if !in_flow && self.cursor.column() < indent {
                break;
            }
        }
        if pending.is_some() {
            self.simple_key_allowed = true;
        }
        let last = self.cursor.slice(piece, end.offset);
        Ok((joined.map_or(Cow::Borrowed(last), |joined| Cow::Owned(joined + last)), end))
    }
}

/// Bytes of a plain scalar up to white space or to what ends it.
fn plain_run(rest: &[u8], in_flow: bool) -> usize {
    for (offset, byte) in rest.iter().enumerate() {
        let after = || rest.get(offset + 1..).unwrap_or_default();
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => return offset,
            b':' if ends_word(after()) => return offset,
            b',' | b'?' | b'[' | b']' | b'{' | b'}' if in_flow => return offset,
            0xC2 | 0xE2 if break_width(rest.get(offset..).unwrap_or_default()) > 0 => return offset,
            _ => {}
        }
    }
    rest.len()
}

fn simple_escape(code: u8) -> Option<char> {
    Some(match code {
        b'0' => '\0',
        b'a' => '\x07',
        b'b' => '\x08',
        b't' | b'\t' => '\t',
        b'n' => '\n',
        b'v' => '\x0B',
        b'f' => '\x0C',
        b'r' => '\r',
        b'e' => '\x1B',
        b' ' | b'"' | b'\'' | b'\\' => char::from(code),
        b'N' => '\u{85}',
        b'_' => '\u{A0}',
        b'L' => '\u{2028}',
        b'P' => '\u{2029}',
        _ => return None,
    })
}
