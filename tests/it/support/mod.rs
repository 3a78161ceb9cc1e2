//! What the tests share: runs of `weir`, readers of what it wrote, tools, captures, namespaces.

pub(crate) mod captures;
pub(crate) mod client;
pub(crate) mod law;
pub(crate) mod namespace;
pub(crate) mod segment;
pub(crate) mod tools;
pub(crate) mod weir;

use std::path::Path;
use std::time::{Duration, Instant};

/// The longest that anything may take before it has failed: far beyond what it takes on a machine
/// that has much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Says why a test shows nothing here.
pub(crate) fn skip(why: &str) {
    println!("skipped: {why}");
}

/// Returns whether the long tests are to run.
pub(crate) fn is_full() -> bool {
    std::env::var_os("WEIR_FULL").is_some_and(|value| value == "1")
}

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Asks until there is an answer.
///
/// # Panics
///
/// If there is none for too long.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "waited too long: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
