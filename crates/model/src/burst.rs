//! Packets in bursts: where they come from, and how lcores hand them to each other.
//!
//! All work of the data path is per burst; nothing here is called once per packet except to look
//! at one. A burst owns its packets: dropping or clearing it gives their buffers back.

use crate::{Frame, MalformedFrame, Timestamp};

/// The most packets that one burst holds. Measured: cost per packet is flat from 64 on.
pub const BURST_PACKETS_MAX: usize = 64;

/// Up to [`BURST_PACKETS_MAX`] packets, owned. Dropping a burst gives every packet's buffer back.
pub trait Burst: Default + Send {
    /// Returns the number of packets.
    fn len(&self) -> usize;

    /// Returns whether there is no packet.
    #[inline]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the packet at `index`.
    ///
    /// # Errors
    ///
    /// [`MalformedFrame`] if the packet's descriptor contradicts itself.
    ///
    /// # Panics
    ///
    /// If `index` is not less than [`len`](Self::len).
    fn frame(&self, index: usize) -> Result<Frame<'_>, MalformedFrame>;

    /// Returns the bytes that accounting holds the packet at `index` to: its length on the wire
    /// as the source reported it, malformed or not.
    fn wire_bytes(&self, index: usize) -> u32;

    /// Returns the time that the source itself gave the packet at `index` (hardware or PMD), if
    /// it gave one.
    fn source_timestamp(&self, index: usize) -> Option<Timestamp>;

    /// Sets the time that [`frame`](Self::frame) reports for the packet at `index`, here and
    /// after the packet has been handed to another lcore.
    fn set_timestamp(&mut self, index: usize, timestamp: Timestamp);

    /// Sets the times of all packets, in order, to what `next` returns.
    #[inline]
    fn set_timestamps(&mut self, mut next: impl FnMut() -> Timestamp) {
        for index in 0..self.len() {
            self.set_timestamp(index, next());
        }
    }

    /// Moves every packet `i` to the end of `lanes[lane_of[i]]`, in order, leaving this burst
    /// empty.
    ///
    /// # Panics
    ///
    /// If `lane_of` is shorter than the burst, names a lane that is not there, or a lane would
    /// grow beyond [`BURST_PACKETS_MAX`].
    fn scatter(&mut self, lane_of: &[u8], lanes: &mut [Self]);

    /// Gives every packet's buffer back.
    fn clear(&mut self);
}

/// A receive queue, polled by the one lcore that owns it.
pub trait PacketSource: Send {
    /// What it delivers.
    type Burst: Burst;

    /// Polls once for at most `packets_max` packets (and never more than [`BURST_PACKETS_MAX`]),
    /// replacing the contents of `burst`, and returns the number of packets.
    fn receive_into(&mut self, burst: &mut Self::Burst, packets_max: usize) -> usize;
}

/// The one producer's end of a ring between two lcores.
pub trait BurstSender<B: Burst>: Send {
    /// Moves packets from the front of `burst` into the ring, as many as fit, and returns how
    /// many. Those that do not fit stay in `burst`, in order.
    fn send(&mut self, burst: &mut B) -> usize;

    /// Returns how many packets the ring holds when it is full.
    fn capacity_packets(&self) -> usize;
}

/// The one consumer's end of a ring between two lcores.
pub trait BurstReceiver<B: Burst>: Send {
    /// Replaces the contents of `burst` by the packets at the ring's front, and returns how many.
    fn receive_into(&mut self, burst: &mut B) -> usize;
}
