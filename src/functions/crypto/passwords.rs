//! Passwords: `bcrypt`, `htpasswd`, `derivePassword`, `encryptAES`.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use base64::Engine as _;
use hmac::{Hmac, Mac as _};
use rand_chacha::rand_core::Rng as _;

use crate::functions::crypto::chance::generator;
use crate::functions::encoding::base64_decode;
use crate::template::function::Engine;
use crate::value::Str;

/// Go's `bcrypt.DefaultCost`.
const COST: u32 = 10;

/// Go refuses longer passwords; bcrypt itself would cut them.
const MAX_PASSWORD: usize = 72;

/// `bcrypt`: the hash, or a text that says why there is none.
pub(crate) fn bcrypt(engine: &mut dyn Engine, password: Str) -> Result<String, String> {
    hash(engine, &password)
}

/// `htpasswd`: a line of Apache's file.
pub(crate) fn htpasswd(engine: &mut dyn Engine, user: Str, password: Str) -> Result<String, String> {
    if user.contains(&b':') {
        return Ok(format!("invalid username: {user}"));
    }
    Ok(format!("{user}:{}", hash(engine, &password)?))
}

fn hash(engine: &dyn Engine, password: &[u8]) -> Result<String, String> {
    if password.len() > MAX_PASSWORD {
        let reason = format!("bcrypt: password length exceeds {MAX_PASSWORD} bytes");
        return Ok(format!("failed to encrypt string with bcrypt: {reason}"));
    }
    let mut salt = [0; 16];
    generator(engine)?.fill_bytes(&mut salt);
    match bcrypt::hash_with_salt(password, COST, salt) {
        // Go writes `$2a$`.
        Ok(parts) => Ok(parts.format_for_version(bcrypt::Version::TwoA)),
        Err(error) => Ok(format!("failed to encrypt string with bcrypt: {error}")),
    }
}

const SEED: &[u8] = b"com.lyndir.masterpassword";

/// The shapes of each kind of password: a letter stands for a set of characters.
const KINDS: [(&str, &[&str]); 6] = [
    ("maximum", &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"]),
    (
        "long",
        &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
    ),
    ("medium", &["CvcnoCvc", "CvcCvcno"]),
    ("short", &["Cvcn"]),
    ("basic", &["aaanaaan", "aannaaan", "aaannaaa"]),
    ("pin", &["nnnn"]),
];

/// The characters that a letter of a shape stands for.
fn characters(letter: char) -> &'static [u8] {
    match letter {
        'V' => b"AEIOU",
        'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        'v' => b"aeiou",
        'c' => b"bcdfghjklmnpqrstvwxyz",
        'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        'n' => b"0123456789",
        'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

/// `derivePassword`: the password of a site by the Master Password algorithm; always the same.
pub(crate) fn derive_password(counter: u32, kind: Str, password: Str, user: Str, site: Str) -> Result<Str, String> {
    let Some((_, shapes)) = KINDS.iter().find(|(name, _)| kind == *name) else {
        return Ok(format!("cannot find password template {kind}").into());
    };
    let salt = [SEED, &length(&user), &user].concat();
    let mut key = [0; 64];
    let params = scrypt::Params::new(15, 8, 2).map_err(|error| error.to_string())?;
    scrypt::scrypt(&password, &salt, &params, &mut key).map_err(|error| error.to_string())?;
    let message = [SEED, &length(&site), &site, &counter.to_be_bytes()].concat();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).map_err(|error| error.to_string())?;
    mac.update(&message);
    let seed = mac.finalize().into_bytes();
    let (first, rest) = seed.split_first().ok_or("the seed is empty")?;
    let shape = shapes.get(usize::from(*first) % shapes.len()).copied().unwrap_or_default();
    let pick = |(letter, number): (char, &u8)| {
        let characters = characters(letter);
        characters.get(usize::from(*number) % characters.len()).copied()
    };
    Ok(shape.chars().zip(rest).filter_map(pick).collect::<Vec<u8>>().into())
}

fn length(text: &[u8]) -> [u8; 4] {
    u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes()
}

const BLOCK: usize = 16;

fn cipher(password: &[u8]) -> Aes256 {
    let mut key = [0; 32];
    for (slot, byte) in key.iter_mut().zip(password) {
        *slot = *byte;
    }
    Aes256::new(&key.into())
}

fn xor(block: &mut [u8; BLOCK], other: [u8; BLOCK]) {
    for (byte, other) in block.iter_mut().zip(other) {
        *byte ^= other;
    }
}

/// `encryptAES`: AES-256 in CBC mode, the initial vector before the text, in base64.
pub(crate) fn encrypt_aes(engine: &mut dyn Engine, password: Str, text: Str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let mut previous = [0; BLOCK];
    generator(engine)?.fill_bytes(&mut previous);
    let cipher = cipher(&password);
    let padding = BLOCK - text.len() % BLOCK;
    let padded = [&*text, &vec![u8::try_from(padding).unwrap_or(0); padding]].concat();
    let mut out = previous.to_vec();
    let (blocks, _) = padded.as_chunks::<BLOCK>();
    for block in blocks {
        let mut block = *block;
        xor(&mut block, previous);
        let mut array = block.into();
        cipher.encrypt_block(&mut array);
        previous = array.into();
        out.extend_from_slice(&previous);
    }
    Ok(base64::engine::general_purpose::STANDARD.encode(out))
}

/// `decryptAES`
pub(crate) fn decrypt_aes(password: Str, text: Str) -> Result<Str, String> {
    if text.is_empty() {
        return Ok(text);
    }
    let bytes = base64_decode(&text)?;
    let (vector, rest) = bytes
        .split_first_chunk::<BLOCK>()
        .ok_or_else(|| format!("runtime error: slice bounds out of range [:{BLOCK}] with capacity {}", bytes.len()))?;
    let (blocks, incomplete) = rest.as_chunks::<BLOCK>();
    if !incomplete.is_empty() {
        return Err("crypto/cipher: input not full blocks".to_owned());
    }
    let cipher = cipher(&password);
    let mut previous = *vector;
    let mut out = Vec::with_capacity(rest.len());
    for block in blocks {
        let mut array = (*block).into();
        cipher.decrypt_block(&mut array);
        let mut plain: [u8; BLOCK] = array.into();
        xor(&mut plain, previous);
        previous = *block;
        out.extend_from_slice(&plain);
    }
    let padding = usize::from(*out.last().ok_or("runtime error: index out of range [-1]")?);
    let length = i64::try_from(out.len()).unwrap_or(0) - i64::try_from(padding).unwrap_or(0);
    let length =
        usize::try_from(length).map_err(|_negative| format!("runtime error: slice bounds out of range [:{length}]"))?;
    out.truncate(length);
    Ok(out.into())
}
