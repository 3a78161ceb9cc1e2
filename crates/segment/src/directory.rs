//! The real storage: a directory, held open and locked, in which everything happens by file name.
//!
//! The directory's descriptor is opened once. A path that is swapped for another later, or for a
//! symbolic link, changes nothing: every call is relative to the descriptor.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, RenameFlags, SeekFrom, chmodat, fchmod,
    fdatasync, flock, fstat, fsync, ftruncate, linkat, mkdirat, openat, renameat_with, seek,
    unlinkat,
};
use rustix::io::Errno;
use weir_model::{ReadableStorage, Storage, StorageFile, StorageReader};

/// The file in the directory that the owner of the directory has locked. It is never removed: a
/// lock on a file that is unlinked guards nothing.
const LOCK_NAME: &str = ".weir.lock";

/// A directory could not be made ours.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It, or a directory above it, could not be created.
    #[error("could not create the directory {path:?}")]
    Create {
        /// The one that could not be created.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// It could not be opened: it is not a directory, or the path's last part is a symbolic link.
    #[error("could not open the directory {path:?}")]
    Open {
        /// The directory.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// Its lock file could not be used.
    #[error("could not lock the directory {path:?}")]
    Lock {
        /// The directory.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// Another process captures into it.
    #[error("the directory {path:?} is in use by another process")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
}

/// A directory of segments that this process alone writes to. Clones are the same directory, for
/// several writers; the lock goes when the last is dropped.
#[derive(Clone, Debug)]
pub struct Directory {
    directory: Arc<OwnedFd>,
    _lock: Arc<OwnedFd>,
    path: PathBuf,
}

impl Directory {
    /// Opens a directory and locks it. It is created, with the directories above it, if it is not
    /// there; what is created is for the owner alone (mode 0700, whatever the umask).
    ///
    /// # Errors
    ///
    /// [`DirectoryError`]; [`DirectoryError::InUse`] if another process has it, or another
    /// `Directory` of this one.
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        create_missing(path)?;
        let open = |cause: Errno| DirectoryError::Open { path: path.into(), cause: cause.into() };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = openat(CWD, path, flags, Mode::empty()).map_err(open)?;
        let lock = lock(&directory, path)?;
        Ok(Self { directory: Arc::new(directory), _lock: Arc::new(lock), path: path.into() })
    }

    /// Returns the path that the directory was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn create_missing(path: &Path) -> Result<(), DirectoryError> {
    let mut prefix = PathBuf::new();
    for component in path.components() {
        prefix.push(component);
        if !matches!(component, Component::Normal(_)) {
            continue;
        }
        let failed =
            |cause: Errno| DirectoryError::Create { path: prefix.clone(), cause: cause.into() };
        match mkdirat(CWD, &prefix, Mode::RWXU) {
            Ok(()) => finish_created(&prefix).map_err(failed)?,
            // Whether it is a directory that can be used is seen when the whole path is opened.
            Err(Errno::EXIST | Errno::ISDIR) => {}
            // A read-only file system says so even where the directory is there.
            Err(Errno::ROFS | Errno::ACCESS | Errno::PERM) if prefix.is_dir() => {}
            Err(cause) => return Err(failed(cause)),
        }
    }
    Ok(())
}

/// Undoes what the umask took from a directory that was just created, and makes its name durable:
/// what is synced inside it later would else be lost with it.
fn finish_created(path: &Path) -> Result<(), Errno> {
    // By its name: the umask may have left nothing that would allow to open it.
    chmodat(CWD, path, Mode::RWXU, AtFlags::empty())?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // The parent's last part may well be a symbolic link: it was there before us.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    fsync(openat(CWD, parent, flags, Mode::empty())?)
}

fn lock(directory: &OwnedFd, path: &Path) -> Result<OwnedFd, DirectoryError> {
    let failed = |cause: Errno| DirectoryError::Lock { path: path.into(), cause: cause.into() };
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(directory, LOCK_NAME, flags, owner_only()).map_err(failed)?;
    fchmod(&file, owner_only()).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(DirectoryError::InUse { path: path.into() }),
        Err(cause) => Err(failed(cause)),
    }
}

fn owner_only() -> Mode {
    Mode::RUSR | Mode::WUSR
}

impl Storage for Directory {
    type File = DirectoryFile;

    fn create(&mut self, name: &str) -> io::Result<DirectoryFile> {
        check_name(name)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.directory, name, flags, owner_only())?;
        // The umask may have taken the owner's bits too; it cannot have given any.
        fchmod(&file, owner_only())?;
        Ok(DirectoryFile { file })
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        check_name(from)?;
        check_name(to)?;
        let directory = &self.directory;
        match renameat_with(directory, from, directory, to, RenameFlags::NOREPLACE) {
            // The kernel or the file system does not have the flag.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => self.link_and_unlink(from, to),
            result => Ok(result?),
        }
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        check_name(name)?;
        Ok(unlinkat(&self.directory, name, AtFlags::empty())?)
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        Ok(fsync(&self.directory)?)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.directory)? {
            // A name that is not UTF-8 is no segment's.
            if let Ok(name) = entry?.file_name().to_str()
                && !matches!(name, "." | ".." | LOCK_NAME)
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }
}

impl ReadableStorage for Directory {
    type Reader = DirectoryReader;

    fn open(&self, name: &str) -> io::Result<DirectoryReader> {
        check_name(name)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(DirectoryReader { file: openat(&self.directory, name, flags, Mode::empty())? })
    }

    fn reopen(&mut self, name: &str) -> io::Result<DirectoryFile> {
        check_name(name)?;
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.directory, name, flags, Mode::empty())?;
        seek(&file, SeekFrom::End(0))?;
        Ok(DirectoryFile { file })
    }
}

impl Directory {
    /// Renames without `RENAME_NOREPLACE`: `link(2)` refuses a name that is taken. A crash between
    /// the two leaves both names of the one file, which recovery takes for sealed.
    fn link_and_unlink(&self, from: &str, to: &str) -> io::Result<()> {
        let directory = &self.directory;
        linkat(directory, from, directory, to, AtFlags::empty())?;
        Ok(unlinkat(directory, from, AtFlags::empty())?)
    }
}

/// Refuses what would leave the directory.
fn check_name(name: &str) -> io::Result<()> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(())
}

/// A file of a [`Directory`], open for writing.
#[derive(Debug)]
pub struct DirectoryFile {
    file: OwnedFd,
}

impl StorageFile for DirectoryFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(&self.file, bytes)?)
    }

    fn truncate(&mut self, length_bytes: u64) -> io::Result<()> {
        ftruncate(&self.file, length_bytes)?;
        seek(&self.file, SeekFrom::Start(length_bytes))?;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(fdatasync(&self.file)?)
    }
}

/// A file of a [`Directory`], open for reading.
#[derive(Debug)]
pub struct DirectoryReader {
    file: OwnedFd,
}

impl StorageReader for DirectoryReader {
    fn length_bytes(&self) -> io::Result<u64> {
        Ok(u64::try_from(fstat(&self.file)?.st_size).unwrap_or(0))
    }

    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::pread(&self.file, out, offset)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is done where a file system has no `RENAME_NOREPLACE`.
    #[test]
    fn renaming_by_link_and_unlink_overwrites_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let mut directory = Directory::open(parent.path()).unwrap();
        directory.create("a").unwrap();
        directory.create("b").unwrap();
        let refused = directory.link_and_unlink("a", "b").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        directory.link_and_unlink("a", "c").unwrap();
        let mut names = directory.list().unwrap();
        names.sort();
        assert_eq!(names, ["b", "c"]);
    }
}
