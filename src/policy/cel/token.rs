//! The text of a rule as tokens.

use crate::policy::cel::Fault;

/// The smallest part of a rule that means something.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name, also a word with a meaning such as `true` or `in`.
    Name(String),
    /// A whole number.
    Int(u64),
    /// A whole number with `u` behind it.
    Uint(u64),
    /// Another number.
    Double(f64),
    /// A text without its quotes and escapes.
    Text(String),
    /// An operator or a bracket.
    Sign(&'static str),
    /// There is no more.
    End,
}

/// Longer ones first, where one begins with another.
const SIGNS: [&str; 24] = [
    "||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", "(", ")", "[", "]", "{", "}",
    ",", ".",
];

/// All tokens of a rule, each with its offset; the last one is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, Fault> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip();
        let start = lexer.at;
        let token = lexer.token()?;
        let end = token == Token::End;
        tokens.push((token, start));
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::at(self.text, self.at, message)
    }

    /// Moves over what `wanted` wants, and gives it.
    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn take(&mut self, text: &str) -> bool {
        let there = self.rest().starts_with(text);
        self.at += if there { text.len() } else { 0 };
        there
    }

    /// Blanks and comments.
    fn skip(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            if !self.rest().starts_with("//") {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn token(&mut self) -> Result<Token, Fault> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        let fraction = first == '.' && rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit());
        if first.is_ascii_digit() || fraction {
            return self.number();
        }
        if let Some(raw) = quoted(rest) {
            return self.quoted(raw);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            return Ok(Token::Name(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned()));
        }
        let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
        let sign = sign.ok_or_else(|| self.fault(format!("`{first}` means nothing in CEL")))?;
        self.at += sign.len();
        Ok(Token::Sign(sign))
    }

    fn number(&mut self) -> Result<Token, Fault> {
        let start = self.at;
        if self.take("0x") || self.take("0X") {
            let digits = self.take_while(|c| c.is_ascii_hexdigit());
            return self.whole(start, u64::from_str_radix(digits, 16).ok());
        }
        self.take_while(|c| c.is_ascii_digit());
        let mut whole = true;
        if self.rest().starts_with('.') && self.rest().chars().nth(1).is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit());
            whole = false;
        }
        if self.rest().starts_with(['e', 'E']) {
            self.at += 1;
            let _ = self.take("+") || self.take("-");
            self.take_while(|c| c.is_ascii_digit());
            whole = false;
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        if whole {
            return self.whole(start, digits.parse().ok());
        }
        let number = digits.parse().ok().filter(|number: &f64| number.is_finite());
        number.map(Token::Double).ok_or_else(|| Fault::at(self.text, start, format!("`{digits}` is no number")))
    }

    fn whole(&mut self, start: usize, number: Option<u64>) -> Result<Token, Fault> {
        let digits = self.text.get(start..self.at).unwrap_or_default();
        let number = number.ok_or_else(|| Fault::at(self.text, start, format!("`{digits}` is no 64-bit number")))?;
        Ok(if self.take("u") || self.take("U") { Token::Uint(number) } else { Token::Int(number) })
    }

    fn quoted(&mut self, raw: bool) -> Result<Token, Fault> {
        let start = self.at;
        self.at += usize::from(raw);
        let first = self.rest().chars().next().map_or("'", |c| if c == '"' { "\"" } else { "'" });
        let triple = first.repeat(3);
        let quote = if self.rest().starts_with(&triple) { triple } else { first.to_owned() };
        self.at += quote.len();
        let mut text = String::new();
        loop {
            if self.take(&quote) {
                return Ok(Token::Text(text));
            }
            let next = self.rest().chars().next().filter(|c| quote.len() == 3 || *c != '\n');
            let next = next.ok_or_else(|| Fault::at(self.text, start, "the text has no end"))?;
            self.at += next.len_utf8();
            text.push(if next == '\\' && !raw { self.escape()? } else { next });
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Result<char, Fault> {
        let rest = self.rest();
        let name = rest.chars().next().ok_or_else(|| self.fault("the text has no end"))?;
        self.at += name.len_utf8();
        let code = match name {
            '\\' | '"' | '\'' | '`' | '?' => return Ok(name),
            'a' => return Ok('\u{7}'),
            'b' => return Ok('\u{8}'),
            'f' => return Ok('\u{c}'),
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            't' => return Ok('\t'),
            'v' => return Ok('\u{b}'),
            'x' | 'X' => self.code(2, 16),
            'u' => self.code(4, 16),
            'U' => self.code(8, 16),
            '0'..='3' => {
                self.at -= 1;
                self.code(3, 8)
            }
            _ => None,
        };
        code.ok_or_else(|| self.fault(format!("`\\{name}` is no escape of CEL")))
    }

    fn code(&mut self, length: usize, radix: u32) -> Option<char> {
        let digits = self.rest().get(..length)?;
        self.at += length;
        char::from_u32(u32::from_str_radix(digits, radix).ok()?)
    }
}

/// Whether a text begins here, and whether backslashes are its own.
fn quoted(rest: &str) -> Option<bool> {
    let raw = rest.strip_prefix(['r', 'R']);
    let quote = raw.unwrap_or(rest).starts_with(['"', '\'']);
    quote.then_some(raw.is_some())
}
