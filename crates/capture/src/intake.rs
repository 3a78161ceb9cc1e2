//! The front of the data path: polling one queue and stamping what comes.
//!
//! Runs on: Input or fused lcores. Allocates: never.

use weir_model::{Burst, Clock, PacketSource};
use weir_telemetry::{InputCounters, Published, Publisher, published};

use crate::lane::Origin;
use crate::stamp::Stamper;
use crate::stop::Stop;

/// What a poll of the queue came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intaken {
    /// So many packets are in the burst, with so many bytes on the wire.
    Packets { packets: usize, bytes: u64 },
    /// Nothing came.
    Nothing,
    /// The order to stop was given; nothing more will come.
    Stopped,
}

/// One receive queue, polled and stamped.
pub struct Intake<S, C> {
    source: S,
    stamper: Stamper<C>,
    stop: Stop,
    /// Where its packets come from.
    pub(crate) origin: Origin,
    /// What it counts; published by the stage that owns it.
    pub(crate) counters: InputCounters,
    publisher: Publisher<InputCounters>,
}

impl<S: PacketSource, C: Clock> Intake<S, C> {
    /// Makes an intake of a queue, and the view of its counters.
    pub fn new(
        source: S,
        stamper: Stamper<C>,
        stop: Stop,
        origin: Origin,
    ) -> (Self, Published<InputCounters>) {
        let (publisher, counters) = published();
        let intake =
            Self { source, stamper, stop, origin, counters: InputCounters::default(), publisher };
        (intake, counters)
    }

    /// Polls once, replacing the contents of `burst`, and counts and stamps what came.
    #[inline]
    pub(crate) fn take(&mut self, burst: &mut S::Burst) -> Intaken {
        if self.stop.is_requested() {
            return Intaken::Stopped;
        }
        let claimed = self.stop.claim_burst();
        if claimed == 0 {
            return Intaken::Nothing;
        }
        let packets = self.source.receive_into(burst, claimed);
        self.stop.settle_burst(claimed, packets);
        if packets == 0 {
            self.stamper.polled_nothing();
            return Intaken::Nothing;
        }
        self.counters.bursts += 1;
        self.counters.full_bursts += u64::from(packets == claimed);
        self.counters.received_packets += packets as u64;
        let bytes = wire_bytes(burst);
        self.counters.received_bytes += bytes;
        self.stamper.stamp(burst, &mut self.counters);
        Intaken::Packets { packets, bytes }
    }

    /// Shows the counters to others.
    #[inline]
    pub(crate) fn publish(&mut self) {
        self.publisher.publish(&self.counters);
    }
}

/// Returns the bytes on the wire of a burst's packets.
#[inline]
pub(crate) fn wire_bytes<B: Burst>(burst: &B) -> u64 {
    (0..burst.len()).map(|index| u64::from(burst.wire_bytes(index))).sum()
}
