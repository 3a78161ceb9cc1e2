//! The file under a segment: chunks go in whole or not at all.
//!
//! Runs on: Output lcores. Allocates: never.

use std::io;

use weir_model::StorageFile;

use crate::bytes::{RunningHash, put};
use crate::chunk::{ChunkHeader, ChunkKind, stored_header};
use crate::encoder::EncodedBlock;
use crate::error::{AppendError, SyncError};
use crate::tally::BlockTally;
use crate::zstd_frame::{FRAME_HEADER, LAST_BLOCK, append_raw_blocks};

/// How often a call that was interrupted, or that would have waited, is made again. Signals cannot
/// come this often while a write makes no progress; whatever does would otherwise hold the lcore.
const INTERRUPTIONS_MAX: u32 = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Sound,
    /// A sync failed: what is on the disk is not known, and never will be.
    Poisoned,
    /// A chunk could be neither finished nor cut off: the file ends in half a chunk.
    Broken,
}

/// How far a file of chunks has come.
#[derive(Clone)]
pub(crate) struct Progress {
    pub(crate) chunks: u64,
    pub(crate) stored_bytes: u64,
    pub(crate) raw_bytes: u64,
    pub(crate) content_hash: RunningHash,
}

/// A file of chunks.
pub(crate) struct SegmentFile<F> {
    file: F,
    health: Health,
    is_compressed: bool,
    segment_id: u64,
    chunks: u64,
    stored_bytes: u64,
    raw_bytes: u64,
    /// Over all raw bytes: what ends a compressed segment.
    content_hash: RunningHash,
}

impl<F: StorageFile> SegmentFile<F> {
    /// Takes a file that is empty.
    pub(crate) fn new(file: F, is_compressed: bool, segment_id: u64) -> Self {
        Self {
            file,
            health: Health::Sound,
            is_compressed,
            segment_id,
            chunks: 0,
            stored_bytes: 0,
            raw_bytes: 0,
            content_hash: RunningHash::new(),
        }
    }

    /// Takes a file that has a head and whole chunks, to write on at its end.
    pub(crate) fn resume(
        file: F,
        is_compressed: bool,
        segment_id: u64,
        progress: Progress,
    ) -> Self {
        let Progress { chunks, stored_bytes, raw_bytes, content_hash } = progress;
        let health = Health::Sound;
        Self {
            file,
            health,
            is_compressed,
            segment_id,
            chunks,
            stored_bytes,
            raw_bytes,
            content_hash,
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.health == Health::Sound
    }

    /// Returns the file's length, up to the last chunk's edge.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// Returns how many bytes of pcapng they are.
    pub(crate) fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }

    /// Appends the head, which comes first.
    pub(crate) fn append_head(&mut self, head: &[u8]) -> Result<(), AppendError> {
        if self.is_compressed {
            let mut stored = FRAME_HEADER.to_vec();
            append_raw_blocks(&mut stored, head);
            self.append_whole([&stored, &[]])?;
        } else {
            self.append_whole([head, &[]])?;
        }
        self.count_raw([head, &[]]);
        Ok(())
    }

    /// Appends a chunk, and returns how many bytes it takes.
    pub(crate) fn append_chunk(
        &mut self,
        encoded: &mut EncodedBlock<'_>,
        kind: ChunkKind,
        tally: &BlockTally,
    ) -> Result<usize, AppendError> {
        if encoded.is_compressed != self.is_compressed {
            return Err(AppendError::OtherCompression);
        }
        let header = ChunkHeader {
            kind,
            segment_id: self.segment_id,
            index: self.chunks,
            offset: self.stored_bytes,
            // BLOCK_BYTES_MAX bounds both, and compression hardly ever adds to it.
            stored_bytes: encoded.payload().len() as u32,
            raw_bytes: encoded.raw.len() as u32,
            tally: *tally,
            payload_hash: encoded.payload_hash,
        }
        .to_block();
        if self.is_compressed {
            put(encoded.stored, 0, &stored_header(&header));
            self.append_whole([encoded.stored, &[]])?;
        } else {
            put(encoded.stored, 0, &header);
            self.append_whole([encoded.stored, encoded.raw])?;
        }
        self.chunks += 1;
        self.count_raw([&header, encoded.raw]);
        Ok(encoded.stored_bytes())
    }

    /// Appends what ends the file: in a compressed segment, the end of the zstd frame.
    pub(crate) fn append_end(&mut self) -> Result<(), AppendError> {
        if !self.is_compressed {
            return Ok(());
        }
        // A zstd frame's checksum is the low half of the hash.
        let checksum = (self.content_hash.value() as u32).to_le_bytes();
        self.append_whole([&LAST_BLOCK, &checksum])
    }

    /// Makes everything appended durable; an error poisons the file.
    pub(crate) fn sync(&mut self) -> Result<(), SyncError> {
        match self.health {
            Health::Sound => {}
            Health::Poisoned => return Err(SyncError::Poisoned),
            Health::Broken => return Err(SyncError::Broken),
        }
        retry_interrupted(|| self.file.sync()).map_err(|cause| {
            self.health = Health::Poisoned;
            SyncError::File(cause)
        })
    }

    /// Refuses if the file takes nothing more.
    pub(crate) fn refuse_unless_sound(&self) -> Result<(), AppendError> {
        match self.health {
            Health::Sound => Ok(()),
            Health::Poisoned => Err(AppendError::Poisoned),
            Health::Broken => Err(AppendError::Broken),
        }
    }

    fn count_raw(&mut self, parts: [&[u8]; 2]) {
        for part in parts {
            self.raw_bytes += part.len() as u64;
            // Only the end of a zstd frame needs the hash.
            if self.is_compressed {
                self.content_hash.add(part);
            }
        }
    }

    fn append_whole(&mut self, parts: [&[u8]; 2]) -> Result<(), AppendError> {
        self.refuse_unless_sound()?;
        let mut total = 0;
        for part in parts {
            let mut written = 0;
            while written < part.len() {
                let cause = match retry_interrupted(|| self.file.append(&part[written..])) {
                    Ok(0) => io::ErrorKind::WriteZero.into(),
                    Ok(some) => {
                        written += some.min(part.len() - written);
                        continue;
                    }
                    Err(cause) => cause,
                };
                return Err(self.cut(total + written, cause));
            }
            total += written;
        }
        self.stored_bytes += total as u64;
        Ok(())
    }

    /// Cuts off the `written` bytes of what could not be finished, and returns what to report.
    fn cut(&mut self, written: usize, cause: io::Error) -> AppendError {
        if written == 0 {
            return AppendError::Storage(cause);
        }
        let edge = self.stored_bytes;
        match retry_interrupted(|| self.file.truncate(edge)) {
            Ok(()) => AppendError::Storage(cause),
            Err(truncate) => {
                self.health = Health::Broken;
                AppendError::Break { cause, truncate }
            }
        }
    }
}

/// Makes a call again for as long as it says that it was interrupted or would have waited, within
/// bounds.
pub(crate) fn retry_interrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut interruptions = 0;
    loop {
        match call() {
            Err(error) if is_interruption(&error) && interruptions < INTERRUPTIONS_MAX => {
                interruptions += 1;
            }
            result => return result,
        }
    }
}

fn is_interruption(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}
