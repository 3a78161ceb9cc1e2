//! ARP and RARP over IPv4, for those who look for hosts and not for flows.

use core::net::Ipv4Addr;

use crate::decoded::{Decoded, Network};

/// Who asks for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arp {
    /// 1 asks, 2 answers; 3 and 4 the same for RARP.
    pub operation: u16,
    /// The sender's IPv4 address.
    pub sender: Ipv4Addr,
    /// The target's IPv4 address.
    pub target: Ipv4Addr,
}

/// Returns the addresses in an ARP or RARP packet that [`decode`](crate::decode) found, if it is
/// about IPv4 over Ethernet (RFC 826) and whole.
pub fn arp(decoded: &Decoded, bytes: &[u8]) -> Option<Arp> {
    if decoded.outer.network != Network::Arp {
        return None;
    }
    let packet: &[u8; 28] = bytes.get(decoded.outer.l3_offset as usize..)?.first_chunk()?;
    // Hardware type Ethernet, protocol IPv4, with addresses of 6 and 4 bytes.
    if packet[..6] != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    let address =
        |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
    Some(Arp {
        operation: u16::from_be_bytes([packet[6], packet[7]]),
        sender: address(14),
        target: address(24),
    })
}
