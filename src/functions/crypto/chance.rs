//! Where random functions get their numbers from.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::functions::Host;
use crate::template::function::Engine;

/// A generator for one call, seeded by the world: a world that gives the same bytes gives the same keys.
pub(crate) fn generator(engine: &dyn Engine) -> Result<ChaCha20Rng, String> {
    let mut seed = [0; 32];
    Host::of(engine)?.world.random(&mut seed);
    Ok(ChaCha20Rng::from_seed(seed))
}

/// A number below `bound`, each as likely as the others; 0 for a bound of 0.
pub(crate) fn below(generator: &mut ChaCha20Rng, bound: u64) -> u64 {
    if bound == 0 {
        return 0;
    }
    // Numbers from the last multiple of the bound on would favour the small ones.
    let limit = u64::MAX - u64::MAX % bound;
    loop {
        let number = generator.next_u64();
        if number < limit {
            return number % bound;
        }
    }
}
