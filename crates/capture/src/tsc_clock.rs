//! Our own clock: the TSC, held against `CLOCK_REALTIME`.
//!
//! The TSC's frequency is measured here and never taken from `rte_get_tsc_hz`, which rounds it (to
//! 10 MHz; seen 1,492 ppm off). Each second the control core takes a new anchor, the pair of a TSC
//! reading and the time of day at it, so that the clock follows NTP; how far the old anchor had
//! drifted by then is what the new one's error bound is made of.
//! Runs on: data-path lcores ([`TscClock`]), the control core ([`TimeKeeper`]).

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use weir_model::{Clock, Timestamp};
use weir_telemetry::{CounterSet, Published, Publisher, published};

/// Bracketed readings taken for one anchor; the tightest is kept.
const READINGS: u32 = 50;

/// How long the first measurement of the frequency takes.
const CALIBRATION: Duration = Duration::from_millis(50);

/// A drift beyond this, within a second, is no drift: somebody set the clock.
const STEP_NS: u64 = 1_000_000;

/// Nanoseconds for one tick, in fixed point with 32 fractional bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate(u64);

impl Rate {
    fn of(ns: u64, ticks: u64) -> Self {
        let fixed = (u128::from(ns) << 32) / u128::from(ticks.max(1));
        Self(u64::try_from(fixed).unwrap_or(u64::MAX))
    }

    #[inline]
    fn ns(self, ticks: u64) -> u64 {
        ((u128::from(ticks) * u128::from(self.0)) >> 32) as u64
    }

    fn hz(self) -> f64 {
        1e9 * (1_u64 << 32) as f64 / self.0 as f64
    }
}

/// What the lcores need to tell time, as published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Anchor {
    /// Monotonic nanoseconds at the anchor.
    monotonic_ns: u64,
    /// Time of day at the anchor, nanoseconds since the epoch.
    realtime_ns: u64,
    /// Nanoseconds of the day for one monotonic nanosecond; 32 fractional bits.
    pace_fixed: u64,
    /// How far the clock may be off, plus 1; 0 before that was measured.
    error_bound_ns_plus_1: u64,
}

impl CounterSet for Anchor {
    const LEN: usize = 4;

    fn each(&self, mut f: impl FnMut(usize, u64)) {
        f(0, self.monotonic_ns);
        f(1, self.realtime_ns);
        f(2, self.pace_fixed);
        f(3, self.error_bound_ns_plus_1);
    }

    fn from_cells(mut f: impl FnMut(usize) -> u64) -> Self {
        Self {
            monotonic_ns: f(0),
            realtime_ns: f(1),
            pace_fixed: f(2),
            error_bound_ns_plus_1: f(3),
        }
    }
}

impl Anchor {
    #[inline]
    fn realtime_at(&self, monotonic_ns: u64) -> u64 {
        let pace = Rate(self.pace_fixed);
        match monotonic_ns.checked_sub(self.monotonic_ns) {
            Some(after) => self.realtime_ns.saturating_add(pace.ns(after)),
            None => self.realtime_ns.saturating_sub(pace.ns(self.monotonic_ns - monotonic_ns)),
        }
    }
}

/// An lcore's handle on the clock.
#[derive(Clone)]
pub struct TscClock {
    ticks: quanta::Clock,
    origin_ticks: u64,
    rate: Rate,
    anchor: Published<Anchor>,
}

impl Clock for TscClock {
    #[inline]
    fn monotonic_ns(&mut self) -> u64 {
        self.rate.ns(self.ticks.raw().saturating_sub(self.origin_ticks))
    }

    #[inline]
    fn timestamp_at(&mut self, monotonic_ns: u64) -> Timestamp {
        Timestamp::from_ns(self.anchor.read().realtime_at(monotonic_ns))
    }

    fn error_bound_ns(&self) -> Option<u64> {
        self.anchor.read().error_bound_ns_plus_1.checked_sub(1)
    }
}

/// One reading of both clocks: the time of day lies between the two readings of the TSC.
#[derive(Clone, Copy)]
struct Reading {
    monotonic_ns: u64,
    realtime_ns: u64,
    bracket_ns: u64,
}

/// The control core's end: keeps the anchor fresh.
pub struct TimeKeeper {
    clock: TscClock,
    publisher: Publisher<Anchor>,
    anchor: Anchor,
    clock_steps: u64,
}

impl TimeKeeper {
    /// Measures the TSC's frequency, which takes 50 ms, and takes the first anchor.
    pub fn start() -> Self {
        let (publisher, anchor) = published();
        let ticks = quanta::Clock::new();
        let rate = measure_rate(&ticks);
        let clock = TscClock { origin_ticks: ticks.raw(), ticks, rate, anchor };
        let mut keeper = Self { clock, publisher, anchor: Anchor::default(), clock_steps: 0 };
        let reading = keeper.read();
        keeper.set(Anchor {
            monotonic_ns: reading.monotonic_ns,
            realtime_ns: reading.realtime_ns,
            pace_fixed: 1 << 32,
            error_bound_ns_plus_1: 0,
        });
        keeper
    }

    /// Returns a handle on the clock for an lcore.
    pub fn clock(&self) -> TscClock {
        self.clock.clone()
    }

    /// Takes a new anchor. To be called about once a second.
    pub fn re_anchor(&mut self) {
        let reading = self.read();
        let predicted_ns = self.anchor.realtime_at(reading.monotonic_ns);
        let drift_ns = predicted_ns.abs_diff(reading.realtime_ns);
        let elapsed_ns = reading.monotonic_ns.saturating_sub(self.anchor.monotonic_ns);
        let stepped = drift_ns > STEP_NS;
        let pace_fixed = if stepped {
            self.clock_steps += 1;
            self.anchor.pace_fixed
        } else {
            let day_ns = reading.realtime_ns.saturating_sub(self.anchor.realtime_ns);
            Rate::of(day_ns, elapsed_ns).0
        };
        let bound_ns = if stepped { reading.bracket_ns } else { drift_ns + reading.bracket_ns };
        self.set(Anchor {
            monotonic_ns: reading.monotonic_ns,
            realtime_ns: reading.realtime_ns,
            pace_fixed,
            error_bound_ns_plus_1: bound_ns + 1,
        });
    }

    /// Returns how often the time of day was found set, forward or back.
    pub fn clock_steps(&self) -> u64 {
        self.clock_steps
    }

    /// Returns the measured frequency of the TSC, in Hz.
    pub fn tsc_hz(&self) -> f64 {
        self.clock.rate.hz()
    }

    fn set(&mut self, anchor: Anchor) {
        self.anchor = anchor;
        self.publisher.publish(&anchor);
    }

    /// Reads both clocks as closely together as the machine lets us.
    fn read(&mut self) -> Reading {
        let mut best = Reading { monotonic_ns: 0, realtime_ns: 0, bracket_ns: u64::MAX };
        for _ in 0..READINGS {
            let before_ns = self.clock.monotonic_ns();
            let realtime_ns = realtime_ns();
            let bracket_ns = self.clock.monotonic_ns().saturating_sub(before_ns);
            if bracket_ns < best.bracket_ns {
                best =
                    Reading { monotonic_ns: before_ns + bracket_ns / 2, realtime_ns, bracket_ns };
            }
        }
        best
    }
}

/// Returns the time of day in nanoseconds since the epoch, 0 for a clock set before it.
fn realtime_ns() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Measures the TSC against `CLOCK_MONOTONIC`.
fn measure_rate(ticks: &quanta::Clock) -> Rate {
    let origin = Instant::now();
    let pair = || {
        let mut best = (0, 0, u64::MAX);
        for _ in 0..READINGS {
            let before = ticks.raw();
            let ns = origin.elapsed().as_nanos() as u64;
            let bracket = ticks.raw().saturating_sub(before);
            if bracket < best.2 {
                best = (before + bracket / 2, ns, bracket);
            }
        }
        best
    };
    let (start_ticks, start_ns, _) = pair();
    std::thread::sleep(CALIBRATION);
    let (end_ticks, end_ns, _) = pair();
    Rate::of(end_ns - start_ns, end_ticks.saturating_sub(start_ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_time_of_day() {
        let mut keeper = TimeKeeper::start();
        let mut clock = keeper.clock();
        assert_eq!(clock.error_bound_ns(), None);
        std::thread::sleep(Duration::from_millis(100));
        keeper.re_anchor();
        let before = realtime_ns();
        let told = clock.now().as_ns();
        let after = realtime_ns();
        let slack_ns = clock.error_bound_ns().expect("an anchor was taken") + 1_000;
        assert!(told + slack_ns >= before && told <= after + slack_ns, "{before} {told} {after}");
    }

    #[test]
    fn an_anchor_reaches_both_ways() {
        let anchor = Anchor {
            monotonic_ns: 1_000,
            realtime_ns: 50_000,
            pace_fixed: 1 << 32,
            error_bound_ns_plus_1: 0,
        };
        assert_eq!(anchor.realtime_at(1_500), 50_500);
        assert_eq!(anchor.realtime_at(400), 49_400);
    }

    #[test]
    fn a_rate_keeps_its_precision_over_a_day() {
        let rate = Rate::of(1_000_000_000, 2_596_126_148);
        let day_ticks = 2_596_126_148_u64 * 86_400;
        let error_ns = rate.ns(day_ticks).abs_diff(86_400_000_000_000);
        assert!(error_ns < 100_000, "{error_ns}");
    }
}
