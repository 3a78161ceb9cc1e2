//! The segment file: pcapng blocks in zstd frames, sealed and rotated.
//!
//! A segment is a `*.pcapng.zst` file that Wireshark opens as it is, torn or whole. This crate owns
//! its format (`docs/format.md` says it to the byte): [`pcapng`] encodes blocks in place,
//! [`SegmentWriter`] appends them as frames and seals the file, [`SegmentNamer`] and
//! [`RotationPolicy`] say what the file is called and when it ends, and [`Directory`] is the real
//! storage under it. Nothing here knows DPDK.

mod directory;
mod encoder;
mod error;
mod frame_file;
mod naming;
pub mod pcapng;
mod rotation;
mod seek_table;
mod tally;
mod writer;

pub use directory::{Directory, DirectoryError, DirectoryFile};
pub use encoder::{Compression, EncodeError, EncodedFrame, FrameEncoder};
pub use error::{AppendError, CreateError, SealError, StorageCause, SyncError};
pub use frame_file::BLOCK_BYTES_MAX;
pub use naming::{
    Extension, NamePrefix, PART_SUFFIX, PREFIX_BYTES_MAX, PrefixError, SEQUENCE_MAX, SegmentName,
    SegmentNamer, UtcSecond,
};
pub use rotation::{RotateCause, RotationPolicy};
pub use seek_table::{
    SEEK_TABLE_FRAMES_MAX, SEEK_TABLE_MAGIC, SEEKABLE_MAGIC, SeekEntry, append_seek_table,
};
pub use tally::{BlockTally, Position};
pub use writer::{Appended, SealedSegment, SegmentHeader, SegmentOptions, SegmentWriter};
