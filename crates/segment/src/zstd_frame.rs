//! One zstd frame, put together from parts that were compressed apart.
//!
//! A segment is one zstd frame from its first byte to its last, because that is what every reader
//! reads: tshark 4.0 loses its way at a second frame that begins beyond the first 128 KiB of the
//! file, newer Wireshark at a skippable frame, and several libraries stop after the first frame.
//! Yet each block is compressed with no knowledge of the others, so that it can be decompressed
//! alone and on several cores.
//!
//! The two go together because a zstd block depends on blocks before it in three ways only: by
//! matches into the window and by entropy tables used again, which the first block of a fresh
//! frame does not do, and by the three repeated offsets, which a fresh frame starts as 1, 4, 8. So
//! the blocks of a fresh frame can stand in the middle of another once something has set the
//! offsets to that: the [reset block](reset_block).
//!
//! The format is RFC 8878.

use std::ops::Range;

/// How a segment's frame begins: zstd's magic, a descriptor that says "content checksum, no size,
/// no dictionary", and a window of 8 MiB, the most that every decoder is told to support.
pub const FRAME_HEADER: [u8; 6] = [0x28, 0xB5, 0x2F, 0xFD, DESCRIPTOR_CHECKSUM, WINDOW_8_MIB];

/// How a frame begins that a block is compressed into or decompressed from alone: as
/// [`FRAME_HEADER`], without a checksum.
pub const LONE_FRAME_HEADER: [u8; 6] = [0x28, 0xB5, 0x2F, 0xFD, DESCRIPTOR_PLAIN, WINDOW_8_MIB];

/// An empty last block: what ends a frame, before its checksum.
pub const LAST_BLOCK: [u8; 3] = [0x01, 0x00, 0x00];

/// The most bytes of a zstd block, raw or decompressed.
pub const ZSTD_BLOCK_BYTES_MAX: usize = 128 << 10;

/// Bytes of a zstd block's header.
pub const ZSTD_BLOCK_HEADER_BYTES: usize = 3;

/// Bytes of the reset block in the file.
pub const RESET_STORED_BYTES: usize = ZSTD_BLOCK_HEADER_BYTES + RESET_BODY_BYTES;

/// Bytes that the reset block becomes: 12 zeros and the 4 that it carries.
pub const RESET_RAW_BYTES: usize = 16;

const DESCRIPTOR_PLAIN: u8 = 0x00;
const DESCRIPTOR_CHECKSUM: u8 = 0x04;
const WINDOW_8_MIB: u8 = 13 << 3;

const BLOCK_RAW: u32 = 0;
const BLOCK_RLE: u32 = 1;
const BLOCK_COMPRESSED: u32 = 2;

const RESET_LITERALS_BYTES: usize = 7;
const RESET_BODY_BYTES: usize = 1 + RESET_LITERALS_BYTES + RESET_SEQUENCES.len();

/// Three sequences that copy 3 bytes each, from offsets 8, 4 and 1, and so leave the repeated
/// offsets as 1, 4, 8, whatever they were. Where the 8 bytes before are zeros, so are the copies.
const RESET_SEQUENCES: [u8; 7] = [
    // Their number.
    3,
    // Literal and match lengths are one symbol each (RLE), offset codes have the predefined table.
    0b0100_0100,
    // Literal length 0, match length code 0, which is 3.
    0,
    0,
    // The bit stream, read from its end. After the marker bit: state 5 (code 3), 3 bits for offset
    // value 11; state 14 (code 2), 2 bits for 7; state 14 again, 2 bits for 4. An offset value is
    // the offset plus 3.
    0b1011_1000,
    0b1101_1101,
    0b0100_1010,
];

/// Appends `content` as raw zstd blocks, none of them the last.
pub fn append_raw_blocks(out: &mut Vec<u8>, content: &[u8]) {
    for piece in content.chunks(ZSTD_BLOCK_BYTES_MAX) {
        out.extend_from_slice(&block_header(BLOCK_RAW, piece.len()));
        out.extend_from_slice(piece);
    }
}

/// Returns the header of a raw block of `bytes` bytes that is not the last.
///
/// # Panics
///
/// If `bytes` is more than [`ZSTD_BLOCK_BYTES_MAX`].
pub fn raw_block_header(bytes: usize) -> [u8; ZSTD_BLOCK_HEADER_BYTES] {
    assert!(bytes <= ZSTD_BLOCK_BYTES_MAX, "a zstd block is larger than the format allows");
    block_header(BLOCK_RAW, bytes)
}

/// Returns the block that sets the repeated offsets to what they are at a frame's start. It becomes
/// 12 zeros and then `last`. The 8 bytes before it in the frame must decompress to zeros.
pub fn reset_block(last: [u8; 4]) -> [u8; RESET_STORED_BYTES] {
    let mut block = [0; RESET_STORED_BYTES];
    let (header, body) = block.split_at_mut(ZSTD_BLOCK_HEADER_BYTES);
    header.copy_from_slice(&block_header(BLOCK_COMPRESSED, RESET_BODY_BYTES));
    let (literals, sequences) = body.split_at_mut(1 + RESET_LITERALS_BYTES);
    // Raw literals, with their number in the five high bits; three of them are zeros.
    literals[0] = (RESET_LITERALS_BYTES as u8) << 3;
    literals[4..].copy_from_slice(&last);
    sequences.copy_from_slice(&RESET_SEQUENCES);
    block
}

const fn block_header(block_type: u32, bytes: usize) -> [u8; ZSTD_BLOCK_HEADER_BYTES] {
    let header = (block_type << 1 | (bytes as u32) << 3).to_le_bytes();
    [header[0], header[1], header[2]]
}

/// Makes the blocks of a lone frame fit to stand inside another: finds them in `frame`, which is
/// one whole frame that begins as [`LONE_FRAME_HEADER`] with a window no larger, and takes the mark
/// off the last one. Returns where they are, or `None` if `frame` is not such a frame.
pub fn unwrap_lone_frame(frame: &mut [u8]) -> Option<Range<usize>> {
    let header = frame.first_chunk::<{ LONE_FRAME_HEADER.len() }>()?;
    let fits = header[..5] == LONE_FRAME_HEADER[..5] && header[5] <= WINDOW_8_MIB;
    if !fits {
        return None;
    }
    let start = LONE_FRAME_HEADER.len();
    let mut at = start;
    loop {
        let block = ZstdBlock::read(&frame[at..])?;
        if block.is_last {
            frame[at] &= !1;
            at += block.stored_bytes;
            return (at == frame.len()).then_some(start..at);
        }
        at += block.stored_bytes;
    }
}

/// Returns whether `bytes` is a run of whole zstd blocks, none of them marked as the last.
pub fn are_inner_blocks(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match ZstdBlock::read(bytes) {
            Some(block) if !block.is_last => bytes = &bytes[block.stored_bytes..],
            _ => return false,
        }
    }
    true
}

struct ZstdBlock {
    is_last: bool,
    /// With its header.
    stored_bytes: usize,
}

impl ZstdBlock {
    /// Reads the header of the block that `bytes` begins with, if the whole block is there.
    fn read(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<ZSTD_BLOCK_HEADER_BYTES>()?;
        let header = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        let size = (header >> 3) as usize;
        let body_bytes = match header >> 1 & 3 {
            BLOCK_RAW | BLOCK_COMPRESSED => size,
            BLOCK_RLE => 1,
            _ => return None,
        };
        let stored_bytes = ZSTD_BLOCK_HEADER_BYTES + body_bytes;
        (size <= ZSTD_BLOCK_BYTES_MAX && stored_bytes <= bytes.len())
            .then_some(Self { is_last: header & 1 == 1, stored_bytes })
    }
}

#[cfg(test)]
mod tests;
