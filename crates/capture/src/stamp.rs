//! When a packet arrived, where nobody below us says so.
//!
//! A poll tells only that its packets came since the poll before. They are spread evenly over that
//! time: distinct, rising, the last one at the poll itself. The distance between the two polls is
//! the error that this may have, and it is counted.

use weir_model::{Burst, Clock, Timestamp, TimestampSource};
use weir_telemetry::InputCounters;

/// How far the time of day may go back before it counts as a step: what lies below is the
/// re-anchoring of the clock, and a stamp waits for it.
const STEP_NS: u64 = 100_000_000;

/// The longest time that a burst is spread over: 18 minutes, far beyond any poll, and what the
/// fixed-point arithmetic holds.
const SPREAD_NS_MAX: u64 = 1 << 40;

/// Stamps the bursts of one queue.
pub struct Stamper<C> {
    clock: C,
    /// What the driver below stamps with, where it does.
    source: TimestampSource,
    polled_at_ns: u64,
    last: Timestamp,
}

impl<C: Clock> Stamper<C> {
    /// Makes a stamper for a queue whose packets may carry timestamps of `source`.
    pub fn new(mut clock: C, source: TimestampSource) -> Self {
        let polled_at_ns = clock.monotonic_ns();
        Self { clock, source, polled_at_ns, last: Timestamp::EPOCH }
    }

    /// Tells that a poll returned nothing: what comes next came after it.
    #[inline]
    pub fn polled_nothing(&mut self) {
        self.polled_at_ns = self.clock.monotonic_ns();
    }

    /// Gives every packet of a burst that was just polled its timestamp.
    #[inline]
    pub fn stamp<B: Burst>(&mut self, burst: &mut B, counters: &mut InputCounters) {
        let earlier_ns = self.polled_at_ns;
        let now_ns = self.clock.monotonic_ns();
        self.polled_at_ns = now_ns;
        let packets = burst.len() as u64;
        if self.source == TimestampSource::Tsc {
            self.spread(burst, earlier_ns, now_ns, counters);
            return;
        }
        let now = self.clock.timestamp_at(now_ns);
        let mut own = 0;
        for index in 0..burst.len() {
            match burst.source_timestamp(index) {
                Some(timestamp) => burst.set_timestamp(index, timestamp),
                None => {
                    own += 1;
                    burst.set_timestamp(index, now);
                }
            }
        }
        counters.stamped_tsc_packets += own;
        match self.source {
            TimestampSource::Hardware => counters.stamped_hardware_packets += packets - own,
            _ => counters.stamped_pmd_packets += packets - own,
        }
    }

    fn spread<B: Burst>(
        &mut self,
        burst: &mut B,
        earlier_ns: u64,
        now_ns: u64,
        counters: &mut InputCounters,
    ) {
        let packets = burst.len() as u64;
        let spread_ns = now_ns.saturating_sub(earlier_ns);
        let now = self.clock.timestamp_at(now_ns);
        // Fixed point with 16 fractional bits: one division per burst and none per packet.
        let step_fixed = (spread_ns.min(SPREAD_NS_MAX) << 16) / packets;
        let step_fixed = step_fixed.max(1 << 16);
        let span_ns = (step_fixed * (packets - 1)) >> 16;
        let first = Timestamp::from_ns(now.as_ns().saturating_sub(span_ns));
        let first = self.not_before_last(first, counters);
        // So far from the end of time that no sum below needs to look out for it: this is one
        // vector addition for two packets.
        let first_ns = first.as_ns().min(u64::MAX - span_ns);
        let mut offset_fixed = 0;
        burst.set_timestamps(|| {
            let time = Timestamp::from_ns(first_ns + (offset_fixed >> 16));
            offset_fixed += step_fixed;
            time
        });
        self.last = Timestamp::from_ns(first_ns + span_ns);
        counters.stamped_tsc_packets += packets;
        counters.stamp_spread_ns_max = counters.stamp_spread_ns_max.max(spread_ns);
    }

    /// Keeps a burst behind the one before it, unless someone set the clock back.
    fn not_before_last(&mut self, first: Timestamp, counters: &mut InputCounters) -> Timestamp {
        if first > self.last {
            return first;
        }
        if self.last.saturating_ns_since(first) >= STEP_NS {
            counters.clock_steps += 1;
            return first;
        }
        self.last.saturating_add_ns(1)
    }
}

#[cfg(test)]
mod tests;
