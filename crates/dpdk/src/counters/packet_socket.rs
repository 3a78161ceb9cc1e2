//! What the kernel dropped on the sockets that `net_af_packet` reads from.
//!
//! Up to DPDK 24.11 the driver never asks for it and reports 0. The sockets belong to this
//! process, so they are found among its open files, and the kernel is asked for their
//! `PACKET_STATISTICS`. Reading resets them, so nobody else may.

#![allow(unsafe_code, reason = "socket options that rustix does not have")]

use std::ffi::c_int;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use weir_dpdk_sys as sys;

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
    /// Duplicates, so that a number that the driver closes and the kernel gives to something else
    /// is not mistaken for a socket.
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

impl PacketSockets {
    /// Finds the sockets of a port. `None` if it is no `net_af_packet` port, if the driver reads
    /// the statistics itself, or if its sockets cannot be told from another port's.
    pub(super) fn of_port(info: &PortInfo) -> Option<Self> {
        if info.kind != DriverKind::AfPacket || sys::SHIM_VERSION >= sys::SHIM_VERSION_25_03 {
            return None;
        }
        let index = info.kernel_interface.as_ref()?.index?;
        let sockets = sockets_on(index)?;
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

/// Returns duplicates of all packet sockets of this process that are bound to an interface and
/// have a ring like the driver's.
fn sockets_on(index: u32) -> Option<Vec<OwnedFd>> {
    let mut sockets = Vec::new();
    for entry in fs::read_dir("/proc/self/fd").ok()? {
        let Ok(entry) = entry else { continue };
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(socket) = duplicate(number).filter(|socket| is_drivers(socket.as_fd(), index)) {
            sockets.push(socket);
        }
    }
    Some(sockets)
}

/// Duplicates a number that was open a moment ago.
fn duplicate(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: the borrow ends with this statement; a number that was closed meanwhile makes the
    // call fail, and one that was opened anew is a duplicate of that, which is looked at next.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_dupfd_cloexec(borrowed, 3).ok()
}

fn is_drivers(socket: BorrowedFd<'_>, index: u32) -> bool {
    option(socket, libc::SOL_SOCKET, libc::SO_DOMAIN) == Some(libc::AF_PACKET)
        && option(socket, libc::SOL_PACKET, PACKET_VERSION) == Some(TPACKET_V2)
        && bound_to(socket) == i32::try_from(index).ok()
}

/// Reads a socket option that is a plain value of the size of `T`.
fn option<T: Default>(socket: BorrowedFd<'_>, level: c_int, name: c_int) -> Option<T> {
    let mut value = T::default();
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, the size of `value`, which only callers
    // with plain integers make.
    let ret = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut length)
    };
    (ret == 0 && length as usize == size_of::<T>()).then_some(value)
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
