//! A disk in memory that fails where a test says: full at a byte, short or failing writes, failing
//! syncs and renames, and a crash before any chosen operation.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use weir_model::{ReadableStorage, Storage, StorageFile, StorageReader};

/// What a disk does wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// The most bytes of all files together.
    pub(crate) bytes_max: Option<u64>,
    /// The most bytes that one write takes.
    pub(crate) write_bytes_max: Option<usize>,
    /// Every second write is interrupted first.
    pub(crate) interrupt_writes: bool,
    /// The operation, counted from 0, that fails, with what.
    pub(crate) fail_at: Option<(u64, io::ErrorKind)>,
    /// The operation, counted from 0, before which everything stops for good.
    pub(crate) crash_at: Option<u64>,
    /// Truncation fails.
    pub(crate) fail_truncate: bool,
    /// Only operations of this name are counted for `fail_at`.
    pub(crate) only: Option<&'static str>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Arc<Mutex<Vec<u8>>>>,
    faults: Faults,
    operations: u64,
    failable: u64,
    interrupted: bool,
}

/// The disk; clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct MemoryDisk(Arc<Mutex<State>>);

impl MemoryDisk {
    pub(crate) fn new(faults: Faults) -> Self {
        let disk = Self::default();
        disk.set_faults(faults);
        disk
    }

    /// Makes the disk do wrong from now on, counting operations anew.
    pub(crate) fn set_faults(&self, faults: Faults) {
        let mut state = self.state();
        (state.operations, state.failable) = (0, 0);
        state.faults = faults;
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        self.state().files.insert(name.to_owned(), Arc::new(Mutex::new(bytes.to_vec())));
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.state().files.get(name).map(|bytes| bytes.lock().unwrap().clone())
    }

    /// Returns every file.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.state();
        state
            .files
            .iter()
            .map(|(name, bytes)| (name.clone(), bytes.lock().unwrap().clone()))
            .collect()
    }

    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Counts an operation that changes something, and says whether it may happen.
    fn operation(&self, name: &'static str) -> io::Result<()> {
        let mut state = self.state();
        let at = state.operations;
        state.operations += 1;
        if state.faults.crash_at.is_some_and(|crash_at| at >= crash_at) {
            return Err(io::Error::other("the machine is off"));
        }
        if state.faults.only.is_some_and(|only| only != name) {
            return Ok(());
        }
        let failable = state.failable;
        state.failable += 1;
        match state.faults.fail_at {
            Some((fail_at, kind)) if fail_at == failable => Err(kind.into()),
            _ => Ok(()),
        }
    }
}

impl Storage for MemoryDisk {
    type File = MemoryFile;

    fn create(&mut self, name: &str) -> io::Result<MemoryFile> {
        self.operation("create")?;
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let mut state = self.state();
        if state.files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.insert(name.to_owned(), Arc::clone(&bytes));
        drop(state);
        Ok(MemoryFile { disk: self.clone(), bytes })
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.operation("rename")?;
        let mut state = self.state();
        if state.files.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let bytes = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.operation("remove")?;
        self.state().files.remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        self.operation("sync_directory")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().files.keys().cloned().collect())
    }
}

impl ReadableStorage for MemoryDisk {
    type Reader = MemoryReader;

    fn open(&self, name: &str) -> io::Result<MemoryReader> {
        self.bytes(name).map(MemoryReader).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn reopen(&mut self, name: &str) -> io::Result<MemoryFile> {
        self.operation("reopen")?;
        let bytes = self.state().files.get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(MemoryFile { disk: self.clone(), bytes })
    }
}

pub(crate) struct MemoryFile {
    disk: MemoryDisk,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl MemoryFile {
    /// Returns how many of `bytes` bytes the disk takes now.
    fn room(&self, bytes: usize) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.interrupted = state.faults.interrupt_writes && !state.interrupted;
        if state.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let used: u64 = state.files.values().map(|file| file.lock().unwrap().len() as u64).sum();
        let free = state.faults.bytes_max.map_or(u64::MAX, |max| max - used.min(max));
        let most = state.faults.write_bytes_max.unwrap_or(usize::MAX);
        let room = bytes.min(most).min(usize::try_from(free).unwrap_or(usize::MAX));
        if room == 0 && bytes != 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(room) }
    }
}

impl StorageFile for MemoryFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.operation("append")?;
        let room = self.room(bytes.len())?;
        self.bytes.lock().unwrap().extend_from_slice(&bytes[..room]);
        Ok(room)
    }

    fn truncate(&mut self, length_bytes: u64) -> io::Result<()> {
        self.disk.operation("truncate")?;
        if self.disk.state().faults.fail_truncate {
            return Err(io::Error::other("it cannot be cut"));
        }
        self.bytes.lock().unwrap().truncate(usize::try_from(length_bytes).unwrap());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.operation("sync")
    }
}

pub(crate) struct MemoryReader(Vec<u8>);

impl StorageReader for MemoryReader {
    fn length_bytes(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        // Short reads, which a reader has to put up with.
        let most = out.len().min(100_000);
        self.0.as_slice().read_at(offset, &mut out[..most])
    }
}
