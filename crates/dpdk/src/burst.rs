//! A burst of received mbufs, owned.
//!
//! Runs on: data lcores. Allocates: never. One call into C describes all packets of a burst when
//! it is received; what the data path then asks about a packet is read from that description, so
//! no mbuf is touched from Rust and no mbuf can leave this crate.

#![allow(unsafe_code, reason = "owns mbufs")]

use core::{ptr, slice};
use std::sync::Arc;

use weir_dpdk_sys as sys;
use weir_model::{BURST_PACKETS_MAX, Frame, MalformedFrame, SegmentChain, Timestamp};

use crate::eal::EalInner;
use crate::vlan;

/// A packet of more than one piece, or that a tag was taken out of, or that contradicts itself.
const UNCOMMON: u16 = sys::SHIM_VIEW_CHAIN
    | sys::SHIM_VIEW_MALFORMED
    | sys::SHIM_VIEW_VLAN_STRIPPED
    | sys::SHIM_VIEW_QINQ_STRIPPED;

/// Up to [`BURST_PACKETS_MAX`] received packets. Dropping it gives every mbuf back to its mempool,
/// as does [`clear`](weir_model::Burst::clear), in one call.
///
/// A packet's time is, until [`set_timestamp`](weir_model::Burst::set_timestamp) sets it, what the
/// source gave it, or [`Timestamp::EPOCH`]. After a ring it is what the sender had set, and
/// [`source_timestamp`](weir_model::Burst::source_timestamp) is `None`: whoever received the
/// packet from its port has seen it.
///
/// A VLAN tag that a driver took out of a packet is put back when the packet is copied; see
/// [`Frame::chain`].
///
/// Packets have one owner:
///
/// ```compile_fail,E0277
/// fn is_clone<T: Clone>() {}
/// is_clone::<weir_dpdk::Burst>();
/// ```
pub struct Burst {
    /// The first `len` are mbufs that this owns.
    mbufs: [*mut sys::rte_mbuf; BURST_PACKETS_MAX],
    /// The first `len` describe those mbufs.
    views: [sys::shim_view; BURST_PACKETS_MAX],
    /// The first `len` are those packets' times, in nanoseconds since the epoch.
    times_ns: [u64; BURST_PACKETS_MAX],
    len: usize,
    /// Keeps the mempools alive; there is one EAL in a process, so the first one met is the one.
    eal: Option<Arc<EalInner>>,
}

// SAFETY: the burst owns its mbufs alone, and mbufs may be freed on any thread (mempools are
// multi-producer; a thread that is no lcore has no cache and goes to the shared ring).
unsafe impl Send for Burst {}

impl Default for Burst {
    fn default() -> Self {
        Self {
            mbufs: [ptr::null_mut(); BURST_PACKETS_MAX],
            views: [sys::shim_view::default(); BURST_PACKETS_MAX],
            times_ns: [0; BURST_PACKETS_MAX],
            len: 0,
            eal: None,
        }
    }
}

/// Room for a whole burst, which a filler writes to from the start of each array.
pub(crate) struct Room {
    pub(crate) mbufs: *mut *mut sys::rte_mbuf,
    pub(crate) views: *mut sys::shim_view,
    pub(crate) times_ns: *mut u64,
}

impl Burst {
    /// Empties the burst and fills it anew. `fill` gets room for [`BURST_PACKETS_MAX`] packets.
    ///
    /// # Safety
    ///
    /// `fill` must return how many entries at the start of each array it has written: mbufs that
    /// are now the burst's own, and the views that C made of them.
    #[inline]
    pub(crate) unsafe fn refill(
        &mut self,
        eal: &Arc<EalInner>,
        fill: impl FnOnce(Room) -> u16,
    ) -> usize {
        weir_model::Burst::clear(self);
        let received = usize::from(fill(Room {
            mbufs: self.mbufs.as_mut_ptr(),
            views: self.views.as_mut_ptr(),
            times_ns: self.times_ns.as_mut_ptr(),
        }));
        assert!(received <= BURST_PACKETS_MAX, "more packets came than were asked for");
        if received > 0 && self.eal.is_none() {
            self.eal = Some(Arc::clone(eal));
        }
        self.len = received;
        received
    }

    /// Gives packets away from the front: `take` gets all and returns how many it has taken. The
    /// others move to the front.
    ///
    /// # Safety
    ///
    /// The first packets, as many as `take` returns, must belong to someone else now.
    #[inline]
    pub(crate) unsafe fn give_front(
        &mut self,
        take: impl FnOnce(&mut [*mut sys::rte_mbuf], &[u64]) -> u16,
    ) -> usize {
        let len = self.len;
        let given = usize::from(take(&mut self.mbufs[..len], &self.times_ns[..len])).min(len);
        if given < len {
            self.mbufs.copy_within(given..len, 0);
            self.views.copy_within(given..len, 0);
            self.times_ns.copy_within(given..len, 0);
        }
        self.len = len - given;
        given
    }

    /// Makes nanoseconds of the times that the source gave, in its own unit.
    #[inline]
    pub(crate) fn convert_source_times(&mut self, to_ns: impl Fn(u64) -> u64) {
        for (view, time_ns) in self.views[..self.len].iter_mut().zip(&mut self.times_ns) {
            if view.flags & sys::SHIM_VIEW_SOURCE_TIME != 0 {
                view.source_time = to_ns(view.source_time);
                *time_ns = view.source_time;
            }
        }
    }

    #[inline]
    fn view(&self, index: usize) -> &sys::shim_view {
        &self.views[..self.len][index]
    }

    /// Returns the bytes of the first segment, whose view must not be malformed.
    #[inline]
    fn head(&self, view: &sys::shim_view) -> &[u8] {
        debug_assert!(view.flags & sys::SHIM_VIEW_MALFORMED == 0);
        // SAFETY: C has checked that the mbuf's buffer holds `data_len` bytes from `data` on; the
        // mbuf, and so the buffer, is this burst's for as long as `self` is borrowed.
        unsafe { slice::from_raw_parts(view.data, usize::from(view.data_len)) }
    }

    #[cold]
    fn uncommon_frame(&self, index: usize) -> Result<Frame<'_>, MalformedFrame> {
        let view = self.view(index);
        if view.flags & sys::SHIM_VIEW_MALFORMED != 0 {
            return Err(MalformedFrame);
        }
        let bytes = whole_bytes(view);
        Ok(Frame {
            head: self.head(view),
            chain: Some((self, index)),
            captured_bytes: bytes,
            wire_bytes: bytes,
            timestamp: Timestamp::from_ns(self.times_ns[index]),
            rss_hash: rss_hash(view),
        })
    }
}

impl weir_model::Burst for Burst {
    #[inline]
    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn frame(&self, index: usize) -> Result<Frame<'_>, MalformedFrame> {
        let view = self.view(index);
        if view.flags & UNCOMMON != 0 {
            return self.uncommon_frame(index);
        }
        Ok(Frame {
            head: self.head(view),
            chain: None,
            captured_bytes: view.pkt_len,
            wire_bytes: view.pkt_len,
            timestamp: Timestamp::from_ns(self.times_ns[index]),
            rss_hash: rss_hash(view),
        })
    }

    #[inline]
    fn wire_bytes(&self, index: usize) -> u32 {
        whole_bytes(self.view(index))
    }

    #[inline]
    fn source_timestamp(&self, index: usize) -> Option<Timestamp> {
        let view = self.view(index);
        let given = view.flags & sys::SHIM_VIEW_SOURCE_TIME != 0;
        given.then(|| Timestamp::from_ns(view.source_time))
    }

    #[inline]
    fn set_timestamp(&mut self, index: usize, timestamp: Timestamp) {
        self.times_ns[..self.len][index] = timestamp.as_ns();
    }

    #[inline]
    fn set_timestamps(&mut self, mut next: impl FnMut() -> Timestamp) {
        for time_ns in &mut self.times_ns[..self.len] {
            *time_ns = next().as_ns();
        }
    }

    #[inline]
    fn scatter(&mut self, lane_of: &[u8], lanes: &mut [Self]) {
        let len = self.len;
        let lane_of = &lane_of[..len];
        // Until a packet stands in its lane, nobody owns it: should a lane not be there, packets
        // leak, and none is freed twice.
        self.len = 0;
        for (index, &lane) in lane_of.iter().enumerate() {
            let lane = &mut lanes[usize::from(lane)];
            let end = lane.len;
            lane.mbufs[end] = self.mbufs[index];
            lane.views[end] = self.views[index];
            lane.times_ns[end] = self.times_ns[index];
            if end == 0 && lane.eal.is_none() {
                lane.eal.clone_from(&self.eal);
            }
            lane.len = end + 1;
        }
    }

    #[inline]
    fn clear(&mut self) {
        let count = self.len as u32;
        self.len = 0;
        if count > 0 {
            // SAFETY: the first `count` are mbufs that this owned until now, all of them once.
            unsafe { sys::rte_pktmbuf_free_bulk(self.mbufs.as_mut_ptr(), count) }
        }
    }
}

impl Drop for Burst {
    fn drop(&mut self) {
        // Before the field `eal`, which keeps the mempools.
        weir_model::Burst::clear(self);
    }
}

impl SegmentChain for Burst {
    fn copy_chain(&self, index: usize, out: &mut [u8]) -> usize {
        let view = self.view(index);
        if view.flags & sys::SHIM_VIEW_MALFORMED != 0 {
            return 0;
        }
        let mbuf = self.mbufs[index];
        vlan::copy_with_tags(tags(view), out, |from, room| gather(mbuf, from, room))
    }
}

impl core::fmt::Debug for Burst {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Burst").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Copies from a packet that is not malformed and that a burst owns.
fn gather(mbuf: *const sys::rte_mbuf, from: u32, out: &mut [u8]) -> usize {
    let room = u32::try_from(out.len()).unwrap_or(u32::MAX);
    // SAFETY: the caller's burst owns the mbuf, whose chain C has found to be whole; `out` has
    // `room` bytes.
    unsafe { sys::shim_gather(mbuf, from, out.as_mut_ptr(), room) as usize }
}

#[inline]
fn rss_hash(view: &sys::shim_view) -> Option<u32> {
    (view.flags & sys::SHIM_VIEW_RSS != 0).then_some(view.rss_hash)
}

/// Returns the tags that the driver took out of the packet.
fn tags(view: &sys::shim_view) -> vlan::Tags {
    vlan::Tags {
        outer: (view.flags & sys::SHIM_VIEW_QINQ_STRIPPED != 0).then_some(view.vlan_tci_outer),
        inner: (view.flags & sys::SHIM_VIEW_VLAN_STRIPPED != 0).then_some(view.vlan_tci),
    }
}

/// Returns the packet's length with the tags that were taken out of it.
#[inline]
fn whole_bytes(view: &sys::shim_view) -> u32 {
    if view.flags & (sys::SHIM_VIEW_VLAN_STRIPPED | sys::SHIM_VIEW_QINQ_STRIPPED) == 0 {
        return view.pkt_len;
    }
    view.pkt_len.saturating_add(tags(view).bytes())
}
