//! One chunk decompressed, with nothing but itself.

use std::io;

use zstd::bulk::Decompressor;

use super::walk::FoundChunk;
use crate::zstd_frame::{LAST_BLOCK, LONE_FRAME_HEADER, are_inner_blocks};

/// A chunk's stored bytes do not become what its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunk does not decompress to what its header says")]
pub struct DecodeError;

/// Decompresses chunks, with one context and one buffer for all of them.
pub struct ChunkDecoder {
    decompressor: Decompressor<'static>,
    frame: Vec<u8>,
    raw: Vec<u8>,
}

impl ChunkDecoder {
    /// Makes a decoder.
    ///
    /// # Errors
    ///
    /// What zstd said: there is no memory for a decompression context.
    pub fn new() -> io::Result<Self> {
        Ok(Self { decompressor: Decompressor::new()?, frame: Vec::new(), raw: Vec::new() })
    }

    /// Returns a chunk's bytes of pcapng, without its header, out of its stored bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError`].
    pub fn decode<'a>(
        &'a mut self,
        chunk: &FoundChunk,
        payload: &'a [u8],
        is_compressed: bool,
    ) -> Result<&'a [u8], DecodeError> {
        let raw_bytes = chunk.header.raw_bytes as usize;
        if !is_compressed {
            return if payload.len() == raw_bytes { Ok(payload) } else { Err(DecodeError) };
        }
        // A block that is marked as the last would hide those behind it.
        if !are_inner_blocks(payload) {
            return Err(DecodeError);
        }
        self.frame.clear();
        self.frame.extend_from_slice(&LONE_FRAME_HEADER);
        self.frame.extend_from_slice(payload);
        self.frame.extend_from_slice(&LAST_BLOCK);
        self.raw.resize(raw_bytes, 0);
        match self.decompressor.decompress_to_buffer(&self.frame, &mut self.raw[..]) {
            Ok(bytes) if bytes == raw_bytes => Ok(&self.raw),
            _ => Err(DecodeError),
        }
    }
}
