//! Generates filters and the packets to try them on, from a seed.
//!
//! Both draw from the same few addresses, ports and numbers, so that filters match about as often
//! as they do not.

mod bytecode;
mod filters;
mod packets;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

pub use bytecode::random_program;
pub use filters::random_filter;
pub use packets::{Sample, random_packet};

/// Where the choices come from.
pub struct Choices(Pcg64);

impl Choices {
    pub fn new(seed: u64) -> Self {
        Self(Pcg64::seed_from_u64(seed))
    }

    /// Returns a number below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        self.0.random_range(0..end)
    }

    /// Returns one of `options`.
    pub fn pick<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.0.random_range(0..options.len())]
    }

    /// Returns true once in `times`.
    pub fn once_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    /// Returns any number.
    pub fn any(&mut self) -> u32 {
        self.0.random()
    }
}

pub const MACS: [[u8; 6]; 4] = [
    [0x02, 0, 0, 0, 0, 1],
    [0x02, 0, 0, 0, 0, 2],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    [0x01, 0, 0x5e, 0, 0, 1],
];
pub const IPV4: [[u8; 4]; 5] =
    [[10, 0, 0, 1], [10, 0, 0, 2], [10, 1, 2, 3], [192, 168, 1, 10], [224, 0, 0, 1]];
pub const IPV6: [[u16; 8]; 4] = [
    [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1],
    [0x2001, 0xdb8, 0, 0, 0, 0, 0, 2],
    [0xfe80, 0, 0, 0, 0x1, 0x2, 0x3, 0x4],
    [0xff02, 0, 0, 0, 0, 0, 0, 1],
];
pub const PORTS: [u16; 6] = [22, 53, 80, 443, 1024, 65535];
pub const VLANS: [u16; 3] = [1, 100, 4095];
pub const LABELS: [u32; 2] = [16, 100_000];
