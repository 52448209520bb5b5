//! Where the scanner stands in the text, and how it moves.

use crate::yaml::Fault;

/// A position in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::yaml) struct Mark {
    /// Bytes before it.
    pub(in crate::yaml) offset: usize,
    /// Lines before it.
    pub(in crate::yaml) line: usize,
    /// Characters before it in its line.
    pub(in crate::yaml) column: usize,
}

/// A text and a position in it.
pub(in crate::yaml) struct Cursor<'a> {
    text: &'a str,
    bytes: &'a [u8],
    mark: Mark,
    /// Whether the text was cut off before a part with a forbidden character, so that its end is an error.
    cut: bool,
}

/// The original reads its input in pieces of so many bytes, and looks for forbidden characters in a whole piece at once:
/// such a character after the first document is an error only when it lies in a piece the first document reaches into.
const PIECE: usize = 512;

impl<'a> Cursor<'a> {
    /// Starts at the beginning of `text`, after a byte order mark.
    pub(in crate::yaml) fn new(text: &'a str) -> Self {
        let end = forbidden(text).map(|offset| piece_start(text, offset));
        let readable = text.get(..end.unwrap_or(text.len())).unwrap_or(text);
        let offset = if readable.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
        Self {
            text: readable,
            bytes: readable.as_bytes(),
            mark: Mark { offset, line: 0, column: 0 },
            cut: end.is_some(),
        }
    }

    /// The position.
    pub(in crate::yaml) fn mark(&self) -> Mark {
        self.mark
    }

    /// Characters before the position in its line.
    pub(in crate::yaml) fn column(&self) -> usize {
        self.mark.column
    }

    /// Ends the last line, if it has no line break: the end of the stream is at the start of a line.
    pub(in crate::yaml) fn close_line(&mut self) {
        if self.mark.column != 0 {
            self.mark.column = 0;
            self.mark.line += 1;
        }
    }

    /// Fails if the text ends less than `ahead` bytes from here because of a forbidden character.
    pub(in crate::yaml) fn require(&self, ahead: usize) -> Result<(), Box<Fault>> {
        if self.cut && self.mark.offset + ahead > self.bytes.len() { Err(Box::new(Fault::Control)) } else { Ok(()) }
    }

    /// The byte `ahead` bytes from here; 0 at the end, which no text contains.
    #[inline]
    pub(in crate::yaml) fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.mark.offset + ahead).copied().unwrap_or(0)
    }

    /// The bytes from here to the end.
    #[inline]
    pub(in crate::yaml) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.mark.offset..).unwrap_or_default()
    }

    /// The text between two offsets.
    #[inline]
    pub(in crate::yaml) fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Whether the text ends here.
    pub(in crate::yaml) fn at_end(&self) -> bool {
        self.mark.offset >= self.bytes.len()
    }

    /// Whether a space or tab is `ahead` bytes from here.
    pub(in crate::yaml) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.peek(ahead), b' ' | b'\t')
    }

    /// Whether a line break is here.
    pub(in crate::yaml) fn is_break(&self) -> bool {
        break_width(self.rest()) > 0
    }

    /// Whether a line break or the end is here.
    pub(in crate::yaml) fn is_break_or_end(&self) -> bool {
        self.at_end() || self.is_break()
    }

    /// Whether a space, tab, line break or the end is `ahead` bytes from here.
    pub(in crate::yaml) fn is_blank_or_end(&self, ahead: usize) -> bool {
        ends_word(self.rest().get(ahead..).unwrap_or_default())
    }

    /// Whether `---` or `...` stands alone at the start of this line.
    pub(in crate::yaml) fn at_document_indicator(&self) -> bool {
        self.mark.column == 0
            && (self.rest().starts_with(b"---") || self.rest().starts_with(b"..."))
            && self.is_blank_or_end(3)
    }

    /// Moves over `width` bytes without a line break.
    #[inline]
    pub(in crate::yaml) fn advance(&mut self, width: usize) {
        let passed = self.rest().get(..width).unwrap_or_default();
        self.mark.column += characters(passed);
        self.mark.offset += passed.len();
    }

    /// Moves over a second byte order mark at the start of the text.
    pub(in crate::yaml) fn skip_second_mark(&mut self) {
        if self.mark.line == 0 && self.mark.column == 0 && self.rest().starts_with("\u{FEFF}".as_bytes()) {
            self.advance('\u{FEFF}'.len_utf8());
        }
    }

    /// Moves over spaces and tabs.
    pub(in crate::yaml) fn skip_blanks(&mut self) {
        let width = self.rest().iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        self.advance(width);
    }

    /// Moves over a comment, if one starts here; the line break stays.
    pub(in crate::yaml) fn skip_comment(&mut self) {
        if self.peek(0) == b'#' {
            self.advance(line_width(self.rest()));
        }
    }

    /// Moves over the line break here, if there is one; returns what it means in a scalar.
    pub(in crate::yaml) fn take_break(&mut self) -> Option<&'static str> {
        let width = break_width(self.rest());
        let meaning = match (width, self.peek(0), self.peek(2)) {
            (0, ..) => return None,
            (3, _, 0xA8) => "\u{2028}",
            (3, ..) => "\u{2029}",
            _ => "\n",
        };
        self.mark.offset += width;
        self.mark.line += 1;
        self.mark.column = 0;
        Some(meaning)
    }
}

/// How many characters these bytes are.
#[inline]
pub(in crate::yaml) fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| (**b & 0xC0) != 0x80).count()
}

/// Width of the line break at the start of `bytes`: 0 if there is none.
#[inline]
pub(in crate::yaml) fn break_width(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] | [0xC2, 0x85, ..] => 2,
        [b'\n' | b'\r', ..] => 1,
        [0xE2, 0x80, 0xA8 | 0xA9, ..] => 3,
        _ => 0,
    }
}

/// Whether `rest` starts with white space or is empty.
#[inline]
pub(in crate::yaml) fn ends_word(rest: &[u8]) -> bool {
    match rest.first() {
        None | Some(b' ' | b'\t' | b'\n' | b'\r') => true,
        Some(0xC2 | 0xE2) => break_width(rest) > 0,
        Some(_) => false,
    }
}

/// Bytes before the next line break or the end.
#[inline]
pub(in crate::yaml) fn line_width(bytes: &[u8]) -> usize {
    let mut width = 0;
    loop {
        let rest = bytes.get(width..).unwrap_or_default();
        match rest.iter().position(|b| matches!(b, b'\n' | b'\r' | 0xC2 | 0xE2)) {
            None => return bytes.len(),
            Some(found) => width += found,
        }
        if break_width(bytes.get(width..).unwrap_or_default()) > 0 {
            return width;
        }
        width += 1;
    }
}

/// Offset of the first character YAML does not allow in a text.
fn forbidden(text: &str) -> Option<usize> {
    let suspicious = |b: &u8| matches!(b, 0..=0x08 | 0x0B | 0x0C | 0x0E..=0x1F | 0x7F | 0xC2 | 0xEF);
    let bytes = text.as_bytes();
    let mut from = 0;
    loop {
        let found = from + bytes.get(from..)?.iter().position(suspicious)?;
        match bytes.get(found..).unwrap_or_default() {
            [0xC2, 0x85 | 0xA0..=0xBF, ..] => from = found + 2,
            [0xEF, 0xBF, 0xBE | 0xBF, ..] => return Some(found),
            [0xEF, ..] => from = found + 3,
            _ => return Some(found),
        }
    }
}

/// Start of the piece of input in which `offset` lies.
fn piece_start(text: &str, offset: usize) -> usize {
    let mut start = 0;
    loop {
        let next = (start..=start + PIECE).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(start + PIECE);
        if next > offset || next >= text.len() {
            return start;
        }
        start = next;
    }
}
