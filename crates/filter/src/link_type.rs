//! Link types as files number them, to link types as libpcap numbers them in memory.

use weir_model::LinkType;

/// Returns the `DLT_` value of a `LINKTYPE_` value on Linux.
///
/// The two differ only where operating systems had given different numbers to one link type
/// before files were to be portable; <https://www.tcpdump.org/linktypes.html> lists both.
pub(crate) const fn dlt(link_type: LinkType) -> pcap::Linktype {
    pcap::Linktype(match link_type.0 {
        100 => 11, // ATM_RFC1483
        101 => 12, // RAW
        102 => 15, // SLIP_BSDOS
        103 => 16, // PPP_BSDOS
        106 => 19, // ATM_CLIP
        same => same as i32,
    })
}
