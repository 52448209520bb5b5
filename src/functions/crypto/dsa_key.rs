//! New DSA keys. Go makes and reads them, but signs no certificate with them.

use crypto_bigint::BoxedUint;
use crypto_primes::{Flavor, is_prime};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng as _;
use rsa::BigUint;

use crate::functions::crypto::der::{integer, pem, sequence};
use crate::functions::crypto::rsa_key::prime;

/// Bits of the modulus that Sprig asks for.
const MODULUS: u32 = 2_048;

/// Bits of the order of its subgroup.
const ORDER: u32 = 256;

/// A candidate is divided by all smaller numbers first, which is cheaper than the test for primes.
const SMALL: u32 = 2_000;

/// A new key, as Sprig writes it: PEM of version, modulus, order, generator, public and private number.
pub(super) fn generate(generator: &mut ChaCha20Rng) -> Result<String, String> {
    let one = BigUint::from(1_u8);
    let order = prime(generator, ORDER)?;
    let modulus = modulus(generator, &order)?;
    let exponent = (&modulus - &one) / &order;
    // Nearly every number generates the subgroup.
    let mut powers = (2_u8..=u8::MAX).map(|number| BigUint::from(number).modpow(&exponent, &modulus));
    let base = powers.find(|power| *power != one).ok_or("the subgroup has no generator")?;
    let secret = random(generator, ORDER + 64) % (&order - &one) + &one;
    let public = base.modpow(&secret, &modulus);
    let numbers = [BigUint::default(), modulus, order, base, public, secret];
    let numbers = numbers.map(|number| integer(&number.to_bytes_be()));
    Ok(pem("DSA PRIVATE KEY", &sequence(&numbers.each_ref().map(Vec::as_slice))))
}

/// A prime that is 1 modulo twice the order, its highest bit set.
fn modulus(generator: &mut ChaCha20Rng, order: &BigUint) -> Result<BigUint, String> {
    let one = BigUint::from(1_u8);
    let step = order * 2_u8;
    let top = &one << (usize::try_from(MODULUS).map_err(|error| error.to_string())? - 1);
    loop {
        let start = random(generator, MODULUS) | &top;
        let candidate = &start - &start % &step + &one;
        if candidate < top || (3..SMALL).step_by(2).any(|small| &candidate % small == BigUint::default()) {
            continue;
        }
        let bytes = candidate.to_bytes_be();
        let number = BoxedUint::from_be_slice(&bytes, MODULUS).map_err(|error| error.to_string())?;
        if is_prime(Flavor::Any, &number) {
            return Ok(candidate);
        }
    }
}

fn random(generator: &mut ChaCha20Rng, bits: u32) -> BigUint {
    let mut bytes = vec![0; usize::try_from(bits / 8).unwrap_or(0)];
    generator.fill_bytes(&mut bytes);
    BigUint::from_bytes_be(&bytes)
}
