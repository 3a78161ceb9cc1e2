//! The short ways: for most packets, which are whole and ordinary TCP or UDP over IPv4 or IPv6 in
//! Ethernet with two VLAN tags at most; and for frames that nothing is to be read of behind the
//! link layer, since those (ARP, spanning tree, LLDP, a padded nothing) can be a flood as well.
//!
//! It looks at everything that could be wrong and leaves to the long way (`link`, `network`,
//! `transport`) whatever is, so that the answer is put together once, from values in registers:
//! that makes it about three times as fast. Whatever it answers, the long way answers the same,
//! which tests hold it to.

use crate::decoded::{Decoded, Fragment, Headers, LinkKind, Network, VlanTag};
use crate::flow_key::{Flow, FlowKey, Ports, compact_vlans};
use crate::issue::{Issue, IssueKind, Layer};
use crate::link::ETHERNET_BYTES;
use crate::numbers::{ethertype, ip_protocol, udp_port};

/// Bytes of a UDP header.
const UDP_BYTES: usize = 8;
/// Bytes of a TCP header without options.
const TCP_BYTES_MIN: usize = 20;

/// An ordinary packet. It is not yet [`Decoded`], so that the answer can be put together in the
/// place where the caller wants it.
pub(crate) struct Ordinary {
    tags: Tags,
    network: Network,
    protocol: u8,
    transport: Transport,
    flow: Flow,
}

impl Ordinary {
    /// Returns whether a tunnel may start behind the packet's transport header.
    #[inline(always)]
    pub(crate) fn may_tunnel(&self) -> bool {
        let Ports { source, destination, .. } = self.transport.ports;
        self.protocol == ip_protocol::UDP
            && (udp_port::is_tunnel(source) || udp_port::is_tunnel(destination))
    }

    #[inline(always)]
    pub(crate) fn describe(&self) -> Decoded {
        let Self { tags, transport, .. } = self;
        let payload_offset = transport.payload_at as u32;
        Decoded {
            link: LinkKind::Ethernet,
            vlan_count: tags.count,
            mpls_count: 0,
            vlans: tags.vlans,
            ethertype: tags.ethertype,
            outer: Headers {
                network: self.network,
                ip_next: self.protocol,
                fragment: Fragment::None,
                tcp_flags: transport.tcp_flags,
                l3_offset: tags.at as u32,
                l4_offset: transport.at as u32,
                payload_offset,
                payload_bytes: transport.end as u32 - payload_offset,
                flow: Some(self.flow),
            },
            tunnel: None,
            tunnel_count: 0,
            inner: None,
            issue: None,
        }
    }
}

/// A frame without tags, and without anything in it that has an address of a network.
pub(crate) struct Unrouted {
    link: LinkKind,
    ethertype: u16,
    network: Network,
    /// Where the frame ends, by its length field if it has one.
    end: usize,
    issue: Option<Issue>,
}

impl Unrouted {
    #[inline(always)]
    pub(crate) fn describe(&self) -> Decoded {
        Decoded {
            link: self.link,
            vlan_count: 0,
            mpls_count: 0,
            vlans: [VlanTag::default(); 2],
            ethertype: self.ethertype,
            outer: Headers::at(ETHERNET_BYTES, self.network, self.end),
            tunnel: None,
            tunnel_count: 0,
            inner: None,
            issue: self.issue,
        }
    }
}

/// Reads an Ethernet frame if nothing is to be read of it behind its link header.
#[inline(always)]
pub(crate) fn read_unrouted(bytes: &[u8]) -> Option<Unrouted> {
    let header = bytes.first_chunk::<ETHERNET_BYTES>()?;
    let announced = u16::from_be_bytes([header[12], header[13]]);
    let network = match announced {
        0..=ethertype::LENGTH_MAX => return read_length(bytes, usize::from(announced)),
        ethertype::IPV4 | ethertype::IPV6 | ethertype::PPPOE_SESSION => return None,
        ethertype::ARP | ethertype::RARP => Network::Arp,
        other if ethertype::is_vlan(other) || ethertype::is_mpls(other) => return None,
        _ => Network::Other,
    };
    let (link, end) = (LinkKind::Ethernet, bytes.len());
    Some(Unrouted { link, ethertype: announced, network, end, issue: None })
}

/// Reads a frame with an IEEE 802.3 length, if it has not SNAP, which may announce anything.
#[inline(always)]
fn read_length(bytes: &[u8], length: usize) -> Option<Unrouted> {
    let claimed_end = ETHERNET_BYTES + length;
    let end = claimed_end.min(bytes.len());
    let saps_end = ETHERNET_BYTES + 3;
    let (network, issue) = match bytes[..end].get(ETHERNET_BYTES..saps_end) {
        Some([0xaa, 0xaa, 0x03]) => return None,
        Some(_) if end < claimed_end => {
            (Network::Other, Some(Issue::new(IssueKind::Truncated, Layer::Payload)))
        }
        Some(_) => (Network::Other, None),
        None if saps_end > claimed_end => {
            (Network::None, Some(Issue::new(IssueKind::Length, Layer::Link)))
        }
        None => (Network::None, Some(Issue::new(IssueKind::Truncated, Layer::Link))),
    };
    Some(Unrouted { link: LinkKind::Ieee8023, ethertype: 0, network, end, issue })
}

/// Reads an Ethernet frame if it is an ordinary one.
#[inline(always)]
pub(crate) fn read(bytes: &[u8]) -> Option<Ordinary> {
    let header = bytes.first_chunk::<ETHERNET_BYTES>()?;
    let mut tags = Tags {
        ethertype: u16::from_be_bytes([header[12], header[13]]),
        at: ETHERNET_BYTES,
        count: 0,
        vlans: [VlanTag::default(); 2],
    };
    if ethertype::is_vlan(tags.ethertype) {
        tags.read(bytes)?;
    }
    match tags.ethertype {
        ethertype::IPV4 => read_ipv4(bytes, tags),
        ethertype::IPV6 => read_ipv6(bytes, tags),
        _ => None,
    }
}

/// The VLAN tags of a frame, and what is behind them.
struct Tags {
    ethertype: u16,
    at: usize,
    count: u8,
    vlans: [VlanTag; 2],
}

impl Tags {
    #[inline(always)]
    fn read(&mut self, bytes: &[u8]) -> Option<()> {
        for place in &mut self.vlans {
            if !ethertype::is_vlan(self.ethertype) {
                break;
            }
            let &[a, b, c, d] = bytes.get(self.at..)?.first_chunk()?;
            *place = VlanTag { tpid: self.ethertype, tci: u16::from_be_bytes([a, b]) };
            self.ethertype = u16::from_be_bytes([c, d]);
            self.at += 4;
            self.count += 1;
        }
        Some(())
    }

    #[inline(always)]
    fn vlan_ids(&self) -> [u16; 2] {
        if self.count == 0 { [0; 2] } else { compact_vlans(self.vlans.map(|tag| tag.id())) }
    }
}

#[inline(always)]
fn read_ipv4(bytes: &[u8], tags: Tags) -> Option<Ordinary> {
    let header = bytes.get(tags.at..)?.first_chunk::<20>()?;
    let total_bytes = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let is_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
    if header[0] != 0x45 || is_fragment {
        return None;
    }
    let transport = Transport::read(bytes, header[9], tags.at + 20, tags.at + total_bytes)?;
    let from = u32::from_be_bytes([header[12], header[13], header[14], header[15]]);
    let to = u32::from_be_bytes([header[16], header[17], header[18], header[19]]);
    let flow = FlowKey::of_ipv4(from, to, transport.ports, header[9], tags.vlan_ids());
    Some(Ordinary { tags, network: Network::Ipv4, protocol: header[9], transport, flow })
}

#[inline(always)]
fn read_ipv6(bytes: &[u8], tags: Tags) -> Option<Ordinary> {
    let header = bytes.get(tags.at..)?.first_chunk::<40>()?;
    let payload_bytes = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if header[0] >> 4 != 6 {
        return None;
    }
    let at = tags.at + 40;
    let transport = Transport::read(bytes, header[6], at, at + payload_bytes)?;
    let (from, to) = (header[8..].first_chunk()?, header[24..].first_chunk()?);
    let flow = FlowKey::of_ipv6(from, to, transport.ports, header[6], tags.vlan_ids());
    Some(Ordinary { tags, network: Network::Ipv6, protocol: header[6], transport, flow })
}

/// A whole TCP or UDP header.
struct Transport {
    at: usize,
    payload_at: usize,
    /// Where the payload ends.
    end: usize,
    tcp_flags: u8,
    ports: Ports,
}

impl Transport {
    /// Reads the header at `at` of a packet that claims to end at `end`.
    #[inline(always)]
    fn read(bytes: &[u8], protocol: u8, at: usize, end: usize) -> Option<Self> {
        let within = bytes.get(at..end)?;
        let &[a, b, c, d, length_high, length_low, _, _] = within.first_chunk()?;
        let ports = Ports::transport(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        match protocol {
            ip_protocol::TCP => {
                let header = within.first_chunk::<TCP_BYTES_MIN>()?;
                let payload_at = at + usize::from(header[12] >> 4) * 4;
                let is_sound = payload_at >= at + TCP_BYTES_MIN && payload_at <= end;
                is_sound.then_some(Self { at, payload_at, end, tcp_flags: header[13], ports })
            }
            ip_protocol::UDP => {
                let length = usize::from(u16::from_be_bytes([length_high, length_low]));
                let (payload_at, udp_end) = (at + UDP_BYTES, at + length);
                let is_sound = udp_end >= payload_at && udp_end <= end;
                is_sound.then_some(Self { at, payload_at, end: udp_end, tcp_flags: 0, ports })
            }
            _ => None,
        }
    }
}
