//! Whole-program tests: each module holds `weir` to one promise, from outside.
//!
//! Every run has a directory, a socket, an EAL prefix and, where it needs one, a network namespace
//! of its own, so that tests can run beside each other and beside anything else on the machine.
//! What a machine lacks is said in a line that begins with `skipped:`. `WEIR_FULL=1` runs what
//! takes minutes.

#![allow(clippy::unwrap_used, reason = "all of it is tests, which fail by it")]

mod accounting;
mod cli;
mod kernel_ports;
mod profiles;
mod readers;
mod replay;
mod storage;
mod support;
mod tidy;
