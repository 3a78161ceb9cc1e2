//! The file under a segment: frames go in whole or not at all.
//!
//! Runs on: Output lcores. Allocates: 8 bytes of seek table for each frame, beyond those reserved.

use std::io;

use weir_model::StorageFile;

use crate::encoder::EncodedFrame;
use crate::error::{AppendError, SyncError};
use crate::seek_table::{SEEK_TABLE_FRAMES_MAX, SeekEntry, append_seek_table};

/// The most raw bytes of one block. It bounds what a reader must hold to decompress a frame.
pub const BLOCK_BYTES_MAX: usize = 64 << 20;

/// How often a call that was interrupted, or that would have waited, is made again. Signals cannot
/// come this often while a write makes no progress; whatever does would otherwise hold the lcore.
const INTERRUPTIONS_MAX: u32 = 10_000;

/// Frames that the seek table has room for before it grows: 4 GiB in blocks of 1 MiB.
const SEEK_ENTRIES_RESERVED: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Sound,
    /// A sync failed: what is on the disk is not known, and never will be.
    Poisoned,
    /// A frame could be neither finished nor cut off: the file ends in half a frame.
    Broken,
}

/// A file of frames.
pub(crate) struct FrameFile<F> {
    file: F,
    health: Health,
    stored_bytes: u64,
    raw_bytes: u64,
    entries: Vec<SeekEntry>,
}

impl<F: StorageFile> FrameFile<F> {
    /// Takes a file that is empty.
    pub(crate) fn new(file: F) -> Self {
        let entries = Vec::with_capacity(SEEK_ENTRIES_RESERVED);
        Self { file, health: Health::Sound, stored_bytes: 0, raw_bytes: 0, entries }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.health == Health::Sound
    }

    /// Returns the file's length, up to the last frame's edge.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// Returns how many bytes of pcapng the frames hold.
    pub(crate) fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }

    /// Appends a frame.
    pub(crate) fn append(&mut self, frame: &EncodedFrame<'_>) -> Result<(), AppendError> {
        if frame.raw_bytes > BLOCK_BYTES_MAX {
            return Err(AppendError::BlockTooLarge { raw_bytes: frame.raw_bytes });
        }
        self.append_whole(frame.bytes)?;
        // Both fit: a frame is hardly larger than its block, which BLOCK_BYTES_MAX bounds.
        self.entries.push(SeekEntry {
            stored_bytes: frame.bytes.len() as u32,
            raw_bytes: frame.raw_bytes as u32,
        });
        self.raw_bytes += frame.raw_bytes as u64;
        Ok(())
    }

    /// Appends the seek table of all frames so far. A segment of more frames than the format allows
    /// goes without.
    pub(crate) fn append_seek_table(&mut self) -> Result<(), AppendError> {
        if self.entries.len() > SEEK_TABLE_FRAMES_MAX {
            return Ok(());
        }
        let mut table = Vec::new();
        append_seek_table(&mut table, &self.entries);
        self.append_whole(&table)
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

    fn append_whole(&mut self, bytes: &[u8]) -> Result<(), AppendError> {
        self.refuse_unless_sound()?;
        let mut written = 0;
        while written < bytes.len() {
            match retry_interrupted(|| self.file.append(&bytes[written..])) {
                Ok(0) => return Err(self.cut(written, io::ErrorKind::WriteZero.into())),
                Ok(some) => written += some.min(bytes.len() - written),
                Err(cause) => return Err(self.cut(written, cause)),
            }
        }
        self.stored_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Cuts off the `written` bytes of a frame that could not be finished, and returns what to
    /// report.
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
