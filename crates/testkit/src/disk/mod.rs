//! A disk in memory that fails as disks do, and remembers what would survive a power loss.
//!
//! What a file system promises is little, and this disk promises no more: appended bytes are
//! durable after a [`sync`](StorageFile::sync) of their file that returned `Ok`, and names after a
//! [`sync_directory`](Storage::sync_directory). A failed sync loses what was not durable for good,
//! whatever later syncs say. [`SimDisk::crash`] makes the worst of it.

mod crash;
mod fault;
mod inode;
mod state;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_model::{Storage, StorageFile};

pub use crash::CrashModel;
pub use fault::{DiskOp, Fault, Latency};

use crate::clock::ManualClock;
use inode::InodeId;
use state::State;

/// A directory on a simulated disk. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<State>>);

/// A file on a simulated disk, open for writing.
#[derive(Debug)]
pub struct SimFile {
    disk: SimDisk,
    inode: InodeId,
}

impl SimDisk {
    /// An empty disk without limits or faults; `seed` chooses whatever is left to chance.
    pub fn new(seed: u64) -> Self {
        Self::from_state(State::new(seed))
    }

    fn from_state(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets how many bytes are free from now on; `None` is no limit. An append that does not fit
    /// writes what does, and `ENOSPC` comes when nothing does.
    pub fn set_free_bytes(&self, free_bytes: Option<u64>) {
        self.state().free_bytes = free_bytes;
    }

    /// Returns how many bytes are free, if there is a limit.
    pub fn free_bytes(&self) -> Option<u64> {
        self.state().free_bytes
    }

    /// Sets how many files can be created from now on; `None` is no limit.
    pub fn set_free_inodes(&self, free_inodes: Option<u64>) {
        self.state().free_inodes = free_inodes;
    }

    /// Adds a fault. It counts operations from now on.
    pub fn inject(&self, fault: Fault) {
        self.state().inject(fault);
    }

    /// Removes all faults that were injected.
    pub fn clear_faults(&self) {
        self.state().clear_faults();
    }

    /// Makes this share of appends write fewer bytes than they were given.
    pub fn set_short_writes(&self, ratio: f64) {
        self.state().short_write_ratio = ratio;
    }

    /// Makes this share of appends and syncs fail with `EINTR`, without effect.
    pub fn set_interrupts(&self, ratio: f64) {
        self.state().interrupt_ratio = ratio;
    }

    /// Lets `clock` advance by what each operation takes.
    pub fn set_latency(&self, clock: ManualClock, latency: Latency) {
        self.state().latency = Some((clock, latency));
    }

    /// Returns how many operations there were (all of [`DiskOp`]), failed ones too.
    pub fn ops(&self) -> u64 {
        self.state().ops()
    }

    /// Cuts the power in the middle of the operation that [`ops`](Self::ops) counts as `op`
    /// (0 is the first of all): it may or may not have its effect, and all later ones fail with
    /// `EIO`. [`crash`](Self::crash) then tells what a restart finds.
    pub fn power_off_at(&self, op: u64) {
        self.state().power_off_at = Some(op);
    }

    /// Returns whether the power is off.
    pub fn is_off(&self) -> bool {
        self.state().is_off
    }

    /// Cuts the power and returns the disk as a restart finds it, without limits and faults.
    /// Whatever still holds the old disk gets `EIO`.
    pub fn crash(&self, model: CrashModel) -> Self {
        Self::from_state(self.state().crash(model))
    }

    /// Returns a copy of the disk as it is, so that one state can crash in many ways.
    pub fn fork(&self, seed: u64) -> Self {
        Self::from_state(self.state().fork(seed))
    }

    /// Returns what a reader finds under `name`.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        self.state().contents(name)
    }

    /// Returns what is certain to be found under `name` after a crash now: `None` if not even the
    /// name is.
    pub fn durable_contents(&self, name: &str) -> Option<Vec<u8>> {
        self.state().durable_contents(name)
    }

    /// Returns the names in the directory, sorted.
    pub fn names(&self) -> Vec<String> {
        self.state().names()
    }

    /// Puts a durable file there, as if it had been there for ever.
    pub fn put(&self, name: &str, contents: Vec<u8>) {
        self.state().put(name, contents);
    }

    /// Opens a file that is there, to append to it, as recovery does.
    ///
    /// # Errors
    ///
    /// `NotFound`, or `EIO` when the power is off.
    pub fn open(&self, name: &str) -> io::Result<SimFile> {
        let inode = self.state().open(name)?;
        Ok(SimFile { disk: self.clone(), inode })
    }
}

impl Storage for SimDisk {
    type File = SimFile;

    fn create(&mut self, name: &str) -> io::Result<SimFile> {
        let inode = self.state().create(name)?;
        Ok(SimFile { disk: self.clone(), inode })
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.state().rename(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.state().remove(name)
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        self.state().sync_directory()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.state().list()
    }
}

impl StorageFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.state().append(self.inode, bytes)
    }

    fn truncate(&mut self, length_bytes: u64) -> io::Result<()> {
        self.disk.state().truncate(self.inode, length_bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.state().sync(self.inode)
    }
}
