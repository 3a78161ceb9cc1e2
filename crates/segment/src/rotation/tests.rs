use proptest::prelude::*;

use super::*;

const SECOND_NS: u64 = 1_000_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_ns(seconds * SECOND_NS)
}

fn every(interval_s: u64) -> RotationPolicy {
    RotationPolicy { segment_bytes_max: None, interval_ns: Some(interval_s * SECOND_NS) }
}

#[test]
fn a_minute_turns_at_the_full_minute() {
    let policy = every(60);
    let opened_at = Timestamp::from_ns(59 * SECOND_NS + 5);
    assert_eq!(policy.should_rotate(at(59), opened_at, 0), None);
    let before = Timestamp::from_ns(60 * SECOND_NS - 1);
    assert_eq!(policy.should_rotate(before, opened_at, 0), None);
    assert_eq!(policy.should_rotate(at(60), opened_at, 0), Some(RotateCause::Time));
    assert_eq!(policy.next_edge(opened_at), Some(at(60)));
}

#[test]
fn bytes_are_full_when_they_reach_the_limit() {
    let policy = RotationPolicy { segment_bytes_max: Some(100), interval_ns: None };
    assert_eq!(policy.should_rotate(at(0), at(0), 99), None);
    assert_eq!(policy.should_rotate(at(0), at(0), 100), Some(RotateCause::Bytes));
    assert_eq!(policy.next_edge(at(0)), None);
}

#[test]
fn without_limits_nothing_turns() {
    for policy in [RotationPolicy::default(), every(0)] {
        assert_eq!(policy.should_rotate(at(1 << 33), at(0), u64::MAX), None);
        assert_eq!(policy.next_edge(at(0)), None);
    }
}

#[test]
fn a_clock_set_back_a_little_does_not_turn_and_far_does_once() {
    let policy = every(60);
    let opened_at = at(600);
    assert_eq!(policy.should_rotate(at(595), opened_at, 0), None);
    assert_eq!(policy.should_rotate(at(541), opened_at, 0), None);
    assert_eq!(policy.should_rotate(at(540), opened_at, 0), Some(RotateCause::Time));
    // The next segment is opened by the clock as it is now, and stays.
    assert_eq!(policy.should_rotate(at(541), at(540), 0), None);
}

proptest! {
    /// By a clock that goes on, each segment lies within one interval.
    #[test]
    fn segments_do_not_cross_an_edge(
        interval_s in 1_u64..4000,
        start_s in 0_u64..1 << 33,
        steps in prop::collection::vec(0_u64..5000, 1..50),
    ) {
        let policy = every(interval_s);
        let (mut opened_at, mut now_s) = (at(start_s), start_s);
        for step in steps {
            now_s += step;
            let turns = policy.should_rotate(at(now_s), opened_at, 0).is_some();
            let same = opened_at.as_ns() / SECOND_NS / interval_s == now_s / interval_s;
            prop_assert_eq!(turns, !same);
            let edge = policy.next_edge(opened_at).unwrap();
            prop_assert_eq!(turns, at(now_s) >= edge);
            if turns {
                opened_at = at(now_s);
            }
        }
    }

    /// Whatever the clock does, a segment that was just opened does not turn, so no clock makes a
    /// segment each time it is read; and no segment is more than an interval from now.
    #[test]
    fn any_clock_turns_sensibly(
        interval_s in 1_u64..4000,
        times_s in prop::collection::vec(0_u64..1 << 33, 1..50),
    ) {
        let policy = every(interval_s);
        let mut opened_at = at(times_s[0]);
        for now_s in times_s {
            if policy.should_rotate(at(now_s), opened_at, 0).is_some() {
                opened_at = at(now_s);
            }
            prop_assert_eq!(policy.should_rotate(at(now_s), opened_at, 0), None);
            let apart_s = (opened_at.as_ns() / SECOND_NS).abs_diff(now_s);
            prop_assert!(apart_s < interval_s);
        }
    }

    #[test]
    fn no_time_overflows(
        interval_ns in any::<u64>(), now in any::<u64>(), opened_at in any::<u64>(),
    ) {
        let policy = RotationPolicy { segment_bytes_max: None, interval_ns: Some(interval_ns) };
        let (now, opened_at) = (Timestamp::from_ns(now), Timestamp::from_ns(opened_at));
        policy.should_rotate(now, opened_at, 0);
        policy.next_edge(opened_at);
    }
}
