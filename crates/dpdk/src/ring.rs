//! Handing packets from one lcore to another, by an `rte_ring` of mbufs.
//!
//! Runs on: data lcores. Allocates: when a channel is made, and never after. A ring is not
//! preemptible: between two threads that are not pinned to CPUs of their own, one that is
//! preempted in the middle holds up the other.

#![allow(unsafe_code, reason = "calls DPDK")]

use core::cell::Cell;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use std::ffi::{CString, c_int, c_uint};
use std::sync::Arc;

use weir_dpdk_sys as sys;
use weir_model::{BURST_PACKETS_MAX, BurstReceiver, BurstSender};

use crate::eal::EalInner;
use crate::{Burst, Eal, Errno};

/// The most bytes that a ring's name has.
pub const RING_NAME_BYTES_MAX: usize = sys::SHIM_RING_NAMESIZE as usize - 1;

/// Why a ring could not be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RingError {
    /// The name is empty, too long, or has a NUL byte in it.
    #[error("{name:?} is no ring name: 1 to {RING_NAME_BYTES_MAX} bytes, without NUL")]
    Name {
        /// The name.
        name: String,
    },
    /// No ring has such a capacity.
    #[error("a ring cannot hold {capacity_packets} packets: 1 to {}", sys::SHIM_RING_CAPACITY_MAX - 1)]
    Capacity {
        /// What was asked for.
        capacity_packets: u32,
    },
    /// The name is taken.
    #[error("there is a ring {name:?} already")]
    Exists {
        /// The name.
        name: String,
    },
    /// There is not enough memory.
    #[error(
        "no memory for ring {name:?} of {capacity_packets} packets: it needs {needed_bytes} bytes"
    )]
    NoMemory {
        /// The ring.
        name: String,
        /// How many packets it was to hold.
        capacity_packets: u32,
        /// What it needs, about.
        needed_bytes: u64,
    },
    /// DPDK said something else.
    #[error("ring {name:?} could not be made: {errno}")]
    Unknown {
        /// The ring.
        name: String,
        /// What it said.
        errno: Errno,
    },
}

/// Makes a ring that holds `capacity_packets`, for one sending lcore and one receiving one.
///
/// When both ends are dropped, packets that are still inside go back to their mempools. When only
/// the receiver is dropped, the ring fills up, and [`send`](BurstSender::send) takes no more.
///
/// # Errors
///
/// [`RingError`]. Nothing has been made then.
pub fn channel(
    eal: &Eal,
    name: &str,
    capacity_packets: u32,
    socket: Option<u32>,
) -> Result<(RingSender, RingReceiver), RingError> {
    let c_name = CString::new(name)
        .ok()
        .filter(|c_name| (1..=RING_NAME_BYTES_MAX).contains(&c_name.count_bytes()))
        .ok_or_else(|| RingError::Name { name: name.to_owned() })?;
    if capacity_packets == 0 || capacity_packets >= sys::SHIM_RING_CAPACITY_MAX {
        return Err(RingError::Capacity { capacity_packets });
    }
    let socket = socket.map_or(sys::SHIM_SOCKET_ID_ANY, |node| node as c_int);
    // SAFETY: the EAL is up, and `c_name` is a C string; DPDK checks the numbers.
    let raw = unsafe {
        sys::rte_ring_create(c_name.as_ptr(), capacity_packets, socket, sys::SHIM_RING_FLAGS)
    };
    let raw = NonNull::new(raw).ok_or_else(|| why(name, capacity_packets, Errno::last()))?;
    let ring = Arc::new(Ring { raw, capacity_packets, eal: Arc::clone(&eal.inner) });
    let sender = RingSender { ring: Arc::clone(&ring), _not_sync: PhantomData };
    Ok((sender, RingReceiver { ring, _not_sync: PhantomData }))
}

fn why(name: &str, capacity_packets: u32, errno: Errno) -> RingError {
    let name = name.to_owned();
    match errno.0 {
        libc::EEXIST => RingError::Exists { name },
        libc::ENOMEM => {
            let slots = (u64::from(capacity_packets) + 1).next_power_of_two();
            let needed_bytes =
                slots * size_of::<*mut sys::rte_mbuf>() as u64 + size_of::<sys::rte_ring>() as u64;
            RingError::NoMemory { name, capacity_packets, needed_bytes }
        }
        _ => RingError::Unknown { name, errno },
    }
}

/// The ring itself, owned by its two ends.
#[derive(Debug)]
struct Ring {
    raw: NonNull<sys::rte_ring>,
    capacity_packets: u32,
    eal: Arc<EalInner>,
}

// SAFETY: `rte_ring.h`: one thread may enqueue while another dequeues, and any may count. The two
// ends each exist once, and enqueue and dequeue by `&mut self`.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

impl Ring {
    fn len(&self) -> usize {
        // SAFETY: the ring lives as long as `self`.
        unsafe { sys::rte_ring_count(self.raw.as_ptr()) as usize }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let mut mbufs = [ptr::null_mut(); BURST_PACKETS_MAX];
        loop {
            // SAFETY: both ends are gone, so this is the only thread at the ring; the array has
            // room for as many pointers as are asked for.
            let count = unsafe {
                sys::rte_ring_sc_dequeue_burst(
                    self.raw.as_ptr(),
                    mbufs.as_mut_ptr(),
                    BURST_PACKETS_MAX as c_uint,
                    ptr::null_mut(),
                )
            };
            if count == 0 {
                break;
            }
            // SAFETY: senders put mbufs into the ring that they owned, and each came out once.
            unsafe { sys::rte_pktmbuf_free_bulk(mbufs.as_mut_ptr().cast(), count) };
        }
        // SAFETY: the ring was made by `rte_ring_create`, and nobody holds it any more.
        unsafe { sys::rte_ring_free(self.raw.as_ptr()) }
    }
}

/// The sending end. One lcore owns it:
///
/// ```compile_fail,E0277
/// fn is_sync<T: Sync>() {}
/// is_sync::<weir_dpdk::RingSender>();
/// ```
#[derive(Debug)]
pub struct RingSender {
    ring: Arc<Ring>,
    _not_sync: PhantomData<Cell<()>>,
}

/// The receiving end. One lcore owns it:
///
/// ```compile_fail,E0277
/// fn is_sync<T: Sync>() {}
/// is_sync::<weir_dpdk::RingReceiver>();
/// ```
#[derive(Debug)]
pub struct RingReceiver {
    ring: Arc<Ring>,
    _not_sync: PhantomData<Cell<()>>,
}

/// How full a ring is, for anyone who wants to know. It does not keep the ring from ending: after
/// both ends are gone it says 0.
#[derive(Clone, Debug)]
pub struct RingGauge {
    ring: std::sync::Weak<Ring>,
    capacity_packets: usize,
}

impl RingSender {
    /// Returns a view of how full the ring is.
    pub fn gauge(&self) -> RingGauge {
        RingGauge::of(&self.ring)
    }
}

impl RingReceiver {
    /// Returns a view of how full the ring is.
    pub fn gauge(&self) -> RingGauge {
        RingGauge::of(&self.ring)
    }
}

impl RingGauge {
    fn of(ring: &Arc<Ring>) -> Self {
        Self { ring: Arc::downgrade(ring), capacity_packets: ring.capacity_packets as usize }
    }

    /// Returns how many packets are in the ring at this moment.
    pub fn packets(&self) -> usize {
        self.ring.upgrade().map_or(0, |ring| ring.len())
    }

    /// Returns how many packets the ring holds when it is full.
    pub fn capacity_packets(&self) -> usize {
        self.capacity_packets
    }
}

impl BurstSender<Burst> for RingSender {
    #[inline]
    fn send(&mut self, burst: &mut Burst) -> usize {
        let ring = self.ring.raw.as_ptr();
        let stamps = self.ring.eal.stamps();
        // SAFETY: `shim_ring_send` hands as many mbufs, from the front, to the ring as it returns.
        // Both slices have as many entries as it is told (a burst's length fits into 16 bits), and
        // `&mut self` of the only sender makes this the only thread that enqueues.
        unsafe {
            burst.give_front(|mbufs, times_ns| {
                sys::shim_ring_send(
                    ring,
                    mbufs.as_mut_ptr(),
                    times_ns.as_ptr(),
                    mbufs.len() as u16,
                    stamps,
                )
            })
        }
    }

    fn capacity_packets(&self) -> usize {
        self.ring.capacity_packets as usize
    }
}

impl BurstReceiver<Burst> for RingReceiver {
    #[inline]
    fn receive_into(&mut self, burst: &mut Burst) -> usize {
        let ring = self.ring.raw.as_ptr();
        let eal = &self.ring.eal;
        // SAFETY: `shim_ring_receive` writes as many entries of each array as it returns, at most
        // BURST_PACKETS_MAX, which each has room for: mbufs that left the ring and belong to
        // nobody else. `&mut self` of the only receiver makes this the only thread that dequeues.
        unsafe {
            burst.refill(eal, |to| {
                sys::shim_ring_receive(
                    ring,
                    to.mbufs,
                    to.views,
                    to.times_ns,
                    BURST_PACKETS_MAX as u16,
                    eal.stamps(),
                )
            })
        }
    }
}
