//! The EAL: DPDK's start and end, once in a process.
//!
//! Everything else in this crate holds a reference to [`Eal`]'s inside, so `rte_eal_cleanup` runs
//! when the last port, ring and burst is gone, whatever order they are dropped in.

#![allow(unsafe_code, reason = "calls DPDK")]

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use weir_dpdk_sys as sys;

use crate::{AffinityMask, Errno};

/// What stands as the program's name before the EAL's arguments.
const PROGRAM_NAME: &CStr = c"weir";

/// Whether this process has ever started the EAL, which it can do once.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Why the EAL did not start.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EalError {
    /// The EAL can be started once in a process, and was.
    #[error("the EAL was already started in this process, which can be done once")]
    AlreadyStarted,
    /// An argument has a NUL byte in it.
    #[error("EAL argument {index} has a NUL byte in it")]
    NulInArgument {
        /// Its place among the arguments.
        index: usize,
    },
    /// The thread's affinity could not be read.
    #[error("the thread's CPU affinity could not be read: {0}")]
    Affinity(Errno),
    /// The EAL read its arguments up to one that is no option.
    #[error("the EAL does not understand the argument {argument:?}")]
    ArgumentNotTaken {
        /// The first argument that it left.
        argument: String,
    },
    /// `rte_eal_init` failed. It has logged why.
    #[error("the EAL did not start ({0}); what it logged says why")]
    Init(Errno),
    /// The mbuf field for timestamps could not be had.
    #[error("no mbuf field for timestamps could be registered: {0}")]
    Timestamps(Errno),
}

/// DPDK's environment abstraction layer, started.
///
/// Dropping it lets the EAL go as soon as nothing that was made from it is left.
#[derive(Debug)]
pub struct Eal {
    pub(crate) inner: Arc<EalInner>,
}

/// What everything that was made from the EAL holds on to.
pub(crate) struct EalInner {
    pub(crate) stamps: sys::shim_stamps,
    /// Held while a lcore is given work: the EAL's hand-over is one pipe for each, unguarded.
    pub(crate) launching: Mutex<()>,
    /// DPDK's numbers of the ports that have an owner.
    pub(crate) ports_taken: Mutex<BTreeSet<u16>>,
    affinity_before: AffinityMask,
    /// The EAL keeps pointers into its arguments.
    _args: Vec<CString>,
}

impl Eal {
    /// Starts the EAL with `args`, as on a command line but without the program's name, and
    /// registers the mbuf field that carries timestamps.
    ///
    /// The calling thread becomes the main lcore and is pinned to its CPU, and so are threads that
    /// it makes from now on: [`affinity_before`](Self::affinity_before) has the mask to give them
    /// instead. Log level and destination are the EAL's arguments too (`--log-level`,
    /// `--syslog`). A vdev whose probe fails is logged by the EAL and is not an error here: it
    /// is one when [`Port::by_name`](crate::Port::by_name) does not find it. The arguments `-h`
    /// and `--help` end the process.
    ///
    /// # Errors
    ///
    /// [`EalError`]. After [`EalError::Init`] the process cannot try again.
    pub fn init(args: &[String]) -> Result<Self, EalError> {
        let args = argv(args)?;
        if STARTED.swap(true, Ordering::AcqRel) {
            return Err(EalError::AlreadyStarted);
        }
        let affinity_before = AffinityMask::of_current_thread().map_err(EalError::Affinity)?;
        init_eal(&args).inspect_err(|_| restore(&affinity_before))?;
        let mut stamps = sys::shim_stamps::default();
        // SAFETY: the EAL is up, and `stamps` is a place to write to.
        let registered = unsafe { sys::shim_stamps_register(&raw mut stamps) };
        if let Err(errno) = Errno::check(registered) {
            clean_up();
            restore(&affinity_before);
            return Err(EalError::Timestamps(errno));
        }
        Ok(Self {
            inner: Arc::new(EalInner {
                stamps,
                launching: Mutex::new(()),
                ports_taken: Mutex::new(BTreeSet::new()),
                affinity_before,
                _args: args,
            }),
        })
    }

    /// Returns the CPUs that the calling thread of [`init`](Self::init) could run on before the
    /// EAL pinned it.
    pub fn affinity_before(&self) -> &AffinityMask {
        &self.inner.affinity_before
    }

    /// Returns the version of the DPDK that is running, such as `DPDK 22.11.11`.
    pub fn version(&self) -> String {
        // SAFETY: `rte_version` has no preconditions and returns a C string that lives for ever.
        unsafe { CStr::from_ptr(sys::rte_version()) }.to_string_lossy().into_owned()
    }

    /// Makes the calling thread, which is no lcore, known to the EAL, so that mempools keep a
    /// cache for it. It lasts until the value that is returned is dropped.
    ///
    /// # Errors
    ///
    /// `ENOMEM` where no lcore number is free; `EINVAL` with secondary processes.
    pub fn register_thread(&self) -> Result<RegisteredThread, Errno> {
        // SAFETY: the EAL is up; any thread may call this, a registered one again as well.
        if unsafe { sys::rte_thread_register() } < 0 {
            return Err(Errno::last());
        }
        Ok(RegisteredThread { _eal: Arc::clone(&self.inner), _not_send: core::marker::PhantomData })
    }
}

/// A thread that the EAL knows, until this is dropped.
pub struct RegisteredThread {
    _eal: Arc<EalInner>,
    _not_send: core::marker::PhantomData<*const ()>,
}

impl Drop for RegisteredThread {
    fn drop(&mut self) {
        // SAFETY: this thread registered itself when the value was made; the value is not `Send`.
        unsafe { sys::rte_thread_unregister() }
    }
}

// SAFETY: `stamps` is plain data that is not written after `init`; the rest is `Send` by itself.
unsafe impl Send for EalInner {}
// SAFETY: as above; everything that changes is behind a mutex.
unsafe impl Sync for EalInner {}

impl EalInner {
    /// Returns where timestamps live in an mbuf.
    #[inline]
    pub(crate) fn stamps(&self) -> *const sys::shim_stamps {
        &raw const self.stamps
    }
}

impl core::fmt::Debug for EalInner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Eal").finish_non_exhaustive()
    }
}

impl Drop for EalInner {
    fn drop(&mut self) {
        // Cleaning up unmaps the memory and stops the service threads: only the main lcore may do
        // it, and only while no other lcore runs anything. Else the process's end does it as well.
        // SAFETY: no preconditions; the EAL is up until `clean_up`.
        let on_main = unsafe { sys::rte_lcore_id() == sys::rte_get_main_lcore() };
        if on_main && crate::lcore::all_idle() {
            clean_up();
        }
    }
}

fn argv(args: &[String]) -> Result<Vec<CString>, EalError> {
    core::iter::once(Ok(PROGRAM_NAME.to_owned()))
        .chain(args.iter().enumerate().map(|(index, arg)| {
            CString::new(arg.as_str()).map_err(|_| EalError::NulInArgument { index })
        }))
        .collect()
}

fn init_eal(args: &[CString]) -> Result<(), EalError> {
    let mut pointers: Vec<*mut c_char> = args.iter().map(|arg| arg.as_ptr().cast_mut()).collect();
    let count = c_int::try_from(pointers.len()).map_err(|_| EalError::Init(Errno(libc::E2BIG)))?;
    // A C program's argv ends in NULL, and getopt may look.
    pointers.push(core::ptr::null_mut());
    // SAFETY: `pointers` has `count` C strings and a NULL after them, which outlive the call and
    // (kept by `EalInner`) the EAL. getopt reorders the pointers and writes none of the strings.
    let taken = unsafe { sys::rte_eal_init(count, pointers.as_mut_ptr()) };
    if taken < 0 {
        return Err(EalError::Init(Errno::last()));
    }
    let left = usize::try_from(taken).map_or(0, |taken| taken + 1);
    if left < args.len() {
        // SAFETY: a pointer among the first `count` is one of ours, however they were reordered.
        let argument = unsafe { CStr::from_ptr(pointers[left]) }.to_string_lossy().into_owned();
        clean_up();
        return Err(EalError::ArgumentNotTaken { argument });
    }
    Ok(())
}

fn clean_up() {
    // SAFETY: the EAL is up, nothing made from it is left, and no lcore runs anything.
    unsafe { sys::rte_eal_cleanup() };
}

fn restore(affinity: &AffinityMask) {
    // The error that is on its way to the caller matters more than this one.
    let _ = affinity.apply_to_current_thread();
}
