//! The disk's state: files, names, limits, and the faults in force.

use std::collections::BTreeMap;
use std::io;

use rand::RngExt;
use rand_pcg::Pcg64;

use super::fault::{DiskOp, Effect, Fault, Latency};
use super::inode::{Inode, InodeId};
use crate::clock::ManualClock;
use crate::seed;

/// Which file each name stands for.
pub(super) type Names = BTreeMap<String, InodeId>;

#[derive(Debug)]
pub(super) struct State {
    pub(super) rng: Pcg64,
    pub(super) inodes: Vec<Inode>,
    pub(super) names: Names,
    pub(super) durable_names: Names,
    /// What happened to the names since the directory was last synced.
    pub(super) name_log: Vec<NameChange>,
    pub(super) free_bytes: Option<u64>,
    pub(super) free_inodes: Option<u64>,
    pub(super) short_write_ratio: f64,
    pub(super) interrupt_ratio: f64,
    pub(super) latency: Option<(ManualClock, Latency)>,
    pub(super) power_off_at: Option<u64>,
    pub(super) is_off: bool,
    faults: Vec<Fault>,
    ops: u64,
}

/// A change of the directory that is not durable yet.
#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Create(String, InodeId),
    Rename(String, String),
    Remove(String),
}

/// What the next operation will do beside its work.
struct Outcome {
    /// Bytes that an append writes at most.
    bytes_max: usize,
    /// The power goes off during the operation.
    loses_power: bool,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: seed::rng(seed),
            inodes: Vec::new(),
            names: Names::new(),
            durable_names: Names::new(),
            name_log: Vec::new(),
            free_bytes: None,
            free_inodes: None,
            short_write_ratio: 0.0,
            interrupt_ratio: 0.0,
            latency: None,
            power_off_at: None,
            is_off: false,
            faults: Vec::new(),
            ops: 0,
        }
    }

    pub(super) fn fork(&self, seed: u64) -> Self {
        Self {
            rng: seed::rng(seed),
            inodes: self.inodes.clone(),
            names: self.names.clone(),
            durable_names: self.durable_names.clone(),
            name_log: self.name_log.clone(),
            latency: self.latency.clone(),
            faults: self.faults.clone(),
            ..*self
        }
    }

    pub(super) fn inject(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(super) fn clear_faults(&mut self) {
        self.faults.clear();
    }

    pub(super) fn ops(&self) -> u64 {
        self.ops
    }

    pub(super) fn contents(&self, name: &str) -> Option<Vec<u8>> {
        self.names.get(name).map(|id| self.inodes[id.0].contents.clone())
    }

    pub(super) fn durable_contents(&self, name: &str) -> Option<Vec<u8>> {
        self.durable_names.get(name).map(|id| self.inodes[id.0].durable.clone())
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    pub(super) fn put(&mut self, name: &str, contents: Vec<u8>) {
        let durable = contents.clone();
        let id = self.add_inode(Inode { contents, durable, log: Vec::new() });
        self.names.insert(name.to_owned(), id);
        self.durable_names.insert(name.to_owned(), id);
    }

    pub(super) fn open(&mut self, name: &str) -> io::Result<InodeId> {
        if self.is_off {
            return Err(errno(libc::EIO));
        }
        self.names.get(name).copied().ok_or_else(|| errno(libc::ENOENT))
    }

    pub(super) fn create(&mut self, name: &str) -> io::Result<InodeId> {
        let outcome = self.begin(DiskOp::Create)?;
        if self.names.contains_key(name) {
            return Err(errno(libc::EEXIST));
        }
        if let Some(free) = &mut self.free_inodes {
            *free = free.checked_sub(1).ok_or_else(|| errno(libc::ENOSPC))?;
        }
        let id = self.add_inode(Inode::default());
        self.names.insert(name.to_owned(), id);
        self.name_log.push(NameChange::Create(name.to_owned(), id));
        self.end(outcome).map(|()| id)
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let outcome = self.begin(DiskOp::Rename)?;
        if self.names.contains_key(to) {
            return Err(errno(libc::EEXIST));
        }
        let id = self.names.remove(from).ok_or_else(|| errno(libc::ENOENT))?;
        self.names.insert(to.to_owned(), id);
        self.name_log.push(NameChange::Rename(from.to_owned(), to.to_owned()));
        self.end(outcome)
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        let outcome = self.begin(DiskOp::Remove)?;
        let id = self.names.remove(name).ok_or_else(|| errno(libc::ENOENT))?;
        self.name_log.push(NameChange::Remove(name.to_owned()));
        let freed_bytes = self.inodes[id.0].contents.len() as u64;
        self.free_bytes = self.free_bytes.map(|free| free + freed_bytes);
        self.free_inodes = self.free_inodes.map(|free| free + 1);
        self.end(outcome)
    }

    pub(super) fn sync_directory(&mut self) -> io::Result<()> {
        let outcome = self.begin(DiskOp::SyncDirectory)?;
        if !outcome.loses_power || self.rng.random() {
            self.durable_names = self.names.clone();
            self.name_log.clear();
        }
        self.end(outcome)
    }

    pub(super) fn list(&mut self) -> io::Result<Vec<String>> {
        let outcome = self.begin(DiskOp::List)?;
        self.end(outcome).map(|()| self.names())
    }

    pub(super) fn append(&mut self, id: InodeId, bytes: &[u8]) -> io::Result<usize> {
        let outcome = self.begin(DiskOp::Append)?;
        let mut count = bytes.len().min(outcome.bytes_max);
        if count > 1 && self.rng.random_bool(self.short_write_ratio) {
            count = self.rng.random_range(1..count);
        }
        if let Some(free) = &mut self.free_bytes {
            if *free == 0 && count > 0 {
                return Err(errno(libc::ENOSPC));
            }
            count = count.min(usize::try_from(*free).unwrap_or(usize::MAX));
            *free -= count as u64;
        }
        self.inodes[id.0].append(&bytes[..count]);
        if let Some((clock, latency)) = &self.latency {
            clock.advance_ns(count as u64 * latency.append_ns_per_kib / 1024);
        }
        self.end(outcome).map(|()| count)
    }

    pub(super) fn truncate(&mut self, id: InodeId, length_bytes: u64) -> io::Result<()> {
        let outcome = self.begin(DiskOp::Truncate)?;
        let length = usize::try_from(length_bytes).map_err(|_| errno(libc::EFBIG))?;
        let inode = &mut self.inodes[id.0];
        let before = inode.contents.len();
        inode.truncate(length);
        self.free_bytes =
            self.free_bytes.map(|free| (free + before as u64).saturating_sub(length_bytes));
        self.end(outcome)
    }

    pub(super) fn sync(&mut self, id: InodeId) -> io::Result<()> {
        let outcome = match self.begin(DiskOp::Sync) {
            Ok(outcome) => outcome,
            Err(error) => {
                if !self.is_off && error.kind() != io::ErrorKind::Interrupted {
                    self.inodes[id.0].fail_sync();
                }
                return Err(error);
            }
        };
        if !outcome.loses_power || self.rng.random() {
            self.inodes[id.0].sync();
        }
        self.end(outcome)
    }

    fn add_inode(&mut self, inode: Inode) -> InodeId {
        self.inodes.push(inode);
        InodeId(self.inodes.len() - 1)
    }

    /// Counts an operation and lets the faults have their say.
    fn begin(&mut self, op: DiskOp) -> io::Result<Outcome> {
        let loses_power = self.power_off_at == Some(self.ops);
        self.ops += 1;
        if self.is_off {
            return Err(errno(libc::EIO));
        }
        self.spend(op);
        let mut outcome = Outcome { bytes_max: usize::MAX, loses_power };
        let can_be_interrupted = matches!(op, DiskOp::Append | DiskOp::Sync);
        if can_be_interrupted && self.rng.random_bool(self.interrupt_ratio) {
            return self.end(outcome).and(Err(errno(libc::EINTR)));
        }
        let mut failure = None;
        for fault in &mut self.faults {
            if !fault.hits(op) {
                continue;
            }
            match fault.effect {
                Effect::Errno(number) => failure = failure.or(Some(number)),
                Effect::Short(bytes_max) => outcome.bytes_max = bytes_max.max(1),
                Effect::Delay(ns) => {
                    if let Some((clock, _)) = &self.latency {
                        clock.advance_ns(ns);
                    }
                }
            }
        }
        match failure {
            Some(number) => self.end(outcome).and(Err(errno(number))),
            None => Ok(outcome),
        }
    }

    /// Ends an operation that had its effect.
    fn end(&mut self, outcome: Outcome) -> io::Result<()> {
        if outcome.loses_power {
            self.is_off = true;
            return Err(errno(libc::EIO));
        }
        Ok(())
    }

    fn spend(&self, op: DiskOp) {
        if let Some((clock, latency)) = &self.latency {
            match op {
                DiskOp::Append => clock.advance_ns(latency.append_ns),
                DiskOp::Sync | DiskOp::SyncDirectory => clock.advance_ns(latency.sync_ns),
                _ => {}
            }
        }
    }
}

fn errno(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}
