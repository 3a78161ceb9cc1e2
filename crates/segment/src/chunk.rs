//! Chunks: how a block lies in a segment, with a header that says what follows.
//!
//! A chunk is a header and the block's stored bytes. The header is a pcapng block of a type that is
//! reserved for local use, so that every reader passes over it; in a compressed segment all but its
//! end stands in a raw zstd block, so that it can be read from the file as it is. It carries its own
//! position and checksum, and those of the stored bytes: chunks can be walked, checked and told
//! apart from damage with nothing decompressed.
//!
//! `docs/format.md` has the layout.

use weir_model::Timestamp;

use crate::bytes::{hash, put, u16_at, u32_at, u64_at};
use crate::tally::BlockTally;
use crate::zstd_frame::{
    RESET_RAW_BYTES, RESET_STORED_BYTES, ZSTD_BLOCK_HEADER_BYTES, raw_block_header, reset_block,
};

/// The version of the format that this crate writes, and the only one that it reads.
pub const FORMAT_VERSION: u16 = 1;

/// The pcapng block type of a chunk's header: local use, and `WCH` in the file.
pub const BLOCK_TYPE_CHUNK: u32 = 0x8048_4357;

/// Bytes of a chunk's header as a pcapng block.
pub const CHUNK_HEADER_BYTES: usize = 128;

/// Bytes of a chunk's header in a compressed segment: two zstd blocks.
pub const CHUNK_HEADER_STORED_BYTES: usize =
    ZSTD_BLOCK_HEADER_BYTES + CHUNK_HEADER_BYTES - RESET_RAW_BYTES + RESET_STORED_BYTES;

const VERSION_AT: usize = 8;
const KIND_AT: usize = 10;
const SEGMENT_ID_AT: usize = 16;
const INDEX_AT: usize = 24;
const OFFSET_AT: usize = 32;
const STORED_BYTES_AT: usize = 40;
const RAW_BYTES_AT: usize = 44;
const PACKETS_AT: usize = 48;
const CAPTURED_BYTES_AT: usize = 56;
const WIRE_BYTES_AT: usize = 64;
const FIRST_AT: usize = 72;
const LAST_AT: usize = 80;
const PAYLOAD_HASH_AT: usize = 88;
/// Bytes of the fields above. What a later version adds comes before the header's hash.
const FIELDS_BYTES: usize = 96;
/// After the fields: the header's hash, 20 zeros for the reset block, and the block's length again.
const TAIL_BYTES: usize = 8 + ZEROS_BYTES + 4;
const ZEROS_BYTES: usize = 8 + RESET_RAW_BYTES - 4;

const _: () = assert!(FIELDS_BYTES + TAIL_BYTES == CHUNK_HEADER_BYTES);

/// What a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChunkKind {
    /// A block of packets.
    Packets,
    /// The end of a sealed segment: interface statistics, and the head once more. Its tally is the
    /// whole segment's.
    End,
}

impl ChunkKind {
    const fn code(self) -> u16 {
        match self {
            Self::Packets => 1,
            Self::End => 2,
            // 3 is reserved for the aggregate index.
        }
    }

    const fn of(code: u16) -> Option<Self> {
        match code {
            1 => Some(Self::Packets),
            2 => Some(Self::End),
            _ => None,
        }
    }
}

/// What a chunk's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHeader {
    /// What the chunk holds.
    pub kind: ChunkKind,
    /// The segment that it belongs to, by the head's `segment_id`.
    pub segment_id: u64,
    /// Its place among the segment's chunks, from 0.
    pub index: u64,
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// Bytes that follow the header in the file.
    pub stored_bytes: u32,
    /// Bytes of pcapng that they are.
    pub raw_bytes: u32,
    /// What it holds.
    pub tally: BlockTally,
    /// The XXH64 of the stored bytes.
    pub payload_hash: u64,
}

impl ChunkHeader {
    /// Returns the header as a pcapng block.
    pub fn to_block(&self) -> [u8; CHUNK_HEADER_BYTES] {
        let mut block = [0; CHUNK_HEADER_BYTES];
        put(&mut block, 0, &BLOCK_TYPE_CHUNK.to_le_bytes());
        put(&mut block, 4, &LENGTH);
        put(&mut block, VERSION_AT, &FORMAT_VERSION.to_le_bytes());
        put(&mut block, KIND_AT, &self.kind.code().to_le_bytes());
        put(&mut block, SEGMENT_ID_AT, &self.segment_id.to_le_bytes());
        put(&mut block, INDEX_AT, &self.index.to_le_bytes());
        put(&mut block, OFFSET_AT, &self.offset.to_le_bytes());
        put(&mut block, STORED_BYTES_AT, &self.stored_bytes.to_le_bytes());
        put(&mut block, RAW_BYTES_AT, &self.raw_bytes.to_le_bytes());
        put(&mut block, PACKETS_AT, &self.tally.packets.to_le_bytes());
        put(&mut block, CAPTURED_BYTES_AT, &self.tally.captured_bytes.to_le_bytes());
        put(&mut block, WIRE_BYTES_AT, &self.tally.wire_bytes.to_le_bytes());
        put(&mut block, FIRST_AT, &self.tally.first.as_ns().to_le_bytes());
        put(&mut block, LAST_AT, &self.tally.last.as_ns().to_le_bytes());
        put(&mut block, PAYLOAD_HASH_AT, &self.payload_hash.to_le_bytes());
        let header_hash = hash(&block[..FIELDS_BYTES]);
        put(&mut block, FIELDS_BYTES, &header_hash.to_le_bytes());
        put(&mut block, CHUNK_HEADER_BYTES - LENGTH.len(), &LENGTH);
        block
    }

    /// Reads a header back from its pcapng block. `None` if it is not an undamaged header of this
    /// version.
    pub fn read_block(block: &[u8; CHUNK_HEADER_BYTES]) -> Option<Self> {
        if u32_at(block, 0)? != BLOCK_TYPE_CHUNK || u16_at(block, VERSION_AT)? != FORMAT_VERSION {
            return None;
        }
        let header = Self::read_fields(block)?;
        // The one check for everything, the checksum too: it must write itself again.
        (header.to_block() == *block).then_some(header)
    }

    fn read_fields(block: &[u8]) -> Option<Self> {
        Some(Self {
            kind: ChunkKind::of(u16_at(block, KIND_AT)?)?,
            segment_id: u64_at(block, SEGMENT_ID_AT)?,
            index: u64_at(block, INDEX_AT)?,
            offset: u64_at(block, OFFSET_AT)?,
            stored_bytes: u32_at(block, STORED_BYTES_AT)?,
            raw_bytes: u32_at(block, RAW_BYTES_AT)?,
            tally: BlockTally {
                packets: u64_at(block, PACKETS_AT)?,
                captured_bytes: u64_at(block, CAPTURED_BYTES_AT)?,
                wire_bytes: u64_at(block, WIRE_BYTES_AT)?,
                first: Timestamp::from_ns(u64_at(block, FIRST_AT)?),
                last: Timestamp::from_ns(u64_at(block, LAST_AT)?),
            },
            payload_hash: u64_at(block, PAYLOAD_HASH_AT)?,
        })
    }
}

/// Returns a header's pcapng block as the two zstd blocks that it is in a compressed segment.
pub(crate) fn stored_header(block: &[u8; CHUNK_HEADER_BYTES]) -> StoredHeader {
    let mut stored = [0; CHUNK_HEADER_STORED_BYTES];
    put(&mut stored, 0, &raw_block_header(RAW_BYTES));
    put(&mut stored, ZSTD_BLOCK_HEADER_BYTES, &block[..RAW_BYTES]);
    put(&mut stored, ZSTD_BLOCK_HEADER_BYTES + RAW_BYTES, &reset_block(LENGTH));
    stored
}

/// Reads a header back from its two zstd blocks. `None` if they are not an undamaged header of this
/// version.
pub(crate) fn read_stored_header(stored: &StoredHeader) -> Option<ChunkHeader> {
    let mut block = [0; CHUNK_HEADER_BYTES];
    put(&mut block, 0, &stored[ZSTD_BLOCK_HEADER_BYTES..][..RAW_BYTES]);
    put(&mut block, CHUNK_HEADER_BYTES - LENGTH.len(), &LENGTH);
    let header = ChunkHeader::read_block(&block)?;
    // What is not in the pcapng block, the zstd blocks' own headers and the sequences, is constant.
    (*stored == stored_header(&block)).then_some(header)
}

/// A chunk's header as it stands in a compressed segment.
pub(crate) type StoredHeader = [u8; CHUNK_HEADER_STORED_BYTES];

/// Bytes of the header that stand in the raw zstd block.
const RAW_BYTES: usize = CHUNK_HEADER_BYTES - RESET_RAW_BYTES;

/// How a header's pcapng block ends: its length, which the reset block carries.
const LENGTH: [u8; 4] = (CHUNK_HEADER_BYTES as u32).to_le_bytes();
