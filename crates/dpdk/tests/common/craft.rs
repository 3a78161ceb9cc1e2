//! Mbufs made by hand, and put where a `net_ring` port receives them.

#![allow(unsafe_code, reason = "makes mbufs that no safe interface can make")]
#![allow(dead_code, reason = "each test uses some of it")]

use std::ffi::CString;
use std::ptr;

use weir_dpdk::Mempool;
use weir_dpdk_sys as sys;

/// An mbuf, or a chain of them, that the test owns until it is injected.
pub(crate) struct Crafted {
    pub(crate) head: *mut sys::rte_mbuf,
    pub(crate) fields: sys::shim_craft,
}

/// Where a test puts mbufs.
pub(crate) struct Injector {
    ring: *mut sys::rte_ring,
    pub(crate) stamps: sys::shim_stamps,
}

impl Injector {
    /// Finds the ring behind a `net_ring` vdev. The driver makes it, for sending and receiving.
    pub(crate) fn new(vdev: &str) -> Self {
        let name = CString::new(format!("ETH_RXTX0_{vdev}")).unwrap();
        // SAFETY: the EAL is up, and `name` is a C string.
        let ring = unsafe { sys::rte_ring_lookup(name.as_ptr()) };
        assert!(!ring.is_null(), "{vdev} has no ring");
        let mut stamps = sys::shim_stamps::default();
        // SAFETY: the EAL is up; registering again gives what was registered before.
        assert_eq!(unsafe { sys::shim_stamps_register(&raw mut stamps) }, 0);
        Self { ring, stamps }
    }

    /// Hands the packet over to the port, with its fields as they are now.
    pub(crate) fn inject(&self, crafted: Crafted) {
        // SAFETY: the mbuf is this test's own.
        unsafe {
            sys::shim_craft_set(crafted.head, &raw const crafted.fields, &raw const self.stamps)
        };
        self.inject_raw(crafted.head);
    }

    pub(crate) fn inject_raw(&self, mbuf: *mut sys::rte_mbuf) {
        let mut object = mbuf.cast();
        // SAFETY: the ring is a single-producer one, and only this thread puts anything in.
        let count = unsafe {
            sys::rte_ring_sp_enqueue_burst(self.ring, &raw mut object, 1, ptr::null_mut())
        };
        assert_eq!(count, 1, "the ring of the vdev is full");
    }

    /// Reads an mbuf's fields.
    pub(crate) fn fields(&self, mbuf: *const sys::rte_mbuf) -> sys::shim_craft {
        let mut fields = sys::shim_craft::default();
        // SAFETY: the mbuf is alive: callers hold it.
        unsafe { sys::shim_craft_get(mbuf, &raw mut fields, &raw const self.stamps) };
        fields
    }
}

/// Makes one mbuf that holds `bytes`.
pub(crate) fn segment(pool: &Mempool, bytes: &[u8]) -> *mut sys::rte_mbuf {
    // SAFETY: the pool lives as long as the EAL.
    let mbuf = unsafe { sys::rte_pktmbuf_alloc(pool.as_ptr()) };
    assert!(!mbuf.is_null(), "the pool is empty");
    let count = u16::try_from(bytes.len()).unwrap();
    // SAFETY: the mbuf was just allocated; the function checks that the bytes fit.
    assert_eq!(unsafe { sys::shim_craft_write(mbuf, bytes.as_ptr(), count) }, 0);
    mbuf
}

/// Makes a packet of these segments, as a driver should.
pub(crate) fn packet(pool: &Mempool, segments: &[&[u8]]) -> Crafted {
    let mbufs: Vec<_> = segments.iter().map(|bytes| segment(pool, bytes)).collect();
    for pair in mbufs.windows(2) {
        // SAFETY: both are this test's own.
        unsafe { sys::shim_craft_link(pair[0], pair[1]) };
    }
    let fields = sys::shim_craft {
        pkt_len: segments.iter().map(|bytes| bytes.len() as u32).sum(),
        data_len: segments[0].len() as u16,
        nb_segs: segments.len() as u16,
        ..sys::shim_craft::default()
    };
    Crafted { head: mbufs[0], fields }
}
