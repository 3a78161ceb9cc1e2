//! What the kernel dropped on the sockets that `net_af_xdp` reads from.
//!
//! The driver's `imissed` has only what found no free buffer; what found the receive ring full is
//! in the same `XDP_STATISTICS` and is left out (`eth_stats_get` of the driver). Reading resets
//! nothing.

#![allow(unsafe_code, reason = "a socket option that rustix does not have")]

use std::ffi::c_int;
use std::os::fd::{AsFd, OwnedFd};

use super::own_sockets::{PlainOption, of_family, option};
use crate::port::{DriverKind, PortInfo};

/// `XDP_STATISTICS` of `linux/if_xdp.h`.
const XDP_STATISTICS: c_int = 7;

/// The XDP sockets that were there before a port's queues were set up.
#[derive(Debug)]
pub(super) struct SocketsBefore(Vec<u64>);

/// The sockets of one port.
#[derive(Debug)]
pub(super) struct XdpSockets(Vec<OwnedFd>);

/// `struct xdp_statistics` of `linux/if_xdp.h`, as it is since Linux 5.9.
#[repr(C)]
#[derive(Default)]
struct XdpStatistics {
    rx_dropped: u64,
    rx_invalid_descs: u64,
    tx_invalid_descs: u64,
    rx_ring_full: u64,
    rx_fill_ring_empty_descs: u64,
    tx_ring_empty_descs: u64,
}

// SAFETY: integers take any bytes, and there is no padding.
unsafe impl PlainOption for XdpStatistics {}

impl SocketsBefore {
    /// Looks which sockets there are. An XDP socket does not tell its interface, so those that are
    /// new after a port's queues have been set up are the port's.
    pub(super) fn look(info: &PortInfo) -> Option<Self> {
        if info.kind != DriverKind::AfXdp {
            return None;
        }
        let sockets = of_family(libc::AF_XDP)?;
        sockets.iter().map(inode).collect::<Option<_>>().map(Self)
    }
}

impl XdpSockets {
    /// Finds the sockets that were not there before; `None` unless there is one for each queue.
    pub(super) fn since(before: &SocketsBefore, rx_queues: u16) -> Option<Self> {
        let mut sockets = of_family(libc::AF_XDP)?;
        sockets.retain(|socket| inode(socket).is_some_and(|inode| !before.0.contains(&inode)));
        (sockets.len() == usize::from(rx_queues)).then_some(Self(sockets))
    }

    /// Returns how many packets the kernel has dropped. `None` if it does not say.
    pub(super) fn read_drops(&self) -> Option<u64> {
        self.0.iter().try_fold(0, |drops: u64, socket| {
            let stats: XdpStatistics = option(socket.as_fd(), libc::SOL_XDP, XDP_STATISTICS)?;
            Some(drops + stats.rx_dropped + stats.rx_ring_full)
        })
    }
}

fn inode(socket: &OwnedFd) -> Option<u64> {
    rustix::fs::fstat(socket).ok().map(|stat| stat.st_ino)
}
