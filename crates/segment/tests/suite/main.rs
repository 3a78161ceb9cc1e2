//! The segment file as others see it: readers, faults and the file system.

mod support;
mod tools;
