//! Tests of the crate from outside: real captures, other tools' word, and hostile bytes.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod captures;
mod common;
mod community;
mod differential;
mod fragments;
mod hashes;
mod hostile;
mod keys;
mod layers;
mod spread;
mod tunnels;
