//! An argument that the EAL does not take is an error, and names the argument. The EAL has started
//! by then, so this is a program of its own.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use weir_dpdk::{AffinityMask, Eal, EalError};

#[test]
fn leftover_arguments() {
    let before = AffinityMask::of_current_thread().unwrap();
    let prefix = format!("--file-prefix=weir-test-{}", std::process::id());
    let args = ["--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-m", "64", &prefix];
    let mut args: Vec<String> = args.map(str::to_owned).into();
    // getopt takes the option that follows it all the same.
    args.extend(["surplus".to_owned(), "--log-level=error".to_owned()]);
    let error = Eal::init(&args).unwrap_err();
    assert_eq!(error, EalError::ArgumentNotTaken { argument: "surplus".to_owned() });
    assert_eq!(AffinityMask::of_current_thread().unwrap(), before, "the thread stays pinned");
    assert_eq!(Eal::init(&[]).unwrap_err(), EalError::AlreadyStarted);
}
