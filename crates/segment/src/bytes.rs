//! Little-endian numbers at fixed places: written into buffers that have the room, and read from
//! bytes that may be anything.

use core::hash::Hasher as _;

use twox_hash::XxHash64;

/// Writes `bytes` into `out` from `at` on.
///
/// # Panics
///
/// If `out` has not the room.
#[inline]
pub(crate) fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..at + bytes.len()].copy_from_slice(bytes);
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_le_bytes(*chunk))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

/// Returns the XXH64 of `bytes` with seed 0: the hash of every checksum in a segment, zstd's own
/// included.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
}

/// The XXH64 of bytes that come in pieces.
#[derive(Clone)]
pub(crate) struct RunningHash(XxHash64);

impl RunningHash {
    pub(crate) fn new() -> Self {
        Self(XxHash64::with_seed(0))
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.finish()
    }
}
