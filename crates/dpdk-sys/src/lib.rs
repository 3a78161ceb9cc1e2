//! Raw bindings to the installed DPDK, made when this is built, and one C file for what bindings
//! cannot reach: macros, thread-locals, and the fields of an mbuf.
//!
//! Nothing here is safe to use as it is: `weir-dpdk` is. Built and tested with DPDK 22.11.
//! `shim.c` names every field of an mbuf in C, because the layout differs from 24.11 on.

#![no_std]
#![allow(unsafe_code, reason = "every function of DPDK is an unsafe one")]

/// The version of the DPDK whose headers these bindings were made from, such as `22.11.11`.
pub const DPDK_VERSION: &str = env!("WEIR_DPDK_VERSION");

pub use bindings::*;

#[allow(
    missing_docs,
    unreachable_pub,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    clippy::all,
    reason = "generated code keeps DPDK's own names, and DPDK documents them"
)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}
