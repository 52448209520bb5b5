//! What making keys and hashing passwords costs: the time a usual core takes, roughly, so that a render cannot spend minutes
//! on them. It is paid before the work is done.

use std::time::Duration;

use crate::value::Value;

/// An RSA key of 2048 bits. How long the search for its primes takes is up to chance.
pub(crate) const USUAL_KEY: Duration = Duration::from_millis(100);

/// An RSA key of 4096 bits.
const LONG_KEY: Duration = Duration::from_secs(1);

/// A key on an elliptic curve, or a signature by whatever key.
pub(crate) const SIGNATURE: Duration = Duration::from_millis(5);

/// The 3072-bit parameters of a DSA key.
const DSA_KEY: Duration = Duration::from_secs(1);

/// bcrypt at Go's default cost.
pub(crate) const BCRYPT: Duration = Duration::from_millis(50);

/// scrypt as the Master Password algorithm has it: 32 MiB, twice.
pub(crate) const SCRYPT: Duration = Duration::from_millis(150);

/// A key of `genPrivateKey`, which names its kind.
pub(crate) fn private_key(args: &[Value]) -> Duration {
    match args.first().and_then(Value::as_str).map(|kind| &**kind) {
        Some(b"" | b"rsa") => LONG_KEY,
        Some(b"dsa") => DSA_KEY,
        _ => SIGNATURE,
    }
}
