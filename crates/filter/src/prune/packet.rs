//! What is known of a packet.

use core::ops::RangeInclusive;

use crate::op::Width;

use super::value::Value;

/// Bytes from here on are taken for unknown, whatever is said of them.
pub const KNOWN_BYTES_MAX: u32 = 65_536;

/// What is known of a packet: some of its bits, and bounds on its lengths. At first, nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbstractPacket {
    /// Value and mask of the known bits of each byte from the packet's start; nothing is known of
    /// those behind.
    bytes: Vec<(u8, u8)>,
    captured_bytes: RangeInclusive<u32>,
    wire_bytes: RangeInclusive<u32>,
}

impl Default for AbstractPacket {
    fn default() -> Self {
        Self::new()
    }
}

impl AbstractPacket {
    /// Makes a packet of which nothing is known.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), captured_bytes: 0..=u32::MAX, wire_bytes: 0..=u32::MAX }
    }

    /// Forgets everything, and keeps the memory for the next packet.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.captured_bytes = 0..=u32::MAX;
        self.wire_bytes = 0..=u32::MAX;
    }

    /// Says what the bytes from `offset_bytes` on are, if the packet has them.
    pub fn set_bytes(&mut self, offset_bytes: u32, bytes: &[u8]) {
        for (offset_bytes, &byte) in (offset_bytes..KNOWN_BYTES_MAX).zip(bytes) {
            self.set_bits(offset_bytes, byte, 0xff);
        }
    }

    /// Says what those bits of the byte at `offset_bytes` are that `known_mask` has, if the packet
    /// has the byte. The byte's other bits become unknown.
    pub fn set_bits(&mut self, offset_bytes: u32, value: u8, known_mask: u8) {
        if offset_bytes < KNOWN_BYTES_MAX {
            let index = offset_bytes as usize;
            if self.bytes.len() <= index {
                self.bytes.resize(index + 1, (0, 0));
            }
            self.bytes[index] = (value & known_mask, known_mask);
        }
    }

    /// Says how many bytes of the packet were captured, at least and at most.
    pub fn set_captured_bytes(&mut self, range: RangeInclusive<u32>) {
        self.captured_bytes = range;
    }

    /// Says how many bytes the packet had on the wire, at least and at most.
    pub fn set_wire_bytes(&mut self, range: RangeInclusive<u32>) {
        self.wire_bytes = range;
    }

    /// Returns what is known of the wire length; nothing if no length is possible.
    pub(super) fn wire(&self) -> Option<Value> {
        Value::range(*self.wire_bytes.start(), *self.wire_bytes.end())
    }

    /// Returns whether a load that ends here can succeed.
    pub(super) fn can_reach(&self, end_bytes: u64) -> bool {
        !self.captured_bytes.is_empty() && end_bytes <= u64::from(*self.captured_bytes.end())
    }

    /// Returns value and mask of the known bits of the bytes at an offset, read as one number.
    pub(super) fn bits(&self, width: Width, offset: u32) -> (u32, u32) {
        let start = offset as usize;
        (start..start + width.bytes() as usize).fold((0, 0), |(value, mask), index| {
            let (byte, known) = self.bytes.get(index).copied().unwrap_or((0, 0));
            (value << 8 | u32::from(byte), mask << 8 | u32::from(known))
        })
    }
}
