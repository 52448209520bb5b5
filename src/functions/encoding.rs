//! Base64 and base32 as Go's `encoding` packages read and write them.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::value::Str;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// `b64enc`
pub(crate) fn b64enc(text: Str) -> String {
    STANDARD.encode(&text)
}

/// `b64dec`: what was encoded, or the text of the error.
pub(crate) fn b64dec(text: Str) -> Str {
    base64_decode(&text).map_or_else(Str::from, Str::from)
}

/// Go's `base64.StdEncoding.DecodeString`; line breaks are skipped.
///
/// # Errors
/// Go's text, which names the first bad byte.
pub(crate) fn base64_decode(text: &[u8]) -> Result<Vec<u8>, String> {
    decode_base64(text).map_err(|at| format!("illegal base64 data at input byte {at}"))
}

/// What is left to decode, and where it begins in the whole text.
struct Input<'a> {
    rest: &'a [u8],
    at: usize,
}

impl Input<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.at += 1;
        Some(*first)
    }

    fn next_visible(&mut self) -> Option<u8> {
        loop {
            match self.next()? {
                b'\n' | b'\r' => {}
                byte => return Some(byte),
            }
        }
    }
}

/// The bytes, or the place of the first bad one.
fn decode_base64(text: &[u8]) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut input = Input { rest: text, at: 0 };
    loop {
        let mut bits = 0_u32;
        for digit in 0..4_u8 {
            let Some(byte) = input.next_visible() else {
                return if digit == 0 { Ok(out) } else { Err(input.at - usize::from(digit)) };
            };
            match base64_value(byte) {
                Some(value) => bits = bits << 6 | u32::from(value),
                None if byte == b'=' => {
                    end_base64(&mut input, digit)?;
                    let [_, first, second, _] = (bits << (6 * u32::from(4 - digit))).to_be_bytes();
                    out.push(first);
                    if digit == 3 {
                        out.push(second);
                    }
                    return Ok(out);
                }
                None => return Err(input.at - 1),
            }
        }
        let [_, bytes @ ..] = bits.to_be_bytes();
        out.extend_from_slice(&bytes);
    }
}

/// Checks what follows the first `=`, which stands after `digits` digits of the last group.
fn end_base64(input: &mut Input<'_>, digits: u8) -> Result<(), usize> {
    if digits < 2 {
        return Err(input.at - 1);
    }
    if digits == 2 {
        let before = input.at;
        match input.next_visible() {
            Some(b'=') => {}
            Some(_) => return Err(input.at - 2),
            None => return Err(before + input.at - before),
        }
    }
    match input.next_visible() {
        Some(_) => Err(input.at - 1),
        None => Ok(()),
    }
}

/// `b32enc`
pub(crate) fn b32enc(text: Str) -> String {
    let mut out = String::with_capacity(text.len().div_ceil(5) * 8);
    for group in text.chunks(5) {
        let bits =
            group.iter().chain(std::iter::repeat(&0)).take(5).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let digits = (group.len() * 8).div_ceil(5);
        for index in 0..8 {
            let digit = usize::try_from(bits >> (35 - 5 * index) & 31).unwrap_or(0);
            out.push(if index < digits { BASE32.get(digit).map_or('=', |byte| char::from(*byte)) } else { '=' });
        }
    }
    out
}

/// `b32dec`: what was encoded, or the text of the error.
pub(crate) fn b32dec(text: Str) -> Str {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    match decode_base32(&digits) {
        Ok(bytes) => bytes.into(),
        Err(at) => format!("illegal base32 data at input byte {at}").into(),
    }
}

/// The bytes, or the place of the first bad one. What follows the padding is not looked at, as in Go.
fn decode_base32(text: &[u8]) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len() / 8 * 5);
    let mut input = Input { rest: text, at: 0 };
    while !input.rest.is_empty() {
        let mut bits = 0_u64;
        let mut digits = 0;
        while digits < 8 {
            let byte = input.next().ok_or(input.at - digits)?;
            if byte == b'=' && digits >= 2 && input.rest.len() < 8 {
                check_base32_padding(&input, digits, text.len())?;
                bits <<= 5 * (8 - digits);
                break;
            }
            bits = bits << 5 | u64::from(base32_value(byte).ok_or(input.at - 1)?);
            digits += 1;
        }
        let [_, _, _, bytes @ ..] = bits.to_be_bytes();
        out.extend(bytes.iter().take(digits * 5 / 8));
        if digits < 8 {
            break;
        }
    }
    Ok(out)
}

fn check_base32_padding(input: &Input<'_>, digits: usize, length: usize) -> Result<(), usize> {
    let missing = 7 - digits;
    if input.rest.len() < missing {
        return Err(length);
    }
    if let Some(bad) = input.rest.iter().take(missing).position(|byte| *byte != b'=') {
        return Err((input.at + bad).saturating_sub(1));
    }
    if matches!(digits, 3 | 6) { Err(input.at - 1) } else { Ok(()) }
}

fn base64_value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

fn base32_value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'2'..=b'7' => Some(byte - b'2' + 26),
        _ => None,
    }
}
