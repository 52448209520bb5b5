//! New RSA keys.

use crypto_bigint::BoxedUint;
use crypto_primes::hazmat::{SetBits, SmallFactorsSieveFactory};
use crypto_primes::{Flavor, is_prime, sieve_and_find};
use rand_chacha::ChaCha20Rng;
use rsa::{BigUint, RsaPrivateKey};

/// The public exponent that Go takes.
const EXPONENT: u32 = 65_537;

/// A new key of `bits` bits. The `rsa` crate would make one too, but takes tens of seconds for 4096 bits.
pub(super) fn generate(generator: &mut ChaCha20Rng, bits: u32) -> Result<RsaPrivateKey, String> {
    loop {
        let primes = vec![prime(generator, bits / 2)?, prime(generator, bits - bits / 2)?];
        // Once in some ten thousand times the exponent has no inverse for two primes.
        if let Ok(key) = RsaPrivateKey::from_primes(primes, BigUint::from(EXPONENT)) {
            return Ok(key);
        }
    }
}

/// A prime with its two highest bits set, so that the product of two has all of its bits.
pub(super) fn prime(generator: &mut ChaCha20Rng, bits: u32) -> Result<BigUint, String> {
    let candidates = SmallFactorsSieveFactory::<BoxedUint>::new(Flavor::Any, bits, SetBits::TwoMsb);
    let candidates = candidates.map_err(|error| error.to_string())?;
    let found = sieve_and_find(generator, candidates, |_, candidate| is_prime(Flavor::Any, candidate));
    let found = found.map_err(|error| error.to_string())?.ok_or("no prime was found")?;
    Ok(BigUint::from_bytes_be(&found.to_be_bytes()))
}
