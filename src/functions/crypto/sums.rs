//! Sums, in hexadecimal.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use sha1::Digest as _;

use crate::value::Str;

/// `sha1sum`
pub(crate) fn sha1sum(text: Str) -> String {
    hex(&sha1::Sha1::digest(&text))
}

/// `sha256sum`
pub(crate) fn sha256sum(text: Str) -> String {
    hex(&sha2::Sha256::digest(&text))
}

/// `sha512sum`
pub(crate) fn sha512sum(text: Str) -> String {
    hex(&sha2::Sha512::digest(&text))
}

/// `adler32sum`: in decimal.
pub(crate) fn adler32sum(text: Str) -> String {
    adler2::adler32_slice(&text).to_string()
}

/// Two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
