//! Mempools: where mbufs come from.

#![allow(unsafe_code, reason = "calls DPDK")]

use core::ptr::NonNull;
use std::ffi::{CString, c_int};
use std::sync::Arc;

use weir_dpdk_sys as sys;

use crate::eal::EalInner;
use crate::{Eal, Errno};

/// What a mempool is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MempoolConfig {
    /// Its name, which no other mempool has.
    pub name: String,
    /// How many mbufs it holds. A power of two less one uses memory best.
    pub mbufs: u32,
    /// How many free mbufs each lcore may keep for itself; 0 for none.
    pub cache_mbufs: u32,
    /// Bytes of each mbuf for the packet and the headroom before it
    /// ([`HEADROOM_BYTES`](Self::HEADROOM_BYTES)). A longer packet takes several mbufs.
    pub data_room_bytes: u16,
    /// The NUMA node whose memory it takes, or any.
    pub socket: Option<u32>,
}

impl MempoolConfig {
    /// The bytes that DPDK keeps free before a packet (`RTE_PKTMBUF_HEADROOM`).
    pub const HEADROOM_BYTES: u16 = sys::SHIM_HEADROOM_BYTES;
    /// Room for a packet of 2,048 bytes and the headroom (`RTE_MBUF_DEFAULT_BUF_SIZE`).
    pub const DATA_ROOM_BYTES_DEFAULT: u16 = sys::SHIM_BUF_BYTES_DEFAULT;
    /// The most mbufs that an lcore may keep for itself (`RTE_MEMPOOL_CACHE_MAX_SIZE`).
    pub const CACHE_MBUFS_MAX: u32 = sys::SHIM_MEMPOOL_CACHE_MAX;
    /// The most bytes that a name has.
    pub const NAME_BYTES_MAX: usize = sys::SHIM_MEMPOOL_NAMESIZE as usize - 1;

    /// Returns the bytes of memory that such a mempool takes, but for some alignment.
    pub fn needed_bytes(&self) -> u64 {
        let element = size_of::<sys::rte_mbuf>() as u32 + u32::from(self.data_room_bytes);
        // SAFETY: no preconditions; the last argument may be null, and the answer is then the
        // return value alone.
        let object = unsafe { sys::rte_mempool_calc_obj_size(element, 0, core::ptr::null_mut()) };
        u64::from(object) * u64::from(self.mbufs)
    }
}

/// Why a mempool could not be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MempoolError {
    /// The name is empty, too long, or has a NUL byte in it.
    #[error(
        "{name:?} is no mempool name: 1 to {} bytes, without NUL",
        MempoolConfig::NAME_BYTES_MAX
    )]
    Name {
        /// The name.
        name: String,
    },
    /// A mempool of no mbufs.
    #[error("a mempool needs at least one mbuf")]
    Empty,
    /// The caches are larger than DPDK allows, or than the mempool can bear.
    #[error(
        "a cache of {cache_mbufs} mbufs is too large: at most {cache_mbufs_max} in a mempool of {mbufs}"
    )]
    CacheTooLarge {
        /// What was asked for.
        cache_mbufs: u32,
        /// The most for this mempool.
        cache_mbufs_max: u32,
        /// The mempool's size.
        mbufs: u32,
    },
    /// There is no room for a packet behind the headroom.
    #[error(
        "a data room of {data_room_bytes} bytes leaves nothing behind the headroom of {} bytes",
        MempoolConfig::HEADROOM_BYTES
    )]
    DataRoomTooSmall {
        /// What was asked for.
        data_room_bytes: u16,
    },
    /// The name is taken.
    #[error("there is a mempool {name:?} already")]
    Exists {
        /// The name.
        name: String,
    },
    /// There is not enough memory.
    #[error(
        "no memory for mempool {name:?}: it needs {needed_bytes} bytes; the EAL holds {free_bytes} \
         bytes free, in pages that may be too scattered. Give the EAL more (-m, hugepages)"
    )]
    NoMemory {
        /// The mempool.
        name: String,
        /// What it needs.
        needed_bytes: u64,
        /// What is free in the memory that the EAL has already taken, on the NUMA node asked for.
        free_bytes: u64,
    },
    /// DPDK said something else.
    #[error("mempool {name:?} could not be made: {errno}")]
    Unknown {
        /// The mempool.
        name: String,
        /// What it said.
        errno: Errno,
    },
}

/// A pool of mbufs. It lives as long as the EAL does, because packets may come home at any time;
/// dropping this handle frees nothing, and its name stays taken.
#[derive(Clone, Debug)]
pub struct Mempool {
    raw: NonNull<sys::rte_mempool>,
    config: Arc<MempoolConfig>,
    _eal: Arc<EalInner>,
}

// SAFETY: DPDK's mempools may be used by all threads at once (they are made with neither
// MEMPOOL_F_SP_PUT nor MEMPOOL_F_SC_GET), and the handle frees nothing.
unsafe impl Send for Mempool {}
// SAFETY: as above.
unsafe impl Sync for Mempool {}

impl Mempool {
    /// Makes a mempool.
    ///
    /// # Errors
    ///
    /// [`MempoolError`]. Nothing has been made then.
    pub fn create(eal: &Eal, config: MempoolConfig) -> Result<Self, MempoolError> {
        let name = check(&config)?;
        let socket = config.socket.map_or(sys::SHIM_SOCKET_ID_ANY, |node| node as c_int);
        // SAFETY: the EAL is up, `name` is a C string; DPDK checks the numbers.
        let raw = unsafe {
            sys::rte_pktmbuf_pool_create(
                name.as_ptr(),
                config.mbufs,
                config.cache_mbufs,
                0,
                config.data_room_bytes,
                socket,
            )
        };
        match NonNull::new(raw) {
            Some(raw) => Ok(Self { raw, config: Arc::new(config), _eal: Arc::clone(&eal.inner) }),
            None => Err(why(config, Errno::last())),
        }
    }

    /// Returns what it was made of.
    pub fn config(&self) -> &MempoolConfig {
        &self.config
    }

    /// Returns how many mbufs it has.
    pub fn size(&self) -> u32 {
        self.config.mbufs
    }

    /// Returns how many mbufs are free, those in the lcores' caches too. While lcores work this is
    /// an estimate, and it looks at every lcore's cache: not for the data path.
    pub fn available_mbufs(&self) -> u32 {
        // SAFETY: the mempool lives as long as the EAL, which `self` holds.
        unsafe { sys::rte_mempool_avail_count(self.raw.as_ptr()) }
    }

    /// Returns the bytes of a packet that fit into one mbuf.
    pub fn packet_bytes_per_mbuf(&self) -> u32 {
        u32::from(self.config.data_room_bytes - MempoolConfig::HEADROOM_BYTES)
    }

    /// Returns DPDK's own pointer, for calls that this crate does not wrap. It is valid while the
    /// EAL is up.
    pub fn as_ptr(&self) -> *mut sys::rte_mempool {
        self.raw.as_ptr()
    }
}

fn check(config: &MempoolConfig) -> Result<CString, MempoolError> {
    let bad_name = || MempoolError::Name { name: config.name.clone() };
    let name = CString::new(config.name.as_str()).map_err(|_| bad_name())?;
    if name.is_empty() || name.count_bytes() > MempoolConfig::NAME_BYTES_MAX {
        return Err(bad_name());
    }
    if config.mbufs == 0 {
        return Err(MempoolError::Empty);
    }
    // DPDK lets a cache grow to one and a half of its size before it gives anything back.
    let cache_mbufs_max = (config.mbufs / 3 * 2).min(MempoolConfig::CACHE_MBUFS_MAX);
    if config.cache_mbufs > cache_mbufs_max {
        return Err(MempoolError::CacheTooLarge {
            cache_mbufs: config.cache_mbufs,
            cache_mbufs_max,
            mbufs: config.mbufs,
        });
    }
    if config.data_room_bytes <= MempoolConfig::HEADROOM_BYTES {
        return Err(MempoolError::DataRoomTooSmall { data_room_bytes: config.data_room_bytes });
    }
    Ok(name)
}

fn why(config: MempoolConfig, errno: Errno) -> MempoolError {
    match errno.0 {
        libc::EEXIST => MempoolError::Exists { name: config.name },
        libc::ENOMEM => MempoolError::NoMemory {
            needed_bytes: config.needed_bytes(),
            free_bytes: free_bytes(config.socket),
            name: config.name,
        },
        _ => MempoolError::Unknown { name: config.name, errno },
    }
}

/// Returns what is free of the memory that the EAL has taken on a NUMA node (the first, where any
/// will do).
fn free_bytes(socket: Option<u32>) -> u64 {
    let mut stats = sys::rte_malloc_socket_stats::default();
    // SAFETY: the EAL is up; `stats` is a place to write to; DPDK checks the node's number.
    let ret =
        unsafe { sys::rte_malloc_get_socket_stats(socket.unwrap_or(0) as c_int, &raw mut stats) };
    if ret < 0 { 0 } else { stats.heap_freesz_bytes as u64 }
}
