//! The simulated port, ring, bursts and clock hold what the seams promise, and their own counts.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use weir_model::{
    BURST_PACKETS_MAX, Burst, BurstReceiver, BurstSender, Clock, PacketSource, Timestamp,
};
use weir_testkit::seed::for_each_seed;
use weir_testkit::{
    ManualClock, Nombuf, RingFaults, SimBurst, SimPool, SimPort, SimPortConfig, Tally, TrafficMix,
    WirePacket, sim_ring, sim_ring_with,
};

fn numbered(count: u32) -> Vec<WirePacket> {
    (0..count).map(|number| WirePacket::new(number.to_be_bytes().to_vec())).collect()
}

fn numbers(burst: &SimBurst) -> Vec<u32> {
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
    burst.packets().iter().map(|packet| number(&packet.wire().bytes)).collect()
}

#[test]
fn a_burst_shows_packets_in_every_layout() {
    let pool = SimPool::new(8);
    let bytes: Vec<u8> = (0..40).collect();
    let packet = || WirePacket::new(bytes.clone()).at(Timestamp::from_ns(7)).hashed(9);
    let mut burst = SimBurst::of(
        &pool,
        [
            packet(),
            packet().segmented(vec![10, 0, 5]),
            packet().vlan_stripped(),
            packet().sliced(20),
            packet().malformed(),
        ],
    );
    let mut out = [0; 64];
    for index in 0..4 {
        let frame = burst.frame(index).unwrap();
        let captured = if index == 3 { 20 } else { 40 };
        assert_eq!((frame.captured_bytes, frame.wire_bytes), (captured, 40));
        assert_eq!(frame.copy_to(&mut out) as u32, captured);
        assert_eq!(out[..captured as usize], bytes[..captured as usize]);
        assert_eq!(frame.copy_to(&mut out[..13]), 13, "no more than there is room for");
        assert_eq!((frame.timestamp, frame.rss_hash), (Timestamp::from_ns(7), Some(9)));
    }
    let head = |index: usize| burst.frame(index).unwrap().head.to_vec();
    assert_eq!(head(0), bytes);
    assert_eq!(head(1), bytes[..10]);
    assert_eq!(head(2), [&bytes[..12], &bytes[16..]].concat());
    assert!(burst.frame(0).unwrap().contiguous().is_some());
    assert!(burst.frame(1).unwrap().contiguous().is_none());
    assert!(burst.frame(4).is_err());
    assert_eq!(burst.wire_bytes(4), 40, "malformed packets count all the same");

    assert_eq!(burst.source_timestamp(0), Some(Timestamp::from_ns(7)));
    burst.set_timestamp(0, Timestamp::from_ns(8));
    assert_eq!(burst.frame(0).unwrap().timestamp, Timestamp::from_ns(8));
    assert_eq!(burst.source_timestamp(0), Some(Timestamp::from_ns(7)));
    assert_eq!(pool.live_packets(), 5);
    burst.clear();
    assert_eq!((burst.len(), pool.live_packets()), (0, 0));
}

#[test]
fn scatter_keeps_order_and_packets() {
    let pool = SimPool::new(64);
    let mut burst = SimBurst::of(&pool, numbered(6));
    let mut lanes = [SimBurst::default(), SimBurst::default(), SimBurst::default()];
    burst.scatter(&[0, 2, 0, 2, 2, 0], &mut lanes);
    assert!(burst.is_empty());
    assert_eq!(lanes.each_ref().map(numbers), [vec![0, 2, 5], vec![], vec![1, 3, 4]]);
    assert_eq!(pool.live_packets(), 6);
    drop(lanes);
    assert_eq!(pool.live_packets(), 0);
}

/// Polls a port until it has no more, holding up to `held_max` packets back at any time.
fn drain(port: &mut SimPort, held_max: usize) -> Vec<u32> {
    let mut seen = Vec::new();
    let mut held = std::collections::VecDeque::new();
    let mut burst = SimBurst::default();
    while !port.ledger().is_exhausted() {
        let count = port.receive_into(&mut burst, BURST_PACKETS_MAX);
        assert_eq!(count, burst.len());
        seen.extend(numbers(&burst));
        held.push_back(std::mem::take(&mut burst));
        while held.iter().map(SimBurst::len).sum::<usize>() > held_max {
            held.pop_front();
        }
    }
    seen
}

#[test]
fn a_port_accounts_for_every_packet() {
    for_each_seed(60, |seed| {
        for nombuf in [Nombuf::Lost, Nombuf::Waits] {
            let pool = SimPool::new(100);
            let config = SimPortConfig {
                loss_ratio: 0.1,
                nombuf,
                keeps_delivered: true,
                ..SimPortConfig::new(seed, pool.clone())
            };
            let mut port = SimPort::new(config, numbered(5_000));
            let ledger = port.ledger();
            let seen = drain(&mut port, 90);
            assert!(seen.is_sorted(), "in order, each once");
            assert_eq!(ledger.offered(), Tally { packets: 5_000, bytes: 20_000 });
            assert_eq!(ledger.delivered().packets, seen.len() as u64);
            assert_eq!(ledger.delivered_packets().len(), seen.len());
            assert!(ledger.missed().packets > 300);
            assert!(ledger.nombuf_attempts() > 0, "the pool ran dry");
            assert_eq!(ledger.nombuf().packets > 0, nombuf == Nombuf::Lost);
            assert!(pool.live_packets_max() <= 100);
            assert_eq!(pool.live_packets(), 0);
        }
    });
}

#[test]
fn a_port_repeats_itself_and_respects_the_most_that_a_poll_asks_for() {
    let run = || {
        let config = SimPortConfig::new(3, SimPool::new(1_000));
        let mut port = SimPort::new(config, TrafficMix::new(3).take(500));
        let mut burst = SimBurst::default();
        (0..100).map(|_| port.receive_into(&mut burst, 20)).collect::<Vec<_>>()
    };
    let sizes = run();
    assert_eq!(sizes, run());
    assert_eq!(sizes.iter().max(), Some(&20));
    assert!(sizes.contains(&0), "there are pauses");
}

#[test]
fn a_ring_keeps_what_does_not_fit_in_the_burst() {
    let pool = SimPool::new(64);
    let (mut sender, mut receiver) = sim_ring(5);
    assert_eq!(sender.capacity_packets(), 5);
    let mut burst = SimBurst::of(&pool, numbered(8));
    assert_eq!(sender.send(&mut burst), 5);
    assert_eq!(numbers(&burst), [5, 6, 7]);
    assert_eq!(sender.send(&mut burst), 0);
    let mut received = SimBurst::default();
    assert_eq!(receiver.receive_into(&mut received), 5);
    assert_eq!(numbers(&received), [0, 1, 2, 3, 4]);
    assert_eq!(sender.send(&mut burst), 3);
    assert_eq!(receiver.receive_into(&mut received), 3, "the old packets are replaced");
    assert_eq!(pool.live_packets(), 3);
    sender.gate().close();
    assert_eq!(sender.send(&mut received), 0);
    sender.gate().open();
    assert_eq!(sender.send(&mut received), 3);
    drop((sender, receiver));
    assert_eq!(pool.live_packets(), 0, "packets in a ring go with it");
}

#[test]
fn a_ring_works_between_two_threads_and_stalls_by_seed() {
    for_each_seed(5, |seed| {
        const COUNT: u32 = 20_000;
        let pool = SimPool::new(4_096);
        let faults = RingFaults { seed, stall_ratio: 0.05, stall_polls_max: 10 };
        let (mut sender, mut receiver) = sim_ring_with(256, faults);
        let producer_pool = pool.clone();
        let producer = std::thread::spawn(move || {
            let mut stalls = 0;
            for chunk in numbered(COUNT).chunks(BURST_PACKETS_MAX) {
                let mut burst = SimBurst::of(&producer_pool, chunk.iter().cloned());
                while !burst.is_empty() {
                    if sender.send(&mut burst) == 0 {
                        stalls += 1;
                        std::thread::yield_now();
                    }
                }
            }
            stalls
        });
        let mut burst = SimBurst::default();
        let mut expected = 0;
        while expected < COUNT {
            receiver.receive_into(&mut burst);
            for number in numbers(&burst) {
                assert_eq!(number, expected);
                expected += 1;
            }
        }
        burst.clear();
        assert!(producer.join().unwrap() > 0);
        assert_eq!(pool.live_packets(), 0);
    });
}

#[test]
fn a_clock_stands_still_until_it_is_turned() {
    let mut clock = ManualClock::new(Timestamp::from_ns(1_000));
    let mut other = clock.clone();
    assert_eq!((clock.monotonic_ns(), clock.now()), (0, Timestamp::from_ns(1_000)));
    other.advance_ns(50);
    assert_eq!((clock.monotonic_ns(), clock.now()), (50, Timestamp::from_ns(1_050)));
    clock.step_wall_ns(-1_020);
    assert_eq!((other.monotonic_ns(), other.now()), (50, Timestamp::from_ns(30)));
    assert_eq!(other.timestamp_at(0), Timestamp::EPOCH, "before the epoch is no time");
    assert_eq!(clock.error_bound_ns(), None);
    other.set_error_bound_ns(Some(9));
    assert_eq!(clock.error_bound_ns(), Some(9));
}

#[test]
fn a_jittery_clock_never_goes_back() {
    let mut clock = ManualClock::new(Timestamp::EPOCH);
    let mut other = clock.clone();
    clock.set_jitter_ns(100, 1);
    let mut last = 0;
    for _ in 0..1_000 {
        for reading in [clock.monotonic_ns(), other.monotonic_ns()] {
            assert!(reading >= last);
            last = reading;
        }
    }
    assert!((20_000..80_000).contains(&last), "about 50 ns a reading: {last}");
}
