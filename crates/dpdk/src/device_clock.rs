//! A NIC's free-running clock, held against the time of day.
//!
//! Hardware timestamps are ticks of a counter whose start and frequency the driver does not tell.
//! Two readings of both clocks, some time apart, give both; each further reading follows the
//! drift and whatever disciplines `CLOCK_REALTIME`.

#![allow(unsafe_code, reason = "calls DPDK")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use weir_dpdk_sys as sys;

use crate::Errno;

/// How long the two first readings lie apart. The error of the frequency is that of a reading
/// (about 1 µs) in proportion to it, until the next calibration.
const FIRST_BASELINE: Duration = Duration::from_millis(50);
/// A frequency that differs by more than this from the one before is no drift: someone has set the
/// time of day. Crystals stay within 100 ppm, and NTP slews by at most 500 ppm.
const DRIFT_PPM_MAX: u64 = 1_000;
/// Readings that are tried; the one that was interrupted least is taken.
const READINGS: usize = 16;

/// Why the NIC's clock could not be read or made sense of.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ClockError {
    /// The driver does not let its clock be read.
    #[error("the NIC's clock cannot be read: {0}")]
    Read(Errno),
    /// The clock does not run, or runs backwards.
    #[error("the NIC's clock does not run")]
    Stands,
}

/// A reading of both clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Anchor {
    ticks: u64,
    realtime_ns: u64,
    /// How long the reading took: the moment is known no better.
    bracket_ns: u64,
}

/// A straight line from ticks to time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calibration {
    ticks: u64,
    realtime_ns: u64,
    /// Nanoseconds per tick, times 2^32.
    ns_per_tick_q32: u64,
}

impl Calibration {
    /// Draws the line through two anchors. `None` if no time passed between them.
    fn between(first: Anchor, second: Anchor) -> Option<Self> {
        let ticks = second.ticks.checked_sub(first.ticks).filter(|&ticks| ticks > 0)?;
        let ns = second.realtime_ns.checked_sub(first.realtime_ns)?;
        let half = u128::from(ticks) / 2;
        let slope = ((u128::from(ns) << 32) + half) / u128::from(ticks);
        let ns_per_tick_q32 = u64::try_from(slope).ok().filter(|&slope| slope > 0)?;
        Some(Self { ticks: second.ticks, realtime_ns: second.realtime_ns, ns_per_tick_q32 })
    }

    /// Moves the line to the newest anchor. The slope follows, unless the time of day was set
    /// between the two.
    fn follow(self, previous: Anchor, newest: Anchor) -> Self {
        let moved = Self { ticks: newest.ticks, realtime_ns: newest.realtime_ns, ..self };
        match Self::between(previous, newest) {
            Some(line) if self.drifted_to(line) => line,
            _ => moved,
        }
    }

    fn drifted_to(self, other: Self) -> bool {
        let apart = self.ns_per_tick_q32.abs_diff(other.ns_per_tick_q32);
        u128::from(apart) * 1_000_000
            <= u128::from(self.ns_per_tick_q32) * u128::from(DRIFT_PPM_MAX)
    }

    /// Returns the time of day at `ticks`, before or after the anchor.
    #[inline]
    pub(crate) fn to_ns(self, ticks: u64) -> u64 {
        let since = ticks.wrapping_sub(self.ticks).cast_signed();
        let half = 1 << 31;
        let ns = (i128::from(since) * i128::from(self.ns_per_tick_q32) + half) >> 32;
        u64::try_from(i128::from(self.realtime_ns) + ns).unwrap_or(0)
    }
}

/// The newest calibration, written by one thread and read by all lcores of the port without a lock
/// (a sequence lock: a reader that met a writer reads again).
#[derive(Debug, Default)]
pub(crate) struct PublishedCalibration {
    /// Odd while the others are being written.
    sequence: AtomicU64,
    ticks: AtomicU64,
    realtime_ns: AtomicU64,
    ns_per_tick_q32: AtomicU64,
}

impl PublishedCalibration {
    /// Returns the newest calibration. Called once per burst.
    #[inline]
    pub(crate) fn read(&self) -> Calibration {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            let calibration = Calibration {
                ticks: self.ticks.load(Ordering::Relaxed),
                realtime_ns: self.realtime_ns.load(Ordering::Relaxed),
                ns_per_tick_q32: self.ns_per_tick_q32.load(Ordering::Relaxed),
            };
            fence(Ordering::Acquire);
            if before & 1 == 0 && self.sequence.load(Ordering::Relaxed) == before {
                return calibration;
            }
            core::hint::spin_loop();
        }
    }

    /// Publishes a calibration. Only one thread may (its callers hold `&mut DeviceClock`).
    fn publish(&self, calibration: Calibration) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        self.ticks.store(calibration.ticks, Ordering::Relaxed);
        self.realtime_ns.store(calibration.realtime_ns, Ordering::Relaxed);
        self.ns_per_tick_q32.store(calibration.ns_per_tick_q32, Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }
}

/// A started port's clock. [`calibrate`](Self::calibrate) wants to be called about once a second.
#[derive(Debug)]
pub struct DeviceClock {
    port: u16,
    newest: Anchor,
    calibration: Calibration,
    published: Arc<PublishedCalibration>,
}

impl DeviceClock {
    /// Takes two readings of the clock of DPDK's port `port`, 50 ms apart.
    pub(crate) fn start(port: u16) -> Result<Self, ClockError> {
        let first = read_both(port)?;
        std::thread::sleep(FIRST_BASELINE);
        let newest = read_both(port)?;
        let calibration = Calibration::between(first, newest).ok_or(ClockError::Stands)?;
        let published = Arc::new(PublishedCalibration::default());
        published.publish(calibration);
        Ok(Self { port, newest, calibration, published })
    }

    pub(crate) fn published(&self) -> Arc<PublishedCalibration> {
        Arc::clone(&self.published)
    }

    /// Reads both clocks again; packets received from now on get their times by that.
    ///
    /// # Errors
    ///
    /// [`ClockError`]; the calibration stays what it was.
    pub fn calibrate(&mut self) -> Result<(), ClockError> {
        let newest = read_both(self.port)?;
        self.calibration = self.calibration.follow(self.newest, newest);
        self.newest = newest;
        self.published.publish(self.calibration);
        Ok(())
    }

    /// Returns how far the newest reading may have been off, in nanoseconds: how long it took.
    pub fn error_bound_ns(&self) -> u64 {
        self.newest.bracket_ns
    }

    /// Returns how many ticks of the clock make a second, as measured.
    pub fn ticks_per_second(&self) -> u64 {
        let ticks =
            (1_000_000_000_u128 << 32) / u128::from(self.calibration.ns_per_tick_q32.max(1));
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }
}

fn read_both(port: u16) -> Result<Anchor, ClockError> {
    let mut best: Option<Anchor> = None;
    for _ in 0..READINGS {
        let before = realtime_ns();
        let ticks = read_device(port).map_err(ClockError::Read)?;
        let bracket_ns = realtime_ns().saturating_sub(before);
        if best.is_none_or(|best| bracket_ns < best.bracket_ns) {
            best = Some(Anchor { ticks, realtime_ns: before + bracket_ns / 2, bracket_ns });
        }
    }
    best.ok_or(ClockError::Stands)
}

fn read_device(port: u16) -> Result<u64, Errno> {
    let mut ticks = 0;
    // SAFETY: DPDK checks the port's number; `ticks` is a place to write to.
    Errno::check(unsafe { sys::rte_eth_read_clock(port, &raw mut ticks) })?;
    Ok(ticks)
}

fn realtime_ns() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests;
