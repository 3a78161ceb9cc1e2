//! The arithmetic of a device clock, without a device.

use super::*;

const START_NS: u64 = 1_790_000_000_000_000_000;

fn anchor(ticks: u64, realtime_ns: u64) -> Anchor {
    Anchor { ticks, realtime_ns, bracket_ns: 100 }
}

/// Reads a clock of `hz` after `ns`, which started at `first_ticks`.
fn reading(hz: u64, first_ticks: u64, ns: u64) -> Anchor {
    let ticks = u128::from(hz) * u128::from(ns) / 1_000_000_000;
    anchor(first_ticks + u64::try_from(ticks).unwrap(), START_NS + ns)
}

#[test]
fn two_readings_give_offset_and_frequency() {
    for hz in [78_125_000, 156_250_000, 1_000_000_000, 2_596_126_148] {
        let line =
            Calibration::between(reading(hz, 12_345, 0), reading(hz, 12_345, 50_000_000)).unwrap();
        for ns in [0, 1_000, 50_000_000, 1_050_000_000] {
            let converted = line.to_ns(reading(hz, 12_345, ns).ticks);
            let off = converted.abs_diff(START_NS + ns);
            // A tick of the slowest clock is 12.8 ns, and each end of the baseline may be one off.
            assert!(off <= 13 + ns / 1_000_000, "{hz} Hz, after {ns} ns: {off} ns off");
        }
    }
}

#[test]
fn converts_before_and_after_the_anchor() {
    let line = Calibration::between(anchor(1_000, 10_000), anchor(2_000, 12_000)).unwrap();
    assert_eq!(line.to_ns(2_000), 12_000);
    assert_eq!(line.to_ns(1_999), 11_998);
    assert_eq!(line.to_ns(2_001), 12_002);
    assert_eq!(line.to_ns(0), 8_000);
}

#[test]
fn a_counter_that_wraps_goes_on() {
    let line = Calibration { ticks: u64::MAX - 1, realtime_ns: 5_000, ns_per_tick_q32: 1 << 32 };
    assert_eq!(line.to_ns(3), 5_005);
}

#[test]
fn saturates_before_the_epoch() {
    let line = Calibration { ticks: 1_000, realtime_ns: 10, ns_per_tick_q32: 1 << 32 };
    assert_eq!(line.to_ns(0), 0);
}

#[test]
fn a_clock_that_stands_has_no_line() {
    assert_eq!(Calibration::between(anchor(7, 1), anchor(7, 2)), None);
    assert_eq!(Calibration::between(anchor(8, 1), anchor(7, 2)), None);
    assert_eq!(Calibration::between(anchor(7, 2), anchor(9, 1)), None);
    assert_eq!(Calibration::between(anchor(7, 2), anchor(9, 2)), None);
}

#[test]
fn follows_drift() {
    let line = Calibration::between(anchor(0, 0), anchor(1_000_000, 1_000_000)).unwrap();
    // 100 ppm slower from here on.
    let drifted = line.follow(anchor(1_000_000, 1_000_000), anchor(2_000_000, 2_000_100));
    assert_eq!(drifted.to_ns(3_000_000), 3_000_200);
}

#[test]
fn keeps_the_frequency_when_the_time_of_day_is_set() {
    let hour_ns = 3_600_000_000_000;
    let line =
        Calibration::between(anchor(0, hour_ns), anchor(1_000_000, hour_ns + 1_000_000)).unwrap();
    let previous = anchor(1_000_000, hour_ns + 1_000_000);
    for set_to in [2_000_000, 2 * hour_ns] {
        let moved = line.follow(previous, anchor(2_000_000, set_to));
        assert_eq!(moved.to_ns(2_000_000), set_to);
        assert_eq!(moved.to_ns(2_500_000), set_to + 500_000);
    }
}

#[test]
fn readers_never_see_half_a_calibration() {
    let published = PublishedCalibration::default();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..200_000 {
                published.publish(Calibration { ticks: n, realtime_ns: n, ns_per_tick_q32: n });
            }
            stop.store(true, Ordering::Release);
        });
        while !stop.load(Ordering::Acquire) {
            let seen = published.read();
            assert_eq!(seen.ticks, seen.realtime_ns);
            assert_eq!(seen.ticks, seen.ns_per_tick_q32);
        }
    });
}
