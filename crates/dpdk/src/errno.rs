//! Error numbers, as DPDK returns them.

use core::fmt;

/// An `errno`, or one of the few numbers beyond that DPDK adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// Returns what this thread's last failed call of DPDK left in `rte_errno`. It must be the
    /// very next call after the one that failed.
    #[allow(unsafe_code, reason = "reads a thread-local of DPDK")]
    pub(crate) fn last() -> Self {
        // SAFETY: `shim_errno` has no preconditions: it reads a thread-local integer.
        Self(unsafe { weir_dpdk_sys::shim_errno() })
    }

    /// Makes an error of the negative number that most of DPDK's functions return.
    pub(crate) fn from_return(ret: i32) -> Self {
        Self(ret.wrapping_neg())
    }

    /// Returns `Ok` for a return value of zero or more, and the error for a negative one.
    pub(crate) fn check(ret: i32) -> Result<(), Self> {
        if ret < 0 { Err(Self::from_return(ret)) } else { Ok(()) }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::io::Error::from_raw_os_error(self.0).fmt(f)
    }
}

impl core::error::Error for Errno {}
