//! Where segments are kept: one directory of files, or a simulated disk.

use std::io;

/// A directory of segments. Names are plain file names, without a path.
pub trait Storage: Send {
    /// A file that is being written.
    type File: StorageFile;

    /// Creates `name` for writing. Never overwrites and never follows a symbolic link.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if the name is taken; else what the file system said.
    fn create(&mut self, name: &str) -> io::Result<Self::File>;

    /// Renames `from` to `to`, which must not exist.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if `to` is taken; else what the file system said.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Removes `name`.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such file; `Unsupported` where nothing can be removed; else what
    /// the file system said.
    fn remove(&mut self, name: &str) -> io::Result<()> {
        let _ = name;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes the names in the directory durable.
    ///
    /// # Errors
    ///
    /// What the file system said.
    fn sync_directory(&mut self) -> io::Result<()>;

    /// Returns the names in the directory, in no order.
    ///
    /// # Errors
    ///
    /// What the file system said.
    fn list(&self) -> io::Result<Vec<String>>;
}

/// A file that is being written, from its start to its end.
pub trait StorageFile: Send {
    /// Writes some of `bytes` at the end, and returns how many: as `write(2)`, it may be fewer.
    ///
    /// # Errors
    ///
    /// What the file system said. Nothing of `bytes` was written then.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Cuts the file to `length_bytes`, so that the next append starts there.
    ///
    /// # Errors
    ///
    /// What the file system said.
    fn truncate(&mut self, length_bytes: u64) -> io::Result<()>;

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    ///
    /// What the file system said. After an error, what was not durable before is lost for good:
    /// a later success says nothing about it.
    fn sync(&mut self) -> io::Result<()>;
}

/// A directory of segments that can be read again, and mended.
pub trait ReadableStorage: Storage {
    /// A file that is being read.
    type Reader: StorageReader;

    /// Opens `name` for reading. Never follows a symbolic link.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such file; else what the file system said.
    fn open(&self, name: &str) -> io::Result<Self::Reader>;

    /// Opens `name` for writing at its end, so that it can be cut and written on. Never creates it
    /// and never follows a symbolic link.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such file; else what the file system said.
    fn reopen(&mut self, name: &str) -> io::Result<Self::File>;
}

/// A file that is being read, anywhere in it.
pub trait StorageReader: Send {
    /// Returns how many bytes the file has now.
    ///
    /// # Errors
    ///
    /// What the file system said.
    fn length_bytes(&self) -> io::Result<u64>;

    /// Reads some of the bytes from `offset` on into `out`, and returns how many: as `pread(2)`, it
    /// may be fewer than asked for, and is 0 at the file's end.
    ///
    /// # Errors
    ///
    /// What the file system said.
    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> io::Result<usize>;
}

impl StorageReader for &[u8] {
    fn length_bytes(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let bytes = out.len().min(self.len() - start);
        out[..bytes].copy_from_slice(&self[start..start + bytes]);
        Ok(bytes)
    }
}
