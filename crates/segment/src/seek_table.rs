//! zstd's seekable format: the table of frames that ends a sealed segment.
//!
//! The format is version 0.1.0 of `zstd_seekable_compression_format.md` in zstd's
//! `contrib/seekable_format`. The table is a skippable frame, so that every decoder passes over it.

/// The magic of the skippable frame that a seek table is in.
pub const SEEK_TABLE_MAGIC: u32 = 0x184D_2A5E;

/// The magic at the end of a seek table, and so at the end of the file.
pub const SEEKABLE_MAGIC: u32 = 0x8F92_EAB1;

/// The most frames that a seek table holds (`ZSTD_SEEKABLE_MAXFRAMES`).
pub const SEEK_TABLE_FRAMES_MAX: usize = 0x0800_0000;

const SKIPPABLE_HEADER_BYTES: usize = 8;
const ENTRY_BYTES: usize = 8;
const FOOTER_BYTES: usize = 9;
/// The footer's descriptor: no checksums of frames in the table, for each frame has its own.
const DESCRIPTOR: u8 = 0;

/// The size of one frame, stored and raw, in bytes. A skippable frame has 0 raw bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeekEntry {
    /// Bytes in the file.
    pub stored_bytes: u32,
    /// Bytes when decompressed.
    pub raw_bytes: u32,
}

/// Appends a seek table to `out`.
///
/// # Panics
///
/// If there are more than [`SEEK_TABLE_FRAMES_MAX`] entries.
pub fn append_seek_table(out: &mut Vec<u8>, entries: &[SeekEntry]) {
    assert!(entries.len() <= SEEK_TABLE_FRAMES_MAX, "too many frames for a seek table");
    let content_bytes = entries.len() * ENTRY_BYTES + FOOTER_BYTES;
    out.reserve(SKIPPABLE_HEADER_BYTES + content_bytes);
    out.extend_from_slice(&SEEK_TABLE_MAGIC.to_le_bytes());
    out.extend_from_slice(&(content_bytes as u32).to_le_bytes());
    for entry in entries {
        out.extend_from_slice(&entry.stored_bytes.to_le_bytes());
        out.extend_from_slice(&entry.raw_bytes.to_le_bytes());
    }
    out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    out.push(DESCRIPTOR);
    out.extend_from_slice(&SEEKABLE_MAGIC.to_le_bytes());
}
