use proptest::prelude::*;
use weir_testkit::{ManualClock, SimBurst, SimPool, WirePacket};

use super::*;

const NOON: Timestamp = Timestamp::from_ns(1_700_000_000_000_000_000);

fn burst(pool: &SimPool, packets: usize) -> SimBurst {
    SimBurst::of(pool, (0..packets).map(|_| WirePacket::new(vec![0; 60])))
}

fn times(burst: &SimBurst) -> Vec<u64> {
    (0..burst.len()).map(|index| burst.frame(index).unwrap().timestamp.as_ns()).collect()
}

#[test]
fn packets_are_spread_between_the_polls_that_bound_them() {
    let clock = ManualClock::new(NOON);
    let pool = SimPool::new(100);
    let mut stamper = Stamper::new(clock.clone(), TimestampSource::Tsc);
    let mut counters = InputCounters::default();
    clock.advance_ns(1_000);
    stamper.polled_nothing();
    clock.advance_ns(4_000);
    let mut four = burst(&pool, 4);
    stamper.stamp(&mut four, &mut counters);
    let noon = NOON.as_ns();
    assert_eq!(times(&four), [noon + 2_000, noon + 3_000, noon + 4_000, noon + 5_000]);
    assert_eq!(counters.stamp_spread_ns_max, 4_000);
    assert_eq!(counters.stamped_tsc_packets, 4);
}

#[test]
fn a_driver_that_stamps_is_believed_packet_by_packet() {
    let clock = ManualClock::new(NOON);
    let pool = SimPool::new(100);
    let mut stamper = Stamper::new(clock, TimestampSource::Pmd);
    let mut counters = InputCounters::default();
    let own = Timestamp::from_ns(5);
    let packets = [WirePacket::new(vec![0; 60]).at(own), WirePacket::new(vec![0; 60])];
    let mut two = SimBurst::of(&pool, packets);
    stamper.stamp(&mut two, &mut counters);
    assert_eq!(times(&two), [5, NOON.as_ns()]);
    assert_eq!((counters.stamped_pmd_packets, counters.stamped_tsc_packets), (1, 1));
}

#[test]
fn a_clock_that_is_set_back_is_a_step_and_not_a_standstill() {
    let clock = ManualClock::new(NOON);
    let pool = SimPool::new(100);
    let mut stamper = Stamper::new(clock.clone(), TimestampSource::Tsc);
    let mut counters = InputCounters::default();
    clock.advance_ns(1_000);
    stamper.stamp(&mut burst(&pool, 1), &mut counters);
    clock.step_wall_ns(-3_600_000_000_000);
    clock.advance_ns(1_000);
    let mut one = burst(&pool, 1);
    stamper.stamp(&mut one, &mut counters);
    assert_eq!(counters.clock_steps, 1);
    assert_eq!(times(&one), [NOON.as_ns() + 2_000 - 3_600_000_000_000]);
}

proptest! {
    /// Distinct and rising within a burst and from burst to burst, never after the poll by more
    /// than the packets need to be distinct, whatever the distance of polls.
    #[test]
    fn stamps_are_distinct_and_rising(
        polls in proptest::collection::vec((0_u64..1 << 45, 1_usize..=64), 1..20)
    ) {
        let clock = ManualClock::new(NOON);
        let pool = SimPool::new(100);
        let mut stamper = Stamper::new(clock.clone(), TimestampSource::Tsc);
        let mut counters = InputCounters::default();
        let mut last = 0;
        for (distance_ns, packets) in polls {
            clock.advance_ns(distance_ns);
            let mut polled = burst(&pool, packets);
            stamper.stamp(&mut polled, &mut counters);
            for time in times(&polled) {
                prop_assert!(time > last);
                last = time;
            }
        }
        prop_assert_eq!(counters.clock_steps, 0);
    }
}
