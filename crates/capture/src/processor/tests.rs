//! What becomes of each kind of packet, and of packets when there is no block.

use weir_model::{LinkType, PortId, QueueId, SNAPLEN_BYTES_MAX, Timestamp};
use weir_segment::pcapng::EPB_BODY_OFFSET_BYTES;
use weir_testkit::{FrameBuilder, ManualClock, SimBurst, SimPool, WirePacket};

use super::*;
use crate::lane::{BlockReceiver, block_lane};

const BLOCK_BYTES: usize = SNAPLEN_BYTES_MAX as usize + BLOCK_OVERHEAD_BYTES;

struct World {
    processor: Processor<ManualClock>,
    published: Published<ProcessingCounters>,
    clock: ManualClock,
    pool: BlockPool,
    blocks: BlockReceiver,
    drops: PendingDrops,
    mbufs: SimPool,
    origin: Origin,
}

impl World {
    fn new(blocks: usize, when_full: WhenFull, filter: Option<&str>) -> Self {
        let clock = ManualClock::new(Timestamp::from_ns(1_000));
        let pool = BlockPool::new(blocks, BLOCK_BYTES, 2).unwrap();
        let (sender, receiver) = block_lane(blocks);
        let drops = PendingDrops::new(2);
        let config = ProcessingConfig {
            filter: filter.map(|expression| {
                Program::compile(expression, LinkType::ETHERNET, SNAPLEN_BYTES_MAX).unwrap()
            }),
            snaplen_bytes: 100,
            record_queue: false,
            record_hash: false,
            flush_ns: 1_000,
        };
        let (processor, published) =
            Processor::new(config, clock.clone(), pool.clone(), sender, drops.clone(), 2);
        let origin = Origin { port: PortId(1), queue: QueueId(0), when_full };
        let mbufs = SimPool::new(64);
        Self { processor, published, clock, pool, blocks: receiver, drops, mbufs, origin }
    }

    /// Takes a burst, deals with what it can, and returns how many packets that were.
    fn process(&mut self, packets: impl IntoIterator<Item = WirePacket>) -> usize {
        let burst = SimBurst::of(&self.mbufs, packets);
        let bytes = (0..burst.len()).map(|index| u64::from(burst.wire_bytes(index))).sum();
        self.processor.take(burst.len() as u64, bytes, &self.origin);
        let dealt = self.processor.process(&burst, 0, &self.origin);
        self.processor.publish();
        dealt
    }

    fn counters(&self) -> ProcessingCounters {
        let counters = self.published.read();
        let gone = counters.filtered_packets
            + counters.lost_malformed_mbuf_packets
            + counters.lost_pool_exhausted_packets
            + counters.accepted_packets
            + counters.held_packets;
        assert_eq!(counters.taken_packets, gone);
        let gone_bytes = counters.filtered_bytes
            + counters.lost_malformed_mbuf_bytes
            + counters.lost_pool_exhausted_bytes
            + counters.accepted_captured_bytes
            + counters.accepted_sliced_bytes
            + counters.held_bytes;
        assert_eq!(counters.taken_bytes, gone_bytes);
        counters
    }

    /// Hands over what there is and returns it.
    fn block(&mut self) -> Block {
        assert!(self.processor.finish());
        self.blocks.receive().unwrap()
    }
}

fn frame(payload: u8) -> WirePacket {
    let headers = FrameBuilder::ethernet().vlan(5).ipv4([10, 0, 0, 1], [10, 0, 0, 2]);
    WirePacket::new(headers.tcp(1, 443, 0x10).payload(&[payload; 100]).build())
}

/// Returns the dropcount option and the packet's bytes of each block.
fn packets(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let u32_at =
        |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut packets = Vec::new();
    while !bytes.is_empty() {
        let (block, rest) = bytes.split_at(u32_at(bytes, 4) as usize);
        let end = EPB_BODY_OFFSET_BYTES + u32_at(block, 20) as usize;
        let options = end.next_multiple_of(4);
        let dropcount = match block.len() - options {
            4 => 0,
            _ => u64::from_le_bytes(block[options + 4..options + 12].try_into().unwrap()),
        };
        packets.push((dropcount, &block[EPB_BODY_OFFSET_BYTES..end]));
        bytes = rest;
    }
    packets
}

#[test]
fn a_packet_in_pieces_is_written_as_one_that_is_not() {
    let mut world = World::new(2, WhenFull::Drop, None);
    let whole = frame(1);
    let dealt = world.process([
        whole.clone(),
        whole.clone().segmented(vec![0, 17, 30]),
        whole.clone().vlan_stripped(),
        whole.clone(),
    ]);
    assert_eq!(dealt, 4);
    let block = world.block();
    let expected = (0, &whole.bytes[..100]);
    assert_eq!(packets(block.filled()), [expected; 4]);
    let wire_bytes = u64::from(whole.wire_bytes);
    assert_eq!(block.tally.total.packets, 4);
    assert_eq!(block.tally.total.captured_bytes, 400);
    assert_eq!(block.tally.total.wire_bytes, 4 * wire_bytes);
    assert_eq!(block.tally.ports[1].accepted_packets, 4);
    let counters = world.counters();
    assert_eq!(counters.accepted_packets, 4);
    assert_eq!(counters.accepted_sliced_bytes, 4 * (wire_bytes - 100));
    assert_eq!((counters.ipv4_packets, counters.vlan_packets), (4, 4));
}

#[test]
fn what_the_filter_does_not_want_is_counted_and_leaves_no_trace() {
    let mut world = World::new(2, WhenFull::Drop, Some("tcp port 80 or not vlan"));
    let unwanted = frame(2);
    let wanted = WirePacket::new(vec![0; 60]);
    world.process([
        unwanted.clone(),
        unwanted.clone().segmented(vec![40]),
        wanted.clone(),
        unwanted.segmented(vec![40]),
        wanted.clone().segmented(vec![20]),
    ]);
    let block = world.block();
    assert_eq!(packets(block.filled()), [(0, &wanted.bytes[..]); 2]);
    assert_eq!(block.tally.ports[1].filtered_packets, 3);
    let counters = world.counters();
    assert_eq!((counters.filtered_packets, counters.accepted_packets), (3, 2));
    assert_eq!((counters.vlan_packets, counters.non_ip_packets), (3, 2));
    assert_eq!(counters.undecodable_packets, 2);
}

#[test]
fn losses_are_told_by_the_next_packet_and_once() {
    let mut world = World::new(2, WhenFull::Drop, None);
    world.drops.add_nic(PortId(1), 7);
    world.drops.add_nic(PortId(0), 1);
    let packet = WirePacket::new(vec![9; 60]);
    world.process([packet.clone().malformed(), packet.clone(), packet.clone()]);
    world.process([packet.clone().segmented(vec![10]), packet.clone()]);
    let block = world.block();
    let told: Vec<u64> = packets(block.filled()).iter().map(|packet| packet.0).collect();
    assert_eq!(told, [7, 0, 1, 0]);
    let drops = block.tally.ports[1].drops;
    assert_eq!((drops.nic_packets, drops.os_packets), (7, 1));
    assert_eq!(block.tally.ports[0].drops, Drops::default());
    assert_eq!(world.counters().lost_malformed_mbuf_packets, 1);
}

/// Each of these fills more than half of a block.
fn large(layout_bytes: Option<usize>) -> WirePacket {
    let packet = WirePacket::new(vec![3; SNAPLEN_BYTES_MAX as usize * 3 / 4]);
    match layout_bytes {
        None => packet,
        Some(bytes) => packet.segmented(vec![bytes]),
    }
}

#[test]
fn without_a_block_a_wire_loses_and_a_file_waits() {
    let small = || WirePacket::new(vec![4; 60]);
    for when_full in [WhenFull::Drop, WhenFull::Hold] {
        let mut world = World::new(1, when_full, None);
        world.processor.config.snaplen_bytes = SNAPLEN_BYTES_MAX;
        let dealt = world.process([large(None), large(Some(5)), small(), small()]);
        let counters = world.counters();
        assert_eq!(counters.accepted_packets, 1);
        match when_full {
            WhenFull::Drop => {
                assert_eq!((dealt, counters.lost_pool_exhausted_packets), (4, 3));
                assert_eq!(world.drops.claim(PortId(1)).unwrap().os_packets, 3);
            }
            WhenFull::Hold => {
                assert_eq!((dealt, counters.held_packets), (1, 3));
                assert_eq!(world.drops.claim(PortId(1)), None);
            }
        }
        assert!(counters.block_denials > 0);
        // The block that was full was handed over, and its account with it.
        let block = world.blocks.receive().unwrap();
        assert_eq!(block.tally.total.packets, 1);
        world.pool.give_back(block);
        world.process([small()]);
        assert_eq!(world.counters().accepted_packets, 2);
    }
}

#[test]
fn what_waited_long_enough_is_handed_over() {
    let mut world = World::new(2, WhenFull::Drop, None);
    world.process([frame(1)]);
    world.clock.advance_ns(999);
    world.processor.flush_if_old();
    assert!(world.blocks.receive().is_none());
    world.clock.advance_ns(1);
    world.processor.flush_if_old();
    assert_eq!(world.blocks.receive().unwrap().tally.total.packets, 1);
    world.processor.publish();
    assert_eq!(world.counters().aged_blocks, 1);
}

/// An Output may count a block as stored the moment it has it: what is in it must be counted as
/// given by then, or a reader sees more come out than went in.
#[test]
fn what_a_block_holds_is_counted_before_it_is_handed_over() {
    let mut world = World::new(2, WhenFull::Hold, None);
    let burst = SimBurst::of(&world.mbufs, [frame(1), frame(2)]);
    let bytes = (0..burst.len()).map(|index| u64::from(burst.wire_bytes(index))).sum();
    world.processor.take(2, bytes, &world.origin);
    assert_eq!(world.processor.process(&burst, 0, &world.origin), 2);
    assert_eq!(world.published.read().accepted_packets, 0, "nothing was shown yet");
    let block = world.block();
    assert_eq!(block.tally.total.packets, 2);
    assert_eq!(world.counters().accepted_packets, 2);
}
