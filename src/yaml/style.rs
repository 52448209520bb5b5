//! In which style a string is written.
//!
//! Mirrors `yaml_emitter_analyze_scalar` and `yaml_emitter_select_scalar_style` of `emitterc.go`, and `stringv` of
//! `encode.go`, of go.yaml.in/yaml/v2 2.4.4 and v3 3.0.5.

use crate::yaml::emit::Dialect;
use crate::yaml::resolve::{Meaning, is_ambiguous, is_v3_octal, resolve};

/// How a string is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::yaml) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// What a string contains, as far as it decides on the style.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::yaml) struct Traits {
    /// A line break, also one of Unicode's.
    pub(in crate::yaml) multiline: bool,
    newline: bool,
    not: Forbidden,
}

/// The styles that would not keep the text.
#[derive(Clone, Copy, Debug, Default)]
struct Forbidden {
    plain: bool,
    single: bool,
    literal: bool,
}

/// Longest key, in bytes, that is written without `?`.
const SIMPLE_KEY_MAX: usize = 128;

impl Traits {
    /// Looks at every character of `text`.
    pub(in crate::yaml) fn of(text: &str, dialect: Dialect) -> Self {
        let mut traits = Self::default();
        traits.not.plain = has_leading_indicator(text);
        let mut previous = ' ';
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let followed_by_blank = || chars.clone().next().is_none_or(|next| matches!(next, ' ' | '\t'));
            match c {
                ':' if followed_by_blank() => traits.not.plain = true,
                '#' if matches!(previous, ' ' | '\t' | '\0') || is_break(previous) => traits.not.plain = true,
                '\t' => {
                    traits.not.plain = true;
                    traits.not.single = true;
                    traits.not.literal |= dialect == Dialect::V2;
                }
                ' ' => {
                    if is_break(previous) {
                        traits.not.plain = true;
                        traits.not.single = true;
                    }
                    if chars.peek().copied().is_some_and(is_break) {
                        traits.forbid_all();
                    }
                }
                _ if !is_printable(c) => traits.forbid_all(),
                _ => {}
            }
            if is_break(c) {
                traits.multiline = true;
                traits.newline |= c == '\n';
                traits.not.plain = true;
            }
            previous = c;
        }
        if text.starts_with(' ') || text.ends_with(' ') {
            traits.not.plain = true;
        }
        traits.not.literal |= text.ends_with(' ');
        traits
    }

    fn forbid_all(&mut self) {
        self.not = Forbidden { plain: true, single: true, literal: true };
    }

    /// Whether the text can be a key without `?`.
    pub(in crate::yaml) fn is_simple_key(self, text: &str) -> bool {
        !self.multiline && text.len() <= SIMPLE_KEY_MAX
    }

    /// The style of `text`. `is_simple_key`: it is a key without `?`.
    pub(in crate::yaml) fn style(self, text: &str, dialect: Dialect) -> Style {
        if self.newline {
            return if self.not.literal { Style::Double } else { Style::Literal };
        }
        let for_v3 = dialect == Dialect::V3 && (text == "<<" || is_v3_octal(text));
        if for_v3 || resolve(text) != Meaning::String || is_ambiguous(text) {
            return Style::Double;
        }
        match (self.not.plain, self.not.single) {
            (false, _) => Style::Plain,
            (true, false) => Style::Single,
            (true, true) => Style::Double,
        }
    }
}

/// Whether the text starts like something else than a plain scalar.
fn has_leading_indicator(text: &str) -> bool {
    match text.as_bytes() {
        [b'?' | b':' | b'-', rest @ ..] => text.starts_with("---") || matches!(rest, [] | [b' ' | b'\t', ..]),
        [b'.', b'.', b'.', ..] => true,
        [first, ..] => b"#,[]{}&*!|>'\"%@`".contains(first),
        [] => false,
    }
}

/// Whether the character is a line break of YAML 1.1.
pub(in crate::yaml) fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether the character is written as it is; those beyond the first 65,536 are not.
pub(in crate::yaml) fn is_printable(c: char) -> bool {
    match c {
        '\n' | ' '..='~' | '\u{A0}'..='\u{FFFD}' => c != '\u{FEFF}',
        _ => false,
    }
}
