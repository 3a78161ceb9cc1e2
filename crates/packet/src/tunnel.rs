//! What a packet carries inside: one step from the headers outside to where the next ones start.
//!
//! A step reads the tunnel's own header and nothing behind it, so that a walk through any number
//! of tunnels is one loop, and costs no more than the bytes it passes.

use crate::decoded::{Headers, Network, TunnelKind};
use crate::issue::{IssueKind, Layer};
use crate::link::Link;
use crate::numbers::{ethertype, ip_protocol, udp_port};
use crate::walk::Walk;

/// A tunnel, and what is in it if that can be told.
pub(crate) struct Step {
    pub(crate) kind: TunnelKind,
    pub(crate) inside: Option<(Entry, usize)>,
}

/// How the packet inside a tunnel starts.
#[derive(Clone, Copy)]
pub(crate) enum Entry {
    /// With an Ethernet header.
    Ethernet,
    /// With what this EtherType stands for.
    Type(u16),
    /// With an IP header of either version.
    Ip,
    /// With a PPP header.
    Ppp,
}

impl Step {
    fn into(kind: TunnelKind, entry: Entry, at: usize) -> Self {
        Self { kind, inside: Some((entry, at)) }
    }

    /// A tunnel that was recognised, with nothing in it that could be read.
    fn closed(kind: TunnelKind) -> Self {
        Self { kind, inside: None }
    }
}

/// Returns the tunnel that starts where `headers` end, if there is one.
#[inline]
pub(crate) fn behind(walk: &mut Walk<'_>, link: &Link, headers: &Headers) -> Option<Step> {
    match headers.network {
        Network::Ipv4 | Network::Ipv6 => behind_ip(walk, headers),
        Network::Other if link.mpls_count > 0 => behind_labels(walk, headers.l3_offset as usize),
        Network::Other if link.ethertype == ethertype::BACKBONE_TAG => {
            // The tag's control information, behind the EtherType that announced it.
            let at = headers.l3_offset as usize + 4;
            Some(Step::into(TunnelKind::BackboneBridge, Entry::Ethernet, at))
        }
        _ => None,
    }
}

#[inline]
fn behind_ip(walk: &mut Walk<'_>, headers: &Headers) -> Option<Step> {
    let flow = headers.flow?;
    if headers.fragment.is_later() {
        return None;
    }
    let at = headers.l4_offset as usize;
    match flow.key.protocol() {
        ip_protocol::TCP => None,
        ip_protocol::UDP => behind_udp(walk, flow.ports(), headers.payload_offset as usize),
        ip_protocol::IPV4 => Some(Step::into(TunnelKind::IpInIp, Entry::Type(ethertype::IPV4), at)),
        ip_protocol::IPV6 => Some(Step::into(TunnelKind::IpInIp, Entry::Type(ethertype::IPV6), at)),
        ip_protocol::GRE => Some(gre(walk, at)),
        ip_protocol::ETHERIP => Some(Step::into(TunnelKind::EtherIp, Entry::Ethernet, at + 2)),
        ip_protocol::MPLS => Some(Step::into(TunnelKind::Mpls, Entry::Type(ethertype::MPLS), at)),
        ip_protocol::L2TP => Some(Step::closed(TunnelKind::L2tp)),
        _ => None,
    }
}

/// Below a label stack and not IP: an Ethernet pseudowire with its control word, which starts
/// with four zero bits (RFC 4385). Without one nothing tells what is there.
fn behind_labels(walk: &mut Walk<'_>, at: usize) -> Option<Step> {
    let [first] = *walk.peek(at)?;
    (first >> 4 == 0).then(|| Step::into(TunnelKind::Pseudowire, Entry::Ethernet, at + 4))
}

/// Tunnels over UDP are known by their port alone: the destination's, or for the protocols that
/// answer to the port that asked, either one.
fn behind_udp(walk: &mut Walk<'_>, ports: [u16; 2], at: usize) -> Option<Step> {
    let [source, destination] = ports;
    match destination {
        udp_port::VXLAN | udp_port::VXLAN_LINUX => {
            return Some(Step::into(TunnelKind::Vxlan, Entry::Ethernet, at + 8));
        }
        udp_port::VXLAN_GPE => return Some(vxlan_gpe(walk, at)),
        udp_port::GENEVE => return Some(geneve(walk, at)),
        udp_port::MPLS => {
            return Some(Step::into(TunnelKind::Mpls, Entry::Type(ethertype::MPLS), at));
        }
        _ => {}
    }
    let is_either = |port| source == port || destination == port;
    if is_either(udp_port::GTP_USER) {
        gtp(walk, at)
    } else if is_either(udp_port::TEREDO) {
        teredo(walk, at)
    } else if is_either(udp_port::L2TP) {
        l2tp(walk, at)
    } else {
        None
    }
}

/// Returns the field at `at`, or notes that the tunnel's header is not whole.
fn need<const N: usize>(walk: &mut Walk<'_>, at: usize) -> Option<[u8; N]> {
    walk.need(at, Layer::Tunnel).copied()
}

/// VXLAN's generic protocol extension (draft-ietf-nvo3-vxlan-gpe): a next-protocol byte where
/// VXLAN has a reserved one.
fn vxlan_gpe(walk: &mut Walk<'_>, at: usize) -> Step {
    let Some([flags, _, _, next]) = need(walk, at) else {
        return Step::closed(TunnelKind::Vxlan);
    };
    let has_next = flags & 0x04 != 0;
    let entry = match next {
        _ if !has_next => Entry::Ethernet,
        1 => Entry::Type(ethertype::IPV4),
        2 => Entry::Type(ethertype::IPV6),
        3 => Entry::Ethernet,
        5 => Entry::Type(ethertype::MPLS),
        _ => return Step::closed(TunnelKind::Vxlan),
    };
    Step::into(TunnelKind::Vxlan, entry, at + 8)
}

fn geneve(walk: &mut Walk<'_>, at: usize) -> Step {
    let Some(header) = need::<8>(walk, at) else {
        return Step::closed(TunnelKind::Geneve);
    };
    if header[0] >> 6 != 0 {
        walk.fault(IssueKind::Version, Layer::Tunnel);
        return Step::closed(TunnelKind::Geneve);
    }
    let option_bytes = usize::from(header[0] & 0x3f) * 4;
    let entry = entry_of(u16::from_be_bytes([header[2], header[3]]));
    Step::into(TunnelKind::Geneve, entry, at + 8 + option_bytes)
}

/// Returns how a payload starts that a GRE-like header announces by its EtherType.
fn entry_of(announced: u16) -> Entry {
    match announced {
        ethertype::BRIDGED_ETHERNET => Entry::Ethernet,
        ethertype::PPP => Entry::Ppp,
        other => Entry::Type(other),
    }
}

fn gtp(walk: &mut Walk<'_>, at: usize) -> Option<Step> {
    let [flags, message, length_high, length_low] = need(walk, at)?;
    let is_version_1 = flags >> 5 == 1;
    let is_user_plane = flags & 0x10 != 0;
    /// The message type of a tunnelled packet (3GPP TS 29.281, table 6.1-1).
    const T_PDU: u8 = 255;
    if !is_version_1 || !is_user_plane || message != T_PDU {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([length_high, length_low]));
    walk.claim(at + 8 + length, Layer::Tunnel);
    let has_extensions = flags & 0x04 != 0;
    let has_optional = flags & 0x07 != 0;
    let inside = match (has_optional, has_extensions) {
        (false, _) => Some(at + 8),
        (true, false) => Some(at + 12),
        (true, true) => gtp_extensions(walk, at + 11),
    };
    Some(Step { kind: TunnelKind::GtpUser, inside: inside.map(|at| (Entry::Ip, at)) })
}

/// Walks GTP extension headers from the type byte at `type_at`. Each says its length in words of
/// four bytes and ends with the next type; 0 ends the chain.
fn gtp_extensions(walk: &mut Walk<'_>, type_at: usize) -> Option<usize> {
    let mut type_at = type_at;
    for _ in 0..=crate::IP_EXTENSIONS_MAX {
        let [kind] = need(walk, type_at)?;
        if kind == 0 {
            return Some(type_at + 1);
        }
        let [words] = need(walk, type_at + 1)?;
        if words == 0 {
            walk.fault(IssueKind::Length, Layer::Tunnel);
            return None;
        }
        type_at += usize::from(words) * 4;
    }
    walk.fault(IssueKind::TooDeep, Layer::Tunnel);
    None
}

/// Teredo: IPv6 behind an authentication and an origin indication, both optional, in that order.
fn teredo(walk: &mut Walk<'_>, at: usize) -> Option<Step> {
    let mut at = at;
    if let Some(&[0, 1, client_bytes, auth_bytes]) = walk.peek(at) {
        at += 13 + usize::from(client_bytes) + usize::from(auth_bytes);
    }
    if walk.peek(at) == Some(&[0, 0]) {
        at += 8;
    }
    let [first] = *walk.peek(at)?;
    (first >> 4 == 6).then(|| Step::into(TunnelKind::Teredo, Entry::Type(ethertype::IPV6), at))
}

/// L2TP version 2: a data message holds PPP behind fields that flags say are there.
fn l2tp(walk: &mut Walk<'_>, at: usize) -> Option<Step> {
    let flags = u16::from_be_bytes(*walk.peek(at)?);
    let version = flags & 0x000f;
    let is_control = flags & 0x8000 != 0;
    match version {
        2 => {}
        // A version 3 data message over UDP has a zero word before its session.
        3 => return Some(Step::closed(TunnelKind::L2tp)),
        _ => return None,
    }
    if is_control {
        return Some(Step::closed(TunnelKind::L2tp));
    }
    let mut inside = at + 2;
    if flags & 0x4000 != 0 {
        let length = u16::from_be_bytes(need(walk, inside)?);
        walk.claim(at + usize::from(length), Layer::Tunnel);
        inside += 2;
    }
    inside += 4;
    if flags & 0x0800 != 0 {
        inside += 4;
    }
    if flags & 0x0200 != 0 {
        let padding = u16::from_be_bytes(need(walk, inside)?);
        inside += 2 + usize::from(padding);
    }
    Some(Step::into(TunnelKind::L2tp, Entry::Ppp, inside))
}

/// Flags of the first word of GRE.
mod gre_flag {
    pub(super) const CHECKSUM: u16 = 0x8000;
    pub(super) const ROUTING: u16 = 0x4000;
    pub(super) const KEY: u16 = 0x2000;
    pub(super) const SEQUENCE: u16 = 0x1000;
    /// In version 1 only (RFC 2637).
    pub(super) const ACKNOWLEDGMENT: u16 = 0x0080;
    pub(super) const VERSION: u16 = 0x0007;
}

fn gre(walk: &mut Walk<'_>, at: usize) -> Step {
    let Some([flags_high, flags_low, type_high, type_low]) = need(walk, at) else {
        return Step::closed(TunnelKind::Gre);
    };
    let flags = u16::from_be_bytes([flags_high, flags_low]);
    let announced = u16::from_be_bytes([type_high, type_low]);
    let has = |flag| flags & flag != 0;
    let version = flags & gre_flag::VERSION;
    if version > 1 {
        walk.fault(IssueKind::Version, Layer::Tunnel);
        return Step::closed(TunnelKind::Gre);
    }
    let words = usize::from(has(gre_flag::CHECKSUM) || has(gre_flag::ROUTING))
        + usize::from(has(gre_flag::KEY))
        + usize::from(has(gre_flag::SEQUENCE))
        + usize::from(version == 1 && has(gre_flag::ACKNOWLEDGMENT));
    let mut inside = at + 4 + words * 4;
    if version == 0 && has(gre_flag::ROUTING) {
        match gre_routes(walk, inside) {
            Some(end) => inside = end,
            None => return Step::closed(TunnelKind::Gre),
        }
    }
    match announced {
        ethertype::ERSPAN | ethertype::ERSPAN_3 => {
            erspan(walk, announced, has(gre_flag::SEQUENCE), inside)
        }
        // A bare acknowledgment of version 1 carries nothing.
        ethertype::PPP if !has(gre_flag::SEQUENCE) => Step::closed(TunnelKind::Gre),
        _ => Step::into(TunnelKind::Gre, entry_of(announced), inside),
    }
}

/// Skips the source routes of RFC 1701, which end with one of address family and length 0.
fn gre_routes(walk: &mut Walk<'_>, at: usize) -> Option<usize> {
    let mut at = at;
    for _ in 0..=crate::IP_EXTENSIONS_MAX {
        let [family_high, family_low, _, route_bytes] = need(walk, at)?;
        at += 4 + usize::from(route_bytes);
        if [family_high, family_low, route_bytes] == [0; 3] {
            return Some(at);
        }
    }
    walk.fault(IssueKind::TooDeep, Layer::Tunnel);
    None
}

/// ERSPAN (draft-foschiano-erspan): a mirrored frame. Type I has no header of its own and no GRE
/// sequence number, type II has 8 bytes, type III has 12 and 8 more if its lowest bit says so.
fn erspan(walk: &mut Walk<'_>, announced: u16, has_sequence: bool, at: usize) -> Step {
    let header_bytes = match announced {
        ethertype::ERSPAN if !has_sequence => 0,
        ethertype::ERSPAN => 8,
        _ => match need::<12>(walk, at) {
            Some(header) if header[11] & 1 == 1 => 20,
            Some(_) => 12,
            None => return Step::closed(TunnelKind::Erspan),
        },
    };
    Step::into(TunnelKind::Erspan, Entry::Ethernet, at + header_bytes)
}
