//! pcapng blocks, encoded and read back: pure functions over bytes, always little-endian.
//!
//! The format is draft-ietf-opsawg-pcapng. What is written here is the part of it that a capture
//! needs: section headers, interface descriptions, enhanced packets and interface statistics.

mod epb;
mod interface;
mod options;
mod plain_epb;
mod reader;
mod section;
#[cfg(test)]
mod tests;

pub use epb::{
    EPB_BODY_OFFSET_BYTES, EPB_OVERHEAD_BYTES_MAX, EpbFields, HASH_ALGORITHM_TOEPLITZ, epb_bytes,
    finish_epb_in_place, write_epb,
};
pub use interface::{InterfaceDescription, InterfaceStatistics};
pub use options::{OPTION_BYTES_MAX, RawOption};
pub use plain_epb::{PlainEpb, QUEUE_TAIL_BYTES, TAIL_BYTES};
pub use reader::{Block, BlockReader, EnhancedPacket, Options, ReadError, ReadErrorKind};
pub use section::SectionHeader;

pub(crate) use options::append_block;

/// Block type of a Section Header Block. It reads the same in either byte order.
pub const BLOCK_TYPE_SHB: u32 = 0x0A0D_0D0A;
/// Block type of an Interface Description Block.
pub const BLOCK_TYPE_IDB: u32 = 1;
/// Block type of an Interface Statistics Block.
pub const BLOCK_TYPE_ISB: u32 = 5;
/// Block type of an Enhanced Packet Block.
pub const BLOCK_TYPE_EPB: u32 = 6;

/// The byte-order magic of a Section Header Block, as the writer's own byte order reads it.
pub const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;

/// `if_tsresol` of every interface: timestamps count 10⁻⁹ seconds.
pub const TIMESTAMP_RESOLUTION: u8 = 9;

/// Returns how many bytes of padding follow `bytes` bytes, so that what comes next starts on a
/// 32-bit boundary.
#[inline]
pub const fn padding_bytes(bytes: usize) -> usize {
    bytes.wrapping_neg() & 3
}
