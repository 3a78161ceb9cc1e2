//! The libpcap handle that an expression is compiled against: no device, only a link type.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;

use pcap::{Activated, Capture};
use rustix::fs::{MemfdFlags, memfd_create};
use weir_model::LinkType;

/// Why there is no handle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandleError {
    /// libpcap does not take the link type.
    #[error(transparent)]
    Libpcap(#[from] pcap::Error),
    /// The operating system gave no memory file.
    #[error(transparent)]
    Memory(#[from] io::Error),
}

/// `LINKTYPE_NULL`: BSD loopback, with an address family in the byte order of its host.
const NULL: LinkType = LinkType(0);
/// `LINKTYPE_LOOP`: OpenBSD loopback.
const LOOP: LinkType = LinkType(108);

/// The snaplen of the pcap crate's handles. Programs are given the real one afterwards.
const SNAPLEN_BYTES: u32 = 65_535;

/// Opens a handle for packets of a link type.
///
/// libpcap makes the same program for a handle on nothing and for one on a file, with one
/// exception: the loopback types carry an address family, and three different ones stand for IPv6
/// in files, by the system that wrote them, but only this system's on a handle without a file.
pub(crate) fn open(link_type: LinkType) -> Result<Capture<dyn Activated>, HandleError> {
    match link_type {
        NULL | LOOP => on_empty_file(link_type),
        _ => Ok(Capture::dead(dlt(link_type))?.into()),
    }
}

/// Opens a capture file that exists in memory only and has no packet.
fn on_empty_file(link_type: LinkType) -> Result<Capture<dyn Activated>, HandleError> {
    let memory = memfd_create("weir-filter", MemfdFlags::CLOEXEC).map_err(io::Error::from)?;
    let mut file = File::from(memory);
    file.write_all(&file_header(link_type))?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(Capture::from_file(path)?.into())
}

/// The header of a pcap file in this machine's byte order, as
/// <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html> lays it out: magic number,
/// version 2.4, two words of zero, snaplen and link type.
fn file_header(link_type: LinkType) -> Vec<u8> {
    let version = [2u16, 4].map(u16::to_ne_bytes).concat();
    let tail = [0, 0, SNAPLEN_BYTES, u32::from(link_type.0)].map(u32::to_ne_bytes).concat();
    [&0xa1b2_c3d4u32.to_ne_bytes()[..], &version, &tail].concat()
}

/// Returns the `DLT_` value of a `LINKTYPE_` value on Linux.
///
/// The two differ only where operating systems had given different numbers to one link type
/// before files were to be portable; <https://www.tcpdump.org/linktypes.html> lists both.
const fn dlt(link_type: LinkType) -> pcap::Linktype {
    pcap::Linktype(match link_type.0 {
        100 => 11, // ATM_RFC1483
        101 => 12, // RAW
        102 => 15, // SLIP_BSDOS
        103 => 16, // PPP_BSDOS
        106 => 19, // ATM_CLIP
        same => same as i32,
    })
}
