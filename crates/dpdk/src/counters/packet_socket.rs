//! What the kernel dropped on the sockets that `net_af_packet` reads from.
//!
//! Up to DPDK 24.11 the driver never asks for it and reports 0, so the kernel is asked here for
//! their `PACKET_STATISTICS`. Reading resets them, so nobody else may.

#![allow(unsafe_code, reason = "socket options that rustix does not have")]

use std::ffi::c_int;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use weir_dpdk_sys as sys;

use super::own_sockets::{PlainOption, of_family, option};
use crate::port::{DriverKind, PortInfo};

/// `PACKET_STATISTICS` and `PACKET_VERSION` of `linux/if_packet.h`.
const PACKET_STATISTICS: c_int = 6;
const PACKET_VERSION: c_int = 10;
/// `TPACKET_V2`: what the driver asks for. libpcap, which may have a socket on the same interface
/// (a `net_pcap` port), asks for version 3.
const TPACKET_V2: c_int = 1;

/// The sockets of one port, and what the kernel has dropped on them since the port was started.
#[derive(Debug)]
pub(super) struct PacketSockets {
    sockets: Vec<OwnedFd>,
    drops: u64,
}

/// `struct tpacket_stats` of `linux/if_packet.h`.
#[repr(C)]
#[derive(Default)]
struct TpacketStats {
    packets: u32,
    drops: u32,
}

// SAFETY: integers take any bytes, and there is no padding.
unsafe impl PlainOption for TpacketStats {}

impl PacketSockets {
    /// Finds the sockets of a port. `None` if it is no `net_af_packet` port, if the driver reads
    /// the statistics itself, or if its sockets cannot be told from another port's.
    pub(super) fn of_port(info: &PortInfo) -> Option<Self> {
        if info.kind != DriverKind::AfPacket || sys::SHIM_VERSION >= sys::SHIM_VERSION_25_03 {
            return None;
        }
        let index = i32::try_from(info.kernel_interface.as_ref()?.index?).ok()?;
        let mut sockets = of_family(libc::AF_PACKET)?;
        sockets.retain(|socket| {
            option(socket.as_fd(), libc::SOL_PACKET, PACKET_VERSION) == Some(TPACKET_V2)
                && bound_to(socket.as_fd()) == Some(index)
        });
        // The driver has one socket for each queue that it was made with.
        if sockets.len() != usize::from(info.rx_queues_max) {
            return None;
        }
        let mut found = Self { sockets, drops: 0 };
        // What was dropped before the start is not to be counted.
        found.read_drops()?;
        found.drops = 0;
        Some(found)
    }

    /// Returns how many packets the kernel has dropped. `None` if it does not say.
    pub(super) fn read_drops(&mut self) -> Option<u64> {
        for socket in &self.sockets {
            let stats: TpacketStats = option(socket.as_fd(), libc::SOL_PACKET, PACKET_STATISTICS)?;
            self.drops += u64::from(stats.drops);
        }
        Some(self.drops)
    }
}

/// Returns the index of the interface that a packet socket is bound to.
fn bound_to(socket: BorrowedFd<'_>) -> Option<c_int> {
    // SAFETY: all bytes zero are a valid `sockaddr_ll`, which is plain data.
    let mut address: libc::sockaddr_ll = unsafe { core::mem::zeroed() };
    let mut length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, the size of `address`.
    let ret = unsafe {
        libc::getsockname(socket.as_raw_fd(), (&raw mut address).cast(), &raw mut length)
    };
    (ret == 0 && c_int::from(address.sll_family) == libc::AF_PACKET).then_some(address.sll_ifindex)
}
