//! A batch of packets on its way into a block: what is done for each of them, and what they come to.
//!
//! The innermost loop. What changes with each packet (the room that is left, the sums) stays in
//! local variables, of which no reference leaves the loop; what is shared is written once for the
//! batch, which is a burst, or as much of it as fits into the open block.
//! Runs on: Processing or fused lcores. Allocates: never.

use core::mem;

use weir_filter::Matcher;
use weir_model::{BURST_PACKETS_MAX, Burst, Frame, LinkType, SNAPLEN_BYTES_MAX, Timestamp};
use weir_packet::{Decoded, Fragment, Network, decode_outer};
use weir_segment::BlockTally;
use weir_segment::pcapng::{
    EPB_BODY_OFFSET_BYTES, EpbFields, PlainEpb, epb_bytes, finish_epb_in_place, write_epb,
};
use weir_telemetry::ProcessingCounters;

use crate::lane::Origin;
use crate::processor::ProcessingConfig;

/// Why a batch ended before the burst did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It did not.
    WithBurst,
    /// The next packet needs a block with so many bytes of room.
    NeedsBlock(usize),
    /// The next packet does not lie in one piece, or contradicts itself.
    Uncommon,
}

/// Packets of one origin that go into what room is left in a block. `TAIL` says whether they tell
/// their queue.
pub(crate) struct Filling<'a, const TAIL: usize> {
    config: &'a ProcessingConfig,
    filter: Option<&'a Matcher>,
    plain: PlainEpb<TAIL>,
    interface_id: u32,
    queue: Option<u32>,
    /// Losses that the next packet tells.
    dropcount: u64,
    room: &'a mut [u8],
    batch: Batch,
}

impl<'a, const TAIL: usize> Filling<'a, TAIL> {
    /// Begins a batch whose first packet tells of `dropcount` losses. Without a block there is no
    /// room.
    #[inline(always)]
    pub(crate) fn new(
        config: &'a ProcessingConfig,
        filter: Option<&'a Matcher>,
        origin: &Origin,
        dropcount: u64,
        room: &'a mut [u8],
    ) -> Self {
        let interface_id = u32::from(origin.port.0);
        let queue = u32::from(origin.queue.0);
        Self {
            config,
            filter,
            plain: PlainEpb::new(interface_id, queue),
            interface_id,
            queue: config.record_queue.then_some(queue),
            dropcount,
            room,
            batch: Batch::default(),
        }
    }

    /// Deals with packets of `burst` from index `from` on, and returns the index of the first that
    /// it did not deal with, and why.
    #[inline(always)]
    pub(crate) fn fill<B: Burst>(&mut self, burst: &B, from: usize) -> (usize, Ended) {
        for index in from..burst.len() {
            let Ok(frame) = burst.frame(index) else { return (index, Ended::Uncommon) };
            let Some(bytes) = frame.contiguous() else { return (index, Ended::Uncommon) };
            if let Err(ended) = self.whole(&frame, bytes) {
                return (index, ended);
            }
        }
        (burst.len(), Ended::WithBurst)
    }

    /// Ends the batch, and returns what it came to and how many bytes of room are left.
    #[inline(always)]
    pub(crate) fn finish(self) -> (Batch, usize) {
        (self.batch, self.room.len())
    }

    /// Deals with a packet that lies in one piece: judges it where it lies, and copies it if it is
    /// wanted.
    #[inline(always)]
    fn whole(&mut self, frame: &Frame<'_>, bytes: &[u8]) -> Result<(), Ended> {
        if !self.wants(bytes, frame.wire_bytes) {
            self.filter_out(frame, bytes);
            return Ok(());
        }
        let captured_bytes = bytes.len().min(self.config.snaplen_bytes as usize);
        let captured = &bytes[..captured_bytes];
        let hash = if self.config.record_hash { frame.rss_hash } else { None };
        let is_plain = self.dropcount == 0 && hash.is_none();
        let block_bytes = if is_plain {
            self.plain.bytes(captured_bytes)
        } else {
            epb_bytes(&self.fields(frame, captured_bytes as u32))
        };
        if block_bytes > self.room.len() {
            return Err(Ended::NeedsBlock(block_bytes));
        }
        let (block, rest) = mem::take(&mut self.room).split_at_mut(block_bytes);
        if is_plain {
            self.plain.write(block, frame.timestamp, frame.wire_bytes, captured);
        } else {
            write_with_options(block, &self.fields(frame, captured_bytes as u32), captured);
        }
        self.room = rest;
        self.accept(captured_bytes as u32, frame, bytes);
        Ok(())
    }

    /// Deals with a packet that lies in several pieces: puts it together in the block, judges it
    /// there, and keeps or forgets it.
    pub(crate) fn pieces(&mut self, frame: &Frame<'_>) -> Ended {
        let gathered_bytes = frame.captured_bytes.min(SNAPLEN_BYTES_MAX);
        let whole_fields = self.fields(frame, gathered_bytes);
        let whole_bytes = epb_bytes(&whole_fields);
        if whole_bytes > self.room.len() {
            return Ended::NeedsBlock(whole_bytes);
        }
        let room = mem::take(&mut self.room);
        let body = &mut room[EPB_BODY_OFFSET_BYTES..][..gathered_bytes as usize];
        let copied_bytes = frame.copy_to(body);
        let bytes = &body[..copied_bytes];
        if self.wants(bytes, frame.wire_bytes) {
            let captured_bytes = (copied_bytes as u32).min(self.config.snaplen_bytes);
            let fields = EpbFields { captured_bytes, ..whole_fields };
            self.accept(captured_bytes, frame, bytes);
            let block_bytes = finish_epb_in_place(room, &fields);
            self.room = &mut room[block_bytes..];
        } else {
            self.filter_out(frame, bytes);
            self.room = room;
        }
        Ended::WithBurst
    }

    #[inline(always)]
    fn wants(&self, bytes: &[u8], wire_bytes: u32) -> bool {
        match self.filter {
            None => true,
            Some(filter) => filter.run(bytes, wire_bytes) != 0,
        }
    }

    #[inline(always)]
    fn fields(&self, frame: &Frame<'_>, captured_bytes: u32) -> EpbFields {
        EpbFields {
            interface_id: self.interface_id,
            timestamp: frame.timestamp,
            captured_bytes,
            wire_bytes: frame.wire_bytes,
            dropcount: self.dropcount,
            queue: self.queue,
            hash: if self.config.record_hash { frame.rss_hash } else { None },
        }
    }

    /// Counts a packet as copied, and the losses that it told as told.
    #[inline(always)]
    fn accept(&mut self, captured_bytes: u32, frame: &Frame<'_>, bytes: &[u8]) {
        self.dropcount = 0;
        self.batch.accepted_packets += 1;
        self.batch.captured_bytes += u64::from(captured_bytes);
        self.batch.wire_bytes += u64::from(frame.wire_bytes);
        self.batch.first = self.batch.first.min(frame.timestamp);
        self.batch.last = self.batch.last.max(frame.timestamp);
        self.batch.classes.count(&decode_outer(LinkType::ETHERNET, bytes));
    }

    #[inline(always)]
    fn filter_out(&mut self, frame: &Frame<'_>, bytes: &[u8]) {
        self.batch.filtered_packets += 1;
        self.batch.filtered_bytes += u64::from(frame.wire_bytes);
        self.batch.classes.count(&decode_outer(LinkType::ETHERNET, bytes));
    }
}

/// Writes a packet that has more to say than most.
#[inline(never)]
fn write_with_options(block: &mut [u8], fields: &EpbFields, captured: &[u8]) {
    write_epb(block, fields, |body| body.copy_from_slice(captured));
}

/// What a batch came to.
pub(crate) struct Batch {
    accepted_packets: u64,
    captured_bytes: u64,
    /// Bytes on the wire of accepted packets.
    wire_bytes: u64,
    first: Timestamp,
    last: Timestamp,
    filtered_packets: u64,
    filtered_bytes: u64,
    classes: Classes,
}

impl Default for Batch {
    #[inline(always)]
    fn default() -> Self {
        Self {
            accepted_packets: 0,
            captured_bytes: 0,
            wire_bytes: 0,
            first: Timestamp::from_ns(u64::MAX),
            last: Timestamp::EPOCH,
            filtered_packets: 0,
            filtered_bytes: 0,
            classes: Classes(0),
        }
    }
}

impl Batch {
    /// Returns how many packets were copied.
    #[inline(always)]
    pub(crate) fn accepted_packets(&self) -> u64 {
        self.accepted_packets
    }

    /// Returns how many packets were not wanted.
    #[inline(always)]
    pub(crate) fn filtered_packets(&self) -> u64 {
        self.filtered_packets
    }

    /// Adds what was copied to what a block holds.
    #[inline(always)]
    pub(crate) fn add_to(&self, total: &mut BlockTally) {
        total.add(&BlockTally {
            packets: self.accepted_packets,
            captured_bytes: self.captured_bytes,
            wire_bytes: self.wire_bytes,
            first: self.first,
            last: self.last,
        });
    }

    /// Counts its packets, which were held until now.
    #[inline(always)]
    pub(crate) fn count_into(&self, counters: &mut ProcessingCounters) {
        counters.accepted_packets += self.accepted_packets;
        counters.accepted_captured_bytes += self.captured_bytes;
        counters.accepted_sliced_bytes += self.wire_bytes - self.captured_bytes;
        counters.filtered_packets += self.filtered_packets;
        counters.filtered_bytes += self.filtered_bytes;
        counters.held_packets -= self.accepted_packets + self.filtered_packets;
        counters.held_bytes -= self.wire_bytes + self.filtered_bytes;
        self.classes.count_into(counters);
    }
}

/// How many packets are of each kind, in eight bits for each kind, so that a packet is counted by
/// one addition.
struct Classes(u64);

/// The places of the kinds, in bits.
mod lane {
    pub(super) const IPV4: u32 = 0;
    pub(super) const IPV6: u32 = 8;
    pub(super) const NON_IP: u32 = 16;
    pub(super) const FRAGMENT: u32 = 24;
    pub(super) const VLAN: u32 = 32;
    pub(super) const UNDECODABLE: u32 = 40;
}

impl Classes {
    #[inline(always)]
    fn count(&mut self, decoded: &Decoded) {
        let network = match decoded.outer.network {
            Network::Ipv4 => 1 << lane::IPV4,
            Network::Ipv6 => 1 << lane::IPV6,
            _ => 1 << lane::NON_IP,
        };
        let is_fragment = decoded.outer.fragment != Fragment::None;
        self.0 += network
            | u64::from(is_fragment) << lane::FRAGMENT
            | u64::from(decoded.vlan_count > 0) << lane::VLAN
            | u64::from(decoded.issue.is_some()) << lane::UNDECODABLE;
    }

    #[inline(always)]
    fn count_into(&self, counters: &mut ProcessingCounters) {
        const { assert!(BURST_PACKETS_MAX < 1 << 8, "a lane holds a burst") };
        let of = |lane: u32| self.0 >> lane & 0xff;
        counters.ipv4_packets += of(lane::IPV4);
        counters.ipv6_packets += of(lane::IPV6);
        counters.non_ip_packets += of(lane::NON_IP);
        counters.fragment_packets += of(lane::FRAGMENT);
        counters.vlan_packets += of(lane::VLAN);
        counters.undecodable_packets += of(lane::UNDECODABLE);
    }
}
