//! Reading time on an lcore.

use crate::Timestamp;

/// A clock as one lcore reads it: once per burst, never once per packet.
///
/// Each lcore has its own handle, so that reading shares nothing that is written.
pub trait Clock: Send {
    /// Returns nanoseconds since an origin that does not change during a run. Never goes back.
    fn monotonic_ns(&mut self) -> u64;

    /// Returns the time of day at the moment when [`monotonic_ns`](Self::monotonic_ns) returned
    /// `monotonic_ns`, by the newest anchor. It may step when someone sets the clock.
    fn timestamp_at(&mut self, monotonic_ns: u64) -> Timestamp;

    /// Returns how far [`timestamp_at`](Self::timestamp_at) may be from `CLOCK_REALTIME`, in
    /// nanoseconds: what was measured, or `None` before it was.
    fn error_bound_ns(&self) -> Option<u64>;

    /// Returns the time of day now.
    fn now(&mut self) -> Timestamp {
        let monotonic_ns = self.monotonic_ns();
        self.timestamp_at(monotonic_ns)
    }
}
