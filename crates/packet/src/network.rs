//! The network layer: IPv4 with its options, IPv6 with its extension headers, and what a packet
//! alone tells about fragments.

use crate::IP_EXTENSIONS_MAX;
use crate::decoded::{Fragment, Headers, Network};
use crate::flow_key::{FlowKey, Ports, compact_vlans};
use crate::issue::{IssueKind, Layer};
use crate::link::Link;
use crate::numbers::ip_protocol;
use crate::transport;
use crate::walk::Walk;

/// Bytes of an IPv4 header without options.
const IPV4_BYTES_MIN: usize = 20;
/// Bytes of the fixed IPv6 header.
const IPV6_BYTES: usize = 40;
/// Bytes of an IPv6 fragment header.
const FRAGMENT_BYTES: usize = 8;
/// Bytes of the smallest TCP header: a later fragment that starts before may overwrite it.
const TCP_BYTES_MIN: usize = 20;
/// The most bytes that a datagram can have after its fragments are put together.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Reads the network header that the link layer announced, and the transport header behind it,
/// into `headers`: in place, since copying them costs as much as reading them.
#[inline(always)]
pub(crate) fn read(walk: &mut Walk<'_>, link: &Link, headers: &mut Headers) {
    let vlan_ids = match link.vlan_count {
        0 => [0; 2],
        _ => compact_vlans(link.vlans.map(|tag| tag.id())),
    };
    *headers = Headers::at(link.at, link.network, walk.bytes.len());
    match link.network {
        Network::Ipv4 => read_ipv4(walk, link.at, vlan_ids, headers),
        Network::Ipv6 => read_ipv6(walk, link.at, vlan_ids, headers),
        _ => {}
    }
}

#[inline(always)]
fn read_ipv4(walk: &mut Walk<'_>, at: usize, vlan_ids: [u16; 2], headers: &mut Headers) {
    let Some(header) = walk.need::<IPV4_BYTES_MIN>(at, Layer::Ipv4) else {
        return;
    };
    let header_bytes = usize::from(header[0] & 0x0f) * 4;
    if header[0] >> 4 != 4 || header_bytes < IPV4_BYTES_MIN {
        let kind = if header[0] >> 4 == 4 { IssueKind::Length } else { IssueKind::Version };
        return walk.fault(kind, Layer::Ipv4);
    }
    let from = u32::from_be_bytes([header[12], header[13], header[14], header[15]]);
    let to = u32::from_be_bytes([header[16], header[17], header[18], header[19]]);
    let protocol = header[9];
    let total_bytes = usize::from(u16::from_be_bytes([header[2], header[3]]));
    // A length of 0 is what a NIC that segments TCP itself shows of a packet over 64 KiB.
    let lies = total_bytes != 0 && total_bytes < header_bytes;
    if lies {
        walk.fault(IssueKind::Length, Layer::Ipv4);
    } else if total_bytes != 0 {
        walk.claim(at + total_bytes, Layer::Ipv4);
    }
    headers.start_l4((at + header_bytes).min(walk.bytes.len()), walk.bytes.len());
    headers.ip_next = protocol;
    if at + header_bytes > walk.bytes.len() {
        walk.missing(at + header_bytes, Layer::Ipv4);
    }
    let whole = !lies && at + header_bytes <= walk.bytes.len();

    let fragment_field = u16::from_be_bytes([header[6], header[7]]);
    if fragment_field & 0x3fff != 0 {
        let offset_bytes = usize::from(fragment_field & 0x1fff) * 8;
        let more = fragment_field & 0x2000 != 0;
        read_fragment(walk, headers, offset_bytes, more, protocol);
    }
    let (protocol, ports) = if whole && !headers.fragment.is_later() {
        read_transport(walk, headers, protocol)
    } else {
        (protocol, Ports::NONE)
    };
    headers.flow = Some(FlowKey::of_ipv4(from, to, ports, protocol, vlan_ids));
}

#[inline(always)]
fn read_ipv6(walk: &mut Walk<'_>, at: usize, vlan_ids: [u16; 2], headers: &mut Headers) {
    let Some(header) = walk.need::<IPV6_BYTES>(at, Layer::Ipv6) else {
        return;
    };
    if header[0] >> 4 != 6 {
        return walk.fault(IssueKind::Version, Layer::Ipv6);
    }
    let payload_bytes = usize::from(u16::from_be_bytes([header[4], header[5]]));
    // A length of 0 is a jumbogram (RFC 2675), or what a NIC shows that segments TCP itself.
    if payload_bytes != 0 {
        walk.claim(at + IPV6_BYTES + payload_bytes, Layer::Ipv6);
    }
    headers.start_l4(at + IPV6_BYTES, walk.bytes.len());
    headers.ip_next = header[6];
    let (protocol, ports) = read_transport(walk, headers, header[6]);
    let (from, to) = (array_at::<8>(header), array_at::<24>(header));
    headers.flow = Some(FlowKey::of_ipv6(from, to, ports, protocol, vlan_ids));
}

/// Returns the 16 bytes at `AT` of an IPv6 header.
#[inline(always)]
fn array_at<const AT: usize>(header: &[u8; IPV6_BYTES]) -> &[u8; 16] {
    const { assert!(AT + 16 <= IPV6_BYTES) };
    header[AT..].first_chunk().expect("the assertion above leaves 16 bytes behind AT")
}

/// Reads extension headers from `headers.l4_offset` on, then the transport header; returns the
/// protocol that was reached, and the ports.
#[inline(always)]
fn read_transport(walk: &mut Walk<'_>, headers: &mut Headers, next: u8) -> (u8, Ports) {
    let (protocol, is_reached) = if is_extension(next, headers.network) {
        read_extensions(walk, headers, next)
    } else {
        (next, true)
    };
    let ports = if is_reached { transport::read(walk, protocol, headers) } else { Ports::NONE };
    (protocol, ports)
}

/// Walks the extension headers. Returns the first protocol that is not one, and whether its own
/// header is next: it is not in a later fragment, in a cut chain, or in one that is too long.
#[inline(never)]
fn read_extensions(walk: &mut Walk<'_>, headers: &mut Headers, first: u8) -> (u8, bool) {
    let mut next = first;
    let mut at = headers.l4_offset as usize;
    for index in 0.. {
        if !is_extension(next, headers.network) {
            break;
        }
        if index == IP_EXTENSIONS_MAX {
            walk.fault(IssueKind::TooDeep, Layer::Extension);
            return (next, false);
        }
        let Some(extension) = Extension::read(walk, at, next) else {
            headers.cut_short(walk, at + FRAGMENT_BYTES, Layer::Extension);
            return (next, false);
        };
        if at + extension.bytes > walk.bytes.len() {
            headers.cut_short(walk, at + extension.bytes, Layer::Extension);
            return (next, false);
        }
        if next == ip_protocol::HOP_BY_HOP && index != 0 {
            walk.fault(IssueKind::Order, Layer::Extension);
        }
        at += extension.bytes;
        headers.start_l4(at, walk.bytes.len());
        if let Some((offset_bytes, more)) = extension.fragment {
            if headers.fragment != Fragment::None {
                walk.fault(IssueKind::Order, Layer::Extension);
            }
            read_fragment(walk, headers, offset_bytes, more, extension.next);
            if headers.fragment.is_later() {
                return (extension.next, false);
            }
        }
        next = extension.next;
    }
    (next, true)
}

/// One extension header.
struct Extension {
    next: u8,
    bytes: usize,
    /// Of a fragment header: the offset in bytes, and whether more fragments follow.
    fragment: Option<(usize, bool)>,
}

impl Extension {
    /// Reads the header of type `kind` at `at`, if its length can be read.
    fn read(walk: &mut Walk<'_>, at: usize, kind: u8) -> Option<Self> {
        if kind == ip_protocol::FRAGMENT {
            let header = walk.peek::<FRAGMENT_BYTES>(at)?;
            let field = u16::from_be_bytes([header[2], header[3]]);
            let fragment = Some((usize::from(field & 0xfff8), field & 1 == 1));
            return Some(Self { next: header[0], bytes: FRAGMENT_BYTES, fragment });
        }
        let &[next, length] = walk.peek::<2>(at)?;
        let length = usize::from(length);
        if kind != ip_protocol::AUTHENTICATION {
            return Some(Self { next, bytes: (length + 1) * 8, fragment: None });
        }
        // AH counts in words of four bytes, less two, and has three words at least (RFC 4302).
        if length == 0 {
            walk.fault(IssueKind::Length, Layer::Extension);
        }
        Some(Self { next, bytes: (length + 2) * 4, fragment: None })
    }
}

/// Returns whether `next` is an extension header that says how long it is. ESP is none of them:
/// what it hides ends the walk. IPv4 has AH alone.
#[inline]
fn is_extension(next: u8, network: Network) -> bool {
    match next {
        ip_protocol::AUTHENTICATION => true,
        ip_protocol::HOP_BY_HOP
        | ip_protocol::ROUTING
        | ip_protocol::FRAGMENT
        | ip_protocol::DESTINATION
        | ip_protocol::MOBILITY
        | ip_protocol::HIP
        | ip_protocol::SHIM6 => network == Network::Ipv6,
        _ => false,
    }
}

/// Takes down which part of a datagram starts at `headers.l4_offset`.
fn read_fragment(
    walk: &mut Walk<'_>,
    headers: &mut Headers,
    offset_bytes: usize,
    more: bool,
    protocol: u8,
) {
    headers.fragment = match (offset_bytes, more) {
        (0, false) => Fragment::Atomic,
        (0, true) => Fragment::First,
        _ if protocol == ip_protocol::TCP && offset_bytes < TCP_BYTES_MIN => {
            Fragment::OverlapUnknown
        }
        _ => Fragment::Later,
    };
    let end = walk.end_claimed().saturating_sub(headers.l4_offset as usize);
    if offset_bytes + end > DATAGRAM_BYTES_MAX {
        walk.fault(IssueKind::FragmentOverflow, Layer::Payload);
    }
}

impl Headers {
    /// Starts the transport header, and for now the payload, at `at`.
    #[inline(always)]
    fn start_l4(&mut self, at: usize, end: usize) {
        self.l4_offset = at as u32;
        self.start_payload(at, end);
    }

    /// Starts the payload at `at`, or at `end` if that comes first.
    #[inline(always)]
    pub(crate) fn start_payload(&mut self, at: usize, end: usize) {
        let start = at.min(end);
        self.payload_offset = start as u32;
        self.payload_bytes = (end - start) as u32;
    }

    /// Takes down that a header at `layer`, which reaches to `end`, is not whole. In a first
    /// fragment that is what the sender made it, and a class of its own.
    #[cold]
    pub(crate) fn cut_short(&mut self, walk: &mut Walk<'_>, end: usize, layer: Layer) {
        let kind = walk.shortfall(end);
        if self.fragment != Fragment::First || kind == IssueKind::Truncated {
            return walk.fault(kind, layer);
        }
        self.fragment = Fragment::Tiny;
        if self.network == Network::Ipv6 {
            walk.fault(IssueKind::SplitHeaders, layer);
        }
    }
}
