//! Random texts and numbers: goutils' `CryptoRandom` and its kin.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use base64::Engine as _;
use rand_chacha::rand_core::Rng as _;

use crate::functions::crypto::chance::{below, generator};
use crate::functions::crypto::sums::hex;
use crate::functions::strings::within_bounds;
use crate::template::function::Engine;
use crate::value::Str;

const DIGITS: &[u8] = b"0123456789";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BOTH: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `randAlpha`
pub(crate) fn alpha(engine: &mut dyn Engine, count: i64) -> Result<Str, String> {
    text(engine, count, LETTERS)
}

/// `randAlphaNum`
pub(crate) fn alpha_num(engine: &mut dyn Engine, count: i64) -> Result<Str, String> {
    text(engine, count, BOTH)
}

/// `randNumeric`
pub(crate) fn numeric(engine: &mut dyn Engine, count: i64) -> Result<Str, String> {
    text(engine, count, DIGITS)
}

/// `randAscii`: from the space to the tilde.
pub(crate) fn ascii(engine: &mut dyn Engine, count: i64) -> Result<Str, String> {
    let printable: Vec<u8> = (b' '..=b'~').collect();
    text(engine, count, &printable)
}

/// `count` characters of `alphabet`; none for a negative count, as Sprig drops goutils' error.
fn text(engine: &dyn Engine, count: i64, alphabet: &[u8]) -> Result<Str, String> {
    let count = usize::try_from(count).unwrap_or(0);
    within_bounds(count)?;
    let mut generator = generator(engine)?;
    let one = |_| usize::try_from(below(&mut generator, alphabet.len() as u64)).ok().and_then(|at| alphabet.get(at));
    Ok((0..count).filter_map(one).copied().collect::<Vec<u8>>().into())
}

/// `randBytes`: in base64.
pub(crate) fn bytes(engine: &mut dyn Engine, count: i64) -> Result<String, String> {
    let count = usize::try_from(count).map_err(|_negative| "runtime error: makeslice: len out of range")?;
    within_bounds(count)?;
    let mut bytes = vec![0; count];
    generator(engine)?.fill_bytes(&mut bytes);
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// `randInt`: from `min` to before `max`.
pub(crate) fn int(engine: &mut dyn Engine, min: i64, max: i64) -> Result<i64, String> {
    let distance = u64::try_from(max.wrapping_sub(min)).unwrap_or(0);
    if distance == 0 {
        return Err("invalid argument to Intn".to_owned());
    }
    Ok(min.wrapping_add_unsigned(below(&mut generator(engine)?, distance)))
}

/// `shuffle`: the characters in another order.
pub(crate) fn shuffle(engine: &mut dyn Engine, text: Str) -> Result<String, String> {
    let mut generator = generator(engine)?;
    let mut runes: Vec<char> = text.chars().collect();
    for last in (1..runes.len()).rev() {
        let other = usize::try_from(below(&mut generator, last as u64 + 1)).unwrap_or(last);
        runes.swap(last, other);
    }
    Ok(runes.into_iter().collect())
}

/// `uuidv4`
pub(crate) fn uuidv4(engine: &mut dyn Engine) -> Result<String, String> {
    let mut bytes = [0; 16];
    generator(engine)?.fill_bytes(&mut bytes);
    let number = u128::from_be_bytes(bytes);
    // Version 4, variant 10.
    let number = number & !(0xF << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
    let mut text = hex(&number.to_be_bytes());
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    Ok(text)
}
