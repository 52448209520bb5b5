//! ECDSA keys on the curves P-256 and P-384, laid out as Go's `crypto/x509` does (RFC 5915, RFC 5480).

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng as _;
use sha2::Digest as _;

use crate::functions::crypto::der::{self, bit_string, element, integer, sequence, tag};

/// The identifier of keys on elliptic curves.
pub(super) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// The arithmetic of one curve; scalars and coordinates are big-endian bytes of its size.
macro_rules! arithmetic {
    ($name:ident) => {
        mod $name {
            use $name::elliptic_curve::Group as _;
            use $name::elliptic_curve::ff::PrimeField as _;
            use $name::elliptic_curve::ops::Reduce as _;
            use $name::elliptic_curve::point::AffineCoordinates as _;
            use $name::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};

            /// A scalar that is neither 0 nor too large.
            fn scalar(bytes: &[u8]) -> Option<Scalar> {
                let scalar: Option<Scalar> = Scalar::from_repr(FieldBytes::try_from(bytes).ok()?).into();
                scalar.filter(|scalar| *scalar != Scalar::default())
            }

            fn point(scalar: Scalar) -> AffinePoint {
                (ProjectivePoint::generator() * scalar).into()
            }

            /// The point of a secret, uncompressed.
            pub(super) fn public(secret: &[u8]) -> Option<Vec<u8>> {
                let point = point(scalar(secret)?);
                Some([&[4][..], &point.x(), &point.y()].concat())
            }

            /// The signature of a digest; nothing for the rare nonce that gives none.
            pub(super) fn sign(secret: &[u8], nonce: &[u8], digest: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
                let (secret, nonce) = (scalar(secret)?, scalar(nonce)?);
                let r = Scalar::reduce(&point(nonce).x());
                let digest = Scalar::reduce(&FieldBytes::try_from(digest).ok()?);
                let inverse: Option<Scalar> = nonce.invert().into();
                let s = inverse? * (digest + r * secret);
                let usable = r != Scalar::default() && s != Scalar::default();
                usable.then(|| (r.to_repr().to_vec(), s.to_repr().to_vec()))
            }
        }
    };
}

arithmetic!(p256);
arithmetic!(p384);

/// A curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
}

impl Curve {
    const ALL: [Self; 2] = [Self::P256, Self::P384];

    /// Its object identifier, encoded.
    fn id(self) -> &'static [u8] {
        match self {
            Self::P256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
            Self::P384 => &[0x2b, 0x81, 0x04, 0x00, 0x22],
        }
    }

    /// Bytes of a scalar.
    fn size(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}

/// A private key.
pub(super) struct EcKey {
    curve: Curve,
    secret: Vec<u8>,
    public: Vec<u8>,
}

impl std::fmt::Debug for EcKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EcKey").field("curve", &self.curve).finish_non_exhaustive()
    }
}

impl EcKey {
    /// A new key.
    pub(super) fn generate(generator: &mut ChaCha20Rng, curve: Curve) -> Self {
        loop {
            let mut secret = vec![0; curve.size()];
            generator.fill_bytes(&mut secret);
            if let Some(key) = Self::new(curve, secret) {
                return key;
            }
        }
    }

    fn new(curve: Curve, secret: Vec<u8>) -> Option<Self> {
        let public = match curve {
            Curve::P256 => p256::public(&secret),
            Curve::P384 => p384::public(&secret),
        }?;
        Some(Self { curve, secret, public })
    }

    /// Reads an `ECPrivateKey`. `curve` is the identifier that a wrapping names; else the key names its own.
    ///
    /// # Errors
    /// Go's text.
    pub(super) fn from_der(bytes: &[u8], curve: Option<&[u8]>) -> Result<Self, String> {
        let truncated = || "x509: failed to parse EC private key: asn1: syntax error: sequence truncated".to_owned();
        let parts = der::read(bytes).and_then(|(whole, _)| der::read_all(whole.content)).ok_or_else(truncated)?;
        let [version, secret, rest @ ..] = parts.as_slice() else { return Err(truncated()) };
        if version.content != [1] {
            let number = version.content.first().copied().unwrap_or(0);
            return Err(format!("x509: unknown EC private key version {number}"));
        }
        let named = rest.iter().find(|part| part.tag == 0xA0).and_then(|part| der::read(part.content));
        let id = curve.or_else(|| named.map(|(id, _)| id.content)).unwrap_or_default();
        let curve = Curve::ALL.into_iter().find(|curve| curve.id() == id).ok_or("x509: unknown elliptic curve")?;
        let secret: Vec<u8> = secret.content.iter().copied().skip_while(|byte| *byte == 0).collect();
        let missing = curve.size().checked_sub(secret.len()).ok_or("x509: invalid private key length")?;
        let secret = [vec![0; missing], secret].concat();
        Self::new(curve, secret).ok_or_else(|| "x509: invalid elliptic curve private key value".to_owned())
    }

    /// An `ECPrivateKey` with the curve and the public point.
    pub(super) fn to_der(&self) -> Vec<u8> {
        sequence(&[
            &integer(&[1]),
            &element(tag::OCTET_STRING, &self.secret),
            &element(0xA0, &element(tag::OID, self.curve.id())),
            &element(0xA1, &bit_string(&self.public)),
        ])
    }

    /// The public key as a certificate has it: `SubjectPublicKeyInfo`.
    pub(super) fn public(&self) -> Vec<u8> {
        let algorithm = sequence(&[&element(tag::OID, EC_PUBLIC_KEY), &element(tag::OID, self.curve.id())]);
        sequence(&[&algorithm, &bit_string(&self.public)])
    }

    /// What a signature of this key is called: ECDSA with SHA-256 or SHA-384.
    pub(super) fn algorithm(&self) -> Vec<u8> {
        let hash = match self.curve {
            Curve::P256 => 0x02,
            Curve::P384 => 0x03,
        };
        sequence(&[&element(tag::OID, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, hash])])
    }

    /// Signs the hash of `message`.
    pub(super) fn sign(&self, generator: &mut ChaCha20Rng, message: &[u8]) -> Vec<u8> {
        loop {
            let mut nonce = vec![0; self.curve.size()];
            generator.fill_bytes(&mut nonce);
            let signature = match self.curve {
                Curve::P256 => p256::sign(&self.secret, &nonce, &sha2::Sha256::digest(message)),
                Curve::P384 => p384::sign(&self.secret, &nonce, &sha2::Sha384::digest(message)),
            };
            if let Some((r, s)) = signature {
                return sequence(&[&integer(&r), &integer(&s)]);
            }
        }
    }
}
