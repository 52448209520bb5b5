//! Private keys: making them, reading them, signing with them.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng as _;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _, LineEnding};
use rsa::pkcs8::EncodePublicKey as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use sha2::Digest as _;

use crate::functions::crypto::chance::generator;
use crate::functions::crypto::der::{self, bit_string, element, integer, pem, sequence, tag};
use crate::functions::crypto::ec::{Curve, EC_PUBLIC_KEY, EcKey};
use crate::functions::crypto::{dsa_key, rsa_key};
use crate::template::function::Engine;
use crate::value::Str;

/// Bits of the keys of `genPrivateKey`.
const LONG: u32 = 4_096;

/// Bits of the keys of certificates.
const USUAL: u32 = 2_048;

/// What stands before a SHA-256 sum in an RSA signature (RFC 8017, 9.2).
const SHA256_PREFIX: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

/// The identifier of RSA keys.
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// The identifier of RSA signatures with SHA-256.
const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];

/// The identifier of Ed25519 keys and signatures.
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// The identifier of X25519 keys.
const X25519: &[u8] = &[0x2b, 0x65, 0x6e];

/// A private key.
#[derive(Debug)]
pub(crate) enum Key {
    Rsa(Box<RsaPrivateKey>),
    Ec(EcKey),
    Ed25519(Ed25519KeyPair, [u8; 32]),
    /// It can be read, but nothing is done with it; the type of its public key.
    Unused(&'static str),
}

/// Which of Go's readers of private keys is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Pkcs1,
    Pkcs8,
    Ec,
}

impl Key {
    /// A new RSA key of 2048 bits.
    pub(crate) fn generate(engine: &dyn Engine) -> Result<Self, String> {
        let key = rsa_key::generate(&mut generator(engine)?, USUAL);
        key.map(Self::rsa).map_err(|error| format!("error generating rsa key: {error}"))
    }

    fn rsa(key: RsaPrivateKey) -> Self {
        Self::Rsa(Box::new(key))
    }

    /// Reads a PEM block.
    ///
    /// # Errors
    /// Sprig's text.
    pub(crate) fn from_pem(pem: &Str) -> Result<Self, String> {
        let (kind, body) = der::read_pem(pem).ok_or("no PEM data in input")?;
        let within = |step: &str, error: String| format!("{step}: {error}");
        match kind.as_str() {
            "PRIVATE KEY" => Self::read(&body, Form::Pkcs8).map_err(|error| within("decoding PEM as PKCS#8", error)),
            "RSA PRIVATE KEY" => {
                Self::read(&body, Form::Pkcs1).map_err(|error| within("parsing RSA private key from PEM", error))
            }
            "EC PRIVATE KEY" => {
                Self::read(&body, Form::Ec).map_err(|error| within("parsing EC private key from PEM", error))
            }
            "DSA PRIVATE KEY" => match numbers(&body) {
                Some(6..) => Ok(Self::Unused("*dsa.PublicKey")),
                _ => Err(within("parsing DSA private key from PEM", der::fault(&body, "DSAKeyFormat"))),
            },
            other if other.ends_with(" PRIVATE KEY") => Err(format!("invalid private key type {other}")),
            other => Err(format!("no private key data in PEM block of type {other}")),
        }
    }

    /// Reads a key in one form; should it be in another, the error says which.
    fn read(body: &[u8], form: Form) -> Result<Self, String> {
        let found = [Form::Pkcs8, Form::Ec, Form::Pkcs1].into_iter().find(|form| is_of(body, *form));
        match (found, form) {
            (Some(found), form) if found != form => {
                let reader = match found {
                    Form::Pkcs1 => "ParsePKCS1PrivateKey",
                    Form::Pkcs8 => "ParsePKCS8PrivateKey",
                    Form::Ec => "ParseECPrivateKey",
                };
                Err(format!("x509: failed to parse private key (use {reader} instead for this key format)"))
            }
            (None, Form::Pkcs1) => Err(der::fault(body, "pkcs1PrivateKey")),
            (None, Form::Pkcs8) => Err(der::fault(body, "pkcs8")),
            (None, Form::Ec) => {
                Err(format!("x509: failed to parse EC private key: {}", der::fault(body, "ecPrivateKey")))
            }
            (Some(_), Form::Pkcs1) => read_rsa(body),
            (Some(_), Form::Pkcs8) => read_pkcs8(body),
            (Some(_), Form::Ec) => EcKey::from_der(body, None).map(Self::Ec),
        }
    }

    /// An Ed25519 key: any 32 bytes are one.
    fn ed25519(seed: [u8; 32]) -> Result<Self, String> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed);
        pair.map(|pair| Self::Ed25519(pair, seed)).map_err(|error| error.to_string())
    }

    /// The key as Go writes it: RSA as PKCS #1, Ed25519 as PKCS #8.
    pub(crate) fn to_pem(&self) -> Result<String, String> {
        match self {
            Self::Rsa(key) => {
                let pem = key.to_pkcs1_pem(LineEnding::LF);
                Ok(pem.map_err(|error| format!("error pem-encoding key: {error}"))?.to_string())
            }
            Self::Ec(key) => Ok(pem("EC PRIVATE KEY", &key.to_der())),
            Self::Ed25519(_, seed) => Ok(ed25519_pem(seed)),
            Self::Unused(_) => Err(NO_SIGNER.to_owned()),
        }
    }

    /// The public key as a certificate has it: `SubjectPublicKeyInfo`.
    pub(crate) fn public(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Rsa(key) => {
                let der = key.to_public_key().to_public_key_der();
                der.map(|der| der.as_bytes().to_vec()).map_err(|error| format!("error creating certificate: {error}"))
            }
            Self::Ec(key) => Ok(key.public()),
            Self::Ed25519(pair, _) => {
                let algorithm = sequence(&[&element(tag::OID, ED25519)]);
                Ok(sequence(&[&algorithm, &bit_string(pair.public_key().as_ref())]))
            }
            Self::Unused(name) => Err(format!("error creating certificate: x509: unsupported public key type: {name}")),
        }
    }

    /// What a signature of this key is called.
    ///
    /// # Errors
    /// Go's text for a key that does not sign.
    pub(crate) fn algorithm(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Rsa(_) => Ok(sequence(&[&element(tag::OID, SHA256_WITH_RSA), &element(tag::NULL, &[])])),
            Self::Ec(key) => Ok(key.algorithm()),
            Self::Ed25519(..) => Ok(sequence(&[&element(tag::OID, ED25519)])),
            Self::Unused(_) => Err(NO_SIGNER.to_owned()),
        }
    }

    /// Signs as [`Key::algorithm`] says.
    pub(crate) fn sign(&self, generator: &mut ChaCha20Rng, message: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::Rsa(key) => {
                let sum = [&SHA256_PREFIX[..], &sha2::Sha256::digest(message)].concat();
                let signature = key.sign(Pkcs1v15Sign::new_unprefixed(), &sum);
                signature.map_err(|error| format!("error creating certificate: {error}"))
            }
            Self::Ec(key) => Ok(key.sign(generator, message)),
            Self::Ed25519(pair, _) => Ok(pair.sign(message).as_ref().to_vec()),
            Self::Unused(_) => Err(NO_SIGNER.to_owned()),
        }
    }
}

const NO_SIGNER: &str = "error creating certificate: x509: certificate private key does not implement crypto.Signer";

/// How many numbers a sequence of nothing else holds.
fn numbers(body: &[u8]) -> Option<usize> {
    let (whole, _) = der::read(body)?;
    let parts = der::read_all(whole.content)?;
    let all = whole.tag == tag::SEQUENCE && parts.iter().all(|part| part.tag == tag::INTEGER);
    all.then_some(parts.len())
}

/// Whether a key looks like one of this form.
fn is_of(body: &[u8], form: Form) -> bool {
    let whole = der::read(body).filter(|(whole, _)| whole.tag == tag::SEQUENCE);
    let Some(parts) = whole.and_then(|(whole, _)| der::read_all(whole.content)) else { return false };
    let tags: Vec<u8> = parts.iter().map(|part| part.tag).collect();
    match form {
        Form::Pkcs1 => numbers(body).is_some_and(|count| count >= 9),
        Form::Pkcs8 => tags.starts_with(&[tag::INTEGER, tag::SEQUENCE, tag::OCTET_STRING]),
        Form::Ec => tags.starts_with(&[tag::INTEGER, tag::OCTET_STRING]),
    }
}

fn read_rsa(body: &[u8]) -> Result<Key, String> {
    RsaPrivateKey::from_pkcs1_der(body).map(Key::rsa).map_err(|error| format!("x509: {error}"))
}

/// A key that its wrapping names the algorithm of.
fn read_pkcs8(body: &[u8]) -> Result<Key, String> {
    let malformed = || der::fault(body, "pkcs8");
    let parts = der::read(body).and_then(|(whole, _)| der::read_all(whole.content)).ok_or_else(malformed)?;
    let [_, algorithm, key, ..] = parts.as_slice() else { return Err(malformed()) };
    let algorithm = der::read_all(algorithm.content).ok_or_else(malformed)?;
    let id = algorithm.first().map(|id| id.content).unwrap_or_default();
    let wrapped =
        |error: String, what: &str| format!("x509: failed to parse {what} private key embedded in PKCS#8: {error}");
    match id {
        RSA_ENCRYPTION => read_rsa(key.content).map_err(|error| wrapped(error, "RSA")),
        EC_PUBLIC_KEY => {
            let curve = algorithm.get(1).map(|curve| curve.content);
            EcKey::from_der(key.content, curve).map(Key::Ec).map_err(|error| wrapped(error, "EC"))
        }
        ED25519 => {
            let seed = der::read(key.content).map(|(seed, _)| seed.content).unwrap_or_default();
            let length = seed.len();
            let seed =
                seed.try_into().map_err(|_other| format!("x509: invalid Ed25519 private key length: {length}"))?;
            Key::ed25519(seed)
        }
        X25519 => Ok(Key::Unused("*ecdh.PublicKey")),
        other => {
            Err(format!("x509: PKCS#8 wrapping contained private key with unknown algorithm: {}", der::dotted(other)))
        }
    }
}

/// An Ed25519 key as PKCS #8 has it (RFC 8410): any 32 bytes are one.
fn ed25519_pem(seed: &[u8; 32]) -> String {
    let key = element(tag::OCTET_STRING, &element(tag::OCTET_STRING, seed));
    let algorithm = sequence(&[&element(tag::OID, ED25519)]);
    pem("PRIVATE KEY", &sequence(&[&integer(&[0]), &algorithm, &key]))
}

/// `genPrivateKey`: a key, or a text that says why there is none.
pub(crate) fn gen_private_key(engine: &mut dyn Engine, kind: Str) -> Result<String, String> {
    let mut generator = generator(engine)?;
    let failed = |error: String| format!("failed to generate private key: {error}");
    match &*kind.to_text() {
        "" | "rsa" => match rsa_key::generate(&mut generator, LONG) {
            Ok(key) => Key::rsa(key).to_pem(),
            Err(error) => Ok(failed(error)),
        },
        "dsa" => Ok(dsa_key::generate(&mut generator).unwrap_or_else(failed)),
        "ecdsa" => Key::Ec(EcKey::generate(&mut generator, Curve::P256)).to_pem(),
        "ed25519" => {
            let mut seed = [0; 32];
            generator.fill_bytes(&mut seed);
            Ok(ed25519_pem(&seed))
        }
        unknown => Ok(format!("Unknown type {unknown}")),
    }
}
