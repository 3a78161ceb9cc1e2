//! Seeds: where all that is random comes from, and how a failing run says which one it was.

use rand::SeedableRng;
use rand_pcg::Pcg64;

/// The environment variable that makes [`for_each_seed`] run one seed alone.
const SEED_VARIABLE: &str = "WEIR_SEED";

/// Returns the random generator of `seed`.
pub fn rng(seed: u64) -> Pcg64 {
    Pcg64::seed_from_u64(seed)
}

/// Runs `test` once for each seed from 0 to `count - 1`, or for `WEIR_SEED` alone if that is set.
/// When `test` panics, the seed is printed.
///
/// # Panics
///
/// When `test` does, or if `WEIR_SEED` is not a number.
pub fn for_each_seed(count: u64, mut test: impl FnMut(u64)) {
    let chosen = std::env::var(SEED_VARIABLE).ok();
    let seeds = match &chosen {
        None => 0..count,
        Some(text) => {
            let seed = text.parse().unwrap_or_else(|_| panic!("{SEED_VARIABLE}: not a number"));
            seed..seed + 1
        }
    };
    for seed in seeds {
        let _says_which = SeedOnPanic(seed);
        test(seed);
    }
}

/// Prints its seed if it is dropped by a panic.
struct SeedOnPanic(u64);

impl Drop for SeedOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with {SEED_VARIABLE}={}", self.0);
        }
    }
}
