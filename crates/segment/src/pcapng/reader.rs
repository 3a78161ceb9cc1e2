//! Reads blocks back, strictly and without trust: what verification and recovery stand on.
//!
//! Only what this crate writes is accepted: little-endian, version 1.x, block lengths that are
//! multiples of 4 and equal at both ends, padding and options that stay inside. Nothing here
//! panics, reads outside its input or allocates, whatever the bytes are.

use core::fmt;

use weir_model::Timestamp;

use super::epb::{OPTION_EPB_DROPCOUNT, OPTION_EPB_HASH, OPTION_EPB_QUEUE};
use super::options::{OPTION_END, RawOption};
use super::{
    BLOCK_TYPE_EPB, BLOCK_TYPE_SHB, BYTE_ORDER_MAGIC, EPB_BODY_OFFSET_BYTES, EpbFields,
    HASH_ALGORITHM_TOEPLITZ, padding_bytes,
};

/// A block's type, its length, and its length again.
const BLOCK_BYTES_MIN: usize = 12;
/// Type and length; what comes between them and the last four bytes is the body.
const BLOCK_HEADER_BYTES: usize = 8;
const TRAILER_BYTES: usize = 4;

/// Why bytes are not the block that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadErrorKind {
    /// Fewer bytes are left than a block needs, or than the block says that it has.
    Cut,
    /// The block's length is not a multiple of 4, or less than a block needs.
    Length,
    /// The length at the block's end is not the one at its beginning.
    LengthMismatch,
    /// A section header that is not little-endian version 1.
    SectionHeader,
    /// The packet does not fit its block, or has more captured bytes than original bytes.
    PacketLength,
    /// An option does not fit its block, or has a size that its code does not allow.
    Option,
    /// Padding that is not zero.
    Padding,
}

impl fmt::Display for ReadErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "the block is cut short",
            Self::Length => "the block's length is impossible",
            Self::LengthMismatch => "the block's two lengths differ",
            Self::SectionHeader => "the section is not little-endian pcapng version 1",
            Self::PacketLength => "the packet's lengths contradict its block",
            Self::Option => "an option contradicts its block",
            Self::Padding => "padding is not zero",
        })
    }
}

/// Bytes that are not the block that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pcapng block at byte {offset}: {kind}")]
pub struct ReadError {
    /// Where the block begins, in bytes from the start of the input.
    pub offset: usize,
    /// What is wrong.
    pub kind: ReadErrorKind,
}

/// One block, with its frame checked and its body not yet looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// Where it begins, in bytes from the start of the input.
    pub offset: usize,
    /// What it is.
    pub block_type: u32,
    /// What stands between the two lengths, without the type.
    pub body: &'a [u8],
}

/// An Enhanced Packet Block, read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnhancedPacket<'a> {
    /// What it says.
    pub fields: EpbFields,
    /// The packet's captured bytes.
    pub data: &'a [u8],
}

/// Reads the blocks of a buffer, one after the other. It ends after the first error.
#[derive(Clone, Debug)]
pub struct BlockReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BlockReader<'a> {
    /// Makes a reader of the blocks that `bytes` begins with.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn read(&self) -> Result<Block<'a>, ReadErrorKind> {
        let rest = &self.bytes[self.at..];
        let block_type = u32_at(rest, 0).ok_or(ReadErrorKind::Cut)?;
        let total = u32_at(rest, 4).ok_or(ReadErrorKind::Cut)? as usize;
        if total < BLOCK_BYTES_MIN || !total.is_multiple_of(4) {
            return Err(ReadErrorKind::Length);
        }
        let block = rest.get(..total).ok_or(ReadErrorKind::Cut)?;
        if u32_at(block, total - TRAILER_BYTES) != Some(total as u32) {
            return Err(ReadErrorKind::LengthMismatch);
        }
        let body = &block[BLOCK_HEADER_BYTES..total - TRAILER_BYTES];
        if block_type == BLOCK_TYPE_SHB {
            check_section_header(body)?;
        }
        Ok(Block { offset: self.at, block_type, body })
    }
}

impl<'a> Iterator for BlockReader<'a> {
    type Item = Result<Block<'a>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.bytes.len() {
            return None;
        }
        let offset = self.at;
        match self.read() {
            Ok(block) => {
                self.at += BLOCK_BYTES_MIN + block.body.len();
                Some(Ok(block))
            }
            Err(kind) => {
                self.at = self.bytes.len();
                Some(Err(ReadError { offset, kind }))
            }
        }
    }
}

fn check_section_header(body: &[u8]) -> Result<(), ReadErrorKind> {
    let magic = u32_at(body, 0);
    let major = u16_at(body, 4);
    if magic == Some(BYTE_ORDER_MAGIC) && major == Some(1) && body.len() >= 16 {
        Ok(())
    } else {
        Err(ReadErrorKind::SectionHeader)
    }
}

impl<'a> Block<'a> {
    /// Reads the block as an Enhanced Packet Block; `None` if it is another kind of block.
    ///
    /// # Errors
    ///
    /// [`ReadErrorKind`] if the block contradicts itself. Options that are not known are passed
    /// over, and so is a hash by another algorithm than Toeplitz.
    pub fn enhanced_packet(&self) -> Option<Result<EnhancedPacket<'a>, ReadError>> {
        (self.block_type == BLOCK_TYPE_EPB)
            .then(|| read_packet(self.body).map_err(|kind| ReadError { offset: self.offset, kind }))
    }

    /// Returns the options that follow the block's first `fixed_bytes` bytes of body, which count
    /// with their padding.
    pub fn options(&self, fixed_bytes: usize) -> Options<'a> {
        Options { rest: self.body.get(fixed_bytes..).unwrap_or_default() }
    }
}

fn read_packet(body: &[u8]) -> Result<EnhancedPacket<'_>, ReadErrorKind> {
    const FIXED_BYTES: usize = EPB_BODY_OFFSET_BYTES - BLOCK_HEADER_BYTES;
    let word = |at| u32_at(body, at).ok_or(ReadErrorKind::PacketLength);
    let mut fields = EpbFields {
        interface_id: word(0)?,
        timestamp: Timestamp::from_ns(u64::from(word(4)?) << 32 | u64::from(word(8)?)),
        captured_bytes: word(12)?,
        wire_bytes: word(16)?,
        ..EpbFields::default()
    };
    let captured = fields.captured_bytes as usize;
    if fields.captured_bytes > fields.wire_bytes {
        return Err(ReadErrorKind::PacketLength);
    }
    let rest = &body[FIXED_BYTES..];
    let data = rest.get(..captured).ok_or(ReadErrorKind::PacketLength)?;
    let padded = captured + padding_bytes(captured);
    let padding = rest.get(captured..padded).ok_or(ReadErrorKind::PacketLength)?;
    if padding.iter().any(|&byte| byte != 0) {
        return Err(ReadErrorKind::Padding);
    }
    for option in (Options { rest: &rest[padded..] }) {
        read_packet_option(&mut fields, option?)?;
    }
    Ok(EnhancedPacket { fields, data })
}

fn read_packet_option(fields: &mut EpbFields, option: RawOption<'_>) -> Result<(), ReadErrorKind> {
    match (option.code, option.value) {
        (OPTION_EPB_DROPCOUNT, value) => {
            let value = value.try_into().map_err(|_| ReadErrorKind::Option)?;
            fields.dropcount = u64::from_le_bytes(value);
        }
        (OPTION_EPB_QUEUE, value) => {
            let value = value.try_into().map_err(|_| ReadErrorKind::Option)?;
            fields.queue = Some(u32::from_le_bytes(value));
        }
        (OPTION_EPB_HASH, &[HASH_ALGORITHM_TOEPLITZ, ref hash @ ..]) => {
            let hash = hash.try_into().map_err(|_| ReadErrorKind::Option)?;
            fields.hash = Some(u32::from_be_bytes(hash));
        }
        _ => {}
    }
    Ok(())
}

/// The options of a block, in order, without their end.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
}

impl<'a> Options<'a> {
    fn read(&self) -> Option<(RawOption<'a>, usize)> {
        let code = u16_at(self.rest, 0)?;
        let length = usize::from(u16_at(self.rest, 2)?);
        let value = self.rest.get(4..4 + length)?;
        let bytes = 4 + length + padding_bytes(length);
        (bytes <= self.rest.len()).then_some((RawOption { code, value }, bytes))
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<RawOption<'a>, ReadErrorKind>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((option, bytes)) = self.read() else {
            self.rest = &[];
            return Some(Err(ReadErrorKind::Option));
        };
        self.rest = &self.rest[bytes..];
        if option.code == OPTION_END {
            let clean = option.value.is_empty() && self.rest.is_empty();
            self.rest = &[];
            return (!clean).then_some(Err(ReadErrorKind::Option));
        }
        Some(Ok(option))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let chunk = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*chunk))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let chunk = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*chunk))
}
