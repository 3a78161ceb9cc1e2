//! An option that the EAL does not know keeps it from starting, and leaves the thread as it was.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use weir_dpdk::{AffinityMask, Eal, EalError};

#[test]
fn unknown_options() {
    let before = AffinityMask::of_current_thread().unwrap();
    let error = Eal::init(&["--no-such-option".to_owned()]).unwrap_err();
    assert!(matches!(error, EalError::Init(_)), "{error:?}");
    assert!(error.to_string().contains("did not start"));
    assert_eq!(AffinityMask::of_current_thread().unwrap(), before);
    assert_eq!(Eal::init(&[]).unwrap_err(), EalError::AlreadyStarted);
}
