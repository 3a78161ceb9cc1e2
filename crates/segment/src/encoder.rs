//! Blocks made ready for the file: compressed each on its own, with room for the chunk's header.
//!
//! Runs on: Output lcores. Allocates: when a block is larger than every one before it.

use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

use crate::bytes::hash;
use crate::chunk::{CHUNK_HEADER_BYTES, CHUNK_HEADER_STORED_BYTES};
use crate::zstd_frame::{LONE_FRAME_HEADER, unwrap_lone_frame};

/// The most raw bytes of one block: the window that every zstd decoder supports. It also bounds
/// what a reader must hold to decompress a chunk.
pub const BLOCK_BYTES_MAX: usize = 8 << 20;

/// The level of end chunks, which are small, whatever the segment's own: so recovery writes the same
/// bytes as the writer would have, and as an interrupted recovery before it.
pub(crate) const END_LEVEL: i32 = 3;

/// How a segment's bytes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As they are: the segment is a plain pcapng file.
    None,
    /// In a zstd frame.
    Zstd {
        /// zstd's level: negative levels are faster, 1 to 22 smaller.
        level: i32,
    },
}

/// The encoder could not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// zstd could not make a compression context: there is no memory for one.
    #[error("zstd could not make a compression context")]
    Context,
    /// zstd does not have this level.
    #[error("zstd has no level {level}")]
    Level {
        /// The level.
        level: i32,
    },
    /// The block is larger than [`BLOCK_BYTES_MAX`].
    #[error("a block of {raw_bytes} bytes is too large")]
    BlockTooLarge {
        /// Its size.
        raw_bytes: usize,
    },
    /// zstd could not compress a block, which no content of a block makes happen.
    #[error("zstd could not compress a block of {raw_bytes} bytes")]
    Compress {
        /// The block's size.
        raw_bytes: usize,
    },
}

/// A block as it will stand in the file, but for the chunk's header, which has its room.
#[derive(Debug)]
pub struct EncodedBlock<'a> {
    pub(crate) is_compressed: bool,
    /// The room, and what is stored where that is not the raw block itself.
    pub(crate) stored: &'a mut [u8],
    pub(crate) raw: &'a [u8],
    pub(crate) payload_hash: u64,
}

impl EncodedBlock<'_> {
    /// Returns the block's stored bytes, without the chunk's header.
    pub(crate) fn payload(&self) -> &[u8] {
        if self.is_compressed { &self.stored[CHUNK_HEADER_STORED_BYTES..] } else { self.raw }
    }

    /// Returns how many bytes the chunk takes in the file.
    pub fn stored_bytes(&self) -> usize {
        if self.is_compressed { self.stored.len() } else { self.stored.len() + self.raw.len() }
    }

    /// Returns how many bytes the block has.
    pub fn raw_bytes(&self) -> usize {
        self.raw.len()
    }
}

/// Compresses blocks, with one context and one buffer for all of them.
pub struct BlockEncoder {
    zstd: Option<Zstd>,
    /// Room for the chunk's header, and what zstd makes after it.
    buffer: Vec<u8>,
}

struct Zstd {
    compressor: Compressor<'static>,
    level: i32,
}

impl BlockEncoder {
    /// Makes an encoder.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Context`] or [`EncodeError::Level`].
    pub fn new(compression: Compression) -> Result<Self, EncodeError> {
        let zstd = match compression {
            Compression::None => None,
            Compression::Zstd { level } => Some(Zstd::new(level)?),
        };
        Ok(Self { zstd, buffer: vec![0; CHUNK_HEADER_BYTES] })
    }

    /// Returns how blocks are kept, with the level that the next one will have.
    pub fn compression(&self) -> Compression {
        match &self.zstd {
            None => Compression::None,
            Some(zstd) => Compression::Zstd { level: zstd.level },
        }
    }

    /// Returns whether blocks are compressed.
    pub fn is_compressed(&self) -> bool {
        self.zstd.is_some()
    }

    /// Sets the level of the blocks to come. Does nothing without compression.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Level`]; the level is then what it was.
    pub fn set_level(&mut self, level: i32) -> Result<(), EncodeError> {
        match &mut self.zstd {
            Some(zstd) if zstd.level != level => zstd.set_level(level),
            _ => Ok(()),
        }
    }

    /// Makes a block ready.
    ///
    /// # Errors
    ///
    /// [`EncodeError::BlockTooLarge`] or [`EncodeError::Compress`].
    pub fn encode<'a>(&'a mut self, raw: &'a [u8]) -> Result<EncodedBlock<'a>, EncodeError> {
        if raw.len() > BLOCK_BYTES_MAX {
            return Err(EncodeError::BlockTooLarge { raw_bytes: raw.len() });
        }
        let Some(zstd) = &mut self.zstd else {
            let stored = &mut self.buffer[..CHUNK_HEADER_BYTES];
            return Ok(EncodedBlock { is_compressed: false, stored, raw, payload_hash: hash(raw) });
        };
        let end = zstd
            .compress(raw, &mut self.buffer)
            .ok_or(EncodeError::Compress { raw_bytes: raw.len() })?;
        let stored = &mut self.buffer[..end];
        let payload_hash = hash(&stored[CHUNK_HEADER_STORED_BYTES..]);
        Ok(EncodedBlock { is_compressed: true, stored, raw, payload_hash })
    }
}

impl Zstd {
    /// The lone frame's header lies in the room for the chunk's header, which is written over it.
    const FRAME_AT: usize = CHUNK_HEADER_STORED_BYTES - LONE_FRAME_HEADER.len();

    fn new(level: i32) -> Result<Self, EncodeError> {
        let mut compressor = Compressor::new(level).map_err(|_| EncodeError::Context)?;
        for parameter in [CParameter::ChecksumFlag(false), CParameter::ContentSizeFlag(false)] {
            compressor.set_parameter(parameter).map_err(|_| EncodeError::Context)?;
        }
        let mut zstd = Self { compressor, level: 0 };
        zstd.set_level(level)?;
        Ok(zstd)
    }

    fn set_level(&mut self, level: i32) -> Result<(), EncodeError> {
        // zstd itself clamps a level that it does not have; who asks for one should hear so.
        if !zstd::compression_level_range().contains(&level) {
            return Err(EncodeError::Level { level });
        }
        let parameter = CParameter::CompressionLevel(level);
        self.compressor.set_parameter(parameter).map_err(|_| EncodeError::Level { level })?;
        self.level = level;
        Ok(())
    }

    /// Compresses `raw` into `buffer`, its blocks beginning at `CHUNK_HEADER_STORED_BYTES`, and
    /// returns where they end.
    fn compress(&mut self, raw: &[u8], buffer: &mut Vec<u8>) -> Option<usize> {
        let room = Self::FRAME_AT + compress_bound(raw.len());
        if buffer.len() < room {
            buffer.resize(room, 0);
        }
        let out = &mut buffer[Self::FRAME_AT..];
        let frame_bytes = self.compressor.compress_to_buffer(raw, out).ok()?;
        let blocks = unwrap_lone_frame(&mut out[..frame_bytes])?;
        Some(Self::FRAME_AT + blocks.end)
    }
}
