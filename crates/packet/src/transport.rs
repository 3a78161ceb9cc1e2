//! The transport header: ports, TCP flags, and where the payload starts.

use crate::decoded::Headers;
use crate::flow_key::{PortKind, Ports};
use crate::issue::{IssueKind, Layer};
use crate::numbers::ip_protocol;
use crate::walk::Walk;

/// Bytes of a TCP header without options.
const TCP_BYTES_MIN: usize = 20;
/// Bytes of a UDP header.
const UDP_BYTES: usize = 8;
/// Bytes of the common header of SCTP.
const SCTP_BYTES: usize = 12;
/// Bytes of an ICMP or ICMPv6 header: type, code, checksum and one more word.
const ICMP_BYTES: usize = 8;

/// Reads the transport header at `headers.l4_offset`, where the payload is taken to start so far,
/// and returns the ports.
#[inline(always)]
pub(crate) fn read(walk: &mut Walk<'_>, protocol: u8, headers: &mut Headers) -> Ports {
    match protocol {
        ip_protocol::TCP => read_tcp(walk, headers),
        ip_protocol::UDP => read_udp(walk, headers),
        ip_protocol::SCTP => read_sctp(walk, headers),
        ip_protocol::ICMP | ip_protocol::ICMPV6 => read_icmp(walk, headers, protocol),
        _ => Ports::NONE,
    }
}

#[inline(always)]
fn read_tcp(walk: &mut Walk<'_>, headers: &mut Headers) -> Ports {
    let at = headers.l4_offset as usize;
    // Flags count even in a header that is cut behind them.
    if let Some(&[flags]) = walk.peek(at + 13) {
        headers.tcp_flags = flags;
    }
    let Some(header) = walk.peek::<TCP_BYTES_MIN>(at) else {
        return cut_ports(walk, headers, TCP_BYTES_MIN);
    };
    let header_bytes = usize::from(header[12] >> 4) * 4;
    headers.start_payload(at + header_bytes.max(TCP_BYTES_MIN), walk.bytes.len());
    if header_bytes < TCP_BYTES_MIN {
        walk.fault(IssueKind::Length, Layer::Transport);
    } else if at + header_bytes > walk.bytes.len() {
        headers.cut_short(walk, at + header_bytes, Layer::Transport);
    }
    ports_of([header[0], header[1], header[2], header[3]])
}

#[inline(always)]
fn read_udp(walk: &mut Walk<'_>, headers: &mut Headers) -> Ports {
    let at = headers.l4_offset as usize;
    let Some(header) = walk.peek::<UDP_BYTES>(at) else {
        return cut_ports(walk, headers, UDP_BYTES);
    };
    let claimed_bytes = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if claimed_bytes >= UDP_BYTES {
        // The length is the whole datagram's, so a fragment is shorter.
        if !headers.fragment.is_partial() {
            walk.claim(at + claimed_bytes, Layer::Transport);
        }
    } else if claimed_bytes != 0 || walk.is_claimed() {
        // 0 stands for more than the field can hold, as it does in the IP header (RFC 2675).
        walk.fault(IssueKind::Length, Layer::Transport);
    }
    headers.start_payload(at + UDP_BYTES, walk.bytes.len());
    ports_of([header[0], header[1], header[2], header[3]])
}

#[inline(always)]
fn read_sctp(walk: &mut Walk<'_>, headers: &mut Headers) -> Ports {
    let at = headers.l4_offset as usize;
    let Some(header) = walk.peek::<SCTP_BYTES>(at) else {
        return cut_ports(walk, headers, SCTP_BYTES);
    };
    headers.start_payload(at + SCTP_BYTES, walk.bytes.len());
    ports_of([header[0], header[1], header[2], header[3]])
}

#[inline(always)]
fn read_icmp(walk: &mut Walk<'_>, headers: &mut Headers, protocol: u8) -> Ports {
    let at = headers.l4_offset as usize;
    let ports = match walk.peek::<2>(at) {
        Some(&[kind, code]) => icmp_ports(protocol, kind, code),
        None => Ports::NONE,
    };
    headers.start_payload(at + ICMP_BYTES, walk.bytes.len());
    if at + ICMP_BYTES > walk.bytes.len() {
        headers.cut_short(walk, at + ICMP_BYTES, Layer::Transport);
    }
    ports
}

/// The ports alone, where a header of `header_bytes` is cut behind them.
#[cold]
fn cut_ports(walk: &mut Walk<'_>, headers: &mut Headers, header_bytes: usize) -> Ports {
    let at = headers.l4_offset as usize;
    headers.start_payload(at + header_bytes, walk.bytes.len());
    headers.cut_short(walk, at + header_bytes, Layer::Transport);
    walk.peek(at).map_or(Ports::NONE, |ports| ports_of(*ports))
}

#[inline(always)]
fn ports_of([a, b, c, d]: [u8; 4]) -> Ports {
    Ports::transport(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

/// Maps an ICMP type and code to ports, as the community-id specification does: a type that has
/// an answer goes with the answer's type, any other with its code.
pub(crate) fn icmp_ports(protocol: u8, kind: u8, code: u8) -> Ports {
    let answer = if protocol == ip_protocol::ICMP { answer_v4(kind) } else { answer_v6(kind) };
    let (destination, port_kind) = match answer {
        Some(answer) => (answer, PortKind::IcmpTwoWay),
        None => (code, PortKind::IcmpOneWay),
    };
    Ports { source: u16::from(kind), destination: u16::from(destination), kind: port_kind }
}

/// Returns the ICMP type that answers `kind`, or that it answers: echo, router discovery,
/// timestamp, information, address mask.
fn answer_v4(kind: u8) -> Option<u8> {
    match kind {
        0 => Some(8),
        8 => Some(0),
        9 | 13 | 15 | 17 => Some(kind + 1),
        10 | 14 | 16 | 18 => Some(kind - 1),
        _ => None,
    }
}

/// The same for ICMPv6: echo, listener query and report, router and neighbour discovery, node
/// information, home agent discovery.
fn answer_v6(kind: u8) -> Option<u8> {
    match kind {
        128 | 130 | 133 | 135 | 139 | 144 => Some(kind + 1),
        129 | 131 | 134 | 136 | 140 | 145 => Some(kind - 1),
        _ => None,
    }
}
