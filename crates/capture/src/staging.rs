//! Where packets are put together on their way into a block.
//!
//! A block is read by another CPU, and it is more than caches hold, so it is best written past the
//! cache, and that goes by whole cache lines. Packets are not: they are put together here, in memory
//! that stays in the lcore's own cache, and go on when lines are full.
//! Runs on: Processing or fused lcores. Allocates: never after construction.

use weir_model::SNAPLEN_BYTES_MAX;

use crate::block::Block;
use crate::processor::BLOCK_OVERHEAD_BYTES;

/// Bytes of a cache line, and of the largest piece that is kept back.
const LINE_BYTES: usize = 64;

/// Room for the largest packet behind what is kept back.
const ROOM_BYTES: usize = LINE_BYTES + SNAPLEN_BYTES_MAX as usize + BLOCK_OVERHEAD_BYTES;

/// Copies all of the second to all of the first, which is as long.
pub type CopyBytes = fn(&mut [u8], &[u8]);

/// Finished pcapng blocks that are not yet in the open block, whose bytes so far are whole lines.
pub(crate) struct Staging {
    buffer: Vec<u8>,
    /// Where the buffer's first whole line begins.
    start: usize,
    filled_bytes: usize,
    copy: CopyBytes,
}

impl Staging {
    pub(crate) fn new(copy: CopyBytes) -> Self {
        let buffer = vec![0; ROOM_BYTES + LINE_BYTES];
        let start = buffer.as_ptr().align_offset(LINE_BYTES).min(LINE_BYTES);
        Self { buffer, start, filled_bytes: 0, copy }
    }

    /// Returns how many bytes are not yet in the block.
    #[inline(always)]
    pub(crate) fn filled_bytes(&self) -> usize {
        self.filled_bytes
    }

    /// Returns room for what goes into `block` next, and not more than that has.
    #[inline(always)]
    pub(crate) fn room(&mut self, block: &Block) -> &mut [u8] {
        let end = block.room_bytes().min(ROOM_BYTES);
        &mut self.buffer[self.start..][self.filled_bytes..end]
    }

    /// Keeps the first `bytes` bytes of [`room`](Self::room), and moves whole lines to the block.
    #[inline(always)]
    pub(crate) fn keep(&mut self, bytes: usize, block: &mut Block) {
        self.filled_bytes += bytes;
        let lines_bytes = self.filled_bytes / LINE_BYTES * LINE_BYTES;
        self.move_on(lines_bytes, block);
        let left = self.start + lines_bytes..self.start + lines_bytes + self.filled_bytes;
        self.buffer.copy_within(left, self.start);
    }

    /// Moves everything to the block, which takes nothing more.
    pub(crate) fn finish(&mut self, block: &mut Block) {
        self.move_on(self.filled_bytes, block);
    }

    #[inline(always)]
    fn move_on(&mut self, bytes: usize, block: &mut Block) {
        (self.copy)(&mut block.room()[..bytes], &self.buffer[self.start..][..bytes]);
        block.keep(bytes);
        self.filled_bytes -= bytes;
    }
}
