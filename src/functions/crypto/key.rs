//! Private keys: making them, reading them, signing with them.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use rand_chacha::rand_core::Rng as _;
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _, LineEnding};
use rsa::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _};
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use sha2::Digest as _;

use crate::functions::crypto::chance::generator;
use crate::functions::crypto::der::{element, integer, pem, sequence, tag};
use crate::functions::crypto::rsa_key;
use crate::template::function::Engine;
use crate::value::Str;

/// Bits of the keys of `genPrivateKey`.
const LONG: u32 = 4_096;

/// Bits of the keys of certificates.
const USUAL: u32 = 2_048;

/// What stands before a SHA-256 sum in an RSA signature (RFC 8017, 9.2).
const SHA256_PREFIX: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

/// A private key.
#[derive(Debug)]
pub(crate) struct Key(RsaPrivateKey);

impl Key {
    /// A new RSA key of 2048 bits.
    pub(crate) fn generate(engine: &dyn Engine) -> Result<Self, String> {
        let key = rsa_key::generate(&mut generator(engine)?, USUAL);
        key.map(Self).map_err(|error| format!("error generating rsa key: {error}"))
    }

    /// Reads a PEM block.
    ///
    /// # Errors
    /// Sprig's text; keys other than RSA are refused.
    pub(crate) fn from_pem(pem: &Str) -> Result<Self, String> {
        let pem = pem.to_text();
        let begin = pem.find("-----BEGIN ").ok_or("no PEM data in input")?;
        let block = pem.get(begin..).unwrap_or_default();
        let kind = block
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.split_once("-----"))
            .ok_or("no PEM data in input")?;
        match kind.0 {
            "PRIVATE KEY" => match RsaPrivateKey::from_pkcs8_pem(block) {
                Ok(key) => Ok(Self(key)),
                Err(error) => Err(format!("decoding PEM as PKCS#8: {error}")),
            },
            "RSA PRIVATE KEY" => match RsaPrivateKey::from_pkcs1_pem(block) {
                Ok(key) => Ok(Self(key)),
                Err(error) => Err(format!("parsing RSA private key from PEM: {error}")),
            },
            "EC PRIVATE KEY" | "DSA PRIVATE KEY" => Err(format!("keys of type {} are not supported", kind.0)),
            other => match other.strip_suffix(" PRIVATE KEY") {
                Some(kind) => Err(format!("invalid private key type {kind}")),
                None => Err(format!("no private key data in PEM block of type {other}")),
            },
        }
    }

    /// The key as Go writes it: PKCS #1.
    pub(crate) fn to_pem(&self) -> Result<String, String> {
        let pem = self.0.to_pkcs1_pem(LineEnding::LF).map_err(|error| format!("error pem-encoding key: {error}"))?;
        Ok(pem.to_string())
    }

    /// The public key as a certificate has it: `SubjectPublicKeyInfo`.
    pub(crate) fn public(&self) -> Result<Vec<u8>, String> {
        let der = self.0.to_public_key().to_public_key_der();
        der.map(|der| der.as_bytes().to_vec()).map_err(|error| format!("error creating certificate: {error}"))
    }

    /// Signs with SHA-256.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let sum = [&SHA256_PREFIX[..], &sha2::Sha256::digest(message)].concat();
        self.0
            .sign(Pkcs1v15Sign::new_unprefixed(), &sum)
            .map_err(|error| format!("error creating certificate: {error}"))
    }
}

/// An Ed25519 key as PKCS #8 has it (RFC 8410): any 32 bytes are one.
fn ed25519_pem(seed: &[u8; 32]) -> String {
    const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    let key = element(tag::OCTET_STRING, &element(tag::OCTET_STRING, seed));
    let algorithm = sequence(&[&element(tag::OID, ED25519)]);
    pem("PRIVATE KEY", &sequence(&[&integer(&[0]), &algorithm, &key]))
}

/// `genPrivateKey`: an RSA or Ed25519 key, or a text that says why there is none.
pub(crate) fn gen_private_key(engine: &mut dyn Engine, kind: Str) -> Result<String, String> {
    match &*kind.to_text() {
        "" | "rsa" => match rsa_key::generate(&mut generator(engine)?, LONG) {
            Ok(key) => Key(key).to_pem(),
            Err(error) => Ok(format!("failed to generate private key: {error}")),
        },
        "ed25519" => {
            let mut seed = [0; 32];
            generator(engine)?.fill_bytes(&mut seed);
            Ok(ed25519_pem(&seed))
        }
        kind @ ("dsa" | "ecdsa") => Err(format!("keys of type {kind} are not supported")),
        unknown => Ok(format!("Unknown type {unknown}")),
    }
}
