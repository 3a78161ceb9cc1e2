//! Lcores: the EAL's pinned threads, and giving them work.

#![allow(unsafe_code, reason = "calls DPDK")]

use std::any::Any;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use weir_dpdk_sys as sys;
use weir_model::LcoreId;

use crate::{Eal, Errno};

/// An lcore and where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lcore {
    /// Its number.
    pub id: LcoreId,
    /// The CPU that it is pinned to; of several that it may float over, the first.
    pub cpu: usize,
    /// The NUMA node of that CPU.
    pub socket: u32,
    /// Whether it is the thread that started the EAL, which takes no work by
    /// [`launch`](Eal::launch).
    pub is_main: bool,
}

/// Why an lcore did not take work.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LaunchError {
    /// There is no such lcore.
    #[error("there is no lcore {lcore}")]
    NoSuchLcore {
        /// Its number.
        lcore: LcoreId,
    },
    /// The main lcore runs the program itself.
    #[error("lcore {lcore} is the main lcore, which runs the program itself")]
    MainLcore {
        /// Its number.
        lcore: LcoreId,
    },
    /// The lcore still runs what it was given before.
    #[error("lcore {lcore} is busy")]
    Busy {
        /// Its number.
        lcore: LcoreId,
    },
    /// The EAL refused.
    #[error("lcore {lcore} could not be given work: {errno}")]
    Unknown {
        /// Its number.
        lcore: LcoreId,
        /// What the EAL said.
        errno: Errno,
    },
}

/// The work of an lcore panicked.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("lcore {lcore} panicked: {message}")]
pub struct LcorePanic {
    /// The lcore.
    pub lcore: LcoreId,
    /// What it said.
    pub message: Box<str>,
}

impl Eal {
    /// Returns all lcores, the main one first.
    pub fn lcores(&self) -> Vec<Lcore> {
        // SAFETY: the EAL is up.
        let main = unsafe { sys::rte_get_main_lcore() };
        core::iter::once(main).chain(worker_numbers()).map(|lcore| describe(lcore, main)).collect()
    }

    /// Returns the lcores that take work by [`launch`](Self::launch), ascending.
    pub fn worker_lcores(&self) -> Vec<Lcore> {
        self.lcores().into_iter().filter(|lcore| !lcore.is_main).collect()
    }

    /// Runs `work` on a worker lcore that is idle.
    ///
    /// # Errors
    ///
    /// [`LaunchError`]; `work` is dropped then.
    pub fn launch<T, F>(&self, lcore: LcoreId, work: F) -> Result<LcoreJoin<T>, LaunchError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let number = u32::from(lcore.0);
        // SAFETY: the EAL is up.
        if number == unsafe { sys::rte_get_main_lcore() } {
            return Err(LaunchError::MainLcore { lcore });
        }
        if !worker_numbers().any(|worker| worker == number) {
            return Err(LaunchError::NoSuchLcore { lcore });
        }
        let outcome = Arc::new(Outcome { done: Mutex::new(None), changed: Condvar::new() });
        let theirs = Arc::clone(&outcome);
        let job: Job = Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            *theirs.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            theirs.changed.notify_all();
        });
        let argument = Box::into_raw(Box::new(job));
        let guard = self.inner.launching.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: `number` is an enabled worker; `run` takes the box over exactly once, and the
        // guard keeps a second thread from writing to the lcore's pipe.
        let ret = unsafe { sys::rte_eal_remote_launch(Some(run), argument.cast(), number) };
        drop(guard);
        if ret == 0 {
            return Ok(LcoreJoin { lcore, outcome });
        }
        // SAFETY: the lcore did not take the job, so the box is still ours alone.
        drop(unsafe { Box::from_raw(argument) });
        match Errno::from_return(ret) {
            Errno(libc::EBUSY) => Err(LaunchError::Busy { lcore }),
            errno => Err(LaunchError::Unknown { lcore, errno }),
        }
    }
}

/// Work that an lcore has been given. Dropping this leaves the lcore to finish by itself.
#[derive(Debug)]
pub struct LcoreJoin<T> {
    lcore: LcoreId,
    outcome: Arc<Outcome<T>>,
}

impl<T> LcoreJoin<T> {
    /// Returns the lcore.
    pub fn lcore(&self) -> LcoreId {
        self.lcore
    }

    /// Returns whether the work has ended, so that [`join`](Self::join) does not wait.
    pub fn is_finished(&self) -> bool {
        self.outcome.done.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Waits for the end of the work, asleep, and returns what it returned. After that the lcore
    /// is idle and can be given work again.
    ///
    /// # Errors
    ///
    /// [`LcorePanic`] if the work panicked.
    pub fn join(self) -> Result<T, LcorePanic> {
        let mut done = self.outcome.done.lock().unwrap_or_else(PoisonError::into_inner);
        let result = loop {
            match done.take() {
                Some(result) => break result,
                None => {
                    done = self.outcome.changed.wait(done).unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        drop(done);
        // The lcore has only its return to the EAL's loop left, so this spins for a moment.
        // SAFETY: the lcore exists (it took the work), and it is not the one that waits, because
        // its work has ended.
        unsafe { sys::rte_eal_wait_lcore(u32::from(self.lcore.0)) };
        result.map_err(|payload| LcorePanic { lcore: self.lcore, message: message_of(&*payload) })
    }
}

/// Where an lcore leaves what its work returned.
#[derive(Debug)]
struct Outcome<T> {
    done: Mutex<Option<std::thread::Result<T>>>,
    changed: Condvar,
}

/// Work that does not unwind: it catches its own panics.
type Job = Box<dyn FnOnce() + Send>;

/// Runs on the lcore, called by the EAL.
unsafe extern "C" fn run(argument: *mut c_void) -> c_int {
    // SAFETY: `launch` made the pointer of a box and gave it to this call alone.
    let job = unsafe { Box::from_raw(argument.cast::<Job>()) };
    job();
    0
}

/// Returns whether no worker lcore runs anything.
pub(crate) fn all_idle() -> bool {
    // SAFETY: called while the EAL is up, with the numbers of lcores that exist.
    worker_numbers()
        .all(|lcore| unsafe { sys::rte_eal_get_lcore_state(lcore) } == sys::SHIM_LCORE_IDLE)
}

fn worker_numbers() -> impl Iterator<Item = u32> {
    let next = |after: u32| {
        // SAFETY: the EAL is up; any number may be asked for what follows it. The main lcore is
        // skipped, and the search does not start over.
        let lcore = unsafe { sys::rte_get_next_lcore(after, 1, 0) };
        (lcore < sys::SHIM_MAX_LCORE).then_some(lcore)
    };
    // Counting up from "no lcore" wraps to 0, as DPDK's own loop macro does.
    core::iter::successors(next(sys::SHIM_LCORE_ID_ANY), move |&lcore| next(lcore))
}

fn describe(lcore: u32, main: u32) -> Lcore {
    // SAFETY: the lcore exists.
    let cpus = unsafe { sys::rte_lcore_cpuset(lcore) };
    Lcore {
        id: LcoreId(u16::try_from(lcore).expect("lcore numbers are below RTE_MAX_LCORE")),
        cpu: first_cpu(&cpus.__bits),
        // SAFETY: the lcore exists.
        socket: unsafe { sys::rte_lcore_to_socket_id(lcore) },
        is_main: lcore == main,
    }
}

/// Returns the lowest number in a CPU set. DPDK has a function for a lcore's core, but that is the
/// processor's numbering, and says nothing about an lcore that was mapped to another CPU.
fn first_cpu(words: &[u64]) -> usize {
    words
        .iter()
        .enumerate()
        .find(|&(_, &word)| word != 0)
        .map_or(0, |(index, word)| index * u64::BITS as usize + word.trailing_zeros() as usize)
}

fn message_of(payload: &(dyn Any + Send)) -> Box<str> {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).into()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.as_str().into()
    } else {
        "a panic without a message".into()
    }
}
