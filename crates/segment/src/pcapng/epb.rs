//! Enhanced Packet Blocks, written in place: the only encoder that runs once per packet.
//!
//! Runs on: Processing lcores. Allocates: never. The packet's bytes are gathered straight into
//! the block at [`EPB_BODY_OFFSET_BYTES`]; header, padding, options and trailer are written around
//! them when the final length is known. Padding is written too, for the buffer is used again and
//! again and must not leak an older packet.

use weir_model::Timestamp;

use super::{BLOCK_TYPE_EPB, padding_bytes};

/// Where a packet's bytes begin in its block.
pub const EPB_BODY_OFFSET_BYTES: usize = 28;

/// The most bytes that a block has beside the packet's own: header, padding, every option and
/// trailer. A buffer with this and the captured bytes left always takes the block.
pub const EPB_OVERHEAD_BYTES_MAX: usize = EPB_BODY_OFFSET_BYTES
    + 3
    + DROPCOUNT_BYTES
    + QUEUE_BYTES
    + HASH_BYTES
    + END_OF_OPTIONS_BYTES
    + TRAILER_BYTES;

/// The algorithm byte of `epb_hash` for the Toeplitz hash that NICs compute for RSS, which covers
/// the flow's addresses and ports. It is followed by the hash's 4 bytes.
pub const HASH_ALGORITHM_TOEPLITZ: u8 = 5;

pub(super) const OPTION_EPB_HASH: u16 = 3;
pub(super) const OPTION_EPB_DROPCOUNT: u16 = 4;
pub(super) const OPTION_EPB_QUEUE: u16 = 6;

const DROPCOUNT_BYTES: usize = 4 + 8;
const QUEUE_BYTES: usize = 4 + 4;
const HASH_BYTES: usize = 4 + 5 + 3;
const END_OF_OPTIONS_BYTES: usize = 4;
const TRAILER_BYTES: usize = 4;

/// What an Enhanced Packet Block says about its packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpbFields {
    /// The interface, by its place among the section's Interface Description Blocks.
    pub interface_id: u32,
    /// When the packet arrived.
    pub timestamp: Timestamp,
    /// Bytes of the packet that the block holds.
    pub captured_bytes: u32,
    /// Bytes that the packet had on the wire. Where it is less than `captured_bytes`, the block
    /// says `captured_bytes`.
    pub wire_bytes: u32,
    /// Packets lost on this interface between this packet and the one before it; the option is
    /// left out if it is 0.
    pub dropcount: u64,
    /// The receive queue that the packet came from.
    pub queue: Option<u32>,
    /// The Toeplitz hash that the NIC computed over the packet's flow.
    pub hash: Option<u32>,
}

impl EpbFields {
    #[inline]
    fn options_bytes(&self) -> usize {
        let bytes = usize::from(self.dropcount != 0) * DROPCOUNT_BYTES
            + usize::from(self.queue.is_some()) * QUEUE_BYTES
            + usize::from(self.hash.is_some()) * HASH_BYTES;
        bytes + usize::from(bytes != 0) * END_OF_OPTIONS_BYTES
    }
}

/// Returns the exact size of the block that `fields` makes, in bytes: a multiple of 4.
#[inline]
pub fn epb_bytes(fields: &EpbFields) -> usize {
    let captured = fields.captured_bytes as usize;
    EPB_BODY_OFFSET_BYTES
        + captured
        + padding_bytes(captured)
        + fields.options_bytes()
        + TRAILER_BYTES
}

/// Writes a block at the front of `out` and returns its size, which is [`epb_bytes`].
///
/// `fill` gets exactly the place of the packet's `captured_bytes` bytes, and must write all of it.
///
/// # Panics
///
/// If `out` is shorter than [`epb_bytes`].
#[inline]
pub fn write_epb(out: &mut [u8], fields: &EpbFields, fill: impl FnOnce(&mut [u8])) -> usize {
    let end = EPB_BODY_OFFSET_BYTES + fields.captured_bytes as usize;
    fill(&mut out[EPB_BODY_OFFSET_BYTES..end]);
    finish_epb_in_place(out, fields)
}

/// Writes everything but the packet's bytes of a block at the front of `out`, and returns the
/// block's size, which is [`epb_bytes`].
///
/// The packet's bytes are already in place at [`EPB_BODY_OFFSET_BYTES`]. More of them may have been
/// gathered than `fields.captured_bytes`: the packet is sliced to that.
///
/// # Panics
///
/// If `out` is shorter than [`epb_bytes`].
#[inline]
pub fn finish_epb_in_place(out: &mut [u8], fields: &EpbFields) -> usize {
    let total = epb_bytes(fields);
    let out = &mut out[..total];
    let captured = fields.captured_bytes as usize;
    let body_end = EPB_BODY_OFFSET_BYTES + captured;
    write_header(out, fields, total as u32);
    // Four bytes whatever the padding is: at least the trailer follows and overwrites the rest.
    out[body_end..body_end + 4].fill(0);
    write_tail(&mut out[body_end + padding_bytes(captured)..], fields, total as u32);
    total
}

#[inline]
fn write_header(out: &mut [u8], fields: &EpbFields, total: u32) {
    let ns = fields.timestamp.as_ns();
    let header: &mut [u8; EPB_BODY_OFFSET_BYTES] =
        out.first_chunk_mut().expect("a block is longer than its header");
    header[0..4].copy_from_slice(&BLOCK_TYPE_EPB.to_le_bytes());
    header[4..8].copy_from_slice(&total.to_le_bytes());
    header[8..12].copy_from_slice(&fields.interface_id.to_le_bytes());
    // The timestamp is two 32-bit words, the high one first, each in the section's byte order.
    header[12..20].copy_from_slice(&ns.rotate_left(32).to_le_bytes());
    header[20..24].copy_from_slice(&fields.captured_bytes.to_le_bytes());
    header[24..28].copy_from_slice(&fields.wire_bytes.max(fields.captured_bytes).to_le_bytes());
}

/// Writes options and trailer into `out`, which has exactly their size.
#[inline]
fn write_tail(out: &mut [u8], fields: &EpbFields, total: u32) {
    let mut at = 0;
    if fields.dropcount != 0 {
        let mut option = [0; DROPCOUNT_BYTES];
        option[0..4].copy_from_slice(&option_header(OPTION_EPB_DROPCOUNT, 8));
        option[4..12].copy_from_slice(&fields.dropcount.to_le_bytes());
        at = put(out, at, option);
    }
    if let Some(queue) = fields.queue {
        let mut option = [0; QUEUE_BYTES];
        option[0..4].copy_from_slice(&option_header(OPTION_EPB_QUEUE, 4));
        option[4..8].copy_from_slice(&queue.to_le_bytes());
        at = put(out, at, option);
    }
    if let Some(hash) = fields.hash {
        let mut option = [0; HASH_BYTES];
        option[0..4].copy_from_slice(&option_header(OPTION_EPB_HASH, 5));
        option[4] = HASH_ALGORITHM_TOEPLITZ;
        // The draft gives the hash's bytes no order; the highest first is how test vectors for RSS
        // print them.
        option[5..9].copy_from_slice(&hash.to_be_bytes());
        at = put(out, at, option);
    }
    if at != 0 {
        at = put(out, at, [0; END_OF_OPTIONS_BYTES]);
    }
    put(out, at, total.to_le_bytes());
}

#[inline]
fn put<const N: usize>(out: &mut [u8], at: usize, bytes: [u8; N]) -> usize {
    out[at..at + N].copy_from_slice(&bytes);
    at + N
}

#[inline]
pub(super) const fn option_header(code: u16, length_bytes: u16) -> [u8; 4] {
    let code = code.to_le_bytes();
    let length = length_bytes.to_le_bytes();
    [code[0], code[1], length[0], length[1]]
}
