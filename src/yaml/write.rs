//! The text of scalars: quoting, escaping, folding.
//!
//! Mirrors the `yaml_emitter_write_…_scalar` functions of `emitterc.go` of go.yaml.in/yaml/v2 2.4.4 and v3 3.0.5.

use std::fmt::Write as _;

use crate::yaml::style::{is_break, is_printable};

/// A text being written.
#[derive(Debug, Default)]
pub(in crate::yaml) struct Writer {
    out: String,
    /// Characters in the last line.
    column: usize,
    /// From which column on a space becomes a line break; `None`: never.
    width: Option<usize>,
    /// Whether a literal has just ended its line.
    fresh_line: bool,
}

/// Whether a scalar may be folded, and the indentation of its further lines.
#[derive(Clone, Copy, Debug)]
pub(in crate::yaml) struct Fold {
    /// Spaces before each further line.
    pub(in crate::yaml) indent: usize,
    /// Whether it may be folded: keys may not.
    pub(in crate::yaml) allowed: bool,
}

/// In which quotes a foldable text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
}

impl Writer {
    pub(in crate::yaml) fn new(width: Option<usize>) -> Self {
        Self { width, ..Self::default() }
    }

    /// The text, with its last line ended.
    /// Bytes written until now.
    pub(in crate::yaml) fn len(&self) -> usize {
        self.out.len()
    }

    pub(in crate::yaml) fn finish(mut self) -> String {
        self.start_line(0);
        self.out
    }

    /// Writes what needs no care: no line breaks.
    pub(in crate::yaml) fn raw(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.len();
        self.fresh_line = false;
    }

    fn push(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn push_str(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn line_break(&mut self, c: char) {
        self.out.push(c);
        self.column = 0;
    }

    fn indent(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column += indent;
    }

    /// Goes to a new line, unless a literal has done so, and to a column.
    pub(in crate::yaml) fn start_line(&mut self, indent: usize) {
        if !self.fresh_line {
            self.line_break('\n');
        }
        self.fresh_line = false;
        self.indent(indent);
    }

    fn is_full(&self, fold: Fold) -> bool {
        fold.allowed && self.width.is_some_and(|width| self.column > width)
    }

    /// Text without quotes.
    pub(in crate::yaml) fn plain(&mut self, text: &str, fold: Fold) {
        self.fresh_line = false;
        self.foldable(text, fold, Quotes::None);
    }

    /// Text in single quotes.
    pub(in crate::yaml) fn single(&mut self, text: &str, fold: Fold) {
        self.fresh_line = false;
        self.push('\'');
        self.foldable(text, fold, Quotes::Single);
        self.push('\'');
    }

    /// Text that is folded at single spaces and whose line breaks stay.
    fn foldable(&mut self, text: &str, fold: Fold, quotes: Quotes) {
        let quoted = quotes == Quotes::Single;
        let simple = |b: u8| (0x21..0x7F).contains(&b) && b != b'\'';
        if !self.could_fill(text, fold) && text.bytes().all(|b| b == b' ' || simple(b)) {
            self.push_str(text);
            return;
        }
        let (mut spaces, mut breaks) = (false, false);
        for (offset, c) in text.char_indices() {
            let followed_by_space = text.as_bytes().get(offset + 1) == Some(&b' ');
            if c == ' ' {
                let inside = !quoted || offset > 0 && offset + 1 < text.len();
                if !spaces && self.is_full(fold) && inside && !followed_by_space {
                    self.line_break('\n');
                    self.indent(fold.indent);
                } else {
                    self.push(' ');
                }
                spaces = true;
            } else if is_break(c) {
                if !breaks && c == '\n' {
                    self.line_break('\n');
                }
                self.line_break(c);
                breaks = true;
            } else {
                if breaks {
                    self.indent(fold.indent);
                }
                if quoted && c == '\'' {
                    self.push('\'');
                }
                self.push(c);
                (spaces, breaks) = (false, false);
            }
        }
    }

    /// Whether writing `text` may pass the width.
    fn could_fill(&self, text: &str, fold: Fold) -> bool {
        fold.allowed && self.width.is_some_and(|width| self.column + text.len() > width)
    }

    /// Text in double quotes.
    pub(in crate::yaml) fn double(&mut self, text: &str, fold: Fold) {
        self.fresh_line = false;
        // The original takes every character for a byte order mark if the first one is.
        let escape_all = text.starts_with('\u{FEFF}');
        let mut spaces = false;
        self.push('"');
        for (offset, c) in text.char_indices() {
            if escape_all || !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
                self.escape(c);
                spaces = false;
            } else if c == ' ' {
                if !spaces && self.is_full(fold) && offset > 0 && offset + 1 < text.len() {
                    self.line_break('\n');
                    self.indent(fold.indent);
                    if text.as_bytes().get(offset + 1) == Some(&b' ') {
                        self.push('\\');
                    }
                } else {
                    self.push(' ');
                }
                spaces = true;
            } else {
                self.push(c);
                spaces = false;
            }
        }
        self.push('"');
    }

    fn escape(&mut self, c: char) {
        self.push('\\');
        let short = match c {
            '\0' => '0',
            '\x07' => 'a',
            '\x08' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\x0B' => 'v',
            '\x0C' => 'f',
            '\r' => 'r',
            '\x1B' => 'e',
            '"' | '\\' => c,
            '\u{85}' => 'N',
            '\u{A0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let before = self.out.len();
                let _infallible = match u32::from(c) {
                    code @ 0..=0xFF => write!(self.out, "x{code:02X}"),
                    code @ 0x100..=0xFFFF => write!(self.out, "u{code:04X}"),
                    code => write!(self.out, "U{code:08X}"),
                };
                self.column += self.out.len() - before;
                return;
            }
        };
        self.push(short);
    }

    /// Text after `|`; its lines are indented by `indent`.
    pub(in crate::yaml) fn literal(&mut self, text: &str, indent: usize) {
        self.push('|');
        if text.starts_with(' ') || text.starts_with(is_break) {
            self.push('2');
        }
        let mut from_end = text.chars().rev().map(is_break);
        match (from_end.next(), from_end.next()) {
            (Some(true), Some(false)) => {}
            (Some(true), Some(true) | None) => self.push('+'),
            _ => self.push('-'),
        }
        self.line_break('\n');
        for line in text.split_inclusive(is_break) {
            let content = line.strip_suffix(is_break).unwrap_or(line);
            if !content.is_empty() {
                self.indent(indent);
                self.push_str(content);
            }
            if let Some(c) = line.chars().next_back().filter(|c| is_break(*c)) {
                self.line_break(c);
            }
        }
        self.fresh_line = text.ends_with(is_break);
    }
}
