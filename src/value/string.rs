//! Go's string: immutable bytes that are usually UTF-8.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::value::meter;

/// A Go string. Shared between threads, so that compiled templates can hold their text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Str(Arc<[u8]>);

impl Str {
    fn new(bytes: Arc<[u8]>) -> Self {
        meter::hold_string(bytes.len());
        Self(bytes)
    }

    /// The text, each byte that is not part of valid UTF-8 as one U+FFFD: what Go's `range` over a string and
    /// `encoding/json` make of it.
    pub fn to_text(&self) -> Cow<'_, str> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(self.chars().collect()),
        }
    }

    /// The runes as Go's `range` sees them: U+FFFD for each invalid byte.
    pub fn chars(&self) -> impl Iterator<Item = char> + '_ {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            let (rune, width) = decode_utf8(rest)?;
            rest = rest.get(width..).unwrap_or_default();
            Some(rune)
        })
    }
}

/// The first rune of `bytes` and its width in bytes; U+FFFD and 1 for an invalid byte; `None` at the end
/// (Go's `utf8.DecodeRune`).
pub fn decode_utf8(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    let width = match first {
        0..0x80 => return Some((char::from(first), 1)),
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return Some((char::REPLACEMENT_CHARACTER, 1)),
    };
    let rune = bytes.get(..width).and_then(|seq| std::str::from_utf8(seq).ok()).and_then(|text| text.chars().next());
    Some(rune.map_or((char::REPLACEMENT_CHARACTER, 1), |rune| (rune, width)))
}

/// Takes no memory, so that none is counted.
impl Default for Str {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl Drop for Str {
    fn drop(&mut self) {
        if Arc::strong_count(&self.0) == 1 {
            meter::release_string(self.0.len());
        }
    }
}

impl Deref for Str {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Str {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Str {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Self {
        Self::new(Arc::from(text.as_bytes()))
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        Self::new(Arc::from(text.into_bytes()))
    }
}

impl From<&[u8]> for Str {
    fn from(bytes: &[u8]) -> Self {
        Self::new(Arc::from(bytes))
    }
}

/// Shared with whoever holds the bytes, a chart's files: they are not counted as a render's memory.
impl From<Arc<[u8]>> for Str {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for Str {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(Arc::from(bytes))
    }
}

impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.to_text(), f)
    }
}
