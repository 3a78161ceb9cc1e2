//! What others see of an Input while it sends.

use weir_model::{PortId, QueueId, Timestamp, TimestampSource};
use weir_telemetry::{InputCounters, Published};
use weir_testkit::{ManualClock, SimBurst, SimPool, SimPort, SimPortConfig, WirePacket};

use super::*;
use crate::lane::{Origin, packet_lane};
use crate::stamp::Stamper;
use crate::stop::Stop;

/// A ring with room for a few packets, that looks at the Input's counters as a Processing or the
/// control core could: when the first packet is about to be in it.
struct Watching {
    counters: Published<InputCounters>,
    room_packets: usize,
    sent_packets: u64,
}

impl BurstSender<SimBurst> for Watching {
    fn send(&mut self, burst: &mut SimBurst) -> usize {
        let seen = self.counters.read();
        let given_packets = seen.handed_packets + seen.held_packets;
        let about_to_be_taken = self.sent_packets + burst.len() as u64;
        assert!(given_packets >= about_to_be_taken, "{seen:?}");
        assert_eq!(seen.received_packets, given_packets + seen.lost_ring_full_packets, "{seen:?}");
        let packets = burst.len().min(self.room_packets);
        self.room_packets -= packets;
        self.sent_packets += packets as u64;
        let mut lane_of = [1; BURST_PACKETS_MAX];
        lane_of[..packets].fill(0);
        let mut parts = [SimBurst::default(), SimBurst::default()];
        burst.scatter(&lane_of, &mut parts);
        let [_, left] = parts;
        *burst = left;
        packets
    }

    fn capacity_packets(&self) -> usize {
        self.room_packets
    }
}

fn input(when_full: WhenFull) -> (Input<SimPort, Watching, ManualClock>, Published<InputCounters>) {
    let clock = ManualClock::new(Timestamp::from_ns(1_000));
    let pool = SimPool::new(1_000);
    let packets = (0..200).map(|_| WirePacket::new(vec![0; 60]));
    let source = SimPort::new(SimPortConfig::steady(1, pool), packets);
    let origin = Origin { port: PortId(0), queue: QueueId(0), when_full };
    let stamper = Stamper::new(clock, TimestampSource::Tsc);
    let (intake, counters) = Intake::new(source, stamper, Stop::new(None), origin);
    let ring = Watching { counters: counters.clone(), room_packets: 100, sent_packets: 0 };
    let (sender, _) = packet_lane((ring, ()), origin);
    let spread = Spread { seed: 1, rss_is_symmetric: false };
    (Input::new(intake, vec![sender], spread, PendingDrops::new(1)), counters)
}

#[test]
fn packets_are_counted_before_anybody_can_take_them() {
    let (mut input, counters) = input(WhenFull::Drop);
    for _ in 0..10 {
        input.poll();
    }
    let seen = counters.read();
    assert_eq!((seen.received_packets, seen.handed_packets), (200, 100));
    assert_eq!((seen.lost_ring_full_packets, seen.held_packets), (100, 0));
}

#[test]
fn a_source_that_can_wait_waits() {
    let (mut input, counters) = input(WhenFull::Hold);
    for _ in 0..10 {
        input.poll();
    }
    let seen = counters.read();
    assert_eq!((seen.received_packets, seen.handed_packets), (128, 100));
    assert_eq!((seen.lost_ring_full_packets, seen.held_packets), (0, 28));
}
