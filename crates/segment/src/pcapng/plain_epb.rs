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
/// The queue option, and the end of options.
const OPTIONS_BYTES: usize = 8 + 4;

/// Up to this many bytes a packet is copied by moves of constant size, which are faster than a call
/// of `memcpy`.
const SMALL_BYTES_MAX: usize = 256;

/// Writes blocks with neither `epb_dropcount` nor `epb_hash`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainEpb {
    interface_id: u32,
    options: Option<[u8; OPTIONS_BYTES]>,
}

impl PlainEpb {
    /// Makes a writer for packets of an interface, with the receive queue beside each if it is
    /// given.
    pub fn new(interface_id: u32, queue: Option<u32>) -> Self {
        let options = queue.map(|queue| {
            let mut options = [0; OPTIONS_BYTES];
            options[0..4].copy_from_slice(&option_header(OPTION_EPB_QUEUE, 4));
            options[4..8].copy_from_slice(&queue.to_le_bytes());
            options
        });
        Self { interface_id, options }
    }

    /// Returns the exact size of the block of a packet of which `captured_bytes` are kept, in
    /// bytes: a multiple of 4.
    #[inline(always)]
    pub fn bytes(&self, captured_bytes: usize) -> usize {
        let options_bytes = if self.options.is_some() { OPTIONS_BYTES } else { 0 };
        EPB_BODY_OFFSET_BYTES
            + captured_bytes
            + padding_bytes(captured_bytes)
            + options_bytes
            + TRAILER_BYTES
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
        let (header, rest) = out.split_at_mut(EPB_BODY_OFFSET_BYTES);
        let header: &mut [u8; EPB_BODY_OFFSET_BYTES] =
            header.try_into().expect("it was split off with this size");
        *header = self.header(timestamp, packet.len() as u32, wire_bytes, total);
        let (body, rest) = rest.split_at_mut(packet.len());
        copy(body, packet);
        // Four bytes whatever the padding is: options or trailer overwrite the rest.
        rest[..4].fill(0);
        let tail = &mut rest[padding_bytes(packet.len())..];
        match &self.options {
            Some(options) => {
                let mut bytes = [0; OPTIONS_BYTES + TRAILER_BYTES];
                bytes[..OPTIONS_BYTES].copy_from_slice(options);
                bytes[OPTIONS_BYTES..].copy_from_slice(&total);
                tail.copy_from_slice(&bytes);
            }
            None => tail.copy_from_slice(&total),
        }
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
