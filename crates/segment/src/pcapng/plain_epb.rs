//! Enhanced Packet Blocks of most packets: those that say nothing of their own but what every
//! block has to say.
//!
//! Runs on: Processing lcores. Allocates: never. What the blocks of one queue have in common is put
//! together once, so that a block is two constant arrays around the packet's bytes; it is byte for
//! byte what [`write_epb`](super::write_epb) makes of the same fields.

use weir_model::Timestamp;

use super::epb::{EPB_BODY_OFFSET_BYTES, OPTION_EPB_QUEUE, option_header};
use super::{BLOCK_TYPE_EPB, padding_bytes};

const TRAILER_BYTES: usize = 4;

/// What follows the packet in a [`PlainEpb`] without options: the trailer.
pub const TAIL_BYTES: usize = TRAILER_BYTES;

/// What follows the packet in a [`PlainEpb`] with `epb_queue`: the option, the end of options, and
/// the trailer.
pub const QUEUE_TAIL_BYTES: usize = 8 + 4 + TRAILER_BYTES;

/// Up to this many bytes a packet is copied by moves of constant size, which are faster than a call
/// of `memcpy`.
const SMALL_BYTES_MAX: usize = 256;

/// Writes blocks with neither `epb_dropcount` nor `epb_hash`; `TAIL` is [`TAIL_BYTES`] or
/// [`QUEUE_TAIL_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainEpb<const TAIL: usize> {
    interface_id: u32,
    /// All of it but the trailer, which says how long the block is.
    tail: [u8; TAIL],
}

impl<const TAIL: usize> PlainEpb<TAIL> {
    /// Makes a writer for packets of an interface that came by a receive queue, which is told where
    /// the tail has the room.
    #[inline(always)]
    pub fn new(interface_id: u32, queue: u32) -> Self {
        const { assert!(TAIL == TAIL_BYTES || TAIL == QUEUE_TAIL_BYTES) };
        let mut tail = [0; TAIL];
        if TAIL == QUEUE_TAIL_BYTES {
            tail[0..4].copy_from_slice(&option_header(OPTION_EPB_QUEUE, 4));
            tail[4..8].copy_from_slice(&queue.to_le_bytes());
        }
        Self { interface_id, tail }
    }

    /// Returns the exact size of the block of a packet of which `captured_bytes` are kept, in
    /// bytes: a multiple of 4.
    #[inline(always)]
    pub fn bytes(&self, captured_bytes: usize) -> usize {
        EPB_BODY_OFFSET_BYTES + captured_bytes + padding_bytes(captured_bytes) + TAIL
    }

    /// Writes the block of a packet into `out`, all of which it takes. `packet` are the bytes that
    /// are kept, and `wire_bytes` those that there were.
    ///
    /// # Panics
    ///
    /// If `out` has not exactly [`bytes`](Self::bytes) bytes.
    #[inline(always)]
    pub fn write(&self, out: &mut [u8], timestamp: Timestamp, wire_bytes: u32, packet: &[u8]) {
        assert!(out.len() == self.bytes(packet.len()), "the room is the block's own");
        let total = (out.len() as u32).to_le_bytes();
        let (header, rest) =
            out.split_first_chunk_mut().expect("a block is longer than its header");
        *header = self.header(timestamp, packet.len() as u32, wire_bytes, total);
        let (body, rest) = rest.split_at_mut(packet.len());
        copy(body, packet);
        // Four bytes whatever the padding is: options or trailer overwrite the rest.
        rest[..4].fill(0);
        let tail = rest.last_chunk_mut().expect("a block is longer than its tail");
        *tail = self.tail;
        tail[TAIL - TRAILER_BYTES..].copy_from_slice(&total);
    }

    #[inline(always)]
    fn header(
        &self,
        timestamp: Timestamp,
        captured_bytes: u32,
        wire_bytes: u32,
        total: [u8; 4],
    ) -> [u8; EPB_BODY_OFFSET_BYTES] {
        let mut header = [0; EPB_BODY_OFFSET_BYTES];
        header[0..4].copy_from_slice(&BLOCK_TYPE_EPB.to_le_bytes());
        header[4..8].copy_from_slice(&total);
        header[8..12].copy_from_slice(&self.interface_id.to_le_bytes());
        // The timestamp is two 32-bit words, the high one first, each in the section's byte order.
        header[12..20].copy_from_slice(&timestamp.as_ns().rotate_left(32).to_le_bytes());
        header[20..24].copy_from_slice(&captured_bytes.to_le_bytes());
        header[24..28].copy_from_slice(&wire_bytes.max(captured_bytes).to_le_bytes());
        header
    }
}

/// Copies a packet.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        33..=64 => copy_ends::<32>(to, from),
        65..=128 => copy_ends::<64>(to, from),
        129..=SMALL_BYTES_MAX => copy_ends::<128>(to, from),
        _ => to.copy_from_slice(from),
    }
}

/// Copies the first `N` bytes and the last `N`, which overlap: all of N to 2·N bytes.
#[inline(always)]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk::<N>()) {
        *to = *from;
    }
}
