//! Memory for blocks: in hugepages where the machine has them.
//!
//! Explicit hugepages first (one TLB entry for 2 MiB, and what O_DIRECT writes fastest from), else
//! ordinary pages with the request that the kernel join them. Either way every page is touched
//! when the buffer is made, so that no packet pays for a page fault.

use std::io;

use memmap2::{Advice, MmapMut, MmapOptions};

/// 2 MiB, as the power of two that `mmap(MAP_HUGETLB)` wants.
const HUGEPAGE_BITS: u8 = 21;
const HUGEPAGE_BYTES: usize = 1 << HUGEPAGE_BITS;

/// A buffer that never moves and was touched in full when it was made.
pub struct HugeBuffer {
    map: MmapMut,
    bytes: usize,
    in_hugepages: bool,
}

impl HugeBuffer {
    /// Maps `bytes` bytes, all zero.
    ///
    /// # Errors
    ///
    /// What `mmap` said when it refused ordinary pages as well.
    pub fn new(bytes: usize) -> io::Result<Self> {
        let rounded_bytes = bytes.next_multiple_of(HUGEPAGE_BYTES);
        if let Ok(map) =
            MmapOptions::new().len(rounded_bytes).huge(Some(HUGEPAGE_BITS)).populate().map_anon()
        {
            return Ok(Self { map, bytes, in_hugepages: true });
        }
        let mut map = MmapOptions::new().len(bytes).map_anon()?;
        // Without transparent hugepages in the kernel this fails, and ordinary pages serve.
        let _ = map.advise(Advice::HugePage);
        map.fill(0);
        Ok(Self { map, bytes, in_hugepages: false })
    }

    /// Returns whether the buffer lies in explicit hugepages.
    pub fn in_hugepages(&self) -> bool {
        self.in_hugepages
    }

    /// Returns the buffer's size, in bytes.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the buffer's bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.map[..self.bytes]
    }

    /// Returns the buffer's bytes for writing.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.map[..self.bytes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_as_large_as_asked_for_and_zero() {
        let buffer = HugeBuffer::new(1 << 20).unwrap();
        assert_eq!(buffer.as_slice().len(), 1 << 20);
        assert!(buffer.as_slice().iter().all(|&byte| byte == 0));
    }
}
