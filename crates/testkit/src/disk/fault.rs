//! Faults that a test orders.

/// What can be asked of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiskOp {
    /// Creating a file.
    Create,
    /// Appending to a file.
    Append,
    /// Truncating a file.
    Truncate,
    /// Syncing a file.
    Sync,
    /// Renaming a file.
    Rename,
    /// Removing a file.
    Remove,
    /// Syncing the directory.
    SyncDirectory,
    /// Listing the directory.
    List,
}

/// A fault in some operations of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub(crate) op: DiskOp,
    pub(crate) effect: Effect,
    /// Operations of the kind that still go well.
    pub(crate) skip: u64,
    /// Operations that are hit after those.
    pub(crate) times: u64,
}

/// What a fault does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Effect {
    /// Nothing happens but an error.
    Errno(i32),
    /// An append writes this many bytes at most, and one at least.
    Short(usize),
    /// The operation takes longer.
    Delay(u64),
}

impl Fault {
    /// Fails the `nth` operation from now (1 is the next) of kind `op`, once, with a
    /// `libc` error number such as [`libc::EIO`].
    pub fn nth(op: DiskOp, nth: u64, errno: i32) -> Self {
        Self::at(op, nth, Effect::Errno(errno))
    }

    /// Makes the `nth` append from now write `bytes_max` bytes at most (but one at least).
    pub fn short(nth: u64, bytes_max: usize) -> Self {
        Self::at(DiskOp::Append, nth, Effect::Short(bytes_max))
    }

    /// Makes the `nth` operation from now of kind `op` take `delay_ns` longer, by the clock of
    /// [`SimDisk::set_latency`](crate::SimDisk::set_latency).
    pub fn slow(op: DiskOp, nth: u64, delay_ns: u64) -> Self {
        Self::at(op, nth, Effect::Delay(delay_ns))
    }

    fn at(op: DiskOp, nth: u64, effect: Effect) -> Self {
        Self { op, effect, skip: nth.saturating_sub(1), times: 1 }
    }

    /// Hits this many operations in a row.
    pub fn times(self, times: u64) -> Self {
        Self { times, ..self }
    }

    /// Hits all operations from the first one on.
    pub fn forever(self) -> Self {
        self.times(u64::MAX)
    }

    /// Counts an operation, and returns whether it is hit.
    pub(crate) fn hits(&mut self, op: DiskOp) -> bool {
        if self.op != op {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        let is_hit = self.times > 0;
        self.times = self.times.saturating_sub(1);
        is_hit
    }
}

/// What operations cost in time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    /// Each append, in nanoseconds.
    pub append_ns: u64,
    /// Each KiB appended, in nanoseconds.
    pub append_ns_per_kib: u64,
    /// Each sync of a file or the directory, in nanoseconds.
    pub sync_ns: u64,
}
