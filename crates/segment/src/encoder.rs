//! Blocks made into frames: one self-contained zstd frame for each block, or the block as it is.
//!
//! Runs on: Output lcores. Allocates: when a block is larger than every one before it.

use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// How a segment's bytes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As they are: the segment is a plain pcapng file.
    None,
    /// In zstd frames.
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
    /// zstd does not take this level.
    #[error("zstd refused level {level}")]
    Level {
        /// The level.
        level: i32,
    },
    /// zstd could not compress a block, which no content of a block makes happen.
    #[error("zstd could not compress a block of {raw_bytes} bytes")]
    Compress {
        /// The block's size.
        raw_bytes: usize,
    },
}

/// A block as it will stand in the file.
#[derive(Clone, Copy, Debug)]
pub struct EncodedFrame<'a> {
    pub(crate) is_compressed: bool,
    pub(crate) bytes: &'a [u8],
    pub(crate) raw_bytes: usize,
}

impl EncodedFrame<'_> {
    /// Returns how many bytes it takes in the file.
    pub fn stored_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Returns how many bytes the block has.
    pub fn raw_bytes(&self) -> usize {
        self.raw_bytes
    }
}

/// Makes frames of blocks, with one context and one buffer for all of them.
pub struct FrameEncoder {
    zstd: Option<Zstd>,
}

struct Zstd {
    compressor: Compressor<'static>,
    level: i32,
    buffer: Vec<u8>,
}

impl FrameEncoder {
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
        Ok(Self { zstd })
    }

    /// Returns how the frames are kept, with the level that the next one will have.
    pub fn compression(&self) -> Compression {
        match &self.zstd {
            None => Compression::None,
            Some(zstd) => Compression::Zstd { level: zstd.level },
        }
    }

    /// Returns whether the frames are zstd frames.
    pub fn is_compressed(&self) -> bool {
        self.zstd.is_some()
    }

    /// Sets the level of the frames to come. Does nothing without compression.
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

    /// Makes a frame of a block.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Compress`].
    pub fn encode<'a>(&'a mut self, raw: &'a [u8]) -> Result<EncodedFrame<'a>, EncodeError> {
        let (is_compressed, bytes) = match &mut self.zstd {
            None => (false, raw),
            Some(zstd) => (true, zstd.compress(raw)?),
        };
        Ok(EncodedFrame { is_compressed, bytes, raw_bytes: raw.len() })
    }
}

impl Zstd {
    fn new(level: i32) -> Result<Self, EncodeError> {
        let mut compressor = Compressor::new(level).map_err(|_| EncodeError::Context)?;
        for parameter in [CParameter::ChecksumFlag(true), CParameter::ContentSizeFlag(true)] {
            compressor.set_parameter(parameter).map_err(|_| EncodeError::Context)?;
        }
        let mut zstd = Self { compressor, level: 0, buffer: Vec::new() };
        zstd.set_level(level)?;
        Ok(zstd)
    }

    fn set_level(&mut self, level: i32) -> Result<(), EncodeError> {
        // zstd itself clamps a level that it does not have; a configuration that asks for one is
        // wrong and should hear so.
        if !zstd::compression_level_range().contains(&level) {
            return Err(EncodeError::Level { level });
        }
        let parameter = CParameter::CompressionLevel(level);
        self.compressor.set_parameter(parameter).map_err(|_| EncodeError::Level { level })?;
        self.level = level;
        Ok(())
    }

    fn compress(&mut self, raw: &[u8]) -> Result<&[u8], EncodeError> {
        let bound = zstd::zstd_safe::compress_bound(raw.len());
        self.buffer.clear();
        self.buffer.reserve(bound);
        self.compressor
            .compress_to_buffer(raw, &mut self.buffer)
            .map_err(|_| EncodeError::Compress { raw_bytes: raw.len() })?;
        Ok(&self.buffer)
    }
}
