//! Text into tokens.
//!
//! Trim markers are carried out here: the parser never sees the white space they remove. Comments are dropped.

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
    Space,
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

/// One token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'t> {
    pub(crate) kind: TokenKind,
    /// Where it starts, in bytes.
    pub(crate) offset: usize,
    /// The line it starts in, from 1.
    pub(crate) line: usize,
    pub(crate) text: &'t [u8],
}

impl Token<'_> {
    /// What stands in a parser's buffer before it has read anything.
    pub(crate) const NONE: Self = Token { kind: TokenKind::Eof, offset: 0, line: 0, text: b"" };
}

/// Reads a template's text token by token.
#[derive(Debug)]
pub(crate) struct Lexer<'t> {
    input: &'t [u8],
    pos: usize,
    start: usize,
    line: usize,
    start_line: usize,
    in_action: bool,
    parens: usize,
    error: Option<String>,
}

/// How a scanner goes on: with a token, or not at all.
type Scan<'t> = Result<Token<'t>, String>;

impl<'t> Lexer<'t> {
    pub(crate) fn new(input: &'t [u8]) -> Self {
        Self { input, pos: 0, start: 0, line: 1, start_line: 1, in_action: false, parens: 0, error: None }
    }

    /// The message of the last [`TokenKind::Error`].
    pub(crate) fn error(&self) -> &str {
        self.error.as_deref().unwrap_or_default()
    }

    /// The next token; [`TokenKind::Eof`] at the end, and for ever after an error.
    pub(crate) fn token(&mut self) -> Token<'t> {
        if self.error.is_some() {
            return Token { kind: TokenKind::Eof, offset: self.pos, line: self.start_line, text: b"" };
        }
        let scanned = if self.in_action { self.inside_action() } else { self.text() };
        scanned.unwrap_or_else(|message| {
            self.error = Some(message);
            Token { kind: TokenKind::Error, offset: self.start, line: self.start_line, text: b"" }
        })
    }

    fn rest(&self) -> &'t [u8] {
        self.input.get(self.pos..).unwrap_or_default()
    }

    fn pending(&self) -> &'t [u8] {
        self.input.get(self.start..self.pos).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.next().map(|(rune, _)| rune)
    }

    /// The next character and its width; nearly all are ASCII.
    fn next(&self) -> Option<(char, usize)> {
        match self.input.get(self.pos) {
            Some(byte) if byte.is_ascii() => Some((char::from(*byte), 1)),
            _ => decode_utf8(self.rest()),
        }
    }

    fn bump(&mut self) -> Option<char> {
        let (rune, width) = self.next()?;
        self.pos += width;
        self.line += usize::from(rune == '\n');
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

    fn emit(&mut self, kind: TokenKind) -> Token<'t> {
        let token = Token { kind, offset: self.start, line: self.start_line, text: self.pending() };
        self.start = self.pos;
        self.start_line = self.line;
        token
    }

    /// Goes `count` bytes on, and drops what is pending.
    fn skip(&mut self, count: usize) {
        self.pos += count;
        if self.pos > self.start {
            self.line += newlines(self.pending());
        }
        self.start = self.pos;
        self.start_line = self.line;
    }

    fn text(&mut self) -> Scan<'t> {
        loop {
            let Some(length) = find(self.rest(), LEFT) else {
                self.pos = self.input.len();
                self.line += newlines(self.pending());
                let kind = if self.pos > self.start { TokenKind::Text } else { TokenKind::Eof };
                return Ok(self.emit(kind));
            };
            if length > 0 {
                let action = self.rest().get(length + LEFT.len()..).unwrap_or_default();
                let text = self.rest().get(..length).unwrap_or_default();
                let kept = if opens_with_trim(action) { text.trim_ascii_end_go().len() } else { length };
                self.pos += kept;
                self.line += newlines(self.pending());
                let token = self.emit(TokenKind::Text);
                self.skip(length - kept);
                if kept > 0 {
                    return Ok(token);
                }
            }
            if let Some(token) = self.left_delim()? {
                return Ok(token);
            }
        }
    }

    /// At `{{`: its token, or `None` if it was a comment.
    fn left_delim(&mut self) -> Result<Option<Token<'t>>, String> {
        self.pos += LEFT.len();
        let marker = if opens_with_trim(self.rest()) { 2 } else { 0 };
        if self.rest().get(marker..).is_some_and(|rest| rest.starts_with(b"/*")) {
            self.skip(marker);
            self.comment()?;
            return Ok(None);
        }
        let token = self.emit(TokenKind::LeftDelim);
        self.in_action = true;
        self.skip(marker);
        self.parens = 0;
        Ok(Some(token))
    }

    fn comment(&mut self) -> Result<(), String> {
        self.pos += 2;
        let Some(length) = find(self.rest(), *b"*/") else { return Err("unclosed comment".to_owned()) };
        self.pos += length + 2;
        let Some(trims) = self.right_delim_ahead() else {
            return Err("comment ends before closing delimiter".to_owned());
        };
        self.skip(if trims { 2 } else { 0 } + RIGHT.len());
        if trims {
            self.skip_space();
        }
        Ok(())
    }

    fn skip_space(&mut self) {
        let count = self.rest().iter().take_while(|byte| is_space_byte(**byte)).count();
        self.skip(count);
    }

    /// Whether `}}` comes next: `Some(true)` with a trim marker before it.
    fn right_delim_ahead(&self) -> Option<bool> {
        let rest = self.rest();
        if closes_with_trim(rest) && rest.get(2..).is_some_and(|rest| rest.starts_with(&RIGHT)) {
            return Some(true);
        }
        rest.starts_with(&RIGHT).then_some(false)
    }

    fn right_delim(&mut self, trims: bool) -> Token<'t> {
        if trims {
            self.skip(2);
        }
        self.pos += RIGHT.len();
        let token = self.emit(TokenKind::RightDelim);
        if trims {
            self.skip_space();
        }
        self.in_action = false;
        token
    }

    fn inside_action(&mut self) -> Scan<'t> {
        if let Some(trims) = self.right_delim_ahead() {
            if self.parens > 0 {
                return Err("unclosed left paren".to_owned());
            }
            return Ok(self.right_delim(trims));
        }
        let Some(rune) = self.peek() else { return Err("unclosed action".to_owned()) };
        if is_space(rune) {
            return Ok(self.space());
        }
        if rune == '.' && self.rest().get(1).is_some_and(|next| !next.is_ascii_digit()) {
            self.bump();
            return self.name(TokenKind::Field, TokenKind::Dot);
        }
        if rune.is_ascii_digit() || matches!(rune, '.' | '+' | '-') {
            return self.number();
        }
        if is_alphanumeric(rune) {
            return self.identifier();
        }
        self.bump();
        self.symbol(rune)
    }

    fn symbol(&mut self, rune: char) -> Scan<'t> {
        match rune {
            '=' => Ok(self.emit(TokenKind::Assign)),
            ':' if self.bump() == Some('=') => Ok(self.emit(TokenKind::Declare)),
            ':' => Err("expected :=".to_owned()),
            '|' => Ok(self.emit(TokenKind::Pipe)),
            '"' => self.quoted('"', TokenKind::String, "unterminated quoted string"),
            '\'' => self.quoted('\'', TokenKind::CharConstant, "unterminated character constant"),
            '`' => self.raw_string(),
            '$' => self.name(TokenKind::Variable, TokenKind::Variable),
            '(' => {
                self.parens += 1;
                Ok(self.emit(TokenKind::LeftParen))
            }
            ')' => match self.parens.checked_sub(1) {
                Some(parens) => {
                    self.parens = parens;
                    Ok(self.emit(TokenKind::RightParen))
                }
                None => Err("unexpected right paren".to_owned()),
            },
            _ if rune.is_ascii() && is_print(rune) => Ok(self.emit(TokenKind::Char)),
            _ => Err(format!("unrecognized character in action: {}", unicode(rune))),
        }
    }

    /// A run of spaces, up to the one that belongs to ` -}}`.
    fn space(&mut self) -> Token<'t> {
        while self.peek().is_some_and(is_space) {
            if self.right_delim_ahead() == Some(true) {
                break;
            }
            self.bump();
        }
        if self.pos > self.start { self.emit(TokenKind::Space) } else { self.right_delim(true) }
    }

    /// Goes on to the end of a word; nearly all are ASCII.
    fn bump_word(&mut self) {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        self.pos += self.rest().iter().take_while(|byte| is_word(byte)).count();
        self.bump_while(is_alphanumeric);
    }

    fn identifier(&mut self) -> Scan<'t> {
        self.bump_word();
        self.expect_terminator()?;
        let word = self.pending();
        let kind = match word {
            b"true" | b"false" => TokenKind::Bool,
            _ => TokenKind::keyword(word).unwrap_or(TokenKind::Identifier),
        };
        Ok(self.emit(kind))
    }

    /// After `.` or `$`: a name, or nothing (`bare`).
    fn name(&mut self, kind: TokenKind, bare: TokenKind) -> Scan<'t> {
        if self.at_terminator() {
            return Ok(self.emit(bare));
        }
        self.bump_word();
        self.expect_terminator()?;
        Ok(self.emit(kind))
    }

    fn expect_terminator(&self) -> Result<(), String> {
        if self.at_terminator() {
            return Ok(());
        }
        Err(format!("bad character {}", unicode(self.peek().unwrap_or_default())))
    }

    /// Whether a name may end here: `$x+2` is refused, should arithmetic ever come.
    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(rune) => is_space(rune) || self.rest().starts_with(&RIGHT),
        }
    }

    fn quoted(&mut self, delimiter: char, kind: TokenKind, unterminated: &str) -> Scan<'t> {
        loop {
            let means_something = |byte: &u8| matches!(byte, b'\\' | b'\n') || char::from(*byte) == delimiter;
            self.pos += self.rest().iter().take_while(|byte| !means_something(byte)).count();
            match self.bump() {
                Some('\\') if matches!(self.bump(), Some(rune) if rune != '\n') => {}
                None | Some('\n' | '\\') => return Err(unterminated.to_owned()),
                Some(rune) if rune == delimiter => return Ok(self.emit(kind)),
                Some(_) => {}
            }
        }
    }

    fn raw_string(&mut self) -> Scan<'t> {
        loop {
            match self.bump() {
                None => return Err("unterminated raw quoted string".to_owned()),
                Some('`') => return Ok(self.emit(TokenKind::RawString)),
                Some(_) => {}
            }
        }
    }

    /// A number as far as its letters go; what they mean is checked by the parser.
    fn number(&mut self) -> Scan<'t> {
        let mut kind = TokenKind::Number;
        let mut good = self.scan_number();
        if good && matches!(self.peek(), Some('+' | '-')) {
            // 1+2i
            kind = TokenKind::Complex;
            good = self.scan_number() && self.pending().ends_with(b"i");
        }
        if good {
            return Ok(self.emit(kind));
        }
        Err(format!("bad number syntax: {}", quote(self.pending())))
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

fn is_space(rune: char) -> bool {
    matches!(rune, ' ' | '\t' | '\r' | '\n')
}

fn is_space_byte(byte: u8) -> bool {
    is_space(char::from(byte))
}

fn opens_with_trim(action: &[u8]) -> bool {
    matches!(action, [b'-', space, ..] if is_space_byte(*space))
}

fn closes_with_trim(rest: &[u8]) -> bool {
    matches!(rest, [space, b'-', ..] if is_space_byte(*space))
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
