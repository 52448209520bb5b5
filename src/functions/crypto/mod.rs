//! Sprig's `crypto.go` and its random texts. Chance comes from the world.

mod certificate;
mod chance;
mod der;
mod dsa_key;
mod ec;
mod key;
mod passwords;
pub(crate) mod price;
mod random;
mod rsa_key;
mod sums;

pub(crate) use certificate::{
    build_custom_cert, gen_ca, gen_ca_with_key, gen_self_signed, gen_self_signed_with_key, gen_signed,
    gen_signed_with_key,
};
pub(crate) use key::gen_private_key;
pub(crate) use passwords::{bcrypt, decrypt_aes, derive_password, encrypt_aes, htpasswd};
pub(crate) use random::{alpha, alpha_num, ascii, bytes, int, numeric, shuffle, uuidv4};
pub(crate) use sums::{adler32sum, sha1sum, sha256sum, sha512sum};
