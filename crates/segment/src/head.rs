//! The head of a segment: the section header, the interfaces, and what the format itself says.
//!
//! pcapng wants the section header first, so the block that names the format comes after the
//! interfaces. It closes the head with a checksum over all of it, and gives the segment the
//! identity that every chunk repeats.

use weir_model::Timestamp;

use crate::bytes::{hash, put, u16_at, u32_at, u64_at};
use crate::chunk::FORMAT_VERSION;
use crate::naming::SegmentName;
use crate::pcapng::{BLOCK_TYPE_IDB, BlockReader};
use crate::writer::SegmentHeader;
use crate::zstd_frame::ZSTD_BLOCK_BYTES_MAX;

/// The pcapng block type of the head's last block: local use, and `WSH` in the file.
pub const BLOCK_TYPE_HEAD: u32 = 0x8048_5357;

/// The pcapng block type of the copy of the head in the end chunk: local use, and `WHC` in the file.
pub const BLOCK_TYPE_HEAD_COPY: u32 = 0x8043_4857;

/// The most bytes of a head: what one raw zstd block holds.
pub const HEAD_BYTES_MAX: usize = ZSTD_BLOCK_BYTES_MAX;

/// Bytes of the block that closes the head.
pub(crate) const HEAD_BLOCK_BYTES: usize = 60;
const VERSION_AT: usize = 8;
const SEGMENT_ID_AT: usize = 16;
const SEQUENCE_AT: usize = 24;
const OPENED_AT_AT: usize = 32;
const PCAPNG_BYTES_AT: usize = 40;
const INTERFACES_AT: usize = 44;
const HASH_AT: usize = 48;

/// What the head says, beside the section header and the interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHead {
    /// What tells this segment's chunks from those of any other.
    pub segment_id: u64,
    /// Its place among its output's segments.
    pub sequence: u64,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// How many interfaces it describes.
    pub interfaces: u32,
}

impl SegmentHead {
    /// Makes the head of a segment that is opened at `opened_at` under `name`.
    pub(crate) fn new(name: &SegmentName, opened_at: Timestamp, interfaces: usize) -> Self {
        let identity = format!("{name} {opened_at}");
        Self {
            segment_id: hash(identity.as_bytes()),
            sequence: name.sequence,
            opened_at,
            interfaces: u32::try_from(interfaces).unwrap_or(u32::MAX),
        }
    }

    /// Returns the whole head: section header, interfaces, and the block that closes it.
    pub(crate) fn encode(&self, header: &SegmentHeader<'_>) -> Vec<u8> {
        let mut head = Vec::new();
        header.append_to(&mut head);
        self.close(head)
    }

    /// Appends the block that closes a head of the section header and interfaces in `pcapng`.
    pub(crate) fn close(&self, pcapng: Vec<u8>) -> Vec<u8> {
        let mut head = pcapng;
        let start = head.len();
        let length = (HEAD_BLOCK_BYTES as u32).to_le_bytes();
        head.resize(start + HEAD_BLOCK_BYTES, 0);
        let block = &mut head[start..];
        put(block, 0, &BLOCK_TYPE_HEAD.to_le_bytes());
        put(block, 4, &length);
        put(block, VERSION_AT, &FORMAT_VERSION.to_le_bytes());
        put(block, SEGMENT_ID_AT, &self.segment_id.to_le_bytes());
        put(block, SEQUENCE_AT, &self.sequence.to_le_bytes());
        put(block, OPENED_AT_AT, &self.opened_at.as_ns().to_le_bytes());
        put(block, PCAPNG_BYTES_AT, &(start as u32).to_le_bytes());
        put(block, INTERFACES_AT, &self.interfaces.to_le_bytes());
        put(block, HEAD_BLOCK_BYTES - 4, &length);
        let head_hash = hash(&head[..start + HASH_AT]);
        put(&mut head[start..], HASH_AT, &head_hash.to_le_bytes());
        head
    }

    /// Reads the head that `bytes` begins with, and returns it with its length. `None` if it is not
    /// a whole, undamaged head of this version.
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let bytes = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
        let mut interfaces = 0;
        let mut blocks = BlockReader::new(bytes).map_while(Result::ok);
        let start = loop {
            let block = blocks.next()?;
            match block.block_type {
                BLOCK_TYPE_IDB => interfaces += 1,
                BLOCK_TYPE_HEAD => break block.offset,
                _ => {}
            }
        };
        let block = bytes.get(start..start + HEAD_BLOCK_BYTES)?;
        let is_sound = u32_at(block, 4)? as usize == HEAD_BLOCK_BYTES
            && u16_at(block, VERSION_AT)? == FORMAT_VERSION
            && u32_at(block, PCAPNG_BYTES_AT)? as usize == start
            && u32_at(block, INTERFACES_AT)? == interfaces
            && u64_at(block, HASH_AT)? == hash(&bytes[..start + HASH_AT]);
        if !is_sound {
            return None;
        }
        let head = Self {
            segment_id: u64_at(block, SEGMENT_ID_AT)?,
            sequence: u64_at(block, SEQUENCE_AT)?,
            opened_at: Timestamp::from_ns(u64_at(block, OPENED_AT_AT)?),
            interfaces,
        };
        Some((head, start + HEAD_BLOCK_BYTES))
    }
}

/// Appends the copy of a head to `out`, as a pcapng block.
pub(crate) fn append_head_copy(out: &mut Vec<u8>, head: &[u8]) {
    crate::pcapng::append_block(out, BLOCK_TYPE_HEAD_COPY, |out| out.extend_from_slice(head));
}
