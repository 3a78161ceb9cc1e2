//! Blocks: where Processing puts finished pcapng blocks, and the pool they come from.
//!
//! A block carries its own account ([`BlockTally`]): not only what is in it, but everything that
//! its Processing has seen of each port since the block before, so that the account of a file is
//! the sum of the accounts of its blocks, exactly.

use std::io;
use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use crate::huge::HugeBuffer;
use crate::losses::Drops;
use crate::staging::CopyBytes;

/// What a Processing has seen of one port since its block before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortTally {
    /// Packets in the block.
    pub accepted_packets: u64,
    /// Packets that the filter did not want.
    pub filtered_packets: u64,
    /// Packets lost: those told in this block as `epb_dropcount`.
    pub drops: Drops,
}

impl PortTally {
    /// Returns what the port delivered or lost in all.
    pub fn received_packets(self) -> u64 {
        self.accepted_packets + self.filtered_packets + self.drops.packets()
    }

    /// Adds what `other` counts.
    pub fn add(&mut self, other: &Self) {
        self.accepted_packets += other.accepted_packets;
        self.filtered_packets += other.filtered_packets;
        self.drops.nic_packets += other.drops.nic_packets;
        self.drops.os_packets += other.drops.os_packets;
    }
}

/// A block's account.
#[derive(Clone, Debug, Default)]
pub struct BlockTally {
    /// What is in the block.
    pub total: weir_segment::BlockTally,
    /// What its Processing has seen of each port, by port.
    pub ports: Vec<PortTally>,
}

impl BlockTally {
    fn reset(&mut self) {
        self.total = weir_segment::BlockTally::default();
        self.ports.fill(PortTally::default());
    }
}

/// A buffer of finished pcapng blocks, with its account.
pub struct Block {
    buffer: HugeBuffer,
    used_bytes: usize,
    /// What the block accounts for.
    pub tally: BlockTally,
}

impl Block {
    /// Returns the finished pcapng blocks.
    pub fn filled(&self) -> &[u8] {
        &self.buffer.as_slice()[..self.used_bytes]
    }

    /// Returns how many bytes of room are behind them.
    #[inline]
    pub(crate) fn room_bytes(&self) -> usize {
        self.buffer.bytes() - self.used_bytes
    }

    /// Returns the room behind them.
    #[inline]
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.buffer.as_mut_slice()[self.used_bytes..]
    }

    /// Keeps the first `bytes` bytes of [`room`](Self::room).
    #[inline]
    pub(crate) fn keep(&mut self, bytes: usize) {
        self.used_bytes += bytes;
        debug_assert!(self.used_bytes <= self.buffer.as_slice().len());
    }

    /// Returns whether nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.used_bytes == 0
    }
}

/// The pool of blocks: made once, then only passed round.
#[derive(Clone)]
pub struct BlockPool {
    free: Arc<ArrayQueue<Block>>,
    block_bytes: usize,
    in_hugepages: bool,
    copy: CopyBytes,
}

impl BlockPool {
    /// Makes a pool of `blocks` blocks of `block_bytes` bytes, for files of `ports` ports.
    ///
    /// # Errors
    ///
    /// What `mmap` said when there was no memory for them.
    pub fn new(blocks: usize, block_bytes: usize, ports: usize) -> io::Result<Self> {
        let free = ArrayQueue::new(blocks);
        let mut in_hugepages = true;
        for _ in 0..blocks {
            let buffer = HugeBuffer::new(block_bytes)?;
            in_hugepages &= buffer.in_hugepages();
            let tally =
                BlockTally { ports: vec![PortTally::default(); ports], ..BlockTally::default() };
            let pushed = free.push(Block { buffer, used_bytes: 0, tally });
            debug_assert!(pushed.is_ok(), "the queue has room for every block of the pool");
        }
        let copy: CopyBytes = <[u8]>::copy_from_slice;
        Ok(Self { free: Arc::new(free), block_bytes, in_hugepages, copy })
    }

    /// Has packets copied into blocks by `copy` instead of by ordinary stores.
    #[must_use]
    pub fn copying_by(self, copy: CopyBytes) -> Self {
        Self { copy, ..self }
    }

    /// Returns what copies packets into blocks.
    pub(crate) fn copy(&self) -> CopyBytes {
        self.copy
    }

    /// Takes a free block, empty, if there is one.
    #[inline]
    pub fn take(&self) -> Option<Block> {
        self.free.pop()
    }

    /// Gives a block back.
    pub fn give_back(&self, mut block: Block) {
        block.used_bytes = 0;
        block.tally.reset();
        let pushed = self.free.push(block);
        debug_assert!(pushed.is_ok(), "a block of another pool was given back");
    }

    /// Returns how many blocks the pool has in all.
    pub fn blocks(&self) -> usize {
        self.free.capacity()
    }

    /// Returns how many blocks nobody uses now.
    pub fn blocks_available(&self) -> usize {
        self.free.len()
    }

    /// Returns the size of a block, in bytes.
    pub fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    /// Returns whether every block lies in explicit hugepages.
    pub fn in_hugepages(&self) -> bool {
        self.in_hugepages
    }
}

#[cfg(test)]
mod tests {
    use weir_model::Timestamp;

    use super::*;

    #[test]
    fn a_block_comes_back_empty() {
        let pool = BlockPool::new(1, 4096, 2).unwrap();
        let mut block = pool.take().unwrap();
        assert!(pool.take().is_none());
        block.room()[0] = 7;
        block.keep(1);
        block.tally.total.count(60, 100, Timestamp::from_ns(5));
        block.tally.ports[1].accepted_packets = 1;
        assert_eq!(block.filled(), [7]);
        pool.give_back(block);
        let block = pool.take().unwrap();
        assert!(block.is_empty());
        assert_eq!(block.tally.total.packets, 0);
        assert_eq!(block.tally.ports, [PortTally::default(); 2]);
    }
}
