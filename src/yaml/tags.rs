//! Scanning of anchors, tags and directives.

use std::borrow::Cow;

use crate::yaml::Fault;
use crate::yaml::scanner::{Kind, Scanner};

/// Most digits a number of a `%YAML` directive may have.
const VERSION_DIGITS: usize = 2;

impl<'a> Scanner<'a> {
    /// The name after `&` or `*`.
    pub(in crate::yaml) fn anchor_name(&mut self) -> Result<&'a str, Box<Fault>> {
        self.cursor.advance(1);
        let name = self.word();
        let ended = self.cursor.is_blank_or_end(0)
            || matches!(self.cursor.peek(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ended {
            return self.fault("did not find expected alphabetic or numeric character");
        }
        Ok(name)
    }

    /// Letters, digits, `_` and `-`.
    fn word(&mut self) -> &'a str {
        let from = self.cursor.mark().offset;
        let width = self.cursor.rest().iter().take_while(|b| is_word(**b)).count();
        self.cursor.advance(width);
        self.cursor.slice(from, from + width)
    }

    /// A tag: `!<uri>`, `!handle!suffix`, `!suffix` or `!`.
    pub(in crate::yaml) fn tag(&mut self) -> Result<Kind<'a>, Box<Fault>> {
        let kind = if self.cursor.peek(1) == b'<' {
            self.cursor.advance(2);
            let uri = self.tag_uri("")?;
            if self.cursor.peek(0) != b'>' {
                return self.fault("did not find the expected '>'");
            }
            self.cursor.advance(1);
            Kind::Tag("", uri)
        } else {
            let handle = self.tag_handle()?;
            if handle.len() > 1 && handle.ends_with('!') {
                Kind::Tag(handle, self.tag_uri("")?)
            } else {
                let suffix = self.tag_uri(handle)?;
                if suffix.is_empty() { Kind::Tag("", Cow::Borrowed("!")) } else { Kind::Tag("!", suffix) }
            }
        };
        self.cursor.require(1)?;
        if !self.cursor.is_blank_or_end(0) {
            return self.fault("did not find expected whitespace or line break");
        }
        Ok(kind)
    }

    /// `!`, `!word` or `!word!`.
    fn tag_handle(&mut self) -> Result<&'a str, Box<Fault>> {
        let from = self.cursor.mark().offset;
        if self.cursor.peek(0) != b'!' {
            return self.fault("did not find expected '!'");
        }
        self.cursor.advance(1);
        self.word();
        if self.cursor.peek(0) == b'!' {
            self.cursor.advance(1);
        }
        Ok(self.cursor.slice(from, self.cursor.mark().offset))
    }

    /// The rest of a tag, which starts with what follows the `!` of `head`. It may be empty if there is a head.
    fn tag_uri(&mut self, head: &str) -> Result<Cow<'a, str>, Box<Fault>> {
        let mut uri = head.get(1..).unwrap_or_default().as_bytes().to_vec();
        let start = self.cursor.mark().offset;
        loop {
            match self.cursor.peek(0) {
                b'%' => self.uri_escape(&mut uri)?,
                byte if is_uri(byte) => {
                    uri.push(byte);
                    self.cursor.advance(1);
                }
                _ => break,
            }
        }
        if head.is_empty() && self.cursor.mark().offset == start {
            return self.fault("did not find expected tag URI");
        }
        Ok(Cow::Owned(String::from_utf8_lossy(&uri).into_owned()))
    }

    /// One character as `%XX` for each of its bytes.
    fn uri_escape(&mut self, uri: &mut Vec<u8>) -> Result<(), Box<Fault>> {
        let mut expected = 0;
        let mut index = 0;
        loop {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let octet = match (self.cursor.peek(0), digit(self.cursor.peek(1)), digit(self.cursor.peek(2))) {
                (b'%', Some(high), Some(low)) => high << 4 | low,
                _ => return self.fault("did not find URI escaped octet"),
            };
            if index == 0 {
                expected = match octet {
                    0..0x80 => 1,
                    0xC0..=0xDF => 2,
                    0xE0..=0xEF => 3,
                    0xF0..=0xF7 => 4,
                    _ => return self.fault("found an incorrect leading UTF-8 octet"),
                };
            } else if octet & 0xC0 != 0x80 {
                return self.fault("found an incorrect trailing UTF-8 octet");
            }
            uri.push(octet);
            self.cursor.advance(3);
            index += 1;
            if index == expected {
                return Ok(());
            }
        }
    }

    /// A `%` line and its line break.
    pub(in crate::yaml) fn directive(&mut self) -> Result<Kind<'a>, Box<Fault>> {
        self.cursor.advance(1);
        let name = self.word();
        if name.is_empty() {
            return self.fault("could not find expected directive name");
        }
        if !self.cursor.is_blank_or_end(0) {
            return self.fault("found unexpected non-alphabetical character");
        }
        let kind = match name {
            "YAML" => self.version()?,
            "TAG" => self.tag_directive()?,
            _ => return self.fault("found unknown directive name"),
        };
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        self.cursor.require(2)?;
        if !self.cursor.is_break_or_end() {
            return self.fault("did not find expected comment or line break");
        }
        self.cursor.take_break();
        Ok(kind)
    }

    fn version(&mut self) -> Result<Kind<'a>, Box<Fault>> {
        self.cursor.skip_blanks();
        let major = self.version_number()?;
        if self.cursor.peek(0) != b'.' {
            return self.fault("did not find expected digit or '.' character");
        }
        self.cursor.advance(1);
        Ok(Kind::Version(major, self.version_number()?))
    }

    fn version_number(&mut self) -> Result<u8, Box<Fault>> {
        let digits = self.cursor.rest().iter().take_while(|b| b.is_ascii_digit()).count();
        if digits > VERSION_DIGITS {
            return self.fault("found extremely long version number");
        }
        let from = self.cursor.mark().offset;
        self.cursor.advance(digits);
        let Ok(number) = self.cursor.slice(from, from + digits).parse() else {
            return self.fault("did not find expected version number");
        };
        Ok(number)
    }

    fn tag_directive(&mut self) -> Result<Kind<'a>, Box<Fault>> {
        self.cursor.skip_blanks();
        let handle = self.tag_handle()?;
        if handle.len() > 1 && !handle.ends_with('!') {
            return self.fault("did not find expected '!'");
        }
        if !self.cursor.is_blank(0) {
            return self.fault("did not find expected whitespace");
        }
        self.cursor.skip_blanks();
        let prefix = self.tag_uri("")?;
        if !self.cursor.is_blank_or_end(0) {
            return self.fault("did not find expected whitespace or line break");
        }
        Ok(Kind::TagDirective(handle, prefix))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_uri(byte: u8) -> bool {
    is_word(byte) || b";/?:@&=+$,.!~*'()[]".contains(&byte)
}
