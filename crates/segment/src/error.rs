//! What goes wrong while a segment is written.

use std::io;

use crate::encoder::EncodeError;

/// What kind of trouble a storage error is, for counters and for what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StorageCause {
    /// There is no room: the disk, the quota, or the largest file is full. Room may come.
    DiskFull,
    /// Anything else.
    IoError,
}

impl StorageCause {
    /// Returns what kind of trouble `error` is.
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::DiskFull,
            _ => Self::IoError,
        }
    }

    /// Returns the name that stands in counters and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::IoError => "io_error",
        }
    }
}

/// A block is not in the segment.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// It could not be written. The segment is as it was before, and takes more.
    #[error("could not write a chunk")]
    Storage(#[source] io::Error),
    /// It could not be written, and what was written of it could not be cut off. The segment is
    /// broken from now on: it ends in half a chunk.
    #[error("could not write a chunk, and could not cut it off ({truncate})")]
    Break {
        /// Why it could not be written.
        #[source]
        cause: io::Error,
        /// Why it could not be cut off.
        truncate: io::Error,
    },
    /// The segment broke before.
    #[error("the segment ends in half a chunk")]
    Broken,
    /// A sync of the segment failed before.
    #[error("a sync of the segment failed before")]
    Poisoned,
    /// The block was encoded for another kind of segment: compressed for a plain one, or plain for
    /// a compressed one.
    #[error("the block was encoded for another kind of segment")]
    OtherCompression,
    /// It could not be encoded.
    #[error(transparent)]
    Encode(EncodeError),
}

impl AppendError {
    /// Returns what kind of trouble the storage has, if it is the storage's.
    pub fn storage_cause(&self) -> Option<StorageCause> {
        match self {
            Self::Storage(cause) | Self::Break { cause, .. } => Some(StorageCause::of(cause)),
            Self::Broken | Self::Poisoned => Some(StorageCause::IoError),
            Self::OtherCompression | Self::Encode(_) => None,
        }
    }
}

/// What was written is not known to be durable.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The file's sync failed. The segment is poisoned from now on.
    #[error("could not sync the segment")]
    File(#[source] io::Error),
    /// The file is durable, but its name may not be. It can be tried again.
    #[error("could not sync the directory")]
    Directory(#[source] io::Error),
    /// A sync of the segment failed before.
    #[error("a sync of the segment failed before")]
    Poisoned,
    /// The segment broke before: it ends in half a chunk.
    #[error("the segment ends in half a chunk")]
    Broken,
}

impl SyncError {
    /// Returns what kind of trouble the storage has.
    pub fn storage_cause(&self) -> StorageCause {
        match self {
            Self::File(cause) | Self::Directory(cause) => StorageCause::of(cause),
            Self::Poisoned | Self::Broken => StorageCause::IoError,
        }
    }
}

/// No segment was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is no encoder as the options want it.
    #[error(transparent)]
    Encode(EncodeError),
    /// Every name that was tried is taken.
    #[error("the names up to {last} are taken")]
    NamesTaken {
        /// The last name that was tried.
        last: String,
    },
    /// The ten digits of the sequence number are used up.
    #[error("the sequence numbers are used up")]
    NamesUsedUp,
    /// The section header and the interfaces have more bytes than a head holds.
    #[error("a head of {bytes} bytes is too large; at most {} are allowed", crate::HEAD_BYTES_MAX)]
    HeadTooLarge {
        /// How many they have.
        bytes: usize,
    },
    /// Two interfaces have different link types or snaplens. pcapng allows it, but libpcap, and so
    /// tcpdump, refuses to read such a file.
    #[error("interface {index} has another link type or snaplen than interface 0")]
    InterfacesDiffer {
        /// The first interface that differs from interface 0.
        index: usize,
    },
    /// The file could not be created.
    #[error("could not create {part}")]
    File {
        /// Its name.
        part: String,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The file's head could not be written.
    #[error("could not write the head of {part}")]
    Head {
        /// Its name.
        part: String,
        /// Whether the file could be removed again.
        removed: bool,
        /// Why not.
        #[source]
        cause: AppendError,
    },
}

impl CreateError {
    /// Returns what kind of trouble the storage has, if it is the storage's.
    pub fn storage_cause(&self) -> Option<StorageCause> {
        match self {
            Self::File { cause, .. } => Some(StorageCause::of(cause)),
            Self::Head { cause, .. } => cause.storage_cause(),
            Self::Encode(_)
            | Self::NamesTaken { .. }
            | Self::NamesUsedUp
            | Self::HeadTooLarge { .. }
            | Self::InterfacesDiffer { .. } => None,
        }
    }
}

/// A segment is not sealed. Its file is whole and keeps what was written.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Its end could not be written.
    #[error("could not write the end of {part}")]
    Append {
        /// The name that the file keeps.
        part: String,
        /// Why not.
        #[source]
        cause: AppendError,
    },
    /// It could not be made durable.
    #[error("could not sync {part}")]
    Sync {
        /// The name that the file keeps.
        part: String,
        /// Why not.
        #[source]
        cause: SyncError,
    },
    /// It could not get its final name; `AlreadyExists` if that is taken.
    #[error("could not rename {part}")]
    Rename {
        /// The name that the file keeps.
        part: String,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// It has its final name, but after a power loss it may have the old one.
    #[error("could not sync the directory of {name}")]
    Directory {
        /// The name that the file has.
        name: String,
        /// Why not.
        #[source]
        cause: io::Error,
    },
}

impl SealError {
    /// Returns what kind of trouble the storage has, if it is the storage's.
    pub fn storage_cause(&self) -> Option<StorageCause> {
        match self {
            Self::Append { cause, .. } => cause.storage_cause(),
            Self::Sync { cause, .. } => Some(cause.storage_cause()),
            Self::Rename { cause, .. } | Self::Directory { cause, .. } => {
                Some(StorageCause::of(cause))
            }
        }
    }

    /// Returns the name that the file has now.
    pub fn file_name(&self) -> &str {
        match self {
            Self::Append { part, .. } | Self::Sync { part, .. } | Self::Rename { part, .. } => part,
            Self::Directory { name, .. } => name,
        }
    }
}
