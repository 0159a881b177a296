//! Where randomness enters. Everything below the line takes a generator or bytes as an argument; the shell gets them here.

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

/// A generator fit for keys, seeded by the operating system. Ends the process when the system has no randomness to give, because
/// nothing safe can be done without.
pub fn generator() -> StdRng {
    StdRng::from_os_rng()
}

/// A generator that always gives the same numbers; for tests.
pub fn repeatable(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// So many bytes fit for keys, serial numbers and nonces.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    generator().fill_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ_and_repeatable_ones_do_not() {
        assert_ne!(bytes::<32>(), bytes::<32>());
        assert_eq!(repeatable(7).next_u64(), repeatable(7).next_u64());
    }
}
