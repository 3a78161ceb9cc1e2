//! Which CPUs a thread may run on.
//!
//! The EAL pins the thread that starts it to one CPU, and every thread that is made from there
//! inherits the pin. So the mask is saved before, for threads that are no lcores.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Errno;

/// A set of CPUs that a thread may run on.
#[derive(Clone, PartialEq, Eq)]
pub struct AffinityMask(CpuSet);

impl AffinityMask {
    /// Returns the calling thread's mask.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub fn of_current_thread() -> Result<Self, Errno> {
        sched_getaffinity(None).map(Self).map_err(|e| Errno(e.raw_os_error()))
    }

    /// Lets the calling thread run on these CPUs, and on no other.
    ///
    /// # Errors
    ///
    /// What the kernel said: `EINVAL` if none of the CPUs is there for this process.
    pub fn apply_to_current_thread(&self) -> Result<(), Errno> {
        sched_setaffinity(None, &self.0).map_err(|e| Errno(e.raw_os_error()))
    }

    /// Returns the CPUs' numbers, ascending.
    pub fn cpus(&self) -> Vec<usize> {
        (0..CpuSet::MAX_CPU).filter(|&cpu| self.0.is_set(cpu)).collect()
    }
}

impl core::fmt::Debug for AffinityMask {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("AffinityMask").field(&self.cpus()).finish()
    }
}
