//! The segment file: pcapng in one zstd frame, block by block, sealed and rotated.
//!
//! A segment is a `*.pcapng.zst` file that Wireshark opens as it is, torn or whole. This crate owns
//! its format (`docs/format.md` says it to the byte): [`pcapng`] encodes blocks in place,
//! [`SegmentWriter`] appends them as chunks and seals the file, [`SegmentNamer`] and
//! [`RotationPolicy`] say what the file is called and when it ends, and [`Directory`] is the real
//! storage under it. [`verify`] and [`recover`] read segments back. Nothing here knows DPDK.

mod bytes;
mod chunk;
mod directory;
mod encoder;
mod error;
mod head;
mod naming;
pub mod pcapng;
mod read;
mod rotation;
mod segment_file;
mod tally;
mod writer;
pub mod zstd_frame;

pub use chunk::{
    BLOCK_TYPE_CHUNK, CHUNK_HEADER_BYTES, CHUNK_HEADER_STORED_BYTES, ChunkHeader, ChunkKind,
    FORMAT_VERSION,
};
pub use directory::{Directory, DirectoryError, DirectoryFile, DirectoryReader};
pub use encoder::{BLOCK_BYTES_MAX, BlockEncoder, Compression, EncodeError, EncodedBlock};
pub use error::{AppendError, CreateError, SealError, StorageCause, SyncError};
pub use head::{BLOCK_TYPE_HEAD, BLOCK_TYPE_HEAD_COPY, HEAD_BYTES_MAX, SegmentHead};
pub use naming::{
    Extension, FileState, NamePrefix, PREFIX_BYTES_MAX, PrefixError, SEQUENCE_MAX, SegmentName,
    SegmentNamer, UtcSecond,
};
pub use read::{
    ChunkDecoder, Damage, DamageKind, DecodeError, FoundChunk, FoundHead, HeadSource, Part,
    RecoverError, Recovered, RecoveredFile, RecoveredSegment, Verified, Walk, recover, recover_all,
    verify,
};
pub use rotation::{RotateCause, RotationPolicy};
pub use tally::{BlockTally, Position};
pub use writer::{Appended, SealedSegment, SegmentHeader, SegmentOptions, SegmentWriter};
