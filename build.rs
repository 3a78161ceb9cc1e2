//! Stamps the build: the revision that it was made of, and DPDK's version where it has DPDK.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/index");
    println!("cargo:rustc-env=WEIR_REVISION={}", revision());
    let dpdk = std::env::var("DEP_DPDK_VERSION").unwrap_or_else(|_| "none".to_owned());
    println!("cargo:rustc-env=WEIR_DPDK_VERSION={dpdk}");
}

/// Returns the commit, with a `+` if the tree differs from it, or `unknown` outside of a
/// repository.
fn revision() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let is_dirty =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|s| !s.is_empty());
    format!("{commit}{}", if is_dirty { "+" } else { "" })
}
