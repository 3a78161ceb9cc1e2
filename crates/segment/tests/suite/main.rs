//! The segment file as others see it: readers, faults and the file system.

#![allow(clippy::unwrap_used)] // Everything here is a test, helpers included.

mod directory;
mod disk;
mod faults;
mod format;
mod power;
mod recovery;
mod support;
mod tools;
mod writing;
