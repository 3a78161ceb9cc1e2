//! Packets in bursts.

use weir_model::{BURST_PACKETS_MAX, Burst, Frame, MalformedFrame, SegmentChain, Timestamp};

use crate::packet::{SimPacket, SimPool, WirePacket};

/// A burst of simulated packets.
#[derive(Debug, Default)]
pub struct SimBurst {
    packets: Vec<SimPacket>,
}

impl SimBurst {
    /// A burst of the given packets, in buffers of `pool`.
    ///
    /// # Panics
    ///
    /// If there are more than [`BURST_PACKETS_MAX`], or the pool has too few buffers.
    pub fn of(pool: &SimPool, packets: impl IntoIterator<Item = WirePacket>) -> Self {
        let mut burst = Self::default();
        for packet in packets {
            burst.push(pool.fill(packet).expect("the pool has a free buffer"));
        }
        burst
    }

    /// Adds a packet at the end.
    ///
    /// # Panics
    ///
    /// If the burst is full.
    pub fn push(&mut self, packet: SimPacket) {
        assert!(self.packets.len() < BURST_PACKETS_MAX, "the burst is full");
        self.packets.push(packet);
    }

    /// Returns the packets.
    pub fn packets(&self) -> &[SimPacket] {
        &self.packets
    }

    /// Takes packets out from the front, `count` at most.
    pub(crate) fn take_front(&mut self, count: usize) -> impl Iterator<Item = SimPacket> {
        let count = count.min(self.packets.len());
        self.packets.drain(..count)
    }
}

impl Burst for SimBurst {
    fn len(&self) -> usize {
        self.packets.len()
    }

    fn frame(&self, index: usize) -> Result<Frame<'_>, MalformedFrame> {
        self.packets[index].frame(self, index)
    }

    fn wire_bytes(&self, index: usize) -> u32 {
        self.packets[index].wire().wire_bytes
    }

    fn source_timestamp(&self, index: usize) -> Option<Timestamp> {
        self.packets[index].wire().timestamp
    }

    fn set_timestamp(&mut self, index: usize, timestamp: Timestamp) {
        self.packets[index].set_timestamp(timestamp);
    }

    fn scatter(&mut self, lane_of: &[u8], lanes: &mut [Self]) {
        assert!(lane_of.len() >= self.packets.len(), "lane_of is shorter than the burst");
        for (packet, lane) in self.packets.drain(..).zip(lane_of) {
            lanes[usize::from(*lane)].push(packet);
        }
    }

    fn clear(&mut self) {
        self.packets.clear();
    }
}

impl SegmentChain for SimBurst {
    fn copy_chain(&self, index: usize, out: &mut [u8]) -> usize {
        let bytes = &self.packets[index].wire().bytes;
        let count = bytes.len().min(out.len());
        out[..count].copy_from_slice(&bytes[..count]);
        count
    }
}
