//! Whole filters against libpcap: counted on real captures, and generated.
//!
//! The captures are read where they lie, and a test that needs them says so and passes where they
//! are absent. `WEIR_FULL=1` multiplies the generated cases.

// Test code: what cannot be had fails the test, and nothing is public beyond this binary.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod captures;
mod expected;
mod fuzz_corpus;
mod generate;
mod generated;
mod pruned;
mod reference;

/// Returns how often a test repeats: more with `WEIR_FULL=1`.
fn rounds(ordinary: u64, full: u64) -> u64 {
    if std::env::var_os("WEIR_FULL").is_some_and(|value| value == "1") { full } else { ordinary }
}
