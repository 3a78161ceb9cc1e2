//! Filter expressions: whatever the text, an error or a program that runs.
#![no_main]

#[path = "../src/filter.rs"]
mod filter;

libfuzzer_sys::fuzz_target!(|data: &[u8]| filter::compile(data));
