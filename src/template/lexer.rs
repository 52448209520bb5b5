//! Text into tokens.
//!
//! Trim markers are carried out here: the parser never sees the white space they remove. Comments are dropped.

use crate::template::ast::Span;
use crate::template::quote::{is_alphanumeric, is_print, quote};
use crate::value::decode_utf8;

const LEFT: [u8; 2] = *b"{{";
const RIGHT: [u8; 2] = *b"}}";

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// The text cannot be read on; the message is [`Lexer::error`].
    Error,
    Bool,
    /// A printable ASCII character that means nothing by itself, or a comma.
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    /// `.name`
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    String,
    Text,
    /// `$` or `$name`
    Variable,
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl TokenKind {
    fn keyword(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"block" => Self::Block,
            b"break" => Self::Break,
            b"continue" => Self::Continue,
            b"define" => Self::Define,
            b"else" => Self::Else,
            b"end" => Self::End,
            b"if" => Self::If,
            b"nil" => Self::Nil,
            b"range" => Self::Range,
            b"template" => Self::Template,
            b"with" => Self::With,
            _ => return None,
        })
    }

    /// Whether it is a word of the language (the dot counts as one).
    pub(crate) fn is_keyword(self) -> bool {
        matches!(
            self,
            Self::Block
                | Self::Break
                | Self::Continue
                | Self::Dot
                | Self::Define
                | Self::Else
                | Self::End
                | Self::If
                | Self::Nil
                | Self::Range
                | Self::Template
                | Self::With
        )
    }
}

/// One token: which part of the text, and what it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    /// Whether white space stands before it, inside an action.
    pub(crate) spaced: bool,
    /// Where it starts, in bytes.
    pub(crate) start: u32,
    /// Where it ends.
    pub(crate) end: u32,
}

impl Token {
    /// What stands in a parser's buffer before it has read anything.
    pub(crate) const NONE: Self = Self { kind: TokenKind::Eof, spaced: false, start: 0, end: 0 };

    pub(crate) fn span(self) -> Span {
        Span { start: self.start, end: self.end }
    }
}

/// Reads a template's text token by token.
#[derive(Debug)]
pub(crate) struct Lexer<'t> {
    input: &'t [u8],
    pos: usize,
    start: usize,
    in_action: bool,
    parens: usize,
    error: Option<String>,
}

/// A byte that is part of a word.
const WORD: u8 = 1;

/// A byte behind which a name may end: `$x+2` is refused, should arithmetic ever come.
const END: u8 = 2;

/// What each byte means inside an action.
#[expect(clippy::indexing_slicing, reason = "every byte has its place")]
const BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut byte = 0_u8;
    loop {
        bytes[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => WORD,
            b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(' => END,
            _ => 0,
        };
        if byte == u8::MAX {
            break bytes;
        }
        byte += 1;
    }
};

fn is(byte: u8, class: u8) -> bool {
    BYTES.get(usize::from(byte)) == Some(&class)
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(input: &'t [u8]) -> Self {
        Self { input, pos: 0, start: 0, in_action: false, parens: 0, error: None }
    }

    /// The message of the last [`TokenKind::Error`].
    pub(crate) fn error(&self) -> &str {
        self.error.as_deref().unwrap_or_default()
    }

    /// The text of a token.
    pub(crate) fn text_of(&self, token: Token) -> &'t [u8] {
        self.between(token.start, token.end)
    }

    /// A part of the text.
    pub(crate) fn between(&self, start: u32, end: u32) -> &'t [u8] {
        self.input.get(wide(start)..wide(end)).unwrap_or_default()
    }

    /// The line of a place in the text, from 1.
    pub(crate) fn line(&self, at: u32) -> usize {
        newlines(self.between(0, at)) + 1
    }

    /// The next token; [`TokenKind::Eof`] at the end, and for ever after an error.
    pub(crate) fn token(&mut self) -> Token {
        match (&self.error, self.in_action) {
            (None, true) => self.inside_action(),
            (None, false) => self.text(),
            (Some(_), _) => self.empty(TokenKind::Eof),
        }
    }

    /// Remembers why the text cannot be read on.
    #[cold]
    fn fail(&mut self, message: impl Into<String>) -> Token {
        self.error = Some(message.into());
        self.empty(TokenKind::Error)
    }

    /// A token without text, where the one being read began.
    fn empty(&self, kind: TokenKind) -> Token {
        Token { kind, spaced: false, start: narrow(self.start), end: narrow(self.start) }
    }

    fn rest(&self) -> &'t [u8] {
        self.input.get(self.pos..).unwrap_or_default()
    }

    fn pending(&self) -> &'t [u8] {
        self.input.get(self.start..self.pos).unwrap_or_default()
    }

    fn peek_byte(&self) -> Option<u8> {
        self.input.get(self.pos).copied()
    }

    fn peek(&self) -> Option<char> {
        self.next().map(|(rune, _)| rune)
    }

    /// The next character and its width; nearly all are ASCII.
    fn next(&self) -> Option<(char, usize)> {
        match self.peek_byte() {
            Some(byte) if byte.is_ascii() => Some((char::from(byte), 1)),
            _ => decode_utf8(self.rest()),
        }
    }

    fn bump(&mut self) -> Option<char> {
        let (rune, width) = self.next()?;
        self.pos += width;
        Some(rune)
    }

    fn bump_if(&mut self, accept: impl Fn(char) -> bool) -> bool {
        let accepted = self.peek().is_some_and(accept);
        if accepted {
            self.bump();
        }
        accepted
    }

    fn bump_while(&mut self, accept: impl Fn(char) -> bool) {
        while self.bump_if(&accept) {}
    }

    fn emit(&mut self, kind: TokenKind) -> Token {
        let token = Token { kind, spaced: false, start: narrow(self.start), end: narrow(self.pos) };
        self.start = self.pos;
        token
    }

    /// Goes `count` bytes on, and emits them.
    fn take(&mut self, count: usize, kind: TokenKind) -> Token {
        self.pos += count;
        self.emit(kind)
    }

    /// Goes `count` bytes on, and drops what is pending.
    fn skip(&mut self, count: usize) {
        self.pos += count;
        self.start = self.pos;
    }

    fn text(&mut self) -> Token {
        loop {
            let Some(length) = find(self.rest(), LEFT) else {
                let length = self.rest().len();
                return self.take(length, if length > 0 { TokenKind::Text } else { TokenKind::Eof });
            };
            if length > 0 {
                let (text, action) = self.rest().split_at(length);
                let trims = action.get(LEFT.len()..).is_some_and(opens_with_trim);
                let kept = if trims { text.trim_ascii_end_go().len() } else { length };
                let token = self.take(kept, TokenKind::Text);
                self.skip(length - kept);
                if kept > 0 {
                    return token;
                }
            }
            if let Some(token) = self.left_delim() {
                return token;
            }
        }
    }

    /// At `{{`: its token, or `None` if it was a comment.
    fn left_delim(&mut self) -> Option<Token> {
        self.pos += LEFT.len();
        let marker = if opens_with_trim(self.rest()) { 2 } else { 0 };
        if self.rest().get(marker..).is_some_and(|rest| rest.starts_with(b"/*")) {
            self.skip(marker);
            return self.comment();
        }
        let token = self.emit(TokenKind::LeftDelim);
        self.in_action = true;
        self.skip(marker);
        self.parens = 0;
        Some(token)
    }

    /// At `/*`: nothing, or an error.
    fn comment(&mut self) -> Option<Token> {
        self.pos += 2;
        let Some(length) = find(self.rest(), *b"*/") else { return Some(self.fail("unclosed comment")) };
        self.pos += length + 2;
        let Some(trims) = self.right_delim_ahead() else {
            return Some(self.fail("comment ends before closing delimiter"));
        };
        self.skip(if trims { 2 } else { 0 } + RIGHT.len());
        if trims {
            self.skip_space();
        }
        None
    }

    fn spaces(&self) -> usize {
        self.rest().iter().take_while(|byte| is_space_byte(**byte)).count()
    }

    fn skip_space(&mut self) {
        self.skip(self.spaces());
    }

    /// Whether `}}` comes next: `Some(true)` with a trim marker before it.
    fn right_delim_ahead(&self) -> Option<bool> {
        match self.rest() {
            [space, b'-', b'}', b'}', ..] if is_space_byte(*space) => Some(true),
            [b'}', b'}', ..] => Some(false),
            _ => None,
        }
    }

    fn right_delim(&mut self, trims: bool) -> Token {
        if self.parens > 0 {
            return self.fail("unclosed left paren");
        }
        if trims {
            self.skip(2);
        }
        let token = self.take(RIGHT.len(), TokenKind::RightDelim);
        if trims {
            self.skip_space();
        }
        self.in_action = false;
        token
    }

    /// The next token of an action, with the spaces before it, but for the one that belongs to ` -}}`.
    fn inside_action(&mut self) -> Token {
        let spaces = self.spaces();
        if spaces == 0 {
            return self.word();
        }
        if self.rest().get(spaces..).is_some_and(|rest| rest.starts_with(b"-}}")) {
            self.skip(spaces - 1);
            return Token { spaced: spaces > 1, ..self.right_delim(true) };
        }
        self.skip(spaces);
        Token { spaced: true, ..self.word() }
    }

    fn word(&mut self) -> Token {
        match *self.rest() {
            [] => self.fail("unclosed action"),
            [b'}', b'}', ..] => self.right_delim(false),
            [b'.', next, ..] if !next.is_ascii_digit() => {
                self.pos += 1;
                self.name(TokenKind::Field, TokenKind::Dot)
            }
            [b'0'..=b'9' | b'.' | b'+' | b'-', ..] => self.number(),
            [first, ..] if is(first, WORD) => self.identifier(),
            [first, ..] if first.is_ascii() => {
                self.pos += 1;
                self.symbol(first)
            }
            _ => self.beyond_ascii(),
        }
    }

    fn symbol(&mut self, symbol: u8) -> Token {
        match symbol {
            b'=' => self.emit(TokenKind::Assign),
            b':' if self.bump() == Some('=') => self.emit(TokenKind::Declare),
            b':' => self.fail("expected :="),
            b'|' => self.emit(TokenKind::Pipe),
            b'"' => self.quoted(b'"', TokenKind::String, "unterminated quoted string"),
            b'\'' => self.quoted(b'\'', TokenKind::CharConstant, "unterminated character constant"),
            b'`' => self.raw_string(),
            b'$' => self.name(TokenKind::Variable, TokenKind::Variable),
            b'(' => {
                self.parens += 1;
                self.emit(TokenKind::LeftParen)
            }
            b')' => match self.parens.checked_sub(1) {
                Some(parens) => {
                    self.parens = parens;
                    self.emit(TokenKind::RightParen)
                }
                None => self.fail("unexpected right paren"),
            },
            b' '..=b'~' => self.emit(TokenKind::Char),
            _ => self.unrecognized(char::from(symbol)),
        }
    }

    fn unrecognized(&mut self, rune: char) -> Token {
        self.fail(format!("unrecognized character in action: {}", unicode(rune)))
    }

    /// At a character that is not ASCII.
    #[cold]
    fn beyond_ascii(&mut self) -> Token {
        match self.peek() {
            Some(rune) if is_alphanumeric(rune) => self.identifier(),
            rune => self.unrecognized(rune.unwrap_or_default()),
        }
    }

    /// Goes on to the end of a word; nearly all are ASCII.
    fn bump_word(&mut self) {
        self.pos += self.rest().iter().take_while(|byte| is(**byte, WORD)).count();
        if self.peek_byte().is_some_and(|byte| !byte.is_ascii()) {
            self.bump_while(is_alphanumeric);
        }
    }

    fn identifier(&mut self) -> Token {
        self.bump_word();
        if !self.at_terminator() {
            return self.bad_character();
        }
        let kind = match self.pending() {
            b"true" | b"false" => TokenKind::Bool,
            word => TokenKind::keyword(word).unwrap_or(TokenKind::Identifier),
        };
        self.emit(kind)
    }

    /// After `.` or `$`: a name, or nothing (`bare`).
    fn name(&mut self, kind: TokenKind, bare: TokenKind) -> Token {
        let named = self.peek_byte().is_some_and(|byte| is(byte, WORD)) || !self.at_terminator();
        if named {
            self.bump_word();
            if !self.at_terminator() {
                return self.bad_character();
            }
        }
        self.emit(if named { kind } else { bare })
    }

    #[cold]
    fn bad_character(&mut self) -> Token {
        self.fail(format!("bad character {}", unicode(self.peek().unwrap_or_default())))
    }

    /// Whether a name may end here.
    fn at_terminator(&self) -> bool {
        match *self.rest() {
            [] | [b'}', b'}', ..] => true,
            [byte, ..] => is(byte, END),
        }
    }

    fn quoted(&mut self, delimiter: u8, kind: TokenKind, unterminated: &str) -> Token {
        loop {
            let means_something = |byte: &u8| *byte == delimiter || matches!(byte, b'\\' | b'\n');
            self.pos += self.rest().iter().take_while(|byte| !means_something(byte)).count();
            match *self.rest() {
                [byte, ..] if byte == delimiter => return self.take(1, kind),
                [b'\\', escaped, ..] if escaped != b'\n' => self.pos += 2,
                _ => return self.fail(unterminated),
            }
        }
    }

    fn raw_string(&mut self) -> Token {
        match memchr::memchr(b'`', self.rest()) {
            Some(length) => self.take(length + 1, TokenKind::RawString),
            None => self.fail("unterminated raw quoted string"),
        }
    }

    /// A number as far as its letters go; what they mean is checked by the parser.
    fn number(&mut self) -> Token {
        let mut kind = TokenKind::Number;
        let mut good = self.scan_number();
        if good && matches!(self.peek(), Some('+' | '-')) {
            // 1+2i
            kind = TokenKind::Complex;
            good = self.scan_number() && self.pending().ends_with(b"i");
        }
        if good {
            return self.emit(kind);
        }
        self.fail(format!("bad number syntax: {}", quote(self.pending())))
    }

    fn scan_number(&mut self) -> bool {
        self.bump_if(|rune| matches!(rune, '+' | '-'));
        let mut radix = 10;
        if self.bump_if(|rune| rune == '0') {
            radix = match self.peek() {
                Some('x' | 'X') => 16,
                Some('o' | 'O') => 8,
                Some('b' | 'B') => 2,
                _ => 10,
            };
            if radix != 10 {
                self.bump();
            }
        }
        let digit = |rune: char| rune == '_' || rune.is_digit(radix);
        self.bump_while(digit);
        if self.bump_if(|rune| rune == '.') {
            self.bump_while(digit);
        }
        let exponent = match radix {
            10 => self.bump_if(|rune| matches!(rune, 'e' | 'E')),
            16 => self.bump_if(|rune| matches!(rune, 'p' | 'P')),
            _ => false,
        };
        if exponent {
            self.bump_if(|rune| matches!(rune, '+' | '-'));
            self.bump_while(|rune| rune == '_' || rune.is_ascii_digit());
        }
        self.bump_if(|rune| rune == 'i');
        !self.bump_if(is_alphanumeric)
    }
}

/// Go's `%#U`.
fn unicode(rune: char) -> String {
    let code = format!("U+{:04X}", u32::from(rune));
    if is_print(rune) { format!("{code} '{rune}'") } else { code }
}

/// How many line breaks there are.
pub(crate) fn newlines(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}

fn find(text: &[u8], needle: [u8; 2]) -> Option<usize> {
    let [first, second] = needle;
    memchr::memchr_iter(first, text).find(|at| text.get(at + 1) == Some(&second))
}

fn is_space_byte(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A place in a text as tokens and nodes hold it; longer texts are not parsed.
pub(crate) fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A place in a text as slices take it.
pub(crate) fn wide(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

fn opens_with_trim(action: &[u8]) -> bool {
    matches!(action, [b'-', space, ..] if is_space_byte(*space))
}

/// Trimming of the four characters that templates count as space.
trait TrimSpace {
    fn trim_ascii_end_go(&self) -> &Self;
}

impl TrimSpace for [u8] {
    fn trim_ascii_end_go(&self) -> &Self {
        let end = self.iter().rposition(|byte| !is_space_byte(*byte)).map_or(0, |last| last + 1);
        self.get(..end).unwrap_or_default()
    }
}
