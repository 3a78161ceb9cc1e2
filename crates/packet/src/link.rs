//! The link layer: from a packet's first byte to its network header, through LLC, SNAP, VLAN
//! tags, MPLS labels and PPPoE.

use weir_model::LinkType;

use crate::decoded::{LinkKind, Network, VlanTag};
use crate::issue::{IssueKind, Layer};
use crate::numbers::ethertype;
use crate::walk::Walk;
use crate::{MPLS_LABELS_MAX, VLAN_TAGS_MAX};

/// Bytes of an Ethernet header: two addresses and a type or length.
pub(crate) const ETHERNET_BYTES: usize = 14;
/// Bytes of a VLAN tag behind the type field that announced it, the next type field included.
const VLAN_BYTES: usize = 4;
/// Bytes of one entry of an MPLS label stack (RFC 3032).
const MPLS_BYTES: usize = 4;
/// Bytes of a PPPoE header (RFC 2516).
const PPPOE_BYTES: usize = 6;
/// Bytes of LLC with SNAP: DSAP, SSAP, control, OUI and protocol.
const SNAP_BYTES: usize = 8;

/// What the link layer told, and where the network header starts.
pub(crate) struct Link {
    pub(crate) kind: LinkKind,
    pub(crate) vlan_count: u8,
    pub(crate) mpls_count: u8,
    pub(crate) vlans: [VlanTag; 2],
    pub(crate) ethertype: u16,
    pub(crate) network: Network,
    pub(crate) at: usize,
}

impl Link {
    #[inline(always)]
    pub(crate) fn new(kind: LinkKind, network: Network, at: usize) -> Self {
        Self {
            kind,
            vlan_count: 0,
            mpls_count: 0,
            vlans: [VlanTag::default(); 2],
            ethertype: 0,
            network,
            at,
        }
    }
}

/// Reads the link layer of a packet of `link_type`.
#[inline(always)]
pub(crate) fn read(walk: &mut Walk<'_>, link_type: LinkType) -> Link {
    if link_type == LinkType::ETHERNET {
        read_ethernet(walk, 0)
    } else {
        read_other(walk, link_type)
    }
}

/// Link types other than Ethernet, by their numbers at
/// <https://www.tcpdump.org/linktypes.html>.
#[inline(never)]
fn read_other(walk: &mut Walk<'_>, link_type: LinkType) -> Link {
    match link_type.0 {
        0 | 108 => read_loopback(walk),
        // LINKTYPE_RAW, and the two numbers that DLT_RAW has on disk.
        12 | 14 | 101 => read_ip(walk, 0),
        113 => read_cooked(walk, LinkKind::LinuxSll, 14, 16),
        228 => Link::new(LinkKind::RawIp, Network::Ipv4, 0),
        229 => Link::new(LinkKind::RawIp, Network::Ipv6, 0),
        276 => read_cooked(walk, LinkKind::LinuxSll2, 0, 20),
        _ => Link::new(LinkKind::Unknown, Network::Other, 0),
    }
}

/// Reads a frame that starts with its Ethernet header at `at`.
#[inline(always)]
pub(crate) fn read_ethernet(walk: &mut Walk<'_>, at: usize) -> Link {
    match walk.need::<ETHERNET_BYTES>(at, Layer::Link) {
        Some(header) => {
            let announced = u16::from_be_bytes([header[12], header[13]]);
            read_type(walk, LinkKind::Ethernet, announced, at + ETHERNET_BYTES)
        }
        None => Link::new(LinkKind::Unknown, Network::None, at),
    }
}

/// Reads from `at` on what an EtherType (or an 802.3 length) announced.
#[inline(always)]
pub(crate) fn read_type(walk: &mut Walk<'_>, kind: LinkKind, announced: u16, at: usize) -> Link {
    let mut link = Link { ethertype: announced, ..Link::new(kind, Network::Other, at) };
    match announced {
        ethertype::IPV4 => link.network = Network::Ipv4,
        ethertype::IPV6 => link.network = Network::Ipv6,
        _ => read_tags(walk, &mut link),
    }
    link
}

/// The stacks between an Ethernet header and the network header.
#[inline(never)]
fn read_tags(walk: &mut Walk<'_>, link: &mut Link) {
    if !read_vlans(walk, link) {
        return;
    }
    if link.ethertype <= ethertype::LENGTH_MAX && link.kind == LinkKind::Ethernet {
        read_length(walk, link);
        if link.kind != LinkKind::Snap || !read_vlans(walk, link) {
            return;
        }
    }
    match link.ethertype {
        ethertype::IPV4 => link.network = Network::Ipv4,
        ethertype::IPV6 => link.network = Network::Ipv6,
        ethertype::ARP | ethertype::RARP => link.network = Network::Arp,
        ethertype::PPPOE_SESSION => read_pppoe(walk, link),
        other if ethertype::is_mpls(other) => read_labels(walk, link),
        _ => {}
    }
}

/// Reads VLAN tags, and returns whether the type field behind them could be read.
fn read_vlans(walk: &mut Walk<'_>, link: &mut Link) -> bool {
    while ethertype::is_vlan(link.ethertype) {
        let count = usize::from(link.vlan_count);
        if count == VLAN_TAGS_MAX {
            walk.fault(IssueKind::TooDeep, Layer::Vlan);
            return false;
        }
        let Some(&[tci_high, tci_low, type_high, type_low]) =
            walk.need::<VLAN_BYTES>(link.at, Layer::Vlan)
        else {
            link.network = Network::None;
            return false;
        };
        if let Some(place) = link.vlans.get_mut(count) {
            *place = VlanTag { tpid: link.ethertype, tci: u16::from_be_bytes([tci_high, tci_low]) };
        }
        link.vlan_count += 1;
        link.ethertype = u16::from_be_bytes([type_high, type_low]);
        link.at += VLAN_BYTES;
    }
    true
}

/// Reads LLC behind an IEEE 802.3 length, and the EtherType in SNAP if it is there.
fn read_length(walk: &mut Walk<'_>, link: &mut Link) {
    walk.claim(link.at + usize::from(link.ethertype), Layer::Link);
    link.ethertype = 0;
    link.kind = LinkKind::Ieee8023;
    let Some(saps) = walk.need::<3>(link.at, Layer::Link) else {
        link.network = Network::None;
        return;
    };
    if *saps != [0xaa, 0xaa, 0x03] {
        return;
    }
    let Some(header) = walk.need::<SNAP_BYTES>(link.at, Layer::Link) else {
        link.network = Network::None;
        return;
    };
    link.kind = LinkKind::Snap;
    // Under any other organisation's OUI the protocol number is that organisation's own.
    if header[3..6] == [0, 0, 0] {
        link.ethertype = u16::from_be_bytes([header[6], header[7]]);
        link.at += SNAP_BYTES;
    }
}

/// Reads a label stack down to its bottom and guesses what is below, as routers do: by the first
/// four bits (RFC 4928).
fn read_labels(walk: &mut Walk<'_>, link: &mut Link) {
    loop {
        if usize::from(link.mpls_count) == MPLS_LABELS_MAX {
            return walk.fault(IssueKind::TooDeep, Layer::Mpls);
        }
        let Some(entry) = walk.need::<MPLS_BYTES>(link.at, Layer::Mpls) else {
            link.network = Network::None;
            return;
        };
        link.mpls_count += 1;
        link.at += MPLS_BYTES;
        let is_bottom = entry[2] & 1 == 1;
        if is_bottom {
            break;
        }
    }
    match walk.need::<1>(link.at, Layer::Mpls) {
        Some(first) => link.network = network_of(first[0]).unwrap_or(Network::Other),
        None => link.network = Network::None,
    }
}

/// Reads the header of a PPPoE session packet and the PPP header in it.
fn read_pppoe(walk: &mut Walk<'_>, link: &mut Link) {
    let Some(header) = walk.need::<PPPOE_BYTES>(link.at, Layer::Ppp) else {
        link.network = Network::None;
        return;
    };
    if header[0] != 0x11 {
        return walk.fault(IssueKind::Version, Layer::Ppp);
    }
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    link.at += PPPOE_BYTES;
    walk.claim(link.at + length, Layer::Ppp);
    let inner = read_ppp(walk, link.at);
    link.network = inner.network;
    link.at = inner.at;
}

/// Reads a PPP header at `at`: the protocol, one byte or two (RFC 1661), behind the address and
/// control bytes if they were not left out.
pub(crate) fn read_ppp(walk: &mut Walk<'_>, at: usize) -> Link {
    let mut link = Link::new(LinkKind::Unknown, Network::None, at);
    if walk.peek(at) == Some(&[0xff, 0x03]) {
        link.at += 2;
    }
    let Some(first) = walk.need::<1>(link.at, Layer::Ppp) else {
        return link;
    };
    let protocol = if first[0] & 1 == 1 {
        link.at += 1;
        u16::from(first[0])
    } else {
        let Some(protocol) = walk.need_be16(link.at, Layer::Ppp) else {
            return link;
        };
        link.at += 2;
        protocol
    };
    link.network = match protocol {
        0x0021 => Network::Ipv4,
        0x0057 => Network::Ipv6,
        _ => Network::Other,
    };
    link
}

/// Reads a packet that starts with an IP header of either version at `at`.
pub(crate) fn read_ip(walk: &mut Walk<'_>, at: usize) -> Link {
    let network = match walk.need::<1>(at, Layer::Link) {
        None => Network::None,
        Some(first) => network_of(first[0]).unwrap_or_else(|| {
            walk.fault(IssueKind::Version, Layer::Link);
            Network::Other
        }),
    };
    Link::new(LinkKind::RawIp, network, at)
}

/// Returns the IP version that a header's first byte holds.
#[inline(always)]
pub(crate) fn network_of(first: u8) -> Option<Network> {
    match first >> 4 {
        4 => Some(Network::Ipv4),
        6 => Some(Network::Ipv6),
        _ => None,
    }
}

/// Reads the four-byte header of `LINKTYPE_NULL` and `LINKTYPE_LOOP`: an address family in the
/// byte order of the host that captured, which nothing tells.
fn read_loopback(walk: &mut Walk<'_>) -> Link {
    let Some(family) = walk.need(0, Layer::Link).map(|field| u32::from_be_bytes(*field)) else {
        return Link::new(LinkKind::Null, Network::None, 0);
    };
    let family = if family > 0xffff { family.swap_bytes() } else { family };
    let network = match family {
        2 => Network::Ipv4,
        // AF_INET6 on Linux, on NetBSD and OpenBSD, on FreeBSD, and on macOS.
        10 | 24 | 28 | 30 => Network::Ipv6,
        _ => Network::Other,
    };
    Link::new(LinkKind::Null, network, 4)
}

/// Reads a Linux "cooked" header, whose protocol field at `protocol_at` is an EtherType or one of
/// the kernel's small numbers for what has none.
fn read_cooked(
    walk: &mut Walk<'_>,
    kind: LinkKind,
    protocol_at: usize,
    header_bytes: usize,
) -> Link {
    if walk.bytes.len() < header_bytes {
        walk.missing(header_bytes, Layer::Link);
        return Link::new(kind, Network::None, 0);
    }
    match walk.need_be16(protocol_at, Layer::Link) {
        Some(protocol) if protocol > ethertype::LENGTH_MAX => {
            read_type(walk, kind, protocol, header_bytes)
        }
        _ => Link::new(kind, Network::Other, header_bytes),
    }
}
