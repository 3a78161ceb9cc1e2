//! Filter programs and packets: whatever the bytes, refused or run by every engine alike.
#![no_main]

#[path = "../src/filter.rs"]
mod filter;

libfuzzer_sys::fuzz_target!(|data: &[u8]| filter::run(data));
