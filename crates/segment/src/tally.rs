//! What blocks and segments hold, and how far a segment has come.

use weir_model::Timestamp;

/// What a block or a segment holds, as the stage that filled it counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockTally {
    /// Packets.
    pub packets: u64,
    /// Bytes of its packets that it holds.
    pub captured_bytes: u64,
    /// Bytes that its packets had on the wire.
    pub wire_bytes: u64,
    /// The earliest packet's time; not looked at where there is no packet.
    pub first: Timestamp,
    /// The latest packet's time; not looked at where there is no packet.
    pub last: Timestamp,
}

impl BlockTally {
    /// Counts one packet in, as an Enhanced Packet Block says it: with no fewer bytes on the wire
    /// than captured.
    #[inline]
    pub fn count(&mut self, captured_bytes: u32, wire_bytes: u32, timestamp: Timestamp) {
        self.first = if self.packets == 0 { timestamp } else { self.first.min(timestamp) };
        self.last = self.last.max(timestamp);
        self.packets += 1;
        self.captured_bytes += u64::from(captured_bytes);
        self.wire_bytes += u64::from(wire_bytes.max(captured_bytes));
    }

    /// Counts the packets of `other` in.
    pub fn add(&mut self, other: &Self) {
        if other.packets == 0 {
            return;
        }
        (self.first, self.last) = match self.packets {
            0 => (other.first, other.last),
            _ => (self.first.min(other.first), self.last.max(other.last)),
        };
        self.packets += other.packets;
        self.captured_bytes += other.captured_bytes;
        self.wire_bytes += other.wire_bytes;
    }
}

/// How far a segment has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Packets.
    pub packets: u64,
    /// Blocks of packets.
    pub blocks: u64,
    /// Bytes of the file, up to a frame's edge.
    pub stored_bytes: u64,
}
