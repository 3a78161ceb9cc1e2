//! A clock that a test turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use rand::RngExt;
use rand_pcg::Pcg64;
use weir_model::{Clock, Timestamp};

use crate::seed;

/// What stands for an error bound that was not measured.
const UNKNOWN: u64 = u64::MAX;

/// A clock that stands still until it is told otherwise. Clones show and turn the same time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    time: Arc<Time>,
    reading_costs: Option<ReadingCosts>,
}

#[derive(Debug)]
struct Time {
    monotonic_ns: AtomicU64,
    /// Time of day less monotonic time.
    offset_ns: AtomicI64,
    error_bound_ns: AtomicU64,
}

/// Time that passes while a clock is read.
#[derive(Clone, Debug)]
struct ReadingCosts {
    rng: Pcg64,
    ns_max: u64,
}

impl ManualClock {
    /// A clock that shows `now` as the time of day, and 0 as its monotonic time.
    ///
    /// # Panics
    ///
    /// If `now` lies beyond the year 2262.
    pub fn new(now: Timestamp) -> Self {
        let offset_ns = i64::try_from(now.as_ns()).expect("the time lies before the year 2262");
        Self {
            time: Arc::new(Time {
                monotonic_ns: AtomicU64::new(0),
                offset_ns: AtomicI64::new(offset_ns),
                error_bound_ns: AtomicU64::new(UNKNOWN),
            }),
            reading_costs: None,
        }
    }

    /// Lets `ns` nanoseconds pass.
    pub fn advance_ns(&self, ns: u64) {
        self.time.monotonic_ns.fetch_add(ns, Ordering::AcqRel);
    }

    /// Sets the time of day forwards or backwards; the monotonic time does not notice.
    pub fn step_wall_ns(&self, ns: i64) {
        self.time.offset_ns.fetch_add(ns, Ordering::AcqRel);
    }

    /// Lets up to `ns_max` nanoseconds pass, chosen by `seed`, whenever this handle is read.
    /// Other handles keep their own setting; later clones of this one start with the same.
    pub fn set_jitter_ns(&mut self, ns_max: u64, seed: u64) {
        self.reading_costs = Some(ReadingCosts { rng: seed::rng(seed), ns_max });
    }

    /// Sets what [`Clock::error_bound_ns`] returns.
    pub fn set_error_bound_ns(&self, error_bound_ns: Option<u64>) {
        self.time.error_bound_ns.store(error_bound_ns.unwrap_or(UNKNOWN), Ordering::Release);
    }

    /// Returns the monotonic time without reading it as an lcore does.
    pub fn elapsed_ns(&self) -> u64 {
        self.time.monotonic_ns.load(Ordering::Acquire)
    }
}

impl Clock for ManualClock {
    fn monotonic_ns(&mut self) -> u64 {
        if let Some(costs) = &mut self.reading_costs {
            let ns = costs.rng.random_range(0..=costs.ns_max);
            self.time.monotonic_ns.fetch_add(ns, Ordering::AcqRel);
        }
        self.elapsed_ns()
    }

    fn timestamp_at(&mut self, monotonic_ns: u64) -> Timestamp {
        let offset_ns = self.time.offset_ns.load(Ordering::Acquire);
        let ns = i128::from(monotonic_ns) + i128::from(offset_ns);
        Timestamp::from_ns(ns.clamp(0, i128::from(u64::MAX)) as u64)
    }

    fn error_bound_ns(&self) -> Option<u64> {
        match self.time.error_bound_ns.load(Ordering::Acquire) {
            UNKNOWN => None,
            measured => Some(measured),
        }
    }
}
