//! What this build is made of, as `build.rs` stamped it.

/// The version of the package.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Version, revision and DPDK's version.
pub(crate) const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (revision ",
    env!("WEIR_REVISION"),
    ", DPDK ",
    env!("WEIR_DPDK_VERSION"),
    ")"
);

/// How the program names itself in files and in JSON.
#[cfg_attr(not(feature = "dpdk"), allow(dead_code, reason = "only a capture names itself"))]
pub(crate) fn program() -> String {
    format!("weir {VERSION} ({})", env!("WEIR_REVISION"))
}
