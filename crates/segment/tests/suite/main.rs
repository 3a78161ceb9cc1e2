//! The segment file as others see it: readers, faults and the file system.

mod directory;
mod disk;
mod faults;
mod format;
mod recovery;
mod support;
mod tools;
mod writing;
