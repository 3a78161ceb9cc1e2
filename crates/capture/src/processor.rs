//! What is done with each packet: judged, and copied once, as a finished pcapng block.
//!
//! The one loop that every packet passes, whatever the shape. A packet in one piece is judged where
//! it lies and copied if it is wanted; one in several pieces is first put together in the block,
//! judged there, and kept or forgotten.
//! Runs on: Processing or fused lcores. Allocates: never.

use weir_filter::Program;
use weir_model::{Burst, Clock, Frame, LinkType, SNAPLEN_BYTES_MAX};
use weir_packet::{Decoded, Fragment, Network, decode_outer};
use weir_segment::pcapng::{EPB_BODY_OFFSET_BYTES, EpbFields, epb_bytes, finish_epb_in_place};
use weir_telemetry::{ProcessingCounters, Published, Publisher, published};

use crate::block::{Block, BlockPool, PortTally};
use crate::intake::wire_bytes_from;
use crate::lane::{BlockSender, Origin, WhenFull};
use crate::losses::{Drops, PendingDrops};

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

/// Why a packet was not dealt with: a block with so much room is needed.
struct NeedsBlock(usize);

/// Judges packets and fills blocks.
pub struct Processor<C> {
    config: ProcessingConfig,
    clock: C,
    pool: BlockPool,
    output: BlockSender,
    drops: PendingDrops,
    open: Option<Block>,
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
        let processor = Self {
            config,
            clock,
            pool,
            output,
            drops,
            open: None,
            seen: vec![PortTally::default(); ports],
            untold: vec![Drops::default(); ports],
            oldest_ns: None,
            counters: ProcessingCounters::default(),
            publisher,
        };
        (processor, counters)
    }

    /// Counts the packets of a burst as taken. To be called once for each burst, before
    /// [`process`](Self::process).
    #[inline]
    pub(crate) fn take<B: Burst>(&mut self, burst: &B, origin: &Origin) {
        let (packets, bytes) = (burst.len() as u64, wire_bytes_from(burst, 0));
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
        let mut index = from;
        while index < burst.len() {
            let dealt = match burst.frame(index) {
                Ok(frame) => match frame.contiguous() {
                    Some(bytes) => self.whole(&frame, bytes, origin),
                    None => self.pieces(&frame, origin),
                },
                Err(_) => {
                    self.lose_malformed(burst.wire_bytes(index), origin);
                    Ok(())
                }
            };
            if let Err(NeedsBlock(room_bytes)) = dealt
                && !self.turn_block(room_bytes)
            {
                if origin.when_full == WhenFull::Hold {
                    break;
                }
                self.lose_for_want_of_a_block(burst.wire_bytes(index), origin);
            } else if dealt.is_err() {
                continue;
            }
            self.counters.held_packets -= 1;
            self.counters.held_bytes -= u64::from(burst.wire_bytes(index));
            index += 1;
        }
        index
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
                self.counters.aged_blocks += 1;
                self.flush();
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

    /// Deals with a packet that lies in one piece.
    #[inline]
    fn whole(
        &mut self,
        frame: &Frame<'_>,
        bytes: &[u8],
        origin: &Origin,
    ) -> Result<(), NeedsBlock> {
        if !self.wants(bytes, frame.wire_bytes) {
            self.filter_out(bytes, frame.wire_bytes, origin);
            return Ok(());
        }
        let captured_bytes = (bytes.len() as u32).min(self.config.snaplen_bytes);
        let fields = self.fields(frame, captured_bytes, origin);
        let block = block_with_room(&mut self.open, epb_bytes(&fields))?;
        let room = block.room();
        let end = EPB_BODY_OFFSET_BYTES + captured_bytes as usize;
        room[EPB_BODY_OFFSET_BYTES..end].copy_from_slice(&bytes[..captured_bytes as usize]);
        let block_bytes = finish_epb_in_place(room, &fields);
        block.keep(block_bytes);
        block.tally.total.count(captured_bytes, frame.wire_bytes, frame.timestamp);
        self.classify(&decode_outer(LinkType::ETHERNET, bytes));
        self.accept(captured_bytes, frame.wire_bytes, origin);
        Ok(())
    }

    /// Deals with a packet that lies in several pieces: put together in the block, judged there.
    fn pieces(&mut self, frame: &Frame<'_>, origin: &Origin) -> Result<(), NeedsBlock> {
        let gathered_bytes = frame.captured_bytes.min(SNAPLEN_BYTES_MAX);
        let whole_fields = self.fields(frame, gathered_bytes, origin);
        let mut open = self.open.take();
        let block = match block_with_room(&mut open, epb_bytes(&whole_fields)) {
            Ok(block) => block,
            Err(needs_block) => {
                self.open = open;
                return Err(needs_block);
            }
        };
        let room = block.room();
        let end = EPB_BODY_OFFSET_BYTES + gathered_bytes as usize;
        let copied_bytes = frame.copy_to(&mut room[EPB_BODY_OFFSET_BYTES..end]);
        let bytes = &room[EPB_BODY_OFFSET_BYTES..EPB_BODY_OFFSET_BYTES + copied_bytes];
        if self.wants(bytes, frame.wire_bytes) {
            self.classify(&decode_outer(LinkType::ETHERNET, bytes));
            let captured_bytes = (copied_bytes as u32).min(self.config.snaplen_bytes);
            let fields = EpbFields { captured_bytes, ..whole_fields };
            let block_bytes = finish_epb_in_place(room, &fields);
            block.keep(block_bytes);
            block.tally.total.count(captured_bytes, frame.wire_bytes, frame.timestamp);
            self.accept(captured_bytes, frame.wire_bytes, origin);
        } else {
            self.filter_out(bytes, frame.wire_bytes, origin);
        }
        self.open = open;
        Ok(())
    }

    #[inline]
    fn wants(&self, bytes: &[u8], wire_bytes: u32) -> bool {
        match &self.config.filter {
            None => true,
            Some(filter) => filter.run(bytes, wire_bytes) != 0,
        }
    }

    #[inline]
    fn fields(&self, frame: &Frame<'_>, captured_bytes: u32, origin: &Origin) -> EpbFields {
        EpbFields {
            interface_id: u32::from(origin.port.0),
            timestamp: frame.timestamp,
            captured_bytes,
            wire_bytes: frame.wire_bytes,
            dropcount: self.untold[origin.port.index()].packets(),
            queue: self.config.record_queue.then_some(u32::from(origin.queue.0)),
            hash: if self.config.record_hash { frame.rss_hash } else { None },
        }
    }

    /// Counts a packet as copied, and the losses that it told as told.
    #[inline]
    fn accept(&mut self, captured_bytes: u32, wire_bytes: u32, origin: &Origin) {
        self.counters.accepted_packets += 1;
        self.counters.accepted_captured_bytes += u64::from(captured_bytes);
        self.counters.accepted_sliced_bytes += u64::from(wire_bytes - captured_bytes);
        let port = origin.port.index();
        self.seen[port].accepted_packets += 1;
        if self.untold[port] != Drops::default() {
            self.tell(port);
        }
    }

    fn tell(&mut self, port: usize) {
        let told = core::mem::take(&mut self.untold[port]);
        self.seen[port].drops.nic_packets += told.nic_packets;
        self.seen[port].drops.os_packets += told.os_packets;
    }

    #[inline]
    fn filter_out(&mut self, bytes: &[u8], wire_bytes: u32, origin: &Origin) {
        self.classify(&decode_outer(LinkType::ETHERNET, bytes));
        self.counters.filtered_packets += 1;
        self.counters.filtered_bytes += u64::from(wire_bytes);
        self.seen[origin.port.index()].filtered_packets += 1;
    }

    #[inline]
    fn classify(&mut self, decoded: &Decoded) {
        let counters = &mut self.counters;
        match decoded.outer.network {
            Network::Ipv4 => counters.ipv4_packets += 1,
            Network::Ipv6 => counters.ipv6_packets += 1,
            _ => counters.non_ip_packets += 1,
        }
        counters.fragment_packets += u64::from(decoded.outer.fragment != Fragment::None);
        counters.vlan_packets += u64::from(decoded.vlan_count > 0);
        counters.undecodable_packets += u64::from(decoded.issue.is_some());
    }

    #[cold]
    fn lose_malformed(&mut self, wire_bytes: u32, origin: &Origin) {
        self.counters.lost_malformed_mbuf_packets += 1;
        self.counters.lost_malformed_mbuf_bytes += u64::from(wire_bytes);
        self.drops.add_os(origin.port, 1);
    }

    #[cold]
    fn lose_for_want_of_a_block(&mut self, wire_bytes: u32, origin: &Origin) {
        self.counters.lost_pool_exhausted_packets += 1;
        self.counters.lost_pool_exhausted_bytes += u64::from(wire_bytes);
        self.drops.add_os(origin.port, 1);
    }
}

/// Returns the open block if it has room for `bytes` more.
#[inline]
fn block_with_room(open: &mut Option<Block>, bytes: usize) -> Result<&mut Block, NeedsBlock> {
    match open {
        Some(block) if block.room_bytes() >= bytes => Ok(block),
        _ => Err(NeedsBlock(bytes)),
    }
}
