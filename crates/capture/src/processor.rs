//! What is done with each packet: judged, and copied once, as a finished pcapng block.
//!
//! The one loop that every packet passes, whatever the shape. A packet in one piece is judged where
//! it lies and copied if it is wanted; one in several pieces is first put together in the block,
//! judged there, and kept or forgotten.
//! Runs on: Processing or fused lcores. Allocates: never.

use weir_filter::{Matcher, Program};
use weir_model::{Burst, Clock};
use weir_segment::pcapng::{QUEUE_TAIL_BYTES, TAIL_BYTES};
use weir_telemetry::{ProcessingCounters, Published, Publisher, published};

use crate::batch::{Ended, Filling};
use crate::block::{Block, BlockPool, PortTally};
use crate::lane::{BlockSender, Origin, WhenFull};
use crate::losses::{Drops, PendingDrops};
use crate::staging::Staging;

/// Room that a block has beside the largest packet: the EPB's fixed parts and every option.
pub const BLOCK_OVERHEAD_BYTES: usize = 128;

/// How packets are judged and kept.
#[derive(Clone)]
pub struct ProcessingConfig {
    /// What is wanted; everything where there is none.
    pub filter: Option<Program>,
    /// The most bytes of a packet that are kept.
    pub snaplen_bytes: u32,
    /// Whether the queue that a packet came by is written beside it.
    pub record_queue: bool,
    /// Whether the NIC's hash is written beside a packet that has one.
    pub record_hash: bool,
    /// The longest time that a packet waits in a block that does not fill.
    pub flush_ns: u64,
}

/// Judges packets and fills blocks.
pub struct Processor<C> {
    config: ProcessingConfig,
    /// The configuration's filter, by the fastest engine that there is.
    filter: Option<Matcher>,
    clock: C,
    pool: BlockPool,
    output: BlockSender,
    drops: PendingDrops,
    open: Option<Block>,
    /// What is not yet in `open`; nothing where there is none.
    staging: Staging,
    /// What was seen of each port since the last block was handed over.
    seen: Vec<PortTally>,
    /// Losses claimed and not yet written into a packet's `epb_dropcount`, by port.
    untold: Vec<Drops>,
    /// When the oldest part of what `open` and `seen` hold came, if they hold anything.
    oldest_ns: Option<u64>,
    pub(crate) counters: ProcessingCounters,
    publisher: Publisher<ProcessingCounters>,
}

impl<C: Clock> Processor<C> {
    /// Makes a processor for packets of `ports` ports, and the view of its counters.
    pub fn new(
        config: ProcessingConfig,
        clock: C,
        pool: BlockPool,
        output: BlockSender,
        drops: PendingDrops,
        ports: usize,
    ) -> (Self, Published<ProcessingCounters>) {
        let (publisher, counters) = published();
        let filter = config.filter.as_ref().map(Matcher::of_program);
        let staging = Staging::new(pool.copy());
        let processor = Self {
            config,
            filter,
            clock,
            pool,
            output,
            drops,
            open: None,
            staging,
            seen: vec![PortTally::default(); ports],
            untold: vec![Drops::default(); ports],
            oldest_ns: None,
            counters: ProcessingCounters::default(),
            publisher,
        };
        (processor, counters)
    }

    /// Counts the packets of a burst, and their bytes on the wire, as taken. To be called once for
    /// each burst, before [`process`](Self::process).
    #[inline]
    pub(crate) fn take(&mut self, packets: u64, bytes: u64, origin: &Origin) {
        self.counters.taken_packets += packets;
        self.counters.taken_bytes += bytes;
        self.counters.held_packets += packets;
        self.counters.held_bytes += bytes;
        if let Some(drops) = self.drops.claim(origin.port) {
            let untold = &mut self.untold[origin.port.index()];
            untold.nic_packets += drops.nic_packets;
            untold.os_packets += drops.os_packets;
        }
        if self.oldest_ns.is_none() {
            self.oldest_ns = Some(self.clock.monotonic_ns());
        }
    }

    /// Deals with the packets of `burst` from index `from` on, and returns the index of the first
    /// that has to wait for a block: the burst's length if none has to.
    #[inline]
    pub(crate) fn process<B: Burst>(&mut self, burst: &B, from: usize, origin: &Origin) -> usize {
        match self.config.record_queue {
            true => self.process_all::<B, QUEUE_TAIL_BYTES>(burst, from, origin),
            false => self.process_all::<B, TAIL_BYTES>(burst, from, origin),
        }
    }

    /// As [`process`](Self::process), for packets with such tails.
    #[inline]
    fn process_all<B: Burst, const TAIL: usize>(
        &mut self,
        burst: &B,
        from: usize,
        origin: &Origin,
    ) -> usize {
        let mut index = from;
        loop {
            let ended;
            (index, ended) = self.batch::<_, TAIL>(origin, |filling| filling.fill(burst, index));
            let room_bytes = match ended {
                Ended::WithBurst => return index,
                Ended::NeedsBlock(room_bytes) => room_bytes,
                Ended::Uncommon => match self.uncommon::<B, TAIL>(burst, index, origin) {
                    Ended::NeedsBlock(room_bytes) => room_bytes,
                    _ => {
                        index += 1;
                        continue;
                    }
                },
            };
            if !self.turn_block(room_bytes) {
                if origin.when_full == WhenFull::Hold {
                    return index;
                }
                self.lose_for_want_of_a_block(burst.wire_bytes(index), origin);
                index += 1;
            }
        }
    }

    /// Lets `fill` put packets into the open block, and counts what they came to before anybody
    /// can see that they are there.
    #[inline(always)]
    fn batch<R, const TAIL: usize>(
        &mut self,
        origin: &Origin,
        fill: impl FnOnce(&mut Filling<'_, TAIL>) -> R,
    ) -> R {
        let port = origin.port.index();
        let dropcount = self.untold[port].packets();
        let room = match &self.open {
            Some(block) => self.staging.room(block),
            None => &mut [][..],
        };
        let room_bytes = room.len();
        let mut filling = Filling::new(&self.config, self.filter.as_ref(), origin, dropcount, room);
        let result = fill(&mut filling);
        let (batch, left_bytes) = filling.finish();
        batch.count_into(&mut self.counters);
        self.seen[port].filtered_packets += batch.filtered_packets();
        if batch.accepted_packets() > 0
            && let Some(block) = &mut self.open
        {
            self.staging.keep(room_bytes - left_bytes, block);
            batch.add_to(&mut block.tally.total);
            self.seen[port].accepted_packets += batch.accepted_packets();
            if dropcount > 0 {
                self.tell(port);
            }
        }
        result
    }

    /// Deals with a packet that does not lie in one piece, or contradicts itself.
    #[cold]
    fn uncommon<B: Burst, const TAIL: usize>(
        &mut self,
        burst: &B,
        index: usize,
        origin: &Origin,
    ) -> Ended {
        match burst.frame(index) {
            Ok(frame) => self.batch::<_, TAIL>(origin, |filling| filling.pieces(&frame)),
            Err(_) => {
                self.lose_malformed(burst.wire_bytes(index), origin);
                Ended::WithBurst
            }
        }
    }

    /// Shows the counters to others.
    #[inline]
    pub(crate) fn publish(&mut self) {
        self.publisher.publish(&self.counters);
    }

    /// Hands over what has waited too long. To be called often; cheap when there is nothing.
    #[inline]
    pub(crate) fn flush_if_old(&mut self) {
        if let Some(oldest_ns) = self.oldest_ns {
            let age_ns = self.clock.monotonic_ns().saturating_sub(oldest_ns);
            if age_ns >= self.config.flush_ns {
                self.counters.aged_blocks += u64::from(self.flush());
            }
        }
    }

    /// Hands over everything, losses not told in any packet included. Returns whether that is
    /// done: without a free block to carry an account, it has to be tried again.
    pub(crate) fn finish(&mut self) -> bool {
        for port in 0..self.untold.len() {
            self.tell(port);
        }
        if self.seen.iter().any(|seen| *seen != PortTally::default()) && self.oldest_ns.is_none() {
            self.oldest_ns = Some(0);
        }
        self.flush()
    }

    /// Hands over the open block, or an empty one where there is only an account to give.
    fn flush(&mut self) -> bool {
        if self.oldest_ns.is_none() {
            return true;
        }
        let Some(block) = self.open.take().or_else(|| self.pool.take()) else { return false };
        self.hand_over(block);
        true
    }

    fn hand_over(&mut self, mut block: Block) {
        self.staging.finish(&mut block);
        block.tally.ports.copy_from_slice(&self.seen);
        self.seen.fill(PortTally::default());
        self.oldest_ns = None;
        self.counters.blocks += 1;
        // Before it is handed over: nobody may be seen to take what was not yet given.
        self.publish();
        self.output.send(block);
    }

    /// Makes a block with room for `room_bytes` the open one. Returns whether it could.
    #[cold]
    fn turn_block(&mut self, room_bytes: usize) -> bool {
        assert!(room_bytes <= self.pool.block_bytes(), "a block holds the largest packet");
        if let Some(block) = &self.open
            && block.room_bytes() - self.staging.filled_bytes() >= room_bytes
        {
            // There was too little room on the way there, and it was cleared meanwhile.
            return true;
        }
        if let Some(block) = self.open.take() {
            self.hand_over(block);
        }
        self.open = self.pool.take();
        self.counters.block_denials += u64::from(self.open.is_none());
        if self.oldest_ns.is_none() {
            self.oldest_ns = Some(self.clock.monotonic_ns());
        }
        self.open.is_some()
    }

    fn tell(&mut self, port: usize) {
        let told = core::mem::take(&mut self.untold[port]);
        self.seen[port].drops.nic_packets += told.nic_packets;
        self.seen[port].drops.os_packets += told.os_packets;
    }

    #[cold]
    fn lose_malformed(&mut self, wire_bytes: u32, origin: &Origin) {
        self.counters.lost_malformed_mbuf_packets += 1;
        self.counters.lost_malformed_mbuf_bytes += u64::from(wire_bytes);
        self.counters.held_packets -= 1;
        self.counters.held_bytes -= u64::from(wire_bytes);
        self.drops.add_os(origin.port, 1);
    }

    #[cold]
    fn lose_for_want_of_a_block(&mut self, wire_bytes: u32, origin: &Origin) {
        self.counters.lost_pool_exhausted_packets += 1;
        self.counters.lost_pool_exhausted_bytes += u64::from(wire_bytes);
        self.counters.held_packets -= 1;
        self.counters.held_bytes -= u64::from(wire_bytes);
        self.drops.add_os(origin.port, 1);
    }
}

#[cfg(test)]
mod tests;
